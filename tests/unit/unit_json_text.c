/* SPDX-License-Identifier: Apache-2.0 */
/* What is JSON and what is not; equality of numbers, strings and values. */
#include "patching.h"

#include "json_compare.h"

struct sample {
	const char *text;
	int offset; /* where it is wrong; -1: it is right */
	const char *what;
};

static void check_sample(const struct sample *s, size_t size)
{
	struct fx_json_fault fault = {.offset = 99};
	uint8_t *copy = malloc(size + !size);
	int err;

	memcpy(copy, s->text, size);
	err = fx_json_check((struct fx_json_text){copy, size}, &fault);
	if ((err == 0) != (s->offset < 0) || (err && fault.offset != (size_t)s->offset))
		print_error("%s: %d, byte %zu: %s\n", s->text, err, fault.offset,
			    err ? fault.what : "");
	assert_int_equal(err, s->offset < 0 ? 0 : -EINVAL);
	if (err) {
		assert_int_equal(fault.offset, s->offset);
		assert_string_equal(fault.what, s->what);
	}
	free(copy);
}

static void texts(void **state)
{
	static const struct sample samples[] = {
		{"null", -1, ""},
		{" \t\r\n{ \"a\" : [ 1 , true , false , null , \"x\" ] } \n", -1, ""},
		{"[]", -1, ""},
		{"{}", -1, ""},
		{"[[[{}]],{\"\":{}}]", -1, ""},
		{"\"\"", -1, ""},
		{"", 0, "a value expected, the text ends"},
		{"  ", 2, "a value expected, the text ends"},
		{"\xef\xbb\xbf{}", 0, "a byte order mark"},
		{"{} {}", 3, "more text behind the value"},
		{"[1,]", 3, "a value expected"},
		{"[,1]", 1, "a value expected"},
		{"[1 2]", 3, "a comma or ] expected"},
		{"[1", 2, "a comma or ] expected"},
		{"[1}", 2, "a comma or ] expected"},
		{"[", 1, "a value expected, the text ends"},
		{"]", 0, "a value expected"},
		{"{\"a\":1]", 6, "a comma or } expected"},
		{"{\"a\":1,}", 7, "a member's name expected"},
		{"{,}", 1, "a member's name expected"},
		{"{a:1}", 1, "a member's name expected"},
		{"{'a':1}", 1, "a member's name expected"},
		{"{\"a\" 1}", 5, "a colon expected"},
		{"{\"a\":}", 5, "a value expected"},
		{"{\"a\"", 4, "a colon expected"},
		{"{", 1, "a member's name expected"},
		{"nul", 0, "a value expected"},
		{"nulll", 4, "more text behind the value"},
		{"True", 0, "a value expected"},
		{"NaN", 0, "a value expected"},
		{"Infinity", 0, "a value expected"},
		{"/**/1", 0, "a value expected"},
		{"1//x", 1, "more text behind the value"},
		{"[1]\f", 3, "more text behind the value"},
		{"\xa0[]", 0, "a value expected"},
	};

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		check_sample(&samples[i], strlen(samples[i].text));
	check_sample(&(struct sample){"1\0", 1, "more text behind the value"}, 2);
	check_sample(&(struct sample){"\"a\0b\"", 2, "a control character in a string"}, 5);
}

static void numbers(void **state)
{
	static const struct sample samples[] = {
		{"0", -1, ""},
		{"-0", -1, ""},
		{"-0.0e+00", -1, ""},
		{"123456789012345678901234567890.10E-999999999999999999999", -1, ""},
		{"01", 0, "a number with a leading zero"},
		{"-01", 1, "a number with a leading zero"},
		{"00", 0, "a number with a leading zero"},
		{"-", 1, "a minus sign without a number"},
		{"-a", 1, "a minus sign without a number"},
		{"+1", 0, "a value expected"},
		{".5", 0, "a value expected"},
		{"1.", 2, "a decimal point without digits behind it"},
		{"1.e1", 2, "a decimal point without digits behind it"},
		{"1e", 2, "an exponent without digits"},
		{"1e+", 3, "an exponent without digits"},
		{"1E-x", 3, "an exponent without digits"},
		{"1e1.5", 3, "more text behind the value"},
		{"0x10", 1, "more text behind the value"},
		{"1_000", 1, "more text behind the value"},
	};

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		check_sample(&samples[i], strlen(samples[i].text));
}

static void strings(void **state)
{
	static const struct sample samples[] = {
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uFFFF\\uabCD\"", -1, ""},
		{"\"\\ud83d\\uDE00\"", -1, ""},
		{"\"\x7f\"", -1, ""},
		{"\"\xc2\x80\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
		 -1, ""},
		{"\"abc", 0, "a string without an end"},
		{"\"abc\\\"", 0, "a string without an end"},
		{"\"a\nb\"", 2, "a control character in a string"},
		{"\"\x1f\"", 1, "a control character in a string"},
		{"\"\\x41\"", 1, "an unknown escape in a string"},
		{"\"\\'\"", 1, "an unknown escape in a string"},
		{"\"\\", 1, "an unknown escape in a string"},
		{"\"\\u12\"", 1, "\\u without four hexadecimal digits"},
		{"\"\\u12G4\"", 1, "\\u without four hexadecimal digits"},
		{"\"\\u", 1, "\\u without four hexadecimal digits"},
		{"\"\\ud83d\"", 1, "half of a surrogate pair"},
		{"\"\\ud83dx\"", 1, "half of a surrogate pair"},
		{"\"\\ud83d\\u0041\"", 1, "half of a surrogate pair"},
		{"\"\\ud83d\\ud83d\"", 1, "half of a surrogate pair"},
		{"\"a\\ude00\\ud83d\"", 2, "half of a surrogate pair"},
		{"\"\x80\"", 1, "not UTF-8"},
		{"\"\xc0\xaf\"", 1, "not UTF-8"},	  /* overlong */
		{"\"\xc1\xbf\"", 1, "not UTF-8"},	  /* overlong */
		{"\"\xe0\x9f\xbf\"", 1, "not UTF-8"},	  /* overlong */
		{"\"\xed\xa0\x80\"", 1, "not UTF-8"},	  /* a surrogate */
		{"\"\xf0\x8f\xbf\xbf\"", 1, "not UTF-8"}, /* overlong */
		{"\"\xf4\x90\x80\x80\"", 1, "not UTF-8"}, /* above U+10FFFF */
		{"\"\xf5\x80\x80\x80\"", 1, "not UTF-8"}, /* no lead byte */
		{"\"ab\xe2\x82\"", 3, "not UTF-8"},	  /* cut short by the quote */
		{"\"\xf0\x9f\x98", 1, "not UTF-8"},	  /* cut short by the end */
		{"\"\xe2\x28\xa1\"", 1, "not UTF-8"},
	};

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		check_sample(&samples[i], strlen(samples[i].text));
	check_sample(&(struct sample){"\"\\\0\"", 1, "an unknown escape in a string"}, 4);
}

static void depth_is_limited(void **state)
{
	const size_t max = FEOX_JSON_DEPTH_MAX;
	struct fx_json_fault fault;
	char *text = calloc(1, 4 * max);

	for (size_t i = 0; i < max; i++) {
		memcpy(text + strlen(text), i % 2 ? "[" : "{\"\":", i % 2 ? 1 : 4);
	}
	memcpy(text + strlen(text), "1", 1);
	for (size_t i = max; i-- > 0;)
		memcpy(text + strlen(text), i % 2 ? "]" : "}", 1);
	assert_int_equal(fx_json_check(text_of(text), &fault), 0);
	assert_int_equal(fx_json_depth(text_of(text)), max);
	memset(text, '[', 3 * max);
	assert_int_equal(fx_json_check(text_of(text), &fault), -EINVAL);
	assert_int_equal(fault.offset, max);
	assert_string_equal(fault.what, "nested too deep");
	free(text);
}

static bool numbers_equal(const char *a, const char *b)
{
	assert_int_equal(fx_json_number_equal(text_of(a), text_of(b)),
			 fx_json_number_equal(text_of(b), text_of(a)));
	return fx_json_number_equal(text_of(a), text_of(b));
}

static void numbers_are_compared_by_value(void **state)
{
	static const char *const classes[][6] = {
		{"0", "-0", "0.0", "0e99999999999999999999", "-0.000E-7", "0e0"},
		{"1", "1.0", "1e0", "10e-1", "0.1e1", "0.001E+03"},
		{"-1", "-1.00", "-1E-0", "-100e-2", "-0.01e2", "-1e+0"},
		{"10", "1e1", "1E+01", "10.0", "100e-1", "0.0001e5"},
		{"1.5", "15e-1", "0.15e1", "1.500", "150E-02", "0.0015e3"},
		{"105", "1.05e2", "10.5e1", "105.000", "0.105E3", "1050e-1"},
		{"123456789012345678901234567890", "1.2345678901234567890123456789e29",
		 "123456789012345678901234567890.0", "12345678901234567890123456789e1",
		 "12345678901234567890123456789.0e1", "0.12345678901234567890123456789e30"},
		{"123456789012345678901234567891", "1.23456789012345678901234567891e29",
		 "123456789012345678901234567891e0", "12345678901234567890123456789.1e1",
		 "1234567890123456789012345678910e-1", "123456789012345678901234567891.000"},
		{"1e99999999999999999999", "10e99999999999999999998", "0.1e100000000000000000000",
		 "1000e99999999999999999996", "1.0E+99999999999999999999",
		 "0.01e0100000000000000000001"},
		{"1e-99999999999999999999", "10e-100000000000000000000",
		 "0.1e-99999999999999999998", "100e-100000000000000000001",
		 "1.0e-0099999999999999999999", "0.001e-99999999999999999996"},
		{"1e-1", "0.1", "0.10", "1E-01", "10e-2", "0.001e2"},
		{"1e100000000000000000000", "10e99999999999999999999", "1e0100000000000000000000",
		 "0.1e100000000000000000001", "100e99999999999999999998",
		 "1.00e100000000000000000000"},
	};
	const size_t count = sizeof(classes) / sizeof(classes[0]);

	for (size_t i = 0; i < count * 6; i++) {
		for (size_t j = 0; j < count * 6; j++) {
			const char *a = classes[i / 6][i % 6], *b = classes[j / 6][j % 6];

			if (numbers_equal(a, b) != (i / 6 == j / 6))
				print_error("%s, %s\n", a, b);
			assert_int_equal(numbers_equal(a, b), i / 6 == j / 6);
		}
	}
	assert_false(numbers_equal("0.1", "0.1000000000000000055511151231257827")); /* one double */
	assert_false(numbers_equal("9007199254740993", "9007199254740992"));
	assert_false(numbers_equal("12", "1"));
	assert_false(numbers_equal("1", "1e4294967296"));
}

static void strings_are_compared_by_code_point(void **state)
{
	static const char *const equal[][2] = {
		{"\"abc\"", "\"\\u0061b\\u0063\""},
		{"\"\\u00e9\"", "\"\xc3\xa9\""},
		{"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
		{"\"/\\b\\f\\n\\r\\t\\\"\\\\\"",
		 "\"\\/\\u0008\\u000C\\u000a\\u000d\\u0009\\u0022\\u005c\""},
	};
	static const char *const ascending[] = {
		"\"\"",	  "\"\\u0000\"", "\"a\"",	"\"a\\u0000\"",
		"\"ab\"", "\"b\"",	 "\"\\uffff\"", "\"\\ud800\\udc00\""};
	const size_t count = sizeof(ascending) / sizeof(ascending[0]);

	for (size_t i = 0; i < sizeof(equal) / sizeof(equal[0]); i++)
		assert_int_equal(fx_json_string_cmp((const uint8_t *)equal[i][0],
						    (const uint8_t *)equal[i][1]),
				 0);
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < count; j++) {
			int order = fx_json_string_cmp((const uint8_t *)ascending[i],
						       (const uint8_t *)ascending[j]);

			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
	}
	assert_true(fx_json_string_is((const uint8_t *)"\"a\\/\\u00e9\"", "a/\xc3\xa9", 4));
	assert_false(fx_json_string_is((const uint8_t *)"\"ab\"", "a", 1));
	assert_false(fx_json_string_is((const uint8_t *)"\"a\"", "ab", 2));
	assert_true(fx_json_string_is((const uint8_t *)"\"\\u0000\"", "", 1));
}

static bool values_equal(const char *a, const char *b)
{
	struct fx_json_index a_index, b_index;
	struct fx_json_value x = {text_of(a), &a_index, 0}, y = {text_of(b), &b_index, 0};
	bool equal;

	assert_int_equal(fx_json_index_build(x.text, SIZE_MAX, &a_index), 0);
	assert_int_equal(fx_json_index_build(y.text, SIZE_MAX, &b_index), 0);
	equal = fx_json_equal(&x, &y);
	assert_int_equal(fx_json_equal(&y, &x), equal);
	fx_json_index_free(&a_index);
	fx_json_index_free(&b_index);
	return equal;
}

static void values_are_compared_deeply(void **state)
{
	static const char *const equal[][2] = {
		{"{\"a\":1,\"b\":[1,2,{}]}", "{ \"b\" : [ 1.0, 2e0, { } ] , \"\\u0061\" : 10e-1 }"},
		{"[{\"x\":{\"y\":[]},\"z\":[[],[]]},3]", "[{\"z\":[ [ ],[]],\"x\":{\"y\":[]}},3]"},
		{"{\"c\":{\"d\":1},\"a\":{\"d\":2}}", "{\"a\":{\"d\":2},\"c\":{\"d\":1}}"},
		{"[[[1],[2]],[[3],[4]]]", "[[[1],[2]],[[3],[4]]]"},
		{"true", "true"},
		{"{}", "{ }"},
		{"[]", "[ ]"},
	};
	static const char *const unequal[][2] = {
		{"{\"a\":1}", "{\"a\":1,\"b\":2}"},
		{"{\"a\":1}", "{\"b\":1}"},
		{"{\"a\":1}", "{\"A\":1}"},
		{"[1,2]", "[2,1]"},
		{"[1]", "[1,1]"},
		{"[]", "{}"},
		{"[]", "[[]]"},
		{"1", "\"1\""},
		{"0", "false"},
		{"null", "0"},
		{"null", "{}"},
		{"\"\"", "null"},
		{"true", "false"},
		{"[[1],2]", "[[1,2]]"},
		{"{\"a\":{},\"b\":1}", "{\"a\":1,\"b\":{}}"},
		{"{\"a\":[1,{\"b\":2}]}", "{\"a\":[1,{\"b\":3}]}"},
		{"{\"a\":1,\"a\":2}", "{\"a\":1,\"b\":2}"},
		{"\"true\"", "true"},
		{"-1", "1"},
	};

	for (size_t i = 0; i < sizeof(equal) / sizeof(equal[0]); i++)
		assert_true(values_equal(equal[i][0], equal[i][1]));
	for (size_t i = 0; i < sizeof(unequal) / sizeof(unequal[0]); i++)
		assert_false(values_equal(unequal[i][0], unequal[i][1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(numbers),
		cmocka_unit_test(strings),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(numbers_are_compared_by_value),
		cmocka_unit_test(strings_are_compared_by_code_point),
		cmocka_unit_test(values_are_compared_deeply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
