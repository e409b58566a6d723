/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slab.h - memory for records and index nodes: size classes on 2 MiB chunks (madvise(2)
 * MADV_HUGEPAGE), a cache per thread, larger blocks from malloc(3).
 *
 * Any thread may allocate and free, also what another thread allocated; threads may come and go.
 * Blocks are not zeroed. They are aligned to 16 bytes, and to 64 when their size is a multiple of
 * 64. An allocation and its free together take some nanoseconds.
 */
#ifndef FX_SLAB_H
#define FX_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FX_SLAB_BLOCK_MAX ((size_t)64 << 10) /* larger blocks come from malloc(3) */

struct fx_slab;

enum fx_slab_source {
	FX_SLAB_AUTO,	/* chunks; in builds with a sanitizer malloc, which it watches */
	FX_SLAB_CHUNKS, /* always chunks */
	FX_SLAB_MALLOC	/* every block from malloc(3) */
};

struct fx_slab_options {
	bool no_huge_pages;
	enum fx_slab_source source;
	/* Test seam: true makes this allocation fail. Any thread. NULL: never. */
	bool (*fail)(void *ctx, size_t size);
	void *fail_ctx;
};

/* options may be NULL. -ENOMEM. */
int fx_slab_create(const struct fx_slab_options *options, struct fx_slab **ret_slab);

/*
 * Blocks that are still given out are gone with it, those from malloc(3) leak. NULL is allowed. No
 * other call may run.
 */
void fx_slab_destroy(struct fx_slab *slab);

/* NULL when memory is short. size > 0. */
void *fx_slab_alloc(struct fx_slab *slab, size_t size);

/* size is the one of the allocation. ptr NULL is allowed. Never fails. */
void fx_slab_free(struct fx_slab *slab, void *ptr, size_t size);

/* Bytes that a block of this size occupies. */
size_t fx_slab_rounded(size_t size);

/* Bytes given out now, rounded up to their size class. Exact when no other call runs. */
uint64_t fx_slab_used(const struct fx_slab *slab);

/*
 * The same and what threads keep for their next allocations (at most 32 KiB a thread and size
 * class): never less than fx_slab_used() of a moment when no other call runs. One load.
 */
uint64_t fx_slab_claimed(const struct fx_slab *slab);

/* Bytes of chunks that have, or may have, memory behind them. */
uint64_t fx_slab_resident(struct fx_slab *slab);

/*
 * Bytes of memory behind the slab: its chunks and the blocks from malloc(3). What of that is not
 * fx_slab_used() is free blocks, pages that are partly free, and some that are kept empty.
 */
uint64_t fx_slab_held(struct fx_slab *slab);

/*
 * Give back memory that was not used since the last call. What is beyond a slack goes back at once,
 * as it is freed; this is for the slack, about once a second. Any thread.
 */
void fx_slab_trim(struct fx_slab *slab);

#endif
