/* SPDX-License-Identifier: Apache-2.0 */
#include "chunk.h"

#include <assert.h>
#include <sys/mman.h>

#define SEARCHED_CHUNKS 16u /* looked at for adjacent pages before a new one is mapped */
#define EMPTY_SHARE	16u /* one chunk in so many may be empty, and one more */
#define FREE_SHARE	16u /* one page in so many may be free beside spans before any is purged */
#define PURGE_FREE	24u /* free pages from which on a chunk may lose its huge page */

struct fx_chunk {
	struct fx_chunk *next, *prev;	      /* in one of the three lists */
	uint32_t free_pages;		      /* one bit a page */
	uint32_t purged_pages;		      /* of these, given back to the kernel */
	uint8_t first_page[FX_CHUNK_PAGES];   /* of the span that a page belongs to */
	struct fx_span spans[FX_CHUNK_PAGES]; /* by first page */
};

static_assert(sizeof(struct fx_chunk) <= FX_CHUNK_HEADER, "a chunk's description");
static_assert(FX_CHUNK_PAGES * FX_PAGE_BYTES == FX_CHUNK_BYTES, "the pages of a chunk");

#define ALL_PAGES UINT32_MAX

static struct fx_chunk *chunk_of(const void *p)
{
	return (struct fx_chunk *)((uintptr_t)p & ~(uintptr_t)(FX_CHUNK_BYTES - 1));
}

static uint32_t page_mask(unsigned int first, unsigned int pages)
{
	return (pages == FX_CHUNK_PAGES ? ALL_PAGES : ((uint32_t)1 << pages) - 1) << first;
}

static unsigned int page_count(uint32_t pages)
{
	return (unsigned int)__builtin_popcount(pages);
}

/* ---- Chunks ---------------------------------------------------------------------------------- */

static void list_add(struct fx_chunk **list, struct fx_chunk *chunk)
{
	chunk->prev = NULL;
	chunk->next = *list;
	if (*list)
		(*list)->prev = chunk;
	*list = chunk;
}

static void list_remove(struct fx_chunk **list, struct fx_chunk *chunk)
{
	if (chunk->prev)
		chunk->prev->next = chunk->next;
	else
		*list = chunk->next;
	if (chunk->next)
		chunk->next->prev = chunk->prev;
}

/* Aligned: twice as much is mapped, and what sticks out given back. */
static struct fx_chunk *chunk_map(struct fx_chunks *chunks)
{
	uint8_t *raw = mmap(NULL, 2 * FX_CHUNK_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *start;
	size_t before;

	if (raw == MAP_FAILED)
		return NULL;
	start = (uint8_t *)chunk_of(raw + FX_CHUNK_BYTES - 1);
	before = (size_t)(start - raw);
	if (before)
		munmap(raw, before);
	munmap(start + FX_CHUNK_BYTES, FX_CHUNK_BYTES - before);
	/* Advice: where the kernel has no huge pages it goes without. */
	if (chunks->huge)
		(void)madvise(start, FX_CHUNK_BYTES, MADV_HUGEPAGE);
	chunks->count++;
	return (struct fx_chunk *)start;
}

/* A chunk without spans, now in the partial list. */
static struct fx_chunk *chunk_take(struct fx_chunks *chunks)
{
	struct fx_chunk *chunk = chunks->empty;

	if (chunk) {
		chunks->empty = chunk->next;
		chunks->empty_count--;
	} else {
		chunk = chunk_map(chunks);
		if (!chunk)
			return NULL;
	}
	chunk->free_pages = ALL_PAGES;
	chunk->purged_pages = 0;
	chunks->free_pages += FX_CHUNK_PAGES;
	list_add(&chunks->partial, chunk);
	return chunk;
}

/* It has no span any more, and is in no list. */
static void chunk_give(struct fx_chunks *chunks, struct fx_chunk *chunk)
{
	unsigned int purged = page_count(chunk->purged_pages);

	chunks->free_pages -= FX_CHUNK_PAGES;
	chunks->purged_pages -= purged;
	/* One that was purged has lost its huge page: better a new one. */
	if (purged || chunks->empty_count > chunks->count / EMPTY_SHARE) {
		chunks->count--;
		munmap(chunk, FX_CHUNK_BYTES);
		return;
	}
	chunk->next = chunks->empty;
	chunks->empty = chunk;
	chunks->empty_count++;
}

void fx_chunks_init(struct fx_chunks *chunks, bool huge)
{
	*chunks = (struct fx_chunks){.huge = huge};
}

static void unmap_all(struct fx_chunk *chunk)
{
	while (chunk) {
		struct fx_chunk *next = chunk->next;

		munmap(chunk, FX_CHUNK_BYTES);
		chunk = next;
	}
}

void fx_chunks_release(struct fx_chunks *chunks)
{
	unmap_all(chunks->partial);
	unmap_all(chunks->full);
	unmap_all(chunks->empty);
	*chunks = (struct fx_chunks){.huge = chunks->huge};
}

/* ---- Spans ----------------------------------------------------------------------------------- */

/* The lowest run of so many free pages; FX_CHUNK_PAGES: there is none. */
static unsigned int find_pages(const struct fx_chunk *chunk, unsigned int pages)
{
	uint32_t runs = chunk->free_pages;

	/* A bit stays where the next pages - 1 bits above it are set too. */
	for (unsigned int i = 1; i < pages; i++)
		runs &= chunk->free_pages >> i;
	return runs ? (unsigned int)__builtin_ctz(runs) : FX_CHUNK_PAGES;
}

static struct fx_span *span_make(struct fx_chunk *chunk, unsigned int first, unsigned int pages,
				 uint32_t block_bytes)
{
	struct fx_span *span = &chunk->spans[first];
	size_t offset = first * FX_PAGE_BYTES;
	size_t bytes = pages * FX_PAGE_BYTES;

	if (first == 0) {
		offset = FX_CHUNK_HEADER;
		bytes -= FX_CHUNK_HEADER;
	}
	for (unsigned int i = 0; i < pages; i++)
		chunk->first_page[first + i] = (uint8_t)first;
	*span = (struct fx_span){
		.start = (uint8_t *)chunk + offset,
		.block_bytes = block_bytes,
		.capacity = (uint16_t)(bytes / block_bytes),
		.first_page = (uint8_t)first,
		.pages = (uint8_t)pages,
	};
	return span;
}

struct fx_span *fx_span_take(struct fx_chunks *chunks, unsigned int pages, uint32_t block_bytes)
{
	struct fx_chunk *chunk = chunks->partial;
	unsigned int first = FX_CHUNK_PAGES;
	uint32_t mask;

	assert(pages && pages < FX_CHUNK_PAGES &&
	       block_bytes <= pages * FX_PAGE_BYTES - FX_CHUNK_HEADER);
	for (unsigned int i = 0; chunk && i < SEARCHED_CHUNKS; i++, chunk = chunk->next) {
		first = find_pages(chunk, pages);
		if (first < FX_CHUNK_PAGES)
			break;
	}
	if (first == FX_CHUNK_PAGES) {
		chunk = chunk_take(chunks);
		if (!chunk)
			return NULL;
		first = 0;
	}
	mask = page_mask(first, pages);
	chunks->free_pages -= pages;
	chunks->purged_pages -= page_count(chunk->purged_pages & mask);
	chunk->free_pages &= ~mask;
	chunk->purged_pages &= ~mask;
	if (!chunk->free_pages) {
		list_remove(&chunks->partial, chunk);
		list_add(&chunks->full, chunk);
	}
	return span_make(chunk, first, pages, block_bytes);
}

void fx_span_give(struct fx_chunks *chunks, struct fx_span *span)
{
	struct fx_chunk *chunk = chunk_of(span);

	assert(!span->used);
	if (!chunk->free_pages) {
		list_remove(&chunks->full, chunk);
		list_add(&chunks->partial, chunk);
	}
	chunk->free_pages |= page_mask(span->first_page, span->pages);
	chunks->free_pages += span->pages;
	if (chunk->free_pages == ALL_PAGES) {
		list_remove(&chunks->partial, chunk);
		chunk_give(chunks, chunk);
	}
}

/* Free pages of an almost empty chunk go back to the kernel; they are zero when used again. */
static void purge(struct fx_chunks *chunks, struct fx_chunk *chunk)
{
	uint32_t pages = chunk->free_pages & ~chunk->purged_pages & ~(uint32_t)1; /* the header */

	chunk->purged_pages |= pages;
	chunks->purged_pages += page_count(pages);
	for (unsigned int first = 1, count; first < FX_CHUNK_PAGES; first += count + 1) {
		for (count = 0; first + count < FX_CHUNK_PAGES; count++)
			if (!(pages >> (first + count) & 1))
				break;
		if (count)
			(void)madvise((uint8_t *)chunk + first * FX_PAGE_BYTES,
				      count * FX_PAGE_BYTES, MADV_DONTNEED);
	}
}

static bool has_many_free(const struct fx_chunks *chunks)
{
	size_t all = (chunks->count - chunks->empty_count) * FX_CHUNK_PAGES;

	return chunks->free_pages - chunks->purged_pages > all / FREE_SHARE + FX_CHUNK_PAGES;
}

void fx_chunks_trim(struct fx_chunks *chunks)
{
	for (struct fx_chunk *chunk = chunks->partial; chunk && has_many_free(chunks);
	     chunk = chunk->next)
		if (page_count(chunk->free_pages) >= PURGE_FREE)
			purge(chunks, chunk);
}

struct fx_span *fx_span_of(const void *block)
{
	struct fx_chunk *chunk = chunk_of(block);
	size_t page = ((uintptr_t)block & (FX_CHUNK_BYTES - 1)) / FX_PAGE_BYTES;

	return &chunk->spans[chunk->first_page[page]];
}

unsigned int fx_span_carve(struct fx_span *span, unsigned int max, void **list)
{
	unsigned int count = 0, fresh;

	while (count < max && span->free) {
		void *block = span->free;

		span->free = *(void **)block;
		*(void **)block = *list;
		*list = block;
		count++;
	}
	fresh = (unsigned int)(span->capacity - span->carved);
	if (fresh > max - count)
		fresh = max - count;
	/* From the last to the first: they are then given out in ascending order. */
	for (unsigned int i = fresh; i > 0; i--) {
		void *block = span->start + (size_t)(span->carved + i - 1) * span->block_bytes;

		*(void **)block = *list;
		*list = block;
	}
	span->carved = (uint16_t)(span->carved + fresh);
	count += fresh;
	span->used = (uint16_t)(span->used + count);
	return count;
}
