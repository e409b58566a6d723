/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_limit.c - the physical limit: a lookup by hash cannot be faster than two loads that miss
 * the caches, of which the second needs the first one's result (bucket, then record).
 *
 * The table is as large as the engine's resident memory: cache lines, each holding the number of
 * the next, in one random cycle over all of them. Twice: in huge pages where the kernel gives them,
 * and in 4 KiB pages. Every thread walks from a place of its own.
 */
#include "bench_engine.h"
#include "bench_memory.h"
#include "bench_pool.h"
#include "bench_sequence.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define LINE_BYTES	64
#define HUGE_PAGE_BYTES ((size_t)2 << 20)
#define SEED		20

struct limit {
	size_t lines;
	unsigned char *huge, *small; /* the same table twice */
	uint32_t threads_begun;	     /* atomic; orders nothing */
};

/* One walker. Its position is kept, so that no two runs read the same lines again. */
struct walker {
	const struct limit *limit;
	uint64_t huge_at, small_at; /* byte offsets */
};

/* Bytes of memory aligned to a huge page, to be had in pages as advised. */
static int map_lines(unsigned char **ret_lines, size_t bytes, int advice)
{
	void *mapping = mmap(NULL, bytes + HUGE_PAGE_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uintptr_t start;

	if (mapping == MAP_FAILED)
		return -errno;
	start = ((uintptr_t)mapping + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1);
	/* A kernel without transparent huge pages refuses: the table is in small pages then. */
	madvise((void *)start, bytes, advice);
	*ret_lines = (unsigned char *)start;
	return 0;
}

/* order: one cycle through all lines, order[i] follows i (Sattolo). */
static void make_cycle(uint32_t *order, size_t lines)
{
	uint64_t state = SEED;

	for (size_t i = 0; i < lines; i++)
		order[i] = (uint32_t)i;
	for (size_t i = lines - 1; i > 0; i--) {
		size_t j = bench_random(&state) % i;
		uint32_t swapped = order[i];

		order[i] = order[j];
		order[j] = swapped;
	}
}

static void fill(unsigned char *table, const uint32_t *order, size_t lines)
{
	for (size_t i = 0; i < lines; i++) {
		uint64_t next = (uint64_t)order[i] * LINE_BYTES;

		memcpy(table + i * LINE_BYTES, &next, sizeof(next));
	}
}

static void warn_small_pages(size_t bytes)
{
	struct bench_memory memory = {0};

	if (!bench_memory_read(&memory) && memory.huge_bytes < bytes / 2)
		fprintf(stderr, "engine_bench: limit: no huge pages from the kernel, "
				"two_loads is measured in small ones\n");
}

static int limit_open(const struct bench_setup *setup, void **ret_db)
{
	struct limit *limit = calloc(1, sizeof(*limit));
	size_t lines = setup->table_bytes / LINE_BYTES;
	size_t bytes = lines * LINE_BYTES;
	uint32_t *order = malloc(lines * sizeof(*order));
	int err = limit && order ? 0 : -ENOMEM;

	if (!err) {
		limit->lines = lines;
		err = map_lines(&limit->huge, bytes, MADV_HUGEPAGE);
	}
	if (!err)
		err = map_lines(&limit->small, bytes, MADV_NOHUGEPAGE);
	if (!err) {
		make_cycle(order, lines);
		fill(limit->huge, order, lines);
		if (bytes >= 2 * HUGE_PAGE_BYTES)
			warn_small_pages(bytes);
		fill(limit->small, order, lines);
		*ret_db = limit;
	}
	free(order);
	return err;
}

static int thread_begin(void *db, void **ret_thread)
{
	struct limit *limit = db;
	struct walker *walker = malloc(sizeof(*walker));
	uint64_t state;

	if (!walker)
		return -ENOMEM;
	/* Any place will do, as long as it is another one for each thread. */
	state = __atomic_add_fetch(&limit->threads_begun, 1, __ATOMIC_RELAXED);
	walker->limit = limit;
	walker->huge_at = bench_random(&state) % limit->lines * LINE_BYTES;
	walker->small_at = walker->huge_at;
	*ret_thread = walker;
	return 0;
}

static int two_loads(void *thread, size_t count, bool huge)
{
	struct walker *walker = thread;
	const unsigned char *lines = huge ? walker->limit->huge : walker->limit->small;
	uint64_t *place = huge ? &walker->huge_at : &walker->small_at;
	uint64_t at = *place;

	for (size_t i = 0; i < 2 * count; i++)
		at = *(const volatile uint64_t *)(lines + at);
	*place = at;
	return 0;
}

const struct bench_engine bench_limit = {
	.name = "limit",
	.open = limit_open,
	.thread_begin = thread_begin,
	.two_loads = two_loads,
};
