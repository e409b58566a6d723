/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.h - the store's wall clock: nanoseconds since 1970 that never run backwards, also when the
 * system's clock is set back. Any thread; lock-free.
 */
#ifndef FX_CLOCK_H
#define FX_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

struct fx_clock {
	uint64_t (*now)(void *ctx); /* NULL: CLOCK_REALTIME */
	void *ctx;
	_Atomic uint64_t latest; /* what was given out last; fx_clock_raise() lifts it */
};

void fx_clock_init(struct fx_clock *clock, uint64_t (*now)(void *ctx), void *ctx);

/* Exact: one clock read. Never below what any thread was given before. */
uint64_t fx_clock_now(struct fx_clock *clock);

/* Coarse (CLOCK_REALTIME_COARSE, some ms behind; ~5 ns): for versions, never for expiry. */
uint64_t fx_clock_coarse(struct fx_clock *clock);

/* Time is at least this from now on (what the store on disk has seen). */
void fx_clock_raise(struct fx_clock *clock, uint64_t at_least_ns);

/* CLOCK_MONOTONIC in ns, for durations. */
uint64_t fx_monotonic_ns(void);

#endif
