/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read.c - get, read, stat: nothing here waits for a writer, and only a cold value for the disk.
 *
 * A resident value is found and pinned inside one epoch section. A cold one is pinned as a record,
 * together with the extent its location names, in the section that found the record: there the
 * extent cannot have been removed and its number cannot have been given to another. Then it is read
 * outside, and put in place with one compare-and-swap, so that the next reader has it; unless that
 * would take memory which writers need (reserve.c): then it is gone with the reader's pin, and the
 * flusher makes room for the next one (cool.c).
 */
#include "commit.h"

#include "histogram.h"

#include <errno.h>
#include <string.h>

#define CACHE_SLICE ((uint64_t)64 * 1024) /* cold values up to this are kept by a partial read */

/* pin: a record, or with this bit set an fx_value */
#define PIN_VALUE ((uintptr_t)1)

struct fx_record *fx_word_visible(fx_word word)
{
	switch (fx_word_state(word)) {
	case FX_SLOT_LIVE:
		return fx_word_record(word);
	case FX_SLOT_INTENT:
		return fx_intent_visible(fx_word_record(word));
	default:
		return NULL;
	}
}

/* A read has found its key, or that it is absent. */
static void finish(struct feox_store *store, struct fx_counters *counters, bool hit,
		   uint64_t begin_ns)
{
	fx_count(hit ? &counters->gets : &counters->misses, 1);
	fx_timer_end(store, FEOX_OP_GET, begin_ns);
}

static bool is_misuse(const struct feox_store *store, const void *key, size_t key_size,
		      unsigned int flags)
{
	return !store || (!key && key_size) || key_size > FEOX_KEY_MAX ||
	       (flags & ~(unsigned int)FEOX_NOWAIT);
}

/* ---- Cold values -------------------------------------------------------------------------------
 */

void fx_cold_pin(struct feox_store *store, struct fx_record *record, struct fx_cold *ret_cold)
{
	fx_location location = fx_value_location(record);
	struct fx_extent *extent =
		fx_extent_table_get(store->extents, fx_location_extent(location));

	fx_record_ref(record);
	if (extent)
		fx_extent_pin(extent);
	*ret_cold = (struct fx_cold){.record = record, .extent = extent, .location = location};
}

void fx_cold_unpin(struct feox_store *store, struct fx_cold *cold)
{
	if (cold->extent)
		fx_extent_unpin(cold->extent);
	if (cold->record)
		fx_record_unref(store->slab, cold->record);
	*cold = (struct fx_cold){0};
}

static int read_cold(struct feox_store *store, const struct fx_cold *cold, uint64_t offset,
		     void *buffer, size_t size)
{
	int err = -EIO;

	if (cold->extent)
		err = fx_cold_read(store, cold->extent, cold->location, cold->record->value_size,
				   offset, buffer, size);
	if (!err)
		atomic_fetch_add_explicit(&store->io.read_bytes, size, memory_order_relaxed);
	return err;
}

/* The value of a cold record, in memory, refs 1. */
static int load(struct feox_store *store, const struct fx_cold *cold, struct fx_value **ret_value)
{
	struct fx_value *value = fx_value_new(store->slab, cold->record->value_size);
	int err = value ? read_cold(store, cold, 0, value->bytes, value->size) : -ENOMEM;

	if (err)
		fx_value_unref(store->slab, value);
	else
		*ret_value = value;
	return err;
}

/* Let the record have value, and a reference of its own, unless a faster loader's is there. */
static void keep(struct feox_store *store, struct fx_record *record, struct fx_value *value)
{
	struct fx_value *expected = NULL;

	fx_value_ref(value);
	/* Release: who sees the pointer sees the bytes. */
	if (!atomic_compare_exchange_strong_explicit(fx_record_value_field(record), &expected,
						     value, memory_order_release,
						     memory_order_relaxed))
		fx_value_unref(store->slab, value);
	else
		fx_count(&store->cool.keeps, 1);
}

int fx_cold_load(struct feox_store *store, const struct fx_cold *cold)
{
	struct fx_value *value;
	uint64_t taken;
	int err;

	if (!fx_record_is_cold(cold->record))
		return 0;
	err = fx_memory_take(store, cold->record->value_size, false, &taken);
	if (err)
		return err;
	err = load(store, cold, &value);
	fx_budget_give(&store->budget, taken);
	if (err)
		return err;
	keep(store, cold->record, value);
	fx_value_unref(store->slab, value);
	return 0;
}

/* ---- Get ---------------------------------------------------------------------------------------
 */

/* Fill value with a view of record that is pinned by large, or by the record when that is NULL. */
static void fill_value(struct fx_record *record, struct fx_value *large, struct feox_value *value)
{
	value->size = record->value_size;
	value->version = record->version;
	value->expiry_ns = fx_record_expiry(record);
	value->data = large ? large->bytes : fx_record_inline_value(record);
	value->pin = large ? (void *)((uintptr_t)large | PIN_VALUE) : record;
}

void fx_value_pin(struct fx_record *record, struct feox_value *value)
{
	struct fx_value *large = fx_record_value(record);

	if (large)
		fx_value_ref(large);
	else
		fx_record_ref(record);
	fill_value(record, large, value);
}

int fx_value_pin_cold(struct feox_store *store, const struct fx_cold *cold,
		      struct feox_value *value)
{
	bool keeps = fx_memory_is_spare(store, cold->record->value_size);
	struct fx_value *large;
	int err = load(store, cold, &large);

	if (err)
		return err;
	if (keeps)
		keep(store, cold->record, large);
	fill_value(cold->record, large, value);
	return 0;
}

void fx_value_pin_cold_many(struct feox_store *store, const struct fx_cold *colds, size_t count,
			    struct feox_value *values, int *errors)
{
	struct fx_cold_request requests[FX_COLD_MANY];
	struct fx_value *large[FX_COLD_MANY];
	size_t which[FX_COLD_MANY], n = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t size = colds[i].record->value_size;

		large[i] = colds[i].extent ? fx_value_new(store->slab, size) : NULL;
		errors[i] = !colds[i].extent ? -EIO : -ENOMEM;
		if (!large[i])
			continue;
		requests[n] = (struct fx_cold_request){.extent = colds[i].extent,
						       .location = colds[i].location,
						       .value_size = size,
						       .buffer = large[i]->bytes};
		which[n++] = i;
	}
	fx_cold_read_many(store, requests, n);
	for (size_t k = 0; k < n; k++) {
		size_t i = which[k];

		errors[i] = requests[k].err;
		if (errors[i]) {
			fx_value_unref(store->slab, large[i]);
			continue;
		}
		fx_count(&store->io.read_bytes, large[i]->size);
		if (fx_memory_is_spare(store, large[i]->size))
			keep(store, colds[i].record, large[i]);
		fill_value(colds[i].record, large[i], &values[i]);
	}
}

bool fx_value_unpin(struct feox_store *store, struct feox_value *value)
{
	uintptr_t pin = (uintptr_t)value->pin;

	if (!pin)
		return false;
	if (pin & PIN_VALUE)
		fx_value_unref(store->slab, (struct fx_value *)(pin & ~PIN_VALUE));
	else
		fx_record_unref(store->slab, (struct fx_record *)pin);
	*value = (struct feox_value){0};
	return true;
}

/* The record of key, pinned when it is cold. -ENOENT; 1: cold. */
static int find(struct feox_store *store, uint64_t hash, const void *key, size_t key_size,
		struct feox_value *value, struct fx_cold *ret_cold)
{
	struct fx_record *record;
	int result = 0;

	fx_epoch_enter();
	record = fx_find_used(store, hash, key, key_size);
	if (!record) {
		result = -ENOENT;
	} else if (fx_record_is_cold(record)) {
		fx_cold_pin(store, record, ret_cold);
		result = 1;
	} else {
		fx_value_pin(record, value);
	}
	fx_epoch_leave();
	return result;
}

int fx_value_get(struct feox_store *store, uint64_t hash, const void *key, size_t key_size,
		 bool nowait, struct feox_value *ret_value)
{
	struct fx_cold cold;
	int err = find(store, hash, key, key_size, ret_value, &cold);

	if (err == 1) {
		err = nowait ? -EAGAIN : fx_value_pin_cold(store, &cold, ret_value);
		fx_cold_unpin(store, &cold);
	}
	if (!err) /* feox_close() counts what callers have */
		atomic_fetch_add_explicit(&fx_counters(store)->pins, 1, memory_order_relaxed);
	return err;
}

FEOX_API int feox_get(struct feox_store *store, const void *key, size_t key_size,
		      unsigned int flags, struct feox_value *ret_value)
{
	struct fx_counters *counters;
	uint64_t begin_ns;
	int err;

	if (is_misuse(store, key, key_size, flags) || !ret_value)
		return -EINVAL;
	counters = fx_counters(store);
	begin_ns = fx_timer_begin(counters);
	err = fx_value_get(store, fx_hash_key(store->hash_seed, key, key_size), key, key_size,
			   flags & FEOX_NOWAIT, ret_value);
	if (!err || err == -ENOENT)
		finish(store, counters, !err, begin_ns);
	return err;
}

FEOX_API void feox_value_release(struct feox_store *store, struct feox_value *value)
{
	if (value && fx_value_unpin(store, value))
		atomic_fetch_sub_explicit(&fx_counters(store)->pins, 1, memory_order_relaxed);
}

/* ---- Read, stat --------------------------------------------------------------------------------
 */

static size_t slice_size(uint64_t value_size, uint64_t offset, size_t size)
{
	if (offset >= value_size)
		return 0;
	return size < value_size - offset ? size : (size_t)(value_size - offset);
}

/* Copy from a resident record inside its section; 1: it is cold, and pinned. */
static int copy_slice(struct feox_store *store, uint64_t hash, const void *key, size_t key_size,
		      uint64_t offset, void *buffer, size_t *size, uint64_t *version,
		      struct fx_cold *ret_cold)
{
	struct fx_record *record;
	int result = 0;

	fx_epoch_enter();
	record = fx_find_used(store, hash, key, key_size);
	if (!record) {
		result = -ENOENT;
	} else {
		*size = slice_size(record->value_size, offset, *size);
		*version = record->version;
		if (*size && fx_record_is_cold(record)) {
			fx_cold_pin(store, record, ret_cold);
			result = 1;
		} else if (*size) {
			struct fx_value *large = fx_record_value(record);
			const uint8_t *data = large ? large->bytes : fx_record_inline_value(record);

			memcpy(buffer, data + offset, *size);
		}
	}
	fx_epoch_leave();
	return result;
}

/* A small value is kept in memory when there is room; of any other only the slice is read. */
static int copy_cold(struct feox_store *store, const struct fx_cold *cold, uint64_t offset,
		     void *buffer, size_t size)
{
	struct fx_record *record = cold->record;
	struct fx_value *value;
	int err;

	if (record->value_size > CACHE_SLICE || !fx_memory_is_spare(store, record->value_size))
		return read_cold(store, cold, offset, buffer, size);
	err = load(store, cold, &value);
	if (err)
		return err;
	memcpy(buffer, value->bytes + offset, size);
	keep(store, record, value);
	fx_value_unref(store->slab, value);
	return 0;
}

FEOX_API int feox_read(struct feox_store *store, const void *key, size_t key_size, uint64_t offset,
		       void *buffer, size_t size, unsigned int flags, size_t *ret_size,
		       uint64_t *ret_version)
{
	struct fx_counters *counters;
	struct fx_cold cold;
	uint64_t version = 0, begin_ns;
	int err;

	if (is_misuse(store, key, key_size, flags) || (!buffer && size) || !ret_size)
		return -EINVAL;
	counters = fx_counters(store);
	begin_ns = fx_timer_begin(counters);
	err = copy_slice(store, fx_hash_key(store->hash_seed, key, key_size), key, key_size, offset,
			 buffer, &size, &version, &cold);
	if (err == 1) {
		err = flags & FEOX_NOWAIT ? -EAGAIN : copy_cold(store, &cold, offset, buffer, size);
		fx_cold_unpin(store, &cold);
	}
	if (!err || err == -ENOENT)
		finish(store, counters, !err, begin_ns);
	if (err)
		return err;
	*ret_size = size;
	if (ret_version)
		*ret_version = version;
	return 0;
}

FEOX_API int feox_stat(struct feox_store *store, const void *key, size_t key_size, void *metadata,
		       size_t metadata_capacity, struct feox_stat *ret_stat)
{
	struct fx_counters *counters;
	struct fx_record *record;
	uint64_t begin_ns;

	if (is_misuse(store, key, key_size, 0) || (!metadata && metadata_capacity) || !ret_stat)
		return -EINVAL;
	counters = fx_counters(store);
	begin_ns = fx_timer_begin(counters);
	fx_epoch_enter();
	record = fx_find_used(store, fx_hash_key(store->hash_seed, key, key_size), key, key_size);
	if (record) {
		size_t n = record->metadata_size;

		*ret_stat = (struct feox_stat){.size = record->value_size,
					       .version = record->version,
					       .expiry_ns = fx_record_expiry(record),
					       .metadata_size = n};
		if (n > metadata_capacity)
			n = metadata_capacity;
		if (n)
			memcpy(metadata, fx_record_metadata(record), n);
	}
	fx_epoch_leave();
	finish(store, counters, record != NULL, begin_ns);
	return record ? 0 : -ENOENT;
}
