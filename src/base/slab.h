/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slab.h - memory for records and index nodes: size classes on 2 MiB chunks (madvise(2)
 * MADV_HUGEPAGE), a cache per thread, remote frees; larger blocks from malloc(3).
 *
 * Any thread may allocate and free, also what another thread allocated. Blocks are 16-byte aligned
 * and not zeroed. A slab counts what it has given out.
 */
#ifndef FX_SLAB_H
#define FX_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fx_slab;

struct fx_slab_options {
	bool no_huge_pages;
	/* Test seam: true makes this allocation fail. Any thread. NULL: never. */
	bool (*fail)(void *ctx, size_t size);
	void *fail_ctx;
};

/* options may be NULL. -ENOMEM. */
int fx_slab_create(const struct fx_slab_options *options, struct fx_slab **ret_slab);

/* Everything given out is gone with it. NULL is allowed. No other call may run. */
void fx_slab_destroy(struct fx_slab *slab);

/* NULL when memory is short. size > 0. */
void *fx_slab_alloc(struct fx_slab *slab, size_t size);

/* size is the one of the allocation. ptr NULL is allowed. */
void fx_slab_free(struct fx_slab *slab, void *ptr, size_t size);

/* Bytes given out now, rounded up to their size class. Exact when no other call runs. */
uint64_t fx_slab_used(const struct fx_slab *slab);

#endif
