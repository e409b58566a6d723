/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local.c - nodes with two holders, the thread and the object, that may end in any order.
 *
 *   thread's first get            thread ends               next new thread
 *      --> BOTH ----------> LEAVING ----------> OBJECT ----------------------> BOTH
 *            |                                     |
 *            | object ends                         | object ends
 *            v                                     v
 *         ENDING --> THREAD --(it looks, or ends)--> freed
 *
 * Invariants
 *  L1 A node in a thread's list is BOTH, ENDING or THREAD; only the thread itself takes it out, and
 * frees it when it is THREAD. So a thread may always read its nodes' owner, also after the object
 * is gone: it is NULL then, also when a new object has the same address. L2 An object waits for
 * nodes that are LEAVING: leave() never runs on a dead object. A thread that ends waits for nodes
 * that are ENDING. L3 The table is a cache of the thread's list, a node's place in it follows from
 * its object.
 *
 * The variables here are the only ones of the library that outlive a call: without a key of its own
 * no library learns that a thread ends. They hold nothing of any object.
 */
#include "local.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum node_state { NODE_BOTH, NODE_LEAVING, NODE_OBJECT, NODE_ENDING, NODE_THREAD };

__thread struct fx_local_node *fx_local_table[FX_LOCAL_WAYS];
static __thread struct fx_local_node *thread_nodes;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_key; /* only for its destructor */
static bool has_exit_key;

/* ---- Threads --------------------------------------------------------------------------------- */

static void leave_node(struct fx_local_node *node)
{
	struct fx_local *local;
	int both = NODE_BOTH;

	/* Pairs with the same in fx_local_destroy(): one of them wins. */
	if (!atomic_compare_exchange_strong(&node->state, &both, NODE_LEAVING)) {
		while (atomic_load_explicit(&node->state, memory_order_acquire) != NODE_THREAD)
			sched_yield(); /* ENDING */
		free(node);
		return;
	}
	local = atomic_load_explicit(&node->owner, memory_order_relaxed); /* alive: L2 */
	if (local->leave)
		local->leave(local, node);
	pthread_mutex_lock(&local->mutex);
	node->next_idle = local->idle;
	local->idle = node;
	pthread_mutex_unlock(&local->mutex);
	/* Release: what was done to node and object comes before; the last touch of either. */
	atomic_store_explicit(&node->state, NODE_OBJECT, memory_order_release);
}

static void thread_exit(void *unused)
{
	struct fx_local_node *node = thread_nodes;

	thread_nodes = NULL;
	for (unsigned int i = 0; i < FX_LOCAL_WAYS; i++)
		fx_local_table[i] = NULL;
	while (node) {
		struct fx_local_node *next = node->next_mine;

		leave_node(node);
		node = next;
	}
}

static void make_key(void)
{
	/* No key left: nodes of threads that end are not handed over, but counted as ever. */
	has_exit_key = pthread_key_create(&exit_key, thread_exit) == 0;
}

/* Forget the nodes of objects that are gone. */
static void drop_dead(void)
{
	struct fx_local_node **link = &thread_nodes;

	for (unsigned int i = 0; i < FX_LOCAL_WAYS; i++)
		fx_local_table[i] = NULL;
	while (*link) {
		struct fx_local_node *node = *link;

		/* Acquire: pairs with the release in fx_local_destroy(). */
		if (atomic_load_explicit(&node->state, memory_order_acquire) == NODE_THREAD) {
			*link = node->next_mine;
			free(node);
		} else {
			link = &node->next_mine;
		}
	}
}

/* ---- Attaching ------------------------------------------------------------------------------- */

static struct fx_local_node *find_mine(const struct fx_local *local)
{
	struct fx_local_node *node = thread_nodes;

	while (node && atomic_load_explicit(&node->owner, memory_order_relaxed) != local)
		node = node->next_mine;
	return node;
}

static struct fx_local_node *take_idle(struct fx_local *local)
{
	struct fx_local_node *node;

	pthread_mutex_lock(&local->mutex);
	node = local->idle;
	if (node)
		local->idle = node->next_idle;
	pthread_mutex_unlock(&local->mutex);
	if (!node)
		return NULL;
	/* Its thread may still be between unlocking and its last store. */
	while (atomic_load_explicit(&node->state, memory_order_acquire) != NODE_OBJECT)
		sched_yield();
	atomic_store_explicit(&node->state, NODE_BOTH, memory_order_relaxed);
	return node;
}

static struct fx_local_node *make_node(struct fx_local *local)
{
	struct fx_local_node *node = NULL;

	if (posix_memalign((void **)&node, 64, local->size))
		return NULL;
	__builtin_memset(node, 0, local->size);
	atomic_init(&node->owner, local);
	atomic_init(&node->state, NODE_BOTH);
	pthread_mutex_lock(&local->mutex);
	node->next = atomic_load_explicit(&local->nodes, memory_order_relaxed);
	/* Release: pairs with fx_local_first(). */
	atomic_store_explicit(&local->nodes, node, memory_order_release);
	pthread_mutex_unlock(&local->mutex);
	return node;
}

struct fx_local_node *fx_local_attach(struct fx_local *local)
{
	struct fx_local_node *node = find_mine(local);

	if (!node) {
		pthread_once(&exit_once, make_key);
		drop_dead();
		node = take_idle(local);
		if (!node)
			node = make_node(local);
		if (!node)
			return NULL;
		node->next_mine = thread_nodes;
		thread_nodes = node;
		/* Any value but NULL makes the destructor run; ENOMEM: as without a key. */
		if (has_exit_key)
			(void)pthread_setspecific(exit_key, &exit_key);
	}
	fx_local_table[local->way] = node;
	return node;
}

/* ---- Objects --------------------------------------------------------------------------------- */

void fx_local_init(struct fx_local *local, size_t size, unsigned int kind,
		   void (*leave)(struct fx_local *local, struct fx_local_node *node))
{
	uint64_t hash = (uint64_t)(uintptr_t)local * UINT64_C(0x9e3779b97f4a7c15);

	local->size = (size + 63) & ~(size_t)63;
	local->leave = leave;
	local->way = ((unsigned int)(hash >> 60) * FX_LOCAL_KINDS + kind) % FX_LOCAL_WAYS;
	pthread_mutex_init(&local->mutex, NULL);
	atomic_init(&local->nodes, NULL);
	local->idle = NULL;
}

static void end_node(struct fx_local *local, struct fx_local_node *node)
{
	int state = NODE_BOTH;

	while (!atomic_compare_exchange_strong(&node->state, &state, NODE_ENDING)) {
		if (state == NODE_OBJECT) { /* it has left */
			free(node);
			return;
		}
		sched_yield(); /* LEAVING: L2 */
		state = NODE_BOTH;
	}
	if (local->leave)
		local->leave(local, node);
	atomic_store_explicit(&node->owner, NULL, memory_order_relaxed);
	/* Release: the last touch; its thread may free it from now on. */
	atomic_store_explicit(&node->state, NODE_THREAD, memory_order_release);
}

void fx_local_destroy(struct fx_local *local)
{
	struct fx_local_node *node = fx_local_first(local);

	while (node) {
		struct fx_local_node *next = node->next;

		end_node(local, node);
		node = next;
	}
	pthread_mutex_destroy(&local->mutex);
}
