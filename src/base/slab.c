/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slab.c - three layers; the upper two move lists of blocks, wherever these are, only the lowest
 * knows which memory is empty.
 *
 *   thread   active list: pop and push. Empty: the spare list becomes active, else a batch comes
 *            from the class. Full: it becomes the spare list; is there one, that goes to the class.
 *   class    batches, taken and given whole (size_class.c)
 *   spans    blocks are carved when the class has no batch; batches beyond the slack go back block
 *            by block; empty spans go back to their chunk, empty chunks to the kernel (chunk.c)
 *
 * So a block that another thread frees costs no more than one's own: it joins the lists of who
 * freed it and comes back in a batch. These are Bonwick's magazines (USENIX 2001).
 *
 * Invariants
 *  S1 A free block is in exactly one list; its first word is the link, its second, in the first
 *     block of a batch, the next batch: hence blocks of at least 16 bytes.
 *  S2 A batch has exactly batch_blocks blocks; only an active list may have fewer. What is left of
 *     a thread that ends goes to the spans.
 *  S3 claimed counts what threads have of the classes, and what malloc gave: it changes when a
 *     batch moves, not with a block. A thread counts in its cache what it allocated minus what it
 *     freed: that may be negative, but the sum over all caches is exact.
 */
#include "slab.h"

#include "local.h"
#include "size_class.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CACHED_MAX     8192u /* larger blocks are not kept by threads */
#define PREFETCH_LINES 4u
#define LINE	       64u

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static_assert(FX_SLAB_BLOCK_MAX == FX_SIZE_MAX, "the largest block is the last class's");

/* A thread's share of a class; the class's constants are copied at its first use. */
struct bin {
	void *active;
	void *spare;	       /* NULL or a batch */
	uint16_t count;	       /* in active */
	uint16_t batch_blocks; /* 0: not used yet; then both lists are empty */
	uint32_t bytes;
};

struct cache {
	struct fx_local_node node;
	_Atomic int64_t used; /* written by its thread alone (S3) */
	struct bin bins[FX_SIZE_CLASS_COUNT];
};

struct fx_slab {
	struct fx_local local; /* of caches */
	struct fx_slab_options options;
	bool from_malloc;
	_Atomic uint64_t claimed;
	_Atomic uint64_t large; /* of claimed, what is from malloc; a count, orders nothing */
	_Atomic int64_t used;	/* by threads that could get no cache */
	struct fx_page_heap heap;
	struct fx_size_class classes[FX_SIZE_CLASS_COUNT];
};

size_t fx_slab_rounded(size_t size)
{
	if (size > FX_SLAB_BLOCK_MAX)
		return (size + FX_SIZE_UNIT - 1) / FX_SIZE_UNIT * FX_SIZE_UNIT;
	return fx_size_class_bytes(fx_size_class(size));
}

/* ---- Counting -------------------------------------------------------------------------------- */

static void claim(struct fx_slab *slab, int64_t bytes)
{
	atomic_fetch_add_explicit(&slab->claimed, (uint64_t)bytes, memory_order_relaxed);
}

static inline void count_used(struct cache *cache, int64_t bytes)
{
	/* No other thread writes it: a load and a store are enough. */
	atomic_store_explicit(&cache->used,
			      atomic_load_explicit(&cache->used, memory_order_relaxed) + bytes,
			      memory_order_relaxed);
}

static void count_used_slow(struct fx_slab *slab, int64_t bytes)
{
	struct cache *cache = fx_local_get(&slab->local);

	if (cache)
		count_used(cache, bytes);
	else
		atomic_fetch_add_explicit(&slab->used, bytes, memory_order_relaxed);
}

uint64_t fx_slab_used(const struct fx_slab *slab)
{
	int64_t sum = atomic_load_explicit(&slab->used, memory_order_relaxed);

	for (struct fx_local_node *node = fx_local_first(&slab->local); node; node = node->next)
		sum += atomic_load_explicit(&((struct cache *)node)->used, memory_order_relaxed);
	return sum > 0 ? (uint64_t)sum : 0;
}

uint64_t fx_slab_claimed(const struct fx_slab *slab)
{
	return atomic_load_explicit(&slab->claimed, memory_order_relaxed);
}

uint64_t fx_slab_resident(struct fx_slab *slab)
{
	uint64_t bytes;

	pthread_mutex_lock(&slab->heap.mutex);
	bytes = fx_chunks_bytes(&slab->heap.chunks);
	pthread_mutex_unlock(&slab->heap.mutex);
	return bytes;
}

uint64_t fx_slab_held(struct fx_slab *slab)
{
	return fx_slab_resident(slab) + atomic_load_explicit(&slab->large, memory_order_relaxed);
}

/* ---- Blocks from malloc, and those that threads do not keep ---------------------------------- */

static void *large_alloc(struct fx_slab *slab, size_t size)
{
	size_t rounded = fx_slab_rounded(size);
	void *block = NULL;

	if (size > PTRDIFF_MAX || posix_memalign(&block, size % LINE ? FX_SIZE_UNIT : LINE, size))
		return NULL;
	claim(slab, (int64_t)rounded);
	atomic_fetch_add_explicit(&slab->large, rounded, memory_order_relaxed);
	count_used_slow(slab, (int64_t)rounded);
	return block;
}

static void large_free(struct fx_slab *slab, void *block, size_t size)
{
	int64_t rounded = (int64_t)fx_slab_rounded(size);

	free(block);
	claim(slab, -rounded);
	atomic_fetch_sub_explicit(&slab->large, (uint64_t)rounded, memory_order_relaxed);
	count_used_slow(slab, -rounded);
}

static void give_list(struct fx_slab *slab, struct fx_size_class *class, void *list)
{
	unsigned int count = fx_size_class_give_list(class, &slab->heap, list);

	claim(slab, -(int64_t)((uint64_t)count * class->bytes));
}

/* ---- The threads' lists ---------------------------------------------------------------------- */

/* An empty active list gets blocks: the spare's, else the class's. False: memory is short. */
static bool refill(struct fx_slab *slab, struct bin *bin, struct fx_size_class *class)
{
	unsigned int count = class->batch_blocks;
	void *list = bin->spare;

	bin->batch_blocks = class->batch_blocks;
	bin->bytes = class->bytes;
	if (list) {
		bin->spare = NULL;
	} else {
		list = fx_size_class_take(class, &slab->heap, &count);
		if (!list)
			return false;
		claim(slab, (int64_t)((uint64_t)count * class->bytes));
	}
	bin->active = list;
	bin->count = (uint16_t)count;
	return true;
}

/* A full active list makes room: it becomes the spare, and that, if there is one, a batch. */
static void spill(struct fx_slab *slab, struct bin *bin, struct fx_size_class *class)
{
	void *batch = bin->spare;

	bin->batch_blocks = class->batch_blocks;
	bin->bytes = class->bytes;
	bin->spare = bin->active;
	bin->active = NULL;
	bin->count = 0;
	if (!batch)
		return;
	fx_size_class_give(class, &slab->heap, batch);
	claim(slab, -(int64_t)((uint64_t) class->batch_blocks * class->bytes));
}

/* The block that is next will be written soon, and its link read. */
static inline void prefetch(const void *block, size_t size)
{
	const char *line = block;

	for (unsigned int i = 0; block && i < PREFETCH_LINES && i * LINE < size; i++)
		__builtin_prefetch(line + (size_t)i * LINE, 1);
}

void *fx_slab_alloc(struct fx_slab *slab, size_t size)
{
	struct cache *cache;
	unsigned int number;
	struct bin *bin;
	void *block;

	assert(size);
	if (slab->options.fail && slab->options.fail(slab->options.fail_ctx, size))
		return NULL;
	if (size > FX_SLAB_BLOCK_MAX || slab->from_malloc)
		return large_alloc(slab, size);
	cache = fx_local_get(&slab->local);
	if (!cache)
		return NULL;
	number = fx_size_class(size);
	bin = &cache->bins[number];
	if (!bin->active && !refill(slab, bin, &slab->classes[number]))
		return NULL;
	block = bin->active;
	bin->active = *(void **)block;
	bin->count--;
	prefetch(bin->active, size);
	count_used(cache, bin->bytes);
	return block;
}

/* No list to put it in: the thread has none, or such blocks are too large to be kept. */
static void free_at_once(struct fx_slab *slab, struct fx_size_class *class, void *block)
{
	*(void **)block = NULL;
	give_list(slab, class, block);
	count_used_slow(slab, -(int64_t) class->bytes);
}

void fx_slab_free(struct fx_slab *slab, void *ptr, size_t size)
{
	struct cache *cache;
	unsigned int number;
	struct bin *bin;

	if (!ptr)
		return;
	if (size > FX_SLAB_BLOCK_MAX || slab->from_malloc) {
		large_free(slab, ptr, size);
		return;
	}
	cache = fx_local_get(&slab->local);
	number = fx_size_class(size);
	if (!cache || size > CACHED_MAX) {
		free_at_once(slab, &slab->classes[number], ptr);
		return;
	}
	bin = &cache->bins[number];
	if (bin->count == bin->batch_blocks)
		spill(slab, bin, &slab->classes[number]);
	*(void **)ptr = bin->active;
	bin->active = ptr;
	bin->count++;
	count_used(cache, -(int64_t)bin->bytes);
}

/* A thread ends: others can use what it kept. What it counted stays. */
static void leave(struct fx_local *local, struct fx_local_node *node)
{
	struct fx_slab *slab = (struct fx_slab *)((char *)local - offsetof(struct fx_slab, local));
	struct cache *cache = (struct cache *)node;

	for (unsigned int i = 0; i < FX_SIZE_CLASS_COUNT; i++) {
		struct bin *bin = &cache->bins[i];

		if (bin->active)
			give_list(slab, &slab->classes[i], bin->active);
		if (bin->spare)
			give_list(slab, &slab->classes[i], bin->spare);
		*bin = (struct bin){0};
	}
}

void fx_slab_trim(struct fx_slab *slab)
{
	for (unsigned int i = 0; i < FX_SIZE_CLASS_COUNT; i++)
		fx_size_class_trim(&slab->classes[i], &slab->heap);
	pthread_mutex_lock(&slab->heap.mutex);
	fx_chunks_trim(&slab->heap.chunks);
	pthread_mutex_unlock(&slab->heap.mutex);
}

/* ---- Life ------------------------------------------------------------------------------------ */

int fx_slab_create(const struct fx_slab_options *options, struct fx_slab **ret_slab)
{
	struct fx_slab *slab = aligned_alloc(LINE, (sizeof(*slab) + LINE - 1) / LINE * LINE);

	if (!slab)
		return -ENOMEM;
	*slab = (struct fx_slab){0};
	if (options)
		slab->options = *options;
	slab->from_malloc = slab->options.source == FX_SLAB_AUTO
				    ? SANITIZED
				    : slab->options.source == FX_SLAB_MALLOC;
	fx_local_init(&slab->local, sizeof(struct cache), 0, leave);
	pthread_mutex_init(&slab->heap.mutex, NULL);
	fx_chunks_init(&slab->heap.chunks, !slab->options.no_huge_pages);
	for (unsigned int i = 0; i < FX_SIZE_CLASS_COUNT; i++)
		fx_size_class_init(&slab->classes[i], i);
	*ret_slab = slab;
	return 0;
}

void fx_slab_destroy(struct fx_slab *slab)
{
	if (!slab)
		return;
	fx_local_destroy(&slab->local);
	for (unsigned int i = 0; i < FX_SIZE_CLASS_COUNT; i++)
		fx_size_class_destroy(&slab->classes[i]);
	fx_chunks_release(&slab->heap.chunks);
	pthread_mutex_destroy(&slab->heap.mutex);
	free(slab);
}
