/* SPDX-License-Identifier: Apache-2.0 */
/* naps.h - random numbers, and threads that nap now and then in the middle of a change. For one
 * source file of a program. */
#ifndef FX_NAPS_H
#define FX_NAPS_H

#include "pause.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static _Thread_local uint64_t nap_random;
static _Atomic bool naps;

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

void fx_pause_point(int point)
{
	struct timespec nap = {.tv_nsec = 20000};
	uint64_t r;

	if (!atomic_load_explicit(&naps, memory_order_relaxed))
		return;
	if (!nap_random)
		nap_random = (uint64_t)(uintptr_t)&nap_random | 1;
	r = next_random(&nap_random);
	if (r % 64 == 0)
		nanosleep(&nap, NULL);
	else if (r % 4 == 0)
		sched_yield();
}

#endif
