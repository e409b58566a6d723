/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oi_scan.c - batches of keys, forward and in reverse. Nothing here stores into the tree, locks or
 * looks twice; why that is right is said in oi.h.
 */
#include "oi_inner.h"
#include "oi_leaf.h"

#define PREFETCH_ABOVE 16u /* keys still wanted: then the next leaf is */

/* A leaf and how it was reached. */
struct position {
	const struct fx_oi_inner *node; /* level 1 */
	unsigned int child;
	const struct fx_oi_leaf *leaf;
};

static void prefetch(const struct fx_oi_inner *node, unsigned int child)
{
	const char *leaf = fx_oi_child(node, child);

	for (size_t line = 0; line < FX_OI_LEAF_LINES; line++)
		__builtin_prefetch(leaf + 64 * line);
	/* Where the prefix of its keys is. */
	if (child)
		__builtin_prefetch(fx_oi_fences(node)[child - 1]);
}

static void enter_leaf(struct position *p)
{
	p->leaf = fx_oi_child(p->node, p->child);
}

/* The leaf with key, or with before that of the keys just less than it. */
static void descend(const struct fx_ordered_index *index, struct position *p, struct fx_oi_key key,
		    bool before)
{
	const struct fx_oi_inner *node = fx_oi_root(index);

	for (;;) {
		unsigned int i = fx_oi_inner_find(node, key, before);

		if (node->level == 1) {
			*p = (struct position){.node = node, .child = i};
			break;
		}
		node = fx_oi_child(node, i);
		fx_oi_prefetch_inner(node);
	}
	prefetch(p->node, p->child);
	enter_leaf(p);
}

/* The first leaf, or the last one. */
static void descend_edge(const struct fx_ordered_index *index, struct position *p, bool last)
{
	const struct fx_oi_inner *node = fx_oi_root(index);

	while (node->level > 1)
		node = fx_oi_child(node, last ? node->count : 0);
	*p = (struct position){.node = node, .child = last ? node->count : 0};
	enter_leaf(p);
}

/* Copy slot's key out. False: the batch is full. */
static inline bool give(const struct fx_oi_leaf *leaf, unsigned int slot,
			struct fx_key_batch *batch)
{
	size_t size = fx_oi_slot_key_size(leaf, slot), used = batch->used;
	struct fx_key_ref *ref = &batch->refs[batch->count];

	if (batch->count == batch->max || size > batch->capacity - used) {
		batch->wanted = size;
		return false;
	}
	fx_oi_slot_key(leaf, slot, batch->keys + used);
	ref->offset = (uint32_t)used;
	ref->size = (uint16_t)size;
	/* Acquire: pairs with the store in settle; and the bit is not older than the slot. */
	ref->check = atomic_load_explicit(&leaf->check, memory_order_acquire) >> slot & 1;
	batch->count++;
	batch->used = used + size;
	return true;
}

/* ---- Forward ----------------------------------------------------------------------------------
 */

/* The first slot of the leaf at or after key. */
static unsigned int first_slot(const struct fx_oi_leaf *leaf, struct fx_oi_key key, bool inclusive)
{
	struct fx_oi_probe probe = fx_oi_probe(leaf, key);
	struct fx_oi_place place = fx_oi_find(leaf, &probe, false);

	return place.found && !inclusive ? fx_oi_next(leaf, place.at) : place.at;
}

/* Go on to the next leaf; *ret_slot is where to begin in it. False: there is none. */
static bool next_leaf(const struct fx_ordered_index *index, struct position *p,
		      unsigned int *ret_slot)
{
	const struct fx_oi_fence *high = p->node->high;

	if (p->child < p->node->count) {
		p->child++;
		enter_leaf(p);
		*ret_slot = fx_oi_next(p->leaf, 0);
		return true;
	}
	if (!high)
		return false;
	FX_PAUSE(FX_OI_PAUSE_SCAN);
	/* By now a leaf may begin left of high: what is before it has been given. */
	descend(index, p, fx_oi_fence_key(high), false);
	*ret_slot = first_slot(p->leaf, fx_oi_fence_key(high), true);
	return true;
}

static void scan_forward(const struct fx_ordered_index *index, const struct fx_oi_key *from,
			 bool inclusive, struct fx_key_batch *batch)
{
	struct position p;
	unsigned int slot;

	if (from) {
		descend(index, &p, *from, false);
		slot = first_slot(p.leaf, *from, inclusive);
	} else {
		descend_edge(index, &p, false);
		slot = fx_oi_next(p.leaf, 0);
	}
	do {
		if (p.child < p.node->count && batch->max - batch->count > PREFETCH_ABOVE)
			prefetch(p.node, p.child + 1);
		for (; slot; slot = fx_oi_next(p.leaf, slot))
			if (!give(p.leaf, slot, batch))
				return;
	} while (next_leaf(index, &p, &slot));
	batch->end = true;
}

/* ---- Reverse ----------------------------------------------------------------------------------
 */

/* The slots of the leaf before key (NULL: all), in ascending order; how many. */
static unsigned int slots_before(const struct fx_oi_leaf *leaf, const struct fx_oi_key *key,
				 bool inclusive, uint8_t *slots)
{
	struct fx_oi_probe probe = {0};
	unsigned int n = 0;

	if (key)
		probe = fx_oi_probe(leaf, *key);
	for (unsigned int slot = fx_oi_next(leaf, 0); slot; slot = fx_oi_next(leaf, slot)) {
		int c = key ? fx_oi_compare(leaf, slot, &probe) : -1;

		if (c > 0 || (c == 0 && !inclusive))
			break;
		slots[n++] = (uint8_t)slot;
	}
	return n;
}

/* The same for the leaf to the left; *ret_n is how many. False: there is none. */
static bool previous_leaf(const struct fx_ordered_index *index, struct position *p, uint8_t *slots,
			  unsigned int *ret_n)
{
	const struct fx_oi_fence *low = p->node->low;
	struct fx_oi_key key;

	if (p->child) {
		p->child--;
		enter_leaf(p);
		*ret_n = slots_before(p->leaf, NULL, false, slots);
		return true;
	}
	if (!low)
		return false;
	FX_PAUSE(FX_OI_PAUSE_SCAN);
	/* By now a leaf may reach over low: what is from it on has been given. */
	key = fx_oi_fence_key(low);
	descend(index, p, key, true);
	*ret_n = slots_before(p->leaf, &key, false, slots);
	return true;
}

static void scan_reverse(const struct fx_ordered_index *index, const struct fx_oi_key *from,
			 bool inclusive, struct fx_key_batch *batch)
{
	uint8_t slots[FX_OI_SLOTS_MAX];
	struct position p;
	unsigned int n;

	if (from)
		descend(index, &p, *from, false);
	else
		descend_edge(index, &p, true);
	n = slots_before(p.leaf, from, inclusive, slots);
	do {
		if (p.child && batch->max - batch->count > PREFETCH_ABOVE)
			prefetch(p.node, p.child - 1);
		while (n)
			if (!give(p.leaf, slots[--n], batch))
				return;
	} while (previous_leaf(index, &p, slots, &n));
	batch->end = true;
}

void fx_ordered_index_scan(struct fx_ordered_index *index, const void *from, size_t from_size,
			   bool inclusive, bool reverse, struct fx_key_batch *batch)
{
	struct fx_oi_key key = {from, from_size};

	batch->count = 0;
	batch->used = 0;
	batch->end = false;
	fx_epoch_enter();
	if (reverse)
		scan_reverse(index, from ? &key : NULL, inclusive, batch);
	else
		scan_forward(index, from ? &key : NULL, inclusive, batch);
	fx_epoch_leave();
}
