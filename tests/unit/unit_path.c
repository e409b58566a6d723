/* SPDX-License-Identifier: Apache-2.0 */
/* The key <-> path mapping: the examples of the contract, and round trips both ways. */
#include "fixture.h"

#include "path.h"

static struct fx_path_rules slash = {.separator = '/', .prefix = (const uint8_t *)""};
static struct fx_path_rules colon = {.separator = ':', .prefix = (const uint8_t *)""};
static struct fx_path_rules below = {
	.separator = '/', .prefix = (const uint8_t *)"app/", .prefix_size = 4};

static void expect_path(const struct fx_path_rules *rules, const char *key, size_t size,
			const char *path)
{
	uint8_t back[FEOX_KEY_MAX + 1];
	char text[65536];
	bool is_prefix;
	long n = fx_path_encode(rules, (const uint8_t *)key, size, false, text, sizeof(text));

	assert_true(n >= 0);
	assert_string_equal(text, path);
	n = fx_path_decode(rules, text, (size_t)n, back, sizeof(back), &is_prefix);
	assert_int_equal(n, size);
	assert_memory_equal(back, key, size);
	assert_false(is_prefix);
}

#define KEY(rules, key, path) expect_path(rules, key, sizeof(key) - 1, path)

static void examples_of_the_contract(void **state)
{
	KEY(&slash, "a", "a");
	KEY(&slash, "a/b/c", "a/b/c");
	KEY(&slash, "100%", "100%");
	KEY(&slash, "a%20b", "a%20b");
	KEY(&slash, "%41", "%41");
	KEY(&slash, "\x01\xff\xfe", "\x01\xff\xfe");
	KEY(&slash, "", "%=");
	KEY(&slash, "a/", "a/%=");
	KEY(&slash, "a//b", "a/%=/b");
	KEY(&slash, "/", "%=/%=");
	KEY(&slash, "/a", "%=/a");
	KEY(&slash, ".", "%=%2E");
	KEY(&slash, "..", "%=%2E.");
	KEY(&slash, "a/.", "a/%=%2E");
	KEY(&slash, "...", "...");
	KEY(&slash, "a\0b", "%=a%00b");
	KEY(&slash, "%=x", "%=%25=x");
	KEY(&slash, "%=", "%=%25=");
	KEY(&slash, ".feox", "%=%2Efeox");
	KEY(&slash, ".feox/x", "%=%2Efeox/x");
	KEY(&slash, "a/.feox", "a/.feox");
	KEY(&slash, "+a\0", "%=%2Ba%00");
	KEY(&slash, "a+\0", "%=a+%00");
	KEY(&colon, "user:42", "user/42");
	KEY(&colon, "user:a/b", "user/%=a%2Fb");
	KEY(&colon, "100%/", "%=100%25%2F");
	KEY(&below, "app/x", "x");
	KEY(&below, "app/", "%=");
	KEY(&below, "app/.feox", "%=%2Efeox");
}

static void prefixes_are_directories(void **state)
{
	uint8_t key[64];
	char text[64];
	bool is_prefix;

	assert_int_equal(fx_path_encode(&slash, (const uint8_t *)"a/b/", 4, true, text, 64), 4);
	assert_string_equal(text, "a/b/");
	assert_int_equal(fx_path_decode(&slash, "a/b/", 4, key, 64, &is_prefix), 4);
	assert_true(is_prefix);
	assert_int_equal(fx_path_encode(&slash, (const uint8_t *)"", 0, true, text, 64), 0);
	assert_int_equal(fx_path_decode(&slash, "", 0, key, 64, &is_prefix), 0);
	assert_true(is_prefix);
	assert_int_equal(fx_path_encode(&slash, (const uint8_t *)"a", 1, true, text, 64), -EINVAL);
	assert_int_equal(fx_path_encode(&below, (const uint8_t *)"b", 1, false, text, 64), -EINVAL);
}

static void what_the_encoder_does_not_write_does_not_exist(void **state)
{
	static const char *const names[] = {
		"%=a",	 "%=%41",    "%=%2e",	 "%=a%2E",   "%=%",	  "%=%0",
		"%=%ZZ", "%=%2F",    "%=+",	 "%=+short", "%=.",	  ".",
		"..",	 "%=%2E%2E", "%=%00%2E", "%=%25x",   "%=a%00/..",
	};
	uint8_t key[FEOX_KEY_MAX];
	bool is_prefix;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		long n = fx_path_decode(&slash, names[i], strlen(names[i]), key, sizeof(key),
					&is_prefix);

		if (n != -ENOENT)
			print_error("%s decodes\n", names[i]);
		assert_int_equal(n, -ENOENT);
	}
	assert_int_equal(fx_path_decode(&colon, "a:b", 3, key, sizeof(key), &is_prefix), -ENOENT);
	assert_int_equal(fx_path_decode(&slash, ".feox", 5, key, sizeof(key), &is_prefix), -ENOENT);
}

static void the_value_of_a_directory_has_a_name(void **state)
{
	uint8_t key[64];
	bool is_prefix;

	assert_int_equal(fx_path_decode(&slash, "foo/%=.", 7, key, 64, &is_prefix), 3);
	assert_memory_equal(key, "foo", 3);
	assert_int_equal(fx_path_decode(&slash, "foo/%=/%=.", 10, key, 64, &is_prefix), 4);
	assert_memory_equal(key, "foo/", 4);
	assert_int_equal(fx_path_decode(&below, "%=.", 3, key, 64, &is_prefix), -ENOENT);
}

static uint64_t seed;

static uint32_t rnd(uint32_t below_this)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below_this;
}

/* Keys of the bytes that matter, with components around the limits. */
static size_t random_key(uint8_t *key)
{
	static const uint8_t bytes[] = {'/', ':', '%', '=', '.', '+', 0, 'a', 'b', 0xff};
	static const size_t sizes[] = {0,   1,	 2,   3,   5,	83,  84,  85,  126, 250, 251, 252,
				       253, 254, 255, 256, 257, 300, 504, 505, 506, 760, 3000};
	size_t size = 0;

	for (uint32_t parts = 1 + rnd(4); parts; parts--) {
		size_t n = sizes[rnd(sizeof(sizes) / sizeof(*sizes))];
		uint32_t odd = rnd(3); /* none, some, many odd bytes */

		for (size_t i = 0; i < n && size < 8000; i++)
			key[size++] = odd == 0 || (odd == 1 && rnd(10)) ? (uint8_t)('a' + rnd(26))
									: bytes[rnd(sizeof(bytes))];
		if (parts > 1)
			key[size++] = rnd(2) ? '/' : ':';
	}
	return size;
}

static void check_names(const char *path, size_t size)
{
	size_t name = 0;

	for (size_t i = 0; i < size; i++) {
		assert_int_not_equal(path[i], 0);
		name = path[i] == '/' ? 0 : name + 1;
		assert_true(name <= FX_NAME_MAX);
		assert_true(i == 0 || path[i] != '/' || path[i - 1] != '/');
	}
}

static void random_keys_round_trip(void **state)
{
	static uint8_t key[16384], back[16384];
	static char path[65536];

	seed = 1;
	for (int i = 0; i < 60000; i++) {
		const struct fx_path_rules *rules = rnd(2) ? &slash : &colon;
		size_t size = random_key(key);
		bool is_prefix;
		long n = fx_path_encode(rules, key, size, false, path, sizeof(path));
		long m;

		assert_true(n > 0);
		check_names(path, (size_t)n);
		m = fx_path_decode(rules, path, (size_t)n, back, sizeof(back), &is_prefix);
		if (m != (long)size || is_prefix || memcmp(key, back, size))
			print_error("key of %zu bytes, path %s\n", size, path);
		assert_int_equal(m, size);
		assert_memory_equal(key, back, size);
		assert_false(is_prefix);
	}
}

/* Any path that means something is the one path of what it means. */
static void random_paths_round_trip(void **state)
{
	static const char *const bits[] = {"%=", "+",	"/",	 ".", "%2E", "%25", "%00",
					   "a",	 "%2F", ".feox", ":", "=",   "%41", "%2e"};
	static uint8_t key[16384];
	static char path[4096], again[65536];
	int meant = 0;

	seed = 2;
	for (int i = 0; i < 100000; i++) {
		const struct fx_path_rules *rules = rnd(2) ? &slash : &colon;
		size_t size = 0;
		bool is_prefix;
		long n, m;

		for (uint32_t parts = 1 + rnd(6); parts; parts--) {
			if (rnd(8) == 0) {
				size_t run = 240 + rnd(20);

				memset(path + size, 'x', run);
				size += run;
			} else {
				const char *bit = bits[rnd(sizeof(bits) / sizeof(*bits))];

				memcpy(path + size, bit, strlen(bit));
				size += strlen(bit);
			}
		}
		path[size] = '\0';
		if (strstr(path, "//") || path[0] == '/')
			continue; /* the kernel never passes such */
		n = fx_path_decode(rules, path, size, key, sizeof(key), &is_prefix);
		if (n < 0 || (size >= 3 && !strcmp(path + size - 3, "%=.")))
			continue;
		m = fx_path_encode(rules, key, (size_t)n, is_prefix, again, sizeof(again));
		/* A continuation directory alone is no key's path; below it paths are unique. */
		if (is_prefix && (n == 0 || key[n - 1] != (uint8_t)rules->separator))
			continue;
		if (m != (long)size || strcmp(path, again))
			print_error("%s -> %s\n", path, again);
		assert_int_equal(m, size);
		assert_string_equal(path, again);
		meant++;
	}
	assert_true(meant > 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_the_contract),
		cmocka_unit_test(prefixes_are_directories),
		cmocka_unit_test(what_the_encoder_does_not_write_does_not_exist),
		cmocka_unit_test(the_value_of_a_directory_has_a_name),
		cmocka_unit_test(random_keys_round_trip),
		cmocka_unit_test(random_paths_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
