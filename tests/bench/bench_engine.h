/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_engine.h - what the benchmark asks of an engine: one table of calls, one adapter file each.
 *
 * An adapter is what a careful user of that engine would write: its fastest documented way for each
 * operation, no tricks that a program with other work to do could not play. docs/benchmarks.md says
 * what that is for each of them.
 *
 * open() and what has no thread argument are called by one thread. The others get what
 * thread_begin() made and are called from its thread only. Nothing is closed: a store ends with its
 * process. Results are 0 or a negative errno value unless said otherwise. A NULL call means that
 * the engine cannot do it: there is no row then.
 */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BENCH_MANY 16  /* keys in one get_many */
#define BENCH_SCAN 100 /* keys in one range or keys-only scan */
#define BENCH_SCAN_RING                                                                            \
	((size_t)1 << 16) /* where scans copy to; reused from the start when full                  \
			   */

/* What a store is made for. */
struct bench_setup {
	size_t keys;
	size_t value_bytes;
	unsigned int threads;
	const char *dir;    /* of this store alone, empty, on tmpfs where there is one */
	size_t table_bytes; /* of the limit's table */
};

struct bench_key {
	const void *data;
	size_t size;
};

/* Where a scan copies keys and values to, and what it saw. */
struct bench_scan {
	unsigned char *ring; /* BENCH_SCAN_RING bytes and one value more */
	size_t used;
	uint64_t items;
	uint64_t check; /* sum of the values' key numbers, or of the keys' sizes without values */
};

/* Adapters hand every item of a scan to this; value is NULL in a keys-only scan. */
static inline void bench_scan_item(struct bench_scan *scan, const void *key, size_t key_size,
				   const void *value, size_t value_size)
{
	uint32_t number = (uint32_t)key_size;

	if (scan->used + key_size > BENCH_SCAN_RING)
		scan->used = 0;
	memcpy(scan->ring + scan->used, key, key_size);
	scan->used += key_size;
	if (value) {
		if (scan->used > BENCH_SCAN_RING)
			scan->used = 0;
		memcpy(scan->ring + scan->used, value, value_size);
		memcpy(&number, scan->ring + scan->used, sizeof(number));
		scan->used += value_size;
	}
	scan->items++;
	scan->check += number;
}

struct bench_engine {
	const char *name;

	int (*open)(const struct bench_setup *setup, void **ret_db);
	/* Wait until work in the background that nobody measures has come to rest. May be NULL. */
	void (*settle)(void *db);
	/* Bytes of files that the engine needs in memory beside its process's own. May be NULL. */
	uint64_t (*file_bytes)(void *db);
	/* Let count keys expire at one moment; how many are gone after how long, some seconds at
	 * most. In a store of its own. */
	int (*sweep)(const struct bench_setup *setup, size_t count, uint64_t *ret_removed,
		     uint64_t *ret_ns);

	int (*thread_begin)(void *db, void **ret_thread);

	/* Copy the value into buffer; its size, or a negative errno value. */
	long (*get)(void *thread, const void *key, size_t key_size, void *buffer, size_t capacity);
	/* The same for n <= BENCH_MANY keys: value i goes to buffer + i * stride. */
	int (*get_many)(void *thread, const struct bench_key *keys, size_t n, void *buffer,
			size_t stride);
	int (*put)(void *thread, const void *key, size_t key_size, const void *value, size_t size);
	/* Replace expected by value, both of size bytes; -ECANCELED when it is something else. */
	int (*cas)(void *thread, const void *key, size_t key_size, const void *expected,
		   const void *value, size_t size);
	int (*counter_set)(void *thread, const void *key, size_t key_size, int64_t number);
	int (*counter_add)(void *thread, const void *key, size_t key_size, int64_t delta,
			   int64_t *ret_number);
	int (*del)(void *thread, const void *key, size_t key_size);
	/* At most BENCH_SCAN items from key on, each handed to bench_scan_item(). */
	int (*scan)(void *thread, const void *key, size_t key_size, bool keys_only,
		    struct bench_scan *scan);
	/* The limit's only calls: have the table in huge or in 4 KiB pages, then count times two
	 * dependent loads from it. */
	int (*make_table)(void *db, bool huge);
	int (*two_loads)(void *thread, size_t count);
};

extern const struct bench_engine bench_feox;
extern const struct bench_engine bench_limit;
#ifdef BENCH_LMDB
extern const struct bench_engine bench_lmdb;
#endif
#ifdef BENCH_ROCKSDB
extern const struct bench_engine bench_rocksdb;
#endif

#endif
