/* SPDX-License-Identifier: Apache-2.0 */
/* Expiry in renames and batches. */
#include "expiry_matrix.h"

static int rename_with(struct subject *s, const char *from, const char *to, unsigned int flags)
{
	struct feox_rename_options o = {.flags = flags, .if_version = s->version};

	return feox_rename(s->store, from, strlen(from), to, strlen(to), &o);
}

static int call_rename(struct subject *s)
{
	return rename_with(s, KEY, MOVED, 0);
}

static int call_rename_itself(struct subject *s)
{
	return rename_with(s, KEY, KEY, 0);
}

static int call_rename_onto(struct subject *s)
{
	return rename_with(s, OTHER, KEY, FEOX_RENAME_NOREPLACE);
}

static int call_rename_if_version(struct subject *s)
{
	return rename_with(s, OTHER, KEY, FEOX_IF_VERSION);
}

static int call_exchange(struct subject *s)
{
	return rename_with(s, OTHER, KEY, FEOX_RENAME_EXCHANGE);
}

static int prefix_with(struct subject *s, const char *from, const char *to, unsigned int flags)
{
	struct feox_rename_options o = {.flags = flags};
	uint64_t moved = 0;
	int err =
		feox_rename_prefix(s->store, from, strlen(from), to, strlen(to), &o, NULL, &moved);

	return err ? err : (int)moved;
}

static int call_rename_prefix(struct subject *s)
{
	return prefix_with(s, "p/", "q/", 0);
}

static int call_rename_prefix_onto(struct subject *s)
{
	return prefix_with(s, "p/o", "p/k", FEOX_RENAME_NOREPLACE);
}

static int call_exchange_prefix(struct subject *s)
{
	return prefix_with(s, "p/k", "p/o", FEOX_RENAME_EXCHANGE);
}

static int call_rename_base(struct subject *s)
{
	return prefix_with(s, KEY "/", "q/k/", FEOX_RENAME_BASE);
}

/* ---- Batches: one operation beside another that would succeed ----------------------------------
 */

typedef int (*batch_fill)(struct feox_batch *batch, const struct feox_write_options *o);

static int fill_put(struct feox_batch *batch, const struct feox_write_options *o)
{
	return feox_batch_put(batch, KEY, 3, "new", 3, o);
}

static int fill_delete(struct feox_batch *batch, const struct feox_write_options *o)
{
	return feox_batch_delete(batch, KEY, 3, o);
}

static int fill_metadata(struct feox_batch *batch, const struct feox_write_options *o)
{
	return feox_batch_set_metadata(batch, KEY, 3, "m", 1, o);
}

static int fill_check(struct feox_batch *batch, const struct feox_write_options *o)
{
	return feox_batch_check(batch, KEY, 3, o);
}

static int fill_rename(struct feox_batch *batch, const struct feox_write_options *o)
{
	return feox_batch_rename(batch, KEY, 3, MOVED, 3, NULL);
}

static int fill_rename_onto(struct feox_batch *batch, const struct feox_write_options *o)
{
	struct feox_rename_options noreplace = {.flags = FEOX_RENAME_NOREPLACE};

	return feox_batch_rename(batch, OTHER, 3, KEY, 3, &noreplace);
}

static int batch_with(struct subject *s, batch_fill fill, unsigned int flags, uint64_t expiry_ns)
{
	struct feox_write_options o = {
		.flags = flags, .expiry_ns = expiry_ns, .if_version = s->version};
	struct feox_batch *batch;
	int err;

	assert_int_equal(feox_batch_create(s->store, &batch), 0);
	assert_int_equal(feox_batch_put(batch, "beside", 6, "v", 1, NULL), 0);
	assert_int_equal(fill(batch, &o), 0);
	err = feox_batch_commit(batch, 0, NULL);
	assert_int_equal(has(s->store, "beside"), !err);
	feox_batch_free(batch);
	return err;
}

#define BATCH(name, fill, flags, expiry)                                                           \
	static int call_batch_##name(struct subject *s)                                            \
	{                                                                                          \
		return batch_with(s, fill, flags, expiry);                                         \
	}

BATCH(put, fill_put, 0, 0)
BATCH(put_until, fill_put, 0, NEW)
BATCH(put_create, fill_put, FEOX_CREATE, NEW)
BATCH(put_replace, fill_put, FEOX_REPLACE, NEW)
BATCH(put_if_version, fill_put, FEOX_IF_VERSION, 0)
BATCH(put_if_absent, fill_put, FEOX_IF_ABSENT, NEW)
BATCH(put_keep, fill_put, FEOX_KEEP_EXPIRY | FEOX_KEEP_METADATA, NEW)
BATCH(delete, fill_delete, 0, 0)
BATCH(delete_if_version, fill_delete, FEOX_IF_VERSION, 0)
BATCH(metadata, fill_metadata, 0, 0)
BATCH(rename, fill_rename, 0, 0)
BATCH(rename_onto, fill_rename_onto, 0, 0)
BATCH(check_create, fill_check, FEOX_CREATE, 0)
BATCH(check_replace, fill_check, FEOX_REPLACE, 0)
BATCH(check_if_version, fill_check, FEOX_IF_VERSION, 0)

/* ---- The table ---------------------------------------------------------------------------------
 */

static const struct row rows[] = {
	ROW(rename, -ENOENT, 0, GONE),
	ROW(rename_itself, -ENOENT, 0, KEPT),
	ROW(rename_onto, 0, -EEXIST, KEPT),
	ROW(rename_if_version, -ECANCELED, 0, NONE),
	ROW(exchange, -ENOENT, 0, NONE),
	ROW(rename_prefix, 1, 2, GONE),
	ROW(rename_prefix_onto, 1, -EEXIST, KEPT),
	ROW(exchange_prefix, 1, 1, NONE),
	ROW(rename_base, -ENOENT, 1, GONE),
	ROW(batch_put, 0, 0, NONE),
	ROW(batch_put_until, 0, 0, SET),
	ROW(batch_put_create, 0, -EEXIST, KEPT),
	ROW(batch_put_replace, -ENOENT, 0, SET),
	ROW(batch_put_if_version, -ECANCELED, 0, NONE),
	ROW(batch_put_if_absent, 0, 0, KEPT),
	ROW(batch_put_keep, 0, 0, KEPT),
	ROW(batch_delete, -ENOENT, 0, GONE),
	ROW(batch_delete_if_version, -ECANCELED, 0, GONE),
	ROW(batch_metadata, -ENOENT, 0, KEPT),
	ROW(batch_rename, -ENOENT, 0, GONE),
	ROW(batch_rename_onto, 0, -EEXIST, KEPT),
	ROW(batch_check_create, 0, -EEXIST, KEPT),
	ROW(batch_check_replace, -ENOENT, 0, KEPT),
	ROW(batch_check_if_version, -ECANCELED, 0, KEPT),
};

MATRIX(rows)

/* A batch that only checks the key, which expires at that look of the batch at the clock. */
static int check_with_jump(unsigned int calls, unsigned int flags, bool *ret_jumped)
{
	struct clock clock;
	struct subject s = subject_open(&clock, EXPIRING);
	int err;

	clock.calls_left = calls;
	err = batch_with(&s, fill_check, flags, 0);
	*ret_jumped = clock.now == EXPIRY;
	assert_int_equal(feox_close(s.store), 0);
	return err;
}

/* To the last look, right before the decision: what has expired then is not taken for present. */
static void a_key_expires_during_a_batch(void **state)
{
	unsigned int jumps = 0;
	bool jumped = true;

	for (unsigned int calls = 1; jumped; calls++) {
		int err = check_with_jump(calls, FEOX_REPLACE, &jumped);

		assert_int_equal(err, jumped ? -ENOENT : 0);
		jumps += jumped;
	}
	assert_true(jumps >= 3); /* looking, a version, deciding */
	/* Failing needs no decision: it is as of the first look. */
	assert_int_equal(check_with_jump(1, FEOX_CREATE, &jumped), 0);
	assert_int_equal(check_with_jump(2, FEOX_CREATE, &jumped), -EEXIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MATRIX_TESTS,
		cmocka_unit_test(a_key_expires_during_a_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
