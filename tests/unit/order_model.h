/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order_model.h - what the tests of the ordered index share: a universe of keys in order, of which
 * a flag says whether the index should have it, and scans compared with that.
 */
#ifndef FX_ORDER_MODEL_H
#define FX_ORDER_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bytes.h"
#include "ordered_index.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct model_key {
	uint8_t *bytes;
	size_t size;
	bool there;
	bool check; /* its bit */
};

struct model {
	struct fx_slab *slab;
	struct fx_epoch *epoch;
	struct fx_ordered_index *index;
	struct model_key *keys; /* sorted, without duplicates */
	size_t count;
	uint64_t random;
	_Atomic int64_t fail_after; /* allocations that still succeed; negative: all */
	struct fx_key_batch batch;
};

static inline uint64_t model_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline bool model_fails(void *ctx, size_t size)
{
	struct model *m = ctx;

	if (atomic_load(&m->fail_after) < 0)
		return false;
	if (!atomic_load(&m->fail_after))
		return true;
	atomic_fetch_sub(&m->fail_after, 1);
	return false;
}

static inline int model_compare(const void *a, const void *b)
{
	const struct model_key *x = a, *y = b;

	return fx_bytes_cmp(x->bytes, x->size, y->bytes, y->size);
}

/* Sort what was added to keys, and drop duplicates. */
static inline void model_sort(struct model *m)
{
	size_t n = 0;

	qsort(m->keys, m->count, sizeof(*m->keys), model_compare);
	for (size_t i = 0; i < m->count; i++) {
		if (n && !model_compare(&m->keys[n - 1], &m->keys[i]))
			free(m->keys[i].bytes);
		else
			m->keys[n++] = m->keys[i];
	}
	m->count = n;
}

/* make writes key number i into buffer (FX_ORDERED_KEY_MAX bytes), and gives its size. */
static inline void model_open(struct model *m, size_t count,
			      size_t (*make)(struct model *m, size_t i, uint8_t *buffer))
{
	struct fx_slab_options options = {.fail = model_fails, .fail_ctx = m};
	uint8_t *buffer = malloc(FX_ORDERED_KEY_MAX);

	*m = (struct model){.random = 88172645463325252u, .fail_after = -1};
	m->keys = calloc(count, sizeof(*m->keys));
	for (size_t i = 0; i < count; i++) {
		struct model_key *key = &m->keys[m->count++];

		key->size = make(m, i, buffer);
		key->bytes = malloc(key->size + 1);
		memcpy(key->bytes, buffer, key->size);
	}
	free(buffer);
	model_sort(m);
	m->batch.capacity = 4 * FX_ORDERED_KEY_MAX;
	m->batch.max = 1024;
	m->batch.keys = malloc(m->batch.capacity);
	m->batch.refs = malloc(m->batch.max * sizeof(*m->batch.refs));
	assert_int_equal(fx_slab_create(&options, &m->slab), 0);
	assert_int_equal(fx_epoch_create(m, &m->epoch), 0);
	assert_int_equal(fx_ordered_index_create(m->slab, m->epoch, &m->index), 0);
}

static inline void model_close(struct model *m)
{
	fx_ordered_index_destroy(m->index);
	fx_epoch_destroy(m->epoch);
	assert_int_equal(fx_slab_used(m->slab), 0); /* nothing has leaked */
	fx_slab_destroy(m->slab);
	for (size_t i = 0; i < m->count; i++)
		free(m->keys[i].bytes);
	free(m->keys);
	free(m->batch.keys);
	free(m->batch.refs);
}

/* Also by the way that never waits. */
static inline int model_insert(struct model *m, size_t i)
{
	const struct model_key *key = &m->keys[i];
	struct fx_order_hint hint = {0};
	bool plain = i % 5 == 0;
	struct fx_order_lock lock;
	int err;

	fx_epoch_enter();
	if (i % 2)
		fx_ordered_index_locate(m->index, key->bytes, key->size, &hint);
	err = i % 3 ? fx_ordered_index_try_insert(m->index, key->bytes, key->size, &hint, &lock)
		    : -EAGAIN;
	if (!err && plain)
		fx_ordered_index_unlock_plain(&lock);
	else if (!err)
		fx_ordered_index_unlock(&lock);
	fx_epoch_leave();
	if (!err)
		m->keys[i].check = !plain;
	if (err == -EAGAIN) {
		err = fx_ordered_index_insert(m->index, key->bytes, key->size);
		m->keys[i].check = !err || m->keys[i].check;
	}
	if (!err)
		m->keys[i].there = true;
	return err;
}

static inline bool model_yes(void *ctx)
{
	return true;
}

static inline bool model_no(void *ctx)
{
	return false;
}

static inline void model_remove(struct model *m, size_t i)
{
	assert_true(fx_ordered_index_remove(m->index, m->keys[i].bytes, m->keys[i].size, model_yes,
					    NULL));
	m->keys[i].there = false;
}

/* Set the key's check bit, and drop it or not. */
static inline void model_lock(struct model *m, size_t i, bool drop)
{
	struct fx_order_hint hint = {0};
	struct fx_order_lock lock;
	int err;

	fx_epoch_enter();
	if (model_random(&m->random) % 2)
		fx_ordered_index_locate(m->index, m->keys[i].bytes, m->keys[i].size, &hint);
	err = fx_ordered_index_lock(m->index, m->keys[i].bytes, m->keys[i].size, &hint, &lock);
	assert_int_equal(err, m->keys[i].there ? 0 : -ENOENT);
	if (!err && drop)
		fx_ordered_index_drop(&lock);
	else if (!err)
		fx_ordered_index_unlock(&lock);
	fx_epoch_leave();
	m->keys[i].check = true;
	if (drop)
		m->keys[i].there = false;
}

/* For these tests, two keys of three are plain. */
static inline bool model_is_plain(void *ctx, const void *key, size_t size)
{
	const uint8_t *bytes = key;

	return (size + (size ? bytes[size - 1] : 0)) % 3;
}

static inline void model_settle(struct model *m, size_t first, size_t last)
{
	fx_ordered_index_settle(m->index, m->keys[first].bytes, m->keys[first].size,
				m->keys[last].bytes, m->keys[last].size, model_is_plain, NULL);
	for (size_t i = first; i <= last; i++)
		if (model_is_plain(NULL, m->keys[i].bytes, m->keys[i].size))
			m->keys[i].check = false;
}

/* The next key from number i on, in this direction, that should be there; -1: none. */
static inline int64_t model_next(const struct model *m, int64_t i, bool reverse)
{
	while (i >= 0 && i < (int64_t)m->count && !m->keys[i].there)
		i += reverse ? -1 : 1;
	return i < (int64_t)m->count ? i : -1;
}

static inline void model_check_key(const struct model *m, const struct fx_key_ref *ref,
				   const struct model_key *expected)
{
	assert_int_equal(ref->size, expected->size);
	assert_int_equal(ref->check, expected->check);
	assert_memory_equal(m->batch.keys + ref->offset, expected->bytes, ref->size);
}

/* Scan all from key number i on (-1: from the end), in batches of max keys, and compare. */
static inline void model_check(struct model *m, int64_t i, bool inclusive, bool reverse, size_t max)
{
	const uint8_t *from = i < 0 ? NULL : m->keys[i].bytes;
	size_t from_size = i < 0 ? 0 : m->keys[i].size;

	if (i < 0)
		i = reverse ? (int64_t)m->count - 1 : 0;
	else if (!inclusive)
		i += reverse ? -1 : 1;
	i = model_next(m, i, reverse);
	m->batch.max = max;
	do {
		fx_ordered_index_scan(m->index, from, from_size, inclusive, reverse, &m->batch);
		for (size_t k = 0; k < m->batch.count; k++) {
			assert_true(i >= 0);
			model_check_key(m, &m->batch.refs[k], &m->keys[i]);
			i = model_next(m, i + (reverse ? -1 : 1), reverse);
		}
		if (m->batch.count) {
			from = m->batch.keys + m->batch.refs[m->batch.count - 1].offset;
			from_size = m->batch.refs[m->batch.count - 1].size;
		}
		inclusive = false;
		assert_true(m->batch.count || m->batch.end);
	} while (!m->batch.end);
	assert_int_equal(i, -1);
}

static inline void model_check_all(struct model *m)
{
	model_check(m, -1, true, false, 1024);
	model_check(m, -1, true, true, 1024);
}

#endif
