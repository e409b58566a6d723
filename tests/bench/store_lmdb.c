/* SPDX-License-Identifier: Apache-2.0 */
/* store_lmdb.c - LMDB, synced: a transaction for what is put together, durable when it commits. */
#include "store_engine.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>

#define MAP_LEAST  ((uint64_t)1 << 30)
#define MAP_FACTOR 8u /* of the data: pages are half full, and old ones are kept a while */

struct lmdb {
	MDB_env *env;
	MDB_dbi dbi;
};

static int to_errno(int rc)
{
	return rc == MDB_NOTFOUND ? -ENOENT : rc == MDB_MAP_FULL ? -ENOSPC : rc > 0 ? -rc : rc;
}

static int lmdb_open(const struct store_setup *setup, void **ret_db)
{
	struct lmdb *lmdb = calloc(1, sizeof(*lmdb));
	MDB_txn *txn;
	int rc;

	if (!lmdb)
		return -ENOMEM;
	rc = mdb_env_create(&lmdb->env);
	if (!rc)
		rc = mdb_env_set_mapsize(lmdb->env, MAP_LEAST + MAP_FACTOR * setup->data_bytes);
	if (!rc)
		rc = mdb_env_open(lmdb->env, setup->dir, 0, 0600);
	if (!rc)
		rc = mdb_txn_begin(lmdb->env, NULL, 0, &txn);
	if (!rc) {
		rc = mdb_dbi_open(txn, NULL, 0, &lmdb->dbi);
		rc = rc ? rc : mdb_txn_commit(txn);
	}
	if (rc)
		fprintf(stderr, "store_bench: lmdb: %s\n", mdb_strerror(rc));
	*ret_db = lmdb;
	return to_errno(rc);
}

static int lmdb_close(void *db)
{
	struct lmdb *lmdb = db;

	mdb_env_close(lmdb->env);
	free(lmdb);
	return 0;
}

static int put_many(void *db, const struct store_pair *pairs, size_t count)
{
	struct lmdb *lmdb = db;
	MDB_txn *txn;
	int rc = mdb_txn_begin(lmdb->env, NULL, 0, &txn);

	if (rc)
		return to_errno(rc);
	for (size_t i = 0; i < count && !rc; i++) {
		MDB_val key = {pairs[i].key_size, (void *)pairs[i].key};
		MDB_val value = {pairs[i].value_size, (void *)pairs[i].value};

		rc = mdb_put(txn, lmdb->dbi, &key, &value, 0);
	}
	if (rc)
		mdb_txn_abort(txn);
	else
		rc = mdb_txn_commit(txn);
	return to_errno(rc);
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
	struct lmdb *lmdb = db;
	MDB_val wanted = {key_size, (void *)key}, value;
	MDB_txn *txn;
	int rc = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn);

	if (rc)
		return to_errno(rc);
	rc = mdb_get(txn, lmdb->dbi, &wanted, &value);
	if (!rc)
		memcpy(buffer, value.mv_data, value.mv_size < capacity ? value.mv_size : capacity);
	mdb_txn_abort(txn);
	return rc ? to_errno(rc) : (long)value.mv_size;
}

const struct store_engine store_lmdb = {
	.name = "lmdb",
	.open = lmdb_open,
	.close = lmdb_close,
	.put_many = put_many,
	.flush = flush,
	.put_durable = put_durable,
	.get = get,
};
