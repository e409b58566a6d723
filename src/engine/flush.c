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
#include "cool.h"
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

/* Those who want room, of one kind. Guarded by the flusher's mutex. */
struct demand {
	uint64_t wanted;	  /* bytes; 0: nothing is wanted */
	uint64_t taken, answered; /* rounds for them */
	int result;
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
	struct demand disk, memory;
	pthread_cond_t answer;
};

/* ---- Room --------------------------------------------------------------------------------------
 */

static void answer(struct fx_flusher *flusher, struct demand *demand, uint64_t asked,
		   int (*make)(struct feox_store *store, uint64_t asked))
{
	int err;

	if (!asked)
		return;
	err = atomic_load(&flusher->store->failed) ? -EIO : make(flusher->store, asked);
	pthread_mutex_lock(&flusher->mutex);
	demand->answered = demand->taken;
	demand->result = err;
	pthread_cond_broadcast(&flusher->answer);
	pthread_mutex_unlock(&flusher->mutex);
}

static int ask(struct fx_flusher *flusher, struct demand *demand, uint64_t bytes)
{
	uint64_t mine;
	int result;

	pthread_mutex_lock(&flusher->mutex);
	if (bytes > demand->wanted)
		demand->wanted = bytes;
	mine = demand->taken + 1; /* a round that has begun knows nothing of us */
	pthread_cond_signal(&flusher->wake);
	while (demand->answered < mine && !flusher->stop)
		pthread_cond_wait(&flusher->answer, &flusher->mutex);
	result = demand->answered < mine ? -EIO : demand->result;
	pthread_mutex_unlock(&flusher->mutex);
	return result;
}

int fx_flusher_make_room(struct feox_store *store, uint64_t bytes)
{
	return ask(store->flusher, &store->flusher->disk, bytes);
}

int fx_flusher_make_memory(struct feox_store *store, uint64_t bytes)
{
	return ask(store->flusher, &store->flusher->memory, bytes);
}

/* The round that begins is for those who have asked by now. Under the mutex. */
static uint64_t take(struct demand *demand)
{
	uint64_t asked = demand->wanted;

	demand->wanted = 0;
	demand->taken += asked != 0;
	return asked;
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

/* What a round is for. */
struct round {
	struct sync_waiter *waiters;
	uint64_t disk, memory; /* bytes that are asked for */
	bool closing;
};

static void round_trip(struct fx_flusher *flusher, const struct round *round)
{
	struct feox_store *store = flusher->store;
	int err = atomic_load(&store->failed);

	if (err)
		fx_queue_cut(&store->queue); /* windows are left; its records stay dirty */
	else
		err = write_batch(store, round->closing);
	if (!err && fx_chain_is_long(store)) {
		int full = fx_chain_checkpoint(store, store->chain);

		/* Without room the old chain goes on. */
		if (full && full != -ENOSPC)
			fx_store_fail(store, full, "writing a checkpoint");
	}
	call_waiters(store, round->waiters, err ? -EIO : 0);
	fx_epoch_flush(store->epoch);
	fx_room_reap(store);
	if (!atomic_load(&store->failed)) {
		fx_disk_free_update(store);
		if (!round->closing) {
			fx_room_adjust(store);
			fx_cool_ahead(store);
		}
	}
	answer(flusher, &flusher->disk, round->disk, fx_room_make);
	answer(flusher, &flusher->memory, round->memory, fx_cool_make_room);
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

	while (!flusher->stop && !flusher->waiters && !flusher->disk.wanted &&
	       !flusher->memory.wanted && !atomic_exchange(&flusher->kicked, false))
		if (pthread_cond_timedwait(&flusher->wake, &flusher->mutex, &until) == ETIMEDOUT)
			break;
	return !flusher->stop;
}

static void *run(void *arg)
{
	struct fx_flusher *flusher = arg;
	bool go_on = true;

	while (go_on) {
		struct round round;

		pthread_mutex_lock(&flusher->mutex);
		go_on = wait_for_work(flusher);
		round = (struct round){.waiters = flusher->waiters,
				       .disk = take(&flusher->disk),
				       .memory = take(&flusher->memory),
				       .closing = !go_on};
		flusher->waiters = NULL;
		pthread_mutex_unlock(&flusher->mutex);
		round_trip(flusher, &round);
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

void fx_flusher_hurry(struct feox_store *store)
{
	if (!atomic_load_explicit(&store->flusher->kicked, memory_order_relaxed))
		fx_flusher_wake(store);
}

void fx_flusher_kick(struct feox_store *store)
{
	if (store->flusher && is_queue_full(store))
		fx_flusher_hurry(store);
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
	pthread_cond_init(&flusher->answer, &attr);
	pthread_condattr_destroy(&attr);
	fx_disk_free_update(store);
	store->flusher = flusher;
	err = pthread_create(&flusher->thread, NULL, run, flusher);
	if (err) {
		store->flusher = NULL;
		pthread_cond_destroy(&flusher->answer);
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
	pthread_cond_broadcast(&flusher->answer);
	pthread_mutex_unlock(&flusher->mutex);
	pthread_join(flusher->thread, NULL);
	/* Two more cuts at most: what was pushed while the last round ran. */
	for (int i = 0; i < 2; i++) {
		round_trip(flusher, &(struct round){.waiters = flusher->waiters, .closing = true});
		flusher->waiters = NULL;
	}
	err = atomic_load(&store->failed) ? -EIO : fx_chain_end(store);
	store->flusher = NULL;
	pthread_cond_destroy(&flusher->answer);
	pthread_cond_destroy(&flusher->wake);
	pthread_mutex_destroy(&flusher->mutex);
	free(flusher);
	return err;
}
