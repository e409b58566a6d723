/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_rocksdb.c - RocksDB with its write-ahead log, synced with every write batch; Bloom filters,
 * no compression (nothing else here compresses), two background threads.
 */
#include "store_engine.h"

#include <errno.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOOM_BITS 10

struct rocksdb {
	rocksdb_t *db;
	rocksdb_options_t *options;
	rocksdb_writeoptions_t *write;
	rocksdb_readoptions_t *read;
};

static int failed(const char *what, char *error)
{
	fprintf(stderr, "store_bench: rocksdb: %s: %s\n", what, error);
	rocksdb_free(error);
	return -EIO;
}

static void make_options(struct rocksdb *r, const struct store_setup *setup)
{
	rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();

	rocksdb_block_based_options_set_filter_policy(
		table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
	if (setup->cache_bytes)
		rocksdb_block_based_options_set_block_cache(
			table, rocksdb_cache_create_lru(setup->cache_bytes));
	r->options = rocksdb_options_create();
	rocksdb_options_set_block_based_table_factory(r->options, table);
	rocksdb_options_set_create_if_missing(r->options, 1);
	rocksdb_options_set_compression(r->options, rocksdb_no_compression);
	rocksdb_options_increase_parallelism(r->options, 2);
	r->write = rocksdb_writeoptions_create();
	rocksdb_writeoptions_set_sync(r->write, 1);
	r->read = rocksdb_readoptions_create();
}

static int rocks_open(const struct store_setup *setup, void **ret_db)
{
	struct rocksdb *r = calloc(1, sizeof(*r));
	char *error = NULL;

	if (!r)
		return -ENOMEM;
	make_options(r, setup);
	r->db = rocksdb_open(r->options, setup->dir, &error);
	if (error)
		return failed("open", error);
	*ret_db = r;
	return 0;
}

static int rocks_close(void *db)
{
	struct rocksdb *r = db;

	rocksdb_close(r->db);
	free(r);
	return 0;
}

static int put_many(void *db, const struct store_pair *pairs, size_t count)
{
	struct rocksdb *r = db;
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	char *error = NULL;

	for (size_t i = 0; i < count; i++)
		rocksdb_writebatch_put(batch, pairs[i].key, pairs[i].key_size, pairs[i].value,
				       pairs[i].value_size);
	rocksdb_write(r->db, r->write, batch, &error);
	rocksdb_writebatch_destroy(batch);
	return error ? failed("write", error) : 0;
}

static int flush(void *db)
{
	return 0;
}

static int put_durable(void *db, const struct store_pair *pair)
{
	return put_many(db, pair, 1);
}

static long get(void *db, const void *key, size_t key_size, void *buffer, size_t capacity)
{
	struct rocksdb *r = db;
	char *error = NULL;
	size_t size;
	char *value = rocksdb_get(r->db, r->read, key, key_size, &size, &error);

	if (error)
		return failed("get", error);
	if (!value)
		return -ENOENT;
	memcpy(buffer, value, size < capacity ? size : capacity);
	rocksdb_free(value);
	return (long)size;
}

const struct store_engine store_rocksdb = {
	.name = "rocksdb",
	.open = rocks_open,
	.close = rocks_close,
	.put_many = put_many,
	.flush = flush,
	.put_durable = put_durable,
	.get = get,
};
