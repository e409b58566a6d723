/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c - room in the memory limit for what a change is going to allocate (core/budget.h).
 *
 * What was replaced or deleted counts until its grace period is over. So at the limit a change does
 * not fail while that would make room for it: it waits for a grace period. Where that is not enough
 * a store on disk lets clean values leave (cool.c). It fails when there is too little even then.
 *
 * A cache evicts before that. What it keeps (what is used and not deferred) stays below
 * cache_bytes, which leaves the rest of the limit to what is deferred: so a write at the limit
 * usually evicts a key or two, and waits for nothing.
 */
#include "store.h"

#include "cleanup.h"

#include <errno.h>

#define RECLAIMS_MAX  64u /* each gave back something, and others took it */
#define SPARE_DIVISOR 16u /* of the limit, kept free for writers */

uint64_t fx_memory_high(const struct feox_store *store)
{
	return store->budget.limit - store->budget.limit / SPARE_DIVISOR;
}

bool fx_memory_is_spare(struct feox_store *store, uint64_t bytes)
{
	if (fx_budget_used(&store->budget) + bytes <= fx_memory_high(store))
		return true;
	if (store->flusher)
		fx_flusher_hurry(store);
	return false;
}

/* Would bytes fit if nothing was deferred? */
static bool fits_in_time(const struct feox_store *store, uint64_t bytes)
{
	uint64_t used = fx_budget_used(&store->budget), deferred = fx_epoch_deferred(store->epoch);

	return deferred && used - FX_MIN(used, deferred) + bytes <= store->budget.limit;
}

static bool try_take(struct feox_store *store, uint64_t bytes, uint64_t *ret_taken)
{
	if (fx_budget_take(&store->budget, bytes, ret_taken))
		return false;
	/* Near the limit: ahead of those who will find none. */
	if (*ret_taken && store->flusher && fx_budget_used(&store->budget) > fx_memory_high(store))
		fx_flusher_hurry(store);
	return true;
}

/* Make room for bytes, and wait for that. -ENOMEM: nothing can be given back. */
static int make(struct feox_store *store, uint64_t bytes)
{
	int err;

	if ((store->cache_bytes || fits_in_time(store, bytes)) && fx_epoch_reclaim(store->epoch))
		return 0;
	if (!store->flusher)
		return -ENOMEM;
	err = fx_flusher_make_memory(store, bytes);
	return err == -EAGAIN ? 0 : err;
}

/* A cache: how much more than it is to keep there would be with bytes. */
static uint64_t excess(const struct feox_store *store, uint64_t bytes)
{
	uint64_t used = fx_budget_used(&store->budget), deferred = fx_epoch_deferred(store->epoch);

	used = used - FX_MIN(used, deferred) + bytes;
	return used > store->cache_bytes ? used - store->cache_bytes : 0;
}

static int evict_for(struct feox_store *store, uint64_t bytes)
{
	uint64_t wanted;

	if (bytes > store->cache_bytes) /* nothing has to go for what will not fit all the same */
		return -ENOMEM;
	while ((wanted = excess(store, bytes)))
		if (!fx_evict(store, wanted))
			return -ENOMEM;
	return 0;
}

int fx_memory_take(struct feox_store *store, uint64_t bytes, bool nowait, uint64_t *ret_taken)
{
	for (unsigned int turn = 0; turn < RECLAIMS_MAX; turn++) {
		int err = 0;

		if (store->cache_bytes && !fx_budget_is_far(&store->budget, bytes))
			err = evict_for(store, bytes);
		if (err || try_take(store, bytes, ret_taken))
			return err;
		if (bytes > store->budget.limit ||
		    (!store->flusher && !store->cache_bytes && !fits_in_time(store, bytes)))
			return -ENOMEM;
		if (nowait)
			return -EAGAIN;
		err = make(store, bytes);
		if (err)
			return err;
	}
	return -ENOMEM;
}
