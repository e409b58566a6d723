/* SPDX-License-Identifier: Apache-2.0 */
/* Single keys: put, get, read, stat, delete, conditions, metadata, versions, limits. */
#include "fixture.h"

#include <pthread.h>

static void put_then_get(void **state)
{
	struct fixture *f = *state;

	open_memory_store(f);
	expect_text(f->store, "k", NULL);
	assert_int_equal(put(f->store, "k", "one"), 0);
	expect_text(f->store, "k", "one");
	assert_int_equal(put(f->store, "k", "two"), 0);
	expect_text(f->store, "k", "two");
	assert_int_equal(put(f->store, "empty", ""), 0);
	expect_text(f->store, "empty", "");
	assert_int_equal(put(f->store, "", "value of the empty key"), 0);
	expect_text(f->store, "", "value of the empty key");
}

static void delete_is_seen_at_once(void **state)
{
	struct fixture *f = *state;

	open_memory_store(f);
	assert_int_equal(del(f->store, "k"), -ENOENT);
	put(f->store, "k", "v");
	assert_int_equal(del(f->store, "k"), 0);
	expect_text(f->store, "k", NULL);
	assert_int_equal(del(f->store, "k"), -ENOENT);
	put(f->store, "k", "again");
	expect_text(f->store, "k", "again");
}

static void conditions(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options o = {.flags = FEOX_CREATE};
	struct feox_write_result r;

	open_memory_store(f);
	assert_int_equal(feox_put(f->store, "k", 1, "a", 1, &o, &r), 0);
	assert_true(r.created);
	assert_int_equal(feox_put(f->store, "k", 1, "b", 1, &o, NULL), -EEXIST);
	o.flags = FEOX_REPLACE;
	assert_int_equal(feox_put(f->store, "absent", 6, "b", 1, &o, NULL), -ENOENT);
	o.flags = FEOX_IF_VERSION;
	o.if_version = r.version + 1;
	assert_int_equal(feox_put(f->store, "k", 1, "b", 1, &o, NULL), -ECANCELED);
	assert_int_equal(feox_delete(f->store, "k", 1, &o), -ECANCELED);
	expect_text(f->store, "k", "a");
	o.if_version = r.version;
	assert_int_equal(feox_put(f->store, "k", 1, "b", 1, &o, &r), 0);
	assert_false(r.created);
	expect_text(f->store, "k", "b");
	o.if_version = r.version;
	assert_int_equal(feox_delete(f->store, "k", 1, &o), 0);
	assert_false(has(f->store, "k"));
}

static void versions_grow_and_never_repeat(void **state)
{
	struct fixture *f = *state;
	uint64_t last = 0;

	open_memory_store(f);
	for (int i = 0; i < 1000; i++) {
		put(f->store, "k", "v");
		assert_true(version_of(f->store, "k") > last);
		last = version_of(f->store, "k");
		if (i % 3 == 0)
			del(f->store, "k");
	}
}

static void metadata_and_expiry_keep_the_version(void **state)
{
	struct fixture *f = *state;
	struct feox_stat stat;
	uint64_t version;
	char metadata[8];

	open_memory_store(f);
	put(f->store, "k", "value");
	version = version_of(f->store, "k");
	assert_int_equal(feox_set_metadata(f->store, "k", 1, "meta", 4, NULL), 0);
	assert_int_equal(
		feox_set_expiry(f->store, "k", 1, feox_now(f->store) + 1000000000000, NULL), 0);
	assert_int_equal(feox_stat(f->store, "k", 1, metadata, sizeof(metadata), &stat), 0);
	assert_int_equal(stat.version, version);
	assert_int_equal(stat.metadata_size, 4);
	assert_memory_equal(metadata, "meta", 4);
	assert_int_not_equal(stat.expiry_ns, 0);
	expect_text(f->store, "k", "value");
	assert_int_equal(feox_set_metadata(f->store, "no", 2, "meta", 4, NULL), -ENOENT);
	assert_int_equal(feox_set_expiry(f->store, "no", 2, 1, NULL), -ENOENT);

	struct feox_write_options o = {.flags = FEOX_KEEP_METADATA | FEOX_KEEP_EXPIRY};

	assert_int_equal(feox_put(f->store, "k", 1, "new", 3, &o, NULL), 0);
	feox_stat(f->store, "k", 1, metadata, sizeof(metadata), &stat);
	assert_int_equal(stat.metadata_size, 4);
	assert_int_not_equal(stat.expiry_ns, 0);
	put(f->store, "k", "plain");
	feox_stat(f->store, "k", 1, NULL, 0, &stat);
	assert_int_equal(stat.metadata_size, 0);
	assert_int_equal(stat.expiry_ns, 0);
}

static void pinned_values_do_not_change(void **state)
{
	struct fixture *f = *state;
	struct feox_value small, large;
	char *big = malloc(100000);

	open_memory_store(f);
	memset(big, 'x', 100000);
	put(f->store, "small", "before");
	assert_int_equal(feox_put(f->store, "large", 5, big, 100000, NULL, NULL), 0);
	assert_int_equal(feox_get(f->store, "small", 5, 0, &small), 0);
	assert_int_equal(feox_get(f->store, "large", 5, 0, &large), 0);
	put(f->store, "small", "after!");
	del(f->store, "large");
	for (int i = 0; i < 10000; i++)
		put(f->store, "small", "churn");
	assert_memory_equal(small.data, "before", 6);
	assert_memory_equal(large.data, big, 100000);
	assert_int_equal(feox_close(f->store), -EBUSY);
	feox_value_release(f->store, &small);
	feox_value_release(f->store, &large);
	feox_value_release(f->store, &large);
	free(big);
}

static void read_gives_slices(void **state)
{
	struct fixture *f = *state;
	char buffer[8];
	uint64_t version;
	size_t n;

	open_memory_store(f);
	put(f->store, "k", "0123456789");
	assert_int_equal(feox_read(f->store, "k", 1, 3, buffer, 4, 0, &n, &version), 0);
	assert_int_equal(n, 4);
	assert_memory_equal(buffer, "3456", 4);
	assert_int_equal(version, version_of(f->store, "k"));
	assert_int_equal(feox_read(f->store, "k", 1, 8, buffer, 8, 0, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_int_equal(feox_read(f->store, "k", 1, UINT64_MAX, buffer, 8, 0, &n, NULL), 0);
	assert_int_equal(n, 0);
	assert_int_equal(feox_read(f->store, "x", 1, 0, buffer, 8, 0, &n, NULL), -ENOENT);
}

static void misuse_is_refused(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_write_options o = {.flags = 1u << 30};
	struct feox_value value;
	char *key = calloc(1, FEOX_KEY_MAX + 1);

	options.max_value_bytes = 1000;
	open_with(f, &options);
	assert_int_equal(feox_put(f->store, NULL, 1, "", 0, NULL, NULL), -EINVAL);
	assert_int_equal(feox_put(f->store, "k", 1, NULL, 1, NULL, NULL), -EINVAL);
	assert_int_equal(feox_put(f->store, "k", 1, "", 0, &o, NULL), -EINVAL);
	assert_int_equal(feox_put(f->store, key, FEOX_KEY_MAX + 1, "", 0, NULL, NULL), -EINVAL);
	assert_int_equal(feox_put(f->store, key, FEOX_KEY_MAX, "", 0, NULL, NULL), 0);
	assert_int_equal(feox_put(f->store, "k", 1, key, 1001, NULL, NULL), -EFBIG);
	assert_int_equal(feox_put(f->store, "k", 1, key, 1000, NULL, NULL), 0);
	assert_int_equal(feox_reserve(f->store, 1001, 0), -EFBIG);
	assert_int_equal(feox_get(f->store, "k", 1, 1u << 9, &value), -EINVAL);
	free(key);
}

static void memory_limit_is_enforced(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	char *value = calloc(1, 1 << 20);
	char key[16];
	int err = 0, i;

	options.memory_limit_bytes = 32 << 20;
	open_with(f, &options);
	for (i = 0; i < 64 && !err; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		err = feox_put(f->store, key, strlen(key), value, 1 << 20, NULL, NULL);
	}
	assert_int_equal(err, -ENOMEM);
	assert_true(i > 16);
	assert_true(has(f->store, "k0"));
	assert_int_equal(feox_reserve(f->store, 32 << 20, 0), -ENOMEM);
	free(value);
}

#define THREADS 4
#define ROUNDS	20000

struct race {
	struct feox_store *store;
	int won;
};

/* Every increment by compare-and-swap must count exactly once. */
static void *increment(void *arg)
{
	struct race *race = arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct feox_write_options o = {.flags = FEOX_IF_VERSION};
		struct feox_value value;
		uint64_t n;
		int err;

		do {
			assert_int_equal(feox_get(race->store, "counter", 7, 0, &value), 0);
			memcpy(&n, value.data, sizeof(n));
			o.if_version = value.version;
			feox_value_release(race->store, &value);
			n++;
			err = feox_put(race->store, "counter", 7, &n, sizeof(n), &o, NULL);
		} while (err == -ECANCELED);
		assert_int_equal(err, 0);
	}
	return NULL;
}

static void run_threads(void *(*body)(void *), struct race *races, struct feox_store *store)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		races[i] = (struct race){.store = store};
		pthread_create(&threads[i], NULL, body, &races[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void check_cas(struct fixture *f)
{
	struct race races[THREADS];
	struct feox_value value;
	uint64_t n = 0;

	feox_put(f->store, "counter", 7, &n, sizeof(n), NULL, NULL);
	run_threads(increment, races, f->store);
	assert_int_equal(feox_get(f->store, "counter", 7, 0, &value), 0);
	memcpy(&n, value.data, sizeof(n));
	feox_value_release(f->store, &value);
	assert_int_equal(n, THREADS * ROUNDS);
}

static void cas_counts_exactly_in_memory(void **state)
{
	open_memory_store(*state);
	check_cas(*state);
}

static void cas_counts_exactly_on_disk(void **state)
{
	open_file_store(*state);
	check_cas(*state);
}

/* create and delete of the same keys by everybody: each create and each delete has one winner. */
static void *create_delete(void *arg)
{
	struct race *race = arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct feox_write_options o = {.flags = FEOX_CREATE};
		char key[16];

		snprintf(key, sizeof(key), "%d", i % 7);
		if (!feox_put(race->store, key, strlen(key), key, strlen(key), &o, NULL))
			race->won++;
		if (!del(race->store, key))
			race->won--;
	}
	return NULL;
}

static void check_create_delete(struct fixture *f)
{
	struct race races[THREADS];
	struct feox_stats stats;
	int balance = 0, present = 0;

	run_threads(create_delete, races, f->store);
	for (int i = 0; i < THREADS; i++)
		balance += races[i].won;
	for (int i = 0; i < 7; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%d", i);
		present += has(f->store, key);
	}
	assert_int_equal(balance, present);
	feox_stats(f->store, &stats);
	assert_int_equal(stats.keys, present);
}

static void create_and_delete_have_one_winner_in_memory(void **state)
{
	open_memory_store(*state);
	check_create_delete(*state);
}

static void create_and_delete_have_one_winner_on_disk(void **state)
{
	open_file_store(*state);
	check_create_delete(*state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(put_then_get),
		TEST(delete_is_seen_at_once),
		TEST(conditions),
		TEST(versions_grow_and_never_repeat),
		TEST(metadata_and_expiry_keep_the_version),
		TEST(pinned_values_do_not_change),
		TEST(read_gives_slices),
		TEST(misuse_is_refused),
		TEST(memory_limit_is_enforced),
		TEST(cas_counts_exactly_in_memory),
		TEST(cas_counts_exactly_on_disk),
		TEST(create_and_delete_have_one_winner_in_memory),
		TEST(create_and_delete_have_one_winner_on_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
