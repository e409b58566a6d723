/* SPDX-License-Identifier: Apache-2.0 */
/* The ordered index against a sorted array: keys of all kinds, both directions, no memory. */
#include "order_model.h"

/* ---- Keys -------------------------------------------------------------------------------------
 */

/* Short ones over few bytes: prefixes of each other, with zeros and the empty key. */
static size_t short_key(struct model *m, size_t i, uint8_t *key)
{
	static const uint8_t alphabet[] = {0, 1, 'a', 255};
	size_t size = model_random(&m->random) % 13;

	for (size_t k = 0; k < size; k++)
		key[k] = alphabet[model_random(&m->random) % 4];
	return size;
}

static size_t binary_key(struct model *m, size_t i, uint8_t *key)
{
	for (size_t k = 0; k < 20; k++)
		key[k] = (uint8_t)(model_random(&m->random) >> 20);
	return 20;
}

static size_t counter_key(struct model *m, size_t i, uint8_t *key)
{
	return (size_t)snprintf((char *)key, 64, "user:%011zu", i);
}

static size_t path_key(struct model *m, size_t i, uint8_t *key)
{
	return (size_t)snprintf((char *)key, 128, "home/someone/directory-%zu/file-%zu",
				i % 17 * 31 % 17, i);
}

/* Suffixes around what a leaf holds itself, behind prefixes of many sizes. */
static size_t middle_key(struct model *m, size_t i, uint8_t *key)
{
	size_t prefix = model_random(&m->random) % 4 * 100;
	size_t size = prefix + 200 + model_random(&m->random) % 120;

	memset(key, 'p', size);
	key[prefix] = (uint8_t)(model_random(&m->random) >> 20);
	key[size - 1] = (uint8_t)(model_random(&m->random) >> 20);
	return size;
}

/* Up to the limit, most of it the same. */
static size_t long_key(struct model *m, size_t i, uint8_t *key)
{
	size_t size = i ? model_random(&m->random) % (FX_ORDERED_KEY_MAX + 1) : FX_ORDERED_KEY_MAX;
	size_t at = size ? model_random(&m->random) % size : 0;

	memset(key, 'L', size);
	if (size)
		key[at] = (uint8_t)(model_random(&m->random) >> 20);
	return size;
}

/* Directories deep enough that what their files share does not fit into a leaf. */
static size_t deep_key(struct model *m, size_t i, uint8_t *key)
{
	size_t size = 300 + i % 3 * 700;

	memset(key, '/', size);
	return size + (size_t)snprintf((char *)key + size, 32, "%zu", i);
}

/* ---- Against the model ------------------------------------------------------------------------
 */

static size_t pick(struct model *m)
{
	return model_random(&m->random) % m->count;
}

static void check_somewhere(struct model *m)
{
	uint64_t r = model_random(&m->random);

	model_check(m, r % 8 ? (int64_t)pick(m) : -1, r >> 8 & 1, r >> 9 & 1,
		    r >> 10 & 1 ? 1 + r % 40 : 1024);
}

/* One change, mostly one that makes the index larger, or mostly one that makes it smaller. */
static void change_somewhere(struct model *m, bool smaller)
{
	uint64_t r = model_random(&m->random);
	size_t key = pick(m), other = pick(m);

	if (r % 8 < (smaller ? 1 : 6))
		assert_int_equal(model_insert(m, key), 0);
	else if (r % 8 < 7)
		model_remove(m, key);
	else
		model_lock(m, key, r >> 8 & 1);
	if (r >> 16 & 1)
		return;
	if (key > other && key - other < 50)
		model_settle(m, other, key);
}

/* Grow and shrink several times, in no order. */
static void churn(size_t count, size_t checks,
		  size_t (*make)(struct model *m, size_t i, uint8_t *key))
{
	struct model m;
	uint64_t empty;

	model_open(&m, count, make);
	empty = fx_ordered_index_bytes(m.index);
	for (unsigned int phase = 0; phase < 6; phase++) {
		for (size_t i = 0; i < 2 * m.count; i++) {
			change_somewhere(&m, phase % 2);
			if (i % (2 * m.count / checks + 1) == 0)
				check_somewhere(&m);
		}
		model_check_all(&m);
	}
	for (size_t i = 0; i < m.count; i++)
		model_remove(&m, i);
	model_check_all(&m);
	assert_true(fx_ordered_index_bytes(m.index) <= 4 * empty);
	model_close(&m);
}

static void short_keys(void **state)
{
	churn(3000, 100, short_key);
}

static void binary_keys(void **state)
{
	churn(20000, 30, binary_key);
}

static void paths(void **state)
{
	churn(5000, 50, path_key);
}

static void middle_keys(void **state)
{
	churn(2000, 50, middle_key);
}

static void long_keys(void **state)
{
	churn(500, 10, long_key);
}

static void deep_paths(void **state)
{
	churn(2000, 10, deep_key);
}

/* A key that is there stays once; one that its caller says lives is not dropped. */
static void insert_and_remove_are_idempotent(void **state)
{
	struct model m;

	model_open(&m, 100, counter_key);
	for (size_t i = 0; i < 100; i++) {
		assert_int_equal(model_insert(&m, i / 2), 0);
		model_check_all(&m);
	}
	assert_false(
		fx_ordered_index_remove(m.index, m.keys[7].bytes, m.keys[7].size, model_no, NULL));
	model_check_all(&m);
	model_remove(&m, 7);
	model_remove(&m, 7);
	model_check_all(&m);
	model_close(&m);
}

/* Keys in order leave full leaves behind them, up and down, at the end and in the middle. */
static void sequences(void **state)
{
	for (unsigned int way = 0; way < 4; way++) {
		struct model m;
		size_t n;

		model_open(&m, 40000, way < 2 ? counter_key : path_key);
		n = m.count;
		for (size_t i = 0; i < n; i++)
			assert_int_equal(model_insert(&m, way % 2 ? n - 1 - i : i), 0);
		model_check_all(&m);
		if (way < 2)
			assert_true(fx_ordered_index_bytes(m.index) < 32 * n);
		/* A queue: what is oldest goes. */
		for (size_t i = 0; i < n; i++) {
			model_remove(&m, way % 2 ? n - 1 - i : i);
			if (i % 5000 == 0)
				model_check_all(&m);
		}
		model_close(&m);
	}
}

static void memory_of_random_keys(void **state)
{
	struct model m;

	model_open(&m, 200000, binary_key);
	for (size_t i = 0; i < m.count; i++)
		assert_int_equal(
			fx_ordered_index_insert(m.index, m.keys[i * 77777 % m.count].bytes, 20), 0);
	print_message("%.1f bytes a key of 20\n",
		      (double)fx_ordered_index_bytes(m.index) / (double)m.count);
	assert_true(fx_ordered_index_bytes(m.index) <= 38 * m.count);
	model_close(&m);
}

/* A batch whose memory holds not even one key says what it needs, and loses nothing. */
static void small_batches(void **state)
{
	size_t at = 0, from = SIZE_MAX;
	struct model m;

	model_open(&m, 200, long_key);
	for (size_t i = 0; i < m.count; i++)
		assert_int_equal(model_insert(&m, i), 0);
	m.batch.capacity = 0;
	do {
		fx_ordered_index_scan(m.index, from == SIZE_MAX ? NULL : m.keys[from].bytes,
				      from == SIZE_MAX ? 0 : m.keys[from].size, false, false,
				      &m.batch);
		if (!m.batch.count && !m.batch.end) {
			assert_int_equal(m.batch.wanted, m.keys[at].size);
			m.batch.capacity = m.batch.wanted;
			continue;
		}
		for (size_t k = 0; k < m.batch.count; k++)
			model_check_key(&m, &m.batch.refs[k], &m.keys[at++]);
		from = at - 1;
		m.batch.capacity = 0;
	} while (!m.batch.end);
	assert_int_equal(at, m.count);
	model_close(&m);
}

/* ---- Loading ----------------------------------------------------------------------------------
 */

struct feed {
	struct model *m;
	size_t next;
};

static const void *feed_key(void *ctx, size_t *ret_size, bool *ret_check)
{
	struct feed *feed = ctx;
	struct model_key *key = &feed->m->keys[feed->next++];

	key->there = true;
	key->check = feed->next % 3 == 0;
	*ret_size = key->size;
	*ret_check = key->check;
	return key->bytes;
}

static void load_and_churn(size_t count, size_t (*make)(struct model *m, size_t i, uint8_t *key))
{
	struct model m;
	struct feed feed = {.m = &m};

	model_open(&m, count, make);
	assert_int_equal(fx_ordered_index_load(m.index, m.count, feed_key, &feed), 0);
	assert_int_equal(feed.next, m.count);
	model_check_all(&m);
	for (size_t i = 0; i < m.count; i++) {
		size_t key = pick(&m);

		if (i % 3)
			model_remove(&m, key);
		else
			assert_int_equal(model_insert(&m, key), 0);
	}
	model_check_all(&m);
	model_close(&m);
}

static void loading(void **state)
{
	static const size_t counts[] = {0, 1, 2, 39, 40, 41, 80, 81, 1279, 1280, 1281, 60000};

	for (size_t i = 1; i < sizeof(counts) / sizeof(*counts); i++)
		load_and_churn(counts[i], counter_key);
	load_and_churn(3000, short_key);
	load_and_churn(300, long_key);
	load_and_churn(3000, deep_key);
}

/* ---- No memory --------------------------------------------------------------------------------
 */

/* Fail every allocation of one insert in turn: nothing has happened then. */
static void insert_without_memory(struct model *m, size_t i, bool look)
{
	uint64_t bytes = fx_ordered_index_bytes(m->index);

	for (int64_t n = 0;; n++) {
		int err;

		atomic_store(&m->fail_after, n);
		err = model_insert(m, i);
		atomic_store(&m->fail_after, -1);
		if (!err)
			return;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(fx_ordered_index_bytes(m->index), bytes);
		if (look)
			model_check_all(m);
	}
}

static void without_memory(size_t count, size_t look_every,
			   size_t (*make)(struct model *m, size_t i, uint8_t *key))
{
	struct model m;

	model_open(&m, count, make);
	for (size_t i = 0; i < m.count; i++)
		insert_without_memory(&m, pick(&m), i % look_every == 0);
	model_check_all(&m);
	/* Merges may fail at any allocation, removing does not. */
	for (size_t i = 0; i < m.count; i++) {
		atomic_store(&m.fail_after, (int64_t)(i % 4));
		model_remove(&m, i * 7 % m.count);
		atomic_store(&m.fail_after, -1);
		if (i % look_every == 0)
			model_check_all(&m);
	}
	model_check_all(&m);
	model_close(&m);
}

static void no_memory(void **state)
{
	without_memory(8000, 500, binary_key);
	without_memory(2000, 100, path_key);
	without_memory(300, 10, long_key);
}

static void no_memory_to_begin_with(void **state)
{
	struct model m;

	model_open(&m, 10, counter_key);
	for (int64_t n = 0; n < 2; n++) {
		struct fx_ordered_index *index = NULL;

		atomic_store(&m.fail_after, n);
		assert_int_equal(fx_ordered_index_create(m.slab, m.epoch, &index), -ENOMEM);
		assert_null(index);
	}
	atomic_store(&m.fail_after, -1);
	model_close(&m);
}

static void no_memory_to_load(void **state)
{
	struct model m;
	int err = -ENOMEM;

	model_open(&m, 4000, path_key);
	for (int64_t n = 0; err; n = n < 50 ? n + 1 : n + 17) {
		uint64_t used = fx_slab_used(m.slab);
		struct feed feed = {.m = &m};

		atomic_store(&m.fail_after, n);
		err = fx_ordered_index_load(m.index, m.count, feed_key, &feed);
		atomic_store(&m.fail_after, -1);
		if (err) {
			assert_int_equal(err, -ENOMEM);
			assert_int_equal(fx_slab_used(m.slab), used);
			for (size_t i = 0; i < m.count; i++)
				m.keys[i].there = false;
		}
		model_check_all(&m);
	}
	model_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_keys),
		cmocka_unit_test(binary_keys),
		cmocka_unit_test(paths),
		cmocka_unit_test(middle_keys),
		cmocka_unit_test(long_keys),
		cmocka_unit_test(deep_paths),
		cmocka_unit_test(insert_and_remove_are_idempotent),
		cmocka_unit_test(sequences),
		cmocka_unit_test(memory_of_random_keys),
		cmocka_unit_test(small_batches),
		cmocka_unit_test(loading),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(no_memory_to_begin_with),
		cmocka_unit_test(no_memory_to_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
