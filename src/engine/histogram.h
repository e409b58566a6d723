/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram.h - how long operations take.
 *
 * Short ones are timed once in 64, since two clock reads cost half a get. Which ones: a turn
 * counter by processor, scattered by a multiplication, so that no pattern of the caller's own falls
 * in step with it. It may lose counts when threads collide: that moves the samples, nothing else.
 *
 *	uint64_t begin = fx_timer_begin(fx_counters(store));
 *	...
 *	fx_timer_end(store, FEOX_OP_GET, begin);
 */
#ifndef FX_HISTOGRAM_H
#define FX_HISTOGRAM_H

#include "store.h"

#define FX_TIMER_GOLDEN UINT32_C(0x9e3779b1) /* 2^32 / golden ratio: Fibonacci hashing */

/* Is the operation of that turn one to be timed? */
static inline bool fx_timer_is_due(uint32_t turn)
{
	return turn * FX_TIMER_GOLDEN >> (32 - FEOX_SAMPLE_SHIFT) == 0;
}

/* The time when this operation is one to be timed, else 0. */
static inline uint64_t fx_timer_begin(struct fx_counters *counters)
{
	/* Relaxed, and not one step: see above. */
	uint32_t turn = atomic_load_explicit(&counters->turn, memory_order_relaxed);

	atomic_store_explicit(&counters->turn, turn + 1, memory_order_relaxed);
	return fx_timer_is_due(turn) ? fx_monotonic_ns() : 0;
}

void fx_histogram_add(struct fx_histogram *histogram, uint64_t ns);

static inline void fx_timer_end(struct feox_store *store, enum feox_op op, uint64_t begin_ns)
{
	if (begin_ns)
		fx_histogram_add(&store->latency[op], fx_monotonic_ns() - begin_ns);
}

#endif
