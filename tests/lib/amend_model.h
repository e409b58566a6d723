/* SPDX-License-Identifier: Apache-2.0 */
/*
 * amend_model.h - an oracle of a store, and operations that follow from a number: so a run can be
 * replayed without the store, and compared with what a store has after a crash.
 */
#ifndef FX_AMEND_MODEL_H
#define FX_AMEND_MODEL_H

#include "fixture.h"

#define MODEL_KEYS  128u
#define MODEL_VALUE ((size_t)48 * 1024)
#define MODEL_FAR   ((uint64_t)FEOX_TIME_MAX - 1000)

struct model_entry {
	char key[64];
	uint64_t value; /* the number it follows from */
	uint64_t metadata, expiry_ns;
	uint64_t version; /* of the store that runs along; not replayed */
};

struct model {
	struct model_entry entries[MODEL_KEYS];
	unsigned int count;
};

static inline uint64_t model_random(uint64_t *seed)
{
	*seed += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = (*seed ^ *seed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);

	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* The value that follows from a number: sizes of every kind, most of them small. */
static inline size_t model_value(uint64_t number, uint8_t *bytes)
{
	static const size_t sizes[] = {0, 7, 100, 900, 1024, 1025, 4000, 33000};
	size_t size = sizes[number % 8] + number / 8 % 5;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(number * 7 + i * 31 + i / 4096);
	return size;
}

/* 0: none. */
static inline size_t model_metadata(uint64_t number, uint8_t bytes[256])
{
	size_t size = number ? 1 + number % 200 : 0;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(number * 3 + i);
	return size;
}

/* ---- The oracle --------------------------------------------------------------------------------
 */

static inline struct model_entry *model_find(struct model *m, const char *key)
{
	for (unsigned int i = 0; i < m->count; i++)
		if (!strcmp(m->entries[i].key, key))
			return &m->entries[i];
	return NULL;
}

static inline int model_delete(struct model *m, const char *key)
{
	struct model_entry *e = model_find(m, key);

	if (!e)
		return -ENOENT;
	*e = m->entries[--m->count];
	return 0;
}

static inline int model_put(struct model *m, const char *key, uint64_t number)
{
	struct model_entry *e = model_find(m, key);

	if (!e) {
		assert_true(m->count < MODEL_KEYS);
		e = &m->entries[m->count++];
	}
	*e = (struct model_entry){.value = number};
	snprintf(e->key, sizeof(e->key), "%s", key);
	return 0;
}

static inline int model_rename(struct model *m, const char *from, const char *to, bool exchange)
{
	struct model_entry *e = model_find(m, from), *t = model_find(m, to);

	if (!e || (exchange && !t))
		return -ENOENT;
	if (!strcmp(from, to))
		return 0;
	if (exchange)
		snprintf(t->key, sizeof(t->key), "%s", from);
	snprintf(e->key, sizeof(e->key), "%s", to);
	if (t && !exchange)
		*t = m->entries[--m->count];
	return 0;
}

static inline bool model_begins(const char *key, const char *prefix)
{
	return !strncmp(key, prefix, strlen(prefix));
}

static inline int model_rename_prefix(struct model *m, const char *from, const char *to,
				      bool exchange)
{
	unsigned int moved = 0, n = m->count;

	if (model_begins(from, to) || model_begins(to, from))
		return -EINVAL;
	for (unsigned int i = 0; i < n; i++)
		moved += model_begins(m->entries[i].key, from) ||
			 (exchange && model_begins(m->entries[i].key, to));
	if (!moved)
		return -ENOENT;
	for (unsigned int i = 0; i < n && !exchange; i++)
		while (i < n && model_begins(m->entries[i].key, to))
			m->entries[i] = m->entries[--n];
	m->count = n;
	for (unsigned int i = 0; i < n; i++) {
		char *key = m->entries[i].key, new[64];
		bool back = model_begins(key, to);

		if (!back && !model_begins(key, from))
			continue;
		snprintf(new, sizeof(new), "%s%s", back ? from : to,
			 key + strlen(back ? to : from));
		memcpy(key, new, sizeof(new));
	}
	return 0;
}

/* ---- Operations --------------------------------------------------------------------------------
 */

enum model_kind {
	MODEL_PUT,
	MODEL_DELETE,
	MODEL_METADATA,
	MODEL_EXPIRY,
	MODEL_RENAME,
	MODEL_EXCHANGE,
	MODEL_PREFIX,
	MODEL_BATCH,
	MODEL_KINDS
};

struct model_op {
	enum model_kind kind;
	uint64_t number;
	bool exchange;
	char key[4][64]; /* of a batch: four different ones */
};

static inline void model_key(char key[64], uint64_t r)
{
	static const char *const dirs[] = {"a/", "b/", "a/b/", "c/long-name/", "b/x/", ""};

	snprintf(key, 64, "%s%u", dirs[r % 6], (unsigned int)(r / 6 % 12));
}

/* Operation n of a run. */
static inline struct model_op model_op(uint64_t n)
{
	static const char *const prefixes[] = {"a/",	       "b/",   "c/",   "a/b/",
					       "b/x/",	       "c/b/", "a/x/", "c/long-name/",
					       "b/long-name/", "c/x/"};
	static const enum model_kind kinds[] = {
		MODEL_PUT,	MODEL_PUT,	MODEL_PUT,    MODEL_PUT,
		MODEL_DELETE,	MODEL_METADATA, MODEL_EXPIRY, MODEL_EXPIRY,
		MODEL_METADATA, MODEL_RENAME,	MODEL_RENAME, MODEL_PREFIX,
		MODEL_PREFIX,	MODEL_EXCHANGE, MODEL_BATCH,  MODEL_BATCH};
	uint64_t seed = n * 1000003;
	struct model_op op = {.kind = kinds[model_random(&seed) % 16], .number = n};

	op.exchange = op.kind == MODEL_EXCHANGE || model_random(&seed) % 3 == 0;
	for (unsigned int i = 0; i < 4; i++) {
		bool again = true;

		if (op.kind == MODEL_PREFIX) {
			snprintf(op.key[i], 64, "%s", prefixes[model_random(&seed) % 10]);
			continue;
		}
		while (again) {
			again = false;
			model_key(op.key[i], model_random(&seed));
			for (unsigned int j = 0; j < i; j++)
				again |= !strcmp(op.key[i], op.key[j]);
		}
	}
	return op;
}

static inline uint64_t model_expiry(const struct model_op *op)
{
	return op->exchange ? 0 : MODEL_FAR + op->number % 1000;
}

/* All or nothing: a put, new metadata, and a rename. */
static inline int model_batch(struct model *m, const struct model_op *op)
{
	if (!model_find(m, op->key[1]) || !model_find(m, op->key[2]))
		return -ENOENT;
	model_put(m, op->key[0], op->number);
	model_find(m, op->key[1])->metadata = op->number;
	return model_rename(m, op->key[2], op->key[3], false);
}

static inline int model_apply(struct model *m, const struct model_op *op)
{
	struct model_entry *e = model_find(m, op->key[0]);

	switch (op->kind) {
	case MODEL_PUT:
		return model_put(m, op->key[0], op->number);
	case MODEL_DELETE:
		return model_delete(m, op->key[0]);
	case MODEL_METADATA:
		if (e)
			e->metadata = op->number;
		return e ? 0 : -ENOENT;
	case MODEL_EXPIRY:
		if (e)
			e->expiry_ns = model_expiry(op);
		return e ? 0 : -ENOENT;
	case MODEL_RENAME:
	case MODEL_EXCHANGE:
		return model_rename(m, op->key[0], op->key[1], op->kind == MODEL_EXCHANGE);
	case MODEL_PREFIX:
		return model_rename_prefix(m, op->key[0], op->key[1], op->exchange);
	default:
		return model_batch(m, op);
	}
}

static inline int store_batch(struct feox_store *s, const struct model_op *op)
{
	uint8_t value[MODEL_VALUE], metadata[256];
	struct feox_batch *batch;
	int err;

	assert_int_equal(feox_batch_create(s, &batch), 0);
	feox_batch_put(batch, op->key[0], strlen(op->key[0]), value, model_value(op->number, value),
		       NULL);
	feox_batch_set_metadata(batch, op->key[1], strlen(op->key[1]), metadata,
				model_metadata(op->number, metadata), NULL);
	feox_batch_rename(batch, op->key[2], strlen(op->key[2]), op->key[3], strlen(op->key[3]),
			  NULL);
	err = feox_batch_commit(batch, 0, NULL);
	feox_batch_free(batch);
	return err;
}

static inline int store_apply(struct feox_store *s, const struct model_op *op)
{
	const char *a = op->key[0], *b = op->key[1];
	struct feox_rename_options o = {.flags = op->exchange ? FEOX_RENAME_EXCHANGE : 0u};
	uint8_t bytes[MODEL_VALUE];

	switch (op->kind) {
	case MODEL_PUT:
		return feox_put(s, a, strlen(a), bytes, model_value(op->number, bytes), NULL, NULL);
	case MODEL_DELETE:
		return feox_delete(s, a, strlen(a), NULL);
	case MODEL_METADATA:
		return feox_set_metadata(s, a, strlen(a), bytes, model_metadata(op->number, bytes),
					 NULL);
	case MODEL_EXPIRY:
		return feox_set_expiry(s, a, strlen(a), model_expiry(op), NULL);
	case MODEL_RENAME:
		return feox_rename(s, a, strlen(a), b, strlen(b), NULL);
	case MODEL_EXCHANGE:
		return feox_rename(s, a, strlen(a), b, strlen(b), &o);
	case MODEL_PREFIX:
		return feox_rename_prefix(s, a, strlen(a), b, strlen(b), &o, NULL, NULL);
	default:
		return store_batch(s, op);
	}
}

/* ---- Comparing ---------------------------------------------------------------------------------
 */

/* Has the store e's key as it says? values: look at the value too. */
static inline bool store_has(struct feox_store *s, const struct model_entry *e, bool values)
{
	static uint8_t expected[MODEL_VALUE];
	uint8_t metadata[256], wanted[256];
	struct feox_stat stat;
	struct feox_value value;
	size_t size = model_value(e->value, expected);
	bool same;

	if (feox_stat(s, e->key, strlen(e->key), metadata, sizeof(metadata), &stat) ||
	    stat.size != size || stat.expiry_ns != e->expiry_ns ||
	    stat.metadata_size != model_metadata(e->metadata, wanted) ||
	    memcmp(metadata, wanted, stat.metadata_size) != 0)
		return false;
	if (!values)
		return true;
	if (feox_get(s, e->key, strlen(e->key), 0, &value))
		return false;
	same = value.size == size && (!size || !memcmp(value.data, expected, size));
	feox_value_release(s, &value);
	return same;
}

/* The same keys, in the order of the index too. */
static inline bool store_is(struct feox_store *s, const struct model *m, bool values)
{
	struct feox_iter *iter;
	struct feox_item item;
	unsigned int n = 0;

	for (unsigned int i = 0; i < m->count; i++)
		if (!store_has(s, &m->entries[i], values))
			return false;
	assert_int_equal(feox_iter_open(s, NULL, &iter), 0);
	while (feox_iter_next(iter, &item) == 1)
		n++;
	feox_iter_close(iter);
	return n == m->count;
}

#endif
