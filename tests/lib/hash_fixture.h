/* SPDX-License-Identifier: Apache-2.0 */
/* hash_fixture.h - a hash index over records made from numbers, for its tests. */
#ifndef FX_HASH_FIXTURE_H
#define FX_HASH_FIXTURE_H

#include "fixture.h"

#include "hash.h"
#include "hash_index.h"

#include <stdatomic.h>

#define HASH_SEED UINT64_C(0x5eed)

struct hash_fixture {
	struct fx_slab *slab;
	struct fx_epoch *epoch;
	struct fx_hash_index *index;
	_Atomic uint64_t allocations;
	_Atomic uint64_t fail_at; /* the allocation that fails, from 1; 0: none */
	_Atomic bool fail_all;
};

static inline bool hash_fixture_fail(void *ctx, size_t size)
{
	struct hash_fixture *f = ctx;
	uint64_t n = atomic_fetch_add(&f->allocations, 1) + 1;

	return atomic_load(&f->fail_all) || n == atomic_load(&f->fail_at);
}

static inline void free_record(void *record, void *ctx)
{
	fx_record_unref(ctx, record);
}

static inline void hash_fixture_open(struct hash_fixture *f)
{
	struct fx_slab_options options = {.fail = hash_fixture_fail, .fail_ctx = f};

	*f = (struct hash_fixture){0};
	assert_int_equal(fx_slab_create(&options, &f->slab), 0);
	assert_int_equal(fx_epoch_create(f->slab, &f->epoch), 0);
	fx_epoch_configure(f->epoch, free_record, FX_EPOCH_DEFERRED_MAX);
	assert_int_equal(fx_hash_index_create(f->slab, f->epoch, HASH_SEED, &f->index), 0);
}

struct test_key {
	uint8_t bytes[16];
	size_t size;
	uint64_t hash;
};

static inline struct test_key key_of(uint64_t number)
{
	struct test_key key = {.size = 8 + number % 9};

	for (size_t i = 0; i < key.size; i++)
		key.bytes[i] = (uint8_t)(i < 8 ? number >> 8 * i : i);
	key.hash = fx_hash_key(HASH_SEED, key.bytes, key.size);
	return key;
}

static inline uint64_t number_of(fx_word word)
{
	uint64_t number;

	memcpy(&number, fx_record_key(fx_word_record(word)), sizeof(number));
	return number;
}

static inline struct fx_record *record_of(struct hash_fixture *f, uint64_t number, uint64_t version)
{
	struct test_key key = key_of(number);
	const struct fx_record_parts parts = {.key = key.bytes, .key_size = key.size};
	struct fx_record *record = fx_record_new(f->slab, &parts);

	if (record)
		record->version = version;
	return record;
}

static inline void retire_record(struct hash_fixture *f, fx_word word)
{
	assert_int_equal(fx_epoch_prepare(f->epoch, 1), 0);
	fx_epoch_retire_plain(f->epoch, fx_word_record(word), 128);
}

/* These enter their own section. */

static inline fx_word find_number(struct hash_fixture *f, uint64_t number)
{
	struct test_key key = key_of(number);
	fx_word word;

	fx_epoch_enter();
	word = fx_hash_index_find(f->index, key.hash, key.bytes, key.size, NULL);
	if (word)
		assert_int_equal(number_of(word), number);
	fx_epoch_leave();
	return word;
}

/* The index's answer; the record is freed unless it was placed. */
static inline int insert_number(struct hash_fixture *f, uint64_t number, uint64_t version)
{
	struct test_key key = key_of(number);
	struct fx_record *record = record_of(f, number, version);
	fx_slot *slot;
	fx_word word;
	int err;

	if (!record)
		return -ENOMEM;
	fx_epoch_enter();
	word = fx_word_make(key.hash, record, FX_SLOT_LIVE);
	err = fx_hash_index_insert(f->index, key.hash, word, &slot, &word);
	if (!err || err == -EEXIST)
		assert_int_equal(number_of(word), number);
	fx_epoch_leave();
	if (err)
		fx_record_unref(f->slab, record);
	return err;
}

/* The key's word -> 0. False: it has none. */
static inline bool remove_number(struct hash_fixture *f, uint64_t number)
{
	struct test_key key = key_of(number);
	fx_slot *slot;
	fx_word word;

	fx_epoch_enter();
	do
		word = fx_hash_index_find(f->index, key.hash, key.bytes, key.size, &slot);
	while (word && !fx_hash_index_cas(f->index, slot, word, 0));
	if (word)
		retire_record(f, word);
	fx_epoch_leave();
	return word != 0;
}

/* The key's record -> one with the next version: 0; -ENOENT, -ENOMEM. */
static inline int bump_number(struct hash_fixture *f, uint64_t number)
{
	struct test_key key = key_of(number);
	struct fx_record *record = record_of(f, number, 0);
	fx_word desired = fx_word_make(key.hash, record, FX_SLOT_LIVE);
	fx_slot *slot;
	fx_word word;

	if (!record)
		return -ENOMEM;
	fx_epoch_enter();
	do {
		word = fx_hash_index_find(f->index, key.hash, key.bytes, key.size, &slot);
		if (word)
			record->version = fx_word_record(word)->version + 1;
	} while (word && !fx_hash_index_cas(f->index, slot, word, desired));
	if (word)
		retire_record(f, word);
	fx_epoch_leave();
	if (!word)
		fx_record_unref(f->slab, record);
	return word ? 0 : -ENOENT;
}

/* ---- Walking -----------------------------------------------------------------------------------
 */

struct walked {
	uint8_t *seen; /* by number: how often, up to 255 */
	uint64_t limit, words;
};

static inline void count_walked(void *ctx, fx_slot *slot, fx_word word)
{
	struct walked *walked = ctx;
	uint64_t number = number_of(word);

	assert_true(number < walked->limit);
	assert_int_equal(word & FX_SLOT_FROZEN, 0);
	walked->seen[number] += walked->seen[number] < 255;
	walked->words++;
}

/* All of the index, max_words a section; *walked has seen cleared and filled. */
static inline void walk_all(struct hash_fixture *f, struct walked *walked, size_t max_words)
{
	uint64_t cursor = 0;

	memset(walked->seen, 0, walked->limit);
	walked->words = 0;
	do {
		fx_epoch_enter();
		fx_hash_index_walk(f->index, &cursor, max_words, count_walked, walked);
		fx_epoch_leave();
	} while (cursor);
}

static inline void free_walked(void *ctx, fx_slot *slot, fx_word word)
{
	fx_record_unref(ctx, fx_word_record(word));
}

/* Nothing of slab may be left. */
static inline void hash_fixture_close(struct hash_fixture *f)
{
	uint64_t cursor = 0;

	fx_epoch_enter();
	do
		fx_hash_index_walk(f->index, &cursor, 1000, free_walked, f->slab);
	while (cursor);
	fx_epoch_leave();
	fx_hash_index_destroy(f->index);
	fx_epoch_destroy(f->epoch);
	assert_int_equal(fx_slab_used(f->slab), 0);
	fx_slab_destroy(f->slab);
}

#endif
