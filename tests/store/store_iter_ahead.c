/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges with values: what is looked up ahead of what is given. */
#include "fixture.h"

#define KEYS 300u

/* Sizes around every limit: empty, small, the largest in a record, and values of their own. */
static size_t size_of(unsigned int i)
{
	static const size_t sizes[] = {0, 1, 100, 1023, 1024, 1025, 5000, 20000};

	return sizes[i % 8];
}

static void value_of(unsigned int i, uint8_t *value)
{
	for (size_t k = 0; k < size_of(i); k++)
		value[k] = (uint8_t)(i * 31 + k * 7 + k / 251);
}

static void fill(struct feox_store *store, const struct feox_write_options *options)
{
	static uint8_t value[20000];
	char key[16];

	for (unsigned int i = 0; i < KEYS; i++) {
		value_of(i, value);
		snprintf(key, sizeof(key), "k%05u", i);
		assert_int_equal(
			feox_put(store, key, strlen(key), value, size_of(i), options, NULL), 0);
	}
}

static void expect_item(const struct feox_item *item, unsigned int i)
{
	static uint8_t value[20000];
	char key[16];

	snprintf(key, sizeof(key), "k%05u", i);
	value_of(i, value);
	assert_int_equal(item->key_size, strlen(key));
	assert_memory_equal(item->key, key, item->key_size);
	assert_int_equal(item->value_size, size_of(i));
	assert_non_null(item->value);
	assert_memory_equal(item->value, value, size_of(i));
}

static void values_of_all_sizes(void **state)
{
	struct fixture *f = *state;
	struct feox_iter_options reverse = {.flags = FEOX_ITER_REVERSE};
	struct feox_iter *iter;
	struct feox_item item;

	open_memory_store(f);
	fill(f->store, NULL);
	assert_int_equal(feox_iter_open(f->store, NULL, &iter), 0);
	for (unsigned int i = 0; i < KEYS; i++) {
		assert_int_equal(feox_iter_next(iter, &item), 1);
		expect_item(&item, i);
	}
	assert_int_equal(feox_iter_next(iter, &item), 0);
	feox_iter_close(iter);

	assert_int_equal(feox_iter_open(f->store, &reverse, &iter), 0);
	for (unsigned int i = KEYS; i-- > 0;) {
		assert_int_equal(feox_iter_next(iter, &item), 1);
		expect_item(&item, i);
	}
	feox_iter_close(iter);
}

/* A seek within what was looked up, and behind it. */
static void seek_after_looking_ahead(void **state)
{
	static const unsigned int places[] = {3, 4, 60, 5, 299, 150, 0};
	struct fixture *f = *state;
	struct feox_iter *iter;
	struct feox_item item;
	char key[16];

	open_memory_store(f);
	fill(f->store, NULL);
	assert_int_equal(feox_iter_open(f->store, NULL, &iter), 0);
	for (size_t n = 0; n < sizeof(places) / sizeof(*places); n++) {
		snprintf(key, sizeof(key), "k%05u", places[n]);
		assert_int_equal(feox_iter_seek(iter, key, strlen(key)), 0);
		for (unsigned int i = places[n]; i < KEYS && i < places[n] + 20; i++) {
			assert_int_equal(feox_iter_next(iter, &item), 1);
			expect_item(&item, i);
		}
	}
	feox_iter_close(iter);
}

static uint64_t fake_now(void *ctx)
{
	struct fixture *f = ctx;

	return f->now;
}

/* Nothing is given after it has expired, though it was looked up before. */
static void what_expires_meanwhile_is_not_given(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options expiring = {.expiry_ns = 2000};
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_iter *iter;
	struct feox_item item;

	f->now = 1000;
	options.flags = FEOX_OPEN_NO_SWEEPER;
	options.now = fake_now;
	options.now_ctx = f;
	open_with(f, &options);
	fill(f->store, &expiring);
	assert_int_equal(feox_iter_open(f->store, NULL, &iter), 0);
	assert_int_equal(feox_iter_next(iter, &item), 1);
	expect_item(&item, 0);
	assert_int_equal(item.expiry_ns, 2000);
	f->now = 2000;
	assert_int_equal(feox_iter_next(iter, &item), 0);
	feox_iter_close(iter);
}

/* With FEOX_ITER_STAT an item is as it is when it is given. */
static void stat_is_of_now(void **state)
{
	struct fixture *f = *state;
	struct feox_iter_options options = {.flags = FEOX_ITER_STAT};
	struct feox_iter *iter;
	struct feox_item item;
	uint64_t version;

	open_memory_store(f);
	fill(f->store, NULL);
	assert_int_equal(feox_iter_open(f->store, &options, &iter), 0);
	assert_int_equal(feox_iter_next(iter, &item), 1);
	assert_int_equal(put(f->store, "k00001", "longer than one byte"), 0);
	assert_int_equal(del(f->store, "k00002"), 0);
	version = version_of(f->store, "k00001");
	assert_int_equal(feox_iter_next(iter, &item), 1);
	assert_int_equal(item.value_size, 20);
	assert_int_equal(item.version, version);
	assert_int_equal(feox_iter_next(iter, &item), 1);
	assert_memory_equal(item.key, "k00003", 6);
	feox_iter_close(iter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(values_of_all_sizes, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(seek_after_looking_ahead, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(what_expires_meanwhile_is_not_given, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(stat_is_of_now, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
