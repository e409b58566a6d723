/* SPDX-License-Identifier: Apache-2.0 */
/* A hand-formatted document stays one: where the bytes of a change go. */
#include "patching.h"

static const char pretty[] = "{\n"
			     "  \"name\": \"demo\",\n"
			     "  \"version\": 1.10,\n"
			     "\n"
			     "  \"server\": {\n"
			     "    \"host\": \"localhost\",\n"
			     "    \"ports\": [80, 443]\n"
			     "  },\n"
			     "  \"empty\": {},\n"
			     "  \"list\": [\n"
			     "    \"one\",\n"
			     "    \"two\"\n"
			     "  ]\n"
			     "}\n";

/* Apply to pretty, and expect it with the only occurrence of old replaced. */
static void expect_change(const char *patch, const char *old, const char *replacement)
{
	const char *at = strstr(pretty, old);
	char *expected;

	assert_non_null(at);
	assert_true(asprintf(&expected, "%.*s%s%s", (int)(at - pretty), pretty, replacement,
			     at + strlen(old)) > 0);
	expect_patched(pretty, patch, expected);
	free(expected);
}

static void members_get_lines_of_their_own(void **state)
{
	expect_change("[{\"op\":\"add\",\"path\":\"/server/tls\",\"value\":true}]",
		      "\"ports\": [80, 443]\n", "\"ports\": [80, 443],\n    \"tls\": true\n");
	expect_change("[{\"op\":\"add\",\"path\":\"/last\",\"value\":null}]", "    \"two\"\n  ]\n",
		      "    \"two\"\n  ],\n  \"last\": null\n");
}

static void elements_are_set_as_their_neighbours(void **state)
{
	expect_change("[{\"op\":\"add\",\"path\":\"/server/ports/-\",\"value\":8080}]", "[80, 443]",
		      "[80, 443, 8080]");
	expect_change("[{\"op\":\"add\",\"path\":\"/server/ports/0\",\"value\":22}]", "[80, 443]",
		      "[22, 80, 443]");
	expect_change("[{\"op\":\"add\",\"path\":\"/server/ports/1\",\"value\":22}]", "[80, 443]",
		      "[80, 22, 443]");
	expect_change("[{\"op\":\"add\",\"path\":\"/list/-\",\"value\":3}]", "\"two\"\n",
		      "\"two\",\n    3\n");
	expect_change("[{\"op\":\"add\",\"path\":\"/list/0\",\"value\":0}]", "\"one\",\n",
		      "0,\n    \"one\",\n");
	expect_change("[{\"op\":\"add\",\"path\":\"/list/1\",\"value\":1.5}]", "\"one\",\n",
		      "\"one\",\n    1.5,\n");
}

static void removal_leaves_no_trace(void **state)
{
	expect_change("[{\"op\":\"remove\",\"path\":\"/name\"}]", "  \"name\": \"demo\",\n", "");
	expect_change("[{\"op\":\"remove\",\"path\":\"/server/ports\"}]",
		      ",\n    \"ports\": [80, 443]", "");
	expect_change("[{\"op\":\"remove\",\"path\":\"/list\"}]",
		      ",\n  \"list\": [\n    \"one\",\n    \"two\"\n  ]", "");
	expect_change("[{\"op\":\"remove\",\"path\":\"/list/1\"}]", ",\n    \"two\"", "");
	expect_change("[{\"op\":\"remove\",\"path\":\"/server/ports/0\"}]", "80, ", "");
	expect_change("[{\"op\":\"remove\",\"path\":\"/server/ports/1\"}]", ", 443", "");
	expect_change("[{\"op\":\"remove\",\"path\":\"/list/0\"},{\"op\":\"remove\",\"path\":"
		      "\"/list/0\"}]",
		      "[\n    \"one\",\n    \"two\"\n  ]", "[]");
	expect_patched("{ \"a\" : 1 }", "[{\"op\":\"remove\",\"path\":\"/a\"}]", "{}");
	expect_patched("[ 1 , 2 , 3 ]", "[{\"op\":\"remove\",\"path\":\"/1\"}]", "[ 1 , 3 ]");
	expect_patched("[ 1\n, 2\n, 3\n]", "[{\"op\":\"remove\",\"path\":\"/2\"}]", "[ 1\n, 2\n]");
}

static void empty_containers_open_up(void **state)
{
	expect_change("[{\"op\":\"add\",\"path\":\"/empty/a\",\"value\":1},"
		      "{\"op\":\"add\",\"path\":\"/empty/b\",\"value\":[]},"
		      "{\"op\":\"add\",\"path\":\"/empty/b/-\",\"value\":2}]",
		      "\"empty\": {}",
		      "\"empty\": {\n    \"a\": 1,\n    \"b\": [\n      2\n    ]\n  }");
	/* What is on one line stays there. */
	expect_patched("{\"a\": {}, \"b\": []}\n",
		       "[{\"op\":\"add\",\"path\":\"/a/x\",\"value\":1},"
		       "{\"op\":\"add\",\"path\":\"/b/-\",\"value\":1},"
		       "{\"op\":\"add\",\"path\":\"/b/-\",\"value\":2}]",
		       "{\"a\": {\"x\": 1}, \"b\": [1, 2]}\n");
	expect_patched("{\"a\":{},\"b\":[]}",
		       "[{\"op\":\"add\",\"path\":\"/a/x\",\"value\":1},"
		       "{\"op\":\"add\",\"path\":\"/a/y\",\"value\":1},"
		       "{\"op\":\"add\",\"path\":\"/b/-\",\"value\":1},"
		       "{\"op\":\"add\",\"path\":\"/b/-\",\"value\":2}]",
		       "{\"a\":{\"x\":1,\"y\":1},\"b\":[1,2]}");
	expect_patched("{ }", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":1}]", "{ \"a\":1 }");
	expect_patched("{\n}\n", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":1}]",
		       "{\n  \"a\": 1\n}\n");
	expect_patched("{\n\t\"a\": [\n\t]\n}", "[{\"op\":\"add\",\"path\":\"/a/-\",\"value\":1}]",
		       "{\n\t\"a\": [\n\t\t1\n\t]\n}");
	expect_patched("[\n    {}\n]", "[{\"op\":\"add\",\"path\":\"/0/a\",\"value\":1}]",
		       "[\n    {\n        \"a\": 1\n    }\n]");
}

static void other_hands_are_followed(void **state)
{
	/* Carriage returns. */
	expect_patched("{\r\n  \"a\": {}\r\n}\r\n",
		       "[{\"op\":\"add\",\"path\":\"/a/x\",\"value\":1},"
		       "{\"op\":\"add\",\"path\":\"/b\",\"value\":2}]",
		       "{\r\n  \"a\": {\r\n    \"x\": 1\r\n  },\r\n  \"b\": 2\r\n}\r\n");
	/* Commas in front. */
	expect_patched("[ 1\n, 2\n]", "[{\"op\":\"add\",\"path\":\"/-\",\"value\":3}]",
		       "[ 1\n, 2\n, 3\n]");
	/* Spaces inside of the brackets. */
	expect_patched("{ \"a\": 1 }", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":2}]",
		       "{ \"a\": 1, \"b\": 2 }");
	/* A single member or element. */
	expect_patched("{\"a\": 1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":2}]",
		       "{\"a\": 1, \"b\": 2}");
	expect_patched("{\"a\": [1]}", "[{\"op\":\"add\",\"path\":\"/a/0\",\"value\":0}]",
		       "{\"a\": [0, 1]}");
	expect_patched("[\n\t1\n]", "[{\"op\":\"add\",\"path\":\"/0\",\"value\":0}]",
		       "[\n\t0,\n\t1\n]");
	/* A colon with a line of its own is not copied. */
	expect_patched("{\"a\"\n:\n1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":2}]",
		       "{\"a\"\n:\n1,\"b\": 2}");
	/* Tables: the separator in use is that of the last two. */
	expect_patched("[1, 2,\n 3, 4]", "[{\"op\":\"add\",\"path\":\"/-\",\"value\":5}]",
		       "[1, 2,\n 3, 4, 5]");
}

static void lines_take_the_indentation_of_their_new_place(void **state)
{
	expect_change("[{\"op\":\"copy\",\"from\":\"/list\",\"path\":\"/server/list\"}]",
		      "\"ports\": [80, 443]\n",
		      "\"ports\": [80, 443],\n    \"list\": [\n      \"one\",\n      \"two\"\n"
		      "    ]\n");
	expect_patched("{\n  \"a\": {\n    \"b\": {\n      \"c\": \"x\\n  y\"\n    }\n  }\n}\n",
		       "[{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"\"}]",
		       "{\n  \"c\": \"x\\n  y\"\n}\n");
	expect_patched("{\n\t\"a\": 1\n}\n",
		       "[\n  { \"op\": \"replace\", \"path\": \"/a\",\n    \"value\": {\n"
		       "      \"b\": [\n        2\n      ]\n    } }\n]\n",
		       "{\n\t\"a\": {\n\t  \"b\": [\n\t    2\n\t  ]\n\t}\n}\n");
	/* Lines that are not indented as the first stay as they are. */
	expect_patched("{\n  \"a\": [\n 1\n  ],\n  \"b\": {}\n}",
		       "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b/a\"}]",
		       "{\n  \"b\": {\n    \"a\": [\n 1\n    ]\n  }\n}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_get_lines_of_their_own),
		cmocka_unit_test(elements_are_set_as_their_neighbours),
		cmocka_unit_test(removal_leaves_no_trace),
		cmocka_unit_test(empty_containers_open_up),
		cmocka_unit_test(other_hands_are_followed),
		cmocka_unit_test(lines_take_the_indentation_of_their_new_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
