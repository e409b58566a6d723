/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Renaming a directory moves no value, on disk or in memory, gives all keys one version, and is
 * found again, prefix upon prefix.
 */
#include "crash_fixture.h"

#define MIB ((size_t)1 << 20)

static size_t numbered(char key[64], const char *prefix, unsigned int number)
{
	return (size_t)snprintf(key, 64, "%sfile-%u", prefix, number);
}

/* count keys below prefix, with values of size bytes that tell their number. */
static void fill(struct fixture *f, const char *prefix, unsigned int count, size_t size)
{
	char key[64], value[1024] = "";

	for (unsigned int i = 0; i < count; i++) {
		snprintf(value, sizeof(value), "value %u", i);
		assert_int_equal(
			feox_put(f->store, key, numbered(key, prefix, i), value, size, NULL, NULL),
			0);
	}
	assert_int_equal(feox_sync(f->store), 0);
}

static void expect_filled(struct fixture *f, const char *prefix, unsigned int count, size_t size)
{
	char key[64], expected[32], value[1024];
	size_t n;

	for (unsigned int i = 0; i < count; i++) {
		size_t expected_size = (size_t)snprintf(expected, sizeof(expected), "value %u", i);

		assert_int_equal(feox_read(f->store, key, numbered(key, prefix, i), 0, value,
					   sizeof(value), 0, &n, NULL),
				 0);
		assert_int_equal(n, size);
		assert_memory_equal(value, expected, expected_size);
	}
}

static void move(struct fixture *f, const char *from, const char *to)
{
	assert_int_equal(
		feox_rename_prefix(f->store, from, strlen(from), to, strlen(to), NULL, NULL, NULL),
		0);
}

/* Renaming a directory wrote all its values again, and needed room for both copies. */
static void renaming_a_directory_writes_no_values(void **state)
{
	const unsigned int count = 100000;
	struct fixture *f = *state;
	struct feox_stats before, after;

	open_file_store(f);
	fill(f, "old/", count, 200);
	before = stats_of(f);
	move(f, "old/", "new-name/");
	assert_int_equal(feox_sync(f->store), 0);
	after = stats_of(f);
	assert_in_range(after.written_bytes - before.written_bytes, 1, MIB);
	assert_int_equal(after.read_bytes, before.read_bytes);
	assert_int_equal(after.device_bytes, before.device_bytes);
	crash(f);
	before = stats_of(f);
	assert_true(before.written_bytes < MIB); /* the checkpoint of this open */
	assert_int_equal(before.keys, count);
	expect_filled(f, "new-name/", count, 200);
	move(f, "new-name/", "third/"); /* of values that are on disk only */
	assert_int_equal(feox_sync(f->store), 0);
	after = stats_of(f);
	assert_in_range(after.written_bytes - before.written_bytes, 1, MIB);
	reopen(f);
	assert_int_equal(stats_of(f).keys, count);
	expect_filled(f, "third/", count, 200);
}

/* Not even for a moment, where memory is short. */
static void renaming_a_directory_needs_no_memory_for_values(void **state)
{
	const unsigned int count = 10000;
	const uint64_t limit = 16 * MIB;
	uint64_t before;
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct fixture *f = *state;

	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE;
	options.memory_limit_bytes = limit;
	options.flush_interval_ns = UINT64_C(3600) * 1000000000;
	open_with(f, &options);
	fill(f, "old/", count, 1000);
	before = stats_of(f).memory_bytes;
	assert_true(before > limit / 2); /* twice that would be too much */
	move(f, "old/", "new/");
	assert_true(stats_of(f).memory_bytes < before + (uint64_t)count * 750);
	expect_filled(f, "new/", count, 1000);
	assert_int_equal(feox_sync(f->store), 0);
	expect_filled(f, "new/", count, 1000);
	crash(f);
	expect_filled(f, "new/", count, 1000);
}

/* Prefixes on prefixes: longer, shorter, inside of what an earlier one has put there. */
static void renamed_directories_are_renamed_again(void **state)
{
	static const char *const names[] = {"d/sub/",	"dd/sub/", "x/y/z/sub/", "x/w/z/sub/",
					    "q/z/sub/", "r/sub/",  "s/",	 "s/t/"};
	static const char *const moves[][2] = {{"d/", "dd/"},	{"dd/", "x/y/z/"}, {"x/y/", "x/w/"},
					       {"x/w/", "q/"},	{"q/z/", "r/"},	   {"r/sub/", "s/"},
					       {"s/f", "s/t/f"}};
	struct fixture *f = *state;

	for (unsigned int mode = 0; mode < 3; mode++) {
		open_file_store(f);
		fill(f, "d/sub/", 500, 30);
		for (unsigned int i = 0; i < 7; i++) {
			move(f, moves[i][0], moves[i][1]);
			if (mode)
				assert_int_equal(feox_sync(f->store), 0);
			if (mode == 2)
				i % 2 ? reopen(f) : crash(f);
			expect_filled(f, names[i + 1], 500, 30);
		}
		reopen(f);
		assert_int_equal(stats_of(f).keys, 500);
		expect_filled(f, "s/t/", 500, 30);
		close_store(f);
		unlink(f->path);
	}
}

/* One version for all, newer than each that was there before, also of keys that are gone. */
static void all_keys_of_a_renamed_directory_have_one_version(void **state)
{
	struct fixture *f = *state;
	uint64_t newest = 0, version;
	char key[64];

	open_file_store(f);
	fill(f, "d/", 100, 10);
	fill(f, "e/", 200, 10);
	for (unsigned int i = 0; i < 200; i++) {
		numbered(key, "e/", i);
		version = version_of(f->store, key);
		newest = version > newest ? version : newest;
		assert_int_equal(del(f->store, key), 0);
	}
	assert_int_equal(feox_sync(f->store), 0);
	move(f, "d/", "e/");
	version = version_of(f->store, "e/file-0");
	assert_true(version > newest);
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < 100; i++) {
			numbered(key, "e/", i);
			assert_int_equal(version_of(f->store, key), version);
		}
		assert_int_equal(feox_sync(f->store), 0);
		crash(f);
	}
	put(f->store, "e/file-0", "new");
	assert_true(version_of(f->store, "e/file-0") > version);
}

/* A batch that a failed rename_prefix() was given was as full as before, not used up. */
static void a_failed_prefix_rename_uses_its_batch_up(void **state)
{
	static const struct {
		const char *from, *to;
		unsigned int flags;
		int err;
	} cases[] = {
		{"d/", "d/e/", 0, -EINVAL},
		{"d/", "e/", FEOX_RENAME_NOREPLACE | FEOX_RENAME_EXCHANGE, -EINVAL},
		{"d/", "e/", FEOX_NOWAIT, -EAGAIN},
		{"none/", "e/", 0, -ENOENT},
	};
	struct fixture *f = *state;
	struct feox_batch *batch;

	open_file_store(f);
	put(f->store, "d/1", "1");
	assert_int_equal(feox_batch_create(f->store, &batch), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct feox_rename_options o = {.flags = cases[i].flags};

		assert_int_equal(feox_batch_put(batch, "beside", 6, "1", 1, NULL), 0);
		assert_int_equal(feox_rename_prefix(f->store, cases[i].from, strlen(cases[i].from),
						    cases[i].to, strlen(cases[i].to), &o, batch,
						    NULL),
				 cases[i].err);
		assert_int_equal(feox_batch_commit(batch, 0, NULL), 0);
		expect_text(f->store, "beside", NULL);
	}
	feox_batch_free(batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(renaming_a_directory_writes_no_values),
		TEST(renaming_a_directory_needs_no_memory_for_values),
		TEST(renamed_directories_are_renamed_again),
		TEST(all_keys_of_a_renamed_directory_have_one_version),
		TEST(a_failed_prefix_rename_uses_its_batch_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
