/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oi_merge.c - the tree gets smaller: neighbours that have become small are merged, first leaves,
 * then, as their parents lose children, inner nodes; a root of one child goes.
 *
 * A merge replaces two children of one node and the fence between them by one child: the node is
 * built anew without the fence, and takes its place by one store (N5). It holds the locks of the
 * two, of their parent, and of its parent, all only tried: whoever finds one taken, or no memory,
 * leaves things as they are, and the next key removed there tries again.
 */
#include "oi_inner.h"
#include "oi_leaf.h"

/* Two children of a node, and what replaces all three. */
struct merge {
	struct fx_ordered_index *index;
	struct fx_oi_key key;	    /* leads to the parent */
	struct fx_oi_inner *parent; /* locked */
	unsigned int at;	    /* children at and at + 1 */
	struct fx_oi_inner *new_parent;
};

/* The node of this level on the key's way, locked; NULL: it is taken, or the tree is lower. */
static struct fx_oi_inner *try_lock_level(struct fx_ordered_index *index, struct fx_oi_key key,
					  unsigned int level, unsigned int *ret_child)
{
	struct fx_oi_inner *node;

	if (fx_oi_root(index)->level < level)
		return NULL;
	node = fx_oi_descend(index, key, level, ret_child);
	return fx_oi_try_lock(&node->lock) ? node : NULL;
}

/* Put new_parent in the place of parent. False: a lock was taken. */
static bool publish(const struct merge *m)
{
	struct fx_oi_inner *above;
	unsigned int at;

	if (fx_oi_root(m->index) == m->parent) {
		/* Release: pairs with fx_oi_root(). A locked root stays the root. */
		atomic_store_explicit(&m->index->root, m->new_parent, memory_order_release);
		return true;
	}
	above = try_lock_level(m->index, m->key, m->parent->level + 1u, &at);
	if (!above)
		return false;
	assert(fx_oi_child(above, at) == m->parent);
	fx_oi_child_set(above, at, m->new_parent);
	FX_PAUSE(FX_OI_PAUSE_STORED);
	fx_oi_unlock(&above->lock);
	return true;
}

/* Build the parent with child instead of the two, and publish it. False: nothing has changed. */
static bool replace_parent(struct merge *m, void *child)
{
	const struct fx_oi_inner *parent = m->parent;
	struct fx_oi_image image;

	fx_oi_image_load(&image, parent);
	fx_oi_image_join(&image, m->at, child);
	m->new_parent = fx_oi_inner_new(m->index, parent->level, parent->low, parent->high, &image,
					0, image.count);
	if (!m->new_parent)
		return false;
	FX_PAUSE(FX_OI_PAUSE_MERGED);
	if (publish(m))
		return true;
	fx_oi_inner_free(m->index, m->new_parent);
	m->new_parent = NULL;
	return false;
}

/* ---- Leaves -----------------------------------------------------------------------------------
 */

/* Both locked. An empty leaf fits into any. */
static bool leaves_fit(const struct fx_oi_leaf *a, const struct fx_oi_leaf *b)
{
	unsigned int sum = a->live + b->live;

	return sum <= FX_OI_MERGE_MAX || !a->live || !b->live;
}

/* a and b, locked, are children at and at + 1 of the locked parent. True: they are one now. */
static bool join_leaves(struct merge *m, struct fx_oi_leaf *a, struct fx_oi_leaf *b)
{
	struct fx_oi_item items[2 * FX_OI_SLOTS_MAX];
	struct fx_oi_leaf *joined;
	unsigned int count;

	if (!leaves_fit(a, b))
		return false;
	count = fx_oi_leaf_items(a, items);
	count += fx_oi_leaf_items(b, items + count);
	if (fx_oi_leaf_new(m->index, a->low, b->high, items, count, fx_oi_slack(count), &joined))
		return false;
	if (!replace_parent(m, joined)) {
		fx_oi_leaf_free(m->index, joined);
		return false;
	}
	fx_oi_inner_retire(m->index, m->parent);
	fx_oi_leaf_retire(m->index, a, false);
	fx_oi_leaf_retire(m->index, b, true);
	return true;
}

/* Merge leaf with its neighbour at child other of the parent. True: leaf is gone. */
static bool join_with(struct merge *m, struct fx_oi_leaf *leaf, unsigned int at, unsigned int other)
{
	struct fx_oi_leaf *neighbour = fx_oi_child(m->parent, other);

	if (!fx_oi_try_lock(&neighbour->lock))
		return false;
	m->at = at < other ? at : other;
	if (at < other ? join_leaves(m, leaf, neighbour) : join_leaves(m, neighbour, leaf))
		return true;
	fx_oi_unlock(&neighbour->lock);
	return false;
}

/*
 * Is there much more room, or are there more dead long keys, in a leaf than it has use for? It is
 * asked now and then: rebuilding costs.
 */
static bool is_wasteful(const struct fx_oi_leaf *leaf)
{
	return (leaf->capacity > 4u * FX_OI_SLACK_FEW && leaf->live < leaf->capacity / 4) ||
	       leaf->dead_longs > (leaf->live ? FX_OI_DEAD_LONGS_MAX : 0);
}

/* Build a locked leaf, child at of the locked parent, anew without what is dead in it. */
static bool compact(struct merge *m, struct fx_oi_leaf *leaf, unsigned int at)
{
	struct fx_oi_item items[FX_OI_SLOTS_MAX];
	unsigned int count = fx_oi_leaf_items(leaf, items);
	struct fx_oi_leaf *smaller;

	if (fx_oi_leaf_new(m->index, leaf->low, leaf->high, items, count, fx_oi_slack(count),
			   &smaller))
		return false;
	fx_oi_child_set(m->parent, at, smaller);
	FX_PAUSE(FX_OI_PAUSE_COMPACTED);
	fx_oi_leaf_retire(m->index, leaf, false);
	return true;
}

/* Merge a locked leaf with a neighbour, or make it smaller. True: it is gone. */
static bool merge_leaf(struct merge *m, struct fx_oi_leaf *leaf)
{
	bool gone;
	unsigned int at;

	m->parent = try_lock_level(m->index, m->key, 1, &at);
	if (!m->parent)
		return false;
	assert(fx_oi_child(m->parent, at) == leaf);
	if (at < m->parent->count && join_with(m, leaf, at, at + 1))
		return true;
	if (at > 0 && join_with(m, leaf, at, at - 1))
		return true;
	gone = is_wasteful(leaf) && compact(m, leaf, at);
	fx_oi_unlock(&m->parent->lock);
	return gone;
}

/* ---- Inner nodes ------------------------------------------------------------------------------
 */

/* The root has one child: that is the root. */
static void lower_root(struct fx_ordered_index *index, struct fx_oi_inner *root)
{
	if (!fx_oi_try_lock(&root->lock))
		return;
	if (root == fx_oi_root(index) && root->level > 1 && !root->count) {
		FX_PAUSE(FX_OI_PAUSE_LOWERED);
		/* Release: pairs with fx_oi_root(). */
		atomic_store_explicit(&index->root, fx_oi_child(root, 0), memory_order_release);
		fx_oi_inner_retire(index, root);
	} else {
		fx_oi_unlock(&root->lock);
	}
}

/* a and b, locked, are children at and at + 1 of the locked parent. True: they are one now. */
static bool join_inner(struct merge *m, struct fx_oi_inner *a, struct fx_oi_inner *b)
{
	struct fx_oi_inner *joined;
	struct fx_oi_image image;

	if (a->count + b->count + 1u > FX_OI_FENCES_JOIN)
		return false;
	fx_oi_image_load(&image, a);
	fx_oi_image_add(&image, fx_oi_fences(m->parent)[m->at], b);
	joined = fx_oi_inner_new(m->index, a->level, a->low, b->high, &image, 0, image.count);
	if (!joined)
		return false;
	FX_PAUSE(FX_OI_PAUSE_JOINED);
	if (!replace_parent(m, joined)) {
		fx_oi_inner_free(m->index, joined);
		return false;
	}
	fx_oi_inner_retire(m->index, m->parent);
	fx_oi_inner_retire(m->index, a);
	fx_oi_inner_retire(m->index, b);
	return true;
}

/* Merge the children at and at + 1 of the locked parent. */
static bool join_children(struct merge *m, unsigned int at)
{
	struct fx_oi_inner *a = fx_oi_child(m->parent, at);
	struct fx_oi_inner *b = fx_oi_child(m->parent, at + 1);

	m->at = at;
	if (!fx_oi_try_lock(&a->lock))
		return false;
	if (fx_oi_try_lock(&b->lock)) {
		if (join_inner(m, a, b))
			return true;
		fx_oi_unlock(&b->lock);
	}
	fx_oi_unlock(&a->lock);
	return false;
}

/* Merge the node of this level on the key's way with a neighbour, if that is possible. */
static bool merge_inner(struct merge *m, unsigned int level)
{
	unsigned int at;

	m->parent = try_lock_level(m->index, m->key, level + 1, &at);
	if (!m->parent)
		return false;
	if (at < m->parent->count && join_children(m, at))
		return true;
	if (at > 0 && join_children(m, at - 1))
		return true;
	fx_oi_unlock(&m->parent->lock);
	return false;
}

/*
 * From level 1 up: as long as the node on the key's way has few fences, merge it. One without a
 * neighbour stays, but its parent, which has no other child, then is the one to be merged.
 */
static void merge_upwards(struct merge *m)
{
	for (unsigned int level = 1; level < FX_OI_LEVELS_MAX; level++) {
		struct fx_oi_inner *root = fx_oi_root(m->index);
		unsigned int at;

		if (root->level <= level) {
			if (root->level > 1 && !root->count)
				lower_root(m->index, root);
			return;
		}
		if (fx_oi_descend(m->index, m->key, level, &at)->count >= FX_OI_FENCES_FEW)
			return;
		if (!merge_inner(m, level) &&
		    fx_oi_descend(m->index, m->key, level + 1, &at)->count)
			return;
	}
}

/* Trying costs about as much as some removes, so it is done for one in four. */
static bool is_due(const struct fx_oi_leaf *leaf)
{
	return (leaf->live <= FX_OI_MERGE_BELOW && leaf->live % 4 == 0) ||
	       leaf->dead_longs > FX_OI_DEAD_LONGS_MAX;
}

void fx_oi_shrink(struct fx_ordered_index *index, struct fx_oi_leaf *leaf, struct fx_oi_key key)
{
	struct merge m = {.index = index, .key = key};
	bool was_empty = !leaf->live;
	bool gone = is_due(leaf) && merge_leaf(&m, leaf);

	if (!gone)
		fx_oi_unlock(&leaf->lock);
	if (m.new_parent || was_empty)
		merge_upwards(&m);
}
