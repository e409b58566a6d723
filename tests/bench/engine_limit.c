/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_limit.c - the physical limit: a lookup by hash cannot be faster than two loads that miss
 * the caches, of which the second needs the first one's result (bucket, then record).
 *
 * The table is as large as the engine's resident memory: cache lines, each holding the number of
 * the next, in one random cycle over all of them; in huge pages where the kernel gives them, and
 * then in 4 KiB pages. Every thread walks from a place of its own.
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
	uint32_t *order; /* order[i] follows line i */
	unsigned char *table;
	void *mapping;	    /* what table is in; NULL: there is none yet */
	bool huge;	    /* in huge pages, as far as the kernel had any */
	unsigned int walks; /* walkers so far; atomic, orders nothing */
};

/* One walker. Its place is kept, so that no two runs read the same lines again. */
struct walker {
	const struct limit *limit;
	uint64_t at; /* byte offset */
};

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

/* Room for the table, aligned to a huge page, in pages as advised. */
static int map_table(struct limit *limit, bool huge)
{
	size_t bytes = limit->lines * LINE_BYTES;
	void *mapping = mmap(NULL, bytes + HUGE_PAGE_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uintptr_t start;

	if (mapping == MAP_FAILED)
		return -errno;
	start = ((uintptr_t)mapping + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1);
	/* A kernel without transparent huge pages refuses: the table is in small pages then. */
	madvise((void *)start, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	limit->mapping = mapping;
	limit->table = (unsigned char *)start;
	limit->huge = huge;
	return 0;
}

static void warn_small_pages(size_t bytes)
{
	struct bench_memory memory = {0};

	if (bytes >= 2 * HUGE_PAGE_BYTES && !bench_memory_read(&memory) &&
	    memory.huge_bytes < bytes / 2)
		fprintf(stderr, "engine_bench: limit: no huge pages from the kernel, "
				"two_loads is measured in small ones\n");
}

static int make_table(void *db, bool huge)
{
	struct limit *limit = db;
	int err;

	if (limit->mapping && limit->huge == huge)
		return 0;
	/* Never both: with ten million keys each has gigabytes. */
	if (limit->mapping)
		munmap(limit->mapping, limit->lines * LINE_BYTES + HUGE_PAGE_BYTES);
	limit->mapping = NULL;
	err = map_table(limit, huge);
	if (err)
		return err;
	for (size_t i = 0; i < limit->lines; i++) {
		uint64_t next = (uint64_t)limit->order[i] * LINE_BYTES;

		memcpy(limit->table + i * LINE_BYTES, &next, sizeof(next));
	}
	if (huge)
		warn_small_pages(limit->lines * LINE_BYTES);
	return 0;
}

static int limit_open(const struct bench_setup *setup, void **ret_db)
{
	struct limit *limit = calloc(1, sizeof(*limit));
	size_t lines = setup->table_bytes / LINE_BYTES;

	if (!limit)
		return -ENOMEM;
	limit->lines = lines;
	limit->order = malloc(lines * sizeof(*limit->order));
	if (!limit->order) {
		free(limit);
		return -ENOMEM;
	}
	make_cycle(limit->order, lines);
	*ret_db = limit;
	return 0;
}

static int thread_begin(void *db, void **ret_thread)
{
	struct limit *limit = db;
	struct walker *walker = malloc(sizeof(*walker));
	uint64_t state;

	if (!walker)
		return -ENOMEM;
	/* Any place will do, as long as it is another one for each thread. */
	state = __atomic_add_fetch(&limit->walks, 1, __ATOMIC_RELAXED);
	walker->limit = limit;
	walker->at = bench_random(&state) % limit->lines * LINE_BYTES;
	*ret_thread = walker;
	return 0;
}

static int two_loads(void *thread, size_t count)
{
	struct walker *walker = thread;
	const unsigned char *table = walker->limit->table;
	uint64_t at = walker->at;

	for (size_t i = 0; i < 2 * count; i++)
		at = *(const volatile uint64_t *)(table + at);
	walker->at = at;
	return 0;
}

const struct bench_engine bench_limit = {
	.name = "limit",
	.open = limit_open,
	.thread_begin = thread_begin,
	.make_table = make_table,
	.two_loads = two_loads,
};
