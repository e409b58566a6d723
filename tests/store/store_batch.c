/* SPDX-License-Identifier: Apache-2.0 */
/* Batches: all or nothing, for readers and for conditions. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

static void all_happen(void **state)
{
	struct fixture *f = *state;
	struct feox_batch *batch;

	open_memory_store(f);
	put(f->store, "old", "1");
	put(f->store, "from", "moved");
	put(f->store, "meta", "kept");
	assert_int_equal(feox_batch_create(f->store, &batch), 0);
	assert_int_equal(feox_batch_put(batch, "new", 3, "2", 1, NULL), 0);
	assert_int_equal(feox_batch_delete(batch, "old", 3, NULL), 0);
	assert_int_equal(feox_batch_rename(batch, "from", 4, "to", 2, NULL), 0);
	assert_int_equal(feox_batch_set_metadata(batch, "meta", 4, "m", 1, NULL), 0);
	assert_int_equal(feox_batch_commit(batch, 0, NULL), 0);
	feox_batch_free(batch);
	expect_text(f->store, "new", "2");
	expect_text(f->store, "old", NULL);
	expect_text(f->store, "from", NULL);
	expect_text(f->store, "to", "moved");
	expect_text(f->store, "meta", "kept");
}

static void one_failure_undoes_all(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options create = {.flags = FEOX_CREATE};
	struct feox_iter *iter;
	struct feox_item item;
	struct feox_batch *batch;
	size_t failed = 99;

	open_memory_store(f);
	put(f->store, "there", "x");
	feox_batch_create(f->store, &batch);
	feox_batch_put(batch, "a", 1, "1", 1, NULL);
	feox_batch_put(batch, "there", 5, "2", 1, &create);
	feox_batch_put(batch, "z", 1, "3", 1, NULL);
	assert_int_equal(feox_batch_commit(batch, 0, &failed), -EEXIST);
	assert_int_equal(failed, 1);
	expect_text(f->store, "a", NULL);
	expect_text(f->store, "z", NULL);
	expect_text(f->store, "there", "x");
	feox_iter_open(f->store, NULL, &iter);
	assert_int_equal(feox_iter_next(iter, &item), 1);
	assert_int_equal(feox_iter_next(iter, &item), 0);
	feox_iter_close(iter);
	/* The batch is empty again and may be used. */
	assert_int_equal(feox_batch_commit(batch, 0, NULL), 0);
	feox_batch_put(batch, "a", 1, "1", 1, NULL);
	assert_int_equal(feox_batch_commit(batch, 0, NULL), 0);
	expect_text(f->store, "a", "1");
	feox_batch_free(batch);
}

static void a_key_may_be_named_once(void **state)
{
	struct fixture *f = *state;
	struct feox_batch *batch;

	open_memory_store(f);
	feox_batch_create(f->store, &batch);
	feox_batch_put(batch, "a", 1, "1", 1, NULL);
	feox_batch_delete(batch, "a", 1, NULL);
	assert_int_equal(feox_batch_commit(batch, 0, NULL), -EINVAL);
	expect_text(f->store, "a", NULL);
	feox_batch_free(batch);
}

static void if_absent_leaves_what_is_there(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options absent = {.flags = FEOX_IF_ABSENT};
	struct feox_batch *batch;
	uint64_t version;

	open_memory_store(f);
	put(f->store, "marker", "");
	version = version_of(f->store, "marker");
	feox_batch_create(f->store, &batch);
	feox_batch_put(batch, "marker", 6, "x", 1, &absent);
	feox_batch_put(batch, "other", 5, "y", 1, &absent);
	assert_int_equal(feox_batch_commit(batch, 0, NULL), 0);
	assert_int_equal(version_of(f->store, "marker"), version);
	expect_text(f->store, "other", "y");
	feox_batch_free(batch);
}

#define KEYS 8

static _Atomic bool stop;
static _Atomic int moves;

/* Moves a token round: deletes it at one key and puts it at another in one batch. */
static void *move_token(void *arg)
{
	struct feox_store *store = arg;

	for (unsigned int i = 0; !atomic_load(&stop); i++) {
		struct feox_batch *batch;
		char from[2] = {(char)('a' + i % KEYS), 0};
		char to[2] = {(char)('a' + (i + 1) % KEYS), 0};

		feox_batch_create(store, &batch);
		feox_batch_rename(batch, from, 1, to, 1, NULL);
		feox_batch_put(batch, "shadow", 6, to, 1, NULL);
		assert_int_equal(feox_batch_commit(batch, 0, NULL), 0);
		feox_batch_free(batch);
		atomic_fetch_add(&moves, 1);
	}
	return NULL;
}

/* Disturbs the same keys with conditions that never hold. */
static void *disturb(void *arg)
{
	struct feox_store *store = arg;

	for (unsigned int i = 0; !atomic_load(&stop); i++) {
		struct feox_write_options never = {.flags = FEOX_IF_VERSION, .if_version = 1};
		char key[2] = {(char)('a' + i % KEYS), 0};
		struct feox_batch *batch;

		assert_int_equal(feox_put(store, key, 1, "bad", 3, &never, NULL), -ECANCELED);
		feox_batch_create(store, &batch);
		feox_batch_put(batch, key, 1, "bad", 3, NULL);
		feox_batch_delete(batch, "nothing", 7, NULL);
		assert_int_equal(feox_batch_commit(batch, 0, NULL), -ENOENT);
		feox_batch_free(batch);
	}
	return NULL;
}

static void check_token(struct fixture *f)
{
	pthread_t mover, disturber;
	struct feox_stats stats;
	int present = 0;

	put(f->store, "a", "token");
	atomic_store(&stop, false);
	atomic_store(&moves, 0);
	pthread_create(&mover, NULL, move_token, f->store);
	pthread_create(&disturber, NULL, disturb, f->store);
	for (int round = 0; round < 20000 || atomic_load(&moves) < 1000; round++) {
		char key[2] = {(char)('a' + round % KEYS), 0};
		struct feox_value value;

		if (feox_get(f->store, key, 1, 0, &value))
			continue;
		assert_int_equal(value.size, 5); /* never "bad", never torn */
		feox_value_release(f->store, &value);
	}
	atomic_store(&stop, true);
	pthread_join(mover, NULL);
	pthread_join(disturber, NULL);
	for (int i = 0; i < KEYS; i++) {
		char key[2] = {(char)('a' + i), 0};

		present += has(f->store, key);
	}
	assert_int_equal(present, 1);
	feox_stats(f->store, &stats);
	assert_int_equal(stats.keys, 2);
}

static void a_moving_token_is_never_doubled_or_lost_in_memory(void **state)
{
	open_memory_store(*state);
	check_token(*state);
}

static void a_moving_token_is_never_doubled_or_lost_on_disk(void **state)
{
	struct fixture *f = *state;

	open_file_store(f);
	check_token(f);
	int present = 0;

	reopen(f);
	for (int i = 0; i < KEYS; i++) {
		char key[2] = {(char)('a' + i), 0};

		present += has(f->store, key);
	}
	assert_int_equal(present, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_happen),
		TEST(one_failure_undoes_all),
		TEST(a_key_may_be_named_once),
		TEST(if_absent_leaves_what_is_there),
		TEST(a_moving_token_is_never_doubled_or_lost_in_memory),
		TEST(a_moving_token_is_never_doubled_or_lost_on_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
