/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chunk.h - spans of blocks of one size, cut from aligned chunks of 2 MiB: where the slab's memory
 * comes from and goes back to.
 *
 * A chunk is 32 pages of 64 KiB; its first 4 KiB describe it. A span is one page or a few adjacent
 * ones. Blocks given back to a span are linked through their first word; a block that was never
 * given out has not been touched. Nothing here locks: pages are guarded by one lock of the caller,
 * a span by another (the one of its size class).
 */
#ifndef FX_CHUNK_H
#define FX_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FX_CHUNK_BYTES	((size_t)2 << 20)
#define FX_CHUNK_HEADER ((size_t)4096)
#define FX_PAGE_BYTES	((size_t)64 << 10)
#define FX_CHUNK_PAGES	32u

struct fx_span {
	struct fx_span *next, *prev; /* of the spans of its class that have a free block */
	void *free;		     /* blocks given back */
	uint8_t *start;
	uint32_t block_bytes;
	uint16_t capacity; /* blocks */
	uint16_t carved;   /* of these, how many were ever given out */
	uint16_t used;	   /* given out now */
	uint8_t size_class;
	uint8_t first_page, pages;
};

struct fx_chunk;

/* All chunks of one slab. */
struct fx_chunks {
	struct fx_chunk *partial; /* with spans and free pages */
	struct fx_chunk *full;
	struct fx_chunk *empty;		 /* kept for the next to come */
	size_t count, empty_count;	 /* mapped; of these, empty */
	size_t free_pages, purged_pages; /* in the first list; of these, without memory */
	bool huge;			 /* ask for huge pages */
};

void fx_chunks_init(struct fx_chunks *chunks, bool huge);

/* Unmap everything, whatever is still given out. */
void fx_chunks_release(struct fx_chunks *chunks);

/* A span of so many pages, cut into blocks of block_bytes; NULL when memory is short. */
struct fx_span *fx_span_take(struct fx_chunks *chunks, unsigned int pages, uint32_t block_bytes);

/* Give back a span without used blocks. A few empty chunks are kept, the others unmapped. */
void fx_span_give(struct fx_chunks *chunks, struct fx_span *span);

/* The pages of almost empty chunks lose their memory while much is free in them. */
void fx_chunks_trim(struct fx_chunks *chunks);

/* Bytes of address space that have, or may have, memory behind them. */
static inline size_t fx_chunks_bytes(const struct fx_chunks *chunks)
{
	return chunks->count * FX_CHUNK_BYTES - chunks->purged_pages * FX_PAGE_BYTES;
}

/* The span a block is in. */
struct fx_span *fx_span_of(const void *block);

/* Link up to max free blocks in front of *list; how many. */
unsigned int fx_span_carve(struct fx_span *span, unsigned int max, void **list);

static inline bool fx_span_is_full(const struct fx_span *span)
{
	return span->used == span->capacity;
}

static inline void fx_span_free_block(struct fx_span *span, void *block)
{
	*(void **)block = span->free;
	span->free = block;
	span->used--;
}

#endif
