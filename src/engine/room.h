/* SPDX-License-Identifier: Apache-2.0 */
/* room.h - blocks for those who wait, growth and shrinking of the file. The flusher's thread. */
#ifndef FX_ROOM_H
#define FX_ROOM_H

#include "store.h"

/* Blocks of extents that have left, and that nobody can be reading any more, are free again. */
void fx_room_reap(struct feox_store *store);

/*
 * Room for asked bytes beside what is queued: blocks that are on their way back, then growth, then
 * compaction. Writes batches of its own. 0, -ENOSPC, -EIO.
 */
int fx_room_make(struct feox_store *store, uint64_t asked);

/* At the end of a round: grow ahead of need, or give the tail of the file back. */
void fx_room_adjust(struct feox_store *store);

#endif
