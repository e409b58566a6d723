/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.h - published changes on their way to the flusher, and the consistent cut.
 *
 * A writer: admit (may wait: back-pressure), then inside the window [enter, leave] load the word it
 * replaces *before* enter, compare-and-swap it, push. The window's epoch is the change's stamp. The
 * flusher's cut: the epoch is advanced, the writers still inside a window of the old one are waited
 * for (a window holds no wait, no lock and no allocation), and all that was pushed in the old epoch
 * is taken. If B's writer saw A, then B's window began after A's compare-and-swap, so B's epoch is
 * not older than A's: the cut is closed under what writers saw (the epochs of Silo, Tu et al.,
 * SOSP 2013).
 *
 * Sharded by CPU at entry; a push is one compare-and-swap on the shard's list of that epoch's
 * parity.
 *
 * What is queued is a struct fx_pending for each record: what it replaced and where it is going to
 * be matter until it is durable only, so that its record need not carry them. Until then the
 * record's place leads to it (fx_pending_of()).
 */
#ifndef FX_QUEUE_H
#define FX_QUEUE_H

#include "record.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FX_QUEUE_SHARDS	      16u
#define FX_QUEUE_RECORDS_MAX  ((uint64_t)1 << 18)   /* admitted and not yet durable */
#define FX_QUEUE_BYTES_MAX    ((uint64_t)256 << 20) /* one oversized batch is let in alone */
#define FX_QUEUE_WAKE_RECORDS 1024u		    /* a flush starts early at these */
#define FX_QUEUE_WAKE_BYTES   ((uint64_t)16 << 20)

/*
 * A change that is not durable. Its writer's until it is pushed, then the flusher's; but basis is
 * constant, and what readers follow to a value that is on disk only.
 */
struct fx_pending {
	union {
		struct {
			struct fx_pending *next;
			struct fx_record *prev; /* what record replaced, or NULL; kept until record
						 * is durable */
		};
		struct fx_retired retired;
	};
	struct fx_record *record;
	fx_location location; /* where record has been written to, or is already */
	/*
	 * Whose value record has, unchanged; NULL: it has one of its own. With a reference. Of the
	 * same key, or another one that ends in the same batch. Where the basis is on disk already,
	 * record becomes an amendment.
	 */
	struct fx_record *basis;
	/* Its key is that of basis, strip bytes of the beginning replaced by prefix_size others. */
	uint16_t strip, prefix_size; /* strip FX_STRIP_ALL: not told so */
	uint32_t disk; /* bytes granted on disk, where it shares them; 0: what it takes alone */
};

/* In a record's place: it leads to its pending, and not to where it is on disk. */
#define FX_PLACE_PENDING (UINT64_C(1) << 63)

struct fx_queue_shard {
	_Atomic uint64_t writers[2]; /* inside a window, by epoch parity */
	struct fx_pending *_Atomic list[2];
} __attribute__((aligned(64)));

struct fx_queue {
	_Atomic uint64_t epoch;
	_Atomic uint64_t records, bytes; /* admitted and not yet released */
	_Atomic uint32_t waiters;
	_Atomic bool broken;
	pthread_mutex_t mutex;
	pthread_cond_t room;
	uint64_t next_ticket, served; /* waiters in order of arrival; under mutex */
	struct fx_queue_shard shards[FX_QUEUE_SHARDS];
};

struct fx_window {
	struct fx_queue_shard *shard;
	unsigned int parity;
};

void fx_queue_init(struct fx_queue *queue);
void fx_queue_destroy(struct fx_queue *queue);

/*
 * Room for so many records: 0, -EAGAIN: there is none, or others wait for some already; -EROFS
 * after fx_queue_break().
 */
int fx_queue_try_admit(struct fx_queue *queue, uint64_t records, uint64_t bytes);

/*
 * The same, but waits until the flusher has made room, in order of arrival: a large batch is not
 * overtaken for ever by small changes. wake(ctx) is to wake the flusher; while somebody waits
 * (fx_queue_has_waiters()) it must go on to work without being woken again.
 */
int fx_queue_admit(struct fx_queue *queue, uint64_t records, uint64_t bytes,
		   void (*wake)(void *ctx), void *ctx);

static inline bool fx_queue_has_waiters(struct fx_queue *queue)
{
	return atomic_load(&queue->waiters);
}

/* Give admitted room back: not used after all, or (the flusher) durable. */
void fx_queue_release(struct fx_queue *queue, uint64_t records, uint64_t bytes);

/* Nothing is admitted any more, waiters are woken: the store has failed. */
void fx_queue_break(struct fx_queue *queue);

struct fx_window fx_queue_enter(struct fx_queue *queue);
void fx_queue_leave(struct fx_window window);

/* Push the chain first..last, linked by next, as one: the same cut takes all of it or none. */
void fx_queue_push(struct fx_window window, struct fx_pending *first, struct fx_pending *last);

/*
 * The flusher: everything published up to now, linked by next, in no particular order; NULL when
 * there is nothing.
 */
struct fx_pending *fx_queue_cut(struct fx_queue *queue);

/* Give a record that nobody has seen yet its pending. -ENOMEM. */
int fx_pending_new(struct fx_slab *slab, struct fx_record *record);

/* Free the pending of a record that nobody can find: it was never published, or all ends. */
void fx_pending_free(struct fx_slab *slab, struct fx_record *record);

/* Set the basis of a record that nobody has seen yet; a reference is taken. */
void fx_pending_base(struct fx_record *record, struct fx_record *basis);

/* The pending of a record that is not durable; NULL in a memory-only store. */
static inline struct fx_pending *fx_pending_of(const struct fx_record *r)
{
	return (struct fx_pending *)(uintptr_t)(atomic_load_explicit(&r->place,
								     memory_order_relaxed) &
						~FX_PLACE_PENDING);
}

/*
 * Where the value of a cold record is: at its place or, until it is durable, at that of the record
 * whose value it has. 0: nowhere. Inside an epoch section.
 */
static inline fx_location fx_value_location(const struct fx_record *r)
{
	/* Acquire: pairs with the flusher's release: what a location names is in the table, and a
	 * pending, once its record has been made durable, is not reached any more. */
	uint64_t place = atomic_load_explicit(&r->place, memory_order_acquire);

	while (place & FX_PLACE_PENDING) {
		r = ((struct fx_pending *)(uintptr_t)(place & ~FX_PLACE_PENDING))->basis;
		place = r ? atomic_load_explicit(&r->place, memory_order_acquire) : 0;
	}
	return place;
}

/* Bytes a record counts for in the queue: its memory, but for a value that others have too. */
static inline uint64_t fx_queue_cost(const struct fx_record *r)
{
	return fx_pending_of(r)->basis
		       ? fx_record_own_bytes(r)
		       : sizeof(*r) + r->key_size + r->metadata_size + r->value_size;
}

#endif
