/* SPDX-License-Identifier: Apache-2.0 */
/* A data set larger than the memory limit: clean values leave memory, keys stay. */
#include "fixture.h"

#include <pthread.h>
#include <stdbool.h>

#define MIB	((uint64_t)1 << 20)
#define HOUR_NS UINT64_C(3600000000000)

struct data {
	struct fixture *f;
	uint32_t keys;
	size_t value_size;
	uint64_t limit;
};

static void make_value(const struct data *d, uint8_t *value, uint32_t key, uint32_t turn)
{
	for (size_t i = 0; i < d->value_size; i += 4) {
		uint32_t word = (uint32_t)(i * 2654435761u) ^ key * 40503u ^ turn << 24;

		memcpy(value + i, &word, d->value_size - i < 4 ? d->value_size - i : 4);
	}
}

static size_t name(char *text, uint32_t key)
{
	return (size_t)snprintf(text, 24, "key-%08u", key);
}

static int put_turn(const struct data *d, uint32_t key, uint32_t turn)
{
	uint8_t *value = malloc(d->value_size);
	char text[24];
	int err;

	make_value(d, value, key, turn);
	err = feox_put(d->f->store, text, name(text, key), value, d->value_size, NULL, NULL);
	free(value);
	return err;
}

static void check_value(const struct data *d, uint32_t key, uint32_t turn)
{
	uint8_t *expected = malloc(d->value_size);
	struct feox_value value;
	char text[24];

	make_value(d, expected, key, turn);
	assert_int_equal(feox_get(d->f->store, text, name(text, key), 0, &value), 0);
	assert_int_equal(value.size, d->value_size);
	assert_memory_equal(value.data, expected, d->value_size);
	feox_value_release(d->f->store, &value);
	free(expected);
}

static struct feox_stats stats_of(const struct data *d)
{
	struct feox_stats stats;

	assert_int_equal(feox_stats(d->f->store, &stats), 0);
	return stats;
}

static void open_limited(const struct data *d, uint64_t flush_interval_ns)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	options.path = d->f->path;
	options.flags = FEOX_OPEN_CREATE;
	options.memory_limit_bytes = d->limit;
	options.flush_interval_ns = flush_interval_ns;
	open_with(d->f, &options);
}

static void write_all(const struct data *d)
{
	for (uint32_t key = 0; key < d->keys; key++) {
		assert_int_equal(put_turn(d, key, 0), 0);
		if (key % 1024 == 0)
			assert_true(stats_of(d).memory_bytes <= d->limit);
	}
}

static void ten_times_the_limit(struct data *d)
{
	open_limited(d, 0);
	write_all(d);
	for (uint32_t key = 0; key < d->keys; key += 3)
		assert_int_equal(put_turn(d, key, 1), 0);
	for (uint32_t key = 0; key < d->keys; key++)
		check_value(d, key, key % 3 == 0);
	assert_true(stats_of(d).memory_bytes <= d->limit);
	assert_true(stats_of(d).cooled_values > d->keys / 2);
	close_store(d->f);
	open_limited(d, 0);
	for (uint32_t key = 0; key < d->keys; key++)
		check_value(d, d->keys - 1 - key, (d->keys - 1 - key) % 3 == 0);
	assert_true(stats_of(d).memory_bytes <= d->limit);
}

static void large_values_ten_times_the_limit(void **state)
{
	ten_times_the_limit(
		&(struct data){.f = *state, .keys = 1200, .value_size = 140000, .limit = 16 * MIB});
}

static void inline_values_ten_times_the_limit(void **state)
{
	ten_times_the_limit(&(struct data){
		.f = *state, .keys = 160000, .value_size = 1000, .limit = 16 * MIB + 160000 * 100});
}

/* What is not durable cannot leave: a writer waits until it is. */
static void dirty_values_become_clean_first(void **state)
{
	struct data d = {.f = *state, .keys = 600, .value_size = 100000, .limit = 16 * MIB};

	open_limited(&d, HOUR_NS);
	write_all(&d);
	for (uint32_t key = 0; key < d.keys; key++)
		check_value(&d, key, 0);
}

/* Keys do not leave, and that is said when they fill the limit; deletes make room again. */
static void keys_alone_fill_the_limit(void **state)
{
	struct data d = {.f = *state, .keys = 1000000, .value_size = 8, .limit = 16 * MIB};
	uint32_t n = 0;
	int err;

	open_limited(&d, 0);
	while ((err = put_turn(&d, n, 0)) == 0)
		n++;
	assert_int_equal(err, -ENOMEM);
	assert_true(n > 50000);
	for (uint32_t key = 0; key < n; key += 997)
		check_value(&d, key, 0);
	for (uint32_t key = 0; key < n; key += 2) {
		char text[24];

		assert_int_equal(feox_delete(d.f->store, text, name(text, key), NULL), 0);
	}
	assert_int_equal(feox_sync(d.f->store), 0);
	assert_int_equal(put_turn(&d, n, 0), 0);
}

/* A value that is used stays when others come and go. */
static void used_values_stay(void **state)
{
	struct data d = {.f = *state, .keys = 4000, .value_size = 20000, .limit = 16 * MIB};
	uint64_t before, read = 0;

	open_limited(&d, 0);
	write_all(&d);
	assert_int_equal(feox_sync(d.f->store), 0);
	for (uint32_t key = 0; key < d.keys; key++) {
		check_value(&d, key, 0);
		before = stats_of(&d).read_bytes;
		check_value(&d, 0, 0); /* between any two others */
		read += stats_of(&d).read_bytes != before;
	}
	assert_true(read < d.keys / 2);
}

/* Pinned values do not leave, and are what they were. */
static void pins_outlive_eviction(void **state)
{
	struct data d = {.f = *state, .keys = 8000, .value_size = 900, .limit = 16 * MIB};
	struct feox_value pinned[100];
	uint8_t expected[900];
	char text[24];

	open_limited(&d, 0);
	for (uint32_t key = 0; key < 100; key++) {
		assert_int_equal(put_turn(&d, key, 0), 0);
		assert_int_equal(feox_get(d.f->store, text, name(text, key), 0, &pinned[key]), 0);
	}
	d.keys = 60000;
	write_all(&d);
	for (uint32_t key = 0; key < 100; key++) {
		make_value(&d, expected, key, 0);
		assert_memory_equal(pinned[key].data, expected, sizeof(expected));
		feox_value_release(d.f->store, &pinned[key]);
	}
}

/* Cold values of many keys, and of a range, are read together. */
static void cold_values_are_read_together(void **state)
{
	struct data d = {.f = *state, .keys = 1000, .value_size = 3000, .limit = 16 * MIB};
	struct feox_iter_options range = {0};
	struct feox_iter *iter;
	struct feox_item item;
	uint8_t expected[3000];
	uint32_t n = 0;
	int more;

	open_limited(&d, 0);
	write_all(&d);
	for (unsigned int round = 0; round < 2; round++) {
		static struct feox_key keys[1001];
		static struct feox_value values[1001];
		static char names[1001][24];
		static int errors[1001];

		close_store(d.f);
		open_limited(&d, 0);
		for (uint32_t i = 0; i <= 1000; i++) /* the last one is absent */
			keys[i] = (struct feox_key){.data = names[i], .size = name(names[i], i)};
		assert_int_equal(feox_get_many(d.f->store, keys, 1001, round ? FEOX_NOWAIT : 0,
					       values, errors),
				 0);
		for (uint32_t i = 0; i < 1000; i++) {
			assert_int_equal(errors[i], round ? -EAGAIN : 0);
			make_value(&d, expected, i, 0);
			if (!round)
				assert_memory_equal(values[i].data, expected, sizeof(expected));
		}
		assert_int_equal(errors[1000], -ENOENT);
		feox_release_many(d.f->store, values, 1001);
	}
	assert_int_equal(feox_iter_open(d.f->store, &range, &iter), 0);
	while ((more = feox_iter_next(iter, &item)) == 1) {
		make_value(&d, expected, n++, 0);
		assert_int_equal(item.value_size, sizeof(expected));
		assert_memory_equal(item.value, expected, sizeof(expected));
	}
	assert_int_equal(more, 0);
	assert_int_equal(n, 1000);
	feox_iter_close(iter);
	assert_int_equal(stats_of(&d).read_bytes, 1000 * 3000); /* nothing twice */
}

/* A checkpoint writes an amended key from its record in memory, whichever that is by then. */
static void amended_values_leave_memory(void **state)
{
	struct data d = {.f = *state, .keys = 40000, .value_size = 700, .limit = 16 * MIB};
	struct feox_stat stat;
	char text[24], meta[8];

	open_limited(&d, 0);
	write_all(&d);
	assert_int_equal(feox_sync(d.f->store), 0);
	for (uint32_t key = 0; key < d.keys; key += 4)
		assert_int_equal(
			feox_set_metadata(d.f->store, text, name(text, key), "amended", 7, NULL),
			0);
	assert_int_equal(feox_sync(d.f->store), 0);
	for (uint32_t key = 0; key < d.keys; key++) /* all come by */
		check_value(&d, key, 0);
	for (uint32_t key = 1; key < d.keys; key += 2) /* and a journal's worth of changes */
		assert_int_equal(put_turn(&d, key, 1), 0);
	close_store(d.f);
	open_limited(&d, 0);
	for (uint32_t key = 0; key < d.keys; key++) {
		check_value(&d, key, key % 2);
		assert_int_equal(
			feox_stat(d.f->store, text, name(text, key), meta, sizeof(meta), &stat), 0);
		assert_int_equal(stat.metadata_size, key % 4 ? 0 : 7);
		if (key % 4 == 0)
			assert_memory_equal(meta, "amended", 7);
	}
}

static _Atomic bool stop;

static void *overwrite(void *arg)
{
	const struct data *d = arg;

	for (uint32_t i = 0; !stop; i++) {
		int err = put_turn(d, i % d->keys, 0);

		if (err)
			print_error("put: %d\n", err);
		assert_int_equal(err, 0);
	}
	return NULL;
}

static void *read_all(void *arg)
{
	const struct data *d = arg;

	for (unsigned int round = 0; round < 3; round++)
		for (uint32_t key = 0; key < d->keys; key++)
			check_value(d, key * 7919u % d->keys, 0);
	stop = true;
	return NULL;
}

/* Readers, a writer, eviction and compaction at once. */
static void readers_and_a_writer(void **state)
{
	struct data d = {.f = *state, .keys = 30000, .value_size = 700, .limit = 16 * MIB};
	pthread_t threads[3];

	open_limited(&d, 1000000);
	write_all(&d);
	stop = false;
	pthread_create(&threads[0], NULL, overwrite, &d);
	pthread_create(&threads[1], NULL, read_all, &d);
	pthread_create(&threads[2], NULL, read_all, &d);
	for (unsigned int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_true(stats_of(&d).cooled_values > d.keys);
}

/* The sweeper knows records by address: one that was made anew is found all the same. */
static uint64_t fake_now(void *ctx)
{
	struct fixture *f = ctx;

	return f->now;
}

static void evicted_keys_expire(void **state)
{
	struct data d = {.f = *state, .keys = 30000, .value_size = 900, .limit = 16 * MIB};
	struct feox_options options = FEOX_OPTIONS_INIT;
	uint8_t value[900] = {1};
	char text[24];

	d.f->now = HOUR_NS;
	options.path = d.f->path;
	options.flags = FEOX_OPEN_CREATE;
	options.memory_limit_bytes = d.limit;
	options.now = fake_now;
	options.now_ctx = d.f;
	open_with(d.f, &options);
	for (uint32_t key = 0; key < d.keys; key++) {
		struct feox_write_options expiring = {.expiry_ns = 2 * HOUR_NS};

		assert_int_equal(feox_put(d.f->store, text, name(text, key), value, sizeof(value),
					  &expiring, NULL),
				 0);
	}
	assert_int_equal(feox_sync(d.f->store), 0);
	assert_true(stats_of(&d).cooled_values > 1000);
	d.f->now = 3 * HOUR_NS;
	for (unsigned int i = 0; i < 1000 && stats_of(&d).keys; i++)
		usleep(20000);
	assert_int_equal(stats_of(&d).keys, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(large_values_ten_times_the_limit),
		TEST(inline_values_ten_times_the_limit),
		TEST(dirty_values_become_clean_first),
		TEST(keys_alone_fill_the_limit),
		TEST(used_values_stay),
		TEST(pins_outlive_eviction),
		TEST(cold_values_are_read_together),
		TEST(amended_values_leave_memory),
		TEST(readers_and_a_writer),
		TEST(evicted_keys_expire),
	};

	cmocka_set_test_filter(getenv("TEST_FILTER"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
