/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_json_patch.c - any bytes as a document and a patch, a record separator (0x1e) between them.
 *
 * Whatever they are: no crash and no leak, an error with a text or a new document within the limits
 * that is JSON; and where jansson can hold both, the result that the oracle's trees give.
 */
#include "json_patch.h"
#include "patch_oracle.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define SEPARATOR      0x1e
#define SIZE_MAX_BYTES ((size_t)1 << 16)
#define WORK_MAX_BYTES ((uint64_t)1 << 24)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_failure(int err, const struct feox_diag *diag)
{
	assert(err == -EINVAL || err == -EFBIG);
	assert(diag->text[0] && memchr(diag->text, '\0', sizeof(diag->text)));
	assert(strncmp(diag->text, "document: ", 10) == 0 ||
	       strncmp(diag->text, "patch: ", 7) == 0 ||
	       strncmp(diag->text, "operation ", 10) == 0);
}

static void check_success(const struct fx_json_buffer *result)
{
	struct fx_json_text text = {result->bytes, result->size};
	struct fx_json_fault fault;

	assert(result->size <= SIZE_MAX_BYTES);
	assert(fx_json_check(text, &fault) == 0);
	assert(fx_json_depth(text) <= FEOX_JSON_DEPTH_MAX);
}

/* What the oracle makes of it: 1 a new *document, 0 an error, -1 it cannot tell. */
static int ask_oracle(json_t **document, json_t *patch)
{
	int result = 1;

	for (size_t i = 0; i < json_array_size(patch) && result == 1; i++)
		result = oracle_step(document, json_array_get(patch, i));
	return result;
}

/* jansson takes some NUL bytes for white space, and its names cannot have any. */
static bool has_nul(struct fx_json_text text)
{
	return text.size &&
	       (memchr(text.bytes, '\0', text.size) || memmem(text.bytes, text.size, "\\u0000", 6));
}

static void compare(struct fx_json_text document, struct fx_json_text patch, int err,
		    const struct fx_json_buffer *result)
{
	json_t *tree = json_loadb((const char *)document.bytes, document.size, ORACLE_FLAGS, NULL);
	json_t *operations = json_loadb((const char *)patch.bytes, patch.size, ORACLE_FLAGS, NULL);
	bool comparable = tree && json_is_array(operations) && !has_nul(document) &&
			  !has_nul(patch) && err != -EFBIG;
	int expected = comparable ? ask_oracle(&tree, operations) : -1;

	if (expected >= 0)
		assert(expected == (err == 0));
	if (expected == 1) {
		json_t *got =
			json_loadb((const char *)result->bytes, result->size, ORACLE_FLAGS, NULL);

		assert(got && json_equal(got, tree));
		json_decref(got);
	}
	json_decref(tree);
	json_decref(operations);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct fx_json_limits limits = {SIZE_MAX_BYTES, WORK_MAX_BYTES};
	const uint8_t *separator = size ? memchr(data, SEPARATOR, size) : NULL;
	size_t document_size = separator ? (size_t)(separator - data) : size;
	struct fx_json_text document = {data, document_size}, patch = {0};
	struct fx_json_patch operations = {0};
	struct fx_json_buffer result = {0};
	struct feox_diag diag = {""};
	uint8_t *copy; /* of its own, so that ASan sees what is read before the patch */
	int err;

	if (separator)
		patch = (struct fx_json_text){separator + 1, size - document_size - 1};
	copy = malloc(patch.size + 1);
	if (patch.size)
		memcpy(copy, patch.bytes, patch.size);
	patch.bytes = copy;
	err = fx_json_patch_read(patch.bytes, patch.size, &operations, &diag);
	if (!err)
		err = fx_json_patch_apply(&operations, document, &limits, &result, &diag);
	if (err)
		check_failure(err, &diag);
	else
		check_success(&result);
	compare(document, patch, err, &result);
	fx_json_buffer_free(&result);
	fx_json_patch_free(&operations);
	free(copy);
	return 0;
}
