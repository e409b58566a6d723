/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compaction of records that were renamed, touched and given metadata: they are found by the keys
 * that they have now, and written whole at their new places.
 */
#include "crash_fixture.h"

#include <time.h>

#define COUNT	   20000u
#define VALUE_SIZE ((size_t)200)
#define KEPT(i)	   ((i) % 8 == 3)
#define FAR	   ((uint64_t)FEOX_TIME_MAX - 1)

static size_t name(char key[48], const char *prefix, unsigned int number)
{
	return (size_t)snprintf(key, 48, "%sfile-%u", prefix, number);
}

static void fill(struct fixture *f)
{
	char key[48], value[VALUE_SIZE] = "";

	for (unsigned int i = 0; i < COUNT; i++) {
		snprintf(value, sizeof(value), "value %u", i);
		assert_int_equal(feox_put(f->store, key, name(key, "old/", i), value, VALUE_SIZE,
					  NULL, NULL),
				 0);
	}
	assert_int_equal(feox_sync(f->store), 0);
}

/* Rename all, change some, delete most. */
static void change(struct fixture *f)
{
	char key[48], other[48];

	assert_int_equal(feox_rename_prefix(f->store, "old/", 4, "new/dir/", 8, NULL, NULL, NULL),
			 0);
	for (unsigned int i = 0; i < COUNT; i++) {
		size_t n = name(key, "new/dir/", i);

		if (!KEPT(i))
			assert_int_equal(feox_delete(f->store, key, n, NULL), 0);
		else if (i % 3 == 0)
			assert_int_equal(feox_set_expiry(f->store, key, n, FAR - i, NULL), 0);
		else if (i % 3 == 1)
			assert_int_equal(feox_set_metadata(f->store, key, n, &i, sizeof(i), NULL),
					 0);
		else
			assert_int_equal(feox_rename(f->store, key, n, other,
						     name(other, "single/", i), NULL),
					 0);
	}
	assert_int_equal(feox_sync(f->store), 0);
}

static void check(struct fixture *f)
{
	for (unsigned int i = 0; i < COUNT; i++) {
		char key[48], expected[32], value[VALUE_SIZE];
		size_t n = name(key, i % 3 == 2 ? "single/" : "new/dir/", i), size;
		size_t text = (size_t)snprintf(expected, sizeof(expected), "value %u", i);
		struct feox_stat stat;
		unsigned int metadata = 0;

		if (!KEPT(i))
			continue;
		assert_int_equal(feox_stat(f->store, key, n, &metadata, sizeof(metadata), &stat),
				 0);
		assert_int_equal(stat.expiry_ns, i % 3 ? 0 : FAR - i);
		assert_int_equal(stat.metadata_size, i % 3 == 1 ? sizeof(metadata) : 0);
		assert_int_equal(metadata, i % 3 == 1 ? i : 0);
		assert_int_equal(
			feox_read(f->store, key, n, 0, value, sizeof(value), 0, &size, NULL), 0);
		assert_int_equal(size, VALUE_SIZE);
		assert_memory_equal(value, expected, text);
	}
	assert_int_equal(stats_of(f).keys, COUNT / 8);
}

static void amended_records_are_compacted(void **state)
{
	struct fixture *f = *state;
	struct timespec pause = {.tv_nsec = 10000000};
	struct feox_stats stats = {0};

	open_file_store(f);
	fill(f);
	change(f);
	/* It works in the background, with the syncs. */
	for (unsigned int i = 0; i < 3000 && (stats.compacted_bytes < COUNT / 8 * VALUE_SIZE ||
					      stats.allocated_bytes >= 2 * stats.live_bytes);
	     i++) {
		put(f->store, "single/pace", "more");
		assert_int_equal(feox_sync(f->store), 0);
		stats = stats_of(f);
		nanosleep(&pause, NULL);
	}
	assert_true(stats.compacted_bytes >= COUNT / 8 * VALUE_SIZE);
	assert_true(stats.allocated_bytes < 2 * stats.live_bytes);
	assert_int_equal(del(f->store, "single/pace"), 0);
	assert_int_equal(feox_sync(f->store), 0);
	check(f);
	crash(f);
	check(f);
	reopen(f);
	check(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(amended_records_are_compacted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
