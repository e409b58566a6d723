/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <stddef.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

static uint64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void fx_clock_init(struct fx_clock *clock, uint64_t (*now)(void *ctx), void *ctx)
{
	clock->now = now;
	clock->ctx = ctx;
	atomic_init(&clock->latest, 0);
}

void fx_clock_raise(struct fx_clock *clock, uint64_t at_least_ns)
{
	uint64_t latest = atomic_load_explicit(&clock->latest, memory_order_relaxed);

	while (latest < at_least_ns &&
	       !atomic_compare_exchange_weak_explicit(&clock->latest, &latest, at_least_ns,
						      memory_order_relaxed, memory_order_relaxed))
		;
}

uint64_t fx_clock_now(struct fx_clock *clock)
{
	uint64_t now = clock->now ? clock->now(clock->ctx) : read_clock(CLOCK_REALTIME);
	uint64_t latest = atomic_load_explicit(&clock->latest, memory_order_relaxed);

	if (now <= latest)
		return latest;
	fx_clock_raise(clock, now);
	return now;
}

uint64_t fx_clock_coarse(struct fx_clock *clock)
{
	uint64_t now = clock->now ? clock->now(clock->ctx) : read_clock(CLOCK_REALTIME_COARSE);
	uint64_t latest = atomic_load_explicit(&clock->latest, memory_order_relaxed);

	return now > latest ? now : latest;
}

uint64_t fx_monotonic_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}
