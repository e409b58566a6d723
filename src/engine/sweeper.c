/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sweeper.c - a thread that removes expired keys, so that their memory and disk come back. It is
 * not what makes them expire: every call compares with the clock.
 *
 * It is also the store's housekeeper: what was retired below a batch is handed over, and memory
 * that nobody used lately goes back to the kernel.
 *
 * It walks the hash table in order, a share of it a turn, and deletes what has expired by an
 * ordinary commit that succeeds only if the key still has the sampled record. Where it finds much
 * it goes on at once. A store without expiring keys costs it a look at a counter.
 */
#include "write.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define TURN_NS	    50000000u /* between two turns */
#define WORDS_MIN   4096u     /* visited in a turn */
#define PASS_TURNS  100u      /* turns for the whole table */
#define FOUND_MAX   256u      /* collected before they are deleted */
#define BURST_TURNS 64u	      /* turns without a pause while much is found */
#define TRIM_TURNS  20u	      /* turns from one look for unused memory to the next */

struct fx_sweeper {
	struct feox_store *store;
	pthread_t thread;
	pthread_mutex_t mutex; /* guards stop */
	pthread_cond_t wake;
	bool stop;
	unsigned int turns;
	uint64_t cursor;
	uint64_t now;
	struct fx_record *found[FOUND_MAX];
	size_t count;
};

static void visit(void *ctx, fx_slot *slot, fx_word word)
{
	struct fx_sweeper *sweeper = ctx;
	struct fx_record *record = fx_word_record(word);

	if (fx_word_state(word) != FX_SLOT_LIVE || !fx_record_expired(record, sweeper->now) ||
	    sweeper->count == FOUND_MAX)
		return;
	fx_record_ref(record);
	sweeper->found[sweeper->count++] = record;
}

/* Visit words of the table and delete what has expired of them. True: it found as much as fits. */
static bool turn(struct fx_sweeper *sweeper, size_t words)
{
	struct feox_store *store = sweeper->store;
	uint64_t cursor = sweeper->cursor;

	sweeper->count = 0;
	sweeper->now = fx_clock_now(&store->clock);
	fx_epoch_enter();
	fx_hash_index_walk(store->hash, &cursor, words, visit, sweeper);
	fx_epoch_leave();
	/* With a full hand, look at the same part again after deleting what it held. */
	if (sweeper->count < FOUND_MAX)
		sweeper->cursor = cursor;
	for (size_t i = 0; i < sweeper->count; i++) {
		fx_sweep_key(store, sweeper->found[i]);
		fx_record_unref(store->slab, sweeper->found[i]);
	}
	return sweeper->count == FOUND_MAX;
}

static void sweep(struct fx_sweeper *sweeper)
{
	int64_t expiring, keys = fx_sum_keys(sweeper->store, &expiring);
	size_t words = (size_t)keys / PASS_TURNS;

	fx_epoch_flush(sweeper->store->epoch);
	if (++sweeper->turns % TRIM_TURNS == 0)
		fx_slab_trim(sweeper->store->slab);
	if (expiring <= 0 || fx_store_writable(sweeper->store))
		return;
	if (words < WORDS_MIN)
		words = WORDS_MIN;
	for (unsigned int i = 0; i < BURST_TURNS && turn(sweeper, words); i++)
		;
}

static bool wait_turn(struct fx_sweeper *sweeper)
{
	struct timespec until;
	bool stop;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TURN_NS;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_mutex_lock(&sweeper->mutex);
	while (!sweeper->stop &&
	       pthread_cond_timedwait(&sweeper->wake, &sweeper->mutex, &until) != ETIMEDOUT)
		;
	stop = sweeper->stop;
	pthread_mutex_unlock(&sweeper->mutex);
	return !stop;
}

static void *run(void *arg)
{
	struct fx_sweeper *sweeper = arg;

	while (wait_turn(sweeper))
		sweep(sweeper);
	return NULL;
}

int fx_sweeper_start(struct feox_store *store)
{
	struct fx_sweeper *sweeper = calloc(1, sizeof(*sweeper));
	pthread_condattr_t attr;
	int err;

	if (!sweeper)
		return -ENOMEM;
	sweeper->store = store;
	pthread_mutex_init(&sweeper->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&sweeper->wake, &attr);
	pthread_condattr_destroy(&attr);
	err = pthread_create(&sweeper->thread, NULL, run, sweeper);
	if (err) {
		pthread_cond_destroy(&sweeper->wake);
		pthread_mutex_destroy(&sweeper->mutex);
		free(sweeper);
		return -err;
	}
	store->sweeper = sweeper;
	return 0;
}

void fx_sweeper_stop(struct feox_store *store)
{
	struct fx_sweeper *sweeper = store->sweeper;

	if (!sweeper)
		return;
	pthread_mutex_lock(&sweeper->mutex);
	sweeper->stop = true;
	pthread_cond_signal(&sweeper->wake);
	pthread_mutex_unlock(&sweeper->mutex);
	pthread_join(sweeper->thread, NULL);
	pthread_cond_destroy(&sweeper->wake);
	pthread_mutex_destroy(&sweeper->mutex);
	free(sweeper);
	store->sweeper = NULL;
}
