/* SPDX-License-Identifier: Apache-2.0 */
/* Many keys in one call: each has its own result, as if it had been asked for alone. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#define KEYS 1000

static char names[KEYS][16];

static void fill_keys(struct feox_key *keys)
{
	for (int i = 0; i < KEYS; i++) {
		snprintf(names[i], sizeof(names[i]), "k%d", i);
		keys[i] = (struct feox_key){names[i], strlen(names[i])};
	}
}

static void put_all(struct feox_store *store, const struct feox_key *keys, size_t value_size)
{
	char *value = malloc(value_size + 1);

	for (int i = 0; i < KEYS; i += 2) {
		memset(value, 'a' + i % 26, value_size);
		assert_int_equal(
			feox_put(store, keys[i].data, keys[i].size, value, value_size, NULL, NULL),
			0);
	}
	free(value);
}

static void check_value(const struct feox_value *value, int i, size_t value_size)
{
	assert_int_equal(value->size, value_size);
	for (size_t at = 0; at < value_size; at++)
		assert_int_equal(((const char *)value->data)[at], 'a' + i % 26);
	assert_true(value->version);
}

/* Every second key is there. n goes through all that groups may leave over. */
static void check_get_many(struct fixture *f, const struct feox_key *keys, size_t value_size)
{
	struct feox_value values[KEYS];
	struct feox_stats stats;
	uint64_t hits = 0;
	int errors[KEYS];

	for (size_t n = 0; n <= KEYS; n += n < 70 ? 1 : 310) {
		assert_int_equal(feox_get_many(f->store, keys, n, 0, values, errors), 0);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(errors[i], i % 2 ? -ENOENT : 0);
			if (i % 2 == 0)
				check_value(&values[i], (int)i, value_size);
			else
				assert_null(values[i].pin);
		}
		feox_release_many(f->store, values, n);
		feox_release_many(f->store, values, n); /* zeroed: nothing happens */
		hits += (n + 1) / 2;
	}
	assert_int_equal(feox_stats(f->store, &stats), 0);
	assert_int_equal(stats.gets, hits);
}

static void gets_are_those_of_single_calls(void **state)
{
	static const size_t sizes[] = {0, 8, 1024, 5000};
	struct fixture *f = *state;
	struct feox_key keys[KEYS];

	fill_keys(keys);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		open_memory_store(f);
		put_all(f->store, keys, sizes[i]);
		check_get_many(f, keys, sizes[i]);
		close_store(f);
	}
}

static void cold_values_are_read(void **state)
{
	struct fixture *f = *state;
	struct feox_key keys[KEYS];
	struct feox_value values[KEYS];
	int errors[KEYS];

	fill_keys(keys);
	open_file_store(f);
	put_all(f->store, keys, 100);
	reopen(f);
	assert_int_equal(feox_get_many(f->store, keys, KEYS, FEOX_NOWAIT, values, errors), 0);
	for (int i = 0; i < KEYS; i++)
		assert_int_equal(errors[i], i % 2 ? -ENOENT : -EAGAIN);
	feox_release_many(f->store, values, KEYS);
	check_get_many(f, keys, 100);
}

static void pins_hold_the_store_open(void **state)
{
	struct fixture *f = *state;
	struct feox_key keys[2] = {{"a", 1}, {"b", 1}};
	struct feox_value values[2];
	int errors[2];

	open_memory_store(f);
	put(f->store, "a", "old");
	put(f->store, "b", "old");
	assert_int_equal(feox_get_many(f->store, keys, 2, 0, values, errors), 0);
	put(f->store, "a", "new");
	assert_memory_equal(values[0].data, "old", 3);
	feox_value_release(f->store, &values[0]); /* one by one is as good */
	assert_int_equal(feox_close(f->store), -EBUSY);
	feox_release_many(f->store, values, 2);
	close_store(f);
}

static void puts_have_a_result_each(void **state)
{
	struct fixture *f = *state;
	struct feox_pair pairs[KEYS];
	struct feox_key keys[KEYS];
	struct feox_write_result results[KEYS];
	struct feox_write_options create = {.flags = FEOX_CREATE, .expiry_ns = FEOX_TIME_MAX};
	int errors[KEYS];

	fill_keys(keys);
	open_memory_store(f);
	put_all(f->store, keys, 3);
	for (int i = 0; i < KEYS; i++)
		pairs[i] = (struct feox_pair){keys[i], names[i], keys[i].size};
	pairs[7].key.size = FEOX_KEY_MAX + 1;
	assert_int_equal(feox_put_many(f->store, pairs, KEYS, &create, results, errors), 0);
	for (int i = 0; i < KEYS; i++) {
		assert_int_equal(errors[i], i == 7 ? -EINVAL : i % 2 ? 0 : -EEXIST);
		assert_int_equal(results[i].created, !errors[i]);
		assert_int_equal(results[i].expiry_ns, errors[i] ? 0 : FEOX_TIME_MAX);
		if (errors[i])
			continue;
		assert_int_equal(version_of(f->store, names[i]), results[i].version);
		expect_text(f->store, names[i], names[i]);
	}
}

static void the_later_of_two_stays(void **state)
{
	struct fixture *f = *state;
	struct feox_pair pairs[40];
	int errors[40];

	open_memory_store(f);
	for (int i = 0; i < 40; i++)
		pairs[i] =
			(struct feox_pair){{"k", 1}, i == 39 ? "last" : "other", i == 39 ? 4 : 5};
	assert_int_equal(feox_put_many(f->store, pairs, 40, NULL, NULL, errors), 0);
	expect_text(f->store, "k", "last");
}

static void misuse(void **state)
{
	struct fixture *f = *state;
	struct feox_key keys[2] = {{NULL, 3}, {"k", 1}};
	struct feox_pair pair = {{"k", 1}, NULL, 3};
	struct feox_value values[2];
	int errors[2];

	open_memory_store(f);
	put(f->store, "k", "v");
	assert_int_equal(feox_get_many(f->store, NULL, 1, 0, values, errors), -EINVAL);
	assert_int_equal(feox_get_many(f->store, keys, 2, 0, NULL, errors), -EINVAL);
	assert_int_equal(feox_get_many(f->store, keys, 2, 0, values, NULL), -EINVAL);
	assert_int_equal(feox_get_many(f->store, keys, 2, 1 << 5, values, errors), -EINVAL);
	assert_int_equal(feox_get_many(f->store, NULL, 0, 0, NULL, NULL), 0);
	assert_int_equal(feox_get_many(f->store, keys, 2, 0, values, errors), 0);
	assert_int_equal(errors[0], -EINVAL);
	assert_int_equal(errors[1], 0);
	feox_release_many(f->store, values, 2);
	assert_int_equal(feox_put_many(f->store, &pair, 1, NULL, NULL, NULL), -EINVAL);
	assert_int_equal(feox_put_many(f->store, &pair, 1, NULL, NULL, errors), 0);
	assert_int_equal(errors[0], -EINVAL);
	expect_text(f->store, "k", "v");
}

/* While others change the keys, a view is always one whole version of its own key. */
struct churn {
	struct feox_store *store;
	const struct feox_key *keys;
	_Atomic bool stop;
};

static void *churn(void *arg)
{
	struct churn *c = arg;
	char value[200];

	for (unsigned int i = 0; !atomic_load(&c->stop); i++) {
		const struct feox_key *key = &c->keys[i % KEYS];

		memset(value, 'a' + i % 26, sizeof(value));
		if (i % 7 == 0)
			feox_delete(c->store, key->data, key->size, NULL);
		else
			feox_put(c->store, key->data, key->size, value, 1 + i % 199, NULL, NULL);
	}
	return NULL;
}

static void views_are_whole(void **state)
{
	struct fixture *f = *state;
	struct feox_key keys[KEYS];
	struct feox_value values[KEYS];
	int errors[KEYS];
	struct churn c = {.keys = keys};
	pthread_t thread;

	fill_keys(keys);
	open_memory_store(f);
	c.store = f->store;
	assert_int_equal(pthread_create(&thread, NULL, churn, &c), 0);
	for (int round = 0; round < 300; round++) {
		feox_get_many(f->store, keys, KEYS, 0, values, errors);
		for (int i = 0; i < KEYS; i++) {
			const char *bytes = values[i].data;

			for (size_t at = 1; !errors[i] && at < values[i].size; at++)
				assert_int_equal(bytes[at], bytes[0]);
		}
		feox_release_many(f->store, values, KEYS);
	}
	atomic_store(&c.stop, true);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gets_are_those_of_single_calls),
		TEST(cold_values_are_read),
		TEST(pins_hold_the_store_open),
		TEST(puts_have_a_result_each),
		TEST(the_later_of_two_stays),
		TEST(misuse),
		TEST(views_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
