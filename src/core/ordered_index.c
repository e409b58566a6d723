/* SPDX-License-Identifier: Apache-2.0 */
#include "ordered_index.h"

#include <sys/tree.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct node {
	RB_ENTRY(node) entry;
	size_t size;
	const uint8_t *bytes;
	uint8_t own[];
};
RB_HEAD(tree, node);

struct fx_ordered_index {
	struct fx_slab *slab;
	struct tree tree;
	pthread_rwlock_t lock;
	_Atomic uint64_t bytes;
};

static int compare(const struct node *a, const struct node *b)
{
	size_t n = a->size < b->size ? a->size : b->size;
	int c = n ? memcmp(a->bytes, b->bytes, n) : 0;

	return c ? c : (a->size > b->size) - (a->size < b->size);
}

RB_PROTOTYPE_INTERNAL(tree, node, entry, compare, static __attribute__((unused)));
RB_GENERATE_INTERNAL(tree, node, entry, compare, static __attribute__((unused)))

int fx_ordered_index_create(struct fx_slab *slab, struct fx_epoch *epoch,
			    struct fx_ordered_index **ret_index)
{
	struct fx_ordered_index *index = calloc(1, sizeof(*index));

	if (!index)
		return -ENOMEM;
	index->slab = slab;
	RB_INIT(&index->tree);
	pthread_rwlock_init(&index->lock, NULL);
	*ret_index = index;
	return 0;
}

void fx_ordered_index_destroy(struct fx_ordered_index *index)
{
	struct node *node, *next;

	if (!index)
		return;
	RB_FOREACH_SAFE(node, tree, &index->tree, next)
	{
		RB_REMOVE(tree, &index->tree, node);
		fx_slab_free(index->slab, node, sizeof(*node) + node->size);
	}
	pthread_rwlock_destroy(&index->lock);
	free(index);
}

int fx_ordered_index_insert(struct fx_ordered_index *index, const void *key, size_t key_size)
{
	struct node *node = fx_slab_alloc(index->slab, sizeof(*node) + key_size);
	struct node *there;

	if (!node)
		return -ENOMEM;
	node->size = key_size;
	node->bytes = node->own;
	if (key_size)
		memcpy(node->own, key, key_size);
	pthread_rwlock_wrlock(&index->lock);
	there = RB_INSERT(tree, &index->tree, node);
	if (!there)
		index->bytes += sizeof(*node) + key_size;
	pthread_rwlock_unlock(&index->lock);
	if (there)
		fx_slab_free(index->slab, node, sizeof(*node) + key_size);
	return 0;
}

bool fx_ordered_index_remove(struct fx_ordered_index *index, const void *key, size_t key_size,
			     bool (*dead)(void *ctx), void *ctx)
{
	struct node probe = {.size = key_size, .bytes = key};
	struct node *node;
	bool removed = false;

	pthread_rwlock_wrlock(&index->lock);
	if (dead(ctx)) {
		removed = true;
		node = RB_FIND(tree, &index->tree, &probe);
		if (node) {
			RB_REMOVE(tree, &index->tree, node);
			index->bytes -= sizeof(*node) + key_size;
			fx_slab_free(index->slab, node, sizeof(*node) + key_size);
		}
	}
	pthread_rwlock_unlock(&index->lock);
	return removed;
}

int fx_ordered_index_load(struct fx_ordered_index *index, uint64_t n,
			  const void *(*next)(void *ctx, size_t *ret_size), void *ctx)
{
	for (uint64_t i = 0; i < n; i++) {
		size_t size;
		const void *key = next(ctx, &size);
		int err = fx_ordered_index_insert(index, key, size);

		if (err)
			return err;
	}
	return 0;
}

void fx_ordered_index_scan(struct fx_ordered_index *index, const void *from, size_t from_size,
			   bool inclusive, bool reverse, size_t max, struct fx_key_batch *batch)
{
	struct node probe = {.size = from_size, .bytes = from};
	struct node *node;

	batch->count = 0;
	batch->used = 0;
	batch->end = false;
	pthread_rwlock_rdlock(&index->lock);
	if (!from)
		node = reverse ? RB_MAX(tree, &index->tree) : RB_MIN(tree, &index->tree);
	else {
		node = RB_NFIND(tree, &index->tree, &probe); /* >= */
		if (reverse) {
			if (!node)
				node = RB_MAX(tree, &index->tree);
			else if (compare(node, &probe) != 0 || !inclusive)
				node = RB_PREV(tree, &index->tree, node);
		} else if (node && !inclusive && compare(node, &probe) == 0) {
			node = RB_NEXT(tree, &index->tree, node);
		}
	}
	while (node && batch->count < max && batch->used + 2 + node->size <= batch->capacity) {
		uint16_t size = (uint16_t)node->size;

		memcpy(batch->keys + batch->used, &size, 2);
		if (size)
			memcpy(batch->keys + batch->used + 2, node->bytes, size);
		batch->used += 2u + size;
		batch->count++;
		node = reverse ? RB_PREV(tree, &index->tree, node)
			       : RB_NEXT(tree, &index->tree, node);
	}
	batch->end = !node;
	pthread_rwlock_unlock(&index->lock);
}

uint64_t fx_ordered_index_bytes(const struct fx_ordered_index *index)
{
	return index->bytes;
}
