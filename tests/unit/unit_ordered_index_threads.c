/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writers and scans at once: a key that is there throughout is given exactly once, in order; what a
 * thread has done it sees itself; and in the end all is as the writers left it.
 */
#include "order_model.h"

#include <pthread.h>

#define KEYS	  20000u
#define WRITERS	  2u
#define SCANNERS  2u
#define ROUNDS	  300u
#define STAYS(id) ((id) % 7 == 0)

struct crowd {
	struct model m;
	_Atomic unsigned int writing; /* writers that still run */
	_Atomic uint64_t scans;
};

struct worker {
	struct crowd *crowd;
	unsigned int number;
	uint64_t random;
	struct fx_key_batch batch;
	pthread_t thread;
};

/* Base 3 in the bytes 0, 1, 'a': prefixes of each other. */
static size_t ternary_key(struct model *m, size_t i, uint8_t *key)
{
	size_t size = 0;

	for (i++; i; i /= 3)
		key[size++] = (uint8_t) "\0\1a"[--i % 3];
	return size;
}

static size_t path_key(struct model *m, size_t i, uint8_t *key)
{
	return (size_t)snprintf((char *)key, 64, "tenant/%05zu/%zu", i % 1009 * 37 % 1009, i);
}

static size_t long_key(struct model *m, size_t i, uint8_t *key)
{
	memset(key, 'x', 300);
	return 300 + (size_t)snprintf((char *)key + 300, 32, "%zu", i);
}

/* ---- Scans ------------------------------------------------------------------------------------
 */

static void batch_init(struct fx_key_batch *batch)
{
	batch->capacity = 1 << 17;
	batch->keys = malloc(batch->capacity);
	batch->refs = malloc(1024 * sizeof(*batch->refs));
}

static void batch_free(struct fx_key_batch *batch)
{
	free(batch->keys);
	free(batch->refs);
}

/* The number of a key in the model, or where it would be. */
static size_t number_of(const struct model *m, const uint8_t *key, size_t size)
{
	size_t low = 0, n = m->count;

	while (n) {
		size_t middle = low + n / 2;

		if (fx_bytes_cmp(m->keys[middle].bytes, m->keys[middle].size, key, size) < 0) {
			low = middle + 1;
			n -= n / 2 + 1;
		} else {
			n /= 2;
		}
	}
	return low;
}

/* Keys between two given ones, both excluded: none of them stays. */
static void check_gap(int64_t from, int64_t to, bool reverse)
{
	for (int64_t i = from + (reverse ? -1 : 1); reverse ? i > to : i < to;
	     i += reverse ? -1 : 1)
		assert_false(STAYS(i));
}

/* A whole scan from key number start on. */
static void scan(struct worker *w, size_t start, bool reverse)
{
	struct model *m = &w->crowd->m;
	const uint8_t *from = m->keys[start].bytes;
	size_t from_size = m->keys[start].size;
	int64_t last = (int64_t)start + (reverse ? 1 : -1);
	bool inclusive = true;

	do {
		w->batch.max = 1 + model_random(&w->random) % 1024;
		fx_ordered_index_scan(m->index, from, from_size, inclusive, reverse, &w->batch);
		for (size_t k = 0; k < w->batch.count; k++) {
			int64_t i;

			from = w->batch.keys + w->batch.refs[k].offset;
			from_size = w->batch.refs[k].size;
			i = (int64_t)number_of(m, from, from_size);
			assert_true(reverse ? i < last : i > last);
			assert_memory_equal(from, m->keys[i].bytes, from_size);
			check_gap(last, i, reverse);
			last = i;
		}
		inclusive = false;
	} while (!w->batch.end);
	check_gap(last, reverse ? -1 : (int64_t)m->count, reverse);
}

static void *scan_on(void *arg)
{
	struct worker *w = arg;

	batch_init(&w->batch);
	do {
		scan(w, model_random(&w->random) % w->crowd->m.count,
		     model_random(&w->random) & 1 << 20);
		atomic_fetch_add(&w->crowd->scans, 1);
	} while (atomic_load(&w->crowd->writing));
	batch_free(&w->batch);
	return NULL;
}

/* ---- Writers ----------------------------------------------------------------------------------
 */

/* Does a scan that begins at key number i begin with it? */
static bool sees(struct worker *w, size_t i)
{
	const struct model_key *key = &w->crowd->m.keys[i];

	w->batch.max = 1;
	fx_ordered_index_scan(w->crowd->m.index, key->bytes, key->size, true,
			      model_random(&w->random) & 1 << 20, &w->batch);
	return w->batch.count && w->batch.refs[0].size == key->size &&
	       !memcmp(w->batch.keys, key->bytes, key->size);
}

/* Take a key out without waiting. False: it is not there, or somebody has the leaf. */
static bool drop(struct model *m, size_t i)
{
	struct fx_order_hint hint = {0};
	struct fx_order_lock lock;
	int err;

	fx_epoch_enter();
	err = fx_ordered_index_lock(m->index, m->keys[i].bytes, m->keys[i].size, &hint, &lock);
	if (!err)
		fx_ordered_index_drop(&lock);
	fx_epoch_leave();
	if (!err)
		m->keys[i].there = false;
	return !err;
}

static void change(struct worker *w, size_t i, bool insert)
{
	struct model *m = &w->crowd->m;

	if (insert)
		assert_int_equal(model_insert(m, i), 0);
	else if (i % 2 || !drop(m, i))
		model_remove(m, i);
	if (model_random(&w->random) % 8 == 0)
		assert_int_equal(sees(w, i), insert);
}

/* Each writer has its own keys; it works here and there, now mostly adding, now mostly removing. */
static void *write_on(void *arg)
{
	struct worker *w = arg;
	size_t count = w->crowd->m.count;

	batch_init(&w->batch);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		size_t span = model_random(&w->random) % 2 ? count : 64;
		size_t base = model_random(&w->random) % count;
		unsigned int inserts = round % 2 ? 1 : 3;

		for (size_t n = 0; n < count / 4; n++) {
			size_t i = (base + model_random(&w->random) % span) % count;

			if (!STAYS(i) && i % WRITERS == w->number)
				change(w, i, model_random(&w->random) % 4 < inserts);
		}
	}
	batch_free(&w->batch);
	atomic_fetch_sub(&w->crowd->writing, 1);
	return NULL;
}

/* ---- Together ---------------------------------------------------------------------------------
 */

static void run_workers(struct crowd *crowd, struct worker *workers, void *(*writer)(void *),
			void *(*scanner)(void *))
{
	atomic_store(&crowd->writing, WRITERS);
	for (unsigned int i = 0; i < WRITERS + SCANNERS; i++) {
		workers[i] = (struct worker){
			.crowd = crowd, .number = i, .random = 88172645463325252u + i * 7919};
		assert_int_equal(pthread_create(&workers[i].thread, NULL,
						i < WRITERS ? writer : scanner, &workers[i]),
				 0);
	}
	for (unsigned int i = 0; i < WRITERS + SCANNERS; i++)
		pthread_join(workers[i].thread, NULL);
}

static void crowd_run(size_t count, size_t (*make)(struct model *m, size_t i, uint8_t *key))
{
	struct worker workers[WRITERS + SCANNERS];
	struct crowd crowd = {0};

	model_open(&crowd.m, count, make);
	for (size_t i = 0; i < crowd.m.count; i++)
		if (STAYS(i))
			assert_int_equal(model_insert(&crowd.m, i), 0);
	run_workers(&crowd, workers, write_on, scan_on);
	model_check_all(&crowd.m);
	model_close(&crowd.m);
}

/* ---- Check bits -------------------------------------------------------------------------------
 */

#define WORDS	   500u
#define WORD_TURNS 200000u

/* What the hash index would say of the keys: changes << 1 | plain. */
struct words {
	struct crowd crowd;
	_Atomic uint64_t words[WORDS];
};

static struct words *words_of(struct crowd *crowd)
{
	return (struct words *)((char *)crowd - offsetof(struct words, crowd));
}

static void make_plain(_Atomic uint64_t *word)
{
	uint64_t now = atomic_load(word);

	atomic_compare_exchange_strong(word, &now, (now + 2) | 1);
}

/* A plain word is changed while the leaf is held. */
static void make_not_plain(struct model *m, size_t i, _Atomic uint64_t *word)
{
	struct fx_order_hint hint = {0};
	struct fx_order_lock lock;

	fx_epoch_enter();
	if (!fx_ordered_index_lock(m->index, m->keys[i].bytes, m->keys[i].size, &hint, &lock)) {
		uint64_t now = atomic_load(word);

		atomic_compare_exchange_strong(word, &now, (now + 2) & ~UINT64_C(1));
		fx_ordered_index_unlock(&lock);
	}
	fx_epoch_leave();
}

static bool is_plain(void *ctx, const void *key, size_t size)
{
	struct words *words = ctx;

	return atomic_load(&words->words[number_of(&words->crowd.m, key, size)]) & 1;
}

static void *change_words(void *arg)
{
	struct worker *w = arg;
	struct words *words = words_of(w->crowd);
	struct model *m = &w->crowd->m;

	for (unsigned int turn = 0; turn < WORD_TURNS; turn++) {
		size_t i = model_random(&w->random) % m->count;

		switch (model_random(&w->random) % 4) {
		case 0:
			make_not_plain(m, i, &words->words[i]);
			break;
		case 1:
			fx_ordered_index_settle(m->index, m->keys[i / 2].bytes, m->keys[i / 2].size,
						m->keys[i].bytes, m->keys[i].size, is_plain, words);
			break;
		default:
			make_plain(&words->words[i]);
		}
	}
	atomic_fetch_sub(&w->crowd->writing, 1);
	return NULL;
}

/* Who reads a clear bit has seen a key that was plain while he looked. */
static void *read_bits(void *arg)
{
	struct worker *w = arg;
	struct words *words = words_of(w->crowd);
	struct model *m = &w->crowd->m;
	uint64_t clear = 0;

	batch_init(&w->batch);
	w->batch.max = 1;
	while (atomic_load(&w->crowd->writing)) {
		size_t i = model_random(&w->random) % m->count;
		uint64_t before = atomic_load(&words->words[i]);

		fx_ordered_index_scan(m->index, m->keys[i].bytes, m->keys[i].size, true, before & 2,
				      &w->batch);
		if (w->batch.refs[0].check)
			continue;
		clear++;
		assert_true((before & 1) || atomic_load(&words->words[i]) != before);
	}
	assert_true(clear);
	batch_free(&w->batch);
	return NULL;
}

static void check_bits(void **state)
{
	struct words *words = calloc(1, sizeof(*words));
	struct worker workers[WRITERS + SCANNERS];

	model_open(&words->crowd.m, WORDS, path_key);
	for (size_t i = 0; i < words->crowd.m.count; i++) {
		assert_int_equal(model_insert(&words->crowd.m, i), 0);
		words->words[i] = !words->crowd.m.keys[i].check;
	}
	run_workers(&words->crowd, workers, change_words, read_bits);
	model_close(&words->crowd.m);
	free(words);
}

/* ---- All of it --------------------------------------------------------------------------------
 */

static void prefixes_of_each_other(void **state)
{
	crowd_run(KEYS, ternary_key);
}

static void paths(void **state)
{
	crowd_run(KEYS, path_key);
}

static void long_keys(void **state)
{
	crowd_run(KEYS / 4, long_key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_of_each_other),
		cmocka_unit_test(paths),
		cmocka_unit_test(long_keys),
		cmocka_unit_test(check_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
