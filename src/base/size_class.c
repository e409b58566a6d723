/* SPDX-License-Identifier: Apache-2.0 */
#include "size_class.h"

#include <assert.h>

#define BATCH_BYTES    16384u
#define BATCH_BLOCKS   64u
#define SLACK_MIN      ((size_t)4 << 20) /* a class keeps batches of so many bytes, */
#define SLACK_SHARE    16u		 /* or of this part of what threads have */
#define SPAN_PAGES_MAX 8u
#define WASTE_SHARE    16u /* of a span may be left at its end */
#define SMALL_CLASSES  (FX_SIZE_SMALL / FX_SIZE_UNIT)

/* ---- Sizes ----------------------------------------------------------------------------------- */

size_t fx_size_class_bytes(unsigned int number)
{
	unsigned int shift;

	if (number < SMALL_CLASSES)
		return (number + 1) * (size_t)FX_SIZE_UNIT;
	number -= SMALL_CLASSES;
	shift = number / FX_SIZE_STEPS + 10;
	return ((size_t)number % FX_SIZE_STEPS + FX_SIZE_STEPS + 1) << (shift - 4);
}

/* The fewest pages whose end is not wasted, else those that waste least. */
static unsigned int span_pages(size_t bytes)
{
	unsigned int best = 0;
	size_t best_waste = 0;

	for (unsigned int pages = 1; pages <= SPAN_PAGES_MAX; pages++) {
		size_t span = pages * FX_PAGE_BYTES;
		size_t waste = span % bytes / pages;

		if (span - FX_CHUNK_HEADER < bytes)
			continue; /* would not hold one at a chunk's start */
		if (!best || waste < best_waste) {
			best = pages;
			best_waste = waste;
		}
		if (best_waste <= FX_PAGE_BYTES / WASTE_SHARE)
			break;
	}
	return best;
}

void fx_size_class_init(struct fx_size_class *class, unsigned int number)
{
	size_t bytes = fx_size_class_bytes(number);
	size_t blocks = BATCH_BYTES / bytes;

	*class = (struct fx_size_class){
		.bytes = (uint32_t)bytes,
		.batch_blocks = (uint16_t)(blocks > BATCH_BLOCKS ? BATCH_BLOCKS
					   : blocks		 ? blocks
								 : 1),
		.pages = (uint8_t)span_pages(bytes),
	};
	pthread_mutex_init(&class->mutex, NULL);
}

void fx_size_class_destroy(struct fx_size_class *class)
{
	pthread_mutex_destroy(&class->mutex);
}

/* ---- Spans: the class's mutex is held -------------------------------------------------------- */

static void span_add(struct fx_size_class *class, struct fx_span *span)
{
	span->prev = NULL;
	span->next = class->spans;
	if (span->next)
		span->next->prev = span;
	class->spans = span;
}

static void span_remove(struct fx_size_class *class, struct fx_span *span)
{
	if (span->prev)
		span->prev->next = span->next;
	else
		class->spans = span->next;
	if (span->next)
		span->next->prev = span->prev;
}

/* A span with a free block. */
static struct fx_span *span_find(struct fx_size_class *class, struct fx_page_heap *heap)
{
	struct fx_span *span = class->spans;

	if (span)
		return span;
	pthread_mutex_lock(&heap->mutex);
	span = fx_span_take(&heap->chunks, class->pages, class->bytes);
	pthread_mutex_unlock(&heap->mutex);
	if (span)
		span_add(class, span);
	return span;
}

static unsigned int carve(struct fx_size_class *class, struct fx_page_heap *heap, void **list)
{
	unsigned int count = 0;

	while (count < class->batch_blocks) {
		struct fx_span *span = span_find(class, heap);

		if (!span)
			break;
		count += fx_span_carve(span, class->batch_blocks - count, list);
		if (fx_span_is_full(span))
			span_remove(class, span);
	}
	return count;
}

static void give_block(struct fx_size_class *class, struct fx_page_heap *heap, void *block)
{
	struct fx_span *span = fx_span_of(block);
	bool was_full = fx_span_is_full(span);

	assert(span->block_bytes == class->bytes); /* freed with another size? */
	fx_span_free_block(span, block);
	if (was_full)
		span_add(class, span);
	if (span->used)
		return;
	span_remove(class, span);
	pthread_mutex_lock(&heap->mutex);
	fx_span_give(&heap->chunks, span);
	pthread_mutex_unlock(&heap->mutex);
}

static unsigned int give_blocks(struct fx_size_class *class, struct fx_page_heap *heap, void *list)
{
	unsigned int count = 0;

	while (list) {
		void *next = *(void **)list;

		give_block(class, heap, list);
		list = next;
		count++;
	}
	return count;
}

static struct fx_block_batch *pop_batch(struct fx_size_class *class)
{
	struct fx_block_batch *batch = class->batches;

	if (batch) {
		class->batches = batch->next;
		class->batch_count--;
		if (class->batch_least > class->batch_count)
			class->batch_least = class->batch_count;
	}
	return batch;
}

/* Batches beyond the slack go back to their spans, two for one that comes. */
static void limit(struct fx_size_class *class, struct fx_page_heap *heap)
{
	size_t slack = class->taken * class->bytes / SLACK_SHARE;

	if (slack < SLACK_MIN)
		slack = SLACK_MIN;
	for (unsigned int i = 0; i < 2; i++) {
		if (class->batch_count * class->batch_blocks * class->bytes <= slack)
			return;
		give_blocks(class, heap, pop_batch(class));
	}
}

/* ---- Batches --------------------------------------------------------------------------------- */

void *fx_size_class_take(struct fx_size_class *class, struct fx_page_heap *heap,
			 unsigned int *ret_count)
{
	unsigned int count = class->batch_blocks;
	void *list;

	pthread_mutex_lock(&class->mutex);
	list = pop_batch(class);
	if (!list)
		count = carve(class, heap, &list);
	class->taken += count;
	pthread_mutex_unlock(&class->mutex);
	*ret_count = count;
	return list;
}

void fx_size_class_give(struct fx_size_class *class, struct fx_page_heap *heap, void *batch)
{
	struct fx_block_batch *first = batch;

	pthread_mutex_lock(&class->mutex);
	first->next = class->batches;
	class->batches = first;
	class->batch_count++;
	class->taken -= class->batch_blocks;
	limit(class, heap);
	pthread_mutex_unlock(&class->mutex);
}

unsigned int fx_size_class_give_list(struct fx_size_class *class, struct fx_page_heap *heap,
				     void *list)
{
	unsigned int count;

	pthread_mutex_lock(&class->mutex);
	count = give_blocks(class, heap, list);
	class->taken -= count;
	pthread_mutex_unlock(&class->mutex);
	return count;
}

void fx_size_class_trim(struct fx_size_class *class, struct fx_page_heap *heap)
{
	size_t surplus;

	pthread_mutex_lock(&class->mutex);
	surplus = (class->batch_least + 1) / 2;
	while (surplus--)
		give_blocks(class, heap, pop_batch(class));
	class->batch_least = class->batch_count;
	pthread_mutex_unlock(&class->mutex);
}
