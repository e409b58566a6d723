/* SPDX-License-Identifier: Apache-2.0 */
/* Versions that the caller sets: newer ones only, and what the store gives itself goes on above. */
#include "fixture.h"

#include <stdatomic.h>

#define NOW UINT64_C(1700000000000000000)

static uint64_t fake_now(void *ctx)
{
	struct fixture *f = ctx;

	return f->now;
}

static void open_at(struct fixture *f, bool file)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	f->now = NOW;
	options.now = fake_now;
	options.now_ctx = f;
	options.path = file ? f->path : NULL;
	options.flags = FEOX_OPEN_NO_SWEEPER | (file ? FEOX_OPEN_CREATE : 0u);
	open_with(f, &options);
}

static int put_version(struct feox_store *s, const char *key, uint64_t version, uint64_t *ret)
{
	struct feox_write_options o = {.flags = FEOX_SET_VERSION, .set_version = version};
	struct feox_write_result r = {0};
	int err = feox_put(s, key, strlen(key), "v", 1, &o, &r);

	if (ret)
		*ret = r.version;
	return err;
}

static int del_version(struct feox_store *s, const char *key, uint64_t version)
{
	struct feox_write_options o = {.flags = FEOX_SET_VERSION, .set_version = version};

	return feox_delete(s, key, strlen(key), &o);
}

static void only_newer_ones_are_taken(void **state)
{
	struct fixture *f = *state;
	uint64_t version;

	open_at(f, false);
	assert_int_equal(put_version(f->store, "k", 100, &version), 0);
	assert_int_equal(version, 100);
	assert_int_equal(version_of(f->store, "k"), 100);
	assert_int_equal(put_version(f->store, "k", 99, NULL), -ESTALE);
	assert_int_equal(put_version(f->store, "k", 100, NULL), -ESTALE);
	assert_int_equal(put_version(f->store, "k", 101, NULL), 0);
	assert_int_equal(del_version(f->store, "k", 101), -ESTALE);
	expect_text(f->store, "k", "v");
	assert_int_equal(version_of(f->store, "k"), 101);
	assert_int_equal(del_version(f->store, "k", 102), 0);
	assert_int_equal(del_version(f->store, "k", 103), -ENOENT);
	assert_int_equal(put_version(f->store, "other", 5, NULL), 0); /* its own past counts */
}

static void limits(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options o = {.flags = FEOX_SET_VERSION, .set_version = 7};
	struct feox_batch *batch;

	open_at(f, false);
	assert_int_equal(put_version(f->store, "k", 0, NULL), -EINVAL);
	assert_int_equal(put_version(f->store, "k", FEOX_VERSION_SET_MAX + 1, NULL), -EINVAL);
	assert_int_equal(put_version(f->store, "k", UINT64_MAX, NULL), -EINVAL);
	assert_false(has(f->store, "k"));
	assert_int_equal(put_version(f->store, "k", FEOX_VERSION_SET_MAX, NULL), 0);
	assert_int_equal(feox_set_expiry(f->store, "k", 1, 0, &o), -EINVAL);
	assert_int_equal(feox_set_metadata(f->store, "k", 1, NULL, 0, &o), -EINVAL);
	assert_int_equal(feox_batch_create(f->store, &batch), 0);
	o.set_version = FEOX_VERSION_SET_MAX + 1;
	assert_int_equal(feox_batch_put(batch, "a", 1, "v", 1, &o), -EINVAL);
	assert_int_equal(feox_batch_delete(batch, "a", 1, &o), -EINVAL);
	o.set_version = 1;
	assert_int_equal(feox_batch_set_metadata(batch, "a", 1, NULL, 0, &o), -EINVAL);
	feox_batch_free(batch);
}

/* The store's own versions go on above, for that key, also when it is deleted in between. */
static void automatic_ones_go_on_above(void **state)
{
	struct fixture *f = *state;
	uint64_t high = FEOX_VERSION_SET_MAX;

	open_at(f, false);
	assert_int_equal(put_version(f->store, "k", high, NULL), 0);
	assert_int_equal(put(f->store, "k", "w"), 0);
	assert_true(version_of(f->store, "k") > high);
	assert_int_equal(put_version(f->store, "k", high, NULL), -ESTALE);
	assert_int_equal(put_version(f->store, "l", high, NULL), 0);
	assert_int_equal(del(f->store, "l"), 0);
	assert_int_equal(put(f->store, "l", "w"), 0);
	assert_true(version_of(f->store, "l") > high + 1);
	assert_int_equal(put_version(f->store, "m", high - 1, NULL), 0);
	assert_int_equal(del_version(f->store, "m", high), 0);
	assert_int_equal(put(f->store, "m", "w"), 0);
	assert_true(version_of(f->store, "m") > high);
}

/* A tombstone that is not durable yet, and a record that is expired but not swept, are newer. */
static void the_dead_are_remembered(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options o = {
		.flags = FEOX_SET_VERSION, .set_version = 500, .expiry_ns = NOW + 1000};
	struct feox_options options = FEOX_OPTIONS_INIT;

	f->now = NOW;
	options.now = fake_now;
	options.now_ctx = f;
	options.path = f->path;
	options.flags = FEOX_OPEN_NO_SWEEPER | FEOX_OPEN_CREATE;
	options.flush_interval_ns = UINT64_C(3600000000000);
	open_with(f, &options);
	assert_int_equal(put_version(f->store, "k", 100, NULL), 0);
	assert_int_equal(del_version(f->store, "k", 200), 0);
	assert_int_equal(put_version(f->store, "k", 200, NULL), -ESTALE);
	assert_false(has(f->store, "k"));
	assert_int_equal(put_version(f->store, "k", 201, NULL), 0);

	assert_int_equal(feox_put(f->store, "e", 1, "v", 1, &o, NULL), 0);
	f->now += 1000;
	assert_false(has(f->store, "e"));
	assert_int_equal(put_version(f->store, "e", 500, NULL), -ESTALE);
	assert_int_equal(put_version(f->store, "e", 501, NULL), 0);
}

static void conditions_come_first(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options o = {.flags = FEOX_SET_VERSION | FEOX_CREATE, .set_version = 1};

	open_at(f, false);
	assert_int_equal(put_version(f->store, "k", 100, NULL), 0);
	assert_int_equal(feox_put(f->store, "k", 1, "w", 1, &o, NULL), -EEXIST);
	o.flags = FEOX_SET_VERSION | FEOX_REPLACE;
	assert_int_equal(feox_put(f->store, "absent", 6, "w", 1, &o, NULL), -ENOENT);
	o.flags = FEOX_SET_VERSION | FEOX_IF_VERSION;
	o.if_version = 99;
	assert_int_equal(feox_put(f->store, "k", 1, "w", 1, &o, NULL), -ECANCELED);
	o.if_version = 100;
	assert_int_equal(feox_put(f->store, "k", 1, "w", 1, &o, NULL), -ESTALE);
	o.set_version = 101;
	assert_int_equal(feox_put(f->store, "k", 1, "w", 1, &o, NULL), 0);
	assert_int_equal(version_of(f->store, "k"), 101);
}

static void every_write_can_set_one(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options o = {.flags = FEOX_SET_VERSION, .set_version = 10};
	struct feox_write_result r;
	int64_t n;

	open_at(f, false);
	assert_int_equal(feox_add(f->store, "n", 1, 4, &o, &n, &r), 0);
	assert_int_equal(r.version, 10);
	assert_int_equal(feox_add(f->store, "n", 1, 4, &o, &n, &r), -ESTALE);
	expect_text(f->store, "n", "4");
	o.set_version = 11;
	assert_int_equal(feox_cas(f->store, "n", 1, "4", 1, "{}", 2, &o, &r), 0);
	assert_int_equal(feox_cas(f->store, "n", 1, "{}", 2, "[]", 2, &o, &r), -ESTALE);
	o.set_version = 12;
	assert_int_equal(feox_patch(f->store, "n", 1, "[]", 2, &o, &r, NULL), 0);
	assert_int_equal(r.version, 12);
	assert_int_equal(feox_patch(f->store, "n", 1, "[]", 2, &o, &r, NULL), -ESTALE);
	assert_int_equal(version_of(f->store, "n"), 12);
}

static void batches_take_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options o = {.flags = FEOX_SET_VERSION, .set_version = 50};
	struct feox_batch *batch;
	size_t failed = 9;

	open_at(f, false);
	assert_int_equal(put_version(f->store, "old", 50, NULL), 0);
	assert_int_equal(put_version(f->store, "gone", 10, NULL), 0);
	assert_int_equal(feox_batch_create(f->store, &batch), 0);
	assert_int_equal(feox_batch_put(batch, "new", 3, "v", 1, &o), 0);
	assert_int_equal(feox_batch_put(batch, "old", 3, "v", 1, &o), 0);
	assert_int_equal(feox_batch_commit(batch, 0, &failed), -ESTALE);
	assert_int_equal(failed, 1);
	assert_false(has(f->store, "new"));
	assert_int_equal(feox_batch_put(batch, "new", 3, "v", 1, &o), 0);
	assert_int_equal(feox_batch_delete(batch, "gone", 4, &o), 0);
	assert_int_equal(feox_batch_commit(batch, 0, NULL), 0);
	assert_int_equal(version_of(f->store, "new"), 50);
	assert_false(has(f->store, "gone"));
	feox_batch_free(batch);
}

/* What was set, and that automatic versions are above it, also of keys that are gone. */
static void set_versions_survive(void **state)
{
	struct fixture *f = *state;
	uint64_t high = UINT64_C(1) << 61;

	open_at(f, true);
	assert_int_equal(put_version(f->store, "low", 7, NULL), 0);
	assert_int_equal(put_version(f->store, "high", high, NULL), 0);
	assert_int_equal(put_version(f->store, "gone", high + 5, NULL), 0);
	assert_int_equal(del_version(f->store, "gone", high + 10), 0);
	close_store(f);
	open_at(f, true);
	assert_int_equal(version_of(f->store, "low"), 7);
	assert_int_equal(version_of(f->store, "high"), high);
	assert_int_equal(put_version(f->store, "low", 7, NULL), -ESTALE);
	assert_int_equal(put_version(f->store, "high", high, NULL), -ESTALE);
	assert_int_equal(put(f->store, "gone", "again"), 0);
	assert_true(version_of(f->store, "gone") > high + 10);
	assert_int_equal(put_version(f->store, "low", 8, NULL), 0);
}

/* The same when the process dies: the commit record itself says how high they are. */
static void set_versions_survive_a_crash(void **state)
{
	struct fixture *f = *state;
	uint64_t high = UINT64_C(1) << 61;
	char copy[PATH_MAX + 64], command[2 * PATH_MAX + 128];

	open_at(f, true);
	assert_int_equal(put_version(f->store, "gone", high, NULL), 0);
	assert_int_equal(del_version(f->store, "gone", high + 10), 0);
	assert_int_equal(feox_sync(f->store), 0);
	snprintf(copy, sizeof(copy), "%s.copy", f->path);
	snprintf(command, sizeof(command), "cp '%s' '%s'", f->path, copy);
	assert_int_equal(system(command), 0); /* as it is after the power went */
	close_store(f);
	assert_int_equal(rename(copy, f->path), 0);
	open_at(f, true);
	assert_int_equal(put(f->store, "gone", "again"), 0);
	assert_true(version_of(f->store, "gone") > high + 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_newer_ones_are_taken),    TEST(limits),
		TEST(automatic_ones_go_on_above),   TEST(the_dead_are_remembered),
		TEST(conditions_come_first),	    TEST(every_write_can_set_one),
		TEST(batches_take_all_or_nothing),  TEST(set_versions_survive),
		TEST(set_versions_survive_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
