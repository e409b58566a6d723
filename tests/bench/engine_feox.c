/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_feox.c - feox through its public header, as a memory-only store with default options.
 *
 * get copies with feox_read(); get_many pins and copies from the views.
 * The sweep is a store of its own, whose clock jumps past the expiry of all keys at one moment.
 */
#include "bench_engine.h"
#include "bench_key.h"
#include "bench_pool.h"
#include "feox/feox.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TTL_NS		 UINT64_C(86400000000000)
#define POLL_NS		 200000 /* between two looks at what the sweeper has left */
#define SWEEP_WATCHED_NS UINT64_C(4000000000)
#define COUNTER_TEXT	 24

static int open_memory_only(const struct feox_options *options, struct feox_store **ret_store)
{
	struct feox_stats stats;
	struct feox_diag diag = {""};
	int err = feox_open(options, ret_store, &diag);

	if (err) {
		fprintf(stderr, "engine_bench: feox_open: %s\n", diag.text);
		return err;
	}
	err = feox_stats(*ret_store, &stats);
	return err ? err : stats.device_bytes ? -ENOTSUP : 0;
}

static int feox_adapter_open(const struct bench_setup *setup, void **ret_db)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	return open_memory_only(&options, (struct feox_store **)ret_db);
}

static int thread_begin(void *db, void **ret_thread)
{
	*ret_thread = db;
	return 0;
}

static long get(void *thread, const void *key, size_t key_size, void *buffer, size_t capacity)
{
	size_t size;
	int err = feox_read(thread, key, key_size, 0, buffer, capacity, 0, &size, NULL);

	return err ? err : (long)size;
}

static int get_many(void *thread, const struct bench_key *keys, size_t n, void *buffer,
		    size_t stride)
{
	struct feox_key wanted[BENCH_MANY] = {0};
	struct feox_value values[BENCH_MANY];
	int errors[BENCH_MANY];
	int first;

	for (size_t i = 0; i < n; i++)
		wanted[i] = (struct feox_key){keys[i].data, keys[i].size};
	first = feox_get_many(thread, wanted, n, 0, values, errors);
	if (first)
		return first;
	for (size_t i = 0; i < n; i++) {
		size_t size = values[i].size < stride ? values[i].size : stride;

		first = first ? first : errors[i];
		if (!errors[i])
			memcpy((char *)buffer + i * stride, values[i].data, size);
	}
	feox_release_many(thread, values, n);
	return first;
}

static int put(void *thread, const void *key, size_t key_size, const void *value, size_t size)
{
	return feox_put(thread, key, key_size, value, size, NULL, NULL);
}

static int cas(void *thread, const void *key, size_t key_size, const void *expected,
	       const void *value, size_t size)
{
	return feox_cas(thread, key, key_size, expected, size, value, size, NULL, NULL);
}

static int counter_set(void *thread, const void *key, size_t key_size, int64_t number)
{
	char text[COUNTER_TEXT];
	int length = snprintf(text, sizeof(text), "%" PRId64, number);

	return feox_put(thread, key, key_size, text, (size_t)length, NULL, NULL);
}

static int counter_add(void *thread, const void *key, size_t key_size, int64_t delta,
		       int64_t *ret_number)
{
	return feox_add(thread, key, key_size, delta, NULL, ret_number, NULL);
}

static int del(void *thread, const void *key, size_t key_size)
{
	return feox_delete(thread, key, key_size, NULL);
}

static int scan(void *thread, const void *key, size_t key_size, bool keys_only,
		struct bench_scan *scan)
{
	struct feox_iter_options options = {
		.flags = keys_only ? FEOX_ITER_KEYS_ONLY : 0,
		.from = key,
		.from_size = key_size,
		.limit = BENCH_SCAN,
	};
	struct feox_iter *iter;
	struct feox_item item;
	int result = feox_iter_open(thread, &options, &iter);

	if (result)
		return result;
	while ((result = feox_iter_next(iter, &item)) == 1)
		bench_scan_item(scan, item.key, item.key_size, item.value, item.value_size);
	feox_iter_close(iter);
	return result;
}

/* ---- Sweep ----------------------------------------------------------------------------------- */

static uint64_t jumping_clock(void *ctx)
{
	_Atomic uint64_t *ahead = ctx;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	/* Relaxed: it orders nothing, the sweeper may see the jump whenever it does. */
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec +
	       atomic_load_explicit(ahead, memory_order_relaxed);
}

static int fill_expiring(struct feox_store *store, const struct bench_setup *setup, size_t count)
{
	struct feox_write_options options = {.expiry_ns = feox_now(store) + TTL_NS};
	unsigned char *value = calloc(1, setup->value_bytes);
	unsigned char key[BENCH_KEY_MAX];
	int err = value ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < count && !err; i++)
		err = feox_put(store, key, bench_key(i, key), value, setup->value_bytes, &options,
			       NULL);
	free(value);
	return err;
}

/* What the sweeper removes, until it has all or some seconds; no call tells, so look often. */
static int watch_sweeper(struct feox_store *store, size_t count, uint64_t *ret_removed,
			 uint64_t *ret_ns)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	uint64_t from_ns = bench_now_ns(), ns;
	struct feox_stats stats;
	int err;

	do {
		nanosleep(&pause, NULL);
		err = feox_stats(store, &stats);
		ns = bench_now_ns() - from_ns;
	} while (!err && stats.keys > 0 && ns < SWEEP_WATCHED_NS);
	if (!err) {
		*ret_removed = count - stats.keys;
		*ret_ns = ns;
	}
	return err;
}

static int sweep(const struct bench_setup *setup, size_t count, uint64_t *ret_removed,
		 uint64_t *ret_ns)
{
	_Atomic uint64_t ahead = 0;
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_store *store;
	int err;

	options.now = jumping_clock;
	options.now_ctx = &ahead;
	err = open_memory_only(&options, &store);
	if (err)
		return err;
	err = fill_expiring(store, setup, count);
	atomic_store_explicit(&ahead, 2 * TTL_NS, memory_order_relaxed);
	if (!err)
		err = watch_sweeper(store, count, ret_removed, ret_ns);
	feox_close(store);
	return err;
}

const struct bench_engine bench_feox = {
	.name = "feox",
	.open = feox_adapter_open,
	.sweep = sweep,
	.thread_begin = thread_begin,
	.get = get,
	.get_many = get_many,
	.put = put,
	.cas = cas,
	.counter_set = counter_set,
	.counter_add = counter_add,
	.del = del,
	.scan = scan,
};
