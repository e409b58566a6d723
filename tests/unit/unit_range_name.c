/* SPDX-License-Identifier: Apache-2.0 */
/* Names in /.feox/range: examples, what is refused, and round trips. */
#include "fixture.h"

#include "range_name.h"

static void expect_name(const char *key, size_t size, const char *name)
{
	char text[FX_NAME_MAX + 1];
	uint8_t back[FX_NAME_MAX];
	size_t back_size;

	assert_int_equal(fx_range_encode((const uint8_t *)key, size, text), strlen(name));
	assert_string_equal(text, name);
	assert_int_equal(fx_range_decode(text, strlen(text), back, &back_size), 0);
	assert_int_equal(back_size, size);
	assert_memory_equal(back, key, size);
}

static void keys_have_names(void **state)
{
	expect_name("", 0, "%");
	expect_name("plain", 5, "plain");
	expect_name("a/b", 3, "a%2Fb");
	expect_name("..", 2, "%2E%2E");
	expect_name("100%@x", 6, "100%25%40x");
	expect_name("a\0b", 3, "a%00b");
	expect_name("\xff\n~", 3, "\xff\n~");
}

static void other_names_are_refused(void **state)
{
	static const char *const wrong[] = {"",	   "%2", "%2f", "%41", "a.b",
					    "a@b", "a%", "%%",	"%G0", "a/b"};
	uint8_t key[FX_NAME_MAX];
	size_t size;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(fx_range_decode(wrong[i], strlen(wrong[i]), key, &size), -ENOENT);
}

static void long_names_are_cut(void **state)
{
	uint8_t key[300], prefix[FX_NAME_MAX];
	char a[FX_NAME_MAX + 1], b[FX_NAME_MAX + 1];
	size_t size;

	memset(key, 'x', sizeof(key));
	assert_int_equal(fx_range_encode(key, 255, a), 255);
	assert_false(fx_range_is_short(a, 255, prefix, &size));
	assert_int_equal(fx_range_encode(key, 256, a), 217);
	assert_true(fx_range_is_short(a, 217, prefix, &size));
	assert_int_equal(size, 200);
	key[299] = 'y';
	fx_range_encode(key, 300, a);
	key[299] = 'z';
	fx_range_encode(key, 300, b);
	assert_string_not_equal(a, b);
	assert_memory_equal(a, b, 201);
	/* The cut goes through an escape: what comes before it is the prefix. */
	memset(key, '/', sizeof(key));
	assert_int_equal(fx_range_encode(key, 85, a), 255);
	assert_int_equal(fx_range_encode(key, 86, a), 217);
	assert_true(fx_range_is_short(a, 217, prefix, &size));
	assert_int_equal(size, 66);
	assert_memory_equal(prefix, key, 66);
}

static int parse(const char *name, struct fx_range *range)
{
	return fx_range_parse(name, strlen(name), range);
}

static void ranges_are_parsed(void **state)
{
	static const char *const wrong[] = {
		"",	    "a",     "a.b",	"a..b@", "a..b@0", "a..b@x",
		"a..b@1@2", "a...b", "a..b..c", "@1..b", "%zz..b", "a..b@99999999999999999999"};
	struct fx_range range;

	assert_int_equal(parse("a%2Fb..c@10", &range), 0);
	assert_true(range.has_from && range.has_to);
	assert_int_equal(range.from_size, 3);
	assert_memory_equal(range.from, "a/b", 3);
	assert_memory_equal(range.to, "c", 1);
	assert_int_equal(range.limit, 10);
	assert_int_equal(parse("..", &range), 0);
	assert_false(range.has_from || range.has_to);
	assert_int_equal(range.limit, 0);
	assert_int_equal(parse("%..%", &range), 0);
	assert_true(range.has_from && range.has_to);
	assert_int_equal(range.from_size + range.to_size, 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(parse(wrong[i], &range), -ENOENT);
}

static void random_keys_round_trip(void **state)
{
	for (int round = 0; round < 20000; round++) {
		size_t size = (size_t)(rand() % 80);
		uint8_t key[80], back[FX_NAME_MAX];
		char name[FX_NAME_MAX + 1];
		size_t back_size;

		for (size_t i = 0; i < size; i++)
			key[i] = rand() % 3 ? (uint8_t)rand() : (uint8_t) "%/@.\0~2E"[rand() % 8];
		fx_range_encode(key, size, name);
		assert_null(strchr(name, '/'));
		assert_null(strchr(name, '.'));
		assert_int_equal(fx_range_decode(name, strlen(name), back, &back_size), 0);
		assert_int_equal(back_size, size);
		assert_memory_equal(back, key, size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_have_names),	  cmocka_unit_test(other_names_are_refused),
		cmocka_unit_test(long_names_are_cut),	  cmocka_unit_test(ranges_are_parsed),
		cmocka_unit_test(random_keys_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
