/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_chain.h - where the next journal record goes: segments, links, checkpoints, superblocks.
 * The flusher's thread (before it runs: the opener's).
 */
#ifndef FX_JOURNAL_CHAIN_H
#define FX_JOURNAL_CHAIN_H

#include "disk_write.h"
#include "journal.h"

#define FX_SEGMENT_BLOCKS ((uint64_t)256) /* of a segment, when there is room */

struct fx_chain {
	uint64_t generation;
	uint64_t next_sequence;
	struct fx_run segment; /* the one being filled */
	uint64_t used;	       /* blocks of it */
	struct fx_run *runs;   /* all segments, the current one included */
	size_t run_count, run_capacity;
	uint64_t blocks;	    /* of all segments */
	uint64_t checkpoint_blocks; /* what its checkpoint took */
	struct fx_run spare;	    /* held back for the next chain; 0 blocks: none */
};

void fx_chain_free(struct fx_chain *chain);

/* Remember a segment of a chain that was found on disk, or the next one of a new chain. */
int fx_chain_add_segment(struct fx_chain *chain, struct fx_run run);

/*
 * Append a finished record of w: completes header (generation, sequence, place, ceilings), and
 * starts the write. Links to a new segment first when this one is too short: that waits and, with
 * sync, syncs. -ENOSPC: no room for a segment, nothing has been written.
 */
int fx_chain_append(struct feox_store *store, struct fx_chain *chain, struct fx_write_queue *writes,
		    struct fx_journal_writer *w, struct fx_journal_header *header, bool sync);

/* The record appended last, header, is to be written again in its place. */
void fx_chain_take_back(struct fx_chain *chain, const struct fx_journal_header *header);

/*
 * Start a new chain with a checkpoint of everything in the extent table, make it the store's (both
 * superblocks), and free the old chain's segments. Waits. Where it cannot be written it is begun
 * anew in other blocks, a bounded number of times. On failure *chain is as it was, unless a sync or
 * a superblock has failed: then the store has failed.
 */
int fx_chain_checkpoint(struct feox_store *store, struct fx_chain *chain);

/* The last record of the chain, of an orderly end: nothing is written after it. Waits. */
int fx_chain_end(struct feox_store *store);

/* Long enough to be worth a new checkpoint? */
bool fx_chain_is_long(const struct feox_store *store);

/* Blocks that a checkpoint would give back, if that is worth it. */
uint64_t fx_chain_gain_blocks(struct feox_store *store);

/* After the extents have changed: hold back enough blocks in one run for the next checkpoint. */
void fx_chain_keep_spare(struct feox_store *store);

/* Free blocks that nothing may be promised of: what the spare still lacks, and some for links. */
uint64_t fx_chain_hidden_blocks(struct feox_store *store);

/* Put an extent into the open section of w; live as in fx_journal_put_extent(). */
void fx_chain_put_extent(struct fx_journal_writer *w, const struct fx_extent *extent,
			 const uint64_t *live);

/* A run for at least blocks and a link, longer when there is room. Not yet part of a chain. */
int fx_segment_allocate(struct feox_store *store, uint64_t blocks, struct fx_run *ret_run);

struct fx_super_copy {
	int err;	 /* 0: valid; see fx_superblock_decode() */
	const char *why; /* a constant text, when it is not */
	struct fx_superblock super;
};

/* Both copies. The number of the one that counts, or -EUCLEAN: none is valid. */
int fx_superblocks_look(struct feox_store *store, struct fx_super_copy ret_copies[2]);

/* Find store->super: the valid copy with the highest generation (I10). superblocks.c */
int fx_superblocks_read(struct feox_store *store, struct feox_diag *diag);
/* Write store->super to both copies, the older or invalid one first, each durable. */
int fx_superblocks_write(struct feox_store *store);

/* What store->super says of the store. superblocks.c */
void fx_store_identify(const struct feox_store *store, struct feox_identity *ret_identity);

/* What a record says has been given out: set in header, published by fx_ceilings_publish(). */
void fx_ceilings_set(struct feox_store *store, struct fx_journal_header *header);
void fx_ceilings_publish(struct feox_store *store, const struct fx_journal_header *header);

/* After recovery: nothing up to these is given out again (I8). */
void fx_ceilings_restore(struct feox_store *store, uint64_t version, uint64_t id);

/* So much of them is used up that they have to be raised, also when nothing else is to be written.
 */
bool fx_ceilings_are_short(struct feox_store *store);

/* The highest version given out. */
uint64_t fx_version_highest(struct feox_store *store);

#endif
