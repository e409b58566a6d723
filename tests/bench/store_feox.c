/* SPDX-License-Identifier: Apache-2.0 */
/* store_feox.c - feox on a file, with default options: put_many is durable 100 ms later. */
#include "feox/feox.h"
#include "store_engine.h"

#include <stdio.h>

#define MANY_MAX 1024u

static int feox_store_open(const struct store_setup *setup, void **ret_db)
{
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_diag diag = {""};
	char path[4096];
	int err;

	snprintf(path, sizeof(path), "%s/store.feox", setup->dir);
	options.path = path;
	options.flags = FEOX_OPEN_CREATE;
	options.memory_limit_bytes = setup->cache_bytes;
	options.initial_size_bytes = setup->fixed_bytes;
	options.max_size_bytes = setup->fixed_bytes;
	err = feox_open(&options, (struct feox_store **)ret_db, &diag);
	if (err)
		fprintf(stderr, "store_bench: feox_open: %s\n", diag.text);
	return err;
}

static int feox_store_close(void *db)
{
	return feox_close(db);
}

static int put_many(void *db, const struct store_pair *pairs, size_t count)
{
	struct feox_pair wanted[MANY_MAX] = {0};
	int errors[MANY_MAX];
	int err;

	for (size_t i = 0; i < count; i++)
		wanted[i] = (struct feox_pair){.key = {pairs[i].key, pairs[i].key_size},
					       .value = pairs[i].value,
					       .value_size = pairs[i].value_size};
	err = feox_put_many(db, wanted, count, NULL, NULL, errors);
	for (size_t i = 0; i < count && !err; i++)
		err = errors[i];
	return err;
}

static int flush(void *db)
{
	return feox_sync(db);
}

static int put_durable(void *db, const struct store_pair *pair)
{
	int err =
		feox_put(db, pair->key, pair->key_size, pair->value, pair->value_size, NULL, NULL);

	return err ? err : feox_sync_key(db, pair->key, pair->key_size);
}

static long get(void *db, const void *key, size_t key_size, void *buffer, size_t capacity)
{
	size_t size;
	int err = feox_read(db, key, key_size, 0, buffer, capacity, 0, &size, NULL);

	return err ? err : (long)size;
}

static int recovery(void *db, uint64_t *ret_keys, uint64_t *ret_ns)
{
	struct feox_stats stats;
	int err = feox_stats(db, &stats);

	*ret_keys = stats.recovered_keys;
	*ret_ns = stats.recovery_ns;
	return err;
}

const struct store_engine store_feox = {
	.name = "feox",
	.open = feox_store_open,
	.close = feox_store_close,
	.put_many = put_many,
	.flush = flush,
	.put_durable = put_durable,
	.get = get,
	.recovery = recovery,
};
