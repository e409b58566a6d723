/* SPDX-License-Identifier: Apache-2.0 */
/* extent_place.c - the runs of an extent as if they were one; what lives in all extents. */
#include "extent_table.h"

uint64_t fx_extent_place(const struct fx_extent *extent, uint64_t at, uint64_t *ret_contiguous)
{
	uint64_t left = extent->bytes - at;

	for (uint32_t i = 0; i < extent->run_count; i++) {
		uint64_t run_bytes = extent->runs[i].blocks * 4096;

		if (at < run_bytes) {
			*ret_contiguous = left < run_bytes - at ? left : run_bytes - at;
			return extent->runs[i].start * 4096 + at;
		}
		at -= run_bytes;
	}
	*ret_contiguous = 0;
	return 0;
}

uint64_t fx_extent_table_live_records(const struct fx_extent_table *table)
{
	struct fx_extent_table *t = (struct fx_extent_table *)table;
	struct fx_extent *extent;
	uint32_t cursor = 0;
	uint64_t live = 0;

	while ((extent = fx_extent_table_next(t, &cursor)))
		live += extent->live_count;
	return live;
}
