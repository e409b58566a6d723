/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_lmdb.c - LMDB without any syncing, written through its map, its file on tmpfs: there it
 * is memory, as far as LMDB can be.
 *
 * Every read is one read transaction, reset and renewed: what a program that wants current values
 * has to do, and LMDB's documented way to make it cheap. get_many and a scan are one transaction
 * each. Every write is a write transaction of its own, as it is to be visible when the call
 * returns. Compare and swap and counters read and write within one write transaction.
 */
#include "bench_engine.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>

#define MAP_FIXED_BYTES ((size_t)1 << 30)
#define MAP_PER_KEY_FACTOR                                                                         \
	4 /* of key, value and overhead: pages are half full after random inserts */
#define PER_KEY_BYTES 128
#define PATH_BYTES    512

struct lmdb {
	MDB_env *env;
	MDB_dbi dbi;
};

struct lmdb_thread {
	struct lmdb *lmdb;
	MDB_txn *txn; /* a reader, reset between operations */
	MDB_cursor *cursor;
};

static int to_errno(int rc)
{
	switch (rc) {
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_MAP_FULL:
		return -ENOSPC;
	default:
		return rc > 0 ? -rc : rc ? -EIO : 0;
	}
}

static MDB_val to_val(const void *data, size_t size)
{
	return (MDB_val){size, (void *)data};
}

static int open_dbi(struct lmdb *lmdb)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(lmdb->env, NULL, 0, &txn);

	if (rc)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &lmdb->dbi);
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

static int open_env(struct lmdb *lmdb, const struct bench_setup *setup)
{
	size_t map = MAP_FIXED_BYTES +
		     MAP_PER_KEY_FACTOR * setup->keys * (setup->value_bytes + PER_KEY_BYTES);
	unsigned int flags = MDB_WRITEMAP | MDB_NOSYNC | MDB_NOMETASYNC | MDB_NORDAHEAD | MDB_NOTLS;
	int rc = mdb_env_create(&lmdb->env);

	if (!rc)
		rc = mdb_env_set_mapsize(lmdb->env, map);
	if (!rc)
		rc = mdb_env_set_maxreaders(lmdb->env, setup->threads + 1);
	if (!rc)
		rc = mdb_env_open(lmdb->env, setup->dir, flags, 0600);
	return rc ? rc : open_dbi(lmdb);
}

static int lmdb_open(const struct bench_setup *setup, void **ret_db)
{
	struct lmdb *lmdb = calloc(1, sizeof(*lmdb));
	int rc;

	if (!lmdb)
		return -ENOMEM;
	rc = open_env(lmdb, setup);
	if (!rc)
		*ret_db = lmdb;
	return to_errno(rc);
}

/* Every page of the file that was ever written is a page of memory. */
static uint64_t file_bytes(void *db)
{
	struct lmdb *lmdb = db;
	MDB_envinfo info;
	MDB_stat stat;

	if (mdb_env_info(lmdb->env, &info) || mdb_env_stat(lmdb->env, &stat))
		return 0;
	return (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
}

static int thread_begin(void *db, void **ret_thread)
{
	struct lmdb_thread *thread = calloc(1, sizeof(*thread));
	int rc;

	if (!thread)
		return -ENOMEM;
	thread->lmdb = db;
	rc = mdb_txn_begin(thread->lmdb->env, NULL, MDB_RDONLY, &thread->txn);
	if (!rc)
		rc = mdb_cursor_open(thread->txn, thread->lmdb->dbi, &thread->cursor);
	if (rc) {
		mdb_txn_abort(thread->txn);
		free(thread);
		return to_errno(rc);
	}
	mdb_txn_reset(thread->txn);
	*ret_thread = thread;
	return 0;
}

/* ---- Reads ----------------------------------------------------------------------------------- */

/* Copy one value inside the thread's transaction. */
static long copy_value(struct lmdb_thread *thread, const void *key, size_t key_size, void *buffer,
		       size_t capacity)
{
	MDB_val name = to_val(key, key_size), value;
	int rc = mdb_get(thread->txn, thread->lmdb->dbi, &name, &value);

	if (rc)
		return to_errno(rc);
	memcpy(buffer, value.mv_data, value.mv_size < capacity ? value.mv_size : capacity);
	return (long)value.mv_size;
}

static long get(void *arg, const void *key, size_t key_size, void *buffer, size_t capacity)
{
	struct lmdb_thread *thread = arg;
	int rc = mdb_txn_renew(thread->txn);
	long size;

	if (rc)
		return to_errno(rc);
	size = copy_value(thread, key, key_size, buffer, capacity);
	mdb_txn_reset(thread->txn);
	return size;
}

static int get_many(void *arg, const struct bench_key *keys, size_t n, void *buffer, size_t stride)
{
	struct lmdb_thread *thread = arg;
	int rc = mdb_txn_renew(thread->txn);
	long size = 0;

	if (rc)
		return to_errno(rc);
	for (size_t i = 0; i < n && size >= 0; i++)
		size = copy_value(thread, keys[i].data, keys[i].size, (char *)buffer + i * stride,
				  stride);
	mdb_txn_reset(thread->txn);
	return size < 0 ? (int)size : 0;
}

static int walk(MDB_cursor *cursor, MDB_val key, bool keys_only, struct bench_scan *scan)
{
	MDB_val value = {0, NULL};
	MDB_val *want = keys_only ? NULL : &value;
	int rc = mdb_cursor_get(cursor, &key, want, MDB_SET_RANGE);

	for (unsigned int i = 0; !rc && i < BENCH_SCAN; i++) {
		bench_scan_item(scan, key.mv_data, key.mv_size, value.mv_data, value.mv_size);
		if (i + 1 < BENCH_SCAN)
			rc = mdb_cursor_get(cursor, &key, want, MDB_NEXT);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int scan(void *arg, const void *key, size_t key_size, bool keys_only,
		struct bench_scan *scan)
{
	struct lmdb_thread *thread = arg;
	int rc = mdb_txn_renew(thread->txn);

	if (rc)
		return to_errno(rc);
	rc = mdb_cursor_renew(thread->txn, thread->cursor);
	if (!rc)
		rc = walk(thread->cursor, to_val(key, key_size), keys_only, scan);
	mdb_txn_reset(thread->txn);
	return to_errno(rc);
}

/* ---- Writes ---------------------------------------------------------------------------------- */

static int finish(MDB_txn *txn, int rc)
{
	if (!rc)
		return to_errno(mdb_txn_commit(txn));
	mdb_txn_abort(txn);
	return to_errno(rc);
}

static int put(void *arg, const void *key, size_t key_size, const void *value, size_t size)
{
	struct lmdb_thread *thread = arg;
	MDB_val name = to_val(key, key_size), data = to_val(value, size);
	MDB_txn *txn;
	int rc = mdb_txn_begin(thread->lmdb->env, NULL, 0, &txn);

	return rc ? to_errno(rc) : finish(txn, mdb_put(txn, thread->lmdb->dbi, &name, &data, 0));
}

static int cas(void *arg, const void *key, size_t key_size, const void *expected, const void *value,
	       size_t size)
{
	struct lmdb_thread *thread = arg;
	MDB_val name = to_val(key, key_size), data = to_val(value, size), old;
	MDB_txn *txn;
	int rc = mdb_txn_begin(thread->lmdb->env, NULL, 0, &txn);

	if (rc)
		return to_errno(rc);
	rc = mdb_get(txn, thread->lmdb->dbi, &name, &old);
	if (!rc && (old.mv_size != size || memcmp(old.mv_data, expected, size) != 0))
		rc = ECANCELED;
	if (!rc)
		rc = mdb_put(txn, thread->lmdb->dbi, &name, &data, 0);
	return finish(txn, rc);
}

static int counter_set(void *thread, const void *key, size_t key_size, int64_t number)
{
	return put(thread, key, key_size, &number, sizeof(number));
}

static int counter_add(void *arg, const void *key, size_t key_size, int64_t delta,
		       int64_t *ret_number)
{
	struct lmdb_thread *thread = arg;
	MDB_val name = to_val(key, key_size), data;
	int64_t number;
	MDB_txn *txn;
	int rc = mdb_txn_begin(thread->lmdb->env, NULL, 0, &txn);

	if (rc)
		return to_errno(rc);
	rc = mdb_get(txn, thread->lmdb->dbi, &name, &data);
	if (!rc && data.mv_size != sizeof(number))
		rc = EINVAL;
	if (!rc) {
		memcpy(&number, data.mv_data, sizeof(number));
		number += delta;
		data = to_val(&number, sizeof(number));
		rc = mdb_put(txn, thread->lmdb->dbi, &name, &data, 0);
	}
	rc = finish(txn, rc);
	if (!rc)
		*ret_number = number;
	return rc;
}

static int del(void *arg, const void *key, size_t key_size)
{
	struct lmdb_thread *thread = arg;
	MDB_val name = to_val(key, key_size);
	MDB_txn *txn;
	int rc = mdb_txn_begin(thread->lmdb->env, NULL, 0, &txn);

	return rc ? to_errno(rc) : finish(txn, mdb_del(txn, thread->lmdb->dbi, &name, NULL));
}

const struct bench_engine bench_lmdb = {
	.name = "lmdb",
	.open = lmdb_open,
	.file_bytes = file_bytes,
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
