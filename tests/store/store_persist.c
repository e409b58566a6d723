/* SPDX-License-Identifier: Apache-2.0 */
/* What is closed is found again: values of all sizes, deletes, metadata, growth, refusals. */
#include "fixture.h"

#include <sys/stat.h>

static void values_survive(void **state)
{
	struct fixture *f = *state;

	open_file_store(f);
	put(f->store, "a", "1");
	put(f->store, "b", "");
	put(f->store, "c", "gone");
	feox_set_metadata(f->store, "a", 1, "meta", 4, NULL);
	del(f->store, "c");
	reopen(f);
	expect_text(f->store, "a", "1");
	expect_text(f->store, "b", "");
	expect_text(f->store, "c", NULL);

	char metadata[4];
	struct feox_stat stat;

	assert_int_equal(feox_stat(f->store, "a", 1, metadata, 4, &stat), 0);
	assert_int_equal(stat.metadata_size, 4);
	assert_memory_equal(metadata, "meta", 4);
	put(f->store, "a", "2");
	reopen(f);
	reopen(f);
	expect_text(f->store, "a", "2");
}

static void fill_pattern(uint8_t *bytes, size_t size, uint64_t seed)
{
	uint64_t x = seed * 2654435761u + 1;

	for (size_t i = 0; i < size; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = (uint8_t)(x >> 56);
	}
}

static void all_sizes_survive(void **state)
{
	static const size_t sizes[] = {
		0,	1,	7,	 100,		1023,	 1024,	  1025,	 4095,
		4096,	32767,	32768,	 32769,		65535,	 65536,	  65537, 131072,
		262144, 300000, 1 << 20, (1 << 20) + 1, 5 << 20, 64 << 20};
	struct fixture *f = *state;
	uint8_t *bytes = malloc(64 << 20), *slice = malloc(100000);
	char key[16];

	open_file_store(f);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		snprintf(key, sizeof(key), "%zu", sizes[i]);
		fill_pattern(bytes, sizes[i], i);
		assert_int_equal(feox_put(f->store, key, strlen(key), bytes, sizes[i], NULL, NULL),
				 0);
	}
	reopen(f);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct feox_value value;
		size_t at = sizes[i] / 3, n;

		snprintf(key, sizeof(key), "%zu", sizes[i]);
		fill_pattern(bytes, sizes[i], i);
		if (sizes[i])
			assert_int_equal(feox_get(f->store, key, strlen(key), FEOX_NOWAIT, &value),
					 -EAGAIN);
		assert_int_equal(
			feox_read(f->store, key, strlen(key), at, slice, 100000, 0, &n, NULL), 0);
		assert_int_equal(n, sizes[i] - at < 100000 ? sizes[i] - at : 100000);
		assert_memory_equal(slice, bytes + at, n);
		assert_int_equal(feox_get(f->store, key, strlen(key), 0, &value), 0);
		assert_int_equal(value.size, sizes[i]);
		assert_memory_equal(value.data, bytes, sizes[i]);
		feox_value_release(f->store, &value);
	}
	free(bytes);
	free(slice);
}

/* A cold value keeps its bytes when only its attributes change or it is renamed. */
static void cold_values_move(void **state)
{
	struct fixture *f = *state;
	uint8_t *bytes = malloc(200000);
	struct feox_value value;

	fill_pattern(bytes, 200000, 1);
	open_file_store(f);
	feox_put(f->store, "d/a", 3, bytes, 200000, NULL, NULL);
	feox_put(f->store, "d/b", 3, bytes, 100, NULL, NULL);
	reopen(f);
	assert_int_equal(feox_set_metadata(f->store, "d/a", 3, "m", 1, NULL), 0);
	assert_int_equal(
		feox_set_expiry(f->store, "d/b", 3, feox_now(f->store) + 1000000000000, NULL), 0);
	reopen(f);
	assert_int_equal(feox_rename_prefix(f->store, "d/", 2, "e/", 2, NULL, NULL, NULL), 0);
	reopen(f);
	assert_int_equal(feox_get(f->store, "e/a", 3, 0, &value), 0);
	assert_int_equal(value.size, 200000);
	assert_memory_equal(value.data, bytes, 200000);
	feox_value_release(f->store, &value);
	assert_int_equal(feox_get(f->store, "e/b", 3, 0, &value), 0);
	assert_memory_equal(value.data, bytes, 100);
	feox_value_release(f->store, &value);
	free(bytes);
}

static void many_keys_survive_overwrites(void **state)
{
	struct fixture *f = *state;
	struct feox_stats stats;
	char key[16], text[32];

	open_file_store(f);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 20000; i++) {
			if ((i + round) % 3 == 0)
				continue;
			snprintf(key, sizeof(key), "k%d", i);
			snprintf(text, sizeof(text), "%d in round %d", i, round);
			assert_int_equal(put(f->store, key, text), 0);
		}
		for (int i = round; i < 20000; i += 10) {
			snprintf(key, sizeof(key), "k%d", i);
			del(f->store, key);
		}
		if (round == 1)
			reopen(f);
	}
	feox_stats(f->store, &stats);

	uint64_t keys = stats.keys, seen = 0;
	struct feox_iter *iter;
	struct feox_item item;

	reopen(f);
	feox_iter_open(f->store, NULL, &iter);
	while (feox_iter_next(iter, &item) == 1) {
		int i, round;

		memcpy(key, item.key, item.key_size);
		key[item.key_size] = '\0';
		i = atoi(key + 1);
		round = (i + 2) % 3 == 0 ? 1 : 2;

		snprintf(text, sizeof(text), "%d in round %d", i, round);
		assert_int_equal(item.value_size, strlen(text));
		assert_memory_equal(item.value, text, strlen(text));
		seen++;
	}
	feox_iter_close(iter);
	assert_int_equal(seen, keys);
}

static void the_file_grows(void **state)
{
	struct fixture *f = *state;
	uint8_t *bytes = malloc(1 << 20);
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_stats stats;
	char key[16];

	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE;
	options.initial_size_bytes = 4 << 20;
	open_with(f, &options);
	for (int i = 0; i < 64; i++) {
		snprintf(key, sizeof(key), "%d", i);
		fill_pattern(bytes, 1 << 20, (uint64_t)i);
		assert_int_equal(feox_put(f->store, key, strlen(key), bytes, 1 << 20, NULL, NULL),
				 0);
	}
	assert_int_equal(feox_sync(f->store), 0);
	feox_stats(f->store, &stats);
	assert_true(stats.device_bytes > 64 << 20);
	assert_true(stats.grow_count > 0);
	reopen(f);
	for (int i = 0; i < 64; i++) {
		struct feox_value value;

		snprintf(key, sizeof(key), "%d", i);
		fill_pattern(bytes, 1 << 20, (uint64_t)i);
		assert_int_equal(feox_get(f->store, key, strlen(key), 0, &value), 0);
		assert_memory_equal(value.data, bytes, 1 << 20);
		feox_value_release(f->store, &value);
	}
	free(bytes);
}

/* A full store refuses at put, keeps everything it has acknowledged, and lets go by deletes. */
/* A promise grows by the difference, and what cannot be promised leaves it as it was. */
static void a_promise_grows_in_place(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_write_options reserved = {.flags = FEOX_RESERVED};
	const uint64_t half = 16 << 20, most = 24 << 20;
	uint8_t *bytes = calloc(1, most);
	struct feox_stats before, after;

	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE;
	options.initial_size_bytes = 32 << 20;
	options.max_size_bytes = 32 << 20;
	open_with(f, &options);
	assert_int_equal(feox_stats(f->store, &before), 0);
	assert_int_equal(feox_reserve(f->store, half, 0), 0);
	assert_int_equal(feox_reserve(f->store, half, 0), -ENOSPC);
	assert_int_equal(feox_reserve_more(f->store, half, half - 1, 0), -EINVAL);
	assert_int_equal(feox_reserve_more(f->store, half, 33 << 20, 0), -ENOSPC);
	assert_int_equal(feox_reserve_more(f->store, half, most, 0), 0);
	assert_int_equal(feox_reserve(f->store, half, 0), -ENOSPC);
	feox_unreserve(f->store, most);
	assert_int_equal(feox_stats(f->store, &after), 0);
	assert_int_equal(after.free_bytes, before.free_bytes);
	assert_int_equal(feox_reserve(f->store, half, 0), 0);
	assert_int_equal(feox_reserve_more(f->store, half, most, 0), 0);
	assert_int_equal(feox_put(f->store, "k", 1, bytes, most, &reserved, NULL), 0);
	feox_unreserve(f->store, most);
	free(bytes);
}

static void a_full_store_loses_nothing(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	uint8_t *bytes = malloc(50000);
	char key[16];
	int count = 0, err;

	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE;
	options.initial_size_bytes = 4 << 20;
	options.max_size_bytes = 4 << 20;
	open_with(f, &options);
	for (;; count++) {
		snprintf(key, sizeof(key), "%d", count);
		fill_pattern(bytes, 50000, (uint64_t)count);
		err = feox_put(f->store, key, strlen(key), bytes, 50000, NULL, NULL);
		if (err)
			break;
		assert_true(count < 1000);
	}
	assert_int_equal(err, -ENOSPC);
	assert_true(count > 30);
	assert_int_equal(feox_sync(f->store), 0);
	close_store(f);
	open_with(f, &options);
	for (int i = 0; i < count; i++) {
		struct feox_value value;

		snprintf(key, sizeof(key), "%d", i);
		fill_pattern(bytes, 50000, (uint64_t)i);
		assert_int_equal(feox_get(f->store, key, strlen(key), 0, &value), 0);
		assert_memory_equal(value.data, bytes, 50000);
		feox_value_release(f->store, &value);
	}
	for (int i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(del(f->store, key), 0);
	}
	assert_int_equal(feox_sync(f->store), 0);
	free(bytes);
}

static void one_owner_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_store *second;
	struct feox_diag diag;

	open_file_store(f);
	options.path = f->path;
	assert_int_equal(feox_open(&options, &second, &diag), -EBUSY);
	assert_non_null(strstr(diag.text, "in use"));
}

static void refusals(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_store *store;
	struct feox_diag diag;
	FILE *file;

	options.path = f->path;
	assert_int_equal(feox_open(&options, &store, &diag), -ENOENT);
	file = fopen(f->path, "w");
	for (int i = 0; i < 100000; i++)
		fputs("this is text ", file);
	fclose(file);
	options.flags = FEOX_OPEN_CREATE;
	assert_int_equal(feox_open(&options, &store, &diag), -EUCLEAN);
	assert_non_null(strstr(diag.text, "bad magic"));
	options.path = f->dir;
	assert_int_not_equal(feox_open(&options, &store, &diag), 0);
	options.path = f->path;
	options.separator = 'x';
	assert_int_equal(feox_open(&options, &store, &diag), -EINVAL);
}

static void read_only_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct stat before, after;

	open_file_store(f);
	put(f->store, "k", "v");
	close_store(f);
	stat(f->path, &before);
	options.path = f->path;
	options.flags = FEOX_OPEN_READ_ONLY;
	open_with(f, &options);
	expect_text(f->store, "k", "v");
	assert_int_equal(put(f->store, "k", "x"), -EROFS);
	assert_int_equal(del(f->store, "k"), -EROFS);
	assert_int_equal(feox_sync(f->store), 0);
	close_store(f);
	stat(f->path, &after);
	assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
}

static void ids_never_repeat(void **state)
{
	struct fixture *f = *state;
	uint64_t id, last = 0;

	for (int round = 0; round < 3; round++) {
		open_file_store(f);
		for (int i = 0; i < 1000; i++) {
			assert_int_equal(feox_next_id(f->store, &id), 0);
			assert_true(id > last);
			last = id;
		}
		close_store(f);
	}
}

static void posix_io_works_too(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;

	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE | FEOX_OPEN_NO_URING;
	open_with(f, &options);
	put(f->store, "k", "v");
	assert_int_equal(feox_sync(f->store), 0);
	close_store(f);
	open_with(f, &options);
	expect_text(f->store, "k", "v");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(values_survive),
		TEST(all_sizes_survive),
		TEST(cold_values_move),
		TEST(many_keys_survive_overwrites),
		TEST(the_file_grows),
		TEST(a_promise_grows_in_place),
		TEST(a_full_store_loses_nothing),
		TEST(one_owner_at_a_time),
		TEST(refusals),
		TEST(read_only_changes_nothing),
		TEST(ids_never_repeat),
		TEST(posix_io_works_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
