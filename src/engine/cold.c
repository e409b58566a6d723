/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cold.c - values that are on disk only: read by slices of 64 KiB, each verified against the
 * checksum that stands in front of the value and is bound to its place (I7).
 */
#include "disk_read.h"

#include "bytes.h"
#include "cleanup.h"
#include "extent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int fx_extent_read(struct feox_store *store, const struct fx_extent *extent, uint64_t at,
		   void *buffer, size_t size)
{
	uint8_t *out = buffer;

	if (at > extent->bytes || size > extent->bytes - at)
		return -EIO;
	while (size) {
		uint64_t contiguous;
		uint64_t offset = fx_extent_place(extent, at, &contiguous);
		size_t n = contiguous < size ? (size_t)contiguous : size;
		int err = n ? fx_device_read(store->device, out, n, offset) : -EIO;

		if (err)
			return err;
		out += n;
		at += n;
		size -= n;
	}
	return 0;
}

static bool slice_is_good(struct feox_store *store, const struct fx_extent *extent, uint64_t at,
			  const void *slice, size_t size, uint64_t checksum)
{
	return fx_value_checksum(store->store_seed, extent->sequence, at, slice, size) == checksum;
}

/* The whole area of a small value in one read. */
static int read_small(struct feox_store *store, struct fx_extent *extent, uint64_t at,
		      uint64_t value_size, uint64_t offset, void *buffer, size_t size)
{
	size_t area = (size_t)fx_value_area_size(value_size);
	FX_AUTO_FREE uint8_t *bytes = malloc(area);
	int err = bytes ? fx_extent_read(store, extent, at, bytes, area) : -ENOMEM;

	if (!err && !slice_is_good(store, extent, at + 8, bytes + 8, value_size, fx_get_u64(bytes)))
		err = -EIO;
	if (!err)
		memcpy(buffer, bytes + 8 + offset, size);
	return err;
}

/* One slice, of which [from, from + size) goes to out; scratch holds a slice. */
static int read_slice(struct feox_store *store, struct fx_extent *extent, uint64_t slice_at,
		      size_t slice_size, uint64_t checksum, size_t from, void *out, size_t size,
		      uint8_t *scratch)
{
	bool whole = size == slice_size;
	uint8_t *target = whole ? out : scratch;
	int err = fx_extent_read(store, extent, slice_at, target, slice_size);

	if (!err && !slice_is_good(store, extent, slice_at, target, slice_size, checksum))
		err = -EIO;
	if (!err && !whole)
		memcpy(out, scratch + from, size);
	return err;
}

static int read_large(struct feox_store *store, struct fx_extent *extent, uint64_t at,
		      uint64_t value_size, uint64_t offset, uint8_t *out, size_t size)
{
	uint64_t first = offset / FX_SLICE, last = (offset + size - 1) / FX_SLICE;
	uint64_t data = at + fx_value_checksums_size(value_size);
	size_t sums_size = (size_t)(last - first + 1) * 8;
	FX_AUTO_FREE uint8_t *sums = malloc(sums_size);
	FX_AUTO_FREE uint8_t *scratch = malloc(FX_SLICE);
	int err = sums && scratch ? fx_extent_read(store, extent, at + first * 8, sums, sums_size)
				  : -ENOMEM;

	for (uint64_t i = first; i <= last && !err; i++) {
		uint64_t begin = i * FX_SLICE;
		uint64_t slice_size = value_size - begin < FX_SLICE ? value_size - begin : FX_SLICE;
		uint64_t from = offset > begin ? offset - begin : 0;
		uint64_t n = slice_size - from < size ? slice_size - from : size;

		err = read_slice(store, extent, data + begin, slice_size,
				 fx_get_u64(sums + (i - first) * 8), from, out, n, scratch);
		out += n;
		size -= n;
		offset += n;
	}
	return err;
}

int fx_cold_read(struct feox_store *store, struct fx_extent *extent, fx_location location,
		 uint64_t value_size, uint64_t offset, void *buffer, size_t size)
{
	uint64_t at = fx_location_value_offset(location);
	int err;

	if (!size)
		return 0;
	if (offset > value_size || size > value_size - offset)
		return -EINVAL;
	if (value_size <= FX_SLICE)
		err = read_small(store, extent, at, value_size, offset, buffer, size);
	else
		err = read_large(store, extent, at, value_size, offset, buffer, size);
	if (err == -EIO)
		fx_store_log(store, FEOX_LOG_ERROR,
			     "extent %llu at block %llu: a value cannot be read or is damaged",
			     (unsigned long long)extent->sequence,
			     (unsigned long long)extent->runs[0].start);
	return err;
}
