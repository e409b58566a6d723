/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoch.c - retired memory in batches through call_rcu(3).
 *
 * One callback an item would wake liburcu's thread for every overwrite. So the items of a CPU are
 * collected on a shard, a lock-free stack, and go to call_rcu() together:
 *
 *   retire: push --(128 items or 1 MiB are there)--> the whole stack is taken by one exchange
 *           --> batch --call_rcu--> grace period --> each item's free() on liburcu's thread
 *
 * Invariants
 *  E1 Nothing here allocates after creation, so retiring cannot fail: batches come from a pool.
 * When none is free (a reader has been inside for long), items stay on the shard and the next
 * retire tries again; the batch then takes all of them, however many. E2 An item is on one shard,
 * or in one batch, or freed. Items leave a shard only all together (exchange with NULL), so the
 * stack has no ABA. E3 Who takes a shard's items holds its count `handing` from before the exchange
 * until call_rcu() has them. So after an own exchange, `handing` seen at 0 says that everything
 * pushed before is with liburcu, and urcu_bp_barrier() waits for it: that is fx_epoch_drain(). E4
 * An item's bytes are counted from before its push. They may be counted a little longer than it is
 * there (a batch takes the count first, then the items), never less, and a drain of quiet shards
 * leaves 0.
 *
 * call_rcu() is called with at least the guarantee that it is a full barrier for the items: they
 * were unlinked before retire was called, and a grace period begins after.
 */
#include "epoch.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#define SHARDS		 16u /* a power of two */
#define BATCHES		 1024u
#define BATCH_ITEMS	 128u
#define BATCH_BYTES	 ((uint64_t)1 << 20)
#define PENDING_ITEM	 ((uint64_t)1 << 40) /* shard.pending: items << 40 | bytes */
#define PENDING_BYTES(p) ((p) & (PENDING_ITEM - 1))

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

struct batch {
	struct rcu_head head;
	struct fx_epoch *epoch;
	struct fx_retired *items;
	uint64_t bytes;
	_Atomic uint32_t next_free; /* number + 1 of a batch; read by takers that then lose */
};

struct shard {
	alignas(64) struct fx_retired *_Atomic items;
	_Atomic uint64_t pending; /* what is on it (E4) */
	_Atomic uint32_t handing; /* threads between exchange and call_rcu (E3) */
};

struct fx_epoch {
	struct shard shards[SHARDS];
	alignas(64) _Atomic uint64_t free_batch; /* changes << 32 | number + 1, 0: none */
	_Atomic uint64_t handed_bytes;		 /* in batches given to call_rcu */
	_Atomic uint32_t handed_batches;
	void *ctx;
	struct batch batches[BATCHES];
};

/* ---- The pool of batches: a stack of numbers; the count of changes keeps ABA out ----------------
 */

static struct batch *batch_take(struct fx_epoch *epoch)
{
	/* Acquire: pairs with batch_give(); the batch's next_free is seen. */
	uint64_t top = atomic_load_explicit(&epoch->free_batch, memory_order_acquire);
	uint64_t next;
	struct batch *batch;

	do {
		if (!(uint32_t)top)
			return NULL;
		batch = &epoch->batches[(uint32_t)top - 1];
		next = ((top >> 32) + 1) << 32 |
		       atomic_load_explicit(&batch->next_free, memory_order_relaxed);
	} while (!atomic_compare_exchange_weak_explicit(
		&epoch->free_batch, &top, next, memory_order_acquire, memory_order_acquire));
	return batch;
}

static void batch_give(struct fx_epoch *epoch, struct batch *batch)
{
	uint32_t number = (uint32_t)(batch - epoch->batches);
	uint64_t top = atomic_load_explicit(&epoch->free_batch, memory_order_relaxed);
	uint64_t next;

	do {
		atomic_store_explicit(&batch->next_free, (uint32_t)top, memory_order_relaxed);
		next = ((top >> 32) + 1) << 32 | (number + 1);
		/* Release: pairs with batch_take(). */
	} while (!atomic_compare_exchange_weak_explicit(
		&epoch->free_batch, &top, next, memory_order_release, memory_order_relaxed));
}

/* ---- Handing over ------------------------------------------------------------------------------
 */

/* On liburcu's thread, a grace period after the items were handed over. */
static void batch_free(struct rcu_head *head)
{
	struct batch *batch = caa_container_of(head, struct batch, head);
	struct fx_epoch *epoch;
	struct fx_retired *item;

	FX_TSAN_ACQUIRE(FX_TSAN_GRACE);
	epoch = batch->epoch;
	item = batch->items;
	while (item) {
		struct fx_retired *next = item->next;

		item->free(item, epoch->ctx);
		item = next;
	}
	/* Release: who sees the bytes gone may count on the memory. */
	atomic_fetch_sub_explicit(&epoch->handed_bytes, batch->bytes, memory_order_release);
	batch_give(epoch, batch);
	FX_TSAN_RELEASE(FX_TSAN_GRACE);
	/* Release: pairs with is_idle(); nothing of epoch is touched afterwards. */
	atomic_fetch_sub_explicit(&epoch->handed_batches, 1, memory_order_release);
}

static void take_items(struct fx_epoch *epoch, struct shard *shard, struct batch *batch)
{
	/* The count first, or other retirers would come here too, for nothing (E4). */
	uint64_t pending = atomic_exchange_explicit(&shard->pending, 0, memory_order_relaxed);
	/* Acquire: pairs with the push; acq_rel orders handing for a later taker (E3). */
	struct fx_retired *items =
		atomic_exchange_explicit(&shard->items, NULL, memory_order_acq_rel);

	if (!items) {
		batch_give(epoch, batch);
		return;
	}
	batch->items = items;
	batch->bytes = PENDING_BYTES(pending);
	atomic_fetch_add_explicit(&epoch->handed_bytes, batch->bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&epoch->handed_batches, 1, memory_order_relaxed);
	FX_TSAN_RELEASE(FX_TSAN_GRACE);
	urcu_bp_call_rcu(&batch->head, batch_free);
}

/* All that is on shard goes to call_rcu. False: no batch is free. */
static bool hand_over(struct fx_epoch *epoch, struct shard *shard)
{
	struct batch *batch;

	/* Before the exchange, seq_cst by default (E3). */
	atomic_fetch_add(&shard->handing, 1);
	batch = batch_take(epoch);
	if (batch)
		take_items(epoch, shard, batch);
	/* Release: pairs with the acquire load in fx_epoch_drain(). */
	atomic_fetch_sub_explicit(&shard->handing, 1, memory_order_release);
	return batch != NULL;
}

static bool is_shard_empty(struct shard *shard)
{
	return !atomic_load_explicit(&shard->items, memory_order_acquire) &&
	       !atomic_load_explicit(&shard->pending, memory_order_relaxed);
}

void fx_epoch_retire(struct fx_epoch *epoch, struct fx_retired *retired,
		     void (*free)(struct fx_retired *retired, void *ctx), size_t bytes)
{
	/* By CPU: threads rarely meet, and idle shards hold few items. -1 (no such call) is fine.
	 */
	struct shard *shard = &epoch->shards[(unsigned int)sched_getcpu() & (SHARDS - 1)];
	uint64_t pending = atomic_fetch_add_explicit(&shard->pending, PENDING_ITEM + bytes,
						     memory_order_relaxed) +
			   PENDING_ITEM + bytes;
	struct fx_retired *top = atomic_load_explicit(&shard->items, memory_order_relaxed);

	retired->free = free;
	do {
		retired->next = top;
		/* Release: pairs with the exchange in take_items(). */
	} while (!atomic_compare_exchange_weak_explicit(
		&shard->items, &top, retired, memory_order_release, memory_order_relaxed));
	if (pending >= BATCH_ITEMS * PENDING_ITEM || PENDING_BYTES(pending) >= BATCH_BYTES)
		hand_over(epoch, shard);
}

void fx_epoch_flush(struct fx_epoch *epoch)
{
	for (size_t i = 0; i < SHARDS; i++)
		if (!is_shard_empty(&epoch->shards[i]))
			hand_over(epoch, &epoch->shards[i]);
}

/* ---- Waiting -----------------------------------------------------------------------------------
 */

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
	for (size_t i = 0; i < SHARDS; i++)
		while (!is_shard_empty(&epoch->shards[i]) && !hand_over(epoch, &epoch->shards[i]))
			barrier(); /* gives batches back */
	for (size_t i = 0; i < SHARDS; i++)
		while (atomic_load_explicit(&epoch->shards[i].handing, memory_order_acquire))
			sched_yield();
	barrier();
}

uint64_t fx_epoch_deferred(const struct fx_epoch *epoch)
{
	uint64_t bytes = atomic_load_explicit(&epoch->handed_bytes, memory_order_acquire);

	for (size_t i = 0; i < SHARDS; i++)
		bytes += PENDING_BYTES(
			atomic_load_explicit(&epoch->shards[i].pending, memory_order_relaxed));
	return bytes;
}

/* ---- Life --------------------------------------------------------------------------------------
 */

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

	if (!epoch)
		return -ENOMEM;
	for (size_t i = 0; i < SHARDS; i++) {
		atomic_init(&epoch->shards[i].items, NULL);
		atomic_init(&epoch->shards[i].pending, 0);
		atomic_init(&epoch->shards[i].handing, 0);
	}
	atomic_init(&epoch->free_batch, 0);
	atomic_init(&epoch->handed_bytes, 0);
	atomic_init(&epoch->handed_batches, 0);
	epoch->ctx = ctx;
	for (size_t i = 0; i < BATCHES; i++) {
		epoch->batches[i].epoch = epoch;
		batch_give(epoch, &epoch->batches[i]);
	}
	start_callback_thread();
	*ret_epoch = epoch;
	return 0;
}

/* Nothing on a shard or in a batch: a free() may have retired more while a drain ran. */
static bool is_idle(struct fx_epoch *epoch)
{
	for (size_t i = 0; i < SHARDS; i++)
		if (!is_shard_empty(&epoch->shards[i]))
			return false;
	return !atomic_load_explicit(&epoch->handed_batches, memory_order_acquire);
}

void fx_epoch_destroy(struct fx_epoch *epoch)
{
	if (!epoch)
		return;
	do
		fx_epoch_drain(epoch);
	while (!is_idle(epoch));
	free(epoch);
}
