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

/* ---- Several at once ---------------------------------------------------------------------------
 */

#define TOGETHER 32u /* reads of one call of the device */

struct together {
	struct feox_store *store;
	struct fx_io ios[TOGETHER];
	struct fx_cold_request *requests[TOGETHER];
	unsigned int count;
	uint8_t *scratch; /* TOGETHER areas of a slice */
};

#define AREA (FX_SLICE + 8)

static void read_one(struct feox_store *store, struct fx_cold_request *r)
{
	r->err = fx_cold_read(store, r->extent, r->location, r->value_size, 0, r->buffer,
			      r->value_size);
}

/* A small value whose area lies in one piece, beside others. */
static bool add_read(struct together *t, struct fx_cold_request *r)
{
	uint64_t at = fx_location_value_offset(r->location), contiguous = 0, offset;
	size_t area = (size_t)fx_value_area_size(r->value_size);

	if (!t->scratch || !r->value_size || r->value_size > FX_SLICE || at > r->extent->bytes ||
	    area > r->extent->bytes - at)
		return false;
	offset = fx_extent_place(r->extent, at, &contiguous);
	if (contiguous < area)
		return false;
	t->ios[t->count] = (struct fx_io){
		.buffer = t->scratch + t->count * AREA, .size = area, .offset = offset};
	t->requests[t->count++] = r;
	return true;
}

static void read_together(struct together *t)
{
	if (t->count)
		t->store->device->ops->read(t->store->device, t->ios, t->count);
	for (unsigned int i = 0; i < t->count; i++) {
		struct fx_cold_request *r = t->requests[i];
		const uint8_t *area = t->ios[i].buffer;
		uint64_t at = fx_location_value_offset(r->location) + 8;

		if (!t->ios[i].result && slice_is_good(t->store, r->extent, at, area + 8,
						       r->value_size, fx_get_u64(area))) {
			memcpy(r->buffer, area + 8, r->value_size);
			r->err = 0;
		} else {
			read_one(t->store, r); /* which says what is wrong */
		}
	}
	t->count = 0;
}

void fx_cold_read_many(struct feox_store *store, struct fx_cold_request *requests, size_t count)
{
	struct together t = {.store = store};

	t.scratch = count > 1 ? malloc(TOGETHER * AREA) : NULL;
	for (size_t i = 0; i < count; i++) {
		if (!add_read(&t, &requests[i]))
			read_one(store, &requests[i]);
		if (t.count == TOGETHER)
			read_together(&t);
	}
	read_together(&t);
	free(t.scratch);
}
