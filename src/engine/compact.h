/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compact.h - what lives in extents that are mostly dead is moved, so that their blocks come back.
 * The flusher's thread: between begin and settle one batch is written, with the moves in it.
 */
#ifndef FX_COMPACT_H
#define FX_COMPACT_H

#include "store.h"

struct fx_victim {
	struct fx_extent *extent;
	uint8_t *bytes; /* all of it, verified */
};

struct fx_move {
	struct fx_record *record;
	const uint8_t *value; /* in the victim's bytes */
	fx_location from, to;
};

struct fx_compaction {
	struct feox_store *store;
	uint64_t room_bytes;	 /* what is moved takes this at most */
	uint64_t reserved_bytes; /* for that, beyond the reserve */
	struct fx_victim *victims;
	size_t victim_count, victim_capacity;
	struct fx_move *moves;
	size_t move_count, move_capacity;
	uint64_t moved_bytes;
};

/*
 * Choose extents and read them. pace_bytes: of what is written with it; asked_bytes: room that
 * somebody waits for. False: there is nothing to do, or memory is short. Else fx_compact_end() is
 * due.
 */
bool fx_compact_begin(struct feox_store *store, uint64_t pace_bytes, uint64_t asked_bytes,
		      struct fx_compaction *ret_compaction);

/*
 * Fill in the moves: the records of the victims that live, and that nobody has replaced. After the
 * dead of the batch's own changes have been taken out of their extents. Fewer when memory is short.
 */
void fx_compact_find(struct fx_compaction *compaction);

/* The batch is durable: the moved records are where they have been written to. */
void fx_compact_settle(struct fx_compaction *compaction);
void fx_compact_end(struct fx_compaction *compaction);

/* Blocks that only compaction may take, for its first step in a full store. */
uint64_t fx_compact_reserve_blocks(const struct feox_store *store);

/* Blocks that compaction may free for somebody who waits. */
uint64_t fx_compact_gain_blocks(struct feox_store *store);

/* store->io: what extents there are. */
void fx_compact_stats_update(struct feox_store *store);

#endif
