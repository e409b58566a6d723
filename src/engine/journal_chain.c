/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_chain.c - the chain of journal segments.
 *
 * Records follow one another in a segment; one block is always kept for a link: an empty commit
 * record that names the next segment (or for the record of a clean end, which then needs no room).
 * So a record of any size finds its place: when it does not fit in front of that block, the link is
 * written and synced, then noted in the superblocks, and the record opens a new segment that is
 * long enough.
 *
 * Segments take no room that has been promised to records: when there is no other, the caller
 * starts a new chain (checkpoint.c).
 */
#include "journal_chain.h"

#include "bytes.h"
#include "compact.h"
#include "patience.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDING 4u /* blocks that one batch may take beyond what its records were promised */

void fx_chain_free(struct fx_chain *chain)
{
	free(chain->runs);
	*chain = (struct fx_chain){0};
}

int fx_chain_add_segment(struct fx_chain *chain, struct fx_run run)
{
	if (chain->run_count == chain->run_capacity) {
		size_t capacity = chain->run_capacity ? 2 * chain->run_capacity : 4;
		struct fx_run *runs = FX_PATIENTLY(realloc(chain->runs, capacity * sizeof(*runs)));

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

/* Blocks of a segment for at least so many and a link: in a small store segments are small too. */
static uint64_t segment_blocks(const struct feox_store *store, uint64_t blocks)
{
	uint64_t least = blocks + 1;

	if (least < FX_SEGMENT_BLOCKS && store->super.blocks >= 64 * FX_SEGMENT_BLOCKS)
		return FX_SEGMENT_BLOCKS;
	return least < store->super.blocks / 64 ? store->super.blocks / 64 : least;
}

int fx_segment_allocate(struct feox_store *store, uint64_t blocks, struct fx_run *ret_run)
{
	uint64_t wanted = segment_blocks(store, blocks);
	int err = fx_space_alloc(store->space, wanted, &ret_run->start);

	if (err == -ENOSPC && wanted > blocks + 1) {
		wanted = blocks + 1;
		err = fx_space_alloc(store->space, wanted, &ret_run->start);
	}
	ret_run->blocks = wanted;
	return err;
}

/*
 * A segment that takes nothing of what has been promised to records, of what rounds them up to
 * blocks, nor of what is compaction's: a shorter one where there is no room for more.
 */
static int allocate_next(struct feox_store *store, uint64_t blocks, struct fx_run *ret_run)
{
	uint64_t kept = fx_div_up(atomic_load(&store->disk_reserved), FX_BLOCK) + ROUNDING +
			fx_compact_reserve_blocks(store);
	uint64_t free_blocks = fx_space_free_blocks(store->space);
	uint64_t room = free_blocks > kept ? free_blocks - kept : 0;
	uint64_t wanted = segment_blocks(store, blocks);

	if (room < blocks + 1)
		return -ENOSPC;
	ret_run->blocks = wanted < room ? wanted : room;
	if (!fx_space_alloc(store->space, ret_run->blocks, &ret_run->start))
		return 0;
	ret_run->blocks = blocks + 1;
	return fx_space_alloc(store->space, ret_run->blocks, &ret_run->start);
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

void fx_ceilings_restore(struct feox_store *store, uint64_t version, uint64_t id)
{
	for (unsigned int i = 0; i < FX_VERSION_SHARDS; i++)
		if (atomic_load(&store->version_shards[i]) < version)
			atomic_store(&store->version_shards[i], version);
	atomic_store(&store->id_next, id + 1);
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

/*
 * Recovery looks for later records in the segment where a chain seems to end, not in the whole
 * store: so that a link which has become unreadable is not taken for the end, the superblocks say
 * how far the chain goes at least.
 */
static int note_link(struct feox_store *store, const struct fx_journal_header *link)
{
	int err;

	store->super.chain_records = link->sequence;
	err = fx_superblocks_write(store);
	if (err)
		fx_store_fail(store, err, "writing the superblock");
	return err ? -EIO : 0;
}

static int link_segment(struct feox_store *store, struct fx_chain *chain,
			struct fx_write_queue *writes, uint64_t blocks, bool sync)
{
	struct fx_journal_header header = {.type = FX_JOURNAL_COMMIT};
	struct fx_journal_writer w;
	struct fx_run run;
	uint8_t *buffer = fx_write_buffer(FX_BLOCK);
	int err = buffer ? 0 : -ENOMEM;

	if (!err)
		err = sync ? allocate_next(store, blocks, &run)
			   : fx_segment_allocate(store, blocks, &run);

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
		if (!err)
			err = note_link(store, &header);
		if (err)
			return err;
	}
	return fx_chain_add_segment(chain, run);
}

void fx_chain_take_back(struct fx_chain *chain, const struct fx_journal_header *header)
{
	chain->next_sequence--;
	chain->used -= header->bytes / FX_BLOCK;
}

int fx_chain_append(struct feox_store *store, struct fx_chain *chain, struct fx_write_queue *writes,
		    struct fx_journal_writer *w, struct fx_journal_header *header, bool sync)
{
	uint64_t blocks = fx_div_up(w->used + 8, FX_BLOCK);
	uint64_t link = header->flags & FX_JOURNAL_CLEAN ? 0 : 1; /* nothing follows a clean end */

	if (chain->used + blocks + link > chain->segment.blocks) {
		int err = link_segment(store, chain, writes, blocks, sync);

		if (err)
			return err;
	}
	return write_record(store, chain, writes, w, header);
}

int fx_chain_end(struct feox_store *store)
{
	struct fx_write_queue writes = {.store = store};
	struct fx_journal_header header = {.type = FX_JOURNAL_COMMIT, .flags = FX_JOURNAL_CLEAN};
	struct fx_journal_writer w;
	uint8_t *buffer = fx_write_buffer(FX_BLOCK);
	int err = buffer ? 0 : -ENOMEM, end;

	if (err)
		return err;
	fx_journal_begin(&w, buffer, FX_BLOCK);
	fx_ceilings_set(store, &header);
	err = fx_chain_append(store, store->chain, &writes, &w, &header, true);
	if (err)
		free(w.buffer);
	end = fx_write_finish(&writes);
	if (!err)
		err = end;
	/* Nothing is lost without it: the next opening only finds no orderly end. */
	if (err == -EIO && !atomic_load(&store->failed))
		return 0;
	return err ? err : fx_write_sync(store);
}
