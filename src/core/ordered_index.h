/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ordered_index.h - the set of keys in order, for ranges and directories.
 *
 * It may hold a key that is dead, it never misses one that is live: who scans asks the hash index
 * about each key. So a key is inserted before it becomes live and removed after it has died.
 *
 * Progress: a scan only loads; it never locks, spins or retries, wherever a writer has stopped.
 * insert and remove lock the leaf concerned, sometimes a node above it, and wait for whoever has
 * them; they enter an epoch section of their own and leave it while they wait, so they are best
 * called outside of sections. remove asks its caller under the leaf's lock whether the key is still
 * dead (insert of the same key takes the same lock, so a key that was re-inserted is never
 * dropped).
 */
#ifndef FX_ORDERED_INDEX_H
#define FX_ORDERED_INDEX_H

#include "epoch.h"
#include "slab.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FX_ORDERED_KEY_MAX ((size_t)16 * 1024) /* bytes of a key */

struct fx_ordered_index;

int fx_ordered_index_create(struct fx_slab *slab, struct fx_epoch *epoch,
			    struct fx_ordered_index **ret_index);
void fx_ordered_index_destroy(struct fx_ordered_index *index); /* NULL is allowed */

/* Add key; 0 also when it is there. -ENOMEM: as it was. Keys of 0..FX_ORDERED_KEY_MAX bytes. */
int fx_ordered_index_insert(struct fx_ordered_index *index, const void *key, size_t key_size);

/*
 * Drop key if it is there and dead(ctx), called under the leaf's lock, says so. True: dropped or
 * not there. Never fails: when memory for a smaller leaf is short, the leaf stays larger.
 */
bool fx_ordered_index_remove(struct fx_ordered_index *index, const void *key, size_t key_size,
			     bool (*dead)(void *ctx), void *ctx);

/*
 * Build from n keys in strictly ascending order, given one by one (next returns the key, which
 * stays valid until load returns, its size, and whether it needs the check bit). Only on an empty
 * index, no other call running. -ENOMEM leaves it empty.
 */
int fx_ordered_index_load(struct fx_ordered_index *index, uint64_t n,
			  const void *(*next)(void *ctx, size_t *ret_size, bool *ret_check),
			  void *ctx);

/* A key of a batch. */
struct fx_key_ref {
	uint32_t offset; /* in keys */
	uint16_t size;
	bool check; /* ask the hash index whether it lives */
};

/* Keys copied out by a scan. */
struct fx_key_batch {
	size_t capacity, max; /* bytes of keys, entries of refs; the caller's */
	uint8_t *keys;
	struct fx_key_ref *refs;
	size_t count, used; /* entries, bytes */
	size_t wanted;	    /* bytes the next key takes, when it did not fit */
	bool end;	    /* there are no more keys in this direction */
};

/*
 * Copy keys after from (with inclusive: from itself too) in ascending order, with reverse those
 * before it in descending order, into batch. from NULL: from the end of the range on that side;
 * it may be a key of batch itself. Every key present throughout is given; call again with the last
 * key to go on. No key and not the end: not even one fits, give it capacity for wanted. Enters and
 * leaves its own epoch section.
 */
void fx_ordered_index_scan(struct fx_ordered_index *index, const void *from, size_t from_size,
			   bool inclusive, bool reverse, struct fx_key_batch *batch);

/* Bytes of nodes, fences and long keys. */
uint64_t fx_ordered_index_bytes(const struct fx_ordered_index *index);

#endif
