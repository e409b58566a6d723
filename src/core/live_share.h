/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live_share.h - extents by how much of them lives, so that compaction finds the emptiest at once.
 *
 * Share n has the extents of which at least n and less than n + 1 64ths of the blocks live, in the
 * order in which they came to be so: the oldest first. The last share, FX_SHARE_WHOLE, has those
 * from which nothing can be gained. Belongs to the flusher's thread, as the extent table does.
 */
#ifndef FX_LIVE_SHARE_H
#define FX_LIVE_SHARE_H

#include <stdint.h>
#include <sys/queue.h>

#define FX_SHARES      64u
#define FX_SHARE_WHOLE FX_SHARES

struct fx_extent;

TAILQ_HEAD(fx_extent_list, fx_extent);

struct fx_live_shares {
	struct fx_extent_list lists[FX_SHARES + 1];
	uint64_t blocks[FX_SHARES + 1];	    /* allocated to them */
	uint64_t live_bytes[FX_SHARES + 1]; /* living in them */
};

void fx_shares_init(struct fx_live_shares *shares);

/* An extent whose blocks and live_bytes are set. */
void fx_shares_add(struct fx_live_shares *shares, struct fx_extent *extent);
void fx_shares_remove(struct fx_live_shares *shares, struct fx_extent *extent);

/* So much of it lives now. */
void fx_shares_update(struct fx_live_shares *shares, struct fx_extent *extent, uint64_t live_bytes);

/* Behind all others of its share: it was looked at, and is of no use now. */
void fx_shares_postpone(struct fx_live_shares *shares, struct fx_extent *extent);

/* Blocks that moving what lives in extents of shares below limit would free at best. */
uint64_t fx_shares_gain(const struct fx_live_shares *shares, unsigned int limit);

/* Over all extents. */
uint64_t fx_shares_blocks(const struct fx_live_shares *shares);
uint64_t fx_shares_live_bytes(const struct fx_live_shares *shares);

#endif
