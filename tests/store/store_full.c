/* SPDX-License-Identifier: Apache-2.0 */
/* Full, tiny and fragmented stores: an error at put, never a failure at flush. */
#include "fixture.h"

#include <stdbool.h>

#define HOUR_NS UINT64_C(3600000000000)
#define BLOCK	4096u

static void open_limited(struct fixture *f, uint64_t size, uint64_t flush_interval_ns)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE;
	options.initial_size_bytes = size;
	options.max_size_bytes = size;
	options.flush_interval_ns = flush_interval_ns;
	open_with(f, &options);
}

static int put_number(struct fixture *f, unsigned int n, const void *value, size_t size)
{
	char key[16];

	snprintf(key, sizeof(key), "%06u", n);
	return feox_put(f->store, key, strlen(key), value, size, NULL, NULL);
}

static void del_number(struct fixture *f, unsigned int n, bool sync)
{
	char key[16];

	snprintf(key, sizeof(key), "%06u", n);
	assert_int_equal(del(f->store, key), 0);
	if (sync)
		assert_int_equal(feox_sync(f->store), 0);
}

/* Put numbers from 0 on until the store is full; how many there are. */
static unsigned int fill(struct fixture *f, const void *value, size_t size, unsigned int sync_every)
{
	unsigned int n = 0;
	int err;

	while ((err = put_number(f, n, value, size)) == 0)
		if (++n % sync_every == 0)
			assert_int_equal(feox_sync(f->store), 0);
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(feox_sync(f->store), 0);
	return n;
}

/* The journal of a tiny store makes room for itself: it does not fill the store. */
static void tiny_store_outlives_its_journal(void **state)
{
	struct fixture *f = *state;
	char text[16];

	open_limited(f, 1 << 20, 0);
	for (unsigned int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "%u", i);
		assert_int_equal(put(f->store, "key", text), 0);
		assert_int_equal(feox_sync(f->store), 0);
	}
	close_store(f);
	open_limited(f, 1 << 20, 0);
	expect_text(f->store, "key", "999");
}

/* One delete, one sync, again and again: each takes a block of the journal, none frees an extent.
 */
static void full_store_takes_deletes(void **state)
{
	struct fixture *f = *state;
	uint8_t value[100] = {1};
	unsigned int n;

	open_limited(f, 2 << 20, 0);
	n = fill(f, value, sizeof(value), 1000);
	assert_true(n > 5000);
	for (unsigned int i = 0; i < n; i += 10)
		del_number(f, i, true);
	close_store(f); /* the clean end finds room too */
	open_limited(f, 2 << 20, 0);
	for (unsigned int i = 0; i < n; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%06u", i);
		assert_int_equal(has(f->store, key), i % 10 != 0);
	}
}

/* What deletes free is there for the next put, which makes them durable and waits for that. */
static void room_of_deleted_comes_back_at_once(void **state)
{
	struct fixture *f = *state;
	size_t size = 100000;
	void *value = calloc(1, size);

	open_limited(f, 4 << 20, HOUR_NS);
	for (unsigned int round = 0; round < 3; round++) {
		unsigned int n = fill(f, value, size, 1000);

		assert_true(n > 30);
		for (unsigned int i = 0; i < n; i++)
			del_number(f, i, false);
	}
	free(value);
}

/* Free blocks that lie one by one hold a large value too. */
static void fragmented_store_takes_large_value(void **state)
{
	struct fixture *f = *state;
	uint8_t small[3000] = {1};
	size_t size = 100 * BLOCK;
	uint8_t *large = malloc(size), *back = malloc(size);
	unsigned int n;
	size_t got;

	for (size_t i = 0; i < size; i++)
		large[i] = (uint8_t)(i * 7 + i / 4096);
	open_limited(f, 2 << 20, 0);
	n = fill(f, small, sizeof(small), 1); /* each its own extent of a block */
	assert_true(n > 350);
	for (unsigned int i = 1; i < n; i += 2)
		del_number(f, i, i + 2 >= n);
	assert_int_equal(feox_put(f->store, "large", 5, large, size, NULL, NULL), 0);
	assert_int_equal(feox_sync(f->store), 0);
	close_store(f);
	open_limited(f, 2 << 20, 0);
	assert_int_equal(feox_read(f->store, "large", 5, 0, back, size, 0, &got, NULL), 0);
	assert_int_equal(got, size);
	assert_memory_equal(back, large, size);
	free(large);
	free(back);
}

/* A promise is one value's room: a second put under it finds none, but does no harm. */
static void promise_is_not_room_twice(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options options = {.flags = FEOX_RESERVED};
	size_t size = 700000;
	void *value = calloc(1, size);

	open_limited(f, 2 << 20, 0);
	assert_int_equal(feox_reserve(f->store, size, 0), 0);
	assert_int_equal(feox_reserve(f->store, size, 0), 0);
	assert_int_equal(feox_reserve(f->store, size, 0), -ENOSPC);
	assert_int_equal(feox_put(f->store, "a", 1, value, size, &options, NULL), 0);
	assert_int_equal(feox_sync(f->store), 0);
	assert_int_equal(feox_put(f->store, "b", 1, value, size, &options, NULL), 0);
	assert_int_equal(feox_sync(f->store), 0);
	assert_int_equal(feox_put(f->store, "c", 1, value, size, &options, NULL), -ENOSPC);
	assert_int_equal(feox_sync(f->store), 0);
	feox_unreserve(f->store, size);
	feox_unreserve(f->store, size);
	assert_int_equal(del(f->store, "a"), 0);
	assert_int_equal(feox_put(f->store, "c", 1, value, size, NULL, NULL), 0);
	free(value);
}

/* An extent may not be so large that compaction never has the room to move what lives in it. */
static void small_store_takes_overwrites(void **state)
{
	struct fixture *f = *state;
	uint8_t value[100] = {1};
	struct feox_stats stats;
	unsigned int n = 0;

	open_limited(f, 4 << 20, 0);
	do {
		assert_int_equal(put_number(f, n++, value, sizeof(value)), 0);
		if (n % 500 == 0)
			assert_int_equal(feox_sync(f->store), 0);
		assert_int_equal(feox_stats(f->store, &stats), 0);
	} while (stats.live_bytes < ((uint64_t)4 << 20) / 100 * 72);
	for (unsigned int i = 0; i < 10 * n; i++)
		assert_int_equal(put_number(f, i * 7919u % n, value, sizeof(value)), 0);
	assert_int_equal(feox_stats(f->store, &stats), 0);
	assert_true(stats.compacted_bytes > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tiny_store_outlives_its_journal),	  TEST(full_store_takes_deletes),
		TEST(room_of_deleted_comes_back_at_once), TEST(fragmented_store_takes_large_value),
		TEST(promise_is_not_room_twice),	  TEST(small_store_takes_overwrites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
