/* SPDX-License-Identifier: Apache-2.0 */
/* Opening again: clocks that were set back, progress, and opening for reading only. */
#include "checking.h"

#include "journal.h"

#define NOW    UINT64_C(1700000000000000000)
#define SECOND UINT64_C(1000000000)

static uint64_t fake_now(void *ctx)
{
	struct fixture *f = ctx;

	return f->now;
}

static void open_at(struct fixture *f, uint64_t now, unsigned int flags)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	f->now = now;
	options.now = fake_now;
	options.now_ctx = f;
	options.path = f->path;
	options.flags = FEOX_OPEN_NO_SWEEPER | flags;
	open_with(f, &options);
}

static void put_expiring(struct feox_store *store, const char *key, uint64_t expiry_ns)
{
	const struct feox_write_options o = {.expiry_ns = expiry_ns};

	assert_int_equal(feox_put(store, key, strlen(key), "v", 1, &o, NULL), 0);
}

/* Close it, or leave it as after a crash. */
static void end_store(struct fixture *f, bool crash)
{
	struct image image;

	assert_int_equal(feox_sync(f->store), 0);
	image = read_image(f->path);
	close_store(f);
	if (crash)
		write_image(f->path, &image);
	free_image(&image);
}

static void what_expired_stays_so_when_the_clock_is_set_back(void **state)
{
	struct fixture *f = *state;

	for (unsigned int crash = 0; crash < 2; crash++) {
		unlink(f->path);
		open_at(f, NOW, FEOX_OPEN_CREATE);
		put_expiring(f->store, "soon", NOW + SECOND);
		put_expiring(f->store, "later", NOW + 100 * SECOND);
		assert_int_equal(feox_sync(f->store), 0);
		f->now = NOW + 2 * SECOND;
		assert_false(has(f->store, "soon"));
		put(f->store, "other", "a commit that has seen the time");
		end_store(f, crash);

		open_at(f, NOW - 1000 * SECOND, 0);
		assert_true(feox_now(f->store) >= NOW + 2 * SECOND);
		assert_false(has(f->store, "soon"));
		assert_true(has(f->store, "later"));
		f->now = NOW - 500 * SECOND; /* still behind: time stands still */
		assert_false(has(f->store, "soon"));
		f->now = NOW + 100 * SECOND;
		assert_false(has(f->store, "later"));
		close_store(f);

		/* For readers too. */
		open_at(f, NOW - 1000 * SECOND, FEOX_OPEN_READ_ONLY);
		assert_false(has(f->store, "soon"));
		close_store(f);
	}
}

/* Two stores of one history, whose clocks are set back, give no version twice. */
static void versions_go_on_above_the_ceiling(void **state)
{
	struct fixture *f = *state;
	uint64_t before, after;

	open_at(f, NOW, FEOX_OPEN_CREATE);
	put(f->store, "k", "1");
	assert_int_equal(feox_sync(f->store), 0);
	end_store(f, true);
	/* What was given out and not written: the crash has forgotten it. */
	open_at(f, NOW, 0);
	put(f->store, "k", "2");
	before = version_of(f->store, "k");
	{
		struct image image = read_image(f->path);

		put(f->store, "k", "never durable");
		before = version_of(f->store, "k");
		close_store(f);
		write_image(f->path, &image);
		free_image(&image);
	}
	open_at(f, NOW - 1000 * SECOND, 0);
	put(f->store, "k", "3");
	after = version_of(f->store, "k");
	assert_true(after > before);
	assert_true(after > NOW + 59 * SECOND); /* the ceiling was 60 s ahead */
	/* After an orderly end they go on where they were. */
	close_store(f);
	open_at(f, NOW - 1000 * SECOND, 0);
	put(f->store, "k", "4");
	assert_true(version_of(f->store, "k") > after);
	assert_true(version_of(f->store, "k") < after + SECOND);
}

static void numbers_are_given_once(void **state)
{
	struct fixture *f = *state;
	struct image image;
	uint64_t before, after;

	open_file_store(f);
	assert_int_equal(feox_next_id(f->store, &before), 0);
	assert_int_equal(feox_sync(f->store), 0);
	image = read_image(f->path);
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(feox_next_id(f->store, &before), 0);
	close_store(f);
	write_image(f->path, &image);
	open_file_store(f);
	assert_int_equal(feox_next_id(f->store, &after), 0);
	assert_true(after > before);
	free_image(&image);
}

struct seen {
	uint64_t calls, done, total;
};

static void remember_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct seen *seen = ctx;

	assert_true(done >= seen->done && done <= total);
	assert_true(!seen->calls || total == seen->total);
	*seen = (struct seen){seen->calls + 1, done, total};
}

static void progress_is_told(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct seen seen = {0};
	char key[16];

	open_file_store(f);
	for (unsigned int i = 0; i < 150000; i++) {
		snprintf(key, sizeof(key), "%u", i);
		assert_int_equal(put(f->store, key, "v"), 0);
	}
	close_store(f);
	options.path = f->path;
	options.progress = remember_progress;
	options.progress_ctx = &seen;
	open_with(f, &options);
	assert_true(seen.calls >= 3);
	assert_int_equal(seen.done, seen.total);
	assert_true(seen.total >= 150000);
}

/* regression: a read-only store said that its device had 0 bytes */
static void a_read_only_store_writes_nothing(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct image image, now;
	struct feox_stats stats;

	fill_store(f);
	image = read_image(f->path);
	close_store(f);
	write_image(f->path, &image);
	options.path = f->path;
	options.flags = FEOX_OPEN_READ_ONLY;
	open_with(f, &options);
	for (unsigned int key = 0; key < KEYS; key++)
		assert_int_equal(generation_of(f->store, key), expected_generation(key));
	assert_int_equal(feox_stats(f->store, &stats), 0);
	assert_int_equal(stats.device_bytes, image.size);
	assert_true(stats.extents > 0 && stats.free_bytes > 0 && stats.free_bytes < image.size);
	assert_true(stats.read_only && !stats.failed);
	assert_int_equal(put(f->store, "a", "1"), -EROFS);
	assert_int_equal(del(f->store, "key0001"), -EROFS);
	close_store(f);
	now = read_image(f->path);
	assert_int_equal(now.size, image.size);
	assert_memory_equal(now.bytes, image.bytes, image.size);
	free_image(&now);
	free_image(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_expired_stays_so_when_the_clock_is_set_back),
		TEST(versions_go_on_above_the_ceiling),
		TEST(numbers_are_given_once),
		TEST(progress_is_told),
		TEST(a_read_only_store_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
