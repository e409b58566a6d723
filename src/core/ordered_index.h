/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ordered_index.h - the set of keys in order, for ranges and directories.
 *
 * It may hold a key that is dead, it never misses one that is live: who scans asks the hash index
 * about each key. So a key is inserted before it becomes live and removed after it has died.
 *
 * All calls are made inside an epoch section unless said otherwise. Scans never lock, spin or
 * retry, wherever a writer has stopped. insert and remove lock the leaf concerned; remove asks its
 * caller under that lock whether the key is still dead (insert of the same key takes the same lock,
 * so a key that was re-inserted is never dropped).
 */
#ifndef FX_ORDERED_INDEX_H
#define FX_ORDERED_INDEX_H

#include "epoch.h"
#include "slab.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fx_ordered_index;

int fx_ordered_index_create(struct fx_slab *slab, struct fx_epoch *epoch,
			    struct fx_ordered_index **ret_index);
void fx_ordered_index_destroy(struct fx_ordered_index *index); /* NULL is allowed */

/* Add key; 0 also when it is there. -ENOMEM: as it was. Keys of 0..FEOX_KEY_MAX bytes. */
int fx_ordered_index_insert(struct fx_ordered_index *index, const void *key, size_t key_size);

/*
 * Drop key if it is there and dead(ctx), called under the leaf's lock, says so. True: dropped or
 * not there. Never fails: when memory for a smaller leaf is short, the leaf stays larger.
 */
bool fx_ordered_index_remove(struct fx_ordered_index *index, const void *key, size_t key_size,
			     bool (*dead)(void *ctx), void *ctx);

/*
 * Build from n keys in strictly ascending order, given one by one (next returns the key and its
 * size). Only on an empty index, no other call running. -ENOMEM leaves it empty.
 */
int fx_ordered_index_load(struct fx_ordered_index *index, uint64_t n,
			  const void *(*next)(void *ctx, size_t *ret_size), void *ctx);

/* Keys copied out by a scan: each as u16 size (host order), then its bytes, from keys[0] on. */
struct fx_key_batch {
	size_t count;
	size_t used;	 /* bytes in keys */
	size_t capacity; /* at least FX_KEY_BATCH_MIN */
	uint8_t *keys;
	bool end; /* there are no more keys in this direction */
};

#define FX_KEY_BATCH_MIN ((size_t)16 * 1024 + 2)

/*
 * Copy keys after from (with inclusive: from itself too) in ascending order, with reverse those
 * before it in descending order, into batch, at most max of them. from NULL: from the end of the
 * range on that side. Every key present throughout is given; call again with the last key to go
 * on. Enters and leaves its own epoch section.
 */
void fx_ordered_index_scan(struct fx_ordered_index *index, const void *from, size_t from_size,
			   bool inclusive, bool reverse, size_t max, struct fx_key_batch *batch);

uint64_t fx_ordered_index_bytes(const struct fx_ordered_index *index);

#endif
