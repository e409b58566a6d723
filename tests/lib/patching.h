/* SPDX-License-Identifier: Apache-2.0 */
/* patching.h - what the tests of JSON texts and patches share: one line, one patch. */
#ifndef FX_PATCHING_H
#define FX_PATCHING_H

#include "fixture.h"

#include "json_patch.h"

static inline struct fx_json_text text_of(const char *string)
{
	return (struct fx_json_text){(const uint8_t *)string, strlen(string)};
}

#define SIZE_LIMIT ((size_t)1 << 20)

/* Apply and give the new text, to be freed; NULL and the error. Exact copies: ASan sees overruns.
 */
static inline char *apply(struct fx_json_text document, struct fx_json_text patch, size_t size_max,
			  uint64_t work_max, int *ret_err, struct feox_diag *diag)
{
	uint8_t *document_copy = malloc(document.size + !document.size);
	uint8_t *patch_copy = malloc(patch.size + !patch.size);
	const struct fx_json_limits limits = {size_max, work_max};
	struct fx_json_patch operations = {0};
	struct fx_json_buffer result = {0};
	char *text = NULL;

	memcpy(document_copy, document.bytes, document.size);
	memcpy(patch_copy, patch.bytes, patch.size);
	document.bytes = document_copy;
	*ret_err = fx_json_patch_read(patch_copy, patch.size, &operations, diag);
	if (!*ret_err)
		*ret_err = fx_json_patch_apply(&operations, document, &limits, &result, diag);
	if (!*ret_err)
		text = strndup((const char *)result.bytes, result.size);
	fx_json_buffer_free(&result);
	fx_json_patch_free(&operations);
	free(document_copy);
	free(patch_copy);
	return text;
}

static inline void expect_patched(const char *document, const char *patch, const char *expected)
{
	struct feox_diag diag = {""};
	int err;
	char *text = apply(text_of(document), text_of(patch), SIZE_LIMIT, UINT64_MAX, &err, &diag);

	if (err || strcmp(text, expected) != 0)
		print_error("%s\n%s\n-> %d %s\n%s\n", document, patch, err, diag.text,
			    text ? text : "");
	assert_int_equal(err, 0);
	assert_string_equal(text, expected);
	free(text);
}

/* It must fail with err, and say so with all of part. */
static inline void expect_refused(const char *document, const char *patch, int err,
				  const char *part)
{
	struct feox_diag diag = {""};
	int got;
	char *text = apply(text_of(document), text_of(patch), SIZE_LIMIT, UINT64_MAX, &got, &diag);

	if (got != err || !strstr(diag.text, part))
		print_error("%s\n%s\n-> %d \"%s\", not \"%s\"\n", document, patch, got, diag.text,
			    part);
	assert_int_equal(got, err);
	assert_non_null(strstr(diag.text, part));
	assert_null(text);
}

#endif
