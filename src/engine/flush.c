/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flush.c - the flusher's thread: the one owner of the device, of the map of it, and of where every
 * record is on disk.
 *
 *      +--> asleep --- interval, sync, kick, growth, stop ---> round ---+
 *      +-----------------------------------------------------------------+
 *
 * A round takes the waiters first, then the cut: so everything that was published before a waiter
 * came is in the cut, and all waiters share its one fdatasync (group commit). A round that fails
 * makes the store read-only for good (fx_store_fail): its records stay dirty and resident, every
 * waiter is told, nothing is retried and forgotten.
 */
#include "batch_write.h"

#include "bytes.h"
#include "cleanup.h"
#include "compact.h"
#include "histogram.h"
#include "room.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S      UINT64_C(1000000000)
#define FULL_QUEUE_NS UINT64_C(1000000) /* between two rounds while writers wait for room */

struct sync_waiter {
	struct sync_waiter *next;
	void (*done)(void *ctx, int result);
	void *ctx;
	uint64_t begin_ns;
};

struct fx_flusher {
	struct feox_store *store;
	pthread_t thread;
	_Atomic bool kicked;
	/* Guarded by mutex. */
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	struct sync_waiter *waiters;
	bool stop;
	uint64_t room_wanted;		    /* bytes; 0: nothing is wanted */
	uint64_t room_taken, room_answered; /* rounds for those who want room */
	int room_result;
	pthread_cond_t room;
};

/* ---- Room --------------------------------------------------------------------------------------
 */

static void answer_room(struct fx_flusher *flusher, uint64_t asked)
{
	int err = atomic_load(&flusher->store->failed) ? -EIO : fx_room_make(flusher->store, asked);

	pthread_mutex_lock(&flusher->mutex);
	flusher->room_answered = flusher->room_taken;
	flusher->room_result = err;
	pthread_cond_broadcast(&flusher->room);
	pthread_mutex_unlock(&flusher->mutex);
}

int fx_flusher_make_room(struct feox_store *store, uint64_t bytes)
{
	struct fx_flusher *flusher = store->flusher;
	uint64_t mine;
	int result;

	pthread_mutex_lock(&flusher->mutex);
	if (bytes > flusher->room_wanted)
		flusher->room_wanted = bytes;
	mine = flusher->room_taken + 1; /* a round that has begun knows nothing of us */
	pthread_cond_signal(&flusher->wake);
	while (flusher->room_answered < mine && !flusher->stop)
		pthread_cond_wait(&flusher->room, &flusher->mutex);
	result = flusher->room_answered < mine ? -EIO : flusher->room_result;
	pthread_mutex_unlock(&flusher->mutex);
	return result;
}

/* ---- A round -----------------------------------------------------------------------------------
 */

static void call_waiters(struct feox_store *store, struct sync_waiter *waiter, int result)
{
	while (waiter) {
		struct sync_waiter *next = waiter->next;

		if (!result) {
			fx_count(&fx_counters(store)->syncs, 1);
			fx_timer_end(store, FEOX_OP_SYNC, waiter->begin_ns);
		}
		waiter->done(waiter->ctx, result);
		free(waiter);
		waiter = next;
	}
}

static int write_cut(struct feox_store *store, struct fx_pending *cut, struct fx_compaction *moving)
{
	uint64_t begin = fx_monotonic_ns(), took;
	int err = fx_batch_write(store, cut, moving);

	if (err) {
		fx_store_fail(store, err, "writing a batch");
		return err;
	}
	took = fx_monotonic_ns() - begin;
	fx_histogram_add(&store->latency[FEOX_OP_FLUSH], took);
	atomic_store_explicit(&store->io.flush_ns_last, took, memory_order_relaxed);
	if (took > atomic_load_explicit(&store->io.flush_ns_max, memory_order_relaxed))
		atomic_store_explicit(&store->io.flush_ns_max, took, memory_order_relaxed);
	return 0;
}

/* The cut and what compaction moves, when there is one or the other. */
static int write_batch(struct feox_store *store, bool closing)
{
	uint64_t queued = atomic_load_explicit(&store->queue.bytes, memory_order_relaxed);
	struct fx_compaction moving;
	bool moves = !closing && fx_compact_begin(store, queued, 0, &moving);
	struct fx_pending *cut = fx_queue_cut(&store->queue);
	int err = 0;

	if (cut || moves || fx_ceilings_are_short(store))
		err = write_cut(store, cut, moves ? &moving : NULL);
	if (moves)
		fx_compact_end(&moving);
	return err;
}

static void round_trip(struct fx_flusher *flusher, struct sync_waiter *waiters,
		       uint64_t room_wanted, bool closing)
{
	struct feox_store *store = flusher->store;
	int err = atomic_load(&store->failed);

	if (err)
		fx_queue_cut(&store->queue); /* windows are left; its records stay dirty */
	else
		err = write_batch(store, closing);
	if (!err && fx_chain_is_long(store)) {
		int full = fx_chain_checkpoint(store, store->chain);

		/* Without room the old chain goes on. */
		if (full && full != -ENOSPC)
			fx_store_fail(store, full, "writing a checkpoint");
	}
	call_waiters(store, waiters, err ? -EIO : 0);
	fx_epoch_flush(store->epoch);
	fx_room_reap(store);
	if (room_wanted)
		answer_room(flusher, room_wanted);
	else if (!atomic_load(&store->failed))
		fx_disk_free_update(store);
	if (!closing && !atomic_load(&store->failed))
		fx_room_adjust(store);
}

/* ---- The thread --------------------------------------------------------------------------------
 */

static bool is_queue_full(const struct feox_store *store)
{
	/* Half of the room is taken: there is more when the other half is. */
	if (atomic_load_explicit(&store->disk_reserved, memory_order_relaxed) >
	    atomic_load_explicit(&store->disk_free, memory_order_relaxed) / 2)
		return true;
	return atomic_load_explicit(&store->queue.records, memory_order_relaxed) >=
		       FX_QUEUE_WAKE_RECORDS ||
	       atomic_load_explicit(&store->queue.bytes, memory_order_relaxed) >=
		       FX_QUEUE_WAKE_BYTES;
}

static struct timespec deadline(uint64_t after_ns)
{
	uint64_t at = fx_monotonic_ns() + after_ns;

	return (struct timespec){.tv_sec = (time_t)(at / NS_PER_S),
				 .tv_nsec = (long)(at % NS_PER_S)};
}

/* Sleep until there is something to do. False: stop. Under the mutex. */
static bool wait_for_work(struct fx_flusher *flusher)
{
	struct feox_store *store = flusher->store;
	struct timespec until = deadline(fx_queue_has_waiters(&store->queue)
						 ? FX_MIN(FULL_QUEUE_NS, store->flush_interval_ns)
						 : store->flush_interval_ns);

	while (!flusher->stop && !flusher->waiters && !flusher->room_wanted &&
	       !atomic_exchange(&flusher->kicked, false))
		if (pthread_cond_timedwait(&flusher->wake, &flusher->mutex, &until) == ETIMEDOUT)
			break;
	return !flusher->stop;
}

static void *run(void *arg)
{
	struct fx_flusher *flusher = arg;
	bool go_on = true;

	while (go_on) {
		struct sync_waiter *waiters;
		uint64_t room_wanted;

		pthread_mutex_lock(&flusher->mutex);
		go_on = wait_for_work(flusher);
		waiters = flusher->waiters;
		flusher->waiters = NULL;
		room_wanted = flusher->room_wanted;
		flusher->room_wanted = 0;
		flusher->room_taken += room_wanted != 0;
		pthread_mutex_unlock(&flusher->mutex);
		round_trip(flusher, waiters, room_wanted, !go_on);
	}
	return NULL;
}

void fx_flusher_wake(struct feox_store *store)
{
	struct fx_flusher *flusher = store->flusher;

	if (!flusher || atomic_exchange(&flusher->kicked, true))
		return;
	pthread_mutex_lock(&flusher->mutex);
	pthread_cond_signal(&flusher->wake);
	pthread_mutex_unlock(&flusher->mutex);
}

void fx_flusher_kick(struct feox_store *store)
{
	struct fx_flusher *flusher = store->flusher;

	if (flusher && !atomic_load_explicit(&flusher->kicked, memory_order_relaxed) &&
	    is_queue_full(store))
		fx_flusher_wake(store);
}

int fx_flusher_sync(struct feox_store *store, void (*done)(void *ctx, int result), void *ctx)
{
	struct fx_flusher *flusher = store->flusher;
	struct sync_waiter *waiter = malloc(sizeof(*waiter));

	if (!waiter)
		return -ENOMEM;
	*waiter = (struct sync_waiter){.done = done, .ctx = ctx, .begin_ns = fx_monotonic_ns()};
	pthread_mutex_lock(&flusher->mutex);
	waiter->next = flusher->waiters;
	flusher->waiters = waiter;
	pthread_cond_signal(&flusher->wake);
	pthread_mutex_unlock(&flusher->mutex);
	return 0;
}

int fx_flusher_start(struct feox_store *store)
{
	struct fx_flusher *flusher = calloc(1, sizeof(*flusher));
	pthread_condattr_t attr;
	int err;

	if (!flusher)
		return -ENOMEM;
	flusher->store = store;
	/* Never the number of an earlier extent: every writable open has a new chain. */
	store->next_sequence = (store->super.chain_generation << 32) + 1;
	pthread_mutex_init(&flusher->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&flusher->wake, &attr);
	pthread_cond_init(&flusher->room, &attr);
	pthread_condattr_destroy(&attr);
	fx_disk_free_update(store);
	store->flusher = flusher;
	err = pthread_create(&flusher->thread, NULL, run, flusher);
	if (err) {
		store->flusher = NULL;
		pthread_cond_destroy(&flusher->room);
		pthread_cond_destroy(&flusher->wake);
		pthread_mutex_destroy(&flusher->mutex);
		free(flusher);
	}
	return -err;
}

int fx_flusher_stop(struct feox_store *store)
{
	struct fx_flusher *flusher = store->flusher;
	int err;

	pthread_mutex_lock(&flusher->mutex);
	flusher->stop = true;
	pthread_cond_broadcast(&flusher->wake);
	pthread_cond_broadcast(&flusher->room);
	pthread_mutex_unlock(&flusher->mutex);
	pthread_join(flusher->thread, NULL);
	/* Two more cuts at most: what was pushed while the last round ran. */
	for (int i = 0; i < 2; i++) {
		round_trip(flusher, flusher->waiters, 0, true);
		flusher->waiters = NULL;
	}
	err = atomic_load(&store->failed) ? -EIO : fx_chain_end(store);
	store->flusher = NULL;
	pthread_cond_destroy(&flusher->room);
	pthread_cond_destroy(&flusher->wake);
	pthread_mutex_destroy(&flusher->mutex);
	free(flusher);
	return err;
}
