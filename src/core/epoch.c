/* SPDX-License-Identifier: Apache-2.0 */
/* epoch.c - an epoch's life, and all that waits for grace periods; how things are retired stands in
 * retire.c. */
#include "epoch_state.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#ifdef FX_TSAN
/*
 * What liburcu itself does with memory, in its threads and in barrier calls, is ordered by means
 * that ThreadSanitizer does not see; what its callbacks do is ours, and stays watched.
 */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
	return "called_from_lib:liburcu\n";
}
#endif

/* ---- Waiting --------------------------------------------------------------------------------- */

void fx_epoch_synchronize(void)
{
	urcu_bp_synchronize_rcu();
	FX_TSAN_ACQUIRE(FX_TSAN_GRACE);
}

static void barrier(void)
{
	urcu_bp_barrier();
	FX_TSAN_ACQUIRE(FX_TSAN_GRACE);
}

void fx_epoch_drain(struct fx_epoch *epoch)
{
	fx_epoch_flush(epoch);
	barrier(); /* E4 */
}

static bool is_behind(struct fx_epoch *epoch)
{
	return atomic_load(&epoch->handed_bytes) > epoch->deferred_max;
}

static void deadline_after(struct timespec *at, uint64_t ns)
{
	clock_gettime(CLOCK_MONOTONIC, at);
	ns += (uint64_t)at->tv_nsec;
	at->tv_sec += (time_t)(ns / UINT64_C(1000000000));
	at->tv_nsec = (long)(ns % UINT64_C(1000000000));
}

static bool has_not_freed(struct fx_epoch *epoch, uint64_t frees)
{
	return atomic_load(&epoch->frees) == frees && atomic_load(&epoch->handed_bytes);
}

/* Until the deferred bytes are below the limit, or, when frees is given, until it has changed. */
static int wait_for_frees(struct fx_epoch *epoch, const uint64_t *frees)
{
	struct timespec deadline;
	int err = 0;

	deadline_after(&deadline, FX_EPOCH_WAIT_NS);
	pthread_mutex_lock(&epoch->mutex);
	atomic_fetch_add(&epoch->throttled, 1); /* pairs with the load in batch_free() */
	while ((frees ? has_not_freed(epoch, *frees) : is_behind(epoch)) && !err)
		err = pthread_cond_timedwait(&epoch->freed, &epoch->mutex, &deadline);
	atomic_fetch_sub(&epoch->throttled, 1);
	pthread_mutex_unlock(&epoch->mutex);
	return err ? -ENOMEM : 0;
}

int fx_epoch_throttle(struct fx_epoch *epoch, bool nowait)
{
	/* Relaxed: being late by a moment does not matter. */
	if (atomic_load_explicit(&epoch->handed_bytes, memory_order_relaxed) <= epoch->deferred_max)
		return 0;
	return nowait ? -EAGAIN : wait_for_frees(epoch, NULL);
}

bool fx_epoch_reclaim(struct fx_epoch *epoch)
{
	uint64_t frees = atomic_load(&epoch->frees);

	fx_epoch_flush(epoch);
	return wait_for_frees(epoch, &frees) == 0 && atomic_load(&epoch->frees) != frees;
}

uint64_t fx_epoch_deferred(const struct fx_epoch *epoch)
{
	uint64_t bytes = 0;

	/* Acquire: pairs with hand_over(): bytes missing here are in handed_bytes (E3). */
	for (struct fx_local_node *node = fx_local_first(&epoch->local); node; node = node->next)
		bytes += atomic_load_explicit(&((struct fx_collector *)node)->bytes,
					      memory_order_acquire);
	return bytes + atomic_load_explicit(&epoch->handed_bytes, memory_order_acquire);
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* liburcu's thread is to take no signals of the program's. */
static void start_callback_thread(void)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	urcu_bp_get_default_call_rcu_data();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int fx_epoch_create(void *ctx, struct fx_epoch **ret_epoch)
{
	struct fx_epoch *epoch = aligned_alloc(alignof(struct fx_epoch), sizeof(*epoch));
	pthread_condattr_t attr;

	if (!epoch)
		return -ENOMEM;
	*epoch = (struct fx_epoch){.ctx = ctx, .deferred_max = FX_EPOCH_DEFERRED_MAX};
	pthread_mutex_init(&epoch->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&epoch->freed, &attr);
	pthread_condattr_destroy(&attr);
	fx_local_init(&epoch->local, sizeof(struct fx_collector), 1, fx_collector_leave);
	start_callback_thread();
	*ret_epoch = epoch;
	return 0;
}

void fx_epoch_configure(struct fx_epoch *epoch, void (*free_plain)(void *item, void *ctx),
			uint64_t deferred_max)
{
	epoch->free_plain = free_plain;
	epoch->deferred_max = deferred_max;
}

void fx_epoch_destroy(struct fx_epoch *epoch)
{
	if (!epoch)
		return;
	/* What a free() retires from now on is late: it does not touch the nodes that leave. */
	atomic_store_explicit(&epoch->ending, true, memory_order_relaxed);
	barrier(); /* also for those that have not seen it */
	fx_local_destroy(&epoch->local);
	do {
		fx_epoch_hand_over_late(epoch);
		barrier();
	} while (atomic_load_explicit(&epoch->late, memory_order_relaxed));
	pthread_cond_destroy(&epoch->freed);
	pthread_mutex_destroy(&epoch->mutex);
	free(epoch);
}
