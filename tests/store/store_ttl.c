/* SPDX-License-Identifier: Apache-2.0 */
/* Expiry: absent from the very nanosecond on, in every call, across reopening; swept later. */
#include "fixture.h"

#include <time.h>

static uint64_t fake_now(void *ctx)
{
	struct fixture *f = ctx;

	return f->now;
}

static void open_with_clock(struct fixture *f, bool file, unsigned int flags)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	options.now = fake_now;
	options.now_ctx = f;
	options.path = file ? f->path : NULL;
	options.flags = flags | (file ? FEOX_OPEN_CREATE : 0u);
	open_with(f, &options);
}

static void put_until(struct fixture *f, const char *key, uint64_t expiry)
{
	struct feox_write_options o = {.expiry_ns = expiry};

	assert_int_equal(feox_put(f->store, key, strlen(key), key, strlen(key), &o, NULL), 0);
}

static void expired_is_absent_everywhere(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options o = {0};
	struct feox_write_result r;
	struct feox_iter *iter;
	struct feox_item item;
	char buffer[8];
	size_t n;

	f->now = 1000000;
	open_with_clock(f, false, FEOX_OPEN_NO_SWEEPER);
	put_until(f, "k", 2000000);
	f->now = 1999999;
	expect_text(f->store, "k", "k");
	f->now = 2000000;
	expect_text(f->store, "k", NULL);
	assert_false(has(f->store, "k"));
	assert_int_equal(feox_read(f->store, "k", 1, 0, buffer, 8, 0, &n, NULL), -ENOENT);
	assert_int_equal(del(f->store, "k"), -ENOENT);
	assert_int_equal(feox_set_expiry(f->store, "k", 1, 0, NULL), -ENOENT);
	assert_int_equal(feox_set_metadata(f->store, "k", 1, "m", 1, NULL), -ENOENT);
	assert_int_equal(feox_rename(f->store, "k", 1, "l", 1, NULL), -ENOENT);
	assert_int_equal(feox_rename_prefix(f->store, "k", 1, "l", 1, NULL, NULL, NULL), -ENOENT);
	o.flags = FEOX_REPLACE;
	assert_int_equal(feox_put(f->store, "k", 1, "x", 1, &o, NULL), -ENOENT);
	feox_iter_open(f->store, NULL, &iter);
	assert_int_equal(feox_iter_next(iter, &item), 0);
	feox_iter_close(iter);
	o.flags = FEOX_CREATE | FEOX_KEEP_EXPIRY | FEOX_KEEP_METADATA;
	assert_int_equal(feox_put(f->store, "k", 1, "x", 1, &o, &r), 0);
	assert_true(r.created);
	expect_text(f->store, "k", "x"); /* and it has not inherited the old expiry */
}

static void expiry_can_be_moved_and_removed(void **state)
{
	struct fixture *f = *state;

	f->now = 1000;
	open_with_clock(f, false, FEOX_OPEN_NO_SWEEPER);
	put_until(f, "k", 2000);
	assert_int_equal(feox_set_expiry(f->store, "k", 1, 3000, NULL), 0);
	f->now = 2500;
	expect_text(f->store, "k", "k");
	assert_int_equal(feox_set_expiry(f->store, "k", 1, 0, NULL), 0);
	f->now = 10000;
	expect_text(f->store, "k", "k");
	assert_int_equal(feox_set_expiry(f->store, "k", 1, 9999, NULL), 0);
	expect_text(f->store, "k", NULL);
}

static void expiry_survives_reopening(void **state)
{
	struct fixture *f = *state;

	f->now = UINT64_C(1000000000000);
	open_with_clock(f, true, 0);
	put_until(f, "soon", f->now + 5000000000);
	put_until(f, "later", f->now + 50000000000);
	close_store(f);
	f->now += 10000000000;
	open_with_clock(f, true, 0);
	expect_text(f->store, "soon", NULL);
	expect_text(f->store, "later", "later");
}

static void time_never_runs_backwards(void **state)
{
	struct fixture *f = *state;

	f->now = UINT64_C(1000000000000);
	open_with_clock(f, true, FEOX_OPEN_NO_SWEEPER);
	put_until(f, "k", f->now + 1000);
	f->now += 2000;
	expect_text(f->store, "k", NULL);
	f->now -= 2000;
	expect_text(f->store, "k", NULL);
	close_store(f);
	open_with_clock(f, true, FEOX_OPEN_NO_SWEEPER);
	expect_text(f->store, "k", NULL);
}

static void the_sweeper_removes_what_expired(void **state)
{
	struct fixture *f = *state;
	struct feox_stats stats;
	char key[16];

	f->now = UINT64_C(1000000000000);
	open_with_clock(f, false, 0);
	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		put_until(f, key, f->now + 1000);
	}
	put(f->store, "stays", "stays");
	f->now += 2000;
	/* The event: the statistics say so. Bounded by the test's own timeout. */
	do {
		struct timespec pause = {.tv_nsec = 1000000};

		nanosleep(&pause, NULL);
		feox_stats(f->store, &stats);
	} while (stats.keys > 1);
	assert_int_equal(stats.expiries, 20000);
	expect_text(f->store, "stays", "stays");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(expired_is_absent_everywhere),	TEST(expiry_can_be_moved_and_removed),
		TEST(expiry_survives_reopening),	TEST(time_never_runs_backwards),
		TEST(the_sweeper_removes_what_expired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
