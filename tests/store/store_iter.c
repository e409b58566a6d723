/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges: order, bounds, prefixes, reverse, seek, limits, keys that come and go. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

/* All keys an iterator gives, joined by spaces. */
static void expect_keys(struct feox_store *store, const struct feox_iter_options *options,
			const char *expected)
{
	struct feox_iter *iter;
	struct feox_item item;
	char text[1024] = "";
	int more;

	assert_int_equal(feox_iter_open(store, options, &iter), 0);
	while ((more = feox_iter_next(iter, &item)) == 1) {
		if (*text)
			strcat(text, " ");
		strncat(text, item.key, item.key_size);
		if (options->flags & FEOX_ITER_KEYS_ONLY)
			assert_null(item.value);
		else
			assert_memory_equal(item.value, item.key, item.key_size);
	}
	assert_int_equal(more, 0);
	assert_int_equal(feox_iter_next(iter, &item), 0);
	feox_iter_close(iter);
	assert_string_equal(text, expected);
}

static void fill(struct feox_store *store)
{
	static const char *const keys[] = {"b", "a", "c", "ab", "abc", "b/1", "b/2", "b0", "d"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		put(store, keys[i], keys[i]);
}

static void bounds(void **state)
{
	struct fixture *f = *state;

	open_memory_store(f);
	fill(f->store);
	expect_keys(f->store, &(struct feox_iter_options){0}, "a ab abc b b/1 b/2 b0 c d");
	expect_keys(f->store, &(struct feox_iter_options){.flags = FEOX_ITER_REVERSE},
		    "d c b0 b/2 b/1 b abc ab a");
	expect_keys(f->store,
		    &(struct feox_iter_options){
			    .from = "ab", .from_size = 2, .to = "b/1", .to_size = 3},
		    "ab abc b b/1");
	expect_keys(f->store,
		    &(struct feox_iter_options){.from = "ab",
						.from_size = 2,
						.to = "b/1",
						.to_size = 3,
						.flags = FEOX_ITER_FROM_EXCLUSIVE |
							 FEOX_ITER_TO_EXCLUSIVE |
							 FEOX_ITER_REVERSE | FEOX_ITER_KEYS_ONLY},
		    "b abc");
	expect_keys(f->store, &(struct feox_iter_options){.prefix = "b/", .prefix_size = 2},
		    "b/1 b/2");
	expect_keys(f->store,
		    &(struct feox_iter_options){.prefix = "b",
						.prefix_size = 1,
						.from = "b/2",
						.from_size = 3,
						.to = "z",
						.to_size = 1},
		    "b/2 b0");
	expect_keys(f->store, &(struct feox_iter_options){.limit = 3}, "a ab abc");
	expect_keys(f->store, &(struct feox_iter_options){.prefix = "x", .prefix_size = 1}, "");
	expect_keys(
		f->store,
		&(struct feox_iter_options){.from = "c", .from_size = 1, .to = "b", .to_size = 1},
		"");
}

static void seek_skips(void **state)
{
	struct fixture *f = *state;
	struct feox_iter *iter;
	struct feox_item item;

	open_memory_store(f);
	fill(f->store);
	assert_int_equal(
		feox_iter_open(f->store,
			       &(struct feox_iter_options){.prefix = "b", .prefix_size = 1}, &iter),
		0);
	assert_int_equal(feox_iter_next(iter, &item), 1);
	assert_int_equal(feox_iter_seek(iter, "b0", 2), 0);
	assert_int_equal(feox_iter_next(iter, &item), 1);
	assert_memory_equal(item.key, "b0", 2);
	assert_int_equal(feox_iter_seek(iter, "", 0), 0); /* not outside of the prefix */
	assert_int_equal(feox_iter_next(iter, &item), 1);
	assert_int_equal(item.key_size, 1);
	assert_int_equal(feox_iter_seek(iter, "c", 1), 0);
	assert_int_equal(feox_iter_next(iter, &item), 0);
	feox_iter_close(iter);
}

static void many_keys_in_order(void **state)
{
	struct fixture *f = *state;
	struct feox_iter *iter;
	struct feox_item item;
	char key[16], last[16] = "";
	int count = 0;

	open_memory_store(f);
	for (int i = 0; i < 50000; i++) {
		snprintf(key, sizeof(key), "%08x", (unsigned int)i * 2654435761u);
		put(f->store, key, key);
	}
	for (int i = 0; i < 50000; i += 2) {
		snprintf(key, sizeof(key), "%08x", (unsigned int)i * 2654435761u);
		assert_int_equal(del(f->store, key), 0);
	}
	feox_iter_open(f->store, &(struct feox_iter_options){.flags = FEOX_ITER_KEYS_ONLY}, &iter);
	while (feox_iter_next(iter, &item) == 1) {
		assert_int_equal(item.key_size, 8);
		assert_true(memcmp(last, item.key, 8) < 0);
		memcpy(last, item.key, 8);
		count++;
	}
	feox_iter_close(iter);
	assert_int_equal(count, 25000);
}

static _Atomic bool stop;

static void *churn(void *arg)
{
	struct feox_store *store = arg;
	unsigned int i = 0;
	char key[16];

	while (!atomic_load(&stop)) {
		snprintf(key, sizeof(key), "%05u-x", i++ % 2000);
		put(store, key, "v");
		del(store, key);
	}
	return NULL;
}

/* A key present throughout is given exactly once, whatever comes and goes around it. */
static void stable_keys_are_never_missed(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;
	char key[16];

	open_memory_store(f);
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "%05d", i);
		put(f->store, key, key);
	}
	atomic_store(&stop, false);
	pthread_create(&thread, NULL, churn, f->store);
	for (int round = 0; round < 100; round++) {
		struct feox_iter *iter;
		struct feox_item item;
		int next = 0;
		bool reverse = round % 2;

		feox_iter_open(
			f->store,
			&(struct feox_iter_options){.flags = FEOX_ITER_KEYS_ONLY |
							     (reverse ? FEOX_ITER_REVERSE : 0)},
			&iter);
		while (feox_iter_next(iter, &item) == 1) {
			if (item.key_size != 5)
				continue;
			snprintf(key, sizeof(key), "%05d", reverse ? 1999 - next : next);
			assert_memory_equal(item.key, key, 5);
			next++;
		}
		feox_iter_close(iter);
		assert_int_equal(next, 2000);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bounds),
		TEST(seek_skips),
		TEST(many_keys_in_order),
		TEST(stable_keys_are_never_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
