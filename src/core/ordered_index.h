/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ordered_index.h - the set of keys in order, for ranges and directories.
 *
 * It may hold a key that is dead, it never misses one that is live. So a key is inserted before it
 * becomes live and removed after it has died. Whether a key lives, only the hash index knows; so
 * that a scan for keys need not ask it for each, a key has a check bit:
 *
 *   A key whose bit is clear is plain: its word is LIVE, and its record has no expiry.
 *
 * A key is inserted with the bit, which is cleared when it has become plain before its leaf is
 * unlocked. Whoever changes the word of a plain key into anything that is not
 * plain (a tombstone, an intent, an expiry) holds the key's leaf while it does, and has set the bit
 * before: fx_ordered_index_lock(). It is cleared under the same lock, when the word is plain
 * (fx_ordered_index_settle()); it then stays plain until the lock is free again. Changes from plain
 * to plain, and those of words that are not plain, need no lock. So a scan that reads a clear bit
 * has read it before the word changed, or the change has not been made yet; and one that begins
 * after the change reads a set bit.
 *
 * Progress
 *   scan             only loads: it never locks, spins or retries, wherever a writer has stopped;
 *   lock, settle, try_insert   try for the leaf a moment, and say so or leave it;
 *   insert, remove   wait for writers that have the leaf, or when its shape changes a node above
 * it. They enter a section of their own, and leave it while they wait: who calls them inside of one
 * makes memory wait, too.
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

/* Add key with its check bit; 0 also when it is there. -ENOMEM: as it was. Keys of
 * 0..FX_ORDERED_KEY_MAX bytes. */
int fx_ordered_index_insert(struct fx_ordered_index *index, const void *key, size_t key_size);

/*
 * Drop key if it is there and dead(ctx), called under the leaf's lock, says so. True: dropped or
 * not there. Never fails: when memory for a smaller leaf is short, the leaf stays larger.
 */
bool fx_ordered_index_remove(struct fx_ordered_index *index, const void *key, size_t key_size,
			     bool (*dead)(void *ctx), void *ctx);

/* Where a key belongs; stays good until the section is left. Zeroed: not known. */
struct fx_order_hint {
	void *leaf;
};

/* Find out, and let the leaf come from memory: for calls that follow in this section. */
void fx_ordered_index_locate(struct fx_ordered_index *index, const void *key, size_t key_size,
			     struct fx_order_hint *ret_hint);

/* The leaf of a key, held while the key's word changes. */
struct fx_order_lock {
	struct fx_ordered_index *index;
	void *leaf;
	const void *key;
	size_t key_size;
	uint8_t before, at; /* slots */
};

/*
 * As insert, but inside a section, and only when nobody has the leaf and there is room in it:
 * -EAGAIN otherwise, leave the section and insert. When the key is there the leaf is held, as by
 * fx_ordered_index_lock().
 */
int fx_ordered_index_try_insert(struct fx_ordered_index *index, const void *key, size_t key_size,
				const struct fx_order_hint *hint, struct fx_order_lock *ret_lock);

/*
 * Hold the leaf of a key that lives, with its check bit set. Inside a section, which is not left
 * before the lock is: what is done in between must neither wait nor take long. key stays the
 * caller's. -EAGAIN: another writer has the leaf, leave the section and try again. -ENOENT: the key
 * is not there, so it lives no more.
 */
int fx_ordered_index_lock(struct fx_ordered_index *index, const void *key, size_t key_size,
			  const struct fx_order_hint *hint, struct fx_order_lock *ret_lock);
void fx_ordered_index_unlock(struct fx_order_lock *lock);

/* The key is plain now: clear its check bit, and unlock. */
void fx_ordered_index_unlock_plain(struct fx_order_lock *lock);

/* Drop the key, which has died under the lock, and unlock. */
void fx_ordered_index_drop(struct fx_order_lock *lock);

/*
 * Clear the check bits of those keys from first to last that are plain: plain(ctx, key, size) says
 * so, under the leaf's lock. A hint: leaves that others have are left out. Inside or outside a
 * section.
 */
void fx_ordered_index_settle(struct fx_ordered_index *index, const void *first, size_t first_size,
			     const void *last, size_t last_size,
			     bool (*plain)(void *ctx, const void *key, size_t key_size), void *ctx);

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
