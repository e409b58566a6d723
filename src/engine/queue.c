/* SPDX-License-Identifier: Apache-2.0 */
#include "queue.h"

#include "amended.h"

#include <errno.h>
#include <sched.h>

#define SPINS_BEFORE_YIELD 64u

void fx_queue_init(struct fx_queue *queue)
{
	atomic_init(&queue->epoch, 0);
	atomic_init(&queue->records, 0);
	atomic_init(&queue->bytes, 0);
	atomic_init(&queue->waiters, 0);
	atomic_init(&queue->broken, false);
	pthread_mutex_init(&queue->mutex, NULL);
	pthread_cond_init(&queue->room, NULL);
	queue->next_ticket = queue->served = 0;
	for (unsigned int i = 0; i < FX_QUEUE_SHARDS; i++)
		for (unsigned int p = 0; p < 2; p++) {
			atomic_init(&queue->shards[i].writers[p], 0);
			atomic_init(&queue->shards[i].list[p], NULL);
		}
}

void fx_queue_destroy(struct fx_queue *queue)
{
	pthread_cond_destroy(&queue->room);
	pthread_mutex_destroy(&queue->mutex);
}

/* Add to both counts, or to none: the counts never pass their limits but for one oversized batch.
 */
static bool try_admit(struct fx_queue *queue, uint64_t records, uint64_t bytes)
{
	uint64_t r = atomic_fetch_add(&queue->records, records);
	uint64_t b = atomic_fetch_add(&queue->bytes, bytes);

	if (r == 0 || (r + records <= FX_QUEUE_RECORDS_MAX && b + bytes <= FX_QUEUE_BYTES_MAX))
		return true;
	atomic_fetch_sub(&queue->records, records);
	atomic_fetch_sub(&queue->bytes, bytes);
	return false;
}

static void wake_waiters(struct fx_queue *queue)
{
	pthread_mutex_lock(&queue->mutex);
	pthread_cond_broadcast(&queue->room);
	pthread_mutex_unlock(&queue->mutex);
}

int fx_queue_try_admit(struct fx_queue *queue, uint64_t records, uint64_t bytes)
{
	if (atomic_load(&queue->broken))
		return -EROFS;
	if (atomic_load(&queue->waiters))
		return -EAGAIN;
	if (try_admit(queue, records, bytes))
		return 0;
	/* A waiter may have failed for what we counted for a moment only. */
	if (atomic_load(&queue->waiters))
		wake_waiters(queue);
	return -EAGAIN;
}

int fx_queue_admit(struct fx_queue *queue, uint64_t records, uint64_t bytes,
		   void (*wake)(void *ctx), void *ctx)
{
	bool admitted = false;
	uint64_t ticket;

	pthread_mutex_lock(&queue->mutex);
	ticket = queue->next_ticket++;
	atomic_fetch_add(&queue->waiters, 1); /* pairs with the load in fx_queue_release() */
	wake(ctx);
	while (!atomic_load(&queue->broken)) {
		admitted = ticket == queue->served && try_admit(queue, records, bytes);
		if (admitted)
			break;
		pthread_cond_wait(&queue->room, &queue->mutex);
	}
	queue->served++;
	atomic_fetch_sub(&queue->waiters, 1);
	if (queue->served != queue->next_ticket)
		pthread_cond_broadcast(&queue->room); /* there may be room for the next one too */
	pthread_mutex_unlock(&queue->mutex);
	return admitted ? 0 : -EROFS;
}

void fx_queue_release(struct fx_queue *queue, uint64_t records, uint64_t bytes)
{
	atomic_fetch_sub(&queue->records, records);
	atomic_fetch_sub(&queue->bytes, bytes);
	/* Sequentially consistent on both sides: a waiter either sees the room or is seen here. */
	if (atomic_load(&queue->waiters))
		wake_waiters(queue);
}

void fx_queue_break(struct fx_queue *queue)
{
	atomic_store(&queue->broken, true);
	wake_waiters(queue);
}

struct fx_window fx_queue_enter(struct fx_queue *queue)
{
	int cpu = sched_getcpu();
	struct fx_queue_shard *shard =
		&queue->shards[(cpu < 0 ? 0u : (unsigned int)cpu) % FX_QUEUE_SHARDS];

	for (;;) {
		uint64_t epoch = atomic_load(&queue->epoch);
		unsigned int parity = epoch & 1;

		/*
		 * Count first, then look again: either the flusher that advances the epoch sees the
		 * count, or we see its advance (both sequentially consistent).
		 */
		atomic_fetch_add(&shard->writers[parity], 1);
		if (atomic_load(&queue->epoch) == epoch)
			return (struct fx_window){.shard = shard, .parity = parity};
		atomic_fetch_sub(&shard->writers[parity], 1);
	}
}

void fx_queue_leave(struct fx_window window)
{
	/* Release: who sees the count at zero sees what was pushed (fx_queue_cut()). */
	atomic_fetch_sub_explicit(&window.shard->writers[window.parity], 1, memory_order_release);
}

void fx_queue_push(struct fx_window window, struct fx_pending *first, struct fx_pending *last)
{
	struct fx_pending *_Atomic *list = &window.shard->list[window.parity];
	struct fx_pending *head = atomic_load_explicit(list, memory_order_relaxed);

	do
		last->next = head;
	while (!atomic_compare_exchange_weak_explicit(list, &head, first, memory_order_release,
						      memory_order_relaxed));
}

/* A window is some dozen instructions: it ends at once, unless its thread was preempted in it. */
static void drain(struct fx_queue_shard *shard, unsigned int parity)
{
	unsigned int spins = 0;

	while (atomic_load_explicit(&shard->writers[parity], memory_order_acquire))
		if (++spins > SPINS_BEFORE_YIELD)
			sched_yield();
}

struct fx_pending *fx_queue_cut(struct fx_queue *queue)
{
	uint64_t epoch = atomic_fetch_add(&queue->epoch, 1);
	unsigned int parity = epoch & 1;
	struct fx_pending *all = NULL;

	for (unsigned int i = 0; i < FX_QUEUE_SHARDS; i++)
		drain(&queue->shards[i], parity);
	for (unsigned int i = 0; i < FX_QUEUE_SHARDS; i++) {
		struct fx_pending *list = atomic_exchange_explicit(&queue->shards[i].list[parity],
								   NULL, memory_order_acquire);

		while (list) {
			struct fx_pending *next = list->next;

			list->next = all;
			all = list;
			list = next;
		}
	}
	return all;
}

int fx_pending_new(struct fx_slab *slab, struct fx_record *record)
{
	struct fx_pending *pending = fx_slab_alloc(slab, sizeof(*pending));

	if (!pending)
		return -ENOMEM;
	*pending = (struct fx_pending){.record = record, .strip = FX_STRIP_ALL};
	atomic_store_explicit(&record->place, (uint64_t)(uintptr_t)pending | FX_PLACE_PENDING,
			      memory_order_relaxed);
	return 0;
}

void fx_pending_base(struct fx_record *record, struct fx_record *basis)
{
	fx_record_ref(basis);
	fx_pending_of(record)->basis = basis;
}

void fx_pending_free(struct fx_slab *slab, struct fx_record *record)
{
	struct fx_pending *pending = fx_pending_of(record);

	atomic_store_explicit(&record->place, 0, memory_order_relaxed);
	if (pending->basis)
		fx_record_unref(slab, pending->basis);
	fx_slab_free(slab, pending, sizeof(*pending));
}
