/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retire.c - retired memory in batches through call_rcu(3).
 *
 * One callback an item would wake liburcu's thread for every overwrite, and shared lists would make
 * writers meet. So each thread collects its items in a batch of its own, and hands that over:
 *
 *   retire: into the thread's batch --(it is full, or offered with FX_EPOCH_KEPT_BYTES)-->
 *           call_rcu() --> grace period --> each item's free() on liburcu's thread
 *
 * A plain item is a pointer in the batch, so that nothing is written into what readers still see,
 * and the frees know early which cache lines they will need. An item with a struct fx_retired is
 * linked into a list, and needs no room.
 *
 * Invariants
 *  E1 Retiring cannot fail. A list needs no memory: when there is none for a batch, it stays with
 *     the thread (or in late, when the thread has no node), and the next retire tries again. For
 *     plain items the thread has room, prepared before.
 *  E2 A thread's batch and list are its own. They become others' when it ends (leave()), or the
 *     epoch does: local.c orders these.
 *  E3 An item's bytes are counted until it is freed: in its thread's node, then in handed_bytes.
 *     The first is stored after the second was added: the sum may count twice for a moment, never
 *     too little.
 *  E4 Callbacks run in the order of call_rcu(), and liburcu's barrier waits for all that were
 *     there; that is fx_epoch_drain().
 *
 * call_rcu() is called with at least the guarantee that it is a full barrier for the items: they
 * were unlinked before retire was called, and a grace period begins after.
 */
#include "epoch_state.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define LIST_ITEMS     128u
#define PREFETCH_AHEAD 8u

/* ---- Freeing: on liburcu's thread, a grace period after the items were handed over ----------- */

static void free_items(struct fx_retired_batch *batch)
{
	struct fx_epoch *epoch = batch->epoch;
	struct fx_retired *item = batch->list;

	for (size_t i = 0; i < batch->count; i++) {
		if (i + PREFETCH_AHEAD < batch->count)
			__builtin_prefetch(batch->items[i + PREFETCH_AHEAD], 1);
		epoch->free_plain(batch->items[i], epoch->ctx);
	}
	while (item) {
		struct fx_retired *next = item->next;

		item->free(item, epoch->ctx);
		item = next;
	}
}

static void wake_throttled(struct fx_epoch *epoch)
{
	pthread_mutex_lock(&epoch->mutex);
	pthread_cond_broadcast(&epoch->freed);
	pthread_mutex_unlock(&epoch->mutex);
}

static void batch_free(struct rcu_head *head)
{
	struct fx_retired_batch *batch = caa_container_of(head, struct fx_retired_batch, head);
	struct fx_epoch *epoch;

	FX_TSAN_ACQUIRE(FX_TSAN_GRACE);
	epoch = batch->epoch;
	free_items(batch);
	/* Sequentially consistent, as the waiter's two: it sees the bytes gone or is seen. */
	atomic_fetch_sub(&epoch->handed_bytes, batch->bytes);
	atomic_fetch_add(&epoch->frees, 1);
	free(batch);
	if (atomic_load(&epoch->throttled))
		wake_throttled(epoch);
	FX_TSAN_RELEASE(FX_TSAN_GRACE); /* to who waits by barrier */
}

/* ---- Handing over ---------------------------------------------------------------------------- */

static struct fx_retired_batch *batch_new(struct fx_epoch *epoch)
{
	struct fx_retired_batch *batch = malloc(sizeof(*batch));

	if (!batch)
		return NULL;
	batch->epoch = epoch;
	batch->list = NULL;
	batch->count = 0;
	return batch;
}

static void give_to_rcu(struct fx_epoch *epoch, struct fx_retired_batch *batch, uint64_t bytes)
{
	batch->bytes = bytes;
	atomic_fetch_add_explicit(&epoch->handed_bytes, bytes, memory_order_relaxed);
	FX_TSAN_RELEASE(FX_TSAN_GRACE);
	urcu_bp_call_rcu(&batch->head, batch_free);
}

bool fx_epoch_hand_over_late(struct fx_epoch *epoch)
{
	struct fx_retired_batch *batch;

	/* Relaxed: who puts something there hands it over, or somebody does later. */
	if (!atomic_load_explicit(&epoch->late, memory_order_relaxed))
		return true;
	batch = batch_new(epoch);
	if (!batch)
		return false;
	pthread_mutex_lock(&epoch->mutex);
	batch->list = atomic_load_explicit(&epoch->late, memory_order_relaxed);
	atomic_store_explicit(&epoch->late, NULL, memory_order_relaxed);
	give_to_rcu(epoch, batch, epoch->late_bytes);
	epoch->late_bytes = 0;
	pthread_mutex_unlock(&epoch->mutex);
	return true;
}

/* Batch goes to call_rcu() with bytes of what the thread has counted. */
static void hand_over(struct fx_epoch *epoch, struct fx_collector *c,
		      struct fx_retired_batch *batch, uint64_t bytes)
{
	uint64_t counted = atomic_load_explicit(&c->bytes, memory_order_relaxed);

	give_to_rcu(epoch, batch, bytes);
	/* Release: pairs with the acquire in fx_epoch_deferred() (E3). */
	atomic_store_explicit(&c->bytes, counted - bytes, memory_order_release);
	fx_epoch_hand_over_late(epoch);
}

static void hand_over_items(struct fx_epoch *epoch, struct fx_collector *c)
{
	struct fx_retired_batch *batch = c->batch;

	c->batch = NULL;
	c->room -= FX_RETIRED_BATCH - batch->count;
	hand_over(epoch, c, batch, c->item_bytes);
	c->item_bytes = 0;
}

/* In a batch of its own: it must not take room that was prepared. False: there is no memory. */
static bool hand_over_list(struct fx_epoch *epoch, struct fx_collector *c)
{
	struct fx_retired_batch *batch = batch_new(epoch);
	uint64_t bytes = atomic_load_explicit(&c->bytes, memory_order_relaxed) - c->item_bytes;

	if (!batch)
		return false;
	batch->list = c->list;
	c->list = NULL;
	c->list_count = 0;
	hand_over(epoch, c, batch, bytes);
	return true;
}

/* Who leaves a list behind and finds no memory for a batch leaves it in late. */
static void leave_list(struct fx_epoch *epoch, struct fx_retired *first, uint64_t bytes)
{
	struct fx_retired *last = first;

	while (last->next)
		last = last->next;
	pthread_mutex_lock(&epoch->mutex);
	last->next = atomic_load_explicit(&epoch->late, memory_order_relaxed);
	atomic_store_explicit(&epoch->late, first, memory_order_relaxed);
	epoch->late_bytes += bytes;
	pthread_mutex_unlock(&epoch->mutex);
}

/* The thread ends, or the epoch: nothing stays in the node. */
void fx_collector_leave(struct fx_local *local, struct fx_local_node *node)
{
	struct fx_epoch *epoch = caa_container_of(local, struct fx_epoch, local);
	struct fx_collector *c = (struct fx_collector *)node;

	if (c->batch && c->batch->count)
		hand_over_items(epoch, c);
	if (c->list && !hand_over_list(epoch, c)) {
		leave_list(epoch, c->list, atomic_load(&c->bytes));
		c->list = NULL;
		c->list_count = 0;
		atomic_store(&c->bytes, 0);
	}
	free(c->batch);
	c->batch = NULL;
	while (c->spares) {
		struct fx_retired_batch *next = c->spares->next;

		free(c->spares);
		c->spares = next;
	}
	c->room = 0;
}

/* ---- Retiring -------------------------------------------------------------------------------- */

static void count_bytes(struct fx_collector *c, size_t bytes)
{
	atomic_store_explicit(&c->bytes,
			      atomic_load_explicit(&c->bytes, memory_order_relaxed) + bytes,
			      memory_order_relaxed);
}

void fx_epoch_retire(struct fx_epoch *epoch, struct fx_retired *retired,
		     void (*free)(struct fx_retired *retired, void *ctx), size_t bytes)
{
	struct fx_collector *c = NULL;

	if (!atomic_load_explicit(&epoch->ending, memory_order_relaxed))
		c = fx_local_get(&epoch->local);
	retired->free = free;
	retired->next = NULL;
	if (!c) {
		leave_list(epoch, retired, bytes);
		return;
	}
	retired->next = c->list;
	c->list = retired;
	count_bytes(c, bytes);
	if (++c->list_count >= LIST_ITEMS)
		hand_over_list(epoch, c);
}

int fx_epoch_prepare(struct fx_epoch *epoch, size_t count)
{
	struct fx_collector *c = fx_local_get(&epoch->local);

	if (!c)
		return -ENOMEM;
	while (c->room < count) {
		struct fx_retired_batch *batch = batch_new(epoch);

		if (!batch)
			return -ENOMEM;
		batch->next = c->spares;
		c->spares = batch;
		c->room += FX_RETIRED_BATCH;
	}
	return 0;
}

void fx_epoch_retire_plain(struct fx_epoch *epoch, void *item, size_t bytes)
{
	struct fx_collector *c = fx_local_get(&epoch->local);
	struct fx_retired_batch *batch = c->batch;

	assert(c->room); /* prepared? */
	if (!batch) {
		batch = c->batch = c->spares;
		c->spares = batch->next;
	}
	batch->items[batch->count++] = item;
	c->room--;
	c->item_bytes += bytes;
	count_bytes(c, bytes);
	if (batch->count == FX_RETIRED_BATCH)
		hand_over_items(epoch, c);
}

/* All that the thread has; the room it had prepared in a half full batch is gone. */
static void hand_over_all(struct fx_epoch *epoch, struct fx_collector *c)
{
	if (c->batch && c->batch->count)
		hand_over_items(epoch, c);
	if (c->list)
		hand_over_list(epoch, c);
}

void fx_epoch_offer(struct fx_epoch *epoch)
{
	struct fx_collector *c = fx_local_get(&epoch->local);

	if (c && atomic_load_explicit(&c->bytes, memory_order_relaxed) >= FX_EPOCH_KEPT_BYTES)
		hand_over_all(epoch, c);
}

void fx_epoch_flush(struct fx_epoch *epoch)
{
	struct fx_collector *c = fx_local_get(&epoch->local);

	if (c)
		hand_over_all(epoch, c);
	fx_epoch_hand_over_late(epoch);
}
