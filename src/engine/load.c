/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - the directories of all extents become the indexes: each live record, as the journal
 * amends it, is put into the hash index, cold; its key goes into the ordered index at the end, in
 * order and in bulk.
 */
#include "recovery.h"

#include "bytes.h"
#include "cleanup.h"
#include "disk_read.h"
#include "extent.h"
#include "load_sort.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_EVERY 65536u
#define AHEAD	       16u /* a power of two: records whose places memory is asked for, ahead */

/* A record on its way into the hash index. */
struct arrival {
	uint64_t hash;
	uint64_t item; /* index of it */
	uint32_t index;
};

/* An amended record: an item, which may turn out to be a twin. */
struct change {
	struct fx_amended amended; /* but for its record */
	uint64_t item;
};

struct load {
	struct feox_store *store;
	struct fx_recovery *recovery;
	struct fx_sort_item *items; /* all records, to be sorted */
	uint64_t count, total, next;
	uint64_t twins; /* items without a record */
	struct arrival arrivals[AHEAD];
	uint64_t arrived, inserted; /* of the extent being loaded */
	uint8_t *bytes;		    /* a directory */
	size_t capacity;
	struct change *changes; /* of the extent being loaded */
	size_t change_count, change_capacity;
	uint8_t key[FEOX_KEY_MAX]; /* an amended one */
};

/* Who checks the store is told, and may say that it goes on; else recovery ends here. */
static int report(struct load *load, const struct fx_damage *damage)
{
	const struct fx_extent *extent = damage->extent;

	if (load->recovery->damage)
		return load->recovery->damage(load->recovery->damage_ctx, damage);
	return fx_diag(load->recovery->diag, -EUCLEAN, "damaged: %s (extent %llu at block %llu)",
		       damage->what, (unsigned long long)extent->sequence,
		       (unsigned long long)extent->runs[0].start);
}

static int damaged(struct load *load, const struct fx_extent *extent, const char *what)
{
	return report(load, &(struct fx_damage){.extent = extent, .what = what});
}

static void tell_progress(const struct load *load, uint64_t done)
{
	/* Half of the work is to read them, half of it to bring them in order. */
	if (load->recovery->progress && done % PROGRESS_EVERY == 0)
		load->recovery->progress(load->recovery->progress_ctx, done, 2 * load->total);
}

static int report_twin(struct load *load, const struct fx_extent *extent,
		       const struct arrival *arrival, const struct fx_record *first)
{
	struct fx_record *record = load->items[arrival->item].record;
	const struct fx_extent_entry entry = {
		.key = fx_record_key(record),
		.key_size = record->key_size,
		.version = record->version,
	};
	int err = report(load, &(struct fx_damage){.extent = extent,
						   .what = "a key that lives twice",
						   .twin = &entry,
						   .twin_index = arrival->index,
						   .first = first});

	fx_record_unref(load->store->slab, record);
	load->items[arrival->item].record = NULL;
	load->twins++;
	return err;
}

/* The record that waits longest goes into the index: memory has had time to bring its bucket. */
static int insert_next(struct load *load, const struct fx_extent *extent)
{
	struct feox_store *store = load->store;
	const struct arrival *arrival = &load->arrivals[load->inserted++ % AHEAD];
	struct fx_record *record = load->items[arrival->item].record;
	_Atomic uint64_t *shard = &store->version_shards[arrival->hash % FX_VERSION_SHARDS];
	fx_slot *slot;
	fx_word word;
	int err = fx_hash_index_insert(store->hash, arrival->hash,
				       fx_word_make(arrival->hash, record, FX_SLOT_LIVE), &slot,
				       &word);

	if (err == -EEXIST)
		return report_twin(load, extent, arrival, fx_word_record(word));
	if (err) {
		fx_record_unref(store->slab, record);
		return err;
	}
	if (record->version > atomic_load_explicit(shard, memory_order_relaxed))
		atomic_store_explicit(shard, record->version, memory_order_relaxed);
	fx_count_record(store, record);
	return 0;
}

static int add_record(struct load *load, const struct fx_extent *extent, uint32_t index,
		      const struct fx_extent_entry *entry, uint64_t value_at)
{
	struct feox_store *store = load->store;
	uint64_t hash = fx_hash_key(store->hash_seed, entry->key, entry->key_size);
	const struct fx_record_parts parts = {
		.key = entry->key,
		.key_size = entry->key_size,
		.metadata = entry->metadata,
		.metadata_size = entry->metadata_size,
		.expiry_ns = entry->expiry_ns,
		.value_size = entry->value_size,
		.cold = true,
	};
	struct fx_record *record;
	int err = 0;

	fx_hash_index_prefetch(store->hash, hash);
	if (load->arrived - load->inserted == AHEAD)
		err = insert_next(load, extent);
	record = err ? NULL : fx_record_new(store->slab, &parts);
	if (!record)
		return err ? err : -ENOMEM;
	record->version = entry->version;
	atomic_init(&record->place,
		    fx_location_make(extent->number, index, (uint32_t)(value_at / FX_VALUE_UNIT)));
	atomic_init(&record->state, FX_DURABLE);
	load->items[load->count].record = record;
	load->arrivals[load->arrived++ % AHEAD] =
		(struct arrival){.hash = hash, .item = load->count++, .index = index};
	tell_progress(load, load->count);
	return 0;
}

/* The record of a live directory entry, amended. */
static int load_entry(struct load *load, const struct fx_extent *extent, uint32_t index,
		      struct fx_extent_entry *entry, uint64_t value_at)
{
	struct change change = {.item = load->count};
	int amended = fx_found_apply(load->recovery->found, extent, index, entry, load->key,
				     &change.amended);

	if (amended < 0)
		return damaged(load, extent, "an amended key that cannot be");
	if (amended && load->change_count == load->change_capacity) {
		size_t capacity = load->change_capacity ? 2 * load->change_capacity : 1024;
		struct change *changes = realloc(load->changes, capacity * sizeof(*changes));

		if (!changes)
			return -ENOMEM;
		load->changes = changes;
		load->change_capacity = capacity;
	}
	if (amended)
		load->changes[load->change_count++] = change;
	return add_record(load, extent, index, entry, value_at);
}

/* All records of the extent are in the index, or were given up: its list of the amended ones. */
static int amend_extent(struct load *load, struct fx_extent *extent)
{
	FX_AUTO_FREE struct fx_amended *list = NULL;
	uint32_t count = 0;

	if (!load->change_count)
		return 0;
	list = malloc(load->change_count * sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < load->change_count; i++) {
		list[count] = load->changes[i].amended;
		list[count].record = load->items[load->changes[i].item].record;
		count += list[count].record != NULL;
	}
	return fx_extent_amend(load->store->extents, extent, list, count);
}

static int load_directory(struct load *load, struct fx_extent *extent, const uint8_t *directory,
			  uint32_t size)
{
	uint64_t value_at = fx_align_up(FX_EXTENT_HEADER + (uint64_t)size, FX_VALUE_ALIGN);
	uint64_t live_bytes = 0;
	uint32_t at = 0;

	for (uint32_t i = 0; i < extent->record_count; i++) {
		struct fx_extent_entry entry;
		int64_t n = fx_extent_entry_decode(directory + at, size - at, &entry);
		uint64_t room;
		int err = 0;

		if (n < 0 || value_at > extent->bytes || value_at / FX_VALUE_UNIT > UINT16_MAX ||
		    fx_value_area_size(entry.value_size) > extent->bytes - value_at)
			return damaged(load, extent, "a directory entry that makes no sense");
		if (fx_extent_is_live(extent, i))
			err = load_entry(load, extent, i, &entry, value_at);
		if (err)
			return err;
		room = fx_align_up(fx_value_area_size(entry.value_size), FX_VALUE_ALIGN);
		if (fx_extent_is_live(extent, i))
			live_bytes += fx_extent_entry_size(&entry) + room;
		at += (uint32_t)n;
		value_at += room;
		if (value_at > extent->bytes)
			value_at = extent->bytes; /* the last value is not padded */
	}
	if (at != size)
		return damaged(load, extent, "a directory that is too long");
	fx_extent_table_weigh(load->store->extents, extent, live_bytes);
	return 0;
}

/* What waits is in the index, or belongs to nobody. */
static int insert_rest(struct load *load, const struct fx_extent *extent, int err)
{
	while (load->inserted < load->arrived) {
		if (!err) {
			err = insert_next(load, extent);
			continue;
		}
		fx_record_unref(load->store->slab,
				load->items[load->arrivals[load->inserted++ % AHEAD].item].record);
	}
	return err;
}

/* One buffer for all: a new one each time would be pages that the kernel has to clear. */
static uint8_t *buffer(struct load *load, size_t size)
{
	if (size > load->capacity) {
		free(load->bytes);
		load->bytes = malloc(2 * size);
		load->capacity = load->bytes ? 2 * size : 0;
	}
	return load->bytes;
}

static int load_extent(struct load *load, struct fx_extent *extent)
{
	struct feox_store *store = load->store;
	size_t size = FX_EXTENT_HEADER + (size_t)extent->directory_bytes;
	uint8_t *bytes = buffer(load, size);
	struct fx_extent_header header;
	const char *why;
	int err;

	load->change_count = 0;
	if (!bytes)
		return -ENOMEM;
	err = fx_extent_read(store, extent, 0, bytes, size);
	if (err)
		return damaged(load, extent, "an extent that cannot be read");
	err = fx_extent_header_decode(bytes, store->super.uuid, extent->runs[0].start,
				      extent->sequence, extent->bytes, &header, &why);
	if (err)
		return damaged(load, extent, why);
	if (header.bytes != extent->bytes || header.records != extent->record_count ||
	    header.directory_bytes != extent->directory_bytes ||
	    fx_extent_directory_verify(bytes, bytes + FX_EXTENT_HEADER, header.directory_bytes))
		return damaged(load, extent, "a directory with a bad checksum");
	err = load_directory(load, extent, bytes + FX_EXTENT_HEADER, header.directory_bytes);
	err = insert_rest(load, extent, err);
	return err ? err : amend_extent(load, extent);
}

static const void *next_key(void *ctx, size_t *ret_size, bool *ret_check)
{
	struct load *load = ctx;
	const struct fx_record *record = load->items[load->next++].record;

	if (load->next + AHEAD < load->count)
		__builtin_prefetch(load->items[load->next + AHEAD].record);
	*ret_size = record->key_size;
	*ret_check = record->flags & FX_RECORD_EXPIRES;
	tell_progress(load, load->total + load->next);
	return fx_record_key(record);
}

static void forget_twins(struct load *load)
{
	uint64_t kept = 0;

	for (uint64_t i = 0; i < load->count && load->twins; i++)
		if (load->items[i].record)
			load->items[kept++] = load->items[i];
	if (load->twins)
		load->count = kept;
}

static int load_all(struct load *load)
{
	struct feox_store *store = load->store;
	struct fx_extent *extent;
	uint32_t cursor = 0;
	int err = 0;

	while (!err && (extent = fx_extent_table_next(store->extents, &cursor))) {
		fx_epoch_enter();
		err = load_extent(load, extent);
		fx_epoch_leave();
	}
	if (err)
		return err;
	forget_twins(load);
	err = fx_sort_records(load->items, load->count);
	return err ? err : fx_ordered_index_load(store->order, load->count, next_key, load);
}

int fx_load_records(struct feox_store *store, struct fx_recovery *recovery)
{
	struct load load = {.store = store,
			    .recovery = recovery,
			    .total = fx_extent_table_live_records(store->extents)};
	int err = fx_hash_index_reserve(store->hash, load.total);

	if (err)
		return err;
	load.items = malloc((load.total + 1) * sizeof(*load.items));
	err = load.items ? load_all(&load) : -ENOMEM;
	free(load.items);
	free(load.bytes);
	free(load.changes);
	store->io.recovered_keys = load.count;
	if (recovery->progress)
		recovery->progress(recovery->progress_ctx, 2 * load.total, 2 * load.total);
	return err;
}
