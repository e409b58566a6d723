/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint.c - a new chain, and the room that is kept for it.
 *
 * A new chain is written beside the old one, beginning with a checkpoint: parts with the state of
 * all extents and with all amendments, then an end record. It becomes the store's when a superblock
 * that names it is durable; only after both copies are, the old chain's blocks are freed (I10).
 *
 *  - Generations are never used twice, also not by a chain that was begun and then given up or cut
 *    short by a crash: the low half counts, the high half is random. Else records that such a chain
 *    has left behind could pass for later records of the one that took its number and its place.
 *  - The spare is a run of free blocks that is held back, long enough for the next checkpoint: so a
 *    new chain can be started on a full and fragmented store too, deletes find their room, and a
 *    commit record that finds none is replaced by a checkpoint of the state it leads to. When a
 *    store is opened, its last owner's spare is free. Spare and chain change places, so that a
 *    store that was not fragmented once has it for ever.
 */
#include "amend.h"

#include "bytes.h"
#include "compact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PART_BYTES   ((size_t)64 * 1024) /* of extents in a checkpoint part, unless one has more */
#define LONG_FACTOR  4u
#define LONG_LEAST   ((uint64_t)8)  /* blocks, in a tiny store */
#define SPARE_EXTRA  ((uint64_t)16) /* blocks of a spare beyond checkpoints: commit records */
#define ATTEMPTS     3u		    /* to write a new chain */
#define GAIN_LEAST   ((uint64_t)32) /* blocks, for a checkpoint that is made for room's sake */
#define COUNTER_MASK UINT64_C(0xffffffff)

static int append_part(struct feox_store *store, struct fx_chain *chain,
		       struct fx_write_queue *writes, struct fx_journal_writer *w,
		       enum fx_journal_type type)
{
	struct fx_journal_header header = {.type = type};

	fx_ceilings_set(store, &header);
	return fx_chain_append(store, chain, writes, w, &header, false);
}

void fx_chain_put_extent(struct fx_journal_writer *w, const struct fx_extent *extent,
			 const uint64_t *live)
{
	struct fx_journal_extent e = {
		.sequence = extent->sequence,
		.bytes = extent->bytes,
		.checksum = extent->checksum,
		.directory_bytes = extent->directory_bytes,
		.records = extent->record_count,
		.run_count = extent->run_count,
	};
	uint8_t *runs = fx_journal_put_extent(w, &e, live);

	for (uint32_t i = 0; i < extent->run_count; i++)
		fx_journal_run_encode(
			runs, i,
			(struct fx_journal_run){extent->runs[i].start, extent->runs[i].blocks});
}

/* The next extent with a live record: one that has none dies with the batch being committed. */
static struct fx_extent *next_live(struct feox_store *store, uint32_t *cursor)
{
	struct fx_extent *extent;

	do
		extent = fx_extent_table_next(store->extents, cursor);
	while (extent && !extent->live_count);
	return extent;
}

static size_t state_size(const struct fx_extent *extent)
{
	return fx_journal_extent_size(extent->run_count, extent->record_count, true);
}

/* One part with as many extents as fit, one at least; *extent is the next one to write. */
static int write_part(struct feox_store *store, struct fx_chain *chain,
		      struct fx_write_queue *writes, struct fx_extent **extent, uint32_t *cursor)
{
	size_t left = state_size(*extent) > PART_BYTES ? state_size(*extent) : PART_BYTES;
	uint8_t *buffer = fx_write_buffer(left + FX_BLOCK);
	struct fx_journal_writer w;
	int err;

	if (!buffer)
		return -ENOMEM;
	fx_journal_begin(&w, buffer, fx_align_up(left + FX_BLOCK, FX_BLOCK));
	fx_journal_section(&w, FX_SECTION_STATE);
	while (*extent && state_size(*extent) <= left) {
		left -= state_size(*extent);
		fx_chain_put_extent(&w, *extent, (*extent)->live);
		*extent = next_live(store, cursor);
	}
	fx_journal_section_end(&w);
	err = append_part(store, chain, writes, &w, FX_JOURNAL_PART);
	if (err)
		free(w.buffer);
	return err;
}

static int write_end(struct feox_store *store, struct fx_chain *chain,
		     struct fx_write_queue *writes, struct fx_journal_header *header)
{
	struct fx_journal_writer w;
	uint8_t *buffer = fx_write_buffer(FX_BLOCK);
	int err;

	if (!buffer)
		return -ENOMEM;
	fx_journal_begin(&w, buffer, FX_BLOCK);
	header->type = FX_JOURNAL_END;
	fx_ceilings_set(store, header);
	err = fx_chain_append(store, chain, writes, &w, header, false);
	if (err)
		free(w.buffer);
	return err;
}

static int write_checkpoint(struct feox_store *store, struct fx_chain *chain,
			    struct fx_journal_header *header)
{
	struct fx_write_queue writes = {.store = store};
	uint32_t cursor = 0;
	struct fx_extent *extent = next_live(store, &cursor);
	int err = 0, end;

	while (extent && !err)
		err = write_part(store, chain, &writes, &extent, &cursor);
	if (!err)
		err = fx_amend_checkpoint(store, chain, &writes);
	if (!err)
		err = write_end(store, chain, &writes, header);
	end = fx_write_finish(&writes);
	if (!err)
		err = end;
	return err ? err : fx_write_sync(store);
}

static void free_runs(struct feox_store *store, const struct fx_chain *chain)
{
	for (size_t i = 0; i < chain->run_count; i++)
		fx_space_free(store->space, chain->runs[i]);
}

static int new_generation(struct feox_store *store, uint64_t *ret_generation)
{
	uint64_t generation;

	if (getrandom(&generation, sizeof(generation), 0) != (ssize_t)sizeof(generation))
		return -EIO;
	*ret_generation =
		(generation & ~COUNTER_MASK) | ((store->super.chain_generation + 1) & COUNTER_MASK);
	return 0;
}

/* Blocks that a checkpoint of the extents there are takes at most: parts, end record, a link. */
static uint64_t blocks_needed(struct feox_store *store)
{
	uint64_t bytes = fx_extent_table_count(store->extents) *
			 (uint64_t)fx_journal_extent_size(0, 0, true);
	uint64_t amended = fx_extent_table_amend_bytes(store->extents);
	uint64_t runs, words;

	fx_extent_table_totals(store->extents, &runs, &words);
	bytes += runs * sizeof(struct fx_journal_run) + words * 8;
	bytes += amended;
	/* A part is at least half full, or has one large entry, but for the last one of each kind;
	 * two blocks for header and rounding. */
	return bytes / FX_BLOCK + 2 * (2 * bytes / PART_BYTES + (amended ? 3 : 1)) + 2;
}

uint64_t fx_chain_hidden_blocks(struct feox_store *store)
{
	uint64_t wanted = 2 * blocks_needed(store) + SPARE_EXTRA;
	uint64_t held = store->chain->spare.blocks;

	return (wanted > held ? wanted - held : 0) + SPARE_EXTRA + fx_compact_reserve_blocks(store);
}

void fx_chain_keep_spare(struct feox_store *store)
{
	struct fx_space *space = store->space;
	struct fx_run old = store->chain->spare;
	uint64_t needed = blocks_needed(store);
	uint64_t lengths[] = {2 * needed + SPARE_EXTRA, needed};

	if (old.blocks >= needed + needed / 2 + SPARE_EXTRA / 2)
		return;
	/* Its blocks too may become a part of the longer one. */
	if (old.blocks && fx_space_free(space, old))
		return;
	for (unsigned int i = 0; i < 2; i++) {
		struct fx_run spare = {.blocks = lengths[i]};

		if (spare.blocks > old.blocks &&
		    !fx_space_alloc(space, spare.blocks, &spare.start)) {
			store->chain->spare = spare;
			return;
		}
	}
	if (old.blocks && fx_space_take(space, old))
		old.blocks = 0;
	store->chain->spare = old;
}

static int first_segment(struct feox_store *store, struct fx_chain *chain, struct fx_run *ret_run)
{
	uint64_t needed = blocks_needed(store);
	int err;

	if (chain->spare.blocks >= needed) {
		*ret_run = chain->spare;
		chain->spare = (struct fx_run){0};
		return 0;
	}
	err = fx_segment_allocate(store, needed, ret_run);
	/* What does not fit links on. */
	return err == -ENOSPC ? fx_segment_allocate(store, 1, ret_run) : err;
}

/* A new chain's checkpoint, durable in blocks that no superblock names yet. */
static int begin_chain(struct feox_store *store, struct fx_chain *old, struct fx_chain *new,
		       struct fx_journal_header *header)
{
	struct fx_run first;
	int err;

	*new = (struct fx_chain){.next_sequence = 1};
	err = new_generation(store, &new->generation);
	if (!err)
		err = first_segment(store, old, &first);
	if (err)
		return err;
	err = fx_chain_add_segment(new, first);
	if (err)
		fx_space_free(store->space, first);
	else
		err = write_checkpoint(store, new, header);
	if (!err)
		return 0;
	/* What could not be written is set aside, not given to the next one who asks. */
	if (err != -EIO)
		free_runs(store, new);
	fx_chain_free(new);
	return err;
}

/*
 * So many blocks in one run are hard to come by in a full store: the longest segment of the old
 * chain, which was the spare before, is the next one.
 */
static void take_spare(struct feox_store *store, struct fx_chain *old, struct fx_chain *new)
{
	uint64_t wanted = 2 * blocks_needed(store) + SPARE_EXTRA;
	struct fx_run *longest = NULL, rest;

	new->spare = old->spare;
	for (size_t i = 0; i < old->run_count; i++)
		if (!longest || old->runs[i].blocks > longest->blocks)
			longest = &old->runs[i];
	if (!longest || longest->blocks <= new->spare.blocks)
		return;
	if (new->spare.blocks)
		fx_space_free(store->space, new->spare);
	new->spare = *longest;
	*longest = old->runs[--old->run_count];
	if (new->spare.blocks <= wanted)
		return;
	rest.start = new->spare.start + wanted;
	rest.blocks = new->spare.blocks - wanted;
	fx_space_free(store->space, rest);
	new->spare.blocks = wanted;
}

int fx_chain_checkpoint(struct feox_store *store, struct fx_chain *chain)
{
	struct fx_chain new;
	struct fx_journal_header header = {0};
	int err = -EIO;

	for (unsigned int i = 0; i < ATTEMPTS && err == -EIO && !atomic_load(&store->failed); i++)
		err = begin_chain(store, chain, &new, &header);
	if (err)
		return err;
	new.checkpoint_blocks = new.blocks - new.segment.blocks + new.used;
	store->super.chain_generation = new.generation;
	store->super.chain_block = new.runs[0].start;
	store->super.chain_blocks = new.runs[0].blocks;
	store->super.chain_records = new.next_sequence - 1;
	err = fx_superblocks_write(store);
	if (err) {
		fx_chain_free(&new);
		fx_store_fail(store, err, "writing the superblock");
		return err;
	}
	take_spare(store, chain, &new);
	free_runs(store, chain);
	fx_chain_free(chain);
	*chain = new;
	fx_ceilings_publish(store, &header);
	fx_chain_keep_spare(store);
	return 0;
}

uint64_t fx_chain_gain_blocks(struct feox_store *store)
{
	uint64_t spare = 2 * blocks_needed(store) + SPARE_EXTRA;
	uint64_t gain = store->chain->blocks > spare ? store->chain->blocks - spare : 0;

	return gain >= GAIN_LEAST ? gain : 0;
}

bool fx_chain_is_long(const struct feox_store *store)
{
	const struct fx_chain *chain = store->chain;
	uint64_t limit = store->super.blocks / 32;

	if (limit < LONG_LEAST)
		limit = LONG_LEAST;
	if (limit > FX_SEGMENT_BLOCKS)
		limit = FX_SEGMENT_BLOCKS;
	if (limit < LONG_FACTOR * chain->checkpoint_blocks)
		limit = LONG_FACTOR * chain->checkpoint_blocks;
	return chain->blocks - chain->segment.blocks + chain->used > limit;
}
