/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oi_load.c - a tree from sorted keys, level by level from the bottom up, and the end of a tree.
 * Nobody else is there.
 */
#include "oi_inner.h"
#include "oi_leaf.h"

#include <errno.h>
#include <stdlib.h>

#define LEAF_KEYS     40u /* some room is left: the next inserts are not all to be splits */
#define NODE_CHILDREN 32u

/* ---- Tearing down -----------------------------------------------------------------------------
 */

static void leaf_destroy(struct fx_ordered_index *index, struct fx_oi_leaf *leaf)
{
	for (unsigned int slot = 1; slot <= leaf->used; slot++)
		if (leaf->entries[slot].size == FX_OI_LONG)
			fx_oi_long_drop(index, fx_oi_whole(leaf, &leaf->entries[slot]));
	fx_oi_leaf_free(index, leaf);
}

static void inner_destroy(struct fx_ordered_index *index, struct fx_oi_inner *node)
{
	for (unsigned int i = 0; i < node->count; i++)
		fx_oi_fence_drop(index, fx_oi_fences(node)[i]);
	fx_oi_inner_free(index, node);
}

void fx_oi_destroy(struct fx_ordered_index *index, void *top, unsigned int level)
{
	struct {
		struct fx_oi_inner *node;
		unsigned int next; /* child */
	} path[FX_OI_LEVELS_MAX];
	unsigned int depth = 0;

	if (!level) {
		leaf_destroy(index, top);
		return;
	}
	path[depth++].node = top;
	path[0].next = 0;
	while (depth) {
		struct fx_oi_inner *node = path[depth - 1].node;
		unsigned int child = path[depth - 1].next++;

		if (child > node->count) {
			inner_destroy(index, node);
			depth--;
		} else if (node->level == 1) {
			leaf_destroy(index, fx_oi_child(node, child));
		} else {
			path[depth].node = fx_oi_child(node, child);
			path[depth++].next = 0;
		}
	}
}

/* ---- Building ---------------------------------------------------------------------------------
 */

struct load {
	struct fx_ordered_index *index;
	const void *(*next)(void *ctx, size_t *ret_size, bool *ret_check);
	void *ctx;
	uint64_t keys, taken; /* of them, from next() */
	/*
	 * The nodes of the level that is complete, and the fence to the left of each; while a level
	 * is built from the one below: built nodes of the one, then, from read on, those of the
	 * other.
	 */
	void **nodes;
	const struct fx_oi_fence **fences;
	size_t count, built, read;
	struct fx_oi_item pending; /* the first key of the next leaf, when taken > 0 */
};

static void take(struct load *load)
{
	size_t size;
	bool check;
	const void *key = load->next(load->ctx, &size, &check);

	load->pending = (struct fx_oi_item){.key = {key, size}, .check = check};
	load->taken++;
}

/* Keys that do not fit into a leaf behind this prefix get memory of their own. */
static int add_longs(struct load *load, struct fx_oi_item *items, unsigned int count, size_t prefix)
{
	for (unsigned int i = 0; i < count; i++) {
		if (items[i].key.size - prefix <= FX_OI_INLINE_MAX)
			continue;
		items[i].whole = fx_oi_long_new(load->index, items[i].key);
		if (!items[i].whole)
			return -ENOMEM;
	}
	return 0;
}

static int build_leaf(struct load *load, struct fx_oi_item *items, unsigned int count,
		      const struct fx_oi_fence *high)
{
	const struct fx_oi_fence *low = load->fences[load->built];
	struct fx_oi_leaf *leaf;
	int err = add_longs(load, items, count, fx_oi_shared(low, high));

	if (!err)
		err = fx_oi_leaf_new(load->index, low, high, items, count, FX_OI_SLACK_MIN, &leaf);
	if (err) {
		for (unsigned int i = 0; i < count; i++)
			fx_oi_long_drop(load->index, items[i].whole);
		return err;
	}
	load->nodes[load->built++] = leaf;
	return 0;
}

/* The next leaf, of all keys up to the one numbered end. */
static int load_leaf(struct load *load, uint64_t end)
{
	struct fx_oi_item items[LEAF_KEYS];
	struct fx_oi_fence *high = NULL;
	unsigned int count = 0;
	int err;

	for (;;) {
		items[count++] = load->pending;
		if (load->taken == load->keys)
			break;
		take(load);
		if (load->taken > end)
			break;
	}
	if (end < load->keys) {
		high = fx_oi_fence_new(load->index, items[count - 1].key, load->pending.key);
		if (!high)
			return -ENOMEM;
	}
	err = build_leaf(load, items, count, high);
	if (err)
		fx_oi_fence_drop(load->index, high);
	else if (high)
		load->fences[load->built] = high;
	return err;
}

static int load_leaves(struct load *load)
{
	uint64_t leaves = fx_div_up(load->keys, LEAF_KEYS);

	take(load);
	for (uint64_t i = 1; i <= leaves; i++) {
		int err =
			load_leaf(load, load->keys / leaves * i + load->keys % leaves * i / leaves);

		if (err)
			return err;
	}
	load->count = load->read = load->built;
	return 0;
}

/* One node of level of the next n nodes of the level below. */
static int load_inner(struct load *load, unsigned int level, unsigned int n)
{
	struct fx_oi_image image = {.count = n - 1, .prefix_size = UINT16_MAX};
	const struct fx_oi_fence *high =
		load->read + n < load->count ? load->fences[load->read + n] : NULL;
	struct fx_oi_inner *node;

	memcpy(image.children, load->nodes + load->read, n * sizeof(*image.children));
	memcpy(image.fences, load->fences + load->read + 1, (n - 1) * sizeof(*image.fences));
	node = fx_oi_inner_new(load->index, level, load->fences[load->read], high, &image, 0,
			       image.count);
	if (!node)
		return -ENOMEM;
	load->nodes[load->built] = node;
	load->fences[load->built++] = load->fences[load->read];
	load->read += n;
	return 0;
}

static int load_level(struct load *load, unsigned int level)
{
	size_t nodes = fx_div_up(load->count, NODE_CHILDREN);

	load->built = load->read = 0;
	for (size_t i = 1; i <= nodes; i++) {
		size_t end = load->count * i / nodes;
		int err = load_inner(load, level, (unsigned int)(end - load->read));

		if (err)
			return err;
	}
	load->count = load->read = load->built;
	return 0;
}

/* Forget what was built: the nodes of level up to built, those of the level below from read on. */
static void undo(struct load *load, unsigned int level)
{
	for (size_t i = 0; i < load->built; i++) {
		fx_oi_destroy(load->index, load->nodes[i], level);
		fx_oi_fence_drop(load->index, load->fences[i]);
	}
	if (!level) /* the fence to the left of the leaf that was not built */
		fx_oi_fence_drop(load->index, load->fences[load->built]);
	for (size_t i = load->read; level && i < load->count; i++) {
		fx_oi_destroy(load->index, load->nodes[i], level - 1);
		fx_oi_fence_drop(load->index, load->fences[i]);
	}
}

static int build_tree(struct load *load)
{
	unsigned int level = 0;
	int err = load_leaves(load);

	while (!err && (!level || load->count > 1))
		err = load_level(load, ++level);
	if (err) {
		undo(load, level);
		return err;
	}
	fx_oi_destroy(load->index, fx_oi_root(load->index), 1);
	/* Release: pairs with fx_oi_root(). */
	atomic_store_explicit(&load->index->root, load->nodes[0], memory_order_release);
	return 0;
}

int fx_ordered_index_load(struct fx_ordered_index *index, uint64_t n,
			  const void *(*next)(void *ctx, size_t *ret_size, bool *ret_check),
			  void *ctx)
{
	struct load load = {.index = index, .next = next, .ctx = ctx, .keys = n};
	size_t leaves = (size_t)fx_div_up(n, LEAF_KEYS);
	int err = -ENOMEM;

	if (!n)
		return 0;
	load.nodes = calloc(leaves, sizeof(*load.nodes));
	load.fences = calloc(leaves, sizeof(*load.fences));
	if (load.nodes && load.fences)
		err = build_tree(&load);
	free(load.nodes);
	free(load.fences);
	return err;
}
