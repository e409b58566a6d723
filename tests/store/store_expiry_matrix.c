/* SPDX-License-Identifier: Apache-2.0 */
/* Expiry in every call about one key; store_expiry_batches.c has those about several. */
#include "expiry_matrix.h"

static int call_get(struct subject *s)
{
	struct feox_value value;
	int err = feox_get(s->store, KEY, 3, 0, &value);

	if (!err)
		feox_value_release(s->store, &value);
	return err;
}

static int call_get_many(struct subject *s)
{
	struct feox_key key = {KEY, 3};
	struct feox_value value;
	int err;

	assert_int_equal(feox_get_many(s->store, &key, 1, 0, &value, &err), 0);
	feox_release_many(s->store, &value, 1);
	return err;
}

static int call_read(struct subject *s)
{
	char buffer[4];
	size_t size;

	return feox_read(s->store, KEY, 3, 0, buffer, sizeof(buffer), 0, &size, NULL);
}

static int call_stat(struct subject *s)
{
	struct feox_stat stat;

	return feox_stat(s->store, KEY, 3, NULL, 0, &stat);
}

static int call_sync_key(struct subject *s)
{
	return feox_sync_key(s->store, KEY, 3);
}

static int count_items(struct subject *s, unsigned int flags, const char *seek)
{
	struct feox_iter_options o = {.flags = flags, .prefix = "p/", .prefix_size = 2};
	struct feox_iter *iter;
	struct feox_item item;
	int count = 0;

	assert_int_equal(feox_iter_open(s->store, &o, &iter), 0);
	if (seek)
		assert_int_equal(feox_iter_seek(iter, seek, strlen(seek)), 0);
	while (feox_iter_next(iter, &item) == 1)
		count++;
	feox_iter_close(iter);
	return count;
}

static int call_iter(struct subject *s)
{
	return count_items(s, 0, NULL);
}

static int call_iter_keys(struct subject *s)
{
	return count_items(s, FEOX_ITER_KEYS_ONLY, NULL);
}

static int call_iter_reverse(struct subject *s)
{
	return count_items(s, FEOX_ITER_REVERSE, NULL);
}

static int call_iter_seek(struct subject *s)
{
	return count_items(s, FEOX_ITER_KEYS_ONLY, KEY);
}

/* A put with these flags; r as if nothing had happened when it fails. */
static int put_with(struct subject *s, unsigned int flags, uint64_t expiry_ns)
{
	struct feox_write_options o = {
		.flags = flags, .expiry_ns = expiry_ns, .if_version = s->version};
	struct feox_write_result r;
	struct feox_stat stat;
	int err = feox_put(s->store, KEY, 3, "new", 3, &o, &r);

	if (err)
		return err;
	assert_int_equal(feox_stat(s->store, KEY, 3, NULL, 0, &stat), 0);
	assert_int_equal(r.expiry_ns, stat.expiry_ns);
	return r.created; /* told apart */
}

#define PUT(name, flags, expiry)                                                                   \
	static int call_##name(struct subject *s)                                                  \
	{                                                                                          \
		return put_with(s, flags, expiry);                                                 \
	}

PUT(put, 0, 0)
PUT(put_until, 0, NEW)
PUT(put_create, FEOX_CREATE, NEW)
PUT(put_replace, FEOX_REPLACE, NEW)
PUT(put_if_version, FEOX_IF_VERSION, 0)
PUT(put_keep_expiry, FEOX_KEEP_EXPIRY, NEW)
PUT(put_keep_metadata, FEOX_KEEP_METADATA, 0)
PUT(put_keep_both, FEOX_KEEP_EXPIRY | FEOX_KEEP_METADATA | FEOX_IF_VERSION, 0)

static int call_put_many(struct subject *s)
{
	struct feox_write_options o = {.flags = FEOX_CREATE};
	struct feox_pair pair = {{KEY, 3}, "new", 3};
	int err;

	assert_int_equal(feox_put_many(s->store, &pair, 1, &o, NULL, &err), 0);
	return err;
}

static int call_delete(struct subject *s)
{
	return feox_delete(s->store, KEY, 3, NULL);
}

static int call_delete_if_version(struct subject *s)
{
	struct feox_write_options o = {.flags = FEOX_IF_VERSION, .if_version = s->version};

	return feox_delete(s->store, KEY, 3, &o);
}

static int call_set_expiry(struct subject *s)
{
	return feox_set_expiry(s->store, KEY, 3, NEW, NULL);
}

static int call_persist(struct subject *s)
{
	return feox_set_expiry(s->store, KEY, 3, 0, NULL);
}

static int call_set_metadata(struct subject *s)
{
	return feox_set_metadata(s->store, KEY, 3, "m", 1, NULL);
}

static int cas_with(struct subject *s, unsigned int flags, uint64_t expiry_ns)
{
	struct feox_write_options o = {.flags = flags, .expiry_ns = expiry_ns};

	return feox_cas(s->store, KEY, 3, TEXT, 1, "new", 3, &o, NULL);
}

static int call_cas(struct subject *s)
{
	return cas_with(s, 0, 0);
}

static int call_cas_until(struct subject *s)
{
	return cas_with(s, 0, NEW);
}

static int call_cas_keep(struct subject *s)
{
	return cas_with(s, FEOX_KEEP_EXPIRY | FEOX_KEEP_METADATA, NEW);
}

static int add_with(struct subject *s, unsigned int flags)
{
	struct feox_write_options o = {.flags = flags, .expiry_ns = NEW};
	int64_t sum = -1;
	int err = feox_add(s->store, KEY, 3, 1, &o, &sum, NULL);

	return err ? err : (int)sum; /* 1 where it began anew, 8 else */
}

static int call_add(struct subject *s)
{
	return add_with(s, 0);
}

static int call_add_until(struct subject *s)
{
	return add_with(s, FEOX_SET_EXPIRY);
}

static int call_add_create(struct subject *s)
{
	return add_with(s, FEOX_CREATE);
}

static int patch_with(struct subject *s, unsigned int flags)
{
	static const char patch[] = "[{\"op\":\"replace\",\"path\":\"\",\"value\":8}]";
	struct feox_write_options o = {.flags = flags, .expiry_ns = NEW};

	return feox_patch(s->store, KEY, 3, patch, sizeof(patch) - 1, &o, NULL, NULL);
}

static int call_patch(struct subject *s)
{
	return patch_with(s, 0);
}

static int call_patch_until(struct subject *s)
{
	return patch_with(s, FEOX_SET_EXPIRY);
}

/* ---- The table ---------------------------------------------------------------------------------
 */

static const struct row rows[] = {
	ROW(get, -ENOENT, 0, KEPT),
	ROW(get_many, -ENOENT, 0, KEPT),
	ROW(read, -ENOENT, 0, KEPT),
	ROW(stat, -ENOENT, 0, KEPT),
	ROW(sync_key, 0, 0, KEPT),
	ROW(iter, 1, 2, KEPT),
	ROW(iter_keys, 1, 2, KEPT),
	ROW(iter_reverse, 1, 2, KEPT),
	ROW(iter_seek, 1, 2, KEPT),
	ROW(put, 1, 0, NONE),
	ROW(put_until, 1, 0, SET),
	ROW(put_create, 1, -EEXIST, KEPT),
	ROW(put_replace, -ENOENT, 0, SET),
	ROW(put_if_version, -ECANCELED, 0, NONE),
	ROW(put_keep_expiry, 1, 0, KEPT),
	ROW(put_keep_metadata, 1, 0, NONE),
	ROW(put_keep_both, -ECANCELED, 0, KEPT),
	ROW(put_many, 0, -EEXIST, KEPT),
	ROW(delete, -ENOENT, 0, GONE),
	ROW(delete_if_version, -ENOENT, 0, GONE),
	ROW(set_expiry, -ENOENT, 0, SET),
	ROW(persist, -ENOENT, 0, NONE),
	ROW(set_metadata, -ENOENT, 0, KEPT),
	ROW(cas, -ENOENT, 0, NONE),
	ROW(cas_until, -ENOENT, 0, SET),
	ROW(cas_keep, -ENOENT, 0, KEPT),
	ROW(add, 1, 8, KEPT),
	ROW(add_until, 1, 8, SET),
	ROW(add_create, 1, -EEXIST, KEPT),
	ROW(patch, -ENOENT, 0, KEPT),
	ROW(patch_until, -ENOENT, 0, SET),
};

MATRIX(rows)

/* To the nanosecond: the one before the expiry it is there, at the expiry it is not. */
static void the_edge_is_sharp(void **state)
{
	struct clock clock;
	struct subject s = subject_open(&clock, EXPIRING);

	clock.now = EXPIRY - 1;
	assert_int_equal(call_get(&s), 0);
	assert_int_equal(call_iter_keys(&s), 2);
	clock.now = EXPIRY;
	assert_int_equal(call_get(&s), -ENOENT);
	assert_int_equal(call_iter_keys(&s), 1);
	assert_int_equal(feox_close(s.store), 0);
}

static void expect_absent(struct subject *s)
{
	assert_int_equal(call_get(s), -ENOENT);
	assert_int_equal(call_iter(s), 1);
	assert_int_equal(call_iter_keys(s), 1);
}

/* A time that has passed, given by any write, makes the key absent at once. */
static void an_expiry_in_the_past_is_one(void **state)
{
	struct feox_write_options o = {.expiry_ns = START, .flags = FEOX_SET_EXPIRY};
	struct feox_write_result r;
	struct clock clock;
	struct subject s = subject_open(&clock, ABSENT);

	assert_int_equal(feox_add(s.store, KEY, 3, 5, &o, NULL, NULL), 0);
	expect_absent(&s);
	o.flags = 0;
	assert_int_equal(feox_put(s.store, KEY, 3, "x", 1, &o, &r), 0);
	assert_true(r.created);
	expect_absent(&s);
	assert_int_equal(put(s.store, KEY, TEXT), 0);
	assert_int_equal(call_iter_keys(&s), 2); /* a scan that may remember that it lives */
	assert_int_equal(feox_set_expiry(s.store, KEY, 3, 1, NULL), 0);
	expect_absent(&s);
	assert_int_equal(feox_close(s.store), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MATRIX_TESTS,
		cmocka_unit_test(the_edge_is_sharp),
		cmocka_unit_test(an_expiry_in_the_past_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
