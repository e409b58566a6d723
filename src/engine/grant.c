/* SPDX-License-Identifier: Apache-2.0 */
/* grant.c - what a change needs before it is published: a version, room in the queue and on disk.
 */
#include "commit.h"

#include "cleanup.h"

#include <errno.h>

/* ---- Versions ----------------------------------------------------------------------------------
 */

uint64_t fx_version_next(struct feox_store *store, uint64_t hash, uint64_t floor)
{
	_Atomic uint64_t *shard = &store->version_shards[hash % FX_VERSION_SHARDS];
	uint64_t now = fx_clock_coarse(&store->clock);
	uint64_t last = atomic_load_explicit(shard, memory_order_relaxed);
	uint64_t next;

	/* The clock may run ahead of the durable ceiling, when nothing was committed for a while.
	 * Only the lower half of the way there is the clock's: so that counting on from the last
	 * version has 30 s in ns, which no number of writers passes before a commit raises it. */
	if (store->persistent)
		now = FX_MIN(now,
			     atomic_load_explicit(&store->version_ceiling, memory_order_acquire) -
				     FX_VERSION_AHEAD_NS / 2);
	do {
		next = last + 1;
		if (next < now)
			next = now;
		if (next <= floor)
			next = floor + 1;
	} while (!atomic_compare_exchange_weak_explicit(shard, &last, next, memory_order_relaxed,
							memory_order_relaxed));
	return next;
}

/* Those to come are above version; before it is published, so that a commit record knows it. */
static void version_lift(_Atomic uint64_t *shard, uint64_t version)
{
	uint64_t last = atomic_load_explicit(shard, memory_order_relaxed);

	while (last < version &&
	       !atomic_compare_exchange_weak_explicit(shard, &last, version, memory_order_relaxed,
						      memory_order_relaxed))
		;
}

static_assert(FX_VERSION_SHARDS <= 64, "a bit for each shard of versions");

uint64_t fx_version_for_all(struct feox_store *store, uint64_t shards, uint64_t hash)
{
	uint64_t version = 0;

	/* Whatever a key has had is not above its shard's latest. */
	for (unsigned int i = 0; i < FX_VERSION_SHARDS; i++) {
		uint64_t last =
			atomic_load_explicit(&store->version_shards[i], memory_order_relaxed);

		if ((shards >> i & 1) && last > version)
			version = last;
	}
	version = fx_version_next(store, hash, version);
	for (unsigned int i = 0; i < FX_VERSION_SHARDS; i++)
		if (shards >> i & 1)
			version_lift(&store->version_shards[i], version);
	return version;
}

int fx_version_check(unsigned int flags, uint64_t set_version)
{
	if ((flags & FEOX_SET_VERSION) && (!set_version || set_version > FEOX_VERSION_SET_MAX))
		return -EINVAL;
	return 0;
}

int fx_version_of_change(struct feox_store *store, uint64_t hash, const struct fx_record *before,
			 unsigned int flags, uint64_t set_version, uint64_t *ret_version)
{
	uint64_t floor = before ? before->version : 0;

	if (!(flags & FEOX_SET_VERSION)) {
		*ret_version = fx_version_next(store, hash, floor);
		return 0;
	}
	if (set_version <= floor)
		return -ESTALE;
	version_lift(&store->version_shards[hash % FX_VERSION_SHARDS], set_version);
	*ret_version = set_version;
	return 0;
}

/* ---- Room --------------------------------------------------------------------------------------
 */

void fx_grant_add(struct feox_store *store, struct fx_grant *grant, const struct fx_record *record)
{
	if (!store->persistent)
		return;
	grant->records++;
	grant->bytes += fx_queue_cost(record);
	grant->disk += fx_disk_cost_of(record);
}

void fx_grant_release(struct feox_store *store, struct fx_grant *grant)
{
	if (grant->records || grant->bytes)
		fx_queue_release(&store->queue, grant->records, grant->bytes);
	if (grant->disk)
		fx_disk_unreserve(store, grant->disk);
	*grant = (struct fx_grant){0};
}

/* Give back what is held beyond need. */
static void grant_trim(struct feox_store *store, struct fx_grant *held, const struct fx_grant *need)
{
	struct fx_grant surplus = {
		.records = held->records - need->records,
		.bytes = held->bytes - need->bytes,
		.disk = held->disk - need->disk,
	};

	fx_grant_release(store, &surplus);
	*held = *need;
}

static void wake_flusher(void *ctx)
{
	fx_flusher_wake(ctx);
}

int fx_grant_acquire(struct feox_store *store, struct fx_grant *held, const struct fx_grant *need,
		     bool nowait, bool reserved)
{
	int err;

	if (!store->persistent)
		return 0;
	if (held->records >= need->records && held->bytes >= need->bytes &&
	    held->disk >= need->disk) {
		grant_trim(store, held, need);
		return 0;
	}
	fx_grant_release(store, held);
	if (need->disk) {
		err = fx_disk_reserve(store, need->disk, reserved, nowait);
		if (err)
			return err;
	}
	err = fx_queue_try_admit(&store->queue, need->records, need->bytes);
	if (err == -EAGAIN && nowait)
		fx_flusher_wake(store); /* only it makes room, however long its interval is */
	else if (err == -EAGAIN)
		err = fx_queue_admit(&store->queue, need->records, need->bytes, wake_flusher,
				     store);
	fx_flusher_kick(store); /* looks whether it is worth it */
	if (err) {
		fx_disk_unreserve(store, need->disk);
		return err;
	}
	*held = *need;
	return 0;
}
