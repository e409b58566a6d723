/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oi_grow.c - a key does not fit into its leaf.
 *
 * The leaf is built anew, with room again, or as two. One takes the old one's place by one store
 * into the parent. For two the parent is built anew too, with one fence more, and takes the old
 * parent's place in its own parent; a parent that is full becomes two in turn, and so on:
 *
 *   build the new leaf or leaves
 *   level 1, 2, ...: lock the node above --- one new child ------> store it there: published
 *         ^                              \-- two: build the node anew, one or two of it --+
 *         +-------------------------------------------------------------------------------+
 *   at the root: the one new node, or a new root of the two, is the root
 *
 * Everything is built before the one store (N5). On the way up the locks of the nodes that are
 * replaced are kept; a failure frees what was built and unlocks them, and nothing has happened.
 */
#include "oi_inner.h"
#include "oi_leaf.h"

#include <errno.h>

struct growth {
	struct fx_ordered_index *index;
	struct fx_oi_key key; /* leads to all nodes concerned */
	struct fx_oi_leaf *leaf;
	struct fx_oi_leaf *new_leaves[2];
	/* What takes the place of the node one level below: left, or left, fence, right. */
	void *left, *right;
	struct fx_oi_fence *new_fence; /* between the new leaves; NULL: one new leaf */
	const struct fx_oi_fence *fence;
	/* Inner nodes by level - 1: replaced ones, locked; what replaces them. */
	struct fx_oi_inner *old[FX_OI_LEVELS_MAX];
	struct fx_oi_inner *built[2 * FX_OI_LEVELS_MAX];
	unsigned int old_count, built_count;
};

/* ---- The leaf ---------------------------------------------------------------------------------
 */

/* The items of the old leaf with the new key in its place; *ret_at is the new one's. */
static unsigned int collect(const struct growth *g, const struct fx_oi_place *place,
			    struct fx_oi_long *whole, struct fx_oi_item *items,
			    unsigned int *ret_at)
{
	unsigned int count = fx_oi_leaf_items(g->leaf, items), at = 0;

	while (at < count && items[at].slot != place->at)
		at++;
	memmove(items + at + 1, items + at, (count - at) * sizeof(*items));
	items[at] = (struct fx_oi_item){.key = g->key, .whole = whole, .check = true};
	*ret_at = at;
	return count + 1;
}

/*
 * How many items the left leaf gets. Keys that come in order, up or down, leave the leaf behind
 * them: full. The new key continues such a run when its neighbour is the newest slot.
 */
static unsigned int split_point(const struct fx_oi_leaf *leaf, const struct fx_oi_place *place,
				unsigned int count, unsigned int at)
{
	if (place->before == leaf->used && at > count / 2)
		return at;
	if (place->at == leaf->used && at < count / 2)
		return at + 1;
	return count / 2;
}

static struct fx_oi_key item_key(const struct fx_oi_item *item, uint8_t *buffer)
{
	const struct fx_oi_leaf *leaf = item->leaf;
	struct fx_oi_key key = item->key;

	if (leaf) {
		key.bytes = buffer;
		key.size = fx_oi_slot_key(leaf, item->slot, buffer);
	}
	return key;
}

static int fence_between(struct growth *g, const struct fx_oi_item *a, const struct fx_oi_item *b)
{
	uint8_t a_bytes[FX_ORDERED_KEY_MAX], b_bytes[FX_ORDERED_KEY_MAX];

	g->new_fence = fx_oi_fence_new(g->index, item_key(a, a_bytes), item_key(b, b_bytes));
	g->fence = g->new_fence;
	return g->new_fence ? 0 : -ENOMEM;
}

static int build_leaves(struct growth *g, const struct fx_oi_place *place, struct fx_oi_long *whole)
{
	struct fx_oi_item items[FX_OI_SLOTS_MAX + 1];
	unsigned int at, count = collect(g, place, whole, items, &at);
	const struct fx_oi_leaf *leaf = g->leaf;
	unsigned int n = split_point(leaf, place, count, at);
	int err;

	if (count <= FX_OI_SPLIT_ABOVE)
		return fx_oi_leaf_new(g->index, leaf->low, leaf->high, items, count,
				      fx_oi_slack(count), &g->new_leaves[0]);
	err = fence_between(g, &items[n - 1], &items[n]);
	if (!err)
		err = fx_oi_leaf_new(g->index, leaf->low, g->fence, items, n,
				     n == at ? FX_OI_SLACK_FEW : fx_oi_slack(n), &g->new_leaves[0]);
	if (!err)
		err = fx_oi_leaf_new(g->index, g->fence, leaf->high, items + n, count - n,
				     n == at + 1 ? FX_OI_SLACK_FEW : fx_oi_slack(count - n),
				     &g->new_leaves[1]);
	return err;
}

/* ---- The nodes above --------------------------------------------------------------------------
 */

/*
 * The parent of a locked node of level - 1 that is in the tree, locked. NULL: that node is the
 * root. May leave the section to wait: what is locked stays.
 */
static struct fx_oi_inner *lock_parent(struct growth *g, const void *node, unsigned int level,
				       unsigned int *ret_child)
{
	unsigned int turns = 0;

	for (;;) {
		struct fx_oi_inner *parent;

		/* A locked root stays the root; no root of its level comes in between. */
		if (fx_oi_root(g->index)->level < level)
			return NULL;
		parent = fx_oi_descend(g->index, g->key, level, ret_child);
		if (fx_oi_try_lock(&parent->lock)) {
			assert(fx_oi_child(parent, *ret_child) == node);
			return parent;
		}
		fx_oi_wait(&turns);
	}
}

static struct fx_oi_inner *build(struct growth *g, unsigned int level,
				 const struct fx_oi_fence *low, const struct fx_oi_fence *high,
				 const struct fx_oi_image *image, unsigned int first,
				 unsigned int count)
{
	struct fx_oi_inner *node = fx_oi_inner_new(g->index, level, low, high, image, first, count);

	if (node)
		g->built[g->built_count++] = node;
	return node;
}

/* A parent that is full: two nodes, and a fence that goes up. */
static int split_parent(struct growth *g, const struct fx_oi_inner *parent,
			const struct fx_oi_image *image, unsigned int at)
{
	unsigned int n = at == parent->count ? image->count * 9 / 10 : image->count / 2;
	const struct fx_oi_fence *fence = image->fences[n];

	g->left = build(g, parent->level, parent->low, fence, image, 0, n);
	g->right = g->left ? build(g, parent->level, fence, parent->high, image, n + 1,
				   image->count - n - 1)
			   : NULL;
	g->fence = fence;
	return g->right ? 0 : -ENOMEM;
}

/* Build parent anew, with left, fence, right instead of child at. */
static int rebuild_parent(struct growth *g, struct fx_oi_inner *parent, unsigned int at)
{
	struct fx_oi_image image;

	g->old[g->old_count++] = parent;
	fx_oi_image_load(&image, parent);
	fx_oi_image_split(&image, at, g->left, g->fence, g->right);
	if (image.count > FX_OI_FENCES_MAX)
		return split_parent(g, parent, &image, at);
	g->left = build(g, parent->level, parent->low, parent->high, &image, 0, image.count);
	g->right = NULL;
	g->fence = NULL;
	return g->left ? 0 : -ENOMEM;
}

static int publish_root(struct growth *g, unsigned int level)
{
	struct fx_oi_image image = {.children = {g->left}, .prefix_size = UINT16_MAX};
	struct fx_oi_inner *root = g->left;

	if (g->fence) {
		fx_oi_image_split(&image, 0, g->left, g->fence, g->right);
		root = build(g, level, NULL, NULL, &image, 0, 1);
		if (!root)
			return -ENOMEM;
	}
	/* Release: pairs with fx_oi_root(). */
	atomic_store_explicit(&g->index->root, root, memory_order_release);
	return 0;
}

/* Build upwards until one store publishes all of it. */
static int publish(struct growth *g)
{
	const void *below = g->leaf;

	for (unsigned int level = 1;; level++) {
		unsigned int at;
		struct fx_oi_inner *parent = lock_parent(g, below, level, &at);
		int err;

		FX_PAUSE(level == 1 ? FX_OI_PAUSE_PARENT : FX_OI_PAUSE_SPLIT);
		if (!parent)
			return publish_root(g, level);
		if (!g->fence) {
			fx_oi_child_set(parent, at, g->left);
			FX_PAUSE(FX_OI_PAUSE_STORED);
			fx_oi_unlock(&parent->lock);
			return 0;
		}
		err = rebuild_parent(g, parent, at);
		if (err)
			return err;
		below = parent;
	}
}

/* ---- The end ----------------------------------------------------------------------------------
 */

static void undo(struct growth *g)
{
	while (g->built_count)
		fx_oi_inner_free(g->index, g->built[--g->built_count]);
	while (g->old_count)
		fx_oi_unlock(&g->old[--g->old_count]->lock);
	fx_oi_leaf_free(g->index, g->new_leaves[0]);
	fx_oi_leaf_free(g->index, g->new_leaves[1]);
	fx_oi_fence_drop(g->index, g->new_fence);
	fx_oi_unlock(&g->leaf->lock);
}

static void retire(struct growth *g)
{
	for (unsigned int i = 0; i < g->old_count; i++)
		fx_oi_inner_retire(g->index, g->old[i]);
	FX_PAUSE(FX_OI_PAUSE_RETIRED);
	fx_oi_leaf_retire(g->index, g->leaf, false);
}

int fx_oi_grow(struct fx_ordered_index *index, struct fx_oi_leaf *leaf,
	       const struct fx_oi_place *place, struct fx_oi_key key, struct fx_oi_long *whole)
{
	struct growth g = {.index = index, .key = key, .leaf = leaf};
	int err = build_leaves(&g, place, whole);

	if (!err) {
		g.left = g.new_leaves[0];
		g.right = g.new_leaves[1];
		FX_PAUSE(FX_OI_PAUSE_BUILT);
		err = publish(&g);
	}
	if (err) {
		undo(&g);
		return err;
	}
	retire(&g);
	return 0;
}
