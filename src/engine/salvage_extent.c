/* SPDX-License-Identifier: Apache-2.0 */
/*
 * salvage_extent.c - one extent that was found: where it lies, what its directory says, which of
 * its values are right, and whether its blocks are its own.
 */
#include "salvage.h"

#include "bytes.h"
#include "cleanup.h"
#include "disk_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Where it lies -----------------------------------------------------------------------------
 */

void fx_salvage_free_run(void *ctx, struct fx_run run)
{
	(void)fx_space_free(((struct feox_store *)ctx)->space, run);
}

/* Does the journal say where it is? */
static bool is_told(const struct fx_find *find)
{
	const struct fx_witness *w = find->witness;

	return w && w->runs && w->runs[0].start == find->block && w->bytes == find->header.bytes &&
	       w->records == find->header.records;
}

static bool runs_can_be(const struct fx_salvage *s, const struct fx_extent *extent)
{
	uint64_t need = fx_div_up(extent->bytes, FX_BLOCK), limit = s->store->super.blocks;

	for (uint32_t i = 0; i < extent->run_count; i++) {
		const struct fx_run *run = &extent->runs[i];

		if (!run->blocks || run->start < FX_DATA_START || run->start >= limit ||
		    run->blocks > limit - run->start || run->blocks > need)
			return false;
		need -= run->blocks;
	}
	return !need;
}

int fx_look_begin(struct fx_salvage *s, struct fx_look *look)
{
	const struct fx_extent_header *h = &look->find->header;
	const struct fx_witness *w = is_told(look->find) ? look->find->witness : NULL;
	uint32_t count = w ? w->run_count : 1;
	struct fx_extent *extent = calloc(1, sizeof(*extent) + count * sizeof(struct fx_run));

	if (!extent)
		return -ENOMEM;
	extent->sequence = h->sequence;
	extent->bytes = h->bytes;
	extent->directory_bytes = h->directory_bytes;
	extent->record_count = h->records;
	extent->run_count = count;
	if (w)
		memcpy(extent->runs, w->runs, count * sizeof(struct fx_run));
	else
		extent->runs[0] = (struct fx_run){look->find->block, fx_div_up(h->bytes, FX_BLOCK)};
	look->own = look->extent = extent;
	return runs_can_be(s, extent);
}

void fx_look_end(struct fx_look *look)
{
	free(look->own);
	free(look->directory);
	free(look->good);
}

/* All of them, or none. */
static bool take_runs(struct fx_salvage *s, const struct fx_run *runs, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!fx_space_take(s->store->space, runs[i]))
			continue;
		while (i--)
			fx_salvage_free_run(s->store, runs[i]);
		return false;
	}
	return true;
}

int fx_look_place(struct fx_salvage *s, struct fx_look *look)
{
	struct fx_extent *e = look->extent;
	uint64_t *none;
	int err = -ENOMEM;

	if (!take_runs(s, e->runs, e->run_count))
		return 0;
	none = calloc((e->record_count + 63) / 64, sizeof(*none));
	if (none)
		err = fx_extent_table_add(s->store->extents, e->sequence, e->bytes,
					  e->directory_bytes, e->record_count, 0, e->runs,
					  e->run_count, none, &look->extent);
	free(none);
	if (!err)
		return 1;
	for (uint32_t i = 0; i < e->run_count; i++)
		fx_salvage_free_run(s->store, e->runs[i]);
	return err == -EINVAL ? 0 : err; /* two of one name: the other one is placed */
}

int fx_look_directory(struct fx_salvage *s, struct fx_look *look)
{
	const struct fx_extent_header *h = &look->find->header;
	size_t size = FX_EXTENT_HEADER + (size_t)h->directory_bytes;
	FX_AUTO_FREE uint8_t *bytes = malloc(size);

	look->good = calloc(1, h->records);
	if (!bytes || !look->good)
		return -ENOMEM;
	if (fx_extent_read(s->store, look->extent, 0, bytes, size) ||
	    fx_extent_directory_verify(bytes, bytes + FX_EXTENT_HEADER, h->directory_bytes))
		return 0;
	look->directory = FX_STEAL(bytes);
	return 1;
}

/* ---- Records -----------------------------------------------------------------------------------
 */

int fx_look_each(struct fx_salvage *s, struct fx_look *look,
		 int (*visit)(struct fx_salvage *s, struct fx_look *look, uint32_t index,
			      const struct fx_extent_entry *entry, uint64_t value_at))
{
	uint32_t size = look->extent->directory_bytes, at = 0;
	const uint8_t *directory = look->directory + FX_EXTENT_HEADER;
	uint64_t value_at = fx_align_up(FX_EXTENT_HEADER + (uint64_t)size, FX_VALUE_ALIGN);
	int err = 0;

	fx_epoch_enter();
	for (uint32_t i = 0; i < look->extent->record_count && !err; i++) {
		struct fx_extent_entry entry;
		int64_t n = fx_extent_entry_decode(directory + at, size - at, &entry);

		if (n < 0 || value_at / FX_VALUE_UNIT > UINT16_MAX)
			break;
		err = visit(s, look, i, &entry, value_at);
		at += (uint32_t)n;
		value_at += fx_align_up(fx_value_area_size(entry.value_size), FX_VALUE_ALIGN);
	}
	fx_epoch_leave();
	return err;
}

static int check_value(struct fx_salvage *s, struct fx_look *look, uint32_t index,
		       const struct fx_extent_entry *entry, uint64_t value_at)
{
	fx_location location = fx_location_make(0, index, (uint32_t)(value_at / FX_VALUE_UNIT));
	int err = 0;

	for (uint64_t at = 0; at < entry->value_size && !err; at += FX_SLICE)
		err = fx_cold_read(s->store, look->extent, location, entry->value_size, at,
				   s->scratch, (size_t)FX_MIN(entry->value_size - at, FX_SLICE));
	s->check->result.checked_bytes += entry->value_size;
	look->good[index] = !err;
	return err == -ENOMEM ? err : 0;
}

int fx_look_values(struct fx_salvage *s, struct fx_look *look)
{
	int err = fx_look_each(s, look, check_value);

	look->whole = !memchr(look->good, 0, look->find->header.records);
	return err;
}
