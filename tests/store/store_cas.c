/* SPDX-License-Identifier: Apache-2.0 */
/* feox_cas(): what it compares, its options, and that of several only one wins. */
#include "fixture.h"

#include <pthread.h>

#define THREADS 4
#define ROUNDS	5000

static int cas(struct feox_store *s, const char *key, const char *expected, const char *value)
{
	return feox_cas(s, key, strlen(key), expected, strlen(expected), value, strlen(value), NULL,
			NULL);
}

static uint64_t expiry_of(struct feox_store *s, const char *key)
{
	struct feox_stat stat;

	assert_int_equal(feox_stat(s, key, strlen(key), NULL, 0, &stat), 0);
	return stat.expiry_ns;
}

static uint64_t fake_now(void *ctx)
{
	return *(uint64_t *)ctx;
}

static void open_with_clock(struct fixture *f)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	f->now = 1000000000;
	options.now = fake_now;
	options.now_ctx = &f->now;
	options.flags = FEOX_OPEN_NO_SWEEPER;
	open_with(f, &options);
}

static void cas_compares_the_value(void **state)
{
	struct fixture *f = *state;
	char *large = calloc(1, 100000), *other = calloc(1, 100000);
	struct feox_write_result result;

	open_memory_store(f);
	assert_int_equal(cas(f->store, "k", "", "new"), -ENOENT);
	assert_false(has(f->store, "k"));
	put(f->store, "k", "old");
	assert_int_equal(cas(f->store, "k", "olx", "new"), -ECANCELED);
	assert_int_equal(cas(f->store, "k", "ol", "new"), -ECANCELED);
	assert_int_equal(cas(f->store, "k", "old!", "new"), -ECANCELED);
	assert_int_equal(cas(f->store, "k", "", "new"), -ECANCELED);
	expect_text(f->store, "k", "old");
	assert_int_equal(feox_cas(f->store, "k", 1, "old", 3, "", 0, NULL, &result), 0);
	assert_int_equal(result.version, version_of(f->store, "k"));
	assert_false(result.created);
	expect_text(f->store, "k", "");
	assert_int_equal(feox_cas(f->store, "k", 1, NULL, 0, large, 100000, NULL, NULL), 0);
	other[99999] = 1;
	assert_int_equal(feox_cas(f->store, "k", 1, other, 100000, "x", 1, NULL, NULL), -ECANCELED);
	assert_int_equal(feox_cas(f->store, "k", 1, large, 100000, "x", 1, NULL, NULL), 0);
	expect_text(f->store, "k", "x");
	assert_int_equal(feox_cas(f->store, "k", 1, NULL, 1, "x", 1, NULL, NULL), -EINVAL);
	assert_int_equal(feox_cas(f->store, "k", 1, "x", 1, NULL, 1, NULL, NULL), -EINVAL);
	free(large);
	free(other);
}

static void cas_options(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options o = {.flags = FEOX_CREATE};
	struct feox_stat stat;

	open_with_clock(f);
	o.expiry_ns = f->now + 500;
	o.metadata = "m";
	o.metadata_size = 1;
	assert_int_equal(feox_put(f->store, "k", 1, "a", 1, &o, NULL), 0);
	assert_int_equal(feox_cas(f->store, "k", 1, "a", 1, "b", 1, &o, NULL), -EINVAL);
	o.flags = FEOX_IF_VERSION;
	o.if_version = version_of(f->store, "k") + 1;
	assert_int_equal(feox_cas(f->store, "k", 1, "a", 1, "b", 1, &o, NULL), -ECANCELED);
	o.flags = FEOX_KEEP_EXPIRY | FEOX_KEEP_METADATA;
	o.expiry_ns = 0;
	o.metadata_size = 0;
	assert_int_equal(feox_cas(f->store, "k", 1, "a", 1, "b", 1, &o, NULL), 0);
	feox_stat(f->store, "k", 1, NULL, 0, &stat);
	assert_int_equal(stat.expiry_ns, f->now + 500);
	assert_int_equal(stat.metadata_size, 1);
	f->now += 500;
	assert_int_equal(cas(f->store, "k", "b", "c"), -ENOENT);
	put(f->store, "k", "b");
	assert_int_equal(cas(f->store, "k", "b", "c"), 0);
	assert_int_equal(expiry_of(f->store, "k"), 0);
}

/* After reopening the values are on disk only: they are fetched, or NOWAIT says that they are. */
static void cold_values_are_fetched(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options nowait = {.flags = FEOX_NOWAIT};
	char *large = calloc(1, 5000);

	open_file_store(f);
	put(f->store, "k", "old");
	assert_int_equal(feox_put(f->store, "l", 1, large, 5000, NULL, NULL), 0);
	reopen(f);
	assert_int_equal(feox_cas(f->store, "k", 1, "old", 3, "new", 3, &nowait, NULL), -EAGAIN);
	/* Sizes are known without the disk. */
	assert_int_equal(feox_cas(f->store, "k", 1, "longer", 6, "new", 3, &nowait, NULL),
			 -ECANCELED);
	assert_int_equal(cas(f->store, "k", "old", "new"), 0);
	assert_int_equal(feox_cas(f->store, "l", 1, large, 5000, "small", 5, NULL, NULL), 0);
	reopen(f);
	expect_text(f->store, "k", "new");
	expect_text(f->store, "l", "small");
	free(large);
}

static void a_read_only_store_refuses(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;

	open_file_store(f);
	put(f->store, "n", "1");
	close_store(f);
	options.path = f->path;
	options.flags = FEOX_OPEN_READ_ONLY;
	open_with(f, &options);
	assert_int_equal(cas(f->store, "n", "1", "2"), -EROFS);
	expect_text(f->store, "n", "1");
}

/* A compare and swap that wins once for each value: nobody else has won with the same. */
static void *swap(void *arg)
{
	struct feox_store *store = arg;

	for (int i = 0; i < ROUNDS;) {
		char text[32], next[32];
		size_t size;
		int n;

		assert_int_equal(
			feox_read(store, "n", 1, 0, text, sizeof(text) - 1, 0, &size, NULL), 0);
		text[size] = '\0';
		n = (int)strtol(text, NULL, 10);
		snprintf(next, sizeof(next), "%d", n + 1);
		i += cas(store, "n", text, next) == 0;
	}
	return NULL;
}

static void check_swaps(struct fixture *f)
{
	pthread_t threads[THREADS];

	put(f->store, "n", "0");
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, swap, f->store);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	expect_text(f->store, "n", "20000");
}

static void no_swap_is_lost_in_memory(void **state)
{
	open_memory_store(*state);
	check_swaps(*state);
}

static void no_swap_is_lost_on_disk(void **state)
{
	open_file_store(*state);
	check_swaps(*state);
}

#define LARGE	     ((size_t)200000)
#define LARGE_ROUNDS 200

static void *swap_large(void *arg)
{
	struct feox_store *store = arg;
	char *next = malloc(LARGE);
	int err;

	for (int i = 0; i < LARGE_ROUNDS; i++) {
		do {
			struct feox_value value;

			assert_int_equal(feox_get(store, "n", 1, 0, &value), 0);
			memcpy(next, value.data, LARGE);
			if (!++next[LARGE - 1])
				next[LARGE - 2]++;
			err = feox_cas(store, "n", 1, value.data, LARGE, next, LARGE, NULL, NULL);
			feox_value_release(store, &value);
		} while (err == -ECANCELED);
		assert_int_equal(err, 0);
	}
	free(next);
	return NULL;
}

/* They are compared outside of the section in which the swap happens. */
static void no_swap_of_large_values_is_lost(void **state)
{
	struct fixture *f = *state;
	char *zeros = calloc(1, LARGE);
	struct feox_write_options o = {.flags = FEOX_IF_VERSION};
	struct feox_write_result result;
	pthread_t threads[THREADS];
	struct feox_value value;

	open_file_store(f);
	assert_int_equal(feox_cas(f->store, "n", 1, zeros, LARGE, "", 0, NULL, NULL), -ENOENT);
	assert_int_equal(feox_put(f->store, "n", 1, zeros, LARGE, NULL, NULL), 0);
	assert_int_equal(feox_cas(f->store, "n", 1, zeros, LARGE - 1, "", 0, NULL, NULL),
			 -ECANCELED);
	o.if_version = version_of(f->store, "n") + 1;
	assert_int_equal(feox_cas(f->store, "n", 1, zeros, LARGE, "", 0, &o, NULL), -ECANCELED);
	o.if_version--;
	assert_int_equal(feox_cas(f->store, "n", 1, zeros, LARGE, zeros, LARGE, &o, &result), 0);
	assert_int_equal(result.version, version_of(f->store, "n"));
	assert_true(result.version > o.if_version);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, swap_large, f->store);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	reopen(f); /* from disk, too */
	assert_int_equal(feox_get(f->store, "n", 1, 0, &value), 0);
	memcpy(zeros, value.data, LARGE);
	feox_value_release(f->store, &value);
	assert_int_equal(((unsigned char)zeros[LARGE - 2] << 8) + (unsigned char)zeros[LARGE - 1],
			 THREADS * LARGE_ROUNDS);
	reopen(f);
	assert_int_equal(feox_cas(f->store, "n", 1, zeros, LARGE, "", 0, NULL, NULL), 0);
	free(zeros);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cas_compares_the_value),	       TEST(cas_options),
		TEST(cold_values_are_fetched),	       TEST(a_read_only_store_refuses),
		TEST(no_swap_is_lost_in_memory),       TEST(no_swap_is_lost_on_disk),
		TEST(no_swap_of_large_values_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
