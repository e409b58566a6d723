/* SPDX-License-Identifier: Apache-2.0 */
/* oi_inner.h - what can be done with inner nodes and fences; struct fx_oi_inner: oi.h. */
#ifndef FX_OI_INNER_H
#define FX_OI_INNER_H

#include "oi.h"

static inline uint64_t *fx_oi_heads(const struct fx_oi_inner *node)
{
	return (uint64_t *)node->cells;
}

static inline const struct fx_oi_fence **fx_oi_fences(const struct fx_oi_inner *node)
{
	return (const struct fx_oi_fence **)(node->cells + node->count);
}

static inline void *_Atomic *fx_oi_children(const struct fx_oi_inner *node)
{
	return (void *_Atomic *)(node->cells + 2 * (size_t)node->count);
}

static inline void *fx_oi_child(const struct fx_oi_inner *node, unsigned int i)
{
	/* Acquire: pairs with fx_oi_child_set() and the root's store; the child is whole. */
	return atomic_load_explicit(&fx_oi_children(node)[i], memory_order_acquire);
}

/* Under the node's lock. */
static inline void fx_oi_child_set(struct fx_oi_inner *node, unsigned int i, void *child)
{
	atomic_store_explicit(&fx_oi_children(node)[i], child, memory_order_release);
}

static inline struct fx_oi_inner *fx_oi_root(const struct fx_ordered_index *index)
{
	return atomic_load_explicit(&index->root, memory_order_acquire);
}

/* The child on key's way; with before, on the way to the keys just less than it. */
unsigned int fx_oi_inner_find(const struct fx_oi_inner *node, struct fx_oi_key key, bool before);

static inline void fx_oi_prefetch_inner(const struct fx_oi_inner *node)
{
	for (size_t line = 0; line < 6; line++)
		__builtin_prefetch((const char *)node + 64 * line);
}

static inline struct fx_oi_key fx_oi_fence_key(const struct fx_oi_fence *fence)
{
	return (struct fx_oi_key){fence->bytes, fence->size};
}

/* The node of this level on key's way, and the child; level is at most the root's. */
struct fx_oi_inner *fx_oi_descend(const struct fx_ordered_index *index, struct fx_oi_key key,
				  unsigned int level, unsigned int *ret_child);

/* A fence between the keys a < b. NULL: no memory. */
struct fx_oi_fence *fx_oi_fence_new(struct fx_ordered_index *index, struct fx_oi_key a,
				    struct fx_oi_key b);
/* Free one that no node has; NULL is allowed. */
void fx_oi_fence_drop(struct fx_ordered_index *index, const struct fx_oi_fence *fence);
static inline size_t fx_oi_fence_bytes(const struct fx_oi_fence *fence)
{
	return sizeof(*fence) + fence->size;
}

/* Bytes that two fences share; 0 when one is NULL. */
uint16_t fx_oi_shared(const struct fx_oi_fence *a, const struct fx_oi_fence *b);

/* What a locked node holds. */
void fx_oi_image_load(struct fx_oi_image *image, const struct fx_oi_inner *node);
/* Child at becomes left, fence, right. */
void fx_oi_image_split(struct fx_oi_image *image, unsigned int at, void *left,
		       const struct fx_oi_fence *fence, void *right);
/* Children at and at + 1 become child; the fence between them goes. */
void fx_oi_image_join(struct fx_oi_image *image, unsigned int at, void *child);
/* Append what node holds behind fence. */
void fx_oi_image_add(struct fx_oi_image *image, const struct fx_oi_fence *fence,
		     const struct fx_oi_inner *node);

/* A node of count of the image's fences from first on, with the children around them. */
struct fx_oi_inner *fx_oi_inner_new(struct fx_ordered_index *index, unsigned int level,
				    const struct fx_oi_fence *low, const struct fx_oi_fence *high,
				    const struct fx_oi_image *image, unsigned int first,
				    unsigned int count);
void fx_oi_inner_free(struct fx_ordered_index *index, struct fx_oi_inner *node);   /* unseen */
void fx_oi_inner_retire(struct fx_ordered_index *index, struct fx_oi_inner *node); /* locked */

#endif
