/* SPDX-License-Identifier: Apache-2.0 */
/*
 * size_class.h - the slab's blocks of one size that no thread has: batches that threads gave back,
 * and spans to carve more from. Which sizes there are.
 *
 * Threads take and give whole batches, so that a class's mutex is taken once in batch_blocks
 * operations. Batches beyond a slack are taken apart, and a span without used blocks goes back to
 * its chunk.
 */
#ifndef FX_SIZE_CLASS_H
#define FX_SIZE_CLASS_H

#include "chunk.h"

#include <pthread.h>

#define FX_SIZE_UNIT	    16u
#define FX_SIZE_SMALL	    1024u /* classes in steps of a unit up to here, */
#define FX_SIZE_STEPS	    16u	  /* then so many a doubling */
#define FX_SIZE_MAX	    65536u
#define FX_SIZE_CLASS_COUNT (FX_SIZE_SMALL / FX_SIZE_UNIT + 6 * FX_SIZE_STEPS)

/* Where spans come from: shared by the classes of one slab. */
struct fx_page_heap {
	pthread_mutex_t mutex; /* taken inside a class's mutex */
	struct fx_chunks chunks;
};

/* The first block of a batch. */
struct fx_block_batch {
	void *next_block;
	struct fx_block_batch *next;
};

struct fx_size_class {
	pthread_mutex_t mutex; /* guards all that changes */
	struct fx_block_batch *batches;
	size_t batch_count;
	size_t batch_least;    /* of batch_count since the last trim */
	struct fx_span *spans; /* with a free block */
	size_t taken;	       /* blocks that threads have, given out or not */
	uint32_t bytes;
	uint16_t batch_blocks;
	uint8_t pages; /* of a span */
} __attribute__((aligned(64)));

/* The class of a size in 1..FX_SIZE_MAX, and the bytes of its blocks. */
static inline unsigned int fx_size_class(size_t size)
{
	unsigned int shift;

	if (size <= FX_SIZE_SMALL)
		return (unsigned int)((size + FX_SIZE_UNIT - 1) / FX_SIZE_UNIT) - 1;
	/* size - 1 is in [2^shift, 2^(shift + 1)), cut into 16 steps. */
	shift = 63u - (unsigned int)__builtin_clzll(size - 1);
	return FX_SIZE_SMALL / FX_SIZE_UNIT + (shift - 10) * FX_SIZE_STEPS +
	       (unsigned int)(((size - 1) >> (shift - 4)) - FX_SIZE_STEPS);
}

size_t fx_size_class_bytes(unsigned int number);

void fx_size_class_init(struct fx_size_class *class, unsigned int number);
void fx_size_class_destroy(struct fx_size_class *class);

/* A list of *ret_count blocks, at most a batch; NULL when memory is short. */
void *fx_size_class_take(struct fx_size_class *class, struct fx_page_heap *heap,
			 unsigned int *ret_count);

/* Take back a full batch. */
void fx_size_class_give(struct fx_size_class *class, struct fx_page_heap *heap, void *batch);

/* Take back a list of any length, to its spans; its length. */
unsigned int fx_size_class_give_list(struct fx_size_class *class, struct fx_page_heap *heap,
				     void *list);

/* Half of the batches that nobody took since the last trim, and at least one, go to their spans. */
void fx_size_class_trim(struct fx_size_class *class, struct fx_page_heap *heap);

#endif
