/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sweeper.c - a thread that removes expired keys, so that their memory and disk come back. It is
 * not what makes them expire: every call compares with the clock.
 *
 * It is also the store's housekeeper: what was retired below a batch is handed over, and memory
 * that nobody used lately goes back to the kernel.
 *
 * Passes. The table is walked from end to end in passes, a step at a time: one epoch section that
 * collects what has expired, then an ordinary commit for each key, which succeeds only if the key
 * still has the record that was seen. Every TURN_NS a turn makes some steps, so many that a pass
 * takes PASS_TURNS turns; but as long as steps find much it goes on without a pause, at the speed
 * of the commits. So a mass expiry takes the time of its deletes, and one expired key in a large
 * store some seconds.
 *
 * Between passes it knows when the next key expires, and does not look at the table before:
 *  S1 store->expiry_next is not later than the expiry of any live record whose last change the
 *     current (or, between passes, the last) pass has not seen. Who publishes a record lowers it
 *     after publication (fx_count_change()); a pass sets it to "never" before its first step.
 *  S2 What a pass has seen and left is in sweeper->next, which is merged at its end.
 *  S3 What it could not look at (an intent, which may stand for a record of any expiry, published
 *     before) or could not remove counts as due: another pass follows.
 */
#include "write.h"

#include "cleanup.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define TURN_NS	   50000000u /* between two turns */
#define STEP_WORDS 1024u     /* visited in a step */
#define STEPS_MIN  4u	     /* in a turn */
#define PASS_TURNS 100u	     /* for the whole table, when nothing is found */
#define FOUND_MAX  (STEP_WORDS + 64)
#define MUCH	   (STEP_WORDS / 32) /* found in a step: go on at once */
#define TRIM_TURNS 20u		     /* turns from one look for unused memory to the next */
#define NEVER	   UINT64_MAX

struct fx_sweeper {
	struct feox_store *store;
	pthread_t thread;
	pthread_mutex_t mutex; /* for wake */
	pthread_cond_t wake;
	_Atomic bool stop; /* set under mutex */
	unsigned int turns;
	uint64_t cursor; /* of the pass; 0: none is under way */
	uint64_t next;	 /* earliest expiry the pass has left (S2) */
	uint64_t now;
	struct fx_record *found[FOUND_MAX];
	size_t count;
};

void fx_expiry_lower(struct feox_store *store, uint64_t expiry_ns)
{
	uint64_t next;

	/*
	 * Pairs with the fence that begins a pass: either we see what that has set, or it sees the
	 * record, which was published before.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	next = atomic_load_explicit(&store->expiry_next, memory_order_relaxed);
	while (expiry_ns < next &&
	       !atomic_compare_exchange_weak_explicit(&store->expiry_next, &next, expiry_ns,
						      memory_order_relaxed, memory_order_relaxed))
		;
}

static void visit(void *ctx, fx_slot *slot, fx_word word)
{
	struct fx_sweeper *sweeper = ctx;
	struct fx_record *record = fx_word_record(word);
	uint64_t due = NEVER;

	if (fx_word_state(word) == FX_SLOT_INTENT) {
		due = sweeper->now; /* S3 */
	} else if (fx_word_state(word) == FX_SLOT_LIVE && (record->flags & FX_RECORD_EXPIRES)) {
		due = fx_record_expiry(record);
		if (due <= sweeper->now && sweeper->count < FOUND_MAX) {
			fx_record_ref(record);
			sweeper->found[sweeper->count++] = record;
			return;
		}
	}
	sweeper->next = FX_MIN(sweeper->next, due);
}

static void remove_found(struct fx_sweeper *sweeper)
{
	struct feox_store *store = sweeper->store;

	for (size_t i = 0; i < sweeper->count; i++) {
		int err = fx_sweep_key(store, sweeper->found[i]);

		if (err && err != -ENOENT)
			sweeper->next = sweeper->now; /* S3 */
		fx_record_unref(store->slab, sweeper->found[i]);
	}
}

/* How many keys it has removed. */
static size_t step(struct fx_sweeper *sweeper)
{
	struct feox_store *store = sweeper->store;

	sweeper->count = 0;
	sweeper->now = fx_clock_now(&store->clock);
	fx_epoch_enter();
	fx_hash_index_walk(store->hash, &sweeper->cursor, STEP_WORDS, visit, sweeper);
	fx_epoch_leave();
	remove_found(sweeper);
	return sweeper->count;
}

/* Is there anything to be found? Then a pass begins. */
static bool pass_begin(struct fx_sweeper *sweeper)
{
	struct feox_store *store = sweeper->store;
	uint64_t next = atomic_load_explicit(&store->expiry_next, memory_order_relaxed);

	if (next > fx_clock_now(&store->clock))
		return false;
	atomic_store_explicit(&store->expiry_next, NEVER, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst); /* pairs with fx_expiry_lower() */
	sweeper->next = NEVER;
	return true;
}

static void sweep(struct fx_sweeper *sweeper)
{
	struct feox_store *store = sweeper->store;
	size_t steps = (size_t)fx_sum_keys(store) / PASS_TURNS / STEP_WORDS + STEPS_MIN;

	if (fx_store_writable(store) || (!sweeper->cursor && !pass_begin(sweeper)))
		return;
	while (steps && !atomic_load_explicit(&sweeper->stop, memory_order_relaxed)) {
		steps -= step(sweeper) < MUCH;
		if (!sweeper->cursor) {
			fx_expiry_lower(store, sweeper->next);
			return;
		}
	}
}

static void turn(struct fx_sweeper *sweeper)
{
	fx_epoch_flush(sweeper->store->epoch);
	if (++sweeper->turns % TRIM_TURNS == 0)
		fx_slab_trim(sweeper->store->slab);
	sweep(sweeper);
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
		turn(sweeper);
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
