/* SPDX-License-Identifier: Apache-2.0 */
#include "pack.h"

#include "bytes.h"
#include "cleanup.h"
#include "compact.h"
#include "extent.h"
#include "patience.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PACK_LEAST ((uint64_t)16 * 1024)

void fx_pack_begin(struct fx_pack *pack, struct feox_store *store, struct fx_write_queue *writes,
		   uint64_t next_sequence)
{
	/* One that lives mostly has to fit into what is kept for compaction. */
	uint64_t limit = fx_compact_reserve_blocks(store) * FX_BLOCK / 4 * 3;

	*pack = (struct fx_pack){.store = store,
				 .writes = writes,
				 .next_sequence = next_sequence,
				 .limit = FX_MIN(FX_PACK_BYTES, FX_MAX(limit, PACK_LEAST))};
}

void fx_pack_free(struct fx_pack *pack)
{
	free(pack->items);
	free(pack->runs);
	free(pack->extents);
}

static struct fx_extent_entry entry_of(const struct fx_record *record)
{
	return (struct fx_extent_entry){
		.key = fx_record_key(record),
		.key_size = record->key_size,
		.metadata = fx_record_metadata(record),
		.metadata_size = record->metadata_size,
		.version = record->version,
		.expiry_ns = fx_record_expiry(record),
		.value_size = record->value_size,
	};
}

static uint64_t value_room(const struct fx_record *record)
{
	return fx_align_up(fx_value_area_size(record->value_size), FX_VALUE_ALIGN);
}

static uint64_t values_begin(uint64_t directory_bytes)
{
	return fx_align_up(FX_EXTENT_HEADER + directory_bytes, FX_VALUE_ALIGN);
}

static int add_run(struct fx_pack *pack, struct fx_run run)
{
	if (pack->run_count == pack->run_capacity) {
		uint32_t capacity = pack->run_capacity ? 2 * pack->run_capacity : 16;
		struct fx_run *runs = FX_PATIENTLY(realloc(pack->runs, capacity * sizeof(*runs)));

		if (!runs)
			return -ENOMEM;
		pack->runs = runs;
		pack->run_capacity = capacity;
	}
	pack->runs[pack->run_count++] = run;
	return 0;
}

static void give_back(struct fx_pack *pack)
{
	for (uint32_t i = 0; i < pack->run_count; i++)
		fx_space_free(pack->store->space, pack->runs[i]);
}

/*
 * Free runs that hold blocks: one, or as many as it takes when none is long enough, so that a
 * fragmented store has room for whatever it has admitted. They are taken.
 */
static int allocate(struct fx_pack *pack, uint64_t blocks)
{
	struct fx_space *space = pack->store->space;
	int err = 0;

	pack->run_count = 0;
	while (blocks && !err) {
		struct fx_run run = {.blocks = blocks};

		err = fx_space_alloc(space, run.blocks, &run.start);
		if (err == -ENOSPC) {
			run.blocks = fx_space_longest(space).blocks;
			err = run.blocks ? fx_space_alloc(space, run.blocks, &run.start) : -ENOSPC;
		}
		if (!err) {
			blocks -= run.blocks;
			err = add_run(pack, run);
			if (err)
				fx_space_free(space, run);
		}
	}
	if (err)
		give_back(pack);
	return err;
}

static const uint8_t *value_of(const struct fx_pack_item *item)
{
	const struct fx_value *apart;

	if (item->value)
		return item->value;
	apart = fx_record_value(item->record);
	return apart ? apart->bytes : fx_record_inline_value(item->record);
}

/* The checksums and bytes of one value at offset at of the extent. */
static void put_value(struct feox_store *store, uint64_t sequence, uint8_t *buffer, uint64_t at,
		      const struct fx_pack_item *item)
{
	const uint8_t *value = value_of(item);
	const struct fx_record *record = item->record;
	uint64_t data = at + fx_value_checksums_size(record->value_size);

	for (uint64_t done = 0; done < record->value_size; done += FX_SLICE) {
		uint64_t n = record->value_size - done;

		n = n < FX_SLICE ? n : FX_SLICE;
		memcpy(buffer + data + done, value + done, n);
		fx_put_u64(buffer + at + done / FX_SLICE * 8,
			   fx_value_checksum(store->store_seed, sequence, data + done, value + done,
					     n));
	}
}

static void fill(struct fx_pack *pack, uint8_t *buffer, uint64_t sequence, uint64_t block,
		 uint64_t bytes)
{
	struct fx_extent_header header = {
		.block = block,
		.sequence = sequence,
		.bytes = bytes,
		.records = pack->count,
		.directory_bytes = (uint32_t)pack->directory_bytes,
	};
	uint8_t *directory = buffer + FX_EXTENT_HEADER;
	uint64_t value_at = values_begin(pack->directory_bytes);

	for (uint32_t i = 0; i < pack->count; i++) {
		struct fx_extent_entry entry = entry_of(pack->items[i].record);

		directory += fx_extent_entry_encode(&entry, directory);
		put_value(pack->store, sequence, buffer, value_at, &pack->items[i]);
		value_at += value_room(pack->items[i].record);
	}
	fx_extent_header_encode(&header, pack->store->super.uuid, buffer + FX_EXTENT_HEADER,
				buffer);
}

static int remember(struct fx_pack *pack, struct fx_extent *extent)
{
	if (pack->extent_count == pack->extent_capacity) {
		uint32_t capacity = pack->extent_capacity ? 2 * pack->extent_capacity : 16;
		struct fx_extent **extents =
			FX_PATIENTLY(realloc(pack->extents, capacity * sizeof(struct fx_extent *)));

		if (!extents)
			return -ENOMEM;
		pack->extents = extents;
		pack->extent_capacity = capacity;
	}
	pack->extents[pack->extent_count++] = extent;
	return 0;
}

static void set_locations(struct fx_pack *pack, const struct fx_extent *extent)
{
	uint64_t at = values_begin(pack->directory_bytes);

	for (uint32_t i = 0; i < pack->count; i++) {
		*pack->items[i].location =
			fx_location_make(extent->number, i, (uint32_t)(at / FX_VALUE_UNIT));
		at += value_room(pack->items[i].record);
	}
}

static int write_extent(struct fx_pack *pack)
{
	struct feox_store *store = pack->store;
	uint64_t bytes = values_begin(pack->directory_bytes) + pack->value_bytes;
	uint64_t blocks = fx_div_up(bytes, FX_BLOCK);
	uint64_t sequence = pack->next_sequence++;
	struct fx_extent *extent;
	uint8_t *buffer = fx_write_buffer(bytes);
	int err = buffer ? allocate(pack, blocks) : -ENOMEM;

	if (err) {
		free(buffer);
		return err;
	}
	fill(pack, buffer, sequence, pack->runs[0].start, bytes);
	err = FX_PATIENTLY_TRY(fx_extent_table_add(store->extents, sequence, bytes,
						   (uint32_t)pack->directory_bytes, pack->count,
						   fx_checksum(store->store_seed, buffer, bytes),
						   pack->runs, pack->run_count, NULL, &extent));
	if (err)
		give_back(pack);
	else
		err = remember(pack, extent);
	if (err) {
		free(buffer);
		return err;
	}
	set_locations(pack, extent);
	fx_write_extent(pack->writes, extent, buffer);
	pack->count = 0;
	pack->directory_bytes = 0;
	pack->value_bytes = 0;
	return 0;
}

static int collect(struct fx_pack *pack, const struct fx_pack_item *item)
{
	struct fx_extent_entry entry = entry_of(item->record);

	if (pack->count == pack->capacity) {
		uint32_t capacity = pack->capacity ? 2 * pack->capacity : 1024;
		struct fx_pack_item *items = FX_PATIENTLY(
			(struct fx_pack_item *)realloc(pack->items, capacity * sizeof(*items)));

		if (!items)
			return -ENOMEM;
		pack->items = items;
		pack->capacity = capacity;
	}
	pack->items[pack->count++] = *item;
	pack->directory_bytes += fx_extent_entry_size(&entry);
	pack->value_bytes += value_room(item->record);
	return 0;
}

uint64_t fx_pack_room(const struct fx_record *record)
{
	struct fx_extent_entry entry = entry_of(record);

	return fx_extent_entry_size(&entry) + value_room(record);
}

int fx_pack_add(struct fx_pack *pack, const struct fx_pack_item *item)
{
	uint64_t total = values_begin(pack->directory_bytes) + pack->value_bytes +
			 fx_pack_room(item->record);
	bool large = item->record->value_size > FX_PACK_VALUE_MAX;
	int err = 0;

	/* Values stay within reach of a location's 16 bits of offset: FX_PACK_BYTES at most, or the
	 * first and only one behind a directory of 112 KiB. */
	if (pack->count && (total > pack->limit || pack->count == FX_EXTENT_RECORDS_MAX || large))
		err = write_extent(pack);
	if (!err)
		err = collect(pack, item);
	if (!err && large)
		err = write_extent(pack);
	return err;
}

int fx_pack_end(struct fx_pack *pack)
{
	return pack->count ? write_extent(pack) : 0;
}
