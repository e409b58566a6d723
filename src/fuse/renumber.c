/* SPDX-License-Identifier: Apache-2.0 */
#include "renumber.h"

#include <stdlib.h>

#include "meta.h"
#include "notify.h"

struct hashed {
	const struct fx_node *a, *b; /* either may be NULL */
	struct fx_node **nodes;	     /* references */
	size_t count, capacity;
};

static bool lies_below(const struct fx_node *node, const struct fx_node *top)
{
	for (; node; node = node->parent)
		if (node == top)
			return true;
	return false;
}

static void collect(void *ctx, struct fx_node *node)
{
	struct hashed *h = ctx;

	if (!(atomic_load_explicit(&node->ino, memory_order_relaxed) & FX_INO_HASHED))
		return;
	if (!(h->a && lies_below(node, h->a)) && !(h->b && lies_below(node, h->b)))
		return;
	if (h->count == h->capacity) {
		size_t capacity = h->capacity ? h->capacity * 2 : 64;
		struct fx_node **grown = realloc(h->nodes, capacity * sizeof(struct fx_node *));

		if (!grown)
			return; /* a stale number is shown until it is asked for again */
		h->nodes = grown;
		h->capacity = capacity;
	}
	fx_node_ref_locked(node);
	h->nodes[h->count++] = node;
}

void fx_renumber(struct fx_fs *fs, const struct fx_node *a, const struct fx_node *b)
{
	struct hashed h = {.a = a, .b = b};

	fx_nodes_each(fs, collect, &h);
	for (size_t i = 0; i < h.count; i++) {
		fx_notify_inode(fs, h.nodes[i], false, NULL, NULL);
		fx_node_unref(fs, h.nodes[i]);
	}
	free(h.nodes);
}
