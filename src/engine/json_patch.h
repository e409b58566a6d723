/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_patch.h - JSON Patch (RFC 6902) from bytes to bytes: no store, no locks, no I/O.
 *
 * The document is edited as text: what the patch does not touch keeps its bytes - the order of
 * members, white space, 1.10 and numbers of any length - and so do the values it puts in, line
 * indentation apart.
 */
#ifndef FX_JSON_PATCH_H
#define FX_JSON_PATCH_H

#include "feox/feox.h"
#include "json_compare.h"
#include "json_document.h"
#include "json_pointer.h"

enum fx_json_op {
	FX_JSON_ADD,
	FX_JSON_REMOVE,
	FX_JSON_REPLACE,
	FX_JSON_MOVE,
	FX_JSON_COPY,
	FX_JSON_TEST
};

struct fx_json_operation {
	enum fx_json_op op;
	struct fx_json_pointer *path;
	struct fx_json_pointer *from; /* of move and copy, else NULL */
	size_t value, value_end;      /* in the patch's text, of add, replace and test */
};

struct fx_json_patch {
	struct fx_json_text text;   /* the caller's */
	struct fx_json_index index; /* of text */
	struct fx_json_operation *operations;
	size_t count;
};

/* "add", "remove", ... */
const char *fx_json_op_name(enum fx_json_op op);

/*
 * Read a patch. Its bytes must stay until fx_json_patch_free(); it may be applied by several
 * threads at once. -ENOMEM. -EINVAL: not a JSON Patch; -EFBIG: larger than FEOX_PATCH_MAX or
 * FEOX_PATCH_OPERATIONS_MAX; for both diag (may be NULL) says what and where.
 */
int fx_json_patch_read(const void *bytes, size_t size, struct fx_json_patch *ret_patch,
		       struct feox_diag *diag);
void fx_json_patch_free(struct fx_json_patch *patch); /* a zeroed one is allowed */

struct fx_json_limits {
	size_t size_max;   /* bytes in the document, at any time */
	uint64_t work_max; /* bytes walked, moved and copied by all operations */
};

/*
 * Apply all of patch to a document, or nothing; *ret_result is the new document, to be freed with
 * fx_json_buffer_free(). Errors and diag as for feox_patch(): -EINVAL, -EFBIG, -ENOMEM.
 */
int fx_json_patch_apply(const struct fx_json_patch *patch, struct fx_json_text document,
			const struct fx_json_limits *limits, struct fx_json_buffer *ret_result,
			struct feox_diag *diag);

#define FX_JSON_QUOTED_MAX 72u

/* Bytes of UTF-8 in a message: in quotes, control characters as ?, cut when they are many. */
const char *fx_json_quote(const char *utf8, size_t size, char buffer[FX_JSON_QUOTED_MAX]);

/* Format diag->text (diag may be NULL) and return err. */
int fx_json_say(struct feox_diag *diag, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
