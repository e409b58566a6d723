/* SPDX-License-Identifier: Apache-2.0 */
/* Scans for keys, which ask the hash index as seldom as they may; and seeking within what was read.
 */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- Keys only ------------------------------------------------------------------------------- */

static size_t count_keys_only(struct feox_store *store)
{
	struct feox_iter *iter;
	struct feox_item item;
	size_t n = 0;

	feox_iter_open(store, &(struct feox_iter_options){.flags = FEOX_ITER_KEYS_ONLY}, &iter);
	while (feox_iter_next(iter, &item) == 1) {
		assert_null(item.value);
		assert_int_equal(item.value_size | item.version | item.expiry_ns, 0);
		n++;
	}
	feox_iter_close(iter);
	return n;
}

static uint64_t fake_now(void *ctx)
{
	return *(uint64_t *)ctx;
}

/* Fill a store, and look at it until scans for keys believe the order. */
static void open_settled(struct fixture *f, unsigned int keys)
{
	struct feox_options options = FEOX_OPTIONS_INIT;
	char key[16];

	options.now = fake_now;
	options.now_ctx = &f->now;
	options.flags = FEOX_OPEN_NO_SWEEPER;
	f->now = 1000000000;
	open_with(f, &options);
	for (unsigned int i = 0; i < keys; i++) {
		snprintf(key, sizeof(key), "%04u", i);
		assert_int_equal(put(f->store, key, "v"), 0);
	}
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(count_keys_only(f->store), keys);
}

static void key_of(char *key, size_t size, unsigned int i)
{
	snprintf(key, size, "%04u", i % 10000);
}

/* However a key goes, and whatever was known of it, a scan for keys does not give it any more. */
static void keys_that_go(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options soon = {.expiry_ns = 2000000000};
	struct feox_batch *batch;
	char key[16];

	open_settled(f, 200);
	key_of(key, sizeof(key), 7);
	assert_int_equal(del(f->store, key), 0);
	assert_int_equal(count_keys_only(f->store), 199);
	key_of(key, sizeof(key), 8);
	assert_int_equal(feox_set_expiry(f->store, key, 4, soon.expiry_ns, NULL), 0);
	key_of(key, sizeof(key), 9);
	assert_int_equal(feox_put(f->store, key, 4, "w", 1, &soon, NULL), 0);
	assert_int_equal(count_keys_only(f->store), 199);
	f->now = 2000000000;
	assert_int_equal(count_keys_only(f->store), 197);
	key_of(key, sizeof(key), 8); /* it never comes back by itself, and goes like any other */
	assert_int_equal(put(f->store, key, "x"), 0);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(count_keys_only(f->store), 198);
	assert_int_equal(del(f->store, key), 0);
	assert_int_equal(count_keys_only(f->store), 197);
	assert_int_equal(feox_batch_create(f->store, &batch), 0);
	for (unsigned int i = 100; i < 150; i++) {
		key_of(key, sizeof(key), i);
		assert_int_equal(feox_batch_delete(batch, key, 4, NULL), 0);
	}
	assert_int_equal(feox_batch_commit(batch, 0, NULL), 0);
	feox_batch_free(batch);
	assert_int_equal(count_keys_only(f->store), 147);
	assert_int_equal(feox_rename(f->store, "0010", 4, "0011", 4, NULL), 0);
	assert_int_equal(count_keys_only(f->store), 146);
	assert_int_equal(feox_rename_prefix(f->store, "001", 3, "x", 1, NULL, NULL, NULL), 0);
	assert_int_equal(count_keys_only(f->store), 146);
}

/* STAT gives all but the value. */
static void stat_without_values(void **state)
{
	struct fixture *f = *state;
	struct feox_iter *iter;
	struct feox_item item;

	open_memory_store(f);
	for (unsigned int i = 0; i < 9; i++) {
		char key[16];

		key_of(key, sizeof(key), i * 1000);
		assert_int_equal(put(f->store, key, key), 0);
	}
	assert_int_equal(feox_iter_open(f->store,
					&(struct feox_iter_options){.flags = FEOX_ITER_STAT},
					&iter),
			 0);
	for (int i = 0; i < 9; i++) {
		char key[16] = "";

		assert_int_equal(feox_iter_next(iter, &item), 1);
		assert_null(item.value);
		assert_int_equal(item.value_size, item.key_size);
		memcpy(key, item.key, item.key_size);
		assert_int_equal(item.version, version_of(f->store, key));
	}
	assert_int_equal(feox_iter_next(iter, &item), 0);
	feox_iter_close(iter);
	assert_int_equal(feox_iter_open(f->store,
					&(struct feox_iter_options){.flags = FEOX_ITER_STAT |
									     FEOX_ITER_KEYS_ONLY},
					&iter),
			 -EINVAL);
}

/* ---- Seek ------------------------------------------------------------------------------------ */

/* Everywhere from everywhere, in both directions. */
static void seek_anywhere(void **state)
{
	struct fixture *f = *state;
	char key[16];

	open_settled(f, 300);
	for (unsigned int reverse = 0; reverse < 2; reverse++) {
		struct feox_iter_options options = {.from = "0010",
						    .from_size = 4,
						    .to = "0289",
						    .to_size = 4,
						    .flags = FEOX_ITER_KEYS_ONLY |
							     (reverse ? FEOX_ITER_REVERSE : 0)};
		struct feox_iter *iter;
		struct feox_item item;
		unsigned int at = 0;

		assert_int_equal(feox_iter_open(f->store, &options, &iter), 0);
		for (unsigned int i = 0; i < 3000; i++) {
			unsigned int to;

			at = (at * 1103515245u + 12345u) & 0x7fffffff;
			to = at >> 8 & 1 ? at / 512 % 300 : (at / 512 % 300 + 3) % 300;
			key_of(key, sizeof(key), to);
			assert_int_equal(feox_iter_seek(iter, key, 4), 0);
			to = to < 10 ? 10 : to > 289 ? 289 : to;
			if ((reverse && atoi(key) < 10) || (!reverse && atoi(key) > 289)) {
				assert_int_equal(feox_iter_next(iter, &item), 0);
				continue;
			}
			for (unsigned int k = 0; k < 1 + i % 20; k++) {
				if (reverse ? to - k < 10 : to + k > 289)
					break;
				assert_int_equal(feox_iter_next(iter, &item), 1);
				key_of(key, sizeof(key), reverse ? to - k : to + k);
				assert_memory_equal(item.key, key, 4);
			}
		}
		feox_iter_close(iter);
	}
}

#define LONG_STEP 512u

/* Keys that do not fit into an iterator's first room, with any limit. */
static void long_keys(void **state)
{
	static uint8_t key[FEOX_KEY_MAX];
	struct fixture *f = *state;
	struct feox_iter *iter;
	struct feox_item item;

	open_memory_store(f);
	memset(key, 'k', sizeof(key));
	for (size_t size = 0; size <= sizeof(key); size += LONG_STEP)
		assert_int_equal(feox_put(f->store, key, size, key, size, NULL, NULL), 0);
	for (uint64_t limit = 0; limit < 40; limit++) {
		size_t size = 0;

		feox_iter_open(f->store, &(struct feox_iter_options){.limit = limit}, &iter);
		while (feox_iter_next(iter, &item) == 1) {
			assert_int_equal(item.key_size, size);
			assert_int_equal(item.value_size, size);
			assert_memory_equal(item.key, key, size);
			assert_memory_equal(item.value, key, size);
			size += LONG_STEP;
		}
		assert_int_equal(size / LONG_STEP,
				 limit && limit < 33 ? limit : sizeof(key) / LONG_STEP + 1);
		feox_iter_close(iter);
	}
}

/* The key to seek to may be the last item's, and the first one there does not fit. */
static void seek_to_the_item_itself(void **state)
{
	static uint8_t key[FEOX_KEY_MAX];
	struct fixture *f = *state;
	struct feox_iter *iter;
	struct feox_item item;

	open_memory_store(f);
	memset(key, 'k', sizeof(key));
	for (size_t size = 0; size <= sizeof(key); size += LONG_STEP)
		assert_int_equal(feox_put(f->store, key, size, key, 0, NULL, NULL), 0);
	for (unsigned int flags = 0; flags <= FEOX_ITER_REVERSE; flags += FEOX_ITER_REVERSE) {
		feox_iter_open(f->store, &(struct feox_iter_options){.flags = flags}, &iter);
		for (size_t i = 0; i <= sizeof(key) / LONG_STEP; i++) {
			size_t size = flags ? sizeof(key) - i * LONG_STEP : i * LONG_STEP;

			assert_int_equal(feox_iter_next(iter, &item), 1);
			assert_int_equal(item.key_size, size);
			assert_int_equal(feox_iter_seek(iter, item.key, item.key_size), 0);
			assert_int_equal(feox_iter_next(iter, &item), 1);
			assert_int_equal(item.key_size, size);
		}
		assert_int_equal(feox_iter_next(iter, &item), 0);
		feox_iter_close(iter);
	}
}

/* ---- While writers run ----------------------------------------------------------------------- */

#define FLICKERING  100u
#define FLICKER_MAX 60000u

struct flicker {
	struct feox_store *store;
	/* Of each key: bit 0, is it there; bit 1, is that being changed; above, how often it was.
	 */
	_Atomic uint64_t said[FLICKERING];
	_Atomic bool done;
};

static void *flicker(void *arg)
{
	struct flicker *fl = arg;
	bool there[FLICKERING] = {false};
	unsigned int r = 1;
	char key[16];

	for (unsigned int i = 0; i < FLICKER_MAX; i++) {
		unsigned int k;

		r = r * 1103515245u + 12345u;
		k = r / 65536 % FLICKERING;
		key_of(key, sizeof(key), k);
		atomic_fetch_add(&fl->said[k], 2);
		if (!there[k])
			put(fl->store, key, "v");
		else if (r >> 8 & 1)
			del(fl->store, key);
		else
			feox_set_expiry(fl->store, key, 4, 1, NULL);
		there[k] = !there[k];
		atomic_store(&fl->said[k],
			     ((atomic_load(&fl->said[k]) + 2) & ~UINT64_C(1)) | (there[k] ? 1 : 0));
	}
	atomic_store(&fl->done, true);
	return NULL;
}

/* A key that a scan for keys gives was there while it ran, one that it does not give was not. */
static void scans_tell_the_truth(void **state)
{
	struct fixture *f = *state;
	struct flicker fl = {0};
	pthread_t thread;

	open_memory_store(f);
	fl.store = f->store;
	pthread_create(&thread, NULL, flicker, &fl);
	while (!atomic_load(&fl.done)) {
		uint64_t before[FLICKERING];
		bool given[FLICKERING] = {false};
		struct feox_iter *iter;
		struct feox_item item;

		for (unsigned int k = 0; k < FLICKERING; k++)
			before[k] = atomic_load(&fl.said[k]);
		feox_iter_open(f->store,
			       &(struct feox_iter_options){
				       .flags = FEOX_ITER_KEYS_ONLY |
						(before[0] & 4 ? FEOX_ITER_REVERSE : 0)},
			       &iter);
		while (feox_iter_next(iter, &item) == 1) {
			char text[16] = "";

			memcpy(text, item.key, 4);
			given[atoi(text)] = true;
		}
		feox_iter_close(iter);
		for (unsigned int k = 0; k < FLICKERING; k++)
			if (atomic_load(&fl.said[k]) == before[k] && !(before[k] & 2))
				assert_int_equal(given[k], before[k] & 1);
	}
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keys_that_go), TEST(stat_without_values),	   TEST(seek_anywhere),
		TEST(long_keys),    TEST(seek_to_the_item_itself), TEST(scans_tell_the_truth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
