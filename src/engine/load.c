/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - the directories of all extents become the indexes: each live record is put into the hash
 * index, cold; its key goes into the ordered index at the end, in order and in bulk.
 */
#include "recovery.h"

#include "bytes.h"
#include "cleanup.h"
#include "disk_read.h"
#include "extent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_EVERY 65536u

struct load {
	struct feox_store *store;
	struct fx_recovery *recovery;
	struct fx_record **records; /* all, to be sorted */
	uint64_t count, total, next;
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

static int add_record(struct load *load, const struct fx_extent *extent, uint32_t index,
		      const struct fx_extent_entry *entry, uint64_t value_at)
{
	struct feox_store *store = load->store;
	uint64_t hash = fx_hash_key(store->hash_seed, entry->key, entry->key_size);
	_Atomic uint64_t *shard = &store->version_shards[hash % FX_VERSION_SHARDS];
	const struct fx_record_parts parts = {
		.key = entry->key,
		.key_size = entry->key_size,
		.metadata = entry->metadata,
		.metadata_size = entry->metadata_size,
		.expiry_ns = entry->expiry_ns,
		.value_size = entry->value_size,
		.cold = true,
	};
	struct fx_record *record = fx_record_new(store->slab, &parts);
	fx_slot *slot;
	fx_word word;
	int err;

	if (!record)
		return -ENOMEM;
	record->version = entry->version;
	atomic_init(&record->place,
		    fx_location_make(extent->number, index, (uint32_t)(value_at / FX_VALUE_UNIT)));
	atomic_init(&record->state, FX_DURABLE);
	err = fx_hash_index_insert(store->hash, hash, fx_word_make(hash, record, FX_SLOT_LIVE),
				   &slot, &word);
	if (err) {
		fx_record_unref(store->slab, record);
		return err == -EEXIST
			       ? report(load, &(struct fx_damage){.extent = extent,
								  .what = "a key that lives twice",
								  .twin = entry,
								  .twin_index = index,
								  .first = fx_word_record(word)})
			       : err;
	}
	if (entry->version > atomic_load_explicit(shard, memory_order_relaxed))
		atomic_store_explicit(shard, entry->version, memory_order_relaxed);
	fx_count_record(store, record);
	load->records[load->count++] = record;
	if (load->recovery->progress && load->count % PROGRESS_EVERY == 0)
		load->recovery->progress(load->recovery->progress_ctx, load->count, load->total);
	return 0;
}

static int load_directory(struct load *load, const struct fx_extent *extent,
			  const uint8_t *directory, uint32_t size)
{
	uint64_t value_at = fx_align_up(FX_EXTENT_HEADER + (uint64_t)size, FX_VALUE_ALIGN);
	uint32_t at = 0;

	for (uint32_t i = 0; i < extent->record_count; i++) {
		struct fx_extent_entry entry;
		int64_t n = fx_extent_entry_decode(directory + at, size - at, &entry);
		int err = 0;

		if (n < 0 || value_at > extent->bytes || value_at / FX_VALUE_UNIT > UINT16_MAX ||
		    fx_value_area_size(entry.value_size) > extent->bytes - value_at)
			return damaged(load, extent, "a directory entry that makes no sense");
		if (fx_extent_is_live(extent, i))
			err = add_record(load, extent, i, &entry, value_at);
		if (err)
			return err;
		at += (uint32_t)n;
		value_at += fx_align_up(fx_value_area_size(entry.value_size), FX_VALUE_ALIGN);
		if (value_at > extent->bytes)
			value_at = extent->bytes; /* the last value is not padded */
	}
	return at == size ? 0 : damaged(load, extent, "a directory that is too long");
}

static int load_extent(struct load *load, const struct fx_extent *extent)
{
	struct feox_store *store = load->store;
	size_t size = FX_EXTENT_HEADER + (size_t)extent->directory_bytes;
	FX_AUTO_FREE uint8_t *bytes = malloc(size);
	struct fx_extent_header header;
	const char *why;
	int err;

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
	return load_directory(load, extent, bytes + FX_EXTENT_HEADER, header.directory_bytes);
}

static int compare_records(const void *a, const void *b)
{
	const struct fx_record *x = *(struct fx_record *const *)a;
	const struct fx_record *y = *(struct fx_record *const *)b;

	return fx_bytes_cmp(fx_record_key(x), x->key_size, fx_record_key(y), y->key_size);
}

static const void *next_key(void *ctx, size_t *ret_size, bool *ret_check)
{
	struct load *load = ctx;
	const struct fx_record *record = load->records[load->next++];

	*ret_size = record->key_size;
	*ret_check = record->flags & FX_RECORD_EXPIRES;
	return fx_record_key(record);
}

int fx_load_records(struct feox_store *store, struct fx_recovery *recovery)
{
	struct load load = {.store = store,
			    .recovery = recovery,
			    .total = fx_extent_table_live_records(store->extents)};
	struct fx_extent *extent;
	uint32_t cursor = 0;
	int err;

	err = fx_hash_index_reserve(store->hash, load.total);
	if (err)
		return err;
	load.records = malloc((load.total + 1) * sizeof(struct fx_record *));
	if (!load.records)
		return -ENOMEM;
	while (!err && (extent = fx_extent_table_next(store->extents, &cursor))) {
		fx_epoch_enter();
		err = load_extent(&load, extent);
		fx_epoch_leave();
	}
	if (!err) {
		qsort(load.records, load.count, sizeof(struct fx_record *), compare_records);
		err = fx_ordered_index_load(store->order, load.count, next_key, &load);
	}
	free(load.records);
	store->io.recovered_keys = load.count;
	if (recovery->progress)
		recovery->progress(recovery->progress_ctx, load.count, load.total);
	return err;
}
