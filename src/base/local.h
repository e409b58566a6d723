/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local.h - what one thread keeps for one object: a node per thread and object, found in about a
 * nanosecond, so that hot paths need no atomic read-modify-write and share no cache line.
 *
 * The object embeds a struct fx_local, its nodes begin with a struct fx_local_node. A thread's node
 * is made, zeroed, at its first fx_local_get(). When the thread ends, its node stays with the
 * object (what it counted still counts) and is given to the next new thread; the object's leave()
 * is told, to hand over what others may need, and again for all nodes when the object ends. Objects
 * and threads may end in any order.
 */
#ifndef FX_LOCAL_H
#define FX_LOCAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

struct fx_local;

struct fx_local_node {
	struct fx_local *_Atomic owner;	 /* NULL: the object is gone */
	_Atomic int state;		 /* who holds it; local.c */
	struct fx_local_node *next;	 /* of the object's nodes; set before it is published */
	struct fx_local_node *next_idle; /* guarded by the owner's mutex */
	struct fx_local_node *next_mine; /* of the thread's nodes; the thread's alone */
};

struct fx_local {
	size_t size;
	void (*leave)(struct fx_local *local, struct fx_local_node *node);
	unsigned int way;      /* of the threads' lookup table */
	pthread_mutex_t mutex; /* guards idle, and additions to nodes */
	struct fx_local_node *_Atomic nodes;
	struct fx_local_node *idle;
};

#define FX_LOCAL_KINDS 4u
#define FX_LOCAL_WAYS  16u

/*
 * size is that of a node, its struct fx_local_node included. kind, below FX_LOCAL_KINDS, differs
 * between objects that one operation uses together: their lookups never displace each other.
 * leave may be NULL. It runs on a thread that ends, while the object is alive, and in
 * fx_local_destroy() for the nodes of all others.
 */
void fx_local_init(struct fx_local *local, size_t size, unsigned int kind,
		   void (*leave)(struct fx_local *local, struct fx_local_node *node));

/* The nodes are gone with it. Threads may be ending meanwhile; no other call may run. */
void fx_local_destroy(struct fx_local *local);

/* The nodes of all threads there were: first, and each one's next. Any thread. */
static inline struct fx_local_node *fx_local_first(const struct fx_local *local)
{
	/* Acquire: pairs with the release that published the node. */
	return atomic_load_explicit(&local->nodes, memory_order_acquire);
}

/* ---- Private --------------------------------------------------------------------------------- */

extern __thread struct fx_local_node *fx_local_table[FX_LOCAL_WAYS]
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

struct fx_local_node *fx_local_attach(struct fx_local *local);

/* ---- The call -------------------------------------------------------------------------------- */

/* The calling thread's node. NULL: it has none yet and memory is short. */
static inline void *fx_local_get(struct fx_local *local)
{
	struct fx_local_node *node = fx_local_table[local->way];

	/* Relaxed: only the thread itself puts its nodes there; a dead object's says NULL. */
	if (__builtin_expect(
		    node && atomic_load_explicit(&node->owner, memory_order_relaxed) == local, 1))
		return node;
	return fx_local_attach(local);
}

#endif
