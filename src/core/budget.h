/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget.h - the memory limit: what is used of it, and room in it taken before memory is.
 *
 * All that grows with the data - records and values, both indexes, what waits for its grace period
 * - comes from the store's slab. So what is used is what the slab has given out, rounded up to its
 * size classes, and what threads keep for their next allocations, but no more of that than
 * 1/FX_BUDGET_KEPT_DIVISOR of the limit (else many threads would leave a small limit no room for
 * data). To that come
 *
 *   taken      room of changes that are under way and may not have allocated yet
 *   promised   room for changes to come (feox_reserve())
 *
 * Not counted, and shown apart (fx_slab_held()): pages of the slab that are partly free. Freed
 * blocks serve the next allocations of their size, and a page whose blocks are all free serves any.
 *
 * Bound. Room is taken before memory is; so the limit is passed only by what an allocation takes
 * beyond the bytes asked for: the rounding, a batch of blocks of each size class concerned (32 KiB
 * at most), and an index that grows (a segment or a leaf): FX_BUDGET_BEYOND_BYTES for each thread
 * that is writing at the moment. Deletes, and changes that put a record of the same size in the
 * place of another, take no room: they work at the limit, and pass it by what is deferred
 * (epoch.h).
 *
 * Far from the limit a change takes nothing, so that writers do not meet at these counters: up to
 * FX_BUDGET_FAR_THREADS changes that all look before any of them allocates still end below it.
 */
#ifndef FX_BUDGET_H
#define FX_BUDGET_H

#include "slab.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FX_BUDGET_BEYOND_BYTES ((uint64_t)192 << 10) /* a thread */
#define FX_BUDGET_KEPT_DIVISOR 16u
#define FX_BUDGET_FAR_DIVISOR  8u   /* far: more than this part of the limit is free */
#define FX_BUDGET_FAR_THREADS  128u /* this often what a change may take there without asking */

struct fx_budget {
	const struct fx_slab *slab;
	uint64_t limit;
	/* Sequentially consistent: of two that do not fit together one sees the other. */
	alignas(64) _Atomic uint64_t taken;
	_Atomic uint64_t promised;
};

/* slab outlives the budget. */
void fx_budget_init(struct fx_budget *budget, const struct fx_slab *slab, uint64_t limit);

/* Bytes in use, with what is taken and promised. */
uint64_t fx_budget_used(const struct fx_budget *budget);

/* Is so much free that bytes may be allocated without asking? */
bool fx_budget_is_far(const struct fx_budget *budget, uint64_t bytes);

/*
 * Take room for bytes that are to be allocated; *ret_taken (0 far from the limit) is given back
 * when they are: fx_budget_give(). -ENOMEM: they do not fit now.
 */
int fx_budget_take(struct fx_budget *budget, uint64_t bytes, uint64_t *ret_taken);
void fx_budget_give(struct fx_budget *budget, uint64_t taken);

/* Turn what was taken for bytes into a promise of them, or end a promise. */
void fx_budget_promise(struct fx_budget *budget, uint64_t bytes, uint64_t taken);
void fx_budget_forgo(struct fx_budget *budget, uint64_t bytes);

#endif
