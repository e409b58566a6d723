/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Patch: appendix A of RFC 6902, every operation, every error, every bound. */
#include "patching.h"

/* One operation as a patch. */
#define ADD(path, value)     "[{\"op\":\"add\",\"path\":\"" path "\",\"value\":" value "}]"
#define REPLACE(path, value) "[{\"op\":\"replace\",\"path\":\"" path "\",\"value\":" value "}]"
#define VERIFY(path, value)  "[{\"op\":\"test\",\"path\":\"" path "\",\"value\":" value "}]"
#define REMOVE(path)	     "[{\"op\":\"remove\",\"path\":\"" path "\"}]"
#define MOVE(from, path)     "[{\"op\":\"move\",\"from\":\"" from "\",\"path\":\"" path "\"}]"
#define COPY(from, path)     "[{\"op\":\"copy\",\"from\":\"" from "\",\"path\":\"" path "\"}]"

static void rfc_6902_appendix_a(void **state)
{
	/* A.1 to A.7 */
	expect_patched("{\"foo\":\"bar\"}", ADD("/baz", "\"qux\""),
		       "{\"foo\":\"bar\",\"baz\":\"qux\"}");
	expect_patched("{\"foo\":[\"bar\",\"baz\"]}", ADD("/foo/1", "\"qux\""),
		       "{\"foo\":[\"bar\",\"qux\",\"baz\"]}");
	expect_patched("{\"baz\":\"qux\",\"foo\":\"bar\"}", REMOVE("/baz"), "{\"foo\":\"bar\"}");
	expect_patched("{\"foo\":[\"bar\",\"qux\",\"baz\"]}", REMOVE("/foo/1"),
		       "{\"foo\":[\"bar\",\"baz\"]}");
	expect_patched("{\"baz\":\"qux\",\"foo\":\"bar\"}", REPLACE("/baz", "\"boo\""),
		       "{\"baz\":\"boo\",\"foo\":\"bar\"}");
	expect_patched("{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":"
		       "\"grault\"}}",
		       MOVE("/foo/waldo", "/qux/thud"),
		       "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\",\"thud\":"
		       "\"fred\"}}");
	expect_patched("{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}", MOVE("/foo/1", "/foo/3"),
		       "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}");
	/* A.8, A.9 */
	expect_patched("{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
		       "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},"
		       "{\"op\":\"test\",\"path\":\"/foo/1\",\"value\":2}]",
		       "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}");
	expect_refused("{\"baz\":\"qux\"}", VERIFY("/baz", "\"bar\""), -EINVAL,
		       "operation 0 (test): path \"/baz\": the value at byte 7 is another one");
	/* A.10 to A.13 */
	expect_patched("{\"foo\":\"bar\"}", ADD("/child", "{\"grandchild\":{}}"),
		       "{\"foo\":\"bar\",\"child\":{\"grandchild\":{}}}");
	expect_patched("{\"foo\":\"bar\"}",
		       "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"xyz\":123}]",
		       "{\"foo\":\"bar\",\"baz\":\"qux\"}");
	expect_refused("{\"foo\":\"bar\"}", ADD("/baz/bat", "\"qux\""), -EINVAL,
		       "operation 0 (add): path \"/baz/bat\": \"baz\": no such member or element, "
		       "in the value at byte 0");
	expect_refused("{\"foo\":\"bar\"}",
		       "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"op\":\"remove\"}]",
		       -EINVAL, "patch: byte 41: a member name that occurs twice");
	/* A.14 to A.16 */
	expect_patched("{\"/\":9,\"~1\":10}", VERIFY("/~01", "10"), "{\"/\":9,\"~1\":10}");
	expect_refused("{\"/\":9,\"~1\":10}", VERIFY("/~01", "\"10\""), -EINVAL, "another one");
	expect_patched("{\"foo\":[\"bar\"]}", ADD("/foo/-", "[\"abc\",\"def\"]"),
		       "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}");
}

/* The examples of RFC 6901, 5. */
static void rfc_6901_pointers(void **state)
{
	static const char document[] = "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,"
				       "\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,"
				       "\"m~n\":8}";
	static const char *const patches[] = {
		VERIFY("",
		       "{\"m~n\":8,\" \":7,\"k\\\"l\":6,\"i\\\\j\":5,\"g|h\":4,\"e^f\":3,\"c%d\":2,"
		       "\"a/b\":1,\"\":0,\"foo\":[\"bar\",\"baz\"]}"),
		VERIFY("/foo", "[\"bar\",\"baz\"]"),
		VERIFY("/foo/0", "\"bar\""),
		VERIFY("/", "0"),
		VERIFY("/a~1b", "1"),
		VERIFY("/c%d", "2"),
		VERIFY("/e^f", "3"),
		VERIFY("/g|h", "4"),
		VERIFY("/i\\\\j", "5"),
		VERIFY("/k\\\"l", "6"),
		VERIFY("/ ", "7"),
		VERIFY("/m~0n", "8"),
		VERIFY("/\\u0066oo/\\u0031", "\"b\\u0061z\""),
	};

	for (size_t i = 0; i < sizeof(patches) / sizeof(patches[0]); i++)
		expect_patched(document, patches[i], document);
}

static void whole_documents(void **state)
{
	expect_patched(" {\"a\":1}\n", REPLACE("", "[1.10]"), " [1.10]\n");
	expect_patched("1", ADD("", "{}"), "{}");
	expect_patched("\t\"x\" ", VERIFY("", "\"\\u0078\""), "\t\"x\" ");
	expect_patched("{\"a\":{\"b\":1}}\n", MOVE("/a", ""), "{\"b\":1}\n");
	expect_patched("{\"a\":{\"b\":1}}\n", COPY("/a/b", ""), "1\n");
	expect_patched("{\"a\":1}", COPY("", "/b"), "{\"a\":1,\"b\":{\"a\":1}}");
	expect_patched("{\"a\":1}", COPY("", ""), "{\"a\":1}");
	expect_patched("{\"a\":1}", MOVE("", ""), "{\"a\":1}");
	expect_refused("{\"a\":1}", REMOVE(""), -EINVAL, "the whole document cannot be removed");
	expect_refused("{\"a\":1}", MOVE("", "/b"), -EINVAL, "cannot be moved into itself");
	expect_patched("{\"a\":1}", "[]", "{\"a\":1}");
}

static void operations_see_what_those_before_did(void **state)
{
	expect_patched("{\"a\":[1]}",
		       "[{\"op\":\"add\",\"path\":\"/b\",\"value\":{}},"
		       "{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b/c\"},"
		       "{\"op\":\"add\",\"path\":\"/b/c/0\",\"value\":0},"
		       "{\"op\":\"test\",\"path\":\"/b/c\",\"value\":[0,1]},"
		       "{\"op\":\"copy\",\"from\":\"/b/c/1\",\"path\":\"/b/d\"},"
		       "{\"op\":\"replace\",\"path\":\"/b/c/1\",\"value\":\"x\"},"
		       "{\"op\":\"remove\",\"path\":\"/b/c/0\"}]",
		       "{\"b\":{\"c\":[\"x\"],\"d\":1}}");
	/* All or nothing: the second one fails. */
	expect_refused("{\"a\":1}",
		       "[{\"op\":\"remove\",\"path\":\"/a\"},{\"op\":\"remove\",\"path\":\"/a\"}]",
		       -EINVAL, "operation 1 (remove): path \"/a\": there is nothing");
}

static void adding_replaces_members_and_shifts_elements(void **state)
{
	expect_patched("{\"a\" : 1, \"b\":2}", ADD("/a", "[]"), "{\"a\" : [], \"b\":2}");
	expect_patched("[1,2]", ADD("/0", "0"), "[0,1,2]");
	expect_patched("[1,2]", ADD("/2", "3"), "[1,2,3]");
	expect_patched("[1,2]", ADD("/-", "3"), "[1,2,3]");
	expect_patched("[]", ADD("/0", "3"), "[3]");
	expect_patched("[]", ADD("/-", "3"), "[3]");
	expect_patched("{}", ADD("/", "null"), "{\"\":null}");
	expect_patched("{\"-\":1,\"0\":2}", REPLACE("/-", "3"), "{\"-\":3,\"0\":2}");
	expect_patched("{\"00\":2}", REMOVE("/00"), "{}");
	expect_patched("{\"a\":[1,2],\"b\":3}", COPY("/b", "/a/1"), "{\"a\":[1,3,2],\"b\":3}");
	expect_patched("{\"a\":1,\"b\":2}", MOVE("/a", "/b"), "{\"b\":1}");
	expect_patched("[1,2,3]", MOVE("/0", "/-"), "[2,3,1]");
	expect_patched("[1,2,3]", MOVE("/2", "/0"), "[3,1,2]");
	expect_patched("[1,2,3]", MOVE("/1", "/1"), "[1,2,3]");
}

static void new_names_are_escaped(void **state)
{
	expect_patched("{}", ADD("/\\\"\\\\\\u0001\\n\\u007f~0~1\\ud83d\\ude00\\u00e9", "1"),
		       "{\"\\\"\\\\\\u0001\\n\x7f~/\xf0\x9f\x98\x80\xc3\xa9\":1}");
	expect_patched("{\"a\\u0000b\":1}", REPLACE("/a\\u0000b", "2"), "{\"a\\u0000b\":2}");
	expect_patched("{\"a\":1}", ADD("/a\\u0000", "2"), "{\"a\":1,\"a\\u0000\":2}");
}

static void untouched_and_inserted_text_keeps_its_bytes(void **state)
{
	expect_patched("{ \"z\":1.10,\"a\" :123456789012345678901234567890, \"n\":1e999,"
		       "\"s\":\"\\u0041\\/\" }",
		       "[{\"op\":\"remove\",\"path\":\"/z\"},{\"op\":\"add\",\"path\":\"/y\","
		       "\"value\":-0.10E+400},{\"op\":\"add\",\"path\":\"/x\",\"value\":"
		       "999999999999999999999999999999}]",
		       "{ \"a\" :123456789012345678901234567890, \"n\":1e999,"
		       "\"s\":\"\\u0041\\/\",\"y\":-0.10E+400,\"x\":"
		       "999999999999999999999999999999 }");
	expect_patched("[0]", ADD("/-", "{\"b\" : \"\\u0041\\/\",  \"a\":1.0 }"),
		       "[0,{\"b\" : \"\\u0041\\/\",  \"a\":1.0 }]");
	/* Members that are not of the operation are ignored, whatever they are. */
	expect_patched("[0]",
		       "[{\"x\":1e999,\"\\u0000\":{\"\\u0000\":[]},\"value\":{\"\\u0000\":1e-999},"
		       "\"from\":\"a/b\",\"p\\u0061th\":\"/-\",\"\\u006fp\":\"\\u0061dd\"}]",
		       "[0,{\"\\u0000\":1e-999}]");
}

static void tests_compare_values(void **state)
{
	static const char document[] = "{\"n\":100,\"l\":123456789012345678901234567890,"
				       "\"s\":\"\xc3\xa9/\",\"o\":{\"a\":1,\"b\":[true,null]}}";

	expect_patched(document, VERIFY("/n", "1.0e2"), document);
	expect_patched(document, VERIFY("/l", "1.2345678901234567890123456789e29"), document);
	expect_patched(document, VERIFY("/s", "\"\\u00E9\\/\""), document);
	expect_patched(document, VERIFY("/o", "{\"b\":[true,null],\"a\":1.0}"), document);
	expect_refused(document, VERIFY("/l", "123456789012345678901234567891"), -EINVAL,
		       "another one");
	expect_refused(document, VERIFY("/o", "{\"b\":[true,null]}"), -EINVAL, "another one");
	expect_refused(document, VERIFY("/o", "{\"b\":[true,null],\"a\":1,\"c\":1}"), -EINVAL,
		       "another one");
	expect_refused(document, VERIFY("/o/b", "[null,true]"), -EINVAL, "another one");
	expect_refused(document, VERIFY("/x", "null"), -EINVAL, "path \"/x\": there is nothing");
	expect_refused("{\"o\":{\"a\":1,\"a\":1}}", VERIFY("/o", "{\"a\":1,\"b\":1}"), -EINVAL,
		       "another one");
}

static void array_indexes_follow_the_rules(void **state)
{
	static const char *const not_indexes[] = {
		REMOVE("/01"), REMOVE("/00"), REMOVE("/+1"),   REMOVE("/1a"),	REMOVE("/1e0"),
		REMOVE("/"),   REMOVE("/--"), ADD("/-1", "0"), ADD("/ 1", "0"), ADD("/1.0", "0")};

	for (size_t i = 0; i < sizeof(not_indexes) / sizeof(not_indexes[0]); i++)
		expect_refused("[1,2,3]", not_indexes[i], -EINVAL, "not an array index");
	expect_refused("[1,2]", ADD("/3", "0"), -EINVAL,
		       "path \"/3\": \"3\": an index beyond the end of the array, in the value at "
		       "byte 0");
	expect_refused("[1,2]", REMOVE("/2"), -EINVAL, "there is nothing");
	expect_refused("[1,2]", REMOVE("/-"), -EINVAL, "there is nothing");
	expect_refused("[1,2]", REPLACE("/-", "0"), -EINVAL, "there is nothing");
	expect_refused("[1,2]", VERIFY("/-", "2"), -EINVAL, "there is nothing");
	expect_refused("[1,2]", MOVE("/-", "/0"), -EINVAL, "from \"/-\": there is nothing");
	expect_refused("[[1]]", REMOVE("/-/0"), -EINVAL, "\"-\": no such member or element");
	expect_refused("[1]", ADD("/18446744073709551617", "0"), -EINVAL, "beyond the end");
	expect_refused("[1]", ADD("/99999999999999999999999999999999999999999", "0"), -EINVAL,
		       "beyond the end");
	/* After the move has taken the only element, /1 is beyond the end. */
	expect_refused("[1]", MOVE("/0", "/1"), -EINVAL, "beyond the end");
}

static void locations_must_be_there(void **state)
{
	expect_refused("{\"a\":1}", REPLACE("/b", "1"), -EINVAL, "path \"/b\": there is nothing");
	expect_refused("{\"a\":1}", COPY("/b", "/c"), -EINVAL, "from \"/b\": there is nothing");
	expect_refused("{\"a\":1}", MOVE("/b", "/c"), -EINVAL, "from \"/b\": there is nothing");
	expect_refused("{\"a\":1}", MOVE("/b", "/b"), -EINVAL, "from \"/b\": there is nothing");
	expect_refused("{\"a\":1}", ADD("/a/b", "1"), -EINVAL,
		       "\"b\": not an object or array, in the value at byte 5");
	expect_refused("\"text\"", ADD("/0", "1"), -EINVAL, "not an object or array");
	expect_refused("{\"a\":{\"b\":1}}", MOVE("/a", "/a/b"), -EINVAL, "into itself");
	expect_refused("{\"a\":{\"b\":1}}", MOVE("/a", "/a/b/c"), -EINVAL, "into itself");
	expect_refused("{\"~\":{}}", MOVE("/~0", "/~0/x"), -EINVAL, "into itself");
	expect_patched("{\"a\":{\"b\":1}}", MOVE("/a/b", "/a"), "{\"a\":1}");
	expect_patched("{\"a\":1}", MOVE("/a", "/ab"), "{\"ab\":1}");
	expect_patched("{\"a\":{\"b\":1}}", COPY("/a", "/a/c"),
		       "{\"a\":{\"b\":1,\"c\":{\"b\":1}}}");
	expect_refused("{\"a\":{}}", MOVE("/a", "/b/c"), -EINVAL, "path \"/b/c\"");
}

static void names_that_occur_twice_are_refused(void **state)
{
	static const char what[] = "a member name that occurs twice, in the value at byte ";

	expect_refused("{\"a\":1,\"\\u0061\":2}", REMOVE("/a"), -EINVAL, what);
	expect_refused("{\"a\":{\"x\":1},\"b\":0,\"a\":{}}", REMOVE("/a/x"), -EINVAL, what);
	expect_refused("{\"a\":{\"x\":1},\"a\":{}}", ADD("/a/y", "0"), -EINVAL, what);
	expect_refused("{\"o\":{\"a\":[1],\"a\":[]}}", ADD("/o/a/-", "0"), -EINVAL,
		       "path \"/o/a/-\": \"a\": a member name that occurs twice, in the value at "
		       "byte 5");
	expect_refused("[0,{\"a\":1,\"a\":1}]", VERIFY("/1/a", "1"), -EINVAL, what);
	/* Elsewhere they are none of the patch's business. */
	expect_patched("{\"a\":1,\"b\":{\"c\":1,\"c\":2},\"d\":0,\"d\":0}", REMOVE("/a"),
		       "{\"b\":{\"c\":1,\"c\":2},\"d\":0,\"d\":0}");
	expect_refused("{}", ADD("/a", "{\"b\":1,\"b\":2}"), -EINVAL,
		       "patch: byte 40: a member name that occurs twice");
}

static void patches_must_be_patches(void **state)
{
	expect_refused("{}", "", -EINVAL, "patch: byte 0: a value expected, the text ends");
	expect_refused("{}", "[{]", -EINVAL, "patch: byte 2: a member's name expected");
	expect_refused("{}", "[] x", -EINVAL, "patch: byte 3: more text");
	expect_refused("{}", "[\"\xff\"]", -EINVAL, "patch: byte 2: not UTF-8");
	expect_refused("{}", "{\"op\":\"remove\",\"path\":\"/a\"}", -EINVAL,
		       "patch: byte 0: not an array of operations");
	expect_refused("{}", " 7", -EINVAL, "patch: byte 1: not an array of operations");
	expect_refused("{}", "[[]]", -EINVAL, "operation 0: not an object");
	expect_refused("{}", "[{}]", -EINVAL, "operation 0: there is no \"op\"");
	expect_refused("{}", "[{\"op\":\"remove\"}]", -EINVAL, "operation 0: there is no \"path\"");
	expect_refused("{}", "[{\"op\":1e999,\"path\":\"\"}]", -EINVAL,
		       "operation 0: \"op\" is not a string");
	expect_refused("{}", "[{\"op\":\"add\",\"path\":null,\"value\":1}]", -EINVAL,
		       "\"path\" is not a string");
	expect_refused("{}", "[{\"op\":\"copy\",\"path\":\"\",\"from\":[]}]", -EINVAL,
		       "\"from\" is not a string");
	expect_refused("{}", "[{\"op\":\"spam\",\"path\":\"\"}]", -EINVAL,
		       "operation 0: \"spam\" is not an operation");
	expect_refused("{}", "[{\"op\":\"add\\u0000\",\"path\":\"\",\"value\":1}]", -EINVAL,
		       "\"add?\" is not an operation");
	expect_refused("{}", "[{\"op\":\"ADD\",\"path\":\"\",\"value\":1}]", -EINVAL,
		       "\"ADD\" is not an operation");
	expect_refused("{}",
		       "[{\"op\":\"test\",\"path\":\"\",\"value\":{}},{\"op\":\"add\",\"path\":"
		       "\"/a\"}]",
		       -EINVAL, "operation 1 (add): there is no \"value\"");
	expect_refused("{}", "[{\"op\":\"replace\",\"path\":\"\"}]", -EINVAL, "no \"value\"");
	expect_refused("{}", "[{\"op\":\"test\",\"path\":\"\"}]", -EINVAL, "no \"value\"");
	expect_refused("{}", "[{\"op\":\"move\",\"path\":\"/a\"}]", -EINVAL,
		       "operation 0 (move): there is no \"from\"");
	expect_refused("{}", "[{\"op\":\"copy\",\"path\":\"/a\"}]", -EINVAL, "no \"from\"");
	expect_refused("{}", ADD("a", "1"), -EINVAL,
		       "operation 0 (add): path \"a\": it does not begin with a slash");
	expect_refused("{}", ADD("/a~2", "1"), -EINVAL, "a ~ that is neither ~0 nor ~1");
	expect_refused("{}", ADD("/a~", "1"), -EINVAL, "a ~ that is neither ~0 nor ~1");
	expect_refused("{}", COPY("x", "/a"), -EINVAL, "from \"x\": it does not begin");
}

static void documents_must_be_json(void **state)
{
	expect_refused("", "[]", -EINVAL, "document: byte 0: a value expected, the text ends");
	expect_refused("{\"a\":01}", "[]", -EINVAL,
		       "document: byte 5: a number with a leading zero");
	expect_refused("[\"\xc0\x80\"]", "[]", -EINVAL, "document: byte 2: not UTF-8");
	expect_refused("not json", "[]", -EINVAL, "document: byte 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_6902_appendix_a),
		cmocka_unit_test(rfc_6901_pointers),
		cmocka_unit_test(whole_documents),
		cmocka_unit_test(operations_see_what_those_before_did),
		cmocka_unit_test(adding_replaces_members_and_shifts_elements),
		cmocka_unit_test(new_names_are_escaped),
		cmocka_unit_test(untouched_and_inserted_text_keeps_its_bytes),
		cmocka_unit_test(tests_compare_values),
		cmocka_unit_test(array_indexes_follow_the_rules),
		cmocka_unit_test(locations_must_be_there),
		cmocka_unit_test(names_that_occur_twice_are_refused),
		cmocka_unit_test(patches_must_be_patches),
		cmocka_unit_test(documents_must_be_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
