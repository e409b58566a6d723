/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random patches of random documents, against an oracle that works on trees. Documents come from
 * jansson in one of its styles; the result must say what the oracle says, and be written in that
 * style to the last byte. FEOX_TEST_SEED and FEOX_TEST_ROUNDS in the environment say which and how
 * many.
 */
#include "patching.h"

#include "patch_oracle.h"

#define ROUNDS	       20000u
#define STEPS	       6u
#define PATH_MAX_BYTES 512u

static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

static const char *const names[] = {"a", "b", "c", "", "0", "-", "m~n", "x/y", "\xc3\xa9", "q\"\n"};
static const char *const name_tokens[] = {"a", "b",    "c",    "",	   "0",
					  "-", "m~0n", "x~1y", "\xc3\xa9", "q\"\n"};

#define NAMES ((uint32_t)(sizeof(names) / sizeof(names[0])))

static json_t *random_value(unsigned int depth)
{
	json_t *value;
	uint32_t items = rnd(4);

	switch (depth ? rnd(8) : 2 + rnd(6)) {
	case 0:
		value = json_array();
		while (items--)
			json_array_append_new(value, random_value(depth - 1));
		return value;
	case 1:
		value = json_object();
		while (items--)
			json_object_set_new(value, names[rnd(NAMES)], random_value(depth - 1));
		return value;
	case 2:
		return json_string(names[rnd(NAMES)]);
	case 3:
		return json_null();
	case 4:
		return json_boolean(rnd(2));
	default:
		return json_integer((json_int_t)rnd(3));
	}
}

/* A pointer to something in value, below its member "top"; now and then to nothing. */
static void random_path(json_t *value, char *path)
{
	strcpy(path, "/top");
	value = json_object_get(value, "top");
	while (strlen(path) < PATH_MAX_BYTES - 16 && rnd(5)) {
		const char *token = name_tokens[rnd(NAMES)];
		char index[16];

		if (json_is_array(value)) {
			snprintf(index, sizeof(index), "%u",
				 rnd((uint32_t)json_array_size(value) + 1));
			if (rnd(10))
				token = rnd(6) ? index : "-";
		}
		strcat(path, "/");
		if (value && !json_is_array(value) && !json_is_object(value) && rnd(8)) {
			path[strlen(path) - 1] = '\0';
			return;
		}
		strcat(path, token);
		value = oracle_find(value, path + strlen(path) - strlen(token) - 1, false, index);
	}
}

static json_t *random_operation(json_t *document)
{
	static const char *const ops[] = {"add",  "add",  "remove", "replace",
					  "move", "copy", "test"};
	const char *op = ops[rnd(sizeof(ops) / sizeof(ops[0]))];
	char path[PATH_MAX_BYTES], from[PATH_MAX_BYTES], token[PATH_MAX_BYTES];
	json_t *value = NULL;

	random_path(document, path);
	random_path(document, from);
	if (strcmp(path, "/top") == 0 && strcmp(op, "test") != 0) /* it stays a container */
		strcat(path, "/0");
	if (strcmp(from, "/top") == 0)
		strcat(from, "/a");
	if (strcmp(op, "test") == 0 && rnd(8))
		value = json_deep_copy(oracle_find(document, path, false, token));
	if (!value)
		value = random_value(2);
	return json_pack("{s:s, s:s, s:s, s:o}", "op", op, "path", path, "from", from, "value",
			 value);
}

/* Do operation on *document unless it fails. */
static bool try_operation(json_t **document, json_t *operation)
{
	json_t *copy = json_deep_copy(*document);
	int result = oracle_step(&copy, operation);

	assert_true(result >= 0);
	json_decref(result ? *document : copy);
	if (result)
		*document = copy;
	return result;
}

/* Operations of which few fail, and *document as they leave it. True: none did. */
static bool random_patch(json_t **document, json_t *patch)
{
	uint32_t steps = 1 + rnd(STEPS);
	bool succeeds = true;

	while (steps && succeeds) {
		json_t *operation = random_operation(*document);
		bool done = try_operation(document, operation);

		if (done || rnd(16) == 0) {
			json_array_append(patch, operation);
			succeeds = done;
			steps--;
		}
		json_decref(operation);
	}
	return succeeds;
}

/* True: the patch could be applied. */
static bool check_round(size_t style)
{
	static const size_t styles[] = {JSON_COMPACT, 0, JSON_INDENT(1), JSON_INDENT(2),
					JSON_INDENT(8)};
	json_t *document = json_pack("{s:i, s:o, s:o}", "first", 1, "empty", json_object(), "top",
				     rnd(2) ? json_object() : json_array());
	json_t *patch = json_array();
	char *before, *operations, *expected, *got;
	struct feox_diag diag = {""};
	bool succeeds;
	int err;

	for (uint32_t i = rnd(4); i--;) {
		char path[16] = "/top/-";

		if (json_is_object(json_object_get(document, "top")))
			snprintf(path, sizeof(path), "/top/%s", name_tokens[rnd(NAMES)]);
		assert_true(oracle_add(&document, path, random_value(3)));
	}
	before = json_dumps(document, styles[style]);
	succeeds = random_patch(&document, patch);
	operations = json_dumps(patch, styles[style]);
	expected = json_dumps(document, styles[style]);
	got = apply(text_of(before), text_of(operations), SIZE_LIMIT, UINT64_MAX, &err, &diag);
	if (err != (succeeds ? 0 : -EINVAL) || (succeeds && strcmp(got, expected) != 0))
		print_error("%s\n%s\n%s (%d %s), expected\n%s\n", before, operations,
			    got ? got : "", err, diag.text, succeeds ? expected : "an error");
	assert_int_equal(err, succeeds ? 0 : -EINVAL);
	if (succeeds)
		assert_string_equal(got, expected);
	free(got);
	free(before);
	free(operations);
	free(expected);
	json_decref(document);
	json_decref(patch);
	return succeeds;
}

static void texts_agree_with_trees(void **state)
{
	const char *given_seed = getenv("FEOX_TEST_SEED");
	const char *given_rounds = getenv("FEOX_TEST_ROUNDS");
	unsigned long rounds = given_rounds ? strtoul(given_rounds, NULL, 10) : ROUNDS;
	unsigned long succeeded = 0;

	seed = given_seed ? strtoul(given_seed, NULL, 10) : 6902;
	for (unsigned long i = 0; i < rounds; i++)
		succeeded += check_round(i % 5);
	assert_true(succeeded > rounds / 4 && succeeded < rounds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_agree_with_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
