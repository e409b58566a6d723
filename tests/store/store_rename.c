/* SPDX-License-Identifier: Apache-2.0 */
/* Rename of keys and of prefixes: atomic for readers, with no-replace, exchange and limits. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

static void rename_moves_everything(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options o = {.metadata = "meta", .metadata_size = 4};
	struct feox_stat stat;
	char metadata[8];

	open_memory_store(f);
	o.expiry_ns = feox_now(f->store) + 1000000000000;
	feox_put(f->store, "a", 1, "value", 5, &o, NULL);
	assert_int_equal(feox_rename(f->store, "a", 1, "b", 1, NULL), 0);
	expect_text(f->store, "a", NULL);
	expect_text(f->store, "b", "value");
	feox_stat(f->store, "b", 1, metadata, sizeof(metadata), &stat);
	assert_int_equal(stat.expiry_ns, o.expiry_ns);
	assert_int_equal(stat.metadata_size, 4);
	assert_memory_equal(metadata, "meta", 4);
	assert_int_equal(feox_rename(f->store, "a", 1, "c", 1, NULL), -ENOENT);
	assert_int_equal(feox_rename(f->store, "b", 1, "b", 1, NULL), 0);
	assert_int_equal(feox_rename(f->store, "x", 1, "x", 1, NULL), -ENOENT);
}

static void rename_flags(void **state)
{
	struct fixture *f = *state;
	struct feox_rename_options o = {.flags = FEOX_RENAME_NOREPLACE};

	open_memory_store(f);
	put(f->store, "a", "A");
	put(f->store, "b", "B");
	assert_int_equal(feox_rename(f->store, "a", 1, "b", 1, &o), -EEXIST);
	o.flags = FEOX_RENAME_EXCHANGE;
	assert_int_equal(feox_rename(f->store, "a", 1, "b", 1, &o), 0);
	expect_text(f->store, "a", "B");
	expect_text(f->store, "b", "A");
	assert_int_equal(feox_rename(f->store, "a", 1, "x", 1, &o), -ENOENT);
	o.flags = FEOX_IF_VERSION;
	o.if_version = version_of(f->store, "b") + 1;
	assert_int_equal(feox_rename(f->store, "a", 1, "b", 1, &o), -ECANCELED);
	o.if_version--;
	assert_int_equal(feox_rename(f->store, "a", 1, "b", 1, &o), 0);
	expect_text(f->store, "b", "B");
}

static void prefix_moves_all_below(void **state)
{
	struct fixture *f = *state;
	struct feox_rename_options o = {.flags = FEOX_RENAME_NOREPLACE};
	uint64_t moved;

	open_memory_store(f);
	put(f->store, "d/", "");
	put(f->store, "d/1", "one");
	put(f->store, "d/sub/2", "two");
	put(f->store, "d0", "neighbour");
	put(f->store, "e/3", "gone");
	put(f->store, "e/1", "replaced");
	assert_int_equal(feox_rename_prefix(f->store, "d/", 2, "e/", 2, &o, NULL, &moved), -EEXIST);
	assert_int_equal(feox_rename_prefix(f->store, "d/", 2, "d/x/", 4, NULL, NULL, &moved),
			 -EINVAL);
	assert_int_equal(feox_rename_prefix(f->store, "d/", 2, "e/", 2, NULL, NULL, &moved), 0);
	assert_int_equal(moved, 3);
	expect_text(f->store, "e/", "");
	expect_text(f->store, "e/1", "one");
	expect_text(f->store, "e/sub/2", "two");
	expect_text(f->store, "e/3", NULL);
	expect_text(f->store, "d0", "neighbour");
	expect_text(f->store, "d/1", NULL);
	assert_int_equal(feox_rename_prefix(f->store, "d/", 2, "e/", 2, NULL, NULL, &moved),
			 -ENOENT);
	o = (struct feox_rename_options){.max_keys = 2};
	assert_int_equal(feox_rename_prefix(f->store, "e/", 2, "g/", 2, &o, NULL, &moved), -E2BIG);
	expect_text(f->store, "e/1", "one");
}

static void prefixes_exchange(void **state)
{
	struct fixture *f = *state;
	struct feox_rename_options o = {.flags = FEOX_RENAME_EXCHANGE};

	open_memory_store(f);
	put(f->store, "d/1", "d1");
	put(f->store, "d/2", "d2");
	put(f->store, "e/2", "e2");
	put(f->store, "e/3", "e3");
	assert_int_equal(feox_rename_prefix(f->store, "d/", 2, "e/", 2, &o, NULL, NULL), 0);
	expect_text(f->store, "e/1", "d1");
	expect_text(f->store, "e/2", "d2");
	expect_text(f->store, "e/3", NULL);
	expect_text(f->store, "d/1", NULL);
	expect_text(f->store, "d/2", "e2");
	expect_text(f->store, "d/3", "e3");
}

static int move_tree(struct fixture *f, const char *from, const char *to, unsigned int flags,
		     struct feox_batch *batch, uint64_t *ret_moved)
{
	struct feox_rename_options o = {.flags = flags};

	return feox_rename_prefix(f->store, from, strlen(from), to, strlen(to), &o, batch,
				  ret_moved);
}

static void base_keys_go_along(void **state)
{
	struct fixture *f = *state;
	uint64_t moved;

	open_memory_store(f);
	put(f->store, "d", "base");
	put(f->store, "d/1", "one");
	put(f->store, "dd", "neighbour");
	assert_int_equal(move_tree(f, "d/", "e/", FEOX_RENAME_BASE, NULL, &moved), 0);
	assert_int_equal(moved, 2);
	expect_text(f->store, "e", "base");
	expect_text(f->store, "e/1", "one");
	expect_text(f->store, "d", NULL);
	expect_text(f->store, "dd", "neighbour");
	put(f->store, "d", "not below"); /* without the flag it stays */
	put(f->store, "d/2", "two");
	assert_int_equal(move_tree(f, "d/", "g/", 0, NULL, &moved), 0);
	assert_int_equal(moved, 1);
	expect_text(f->store, "d", "not below");
	/* A base alone is enough to move, and what is in the way of none goes. */
	assert_int_equal(move_tree(f, "d/", "h/", FEOX_RENAME_BASE, NULL, &moved), 0);
	assert_int_equal(moved, 1);
	assert_int_equal(move_tree(f, "g/", "h/", FEOX_RENAME_BASE, NULL, &moved), 0);
	expect_text(f->store, "h", NULL);
	expect_text(f->store, "h/2", "two");
	assert_int_equal(move_tree(f, "x/", "y/", FEOX_RENAME_BASE, NULL, &moved), -ENOENT);
}

static void base_keys_obey_flags(void **state)
{
	struct fixture *f = *state;
	const unsigned int exchange = FEOX_RENAME_BASE | FEOX_RENAME_EXCHANGE;

	open_memory_store(f);
	put(f->store, "d", "D");
	put(f->store, "d/1", "d1");
	put(f->store, "e", "E");
	assert_int_equal(
		move_tree(f, "d/", "e/", FEOX_RENAME_BASE | FEOX_RENAME_NOREPLACE, NULL, NULL),
		-EEXIST);
	assert_int_equal(move_tree(f, "d/", "e/", exchange, NULL, NULL), 0);
	expect_text(f->store, "d", "E");
	expect_text(f->store, "e", "D");
	expect_text(f->store, "e/1", "d1");
	assert_int_equal(del(f->store, "e"), 0);
	assert_int_equal(move_tree(f, "d/", "e/", exchange, NULL, NULL), 0);
	expect_text(f->store, "d", NULL);
	expect_text(f->store, "e", "E");
	expect_text(f->store, "d/1", "d1");
	assert_int_equal(move_tree(f, "d/", "e:", FEOX_RENAME_BASE, NULL, NULL), -EINVAL);
	assert_int_equal(move_tree(f, "d/", "e/", exchange | FEOX_RENAME_NOREPLACE, NULL, NULL),
			 -EINVAL);
}

/* The batch's operations and the keys' move are one change; they must not be about the same keys.
 */
static void prefix_moves_with_a_batch(void **state)
{
	static const char *const taken[] = {"d/new", "e/new", "d", "e"};
	struct fixture *f = *state;
	struct feox_write_options create = {.flags = FEOX_CREATE};
	struct feox_batch *batch;

	open_memory_store(f);
	put(f->store, "d/1", "one");
	put(f->store, "d", "base");
	assert_int_equal(feox_batch_create(f->store, &batch), 0);
	for (int i = 0; i < 4; i++) {
		feox_batch_put(batch, taken[i], strlen(taken[i]), "v", 1, NULL);
		assert_int_equal(move_tree(f, "d/", "e/", FEOX_RENAME_BASE, batch, NULL), -EINVAL);
	}
	feox_batch_rename(batch, "x", 1, "e/y", 3, NULL);
	assert_int_equal(move_tree(f, "d/", "e/", 0, batch, NULL), -EINVAL);
	feox_batch_put(batch, "d/1", 3, "v", 1, NULL);
	assert_int_equal(move_tree(f, "d/", "e/", FEOX_NOWAIT, batch, NULL), -EAGAIN);
	/* Used up every time, so this one is alone: and fails, with all that belongs to it. */
	feox_batch_put(batch, "d", 1, "v", 1, &create);
	assert_int_equal(move_tree(f, "d/", "e/", 0, batch, NULL), -EEXIST);
	expect_text(f->store, "d/1", "one");
	feox_batch_put(batch, "beside", 6, "v", 1, &create);
	feox_batch_rename(batch, "d", 1, "e", 1, NULL);
	assert_int_equal(move_tree(f, "d/", "e/", 0, batch, NULL), 0);
	expect_text(f->store, "beside", "v");
	expect_text(f->store, "e", "base");
	expect_text(f->store, "e/1", "one");
	feox_batch_free(batch);
}

#define CHILDREN 100

static _Atomic bool stop;

static void *swing(void *arg)
{
	struct feox_store *store = arg;

	for (unsigned int i = 0; !atomic_load(&stop); i++)
		assert_int_equal(feox_rename_prefix(store, i % 2 ? "y/" : "x/", 2,
						    i % 2 ? "x/" : "y/", 2, NULL, NULL, NULL),
				 0);
	return NULL;
}

static void *rewrite(void *arg)
{
	struct feox_store *store = arg;
	struct feox_write_options replace = {.flags = FEOX_REPLACE};

	for (unsigned int i = 0; !atomic_load(&stop); i++) {
		char key[16];

		snprintf(key, sizeof(key), "%c/%03u", i % 2 ? 'x' : 'y', i % CHILDREN);
		feox_put(store, key, strlen(key), key + 2, 3, &replace, NULL);
	}
	return NULL;
}

/* Every child is under exactly one of the two names, before, during and after each rename. */
static void a_swinging_prefix_is_whole(void **state)
{
	struct fixture *f = *state;
	pthread_t swinger, writer;
	char key[16];
	int present = 0;

	open_file_store(f);
	for (int i = 0; i < CHILDREN; i++) {
		snprintf(key, sizeof(key), "x/%03d", i);
		put(f->store, key, key + 2);
	}
	atomic_store(&stop, false);
	pthread_create(&swinger, NULL, swing, f->store);
	pthread_create(&writer, NULL, rewrite, f->store);
	for (int round = 0; round < 200; round++) {
		snprintf(key, sizeof(key), "x/%03d", round % CHILDREN);
		for (int tries = 0;;
		     tries++) { /* there all the time, under one name or the other */
			if (has(f->store, key))
				break;
			key[0] = key[0] == 'x' ? 'y' : 'x';
			assert_true(tries < 1000);
		}
	}
	atomic_store(&stop, true);
	pthread_join(swinger, NULL);
	pthread_join(writer, NULL);
	reopen(f);
	for (int i = 0; i < 2 * CHILDREN; i++) {
		snprintf(key, sizeof(key), "%c/%03d", i % 2 ? 'x' : 'y', i / 2);
		if (has(f->store, key)) {
			present++;
			expect_text(f->store, key, key + 2);
		}
	}
	assert_int_equal(present, CHILDREN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rename_moves_everything),	 TEST(rename_flags),
		TEST(prefix_moves_all_below),	 TEST(prefixes_exchange),
		TEST(base_keys_go_along),	 TEST(base_keys_obey_flags),
		TEST(prefix_moves_with_a_batch), TEST(a_swinging_prefix_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
