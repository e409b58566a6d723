/* SPDX-License-Identifier: Apache-2.0 */
/* feox_add(): numbers, conditions, what it keeps, and that no increment is lost. */
#include "fixture.h"

#include <inttypes.h>
#include <pthread.h>

#define THREADS 4
#define ROUNDS	20000

static int add(struct feox_store *s, const char *key, int64_t delta, int64_t *ret_number)
{
	return feox_add(s, key, strlen(key), delta, NULL, ret_number, NULL);
}

static uint64_t expiry_of(struct feox_store *s, const char *key)
{
	struct feox_stat stat;

	assert_int_equal(feox_stat(s, key, strlen(key), NULL, 0, &stat), 0);
	return stat.expiry_ns;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static void absent_counts_as_zero(void **state)
{
	struct fixture *f = *state;
	struct feox_write_result result;
	int64_t n = 0;

	open_memory_store(f);
	assert_int_equal(feox_add(f->store, "n", 1, 5, NULL, &n, &result), 0);
	assert_int_equal(n, 5);
	assert_true(result.created);
	assert_int_equal(result.version, version_of(f->store, "n"));
	expect_text(f->store, "n", "5");
	assert_int_equal(feox_add(f->store, "n", 1, -8, NULL, &n, &result), 0);
	assert_int_equal(n, -3);
	assert_false(result.created);
	assert_int_equal(result.version, version_of(f->store, "n"));
	expect_text(f->store, "n", "-3");
	assert_int_equal(feox_add(f->store, "n", 1, 3, NULL, NULL, NULL), 0);
	expect_text(f->store, "n", "0");
	assert_int_equal(add(f->store, "zero", 0, &n), 0);
	expect_text(f->store, "zero", "0");
}

static void a_newline_is_kept(void **state)
{
	struct fixture *f = *state;
	int64_t n;

	open_memory_store(f);
	put(f->store, "n", "99\n");
	assert_int_equal(add(f->store, "n", 1, &n), 0);
	assert_int_equal(n, 100);
	expect_text(f->store, "n", "100\n");
	put(f->store, "n", "-9223372036854775807\n");
	assert_int_equal(add(f->store, "n", -1, &n), 0);
	expect_text(f->store, "n", "-9223372036854775808\n");
	assert_int_equal(add(f->store, "n", INT64_MAX, &n), 0);
	expect_text(f->store, "n", "-1\n");
}

static void overflow_changes_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t n = 17;
	uint64_t version;

	open_memory_store(f);
	put(f->store, "n", "9223372036854775807");
	version = version_of(f->store, "n");
	assert_int_equal(add(f->store, "n", 1, &n), -ERANGE);
	assert_int_equal(add(f->store, "n", INT64_MAX, &n), -ERANGE);
	expect_text(f->store, "n", "9223372036854775807");
	assert_int_equal(version_of(f->store, "n"), version);
	assert_int_equal(n, 17);
	put(f->store, "n", "-9223372036854775808");
	assert_int_equal(add(f->store, "n", -1, &n), -ERANGE);
	assert_int_equal(add(f->store, "n", INT64_MIN, &n), -ERANGE);
	assert_int_equal(add(f->store, "n", INT64_MAX, &n), 0);
	expect_text(f->store, "n", "-1");
	assert_int_equal(add(f->store, "m", INT64_MIN, &n), 0);
	expect_text(f->store, "m", "-9223372036854775808");
}

static void other_text_is_no_number(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"-",
		"-\n",
		"abc",
		"1 ",
		" 1",
		"+1",
		"1.0",
		"1e3",
		"0x10",
		"007",
		"-0",
		"--1",
		"1\n\n",
		"1\r\n",
		"\n1",
		"1-",
		"1,000",
		"9223372036854775808",
		"-9223372036854775809",
		"99999999999999999999",
		"1111111111111111111111111111111",
		"\xd9\xa1",
	};
	struct fixture *f = *state;
	int64_t n = 17;

	open_memory_store(f);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put(f->store, "n", texts[i]);
		if (add(f->store, "n", 1, &n) != -EINVAL)
			print_error("\"%s\" counts as %" PRId64 "\n", texts[i], n);
		assert_int_equal(add(f->store, "n", 1, &n), -EINVAL);
		expect_text(f->store, "n", texts[i]);
	}
	assert_int_equal(feox_put(f->store, "n", 1, "1\0", 2, NULL, NULL), 0);
	assert_int_equal(add(f->store, "n", 1, &n), -EINVAL);
	assert_int_equal(n, 17);
}

/* ---- Conditions, expiry, metadata ------------------------------------------------------------ */

static void add_conditions(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options o = {.flags = FEOX_REPLACE};

	open_memory_store(f);
	assert_int_equal(feox_add(f->store, "n", 1, 1, &o, NULL, NULL), -ENOENT);
	assert_false(has(f->store, "n"));
	o.flags = FEOX_CREATE;
	assert_int_equal(feox_add(f->store, "n", 1, 1, &o, NULL, NULL), 0);
	assert_int_equal(feox_add(f->store, "n", 1, 1, &o, NULL, NULL), -EEXIST);
	o.flags = FEOX_IF_VERSION;
	o.if_version = version_of(f->store, "n");
	assert_int_equal(feox_add(f->store, "n", 1, 1, &o, NULL, NULL), 0);
	assert_int_equal(feox_add(f->store, "n", 1, 1, &o, NULL, NULL), -ECANCELED);
	expect_text(f->store, "n", "2");
	o.flags = 1u << 30;
	assert_int_equal(feox_add(f->store, "n", 1, 1, &o, NULL, NULL), -EINVAL);
	assert_int_equal(feox_add(f->store, NULL, 1, 1, NULL, NULL, NULL), -EINVAL);
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

static void counters_keep_expiry_and_metadata(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options o = {0};
	struct feox_stat stat;
	char metadata[8];
	int64_t n;

	open_with_clock(f);
	o.expiry_ns = f->now + 500;
	o.metadata = "meta";
	o.metadata_size = 4;
	assert_int_equal(feox_add(f->store, "n", 1, 1, &o, NULL, NULL), 0);
	o.expiry_ns = f->now + 900;
	o.metadata = "other";
	o.metadata_size = 5;
	assert_int_equal(feox_add(f->store, "n", 1, 1, &o, NULL, NULL), 0);
	assert_int_equal(add(f->store, "n", 1, NULL), 0);
	assert_int_equal(feox_stat(f->store, "n", 1, metadata, sizeof(metadata), &stat), 0);
	assert_int_equal(stat.expiry_ns, f->now + 500);
	assert_int_equal(stat.metadata_size, 4);
	assert_memory_equal(metadata, "meta", 4);
	expect_text(f->store, "n", "3");

	o.flags = FEOX_SET_EXPIRY;
	assert_int_equal(feox_add(f->store, "n", 1, 1, &o, NULL, NULL), 0);
	assert_int_equal(expiry_of(f->store, "n"), f->now + 900);
	o.expiry_ns = 0;
	assert_int_equal(feox_add(f->store, "n", 1, 1, &o, NULL, NULL), 0);
	assert_int_equal(expiry_of(f->store, "n"), 0);

	/* Expired is absent: the count starts anew, with the new key's expiry. */
	assert_int_equal(feox_set_expiry(f->store, "n", 1, f->now + 10, NULL), 0);
	f->now += 10;
	o.flags = FEOX_REPLACE;
	assert_int_equal(feox_add(f->store, "n", 1, 7, &o, NULL, NULL), -ENOENT);
	o.flags = 0;
	o.expiry_ns = f->now + 30;
	assert_int_equal(feox_add(f->store, "n", 1, 7, &o, &n, NULL), 0);
	assert_int_equal(n, 7);
	assert_int_equal(expiry_of(f->store, "n"), f->now + 30);
}

/* Whoever holds a newer value than the store counts on from that one. */
static void a_base_replaces_the_value(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options o = {.flags = FEOX_BASE | FEOX_SET_METADATA,
				       .base = "41\n",
				       .base_size = 3,
				       .metadata = "meta",
				       .metadata_size = 4};
	struct feox_stat stat;
	char metadata[8];
	int64_t n;

	open_memory_store(f);
	assert_int_equal(feox_add(f->store, "n", 1, 1, &o, &n, NULL), -ENOENT);
	put(f->store, "n", "no number");
	assert_int_equal(feox_add(f->store, "n", 1, 1, &o, &n, NULL), 0);
	assert_int_equal(n, 42);
	expect_text(f->store, "n", "42\n");
	assert_int_equal(feox_stat(f->store, "n", 1, metadata, sizeof(metadata), &stat), 0);
	assert_int_equal(stat.metadata_size, 4);
	assert_memory_equal(metadata, "meta", 4);
	o.base = "x";
	o.base_size = 1;
	assert_int_equal(feox_add(f->store, "n", 1, 1, &o, &n, NULL), -EINVAL);
	o.base = NULL;
	assert_int_equal(feox_add(f->store, "n", 1, 1, &o, &n, NULL), -EINVAL);
	expect_text(f->store, "n", "42\n");
}

/* ---- On disk --------------------------------------------------------------------------------- */

/* After reopening the value is on disk only: it is fetched, or NOWAIT says that it is. */
static void cold_numbers_are_fetched(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options nowait = {.flags = FEOX_NOWAIT};
	int64_t n;

	open_file_store(f);
	put(f->store, "n", "41\n");
	reopen(f);
	assert_int_equal(feox_add(f->store, "n", 1, 1, &nowait, &n, NULL), -EAGAIN);
	assert_int_equal(add(f->store, "n", 1, &n), 0);
	assert_int_equal(n, 42);
	reopen(f);
	expect_text(f->store, "n", "42\n");
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
	assert_int_equal(add(f->store, "n", 1, NULL), -EROFS);
	expect_text(f->store, "n", "1");
}

/* ---- Threads --------------------------------------------------------------------------------- */

struct race {
	struct feox_store *store;
	int number;
	int64_t last;
};

/* Sums only grow here, so each call's must be above the one before. */
static void *increment(void *arg)
{
	struct race *race = arg;

	for (int i = 0; i < ROUNDS; i++) {
		int64_t n;

		assert_int_equal(add(race->store, "n", 1, &n), 0);
		assert_true(n > race->last);
		race->last = n;
	}
	return NULL;
}

/* The key comes and goes: every increment must be in what a delete saw or in what is left. */
static void *increment_and_take(void *arg)
{
	struct race *race = arg;

	for (int i = 0; i < ROUNDS / 4; i++) {
		struct feox_write_options o = {.flags = FEOX_IF_VERSION};
		struct feox_value value;
		char text[32];

		assert_int_equal(add(race->store, "n", 1, NULL), 0);
		if (race->number % 2 || feox_get(race->store, "n", 1, 0, &value) != 0)
			continue;
		o.if_version = value.version;
		snprintf(text, sizeof(text), "%.*s", (int)value.size, (const char *)value.data);
		if (feox_delete(race->store, "n", 1, &o) == 0)
			race->last += strtol(text, NULL, 10);
		feox_value_release(race->store, &value);
	}
	return NULL;
}

static void run_threads(struct fixture *f, void *(*body)(void *), struct race *races)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		races[i] = (struct race){.store = f->store, .number = i};
		pthread_create(&threads[i], NULL, body, &races[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void check_increments(struct fixture *f)
{
	struct race races[THREADS];
	int64_t n;

	run_threads(f, increment, races);
	assert_int_equal(add(f->store, "n", 0, &n), 0);
	assert_int_equal(n, THREADS * ROUNDS);
}

static void no_increment_is_lost_in_memory(void **state)
{
	open_memory_store(*state);
	check_increments(*state);
}

static void no_increment_is_lost_on_disk(void **state)
{
	open_file_store(*state);
	check_increments(*state);
	reopen(*state);
	expect_text(((struct fixture *)*state)->store, "n", "80000");
}

static void no_increment_is_lost_between_deletes(void **state)
{
	struct fixture *f = *state;
	struct race races[THREADS];
	int64_t sum;

	open_memory_store(f);
	run_threads(f, increment_and_take, races);
	assert_int_equal(add(f->store, "n", 0, &sum), 0);
	for (int i = 0; i < THREADS; i++)
		sum += races[i].last;
	assert_int_equal(sum, THREADS * (ROUNDS / 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(absent_counts_as_zero),
		TEST(a_newline_is_kept),
		TEST(overflow_changes_nothing),
		TEST(other_text_is_no_number),
		TEST(add_conditions),
		TEST(counters_keep_expiry_and_metadata),
		TEST(a_base_replaces_the_value),
		TEST(cold_numbers_are_fetched),
		TEST(a_read_only_store_refuses),
		TEST(no_increment_is_lost_in_memory),
		TEST(no_increment_is_lost_on_disk),
		TEST(no_increment_is_lost_between_deletes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
