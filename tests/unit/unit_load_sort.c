/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting records by eight bytes at a time gives the order that comparing gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bytes.h"
#include "load_sort.h"

#include <stdio.h>
#include <stdlib.h>

static struct fx_slab *slab;
static uint64_t seed = 1;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

static int setup(void **state)
{
	return fx_slab_create(NULL, &slab);
}

static int teardown(void **state)
{
	fx_slab_destroy(slab);
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct fx_record *x = ((const struct fx_sort_item *)a)->record;
	const struct fx_record *y = ((const struct fx_sort_item *)b)->record;

	return fx_bytes_cmp(fx_record_key(x), x->key_size, fx_record_key(y), y->key_size);
}

/* Sort what make gives (without doubles) both ways. */
static void expect_sorted(size_t n, size_t (*make)(size_t i, uint8_t *key))
{
	struct fx_sort_item *items = calloc(n + 1, sizeof(*items));
	struct fx_sort_item *expected = calloc(n + 1, sizeof(*expected));
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t key[64];
		const struct fx_record_parts parts = {.key = key, .key_size = make(i, key)};

		expected[i].record = fx_record_new(slab, &parts);
		assert_non_null(expected[i].record);
	}
	qsort(expected, n, sizeof(*expected), compare);
	for (size_t i = 0; i < n; i++) {
		if (count && !compare(&expected[count - 1], &expected[i]))
			fx_record_unref(slab, expected[i].record);
		else
			expected[count++] = expected[i];
	}
	memcpy(items, expected, count * sizeof(*items));
	for (size_t i = count; i > 1; i--) {
		size_t other = rnd((uint32_t)i);
		struct fx_sort_item item = items[i - 1];

		items[i - 1] = items[other];
		items[other] = item;
	}
	assert_int_equal(fx_sort_records(items, count), 0);
	for (size_t i = 0; i < count; i++) {
		assert_ptr_equal(items[i].record, expected[i].record);
		fx_record_unref(slab, items[i].record);
	}
	free(items);
	free(expected);
}

static size_t make_numbers(size_t i, uint8_t *key)
{
	return (size_t)snprintf((char *)key, 64, "user:%016zu", i * 7919 % 1000003);
}

static size_t make_random(size_t i, uint8_t *key)
{
	size_t size = rnd(40);

	for (size_t at = 0; at < size; at++)
		key[at] = (uint8_t)rnd(256);
	return size;
}

/* Zeros, and keys that begin one another: what missing bytes must not be taken for. */
static size_t make_zeros(size_t i, uint8_t *key)
{
	size_t size = rnd(40);

	for (size_t at = 0; at < size; at++)
		key[at] = rnd(12) ? 0 : (uint8_t)rnd(2);
	return size;
}

/* Long beginnings in common, few of them. */
static size_t make_paths(size_t i, uint8_t *key)
{
	static const char *const tops[] = {"", "a/long/way/down/to/", "a/long/way/down/to/here/",
					   "another/way/"};

	return (size_t)snprintf((char *)key, 64, "%s%x", tops[rnd(4)], rnd(1u << (1 + rnd(20))));
}

static size_t make_lengths(size_t i, uint8_t *key)
{
	memset(key, 'x', 64);
	return i % 65;
}

static void as_by_comparing(void **state)
{
	static const size_t counts[] = {0, 1, 2, 3, 100, 1023, 1024, 1025, 2000, 30000};

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		expect_sorted(counts[i], make_numbers);
		expect_sorted(counts[i], make_random);
		expect_sorted(counts[i], make_zeros);
		expect_sorted(counts[i], make_paths);
		expect_sorted(counts[i], make_lengths);
	}
	expect_sorted(200000, make_zeros);
	expect_sorted(200000, make_paths);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(as_by_comparing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
