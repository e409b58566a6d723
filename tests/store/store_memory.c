/* SPDX-License-Identifier: Apache-2.0 */
/* The memory limit: what counts, what may pass it. */
#include "fixture.h"

#define MIB	   ((size_t)1 << 20)
#define LIMIT	   (8 * MIB)
#define KEYS	   384u
#define VALUE_SIZE ((size_t)64 * 1024) /* in all three times the limit */

static void fill(char *value, unsigned int number)
{
	for (size_t i = 0; i < VALUE_SIZE; i++)
		value[i] = (char)(number + i * (number + 1));
}

static size_t name(char key[16], unsigned int number)
{
	return (size_t)snprintf(key, 16, "key%u", number);
}

/* A store of KEYS values that are on disk only, opened with LIMIT. */
static void open_cold(struct fixture *f)
{
	static char value[VALUE_SIZE];
	struct feox_options options = FEOX_OPTIONS_INIT;
	char key[16];

	open_file_store(f);
	for (unsigned int i = 0; i < KEYS; i++) {
		size_t n = name(key, i);

		fill(value, i);
		assert_int_equal(feox_put(f->store, key, n, value, VALUE_SIZE, NULL, NULL), 0);
	}
	close_store(f);
	options.path = f->path;
	options.memory_limit_bytes = LIMIT;
	open_with(f, &options);
}

static uint64_t used(struct fixture *f)
{
	struct feox_stats stats;

	assert_int_equal(feox_stats(f->store, &stats), 0);
	return stats.memory_bytes;
}

static void expect_room(struct fixture *f)
{
	char *value = calloc(1, MIB);

	assert_true(used(f) <= LIMIT);
	assert_int_equal(put(f->store, "new", "value"), 0);
	assert_int_equal(feox_put(f->store, "large", 5, value, MIB, NULL, NULL), 0);
	free(value);
}

/* Reading filled the memory: every later create was -ENOMEM until the store was opened again. */
static void gets_leave_room_for_writers(void **state)
{
	struct fixture *f = *state;
	static char expected[VALUE_SIZE];
	struct feox_value value;
	char key[16];

	open_cold(f);
	for (unsigned int round = 0; round < 2; round++)
		for (unsigned int i = 0; i < KEYS; i++) {
			fill(expected, i);
			assert_int_equal(feox_get(f->store, key, name(key, i), 0, &value), 0);
			assert_int_equal(value.size, VALUE_SIZE);
			assert_memory_equal(value.data, expected, VALUE_SIZE);
			feox_value_release(f->store, &value);
		}
	assert_true(used(f) >= LIMIT / 4); /* something is kept all the same */
	expect_room(f);
}

static void partial_reads_leave_room_for_writers(void **state)
{
	struct fixture *f = *state;
	static char expected[VALUE_SIZE], found[VALUE_SIZE];
	char key[16];
	size_t n;

	open_cold(f);
	for (unsigned int i = 0; i < KEYS; i++) {
		fill(expected, i);
		assert_int_equal(feox_read(f->store, key, name(key, i), 100, found,
					   VALUE_SIZE - 101, 0, &n, NULL),
				 0);
		assert_int_equal(n, VALUE_SIZE - 101);
		assert_memory_equal(found, expected + 100, n);
	}
	expect_room(f);
}

/* What is not kept is there as long as its pin, whatever happens to the key. */
static void pins_hold_what_is_not_kept(void **state)
{
	struct fixture *f = *state;
	static struct feox_value values[KEYS];
	static char expected[VALUE_SIZE];
	char key[16];

	open_cold(f);
	for (unsigned int i = 0; i < KEYS; i++)
		assert_int_equal(feox_get(f->store, key, name(key, i), 0, &values[i]), 0);
	for (unsigned int i = 0; i < KEYS; i++)
		assert_int_equal(feox_delete(f->store, key, name(key, i), NULL), 0);
	assert_int_equal(feox_sync(f->store), 0);
	for (unsigned int i = 0; i < KEYS; i++) {
		fill(expected, i);
		assert_memory_equal(values[i].data, expected, VALUE_SIZE);
		feox_value_release(f->store, &values[i]);
	}
	expect_room(f);
}

/* A change that has to have a value in memory makes room for it, within the limit. */
static void rewriting_stays_within_the_limit(void **state)
{
	struct fixture *f = *state;
	char key[16];

	open_cold(f);
	for (unsigned int i = 0; i < KEYS; i++) {
		assert_int_equal(feox_set_metadata(f->store, key, name(key, i), "m", 1, NULL), 0);
		assert_true(used(f) <= LIMIT + VALUE_SIZE);
	}
	assert_int_equal(del(f->store, "key0"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gets_leave_room_for_writers),
		TEST(partial_reads_leave_room_for_writers),
		TEST(pins_hold_what_is_not_kept),
		TEST(rewriting_stays_within_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
