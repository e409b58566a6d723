/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_engine.h - what store_bench asks of a store on disk: one table of calls, one adapter file
 * each. Results are 0 or a negative errno value. get, put_durable and put_many come from several
 * threads at once, the others from one.
 */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include "bench_key.h"

#include <stdbool.h>

struct store_pair {
	const void *key;
	size_t key_size;
	const void *value;
	size_t value_size;
};

struct store_setup {
	const char *dir;     /* of this store alone */
	uint64_t data_bytes; /* keys and values that it will hold at once */
	uint64_t
		fixed_bytes; /* it takes no more than this, where the engine has a limit; 0: none */
	uint64_t cache_bytes; /* memory for values; 0: what the engine takes by itself */
};

struct store_engine {
	const char *name;
	int (*open)(const struct store_setup *setup, void **ret_db);
	int (*close)(void *db);
	/* Several values in the fastest way that ends up durable, after flush() at the latest. */
	int (*put_many)(void *db, const struct store_pair *pairs, size_t count);
	int (*flush)(void *db);
	/* One value, durable when the call returns. */
	int (*put_durable)(void *db, const struct store_pair *pair);
	/* Copy the value into buffer; its size. */
	long (*get)(void *db, const void *key, size_t key_size, void *buffer, size_t capacity);
	/* Keys found by opening, and the time that took. May be NULL: opening reads nothing. */
	int (*recovery)(void *db, uint64_t *ret_keys, uint64_t *ret_ns);
};

extern const struct store_engine store_feox;
#ifdef BENCH_LMDB
extern const struct store_engine store_lmdb;
#endif
#ifdef BENCH_ROCKSDB
extern const struct store_engine store_rocksdb;
#endif

#endif
