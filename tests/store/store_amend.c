/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes that leave the value alone move no value: bytes written and read are counted, values stay
 * where they are, and whatever was amended is found again, also after an end without a close.
 */
#include "crash_fixture.h"

#define MIB	 ((size_t)1 << 20)
#define LARGE	 (64 * MIB)
#define FAR	 ((uint64_t)FEOX_TIME_MAX - 1)
#define SMALL_IO ((uint64_t)16 * 1024)

/* A byte that differs with its place and the value's number. */
static uint8_t byte_at(size_t i, unsigned int number)
{
	return (uint8_t)(i * 31 + i / 4096 + number);
}

static void put_large(struct fixture *f, const char *key, unsigned int number)
{
	uint8_t *value = malloc(LARGE);

	for (size_t i = 0; i < LARGE; i++)
		value[i] = byte_at(i, number);
	assert_int_equal(feox_put(f->store, key, strlen(key), value, LARGE, NULL, NULL), 0);
	assert_int_equal(feox_sync(f->store), 0);
	free(value);
}

static void expect_large(struct fixture *f, const char *key, unsigned int number)
{
	uint8_t slice[4096];
	size_t n;

	for (size_t at = 0; at < LARGE; at += LARGE / 16 + 12345) {
		assert_int_equal(feox_read(f->store, key, strlen(key), at, slice, sizeof(slice), 0,
					   &n, NULL),
				 0);
		assert_int_equal(n, sizeof(slice));
		for (size_t i = 0; i < n; i++)
			assert_int_equal(slice[i], byte_at(at + i, number));
	}
}

static void expect_stat(struct fixture *f, const char *key, uint64_t size, uint64_t expiry_ns,
			const char *metadata)
{
	struct feox_stat stat;
	char found[64] = "";

	assert_int_equal(feox_stat(f->store, key, strlen(key), found, sizeof(found), &stat), 0);
	assert_int_equal(stat.size, size);
	assert_int_equal(stat.expiry_ns, expiry_ns);
	assert_int_equal(stat.metadata_size, strlen(metadata));
	assert_string_equal(found, metadata);
}

static int touch(struct fixture *f, const char *key, uint64_t expiry_ns)
{
	return feox_set_expiry(f->store, key, strlen(key), expiry_ns, NULL);
}

static int chmod_key(struct fixture *f, const char *key, const char *metadata)
{
	return feox_set_metadata(f->store, key, strlen(key), metadata, strlen(metadata), NULL);
}

static int rename_key(struct fixture *f, const char *from, const char *to)
{
	return feox_rename(f->store, from, strlen(from), to, strlen(to), NULL);
}

/* ---- Bytes -------------------------------------------------------------------------------------
 */

/* Every kind of change of a large value, each synced; no value is written, read or copied. */
static void change_large(struct fixture *f, uint64_t expiry_ns, const char *metadata)
{
	struct feox_stats before = stats_of(f), after;

	assert_int_equal(touch(f, "large", expiry_ns), 0);
	assert_int_equal(feox_sync(f->store), 0);
	after = stats_of(f);
	assert_in_range(after.written_bytes - before.written_bytes, 1, SMALL_IO);
	before = after;
	assert_int_equal(chmod_key(f, "large", metadata), 0);
	assert_int_equal(feox_sync(f->store), 0);
	after = stats_of(f);
	assert_in_range(after.written_bytes - before.written_bytes, 1, SMALL_IO);
	before = after;
	assert_int_equal(rename_key(f, "large", "other"), 0);
	assert_int_equal(feox_sync(f->store), 0);
	assert_int_equal(rename_key(f, "other", "large"), 0);
	assert_int_equal(feox_sync(f->store), 0);
	after = stats_of(f);
	assert_in_range(after.written_bytes - before.written_bytes, 1, 2 * SMALL_IO);
	assert_int_equal(after.read_bytes, before.read_bytes);
}

/* touch of a 64 MiB value wrote 64 MiB, and read them first when they were not in memory. */
static void attributes_of_a_large_value_are_small(void **state)
{
	struct fixture *f = *state;
	uint64_t memory;

	open_file_store(f);
	put_large(f, "large", 1);
	memory = stats_of(f).memory_bytes;
	change_large(f, FAR, "m1");
	assert_true(stats_of(f).memory_bytes < memory + MIB); /* one copy for all versions */
	expect_large(f, "large", 1);
	reopen(f);
	expect_stat(f, "large", LARGE, FAR, "m1");
	change_large(f, 0, "m2"); /* now it is cold, and stays so */
	assert_true(stats_of(f).memory_bytes < MIB);
	expect_stat(f, "large", LARGE, 0, "m2");
	expect_large(f, "large", 1);
	crash(f);
	expect_stat(f, "large", LARGE, 0, "m2");
	expect_large(f, "large", 1);
}

/* The old value is gone when the new one is there, whatever happened to it in between. */
static void overwriting_an_amended_record_frees_it(void **state)
{
	struct fixture *f = *state;
	uint64_t free_bytes;

	open_file_store(f);
	put(f->store, "small", "1");
	assert_int_equal(feox_sync(f->store), 0);
	free_bytes = stats_of(f).free_bytes;
	put_large(f, "large", 1);
	assert_int_equal(touch(f, "large", FAR), 0);
	assert_int_equal(feox_sync(f->store), 0);
	assert_int_equal(rename_key(f, "large", "moved"), 0);
	assert_int_equal(feox_sync(f->store), 0);
	assert_int_equal(stats_of(f).extents, 2);
	put(f->store, "moved", "small now");
	put(f->store, "large", "another");
	assert_int_equal(feox_sync(f->store), 0);
	assert_int_equal(stats_of(f).extents, 2);
	assert_int_equal(del(f->store, "large"), 0);
	assert_int_equal(del(f->store, "moved"), 0);
	assert_int_equal(feox_sync(f->store), 0);
	assert_int_equal(stats_of(f).extents, 1);
	crash(f);
	assert_int_equal(stats_of(f).keys, 1);
	assert_int_equal(feox_sync(f->store), 0);
	assert_true(stats_of(f).free_bytes + MIB > free_bytes);
}

/* ---- Every kind, found again --------------------------------------------------------------------
 */

/* Cold reads go where the value is while the change itself is not on disk. */
static void cold_values_are_read_while_changes_are_pending(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;

	open_file_store(f);
	put(f->store, "a", "value of a");
	close_store(f);
	options.path = f->path;
	options.flush_interval_ns = UINT64_C(3600) * 1000000000;
	open_with(f, &options);
	assert_int_equal(touch(f, "a", FAR), 0);
	assert_int_equal(chmod_key(f, "a", "meta"), 0);
	assert_int_equal(rename_key(f, "a", "b"), 0);
	assert_int_equal(rename_key(f, "b", "c"), 0);
	expect_text(f->store, "c", "value of a");
	assert_int_equal(touch(f, "c", 0), 0);
	assert_int_equal(feox_sync(f->store), 0);
	expect_text(f->store, "c", "value of a");
	expect_stat(f, "c", 10, 0, "meta");
	crash(f);
	expect_text(f->store, "c", "value of a");
	expect_stat(f, "c", 10, 0, "meta");
	expect_text(f->store, "a", NULL);
}

static void exchanged_keys_keep_their_places(void **state)
{
	struct fixture *f = *state;
	struct feox_rename_options exchange = {.flags = FEOX_RENAME_EXCHANGE};
	uint64_t extents;

	open_file_store(f);
	put(f->store, "a", "of a");
	put(f->store, "b", "of b");
	assert_int_equal(feox_sync(f->store), 0);
	extents = stats_of(f).extents;
	assert_int_equal(feox_rename(f->store, "a", 1, "b", 1, &exchange), 0);
	assert_int_equal(feox_sync(f->store), 0);
	assert_int_equal(stats_of(f).extents, extents);
	crash(f);
	expect_text(f->store, "a", "of b");
	expect_text(f->store, "b", "of a");
	assert_int_equal(del(f->store, "a"), 0);
	crash(f);
	reopen(f);
	expect_text(f->store, "b", "of a");
}

/* A version is not given out again, and not taken back, by any amendment or recovery. */
static void versions_go_up(void **state)
{
	struct fixture *f = *state;
	uint64_t a, moved, prefixed;

	open_file_store(f);
	put(f->store, "d/a", "1");
	a = version_of(f->store, "d/a");
	assert_int_equal(feox_sync(f->store), 0);
	assert_int_equal(touch(f, "d/a", FAR), 0);
	assert_int_equal(version_of(f->store, "d/a"), a);
	assert_int_equal(rename_key(f, "d/a", "d/b"), 0);
	moved = version_of(f->store, "d/b");
	assert_true(moved > a);
	put(f->store, "e/b", "in the way");
	assert_int_equal(feox_sync(f->store), 0);
	assert_int_equal(feox_rename_prefix(f->store, "d/", 2, "e/", 2, NULL, NULL, NULL), 0);
	prefixed = version_of(f->store, "e/b");
	assert_true(prefixed > moved);
	assert_int_equal(feox_sync(f->store), 0);
	crash(f);
	assert_int_equal(version_of(f->store, "e/b"), prefixed);
	put(f->store, "e/b", "2");
	assert_true(version_of(f->store, "e/b") > prefixed);
	put(f->store, "d/b", "3");
	assert_true(version_of(f->store, "d/b") > moved);
}

/* Many, of all fields: a checkpoint (at every open) has them, one after another of them too. */
static void checkpoints_have_all_amendments(void **state)
{
	struct fixture *f = *state;
	static char metadata[FEOX_METADATA_MAX];
	char key[32], value[32];

	open_file_store(f);
	for (unsigned int i = 0; i < 3000; i++) {
		snprintf(key, sizeof(key), "key%u", i);
		put(f->store, key, key);
	}
	assert_int_equal(feox_sync(f->store), 0);
	memset(metadata, 'x', sizeof(metadata));
	for (unsigned int i = 0; i < 3000; i++) {
		snprintf(key, sizeof(key), "key%u", i);
		snprintf(value, sizeof(value), "new%u", i);
		if (i % 100 == 0)
			assert_int_equal(feox_set_metadata(f->store, key, strlen(key), metadata,
							   FEOX_METADATA_MAX - i, NULL),
					 0);
		else if (i % 3 == 0)
			assert_int_equal(touch(f, key, FAR - i), 0);
		else if (i % 3 == 1)
			assert_int_equal(rename_key(f, key, value), 0);
	}
	for (unsigned int round = 0; round < 3; round++) {
		round == 1 ? crash(f) : reopen(f);
		assert_int_equal(stats_of(f).keys, 3000);
		for (unsigned int i = 0; i < 3000; i++) {
			struct feox_stat stat;
			bool renamed = i % 100 && i % 3 == 1;

			snprintf(value, sizeof(value), "key%u", i);
			snprintf(key, sizeof(key), "%s%u", renamed ? "new" : "key", i);
			expect_text(f->store, key, value);
			assert_int_equal(feox_stat(f->store, key, strlen(key), NULL, 0, &stat), 0);
			assert_int_equal(stat.metadata_size, i % 100 ? 0 : FEOX_METADATA_MAX - i);
			assert_int_equal(stat.expiry_ns, i % 100 && i % 3 == 0 ? FAR - i : 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(attributes_of_a_large_value_are_small),
		TEST(overwriting_an_amended_record_frees_it),
		TEST(cold_values_are_read_while_changes_are_pending),
		TEST(exchanged_keys_keep_their_places),
		TEST(versions_go_up),
		TEST(checkpoints_have_all_amendments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
