/* SPDX-License-Identifier: Apache-2.0 */
/*
 * space.h - the free-space manager: which runs of blocks of the data area are free.
 *
 * Two red-black trees (libbsd sys/tree.h) over the free runs: by start, for coalescing, and by size
 * then start, for best fit. O(log n). Overlap is refused, never merged: giving a block back twice
 * is an error that is reported. Belongs to the flusher's thread; the totals may be read by any.
 */
#ifndef FX_SPACE_H
#define FX_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fx_run {
	uint64_t start;	 /* block number */
	uint64_t blocks; /* > 0 */
};

struct fx_space;

int fx_space_create(struct fx_space **ret_space);
void fx_space_destroy(struct fx_space *space); /* NULL is allowed */

/* Declare a run free. -EEXIST: it overlaps a free run; -EINVAL: empty or overflowing; -ENOMEM. */
int fx_space_free(struct fx_space *space, struct fx_run run);

/* Take exactly these blocks out (recovery). -ENOENT: not all of them are free. -ENOMEM. */
int fx_space_take(struct fx_space *space, struct fx_run run);

/* The smallest run of at least blocks, its beginning. -ENOSPC: no run is that long. */
int fx_space_alloc(struct fx_space *space, uint64_t blocks, uint64_t *ret_start);

/* The longest free run, 0 blocks when there is none. */
struct fx_run fx_space_longest(const struct fx_space *space);

/* The free run that ends where end is (to give the tail of a file back), 0 blocks when none. */
struct fx_run fx_space_last(const struct fx_space *space, uint64_t end);

uint64_t fx_space_free_blocks(const struct fx_space *space);
size_t fx_space_run_count(const struct fx_space *space);

#endif
