/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extent_table.c - numbers to extents by an array of chunks that never move; sequences by a tree.
 *
 * A removed extent keeps its number and its slot until it is reaped: a location that somebody read
 * before the removal can be looked up as long as its epoch section lasts, and a pin keeps the
 * extent beyond it. The grace period is noticed by a callback that sets a flag, which the flusher
 * asks for when it reaps; or the flusher waits for one itself, and then the memory alone stays
 * until the callback has been there.
 */
#include "extent_table.h"

#include <assert.h>
#include <sys/tree.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BITS 12u
#define CHUNK	   (1u << CHUNK_BITS)
#define CHUNKS	   (1u << 14) /* 64 million extents */
#define BITS	   64u

struct entry {
	struct fx_retired retired;
	RB_ENTRY(entry) by_sequence;
	struct entry *next_leaving;
	_Atomic bool called;		    /* grace_over() was there: nobody refers to it */
	bool grace_passed, leaving, reaped; /* the flusher's */
	size_t bytes;
	struct fx_extent extent; /* last: runs and bitmap follow */
};

static int compare(const struct entry *a, const struct entry *b)
{
	return (a->extent.sequence > b->extent.sequence) -
	       (a->extent.sequence < b->extent.sequence);
}

RB_HEAD(sequences, entry);
RB_PROTOTYPE_INTERNAL(sequences, entry, by_sequence, compare, static __attribute__((unused)));
RB_GENERATE_INTERNAL(sequences, entry, by_sequence, compare, static __attribute__((unused)))

struct chunk {
	struct fx_extent *_Atomic slots[CHUNK];
};

struct fx_extent_table {
	struct fx_slab *slab;
	struct fx_epoch *epoch;
	struct sequences sequences;
	struct entry *leaving;
	uint32_t leaving_count;
	uint64_t leaving_blocks;
	struct fx_live_shares shares;
	uint32_t *free_numbers; /* a stack */
	size_t free_count, free_capacity;
	uint32_t next_number;
	_Atomic uint32_t count;
	uint64_t runs, words; /* of all extents in the table */
	uint64_t amend_bytes; /* the same; fx_amend_list.bytes */
	struct chunk *_Atomic chunks[CHUNKS];
};

static struct entry *entry_of(struct fx_extent *extent)
{
	return (struct entry *)((char *)extent - offsetof(struct entry, extent));
}

int fx_extent_table_create(struct fx_slab *slab, struct fx_epoch *epoch,
			   struct fx_extent_table **ret_table)
{
	struct fx_extent_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->slab = slab;
	table->epoch = epoch;
	table->next_number = 1;
	RB_INIT(&table->sequences);
	fx_shares_init(&table->shares);
	*ret_table = table;
	return 0;
}

static void entry_free(struct fx_extent_table *table, struct entry *entry)
{
	fx_amend_list_free(table->slab, &entry->extent.amended);
	fx_slab_free(table->slab, entry, entry->bytes);
}

void fx_extent_table_destroy(struct fx_extent_table *table)
{
	struct entry *entry;

	if (!table)
		return;
	while ((entry = RB_ROOT(&table->sequences))) {
		RB_REMOVE(sequences, &table->sequences, entry);
		entry_free(table, entry);
	}
	while ((entry = table->leaving)) {
		table->leaving = entry->next_leaving;
		entry_free(table, entry);
	}
	for (uint32_t i = 0; i < CHUNKS; i++)
		free(atomic_load(&table->chunks[i]));
	free(table->free_numbers);
	free(table);
}

/* ---- Numbers -----------------------------------------------------------------------------------
 */

static struct fx_extent *_Atomic *slot_of(struct fx_extent_table *table, uint32_t number)
{
	/* Acquire: pairs with take_number(), which publishes a zeroed chunk. */
	struct chunk *chunk = number >> CHUNK_BITS < CHUNKS
				      ? atomic_load_explicit(&table->chunks[number >> CHUNK_BITS],
							     memory_order_acquire)
				      : NULL;

	return chunk ? &chunk->slots[number & (CHUNK - 1)] : NULL;
}

/* Room to give every number back is made when it is taken: giving back cannot fail. */
static int take_number(struct fx_extent_table *table, uint32_t *ret_number)
{
	uint32_t number = table->next_number;

	if (table->free_count) {
		*ret_number = table->free_numbers[--table->free_count];
		return 0;
	}
	if (number >> CHUNK_BITS >= CHUNKS)
		return -ENOMEM;
	if (!slot_of(table, number)) {
		struct chunk *chunk = calloc(1, sizeof(*chunk));

		if (!chunk)
			return -ENOMEM;
		atomic_store_explicit(&table->chunks[number >> CHUNK_BITS], chunk,
				      memory_order_release);
	}
	if (number >= table->free_capacity) {
		size_t capacity = table->free_capacity ? 2 * table->free_capacity : CHUNK;
		uint32_t *numbers = realloc(table->free_numbers, capacity * sizeof(*numbers));

		if (!numbers)
			return -ENOMEM;
		table->free_numbers = numbers;
		table->free_capacity = capacity;
	}
	table->next_number++;
	*ret_number = number;
	return 0;
}

/* ---- Adding, finding ---------------------------------------------------------------------------
 */

static uint32_t count_live(const struct fx_extent *extent)
{
	uint32_t live = 0;

	for (uint32_t i = 0; i < (extent->record_count + BITS - 1) / BITS; i++)
		live += (uint32_t)__builtin_popcountll(extent->live[i]);
	return live;
}

static void fill_bitmap(struct fx_extent *extent, const uint64_t *live_bitmap)
{
	uint32_t words = (extent->record_count + BITS - 1) / BITS;
	uint32_t rest = extent->record_count % BITS;

	if (live_bitmap)
		memcpy(extent->live, live_bitmap, (size_t)words * 8);
	else
		memset(extent->live, 0xff, (size_t)words * 8);
	if (rest)
		extent->live[words - 1] &= (UINT64_C(1) << rest) - 1;
	extent->live_count = count_live(extent);
}

static void count_totals(struct fx_extent_table *table, const struct fx_extent *extent, int sign)
{
	atomic_fetch_add(&table->count, (uint32_t)sign);
	table->runs += (uint64_t)sign * extent->run_count;
	table->words += (uint64_t)sign * ((extent->record_count + BITS - 1) / BITS);
}

int fx_extent_table_add(struct fx_extent_table *table, uint64_t sequence, uint64_t bytes,
			uint32_t directory_bytes, uint32_t record_count, uint64_t checksum,
			const struct fx_run *runs, uint32_t run_count, const uint64_t *live_bitmap,
			struct fx_extent **ret_extent)
{
	size_t map = (size_t)(record_count + BITS - 1) / BITS * 8;
	size_t size = sizeof(struct entry) + run_count * sizeof(struct fx_run) + map;
	struct fx_extent *extent;
	struct entry *entry;
	int err;

	if (!record_count || record_count > FX_EXTENT_RECORDS_MAX || !run_count ||
	    run_count > FX_EXTENT_RUNS_MAX)
		return -EINVAL;
	entry = fx_slab_alloc(table->slab, size);
	if (!entry)
		return -ENOMEM;
	memset(entry, 0, sizeof(*entry));
	entry->bytes = size;
	extent = &entry->extent;
	err = take_number(table, &extent->number);
	if (err) {
		entry_free(table, entry);
		return err;
	}
	extent->sequence = sequence;
	extent->bytes = bytes;
	extent->checksum = checksum;
	extent->directory_bytes = directory_bytes;
	extent->record_count = record_count;
	extent->run_count = run_count;
	extent->live_bytes = bytes;
	memcpy(extent->runs, runs, run_count * sizeof(*runs));
	for (uint32_t i = 0; i < run_count; i++)
		extent->blocks += runs[i].blocks;
	extent->live = (uint64_t *)(void *)(extent->runs + run_count);
	fill_bitmap(extent, live_bitmap);
	if (RB_INSERT(sequences, &table->sequences, entry)) {
		table->free_numbers[table->free_count++] = extent->number;
		entry_free(table, entry);
		return -EINVAL;
	}
	count_totals(table, extent, 1);
	fx_shares_add(&table->shares, extent);
	/* Release: pairs with fx_extent_table_get(). */
	atomic_store_explicit(slot_of(table, extent->number), extent, memory_order_release);
	*ret_extent = extent;
	return 0;
}

void fx_extent_table_move(struct fx_extent_table *table, struct fx_extent *extent,
			  const struct fx_run *runs, uint32_t run_count)
{
	count_totals(table, extent, -1);
	memcpy(extent->runs, runs, run_count * sizeof(*runs));
	extent->run_count = run_count;
	count_totals(table, extent, 1);
}

struct fx_extent *fx_extent_table_get(struct fx_extent_table *table, uint32_t number)
{
	struct fx_extent *_Atomic *slot = slot_of(table, number);

	return slot ? atomic_load_explicit(slot, memory_order_acquire) : NULL;
}

struct fx_extent *fx_extent_table_by_sequence(struct fx_extent_table *table, uint64_t sequence)
{
	struct entry probe = {.extent = {.sequence = sequence}};
	struct entry *entry = RB_FIND(sequences, &table->sequences, &probe);

	return entry ? &entry->extent : NULL;
}

/* ---- Dying -------------------------------------------------------------------------------------
 */

bool fx_extent_is_live(const struct fx_extent *extent, uint32_t index)
{
	return index < extent->record_count && (extent->live[index / BITS] >> index % BITS & 1);
}

int fx_extent_kill(struct fx_extent_table *table, struct fx_extent *extent, uint32_t index)
{
	if (!fx_extent_is_live(extent, index))
		return -ENOENT;
	extent->live[index / BITS] &= ~(UINT64_C(1) << index % BITS);
	extent->live_count--;
	table->amend_bytes -= extent->amended.bytes;
	fx_amend_list_kill(&extent->amended, index, extent->record_count);
	table->amend_bytes += extent->amended.bytes;
	return 0;
}

int fx_extent_table_kill(struct fx_extent_table *table, struct fx_extent *extent, uint32_t index,
			 uint64_t bytes)
{
	int err = fx_extent_kill(table, extent, index);

	if (!err)
		fx_shares_update(&table->shares, extent,
				 extent->live_bytes > bytes ? extent->live_bytes - bytes : 0);
	return err;
}

void fx_extent_table_weigh(struct fx_extent_table *table, struct fx_extent *extent,
			   uint64_t live_bytes)
{
	fx_shares_update(&table->shares, extent, live_bytes);
}

int fx_extent_amend(struct fx_extent_table *table, struct fx_extent *extent,
		    const struct fx_amended *changes, uint32_t count)
{
	uint64_t before = extent->amended.bytes;
	int err = fx_amend_list_add(table->slab, &extent->amended, changes, count,
				    extent->record_count);

	if (!err)
		table->amend_bytes += extent->amended.bytes - before;
	return err;
}

static void grace_over(struct fx_retired *retired, void *ctx)
{
	struct entry *entry = (struct entry *)retired;

	/* Release: what readers did with it is done; pairs with fx_extent_table_reap(). */
	atomic_store_explicit(&entry->called, true, memory_order_release);
}

void fx_extent_table_remove(struct fx_extent_table *table, struct fx_extent *extent)
{
	struct entry *entry = entry_of(extent);

	RB_REMOVE(sequences, &table->sequences, entry);
	count_totals(table, extent, -1);
	fx_shares_remove(&table->shares, extent);
	table->amend_bytes -= extent->amended.bytes;
	fx_amend_list_free(table->slab, &extent->amended);
	entry->next_leaving = table->leaving;
	table->leaving = entry;
	table->leaving_count++;
	table->leaving_blocks += extent->blocks;
	entry->leaving = true;
	fx_epoch_retire(table->epoch, &entry->retired, grace_over, entry->bytes);
}

void fx_extent_table_wait_grace(struct fx_extent_table *table)
{
	if (!table->leaving_count)
		return;
	fx_epoch_synchronize();
	for (struct entry *entry = table->leaving; entry; entry = entry->next_leaving)
		entry->grace_passed = true;
}

static bool is_unused(struct entry *entry)
{
	if (atomic_load_explicit(&entry->called, memory_order_acquire))
		entry->grace_passed = true;
	return entry->grace_passed &&
	       !atomic_load_explicit(&entry->extent.pins, memory_order_acquire);
}

static void give_back(struct fx_extent_table *table, struct entry *entry,
		      void (*free_run)(void *ctx, struct fx_run run), void *ctx)
{
	struct fx_extent *extent = &entry->extent;

	entry->reaped = true;
	table->leaving_count--;
	table->leaving_blocks -= extent->blocks;
	/* Nobody can have a location of it any more: relaxed. */
	atomic_store_explicit(slot_of(table, extent->number), NULL, memory_order_relaxed);
	for (uint32_t i = 0; i < extent->run_count; i++)
		free_run(ctx, extent->runs[i]);
	table->free_numbers[table->free_count++] = extent->number;
}

void fx_extent_table_reap(struct fx_extent_table *table,
			  void (*free_run)(void *ctx, struct fx_run run), void *ctx)
{
	struct entry **at = &table->leaving;

	while (*at) {
		struct entry *entry = *at;

		if (!entry->reaped && is_unused(entry))
			give_back(table, entry, free_run, ctx);
		if (entry->reaped && atomic_load_explicit(&entry->called, memory_order_acquire)) {
			*at = entry->next_leaving;
			entry_free(table, entry);
		} else {
			at = &entry->next_leaving;
		}
	}
}

void fx_extent_pin(struct fx_extent *extent)
{
	atomic_fetch_add_explicit(&extent->pins, 1, memory_order_relaxed);
}

void fx_extent_unpin(struct fx_extent *extent)
{
	/* Release: our reads are done; pairs with fx_extent_table_reap(). */
	atomic_fetch_sub_explicit(&extent->pins, 1, memory_order_release);
}

/* ---- Looking around ----------------------------------------------------------------------------
 */

struct fx_extent *fx_extent_table_next(struct fx_extent_table *table, uint32_t *cursor)
{
	while (++*cursor < table->next_number) {
		struct fx_extent *extent = fx_extent_table_get(table, *cursor);

		if (extent && !entry_of(extent)->leaving)
			return extent;
	}
	return NULL;
}

uint32_t fx_extent_table_leaving(const struct fx_extent_table *table)
{
	return table->leaving_count;
}

uint64_t fx_extent_table_leaving_blocks(const struct fx_extent_table *table)
{
	return table->leaving_blocks;
}

struct fx_live_shares *fx_extent_table_shares(struct fx_extent_table *table)
{
	return &table->shares;
}

uint32_t fx_extent_table_count(const struct fx_extent_table *table)
{
	return atomic_load_explicit(&table->count, memory_order_relaxed);
}

void fx_extent_table_totals(const struct fx_extent_table *table, uint64_t *ret_runs,
			    uint64_t *ret_words)
{
	*ret_runs = table->runs;
	*ret_words = table->words;
}

uint64_t fx_extent_table_amend_bytes(const struct fx_extent_table *table)
{
	return table->amend_bytes;
}
