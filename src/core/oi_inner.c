/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oi_inner.c - inner nodes and fences.
 *
 * A search compares numbers: the eight bytes of each fence behind what all of the node's fences
 * share. Only fences of equal heads are looked at themselves. Of the shared bytes a key is compared
 * with those that the node's range does not vouch for: below one directory, or in a root of keys
 * that all begin alike, heads would say nothing without that.
 */
#include "oi_inner.h"

/* ---- Fences -----------------------------------------------------------------------------------
 */

uint16_t fx_oi_shared(const struct fx_oi_fence *a, const struct fx_oi_fence *b)
{
	return a && b ? (uint16_t)fx_oi_common(fx_oi_fence_key(a), fx_oi_fence_key(b)) : 0;
}

struct fx_oi_fence *fx_oi_fence_new(struct fx_ordered_index *index, struct fx_oi_key a,
				    struct fx_oi_key b)
{
	/* As many bytes of b as part it from a: b is greater, so it goes on where they differ. */
	size_t size = fx_oi_common(a, b) + 1;
	struct fx_oi_fence *fence;

	assert(size <= b.size);
	fence = fx_slab_alloc(index->slab, sizeof(*fence) + size);
	if (!fence)
		return NULL;
	fence->size = (uint32_t)size;
	memcpy(fence->bytes, b.bytes, size);
	fx_oi_count(index, (int64_t)fx_oi_fence_bytes(fence));
	return fence;
}

void fx_oi_fence_drop(struct fx_ordered_index *index, const struct fx_oi_fence *fence)
{
	if (!fence)
		return;
	fx_oi_count(index, -(int64_t)fx_oi_fence_bytes(fence));
	fx_slab_free(index->slab, (void *)fence, fx_oi_fence_bytes(fence));
}

/* ---- Search -----------------------------------------------------------------------------------
 */

static bool fence_is_left(const struct fx_oi_fence *fence, struct fx_oi_key key, size_t from,
			  bool before)
{
	int c = fx_bytes_cmp(fence->bytes + from, fence->size - from, key.bytes + from,
			     key.size - from);

	return before ? c < 0 : c <= 0;
}

/* key against the bytes that all fences share: <0, 0, >0. */
static int compare_prefix(const struct fx_oi_inner *node, struct fx_oi_key key)
{
	size_t at = node->range_size, end = node->prefix_size;
	size_t n = key.size < end ? key.size : end;
	int c = n > at ? memcmp(key.bytes + at, fx_oi_fences(node)[0]->bytes + at, n - at) : 0;

	return c || n == end ? c : -1;
}

/* How many heads are below this one. Without branches that depend on keys. */
static unsigned int heads_below(const struct fx_oi_inner *node, uint64_t head)
{
	const uint64_t *heads = fx_oi_heads(node);
	unsigned int low = 0, n = node->count;

	if (!n)
		return 0;
	while (n > 1) {
		unsigned int half = n / 2;

		low += heads[low + half - 1] < head ? half : 0;
		n -= half;
	}
	return low + (heads[low] < head);
}

unsigned int fx_oi_inner_find(const struct fx_oi_inner *node, struct fx_oi_key key, bool before)
{
	size_t prefix = node->prefix_size;
	unsigned int low, n;
	uint64_t head;

	if (prefix > node->range_size) {
		int c = compare_prefix(node, key);

		if (c)
			return c < 0 ? 0 : node->count;
	}
	head = fx_oi_head8(key.bytes + prefix, key.size - prefix);
	low = heads_below(node, head);
	if (low == node->count || fx_oi_heads(node)[low] != head)
		return low;
	n = (head == UINT64_MAX ? node->count : heads_below(node, head + 1)) - low;
	while (n) {
		unsigned int middle = low + n / 2;

		if (fence_is_left(fx_oi_fences(node)[middle], key, prefix, before)) {
			low = middle + 1;
			n -= n / 2 + 1;
		} else {
			n /= 2;
		}
	}
	return low;
}

struct fx_oi_inner *fx_oi_descend(const struct fx_ordered_index *index, struct fx_oi_key key,
				  unsigned int level, unsigned int *ret_child)
{
	struct fx_oi_inner *node = fx_oi_root(index);

	assert(level <= node->level);
	for (;;) {
		unsigned int i = fx_oi_inner_find(node, key, false);

		if (node->level == level) {
			*ret_child = i;
			return node;
		}
		node = fx_oi_child(node, i);
		fx_oi_prefetch_inner(node);
	}
}

/* ---- Images -----------------------------------------------------------------------------------
 */

void fx_oi_image_load(struct fx_oi_image *image, const struct fx_oi_inner *node)
{
	image->count = node->count;
	image->prefix_size = node->prefix_size;
	memcpy(image->heads, fx_oi_heads(node), node->count * sizeof(*image->heads));
	memcpy(image->fences, fx_oi_fences(node), node->count * sizeof(*image->fences));
	for (unsigned int i = 0; i <= node->count; i++)
		image->children[i] = fx_oi_child(node, i);
}

static uint64_t fence_head(const struct fx_oi_fence *fence, size_t prefix)
{
	/* A fence that does not have the prefix changes the prefix: this head is not used then. */
	return fence->size < prefix ? 0 : fx_oi_head8(fence->bytes + prefix, fence->size - prefix);
}

void fx_oi_image_split(struct fx_oi_image *image, unsigned int at, void *left,
		       const struct fx_oi_fence *fence, void *right)
{
	size_t n = image->count - at;

	memmove(image->heads + at + 1, image->heads + at, n * sizeof(*image->heads));
	memmove(image->fences + at + 1, image->fences + at, n * sizeof(*image->fences));
	memmove(image->children + at + 2, image->children + at + 1, n * sizeof(*image->children));
	image->heads[at] = fence_head(fence, image->prefix_size);
	image->fences[at] = fence;
	image->children[at] = left;
	image->children[at + 1] = right;
	image->count++;
}

void fx_oi_image_join(struct fx_oi_image *image, unsigned int at, void *child)
{
	size_t n = image->count - at - 1;

	memmove(image->heads + at, image->heads + at + 1, n * sizeof(*image->heads));
	memmove(image->fences + at, image->fences + at + 1, n * sizeof(*image->fences));
	memmove(image->children + at + 1, image->children + at + 2, n * sizeof(*image->children));
	image->children[at] = child;
	image->count--;
}

void fx_oi_image_add(struct fx_oi_image *image, const struct fx_oi_fence *fence,
		     const struct fx_oi_inner *node)
{
	unsigned int n = image->count;

	assert(n + 1 + node->count <= FX_OI_FENCES_MAX);
	image->fences[n] = fence;
	memcpy(image->fences + n + 1, fx_oi_fences(node), node->count * sizeof(*image->fences));
	for (unsigned int i = 0; i <= node->count; i++)
		image->children[n + 1 + i] = fx_oi_child(node, i);
	image->count = n + 1 + node->count;
	image->prefix_size = UINT16_MAX; /* no node's: heads are made anew */
}

/* ---- Nodes ------------------------------------------------------------------------------------
 */

static size_t inner_bytes(unsigned int count)
{
	return sizeof(struct fx_oi_inner) + (3 * (size_t)count + 1) * sizeof(uint64_t);
}

static void fill(struct fx_oi_inner *node, const struct fx_oi_image *image, unsigned int first)
{
	uint64_t *heads = fx_oi_heads(node);
	const struct fx_oi_fence **fences = fx_oi_fences(node);

	memcpy(fences, image->fences + first, node->count * sizeof(*fences));
	for (unsigned int i = 0; i <= node->count; i++)
		atomic_init(&fx_oi_children(node)[i], image->children[first + i]);
	node->range_size = fx_oi_shared(node->low, node->high);
	node->prefix_size =
		node->count ? fx_oi_shared(fences[0], fences[node->count - 1]) : node->range_size;
	if (node->prefix_size == image->prefix_size)
		memcpy(heads, image->heads + first, node->count * sizeof(*heads));
	else
		for (unsigned int i = 0; i < node->count; i++)
			heads[i] = fence_head(fences[i], node->prefix_size);
}

struct fx_oi_inner *fx_oi_inner_new(struct fx_ordered_index *index, unsigned int level,
				    const struct fx_oi_fence *low, const struct fx_oi_fence *high,
				    const struct fx_oi_image *image, unsigned int first,
				    unsigned int count)
{
	struct fx_oi_inner *node = fx_slab_alloc(index->slab, inner_bytes(count));

	assert(count <= FX_OI_FENCES_MAX && level < FX_OI_LEVELS_MAX);
	if (!node)
		return NULL;
	node->slab = index->slab;
	atomic_init(&node->lock, FX_OI_UNLOCKED);
	node->level = (uint8_t)level;
	node->count = (uint8_t)count;
	node->low = low;
	node->high = high;
	fill(node, image, first);
	fx_oi_count(index, (int64_t)inner_bytes(count));
	return node;
}

void fx_oi_inner_free(struct fx_ordered_index *index, struct fx_oi_inner *node)
{
	fx_oi_count(index, -(int64_t)inner_bytes(node->count));
	fx_slab_free(node->slab, node, inner_bytes(node->count));
}

static void inner_retired(struct fx_retired *retired, void *ctx)
{
	struct fx_oi_inner *node = (struct fx_oi_inner *)retired;

	fx_slab_free(node->slab, node, inner_bytes(node->count));
}

void fx_oi_inner_retire(struct fx_ordered_index *index, struct fx_oi_inner *node)
{
	fx_oi_count(index, -(int64_t)inner_bytes(node->count));
	/* Nobody locks it again; what is retired here was unpublished before (N5). */
	atomic_store_explicit(&node->lock, FX_OI_GONE, memory_order_release);
	fx_epoch_retire(index->epoch, &node->retired, inner_retired, inner_bytes(node->count));
}
