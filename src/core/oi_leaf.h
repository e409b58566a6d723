/* SPDX-License-Identifier: Apache-2.0 */
/* oi_leaf.h - what can be done with a leaf; struct fx_oi_leaf and its invariants: oi.h. */
#ifndef FX_OI_LEAF_H
#define FX_OI_LEAF_H

#include "oi.h"

static inline uint8_t *fx_oi_heap(const struct fx_oi_leaf *leaf)
{
	return (uint8_t *)(leaf->entries + leaf->capacity + 1);
}

static inline uint8_t fx_oi_next(const struct fx_oi_leaf *leaf, unsigned int slot)
{
	return atomic_load_explicit(&leaf->entries[slot].next, memory_order_acquire);
}

static inline void fx_oi_prefetch_leaf(const struct fx_oi_leaf *leaf)
{
	for (size_t line = 0; line < FX_OI_LEAF_LINES; line++)
		__builtin_prefetch((const char *)leaf + 64 * line);
}

/* The key of a slot of size FX_OI_LONG. */
static inline struct fx_oi_long *fx_oi_whole(const struct fx_oi_leaf *leaf,
					     const struct fx_oi_entry *entry)
{
	struct fx_oi_long *whole;

	memcpy(&whole, fx_oi_heap(leaf) + entry->offset, sizeof(whole));
	return whole;
}

static inline struct fx_oi_probe fx_oi_probe(const struct fx_oi_leaf *leaf, struct fx_oi_key key)
{
	const uint8_t *suffix = key.bytes + leaf->prefix_size;
	size_t size = key.size - leaf->prefix_size;

	return (struct fx_oi_probe){suffix, size, fx_oi_head(suffix, size)};
}

/* Bytes of a suffix of this size that are in the heap. */
static inline size_t fx_oi_tail_size(size_t suffix_size)
{
	return suffix_size > sizeof(uint32_t) ? suffix_size - sizeof(uint32_t) : 0;
}

/* What follows an entry's head, and the size of the suffix as a whole. */
static inline const uint8_t *fx_oi_tail(const struct fx_oi_leaf *leaf,
					const struct fx_oi_entry *entry, size_t *ret_size)
{
	const struct fx_oi_long *whole;

	if (entry->size != FX_OI_LONG) {
		*ret_size = entry->size;
		return fx_oi_heap(leaf) + entry->offset;
	}
	whole = fx_oi_whole(leaf, entry);
	*ret_size = whole->size - leaf->prefix_size;
	return whole->bytes + leaf->prefix_size + sizeof(entry->head);
}

static inline size_t fx_oi_slot_key_size(const struct fx_oi_leaf *leaf, unsigned int slot)
{
	size_t size;

	fx_oi_tail(leaf, &leaf->entries[slot], &size);
	return leaf->prefix_size + size;
}

/* A slot's whole key into buffer; its size, which is at most FX_ORDERED_KEY_MAX. */
static inline size_t fx_oi_slot_key(const struct fx_oi_leaf *leaf, unsigned int slot,
				    uint8_t *buffer)
{
	const struct fx_oi_entry *entry = &leaf->entries[slot];
	uint32_t head = htobe32(entry->head);
	size_t size, prefix = leaf->prefix_size;
	const uint8_t *tail = fx_oi_tail(leaf, entry, &size);

	if (prefix)
		fx_oi_copy(buffer, leaf->low->bytes, prefix);
	buffer += prefix;
	fx_oi_copy(buffer, (const uint8_t *)&head, size < sizeof(head) ? size : sizeof(head));
	fx_oi_copy(buffer + sizeof(head), tail, fx_oi_tail_size(size));
	return prefix + size;
}

/* The order of slot's key and probe's: <0, 0, >0. */
int fx_oi_compare(const struct fx_oi_leaf *leaf, unsigned int slot,
		  const struct fx_oi_probe *probe);

/* Readers, and writers under the lock (who may start at the newest slot). Wait-free. */
struct fx_oi_place fx_oi_find(const struct fx_oi_leaf *leaf, const struct fx_oi_probe *probe,
			      bool locked);

/*
 * Add key behind place->before. whole: the key once more when its suffix is too large for the leaf,
 * the leaf's from now on. False: no room. Under the lock.
 */
bool fx_oi_append(struct fx_oi_leaf *leaf, const struct fx_oi_place *place,
		  const struct fx_oi_probe *probe, struct fx_oi_long *whole);

/* Take out the slot at place->at. Under the lock. */
void fx_oi_unlink(struct fx_oi_leaf *leaf, const struct fx_oi_place *place);

/* Under the lock. */
void fx_oi_set_check(struct fx_oi_leaf *leaf, unsigned int slot);

/* Write a slot's key into an unseen leaf, or a slot not yet linked. There is room. */
void fx_oi_write_slot(struct fx_oi_leaf *leaf, unsigned int slot, const struct fx_oi_probe *probe,
		      struct fx_oi_long *whole);

/* ---- Leaves: oi_build.c -----------------------------------------------------------------------
 */

/* Write the items of a locked leaf in order to items, at most FX_OI_SLOTS_MAX; how many. */
unsigned int fx_oi_leaf_items(const struct fx_oi_leaf *leaf, struct fx_oi_item *items);

/*
 * A new leaf for the range [low, high) of count items in order, with slack free slots as far as
 * possible. -ENOMEM; -E2BIG: a suffix is too large (merges only). Long keys go over when the old
 * leaf is retired.
 */
int fx_oi_leaf_new(struct fx_ordered_index *index, const struct fx_oi_fence *low,
		   const struct fx_oi_fence *high, const struct fx_oi_item *items,
		   unsigned int count, unsigned int slack, struct fx_oi_leaf **ret_leaf);

unsigned int fx_oi_slack(unsigned int count);

/* A leaf that nobody has seen, without its keys; NULL is allowed. */
void fx_oi_leaf_free(struct fx_ordered_index *index, struct fx_oi_leaf *leaf);

/* A locked leaf is no longer in the tree: mark and retire it, with its dead long keys. */
void fx_oi_leaf_retire(struct fx_ordered_index *index, struct fx_oi_leaf *leaf, bool frees_low);

/* NULL: no memory. */
struct fx_oi_long *fx_oi_long_new(struct fx_ordered_index *index, struct fx_oi_key key);
/* Free one that no leaf has; NULL is allowed. */
void fx_oi_long_drop(struct fx_ordered_index *index, struct fx_oi_long *whole);

#endif
