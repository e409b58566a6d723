/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_values.c - what the extents hold: the checksum over each extent, and those of every value
 * that lives.
 *
 * The records are taken from the index, sorted by place: so the keys are those that readers see,
 * and an extent's values are read while its blocks are in the page cache.
 *
 * An extent whose checksum is wrong while all its live values are right is damaged where nobody
 * looks any more: a note, and the new chain of a repair takes the checksum that it has now.
 */
#include "check.h"

#include "cleanup.h"
#include "disk_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)1 << 20) /* bytes read at a time */

struct values {
	struct fx_check *check;
	struct fx_record **records; /* sorted by place */
	size_t count, capacity, next;
	uint8_t *piece;
	uint64_t done, total; /* bytes of extents */
	int err;
};

static void collect(void *ctx, fx_slot *slot, fx_word word)
{
	struct values *values = ctx;

	if (values->count == values->capacity)
		values->err = -EUCLEAN; /* cannot be: nobody changes the index */
	else
		values->records[values->count++] = fx_word_record(word);
}

static int compare_places(const void *a, const void *b)
{
	fx_location x = fx_record_location(*(struct fx_record *const *)a);
	fx_location y = fx_record_location(*(struct fx_record *const *)b);

	return (x > y) - (x < y);
}

static int collect_records(struct values *values)
{
	struct feox_store *store = values->check->store;
	uint64_t cursor = 0;

	values->capacity = (size_t)fx_sum_keys(store);
	values->records = malloc((values->capacity + 1) * sizeof(struct fx_record *));
	if (!values->records)
		return -ENOMEM;
	fx_epoch_enter();
	do
		fx_hash_index_walk(store->hash, &cursor, 65536, collect, values);
	while (cursor);
	fx_epoch_leave();
	qsort(values->records, values->count, sizeof(struct fx_record *), compare_places);
	return values->err;
}

/* The checksum over all bytes of an extent. -EIO */
static int sum_extent(struct values *values, const struct fx_extent *extent, uint64_t *ret_sum)
{
	struct feox_store *store = values->check->store;
	XXH3_state_t *state = XXH3_createState();
	int err = state ? 0 : -ENOMEM;

	if (!err)
		XXH3_64bits_reset_withSeed(state, store->store_seed);
	for (uint64_t at = 0; at < extent->bytes && !err; at += PIECE) {
		size_t n = extent->bytes - at < PIECE ? (size_t)(extent->bytes - at) : PIECE;

		err = fx_extent_read(store, extent, at, values->piece, n);
		if (!err)
			XXH3_64bits_update(state, values->piece, n);
		if (!err && fx_check_progress(values->check, FEOX_CHECK_VALUES, values->done + at,
					      values->total))
			err = -ECANCELED;
	}
	if (!err)
		*ret_sum = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return err;
}

/* Every slice of one value. -EIO: unreadable, or not what was written. */
static int check_value(struct values *values, struct fx_extent *extent,
		       const struct fx_record *record)
{
	int err = 0;

	for (uint64_t at = 0; at < record->value_size && !err; at += FX_SLICE) {
		uint64_t n = FX_MIN(record->value_size - at, FX_SLICE);

		err = fx_cold_read(values->check->store, extent, fx_record_location(record),
				   record->value_size, at, values->piece, (size_t)n);
	}
	values->check->result.checked_bytes += record->value_size;
	return err;
}

static int check_record(struct values *values, struct fx_extent *extent,
			const struct fx_record *record, unsigned int *bad)
{
	struct fx_check *check = values->check;
	int err = check_value(values, extent, record);

	if (err != -EIO)
		return err;
	++*bad;
	check->result.lost_keys++;
	fx_check_find(check, FEOX_LOSS, extent->runs[0].start, fx_record_key(record),
		      record->key_size, "extent %llu: a value of %u bytes is damaged or unreadable",
		      (unsigned long long)extent->sequence, record->value_size);
	return fx_check_kill(check, extent->number, fx_location_index(fx_record_location(record)));
}

static int check_extent(struct values *values, struct fx_extent *extent)
{
	struct fx_check *check = values->check;
	bool dropped = fx_check_is_dropped(check, extent->number);
	unsigned int bad = 0;
	uint64_t sum = 0;
	int err = 0, readable = 0;

	if (!dropped)
		readable = err = sum_extent(values, extent, &sum);
	if (err == -EIO)
		err = 0;
	for (; values->next < values->count && !err; values->next++) {
		const struct fx_record *record = values->records[values->next];

		if (fx_location_extent(fx_record_location(record)) != extent->number)
			break;
		if (!dropped)
			err = check_record(values, extent, record, &bad);
	}
	if (err || dropped || (!readable && sum == extent->checksum))
		return err;
	if (!bad)
		fx_check_find(check, FEOX_NOTE, extent->runs[0].start, NULL, 0,
			      "extent %llu is damaged, but not where something lives",
			      (unsigned long long)extent->sequence);
	if (!readable)
		extent->checksum = sum; /* for the new chain, if one is written */
	return 0;
}

static uint64_t total_bytes(struct feox_store *store)
{
	struct fx_extent *extent;
	uint32_t cursor = 0;
	uint64_t total = 0;

	while ((extent = fx_extent_table_next(store->extents, &cursor)))
		total += extent->bytes;
	return total;
}

int fx_check_values(struct fx_check *check)
{
	FX_AUTO_FREE uint8_t *piece = malloc(PIECE);
	struct values values = {.check = check, .piece = piece, .total = total_bytes(check->store)};
	struct fx_extent *extent;
	uint32_t cursor = 0;
	int err = piece ? collect_records(&values) : -ENOMEM;

	while (!err && (extent = fx_extent_table_next(check->store->extents, &cursor))) {
		err = check_extent(&values, extent);
		values.done += extent->bytes;
		check->result.checked_bytes += extent->bytes;
	}
	if (!err)
		err = fx_check_progress(check, FEOX_CHECK_VALUES, values.done, values.total);
	free(values.records);
	return err;
}

void fx_check_guess_names(struct fx_check *check, const struct fx_extent *extent)
{
	uint32_t size = extent->directory_bytes, at = 0;
	FX_AUTO_FREE uint8_t *directory = malloc(size + 1);

	if (!directory || fx_extent_read(check->store, extent, FX_EXTENT_HEADER, directory, size))
		return;
	for (uint32_t i = 0; i < extent->record_count && at < size; i++) {
		struct fx_extent_entry entry;
		int64_t n = fx_extent_entry_decode(directory + at, size - at, &entry);

		if (n < 0)
			return;
		if (fx_extent_is_live(extent, i))
			fx_check_find(check, FEOX_NOTE, extent->runs[0].start, entry.key,
				      entry.key_size,
				      "lost with extent %llu, as far as can be read",
				      (unsigned long long)extent->sequence);
		at += (uint32_t)n;
	}
}
