/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_chain.c - the chain of journal segments.
 *
 * Records follow one another in a segment; one block is always kept for a link: an empty commit
 * record that names the next segment. So a record of any size finds its place: when it does not fit
 * in front of that block, the link is written and synced, then the record opens a new segment that
 * is long enough.
 *
 * A new chain is written beside the old one, generation + 1, beginning with a checkpoint: parts
 * with the state of all extents, then an end record. It becomes the store's when a superblock that
 * names it is durable; only after both copies are, the old chain's blocks are freed (I10).
 */
#include "journal_chain.h"

#include "bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PART_BYTES    ((size_t)64 * 1024) /* of sections in a checkpoint part, about */
#define PART_CAPACITY (PART_BYTES + (size_t)32 * 1024)
#define LONG_BLOCKS   FX_SEGMENT_BLOCKS
#define LONG_FACTOR   4u

void fx_chain_free(struct fx_chain *chain)
{
	free(chain->runs);
	*chain = (struct fx_chain){0};
}

int fx_chain_add_segment(struct fx_chain *chain, struct fx_run run)
{
	if (chain->run_count == chain->run_capacity) {
		size_t capacity = chain->run_capacity ? 2 * chain->run_capacity : 4;
		struct fx_run *runs = realloc(chain->runs, capacity * sizeof(*runs));

		if (!runs)
			return -ENOMEM;
		chain->runs = runs;
		chain->run_capacity = capacity;
	}
	chain->runs[chain->run_count++] = run;
	chain->segment = run;
	chain->used = 0;
	chain->blocks += run.blocks;
	return 0;
}

/* A segment of at least blocks and a link, longer when there is room. Not yet part of the chain. */
static int allocate_segment(struct feox_store *store, uint64_t blocks, struct fx_run *ret_run)
{
	uint64_t least = blocks + 1, wanted = least;
	int err;

	/* In a small store segments are small too. */
	if (wanted < FX_SEGMENT_BLOCKS && store->super.blocks >= 64 * FX_SEGMENT_BLOCKS)
		wanted = FX_SEGMENT_BLOCKS;
	else if (wanted < store->super.blocks / 64)
		wanted = store->super.blocks / 64;
	err = fx_space_alloc(store->space, wanted, &ret_run->start);
	if (err == -ENOSPC && wanted > least) {
		wanted = least;
		err = fx_space_alloc(store->space, wanted, &ret_run->start);
	}
	ret_run->blocks = wanted;
	return err;
}

/* ---- Ceilings ----------------------------------------------------------------------------------
 */

uint64_t fx_version_highest(struct feox_store *store)
{
	uint64_t highest = 0;

	for (unsigned int i = 0; i < FX_VERSION_SHARDS; i++) {
		uint64_t v = atomic_load_explicit(&store->version_shards[i], memory_order_relaxed);

		highest = v > highest ? v : highest;
	}
	return highest;
}

void fx_ceilings_set(struct feox_store *store, struct fx_journal_header *header)
{
	uint64_t now = fx_clock_now(&store->clock);
	uint64_t highest = fx_version_highest(store);
	uint64_t next = atomic_load(&store->id_next);

	header->wall_ns = now;
	if (header->flags & FX_JOURNAL_CLEAN) {
		header->version_ceiling = highest;
		header->id_ceiling = next - 1;
		return;
	}
	header->version_ceiling = (highest > now ? highest : now) + FX_VERSION_AHEAD_NS;
	if (header->version_ceiling > FX_VERSION_MAX)
		header->version_ceiling = FX_VERSION_MAX;
	header->id_ceiling = next + FX_ID_AHEAD;
}

bool fx_ceilings_are_short(struct feox_store *store)
{
	return atomic_load(&store->id_next) + FX_ID_AHEAD / 2 > atomic_load(&store->id_ceiling) ||
	       fx_version_highest(store) + FX_VERSION_AHEAD_NS / 2 >
		       atomic_load(&store->version_ceiling);
}

void fx_ceilings_publish(struct feox_store *store, const struct fx_journal_header *header)
{
	/* Release: pairs with the acquire in fx_version_next() and feox_next_id(). */
	atomic_store_explicit(&store->version_ceiling, header->version_ceiling,
			      memory_order_release);
	atomic_store_explicit(&store->id_ceiling, header->id_ceiling, memory_order_release);
}

/* ---- Appending ---------------------------------------------------------------------------------
 */

static int write_record(struct feox_store *store, struct fx_chain *chain,
			struct fx_write_queue *writes, struct fx_journal_writer *w,
			struct fx_journal_header *header)
{
	struct fx_run place = {.start = chain->segment.start + chain->used};
	size_t size;

	header->generation = chain->generation;
	header->sequence = chain->next_sequence++;
	header->block = place.start;
	size = fx_journal_finish(w, header, store->super.uuid);
	place.blocks = size / FX_BLOCK;
	chain->used += place.blocks;
	fx_write_start(writes, w->buffer, size, &place, 1);
	w->buffer = NULL; /* the write's now */
	return 0;
}

static int link_segment(struct feox_store *store, struct fx_chain *chain,
			struct fx_write_queue *writes, uint64_t blocks, bool sync)
{
	struct fx_journal_header header = {.type = FX_JOURNAL_COMMIT};
	struct fx_journal_writer w;
	struct fx_run run;
	uint8_t *buffer = fx_write_buffer(FX_BLOCK);
	int err = buffer ? allocate_segment(store, blocks, &run) : -ENOMEM;

	if (err) {
		free(buffer);
		return err;
	}
	header.next_block = run.start;
	header.next_blocks = run.blocks;
	fx_ceilings_set(store, &header);
	fx_journal_begin(&w, buffer, FX_BLOCK);
	write_record(store, chain, writes, &w, &header);
	if (sync) { /* the next record must not be submitted before this one is durable */
		err = fx_write_finish(writes);
		if (!err)
			err = fx_write_sync(store);
		if (err)
			return err;
	}
	return fx_chain_add_segment(chain, run);
}

int fx_chain_append(struct feox_store *store, struct fx_chain *chain, struct fx_write_queue *writes,
		    struct fx_journal_writer *w, struct fx_journal_header *header, bool sync)
{
	uint64_t blocks = fx_div_up(w->used + 8, FX_BLOCK);

	if (chain->used + blocks + 1 > chain->segment.blocks) {
		int err = link_segment(store, chain, writes, blocks, sync);

		if (err)
			return err;
	}
	return write_record(store, chain, writes, w, header);
}

/* ---- Checkpoint --------------------------------------------------------------------------------
 */

static int append_part(struct feox_store *store, struct fx_chain *chain,
		       struct fx_write_queue *writes, struct fx_journal_writer *w,
		       enum fx_journal_type type)
{
	struct fx_journal_header header = {.type = type};

	fx_ceilings_set(store, &header);
	return fx_chain_append(store, chain, writes, w, &header, false);
}

static void put_state(struct fx_journal_writer *w, const struct fx_extent *extent)
{
	struct fx_journal_extent e = {
		.sequence = extent->sequence,
		.bytes = extent->bytes,
		.checksum = extent->checksum,
		.directory_bytes = extent->directory_bytes,
		.records = extent->record_count,
		.run_count = extent->run_count,
	};
	struct fx_journal_run runs[FX_EXTENT_RUNS_MAX];

	for (uint32_t i = 0; i < extent->run_count; i++)
		runs[i] = (struct fx_journal_run){extent->runs[i].start, extent->runs[i].blocks};
	fx_journal_put_extent(w, &e, runs, extent->live);
}

/* One part with as many extents as fit; *extent is the next one to write. */
static int write_part(struct feox_store *store, struct fx_chain *chain,
		      struct fx_write_queue *writes, struct fx_extent **extent, uint32_t *cursor)
{
	uint8_t *buffer = fx_write_buffer(PART_CAPACITY);
	struct fx_journal_writer w;
	int err;

	if (!buffer)
		return -ENOMEM;
	fx_journal_begin(&w, buffer, PART_CAPACITY);
	fx_journal_section(&w, FX_SECTION_STATE);
	while (*extent && w.used < PART_BYTES) {
		put_state(&w, *extent);
		*extent = fx_extent_table_next(store->extents, cursor);
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
	struct fx_extent *extent = fx_extent_table_next(store->extents, &cursor);
	int err = 0, end;

	while (extent && !err)
		err = write_part(store, chain, &writes, &extent, &cursor);
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

int fx_superblocks_write(struct feox_store *store)
{
	uint8_t block[FX_SUPER_SIZE] __attribute__((aligned(4096)));
	int err;

	store->super.generation++;
	for (unsigned int i = 0; i < 2; i++) {
		unsigned int copy = store->super_first ^ i;

		fx_superblock_encode(&store->super, copy, block);
		err = fx_device_write_sync(store->device, block, sizeof(block), copy * FX_BLOCK);
		if (err)
			return err;
		/* The other copy is the older one now. */
	}
	return 0;
}

int fx_chain_checkpoint(struct feox_store *store, struct fx_chain *chain)
{
	struct fx_chain new = {.generation = store->super.chain_generation + 1, .next_sequence = 1};
	struct fx_journal_header header = {0};
	struct fx_run first;
	/* A first guess; what does not fit links on. */
	uint64_t blocks = chain->checkpoint_blocks + 8;
	int err = allocate_segment(store, blocks, &first);

	if (err == -ENOSPC)
		err = allocate_segment(store, 24, &first);
	if (!err)
		err = fx_chain_add_segment(&new, first);
	if (!err)
		err = write_checkpoint(store, &new, &header);
	if (err) {
		free_runs(store, &new);
		fx_chain_free(&new);
		return err;
	}
	new.checkpoint_blocks = new.blocks - new.segment.blocks + new.used;
	store->super.chain_generation = new.generation;
	store->super.chain_block = new.runs[0].start;
	store->super.chain_blocks = new.runs[0].blocks;
	err = fx_superblocks_write(store);
	if (err) {
		fx_chain_free(&new);
		fx_store_fail(store, err, "writing the superblock");
		return err;
	}
	free_runs(store, chain);
	fx_chain_free(chain);
	*chain = new;
	fx_ceilings_publish(store, &header);
	return 0;
}

bool fx_chain_is_long(const struct fx_chain *chain)
{
	uint64_t limit = LONG_FACTOR * chain->checkpoint_blocks;

	return chain->blocks - chain->segment.blocks + chain->used >
	       (limit > LONG_BLOCKS ? limit : LONG_BLOCKS);
}
