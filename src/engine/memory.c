/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c - room in the memory limit for what a change is going to allocate (core/budget.h).
 *
 * What was replaced or deleted counts until its grace period is over. So at the limit a change does
 * not fail while that would make room for it: it waits for a grace period. It fails at once when
 * even without everything deferred there would be too little.
 */
#include "store.h"

#include "cleanup.h"

#include <errno.h>

#define RECLAIMS_MAX  64u /* each gave back something, and others took it */
#define SPARE_DIVISOR 2u  /* readers keep values in this part of the memory limit */

bool fx_memory_is_spare(const struct feox_store *store, uint64_t bytes)
{
	return fx_budget_used(&store->budget) + bytes <= store->budget.limit / SPARE_DIVISOR;
}

/* Would bytes fit if nothing was deferred? */
static bool fits_in_time(const struct feox_store *store, uint64_t bytes)
{
	uint64_t used = fx_budget_used(&store->budget), deferred = fx_epoch_deferred(store->epoch);

	return deferred && used - FX_MIN(used, deferred) + bytes <= store->budget.limit;
}

int fx_memory_take(struct feox_store *store, uint64_t bytes, bool nowait, uint64_t *ret_taken)
{
	for (unsigned int turn = 0; turn < RECLAIMS_MAX; turn++) {
		if (fx_budget_take(&store->budget, bytes, ret_taken) == 0)
			return 0;
		if (!fits_in_time(store, bytes))
			return -ENOMEM;
		if (nowait)
			return -EAGAIN;
		if (!fx_epoch_reclaim(store->epoch))
			return -ENOMEM;
	}
	return -ENOMEM;
}
