/* SPDX-License-Identifier: Apache-2.0 */
/* sync.c - waiting for durability; numbers that are never given out twice; the clock. */
#include "commit.h"

#include <errno.h>

/* Is what key is now durable already? */
static bool is_durable(struct feox_store *store, const void *key, size_t key_size)
{
	fx_word word;
	bool durable;

	fx_epoch_enter();
	word = fx_hash_index_find(store->hash, fx_hash_key(store->hash_seed, key, key_size), key,
				  key_size, NULL);
	switch (word ? fx_word_state(word) : FX_SLOT_FROZEN) {
	case FX_SLOT_LIVE:
	case FX_SLOT_TOMBSTONE:
		durable = fx_record_is(fx_word_record(word), FX_DURABLE);
		break;
	default: /* an empty slot is durably so; a key in transition is not */
		durable = !word;
	}
	fx_epoch_leave();
	return durable;
}

FEOX_API int feox_sync_async(struct feox_store *store, const void *key, size_t key_size,
			     void (*done)(void *ctx, int result), void *ctx)
{
	if (!store || !done || key_size > FEOX_KEY_MAX)
		return -EINVAL;
	if (!store->persistent || store->read_only || (key && is_durable(store, key, key_size))) {
		fx_count(&fx_counters(store)->syncs, 1);
		done(ctx, 0);
		return 0;
	}
	return fx_flusher_sync(store, done, ctx);
}

struct waiter {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool done;
	int result;
};

static void wake_waiter(void *ctx, int result)
{
	struct waiter *w = ctx;

	pthread_mutex_lock(&w->mutex);
	w->done = true;
	w->result = result;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->mutex);
}

FEOX_API int feox_sync_key(struct feox_store *store, const void *key, size_t key_size)
{
	struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
	int err = feox_sync_async(store, key, key_size, wake_waiter, &w);

	if (err)
		return err;
	pthread_mutex_lock(&w.mutex);
	while (!w.done)
		pthread_cond_wait(&w.cond, &w.mutex);
	pthread_mutex_unlock(&w.mutex);
	return w.result;
}

FEOX_API int feox_sync(struct feox_store *store)
{
	return feox_sync_key(store, NULL, 0);
}

int fx_version_announce(struct feox_store *store, uint64_t hash, unsigned int flags,
			uint64_t set_version)
{
	uint64_t unused;

	if (!(flags & FEOX_SET_VERSION) || !store->persistent ||
	    set_version + FX_VERSION_AHEAD_NS / 2 <=
		    atomic_load_explicit(&store->version_ceiling, memory_order_acquire))
		return 0;
	/* Lifted first: the next commit record's ceiling is above what has been given out. */
	(void)fx_version_of_change(store, hash, NULL, flags, set_version, &unused);
	if (flags & FEOX_NOWAIT) {
		fx_flusher_wake(store);
		return -EAGAIN;
	}
	return feox_sync(store);
}

FEOX_API int feox_next_id(struct feox_store *store, uint64_t *ret_id)
{
	uint64_t id;
	int err;

	if (!store || !ret_id)
		return -EINVAL;
	err = fx_store_writable(store);
	if (err)
		return err;
	id = atomic_fetch_add(&store->id_next, 1);
	/* Every commit record allows 16 million more; who is faster than that waits for one. */
	while (id > atomic_load_explicit(&store->id_ceiling, memory_order_acquire)) {
		err = feox_sync(store);
		if (err)
			return err;
	}
	*ret_id = id;
	return 0;
}

FEOX_API uint64_t feox_now(struct feox_store *store)
{
	return fx_clock_now(&store->clock);
}

FEOX_API char feox_separator(const struct feox_store *store)
{
	return store->separator;
}
