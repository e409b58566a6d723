/* SPDX-License-Identifier: Apache-2.0 */
/* epoch_state.h - what epoch.c and retire.c share: an epoch and what threads collect for it. */
#ifndef FX_EPOCH_STATE_H
#define FX_EPOCH_STATE_H

#include "epoch.h"
#include "local.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#define FX_RETIRED_BATCH 250u /* plain items in a batch */

struct fx_retired_batch {
	union {
		struct rcu_head head;
		struct fx_retired_batch *next; /* of a thread's spares */
	};
	struct fx_epoch *epoch;
	struct fx_retired *list;
	uint64_t bytes;
	size_t count;
	void *items[FX_RETIRED_BATCH];
};

/* What a thread has retired and not handed over (E2). */
struct fx_collector {
	struct fx_local_node node;
	struct fx_retired_batch *batch;	 /* NULL: none yet */
	struct fx_retired_batch *spares; /* prepared */
	size_t room;			 /* for plain items, in batch and spares */
	struct fx_retired *list;
	size_t list_count;
	uint64_t item_bytes;	/* in batch */
	_Atomic uint64_t bytes; /* in batch and list; stored by the thread alone */
};

struct fx_epoch {
	struct fx_local local; /* of collectors */
	void (*free_plain)(void *item, void *ctx);
	void *ctx;
	uint64_t deferred_max;
	_Atomic bool ending;			   /* being destroyed: retiring goes to late */
	alignas(64) _Atomic uint64_t handed_bytes; /* given to call_rcu(), not freed yet */
	_Atomic uint64_t frees;			   /* batches that were freed */
	_Atomic uint32_t throttled;		   /* threads that wait for freed */
	pthread_mutex_t mutex;
	pthread_cond_t freed;
	/* Of threads without a node, or that ended and had no memory. Changed under mutex. */
	struct fx_retired *_Atomic late;
	uint64_t late_bytes; /* guarded by mutex */
};

/* The leave() of collectors. retire.c */
void fx_collector_leave(struct fx_local *local, struct fx_local_node *node);

/* Hand over what is in late. False: there is no memory to do so. retire.c */
bool fx_epoch_hand_over_late(struct fx_epoch *epoch);

#endif
