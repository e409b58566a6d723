/* SPDX-License-Identifier: Apache-2.0 */
/* What a patch may not do to the machine: sizes, depths, counts, work, short memory. */
#include "patching.h"

#include <jansson.h>

/* ---- Memory that fails at the Nth allocation (the linker wraps the engine's calls) ------------
 */

static long allocations_left = -1; /* -1: any number */
static long live;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);

static bool fails(void)
{
	if (allocations_left < 0)
		return false;
	return allocations_left == 0 || allocations_left-- == 0;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return fails() ? NULL : __real_reallocarray(old, count, size);
}

/* jansson's, which are counted too: all must be given back. */
static void *jansson_malloc(size_t size)
{
	void *p = fails() ? NULL : __real_malloc(size);

	live += p != NULL;
	return p;
}

static void jansson_free(void *p)
{
	live -= p != NULL;
	free(p);
}

/* ---- Helpers --------------------------------------------------------------------------------- */

/* "[" + count times operation, with commas + "]" */
static char *repeat_operation(const char *operation, size_t count)
{
	char *patch = malloc(count * (strlen(operation) + 1) + 3), *p = patch;

	*p++ = '[';
	for (size_t i = 0; i < count; i++)
		p += sprintf(p, "%s%s", i ? "," : "", operation);
	strcpy(p, "]");
	return patch;
}

static int apply_err(const char *document, const char *patch, size_t size_max, uint64_t work_max,
		     struct feox_diag *diag)
{
	int err;

	diag->text[0] = '\0';
	free(apply(text_of(document), text_of(patch), size_max, work_max, &err, diag));
	return err;
}

/* open, count times; close, count times; inner between. */
static char *nest(const char *open, const char *inner, const char *close, size_t count)
{
	char *text = malloc(count * (strlen(open) + strlen(close)) + strlen(inner) + 1), *p = text;

	for (size_t i = 0; i < count; i++)
		p = stpcpy(p, open);
	p = stpcpy(p, inner);
	for (size_t i = 0; i < count; i++)
		p = stpcpy(p, close);
	return text;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void copy_bombs_end(void **state)
{
	static const char *const bombs[] = {
		"{\"op\":\"copy\",\"from\":\"\",\"path\":\"/a/-\"}",
		"{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/-\"}",
		"{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/0\"}",
		"{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/1\"}",
	};
	struct feox_diag diag;

	for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++) {
		char *patch = repeat_operation(bombs[i], 1000);

		assert_int_equal(apply_err("{\"a\":[1,2]}", patch, SIZE_LIMIT, UINT64_MAX, &diag),
				 -EFBIG);
		assert_non_null(strstr(diag.text, "(copy): the document would become larger than "
						  "1048576 bytes"));
		free(patch);
	}
}

static void sizes_are_exact(void **state)
{
	static const char patch[] = "[{\"op\":\"add\",\"path\":\"/b\",\"value\":2}]";
	struct feox_diag diag;

	/* {"a":1,"b":2} has 13 bytes. */
	assert_int_equal(apply_err("{\"a\":1}", patch, 13, UINT64_MAX, &diag), 0);
	assert_int_equal(apply_err("{\"a\":1}", patch, 12, UINT64_MAX, &diag), -EFBIG);
	assert_string_equal(diag.text,
			    "operation 0 (add): the document would become larger than 12 bytes");
	assert_int_equal(apply_err("{\"a\":1}", "[]", 6, UINT64_MAX, &diag), -EFBIG);
	assert_string_equal(diag.text, "document: larger than 6 bytes");
	/* Also when it would become smaller again, and when indentation makes it large. */
	assert_int_equal(apply_err("{\"a\":1}",
				   "[{\"op\":\"add\",\"path\":\"/b\",\"value\":2},"
				   "{\"op\":\"remove\",\"path\":\"/b\"}]",
				   12, UINT64_MAX, &diag),
			 -EFBIG);
	assert_int_equal(apply_err("{\n                \"a\": 1}",
				   "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":[\n1,\n2\n]}]",
				   40, UINT64_MAX, &diag),
			 -EFBIG);
}

static void depth_is_limited(void **state)
{
	const size_t max = FEOX_JSON_DEPTH_MAX;
	char *deepest = nest("[", "", "]", max), *too_deep = nest("[", "", "]", max + 1);
	char *nearly = nest("[", "", "]", max - 1), *pointer = nest("/0", "/-", "", max - 1);
	char *long_pointer = nest("/0", "", "", max + 1), *patch;
	struct feox_diag diag;

	assert_int_equal(apply_err(deepest, "[]", SIZE_LIMIT, UINT64_MAX, &diag), 0);
	assert_int_equal(apply_err(too_deep, "[]", SIZE_LIMIT, UINT64_MAX, &diag), -EINVAL);
	assert_string_equal(diag.text, "document: byte 512: nested too deep");
	assert_int_equal(apply_err("{}", too_deep, SIZE_LIMIT, UINT64_MAX, &diag), -EINVAL);
	assert_string_equal(diag.text, "patch: byte 512: nested too deep");

	asprintf(&patch, "[{\"op\":\"add\",\"path\":\"%s\",\"value\":1}]", pointer);
	assert_int_equal(apply_err(deepest, patch, SIZE_LIMIT, UINT64_MAX, &diag), 0);
	free(patch);
	asprintf(&patch, "[{\"op\":\"add\",\"path\":\"%s\",\"value\":[]}]", pointer);
	assert_int_equal(apply_err(deepest, patch, SIZE_LIMIT, UINT64_MAX, &diag), -EFBIG);
	assert_string_equal(diag.text,
			    "operation 0 (add): the document would be nested deeper than 512");
	free(patch);
	asprintf(&patch, "[{\"op\":\"add\",\"path\":\"%s\",\"value\":1}]", long_pointer);
	assert_int_equal(apply_err(deepest, patch, SIZE_LIMIT, UINT64_MAX, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "it is too deep"));
	free(patch);
	assert_int_equal(apply_err(nearly, "[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/-\"}]",
				   SIZE_LIMIT, UINT64_MAX, &diag),
			 0);
	assert_int_equal(apply_err(deepest, "[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/-\"}]",
				   SIZE_LIMIT, UINT64_MAX, &diag),
			 -EFBIG);
	assert_int_equal(apply_err("[1]", "[{\"op\":\"replace\",\"path\":\"/0\",\"value\":[[]]}]",
				   SIZE_LIMIT, UINT64_MAX, &diag),
			 0);
	free(deepest);
	free(too_deep);
	free(nearly);
	free(pointer);
	free(long_pointer);
}

static void operations_are_counted(void **state)
{
	static const char operation[] = "{\"op\":\"test\",\"path\":\"\",\"value\":1}";
	char *most = repeat_operation(operation, FEOX_PATCH_OPERATIONS_MAX);
	char *more = repeat_operation(operation, FEOX_PATCH_OPERATIONS_MAX + 1);
	struct feox_diag diag;

	assert_int_equal(apply_err("1", most, SIZE_LIMIT, UINT64_MAX, &diag), 0);
	assert_int_equal(apply_err("1", more, SIZE_LIMIT, UINT64_MAX, &diag), -EFBIG);
	assert_string_equal(diag.text, "patch: 65537 operations, at most 65536");
	free(most);
	free(more);
}

static void patches_have_a_largest_size(void **state)
{
	char *patch = malloc(FEOX_PATCH_MAX + 2);
	struct feox_diag diag;

	memset(patch, ' ', FEOX_PATCH_MAX + 1);
	memcpy(patch, "[]", 2);
	patch[FEOX_PATCH_MAX + 1] = '\0';
	assert_int_equal(apply_err("1", patch, SIZE_LIMIT, UINT64_MAX, &diag), -EFBIG);
	assert_string_equal(diag.text, "patch: larger than 67108864 bytes");
	patch[FEOX_PATCH_MAX] = '\0';
	assert_int_equal(apply_err("1", patch, SIZE_LIMIT, UINT64_MAX, &diag), 0);
	free(patch);
}

/* Every operation on a large document must count as work, wherever it has its place. */
static void work_is_limited(void **state)
{
	static const char *const operations[] = {
		"{\"op\":\"test\",\"path\":\"/1/a\",\"value\":1}",
		"{\"op\":\"add\",\"path\":\"/-\",\"value\":1}",
		"{\"op\":\"add\",\"path\":\"/0\",\"value\":1}",
		"{\"op\":\"remove\",\"path\":\"/0\"}",
		"{\"op\":\"replace\",\"path\":\"/1/a\",\"value\":1}",
		"{\"op\":\"replace\",\"path\":\"\",\"value\":1}",
		"{\"op\":\"copy\",\"from\":\"/1\",\"path\":\"/1\"}",
		"{\"op\":\"move\",\"from\":\"/1\",\"path\":\"/0\"}",
	};
	const size_t size = 100000;
	char *filler = nest(" ", "", "", size), *document;
	struct feox_diag diag;

	asprintf(&document, "[[[\"%s\"]],{\"a\":1}]", filler);
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		char *patch = repeat_operation(operations[i], 1);

		assert_int_equal(apply_err(document, patch, SIZE_LIMIT, 10 * size, &diag), 0);
		assert_int_equal(apply_err(document, patch, SIZE_LIMIT, size / 2, &diag), -EFBIG);
		assert_non_null(strstr(diag.text, "more than 50000 bytes of work"));
		free(patch);
	}
	free(filler);
	free(document);
}

/* One walk a pointer: not a walk of all that is inside for every level. */
static void deep_pointers_are_linear(void **state)
{
	const size_t levels = FEOX_JSON_DEPTH_MAX - 1, size = 20000;
	char *filler = nest("1,", "1", "", size), *inner, *document, *pointer, *patch;
	struct feox_diag diag;

	asprintf(&inner, "[%s]", filler);
	document = nest("{\"a\":", inner, "}", levels);
	pointer = nest("/a", "", "", levels);
	asprintf(&patch, "[{\"op\":\"test\",\"path\":\"%s/5\",\"value\":1}]", pointer);
	assert_int_equal(apply_err(document, patch, SIZE_LIMIT, 4 * strlen(document), &diag), 0);
	free(filler);
	free(inner);
	free(document);
	free(pointer);
	free(patch);
}

static void short_memory_is_an_error_and_leaks_nothing(void **state)
{
	static const char document[] =
		"{\n  \"a\": {\"x\": [1, 2]},\n  \"b\": {},\n  \"c\": [\n  1\n  ]\n}";
	static const char patch[] =
		"[{\"op\":\"add\",\"path\":\"/a/x/-\",\"value\":{\"y\":1,\"x\":[\n]}},"
		"{\"op\":\"test\",\"path\":\"/a/x/2\",\"value\":{\"x\":[],\"y\":1}},"
		"{\"op\":\"copy\",\"from\":\"/c\",\"path\":\"/b/c\"},"
		"{\"op\":\"add\",\"path\":\"/b/\\u0001\",\"value\":0},"
		"{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/c/0\"}]";
	const struct fx_json_limits limits = {SIZE_LIMIT, UINT64_MAX};
	int err = -ENOMEM;
	long n;

	json_set_alloc_funcs(jansson_malloc, jansson_free);
	for (n = 0; err == -ENOMEM; n++) {
		struct fx_json_patch operations = {0};
		struct fx_json_buffer result = {0};

		allocations_left = n;
		err = fx_json_patch_read(patch, strlen(patch), &operations, NULL);
		if (!err)
			err = fx_json_patch_apply(&operations, text_of(document), &limits, &result,
						  NULL);
		allocations_left = -1;
		fx_json_buffer_free(&result);
		fx_json_patch_free(&operations);
		assert_int_equal(live, 0);
	}
	json_set_alloc_funcs(malloc, free);
	assert_int_equal(err, 0);
	assert_true(n > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copy_bombs_end),
		cmocka_unit_test(sizes_are_exact),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(operations_are_counted),
		cmocka_unit_test(patches_have_a_largest_size),
		cmocka_unit_test(work_is_limited),
		cmocka_unit_test(deep_pointers_are_linear),
		cmocka_unit_test(short_memory_is_an_error_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
