/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_patch_read.c - from the text of a patch to operations.
 *
 * Our own checker and index see the whole text; jansson reads what makes an operation: op, path,
 * from. The rest is kept from it, because it could not hold it: a value's numbers may be longer
 * than any double, names and unknown members may be anything. A value is a piece of the text.
 */
#include "json_patch.h"

#include "cleanup.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	bool has_value, has_from;
} ops[] = {
	[FX_JSON_ADD] = {"add", true, false},	      [FX_JSON_REMOVE] = {"remove", false, false},
	[FX_JSON_REPLACE] = {"replace", true, false}, [FX_JSON_MOVE] = {"move", false, true},
	[FX_JSON_COPY] = {"copy", false, true},	      [FX_JSON_TEST] = {"test", true, false},
};

#define OP_COUNT (sizeof(ops) / sizeof(ops[0]))

const char *fx_json_op_name(enum fx_json_op op)
{
	return ops[op].name;
}

/* ---- Messages -------------------------------------------------------------------------------- */

const char *fx_json_quote(const char *utf8, size_t size, char buffer[FX_JSON_QUOTED_MAX])
{
	static const char more[] = "...\"";
	size_t room = FX_JSON_QUOTED_MAX - sizeof(more) - 1, n = size;
	char *out = buffer;

	if (n > room) {
		n = room;
		while (n && ((uint8_t)utf8[n] & 0xc0) == 0x80)
			n--;
	}
	*out++ = '"';
	for (size_t i = 0; i < n; i++)
		*out++ = (uint8_t)utf8[i] < 0x20 || utf8[i] == 0x7f ? '?' : utf8[i];
	memcpy(out, n < size ? more : "\"", n < size ? sizeof(more) : 2);
	return buffer;
}

int fx_json_say(struct feox_diag *diag, int err, const char *format, ...)
{
	va_list args;

	if (diag) {
		va_start(args, format);
		vsnprintf(diag->text, sizeof(diag->text), format, args);
		va_end(args);
	}
	return err;
}

/* ---- One operation --------------------------------------------------------------------------- */

/* The members of an operation that count; NULL: not there. */
struct head {
	const struct fx_json_member *op, *path, *from, *value;
};

struct reader {
	struct fx_json_patch *patch;
	size_t number; /* of the operation */
	struct feox_diag *diag;
};

static struct head find_head(const struct fx_json_patch *patch, size_t open)
{
	struct head head = {0};
	size_t count;
	const struct fx_json_member *members = fx_json_index_object(&patch->index, open, &count);

	for (size_t i = 0; i < count; i++) {
		const uint8_t *name = patch->text.bytes + members[i].name;

		if (fx_json_string_is(name, "op", 2))
			head.op = &members[i];
		else if (fx_json_string_is(name, "path", 4))
			head.path = &members[i];
		else if (fx_json_string_is(name, "from", 4))
			head.from = &members[i];
		else if (fx_json_string_is(name, "value", 5))
			head.value = &members[i];
	}
	return head;
}

/* Give "name":"string" to jansson, which wants to know a string when it sees one. */
static int add_field(const struct reader *r, struct fx_json_buffer *buffer, const char *name,
		     const struct fx_json_member *member)
{
	struct fx_json_text text = r->patch->text;
	int err;

	if (!member)
		return 0;
	if (text.bytes[member->value] != '"')
		return fx_json_say(r->diag, -EINVAL, "operation %zu: \"%s\" is not a string",
				   r->number, name);
	err = fx_json_buffer_add_string(buffer, buffer->size ? ",\"" : "{\"");
	if (!err)
		err = fx_json_buffer_add_string(buffer, name);
	if (!err)
		err = fx_json_buffer_add_string(buffer, "\":");
	return err ? err
		   : fx_json_buffer_add_text(buffer,
					     fx_json_cut(text, member->value,
							 fx_json_string_end(text, member->value)));
}

/*
 * The head as a jansson object. The text is one of ours, of strings that have been checked: jansson
 * cannot refuse it but for want of memory, which it reports as anything.
 */
static int load_head(const struct reader *r, const struct head *head, json_t **ret_object)
{
	struct fx_json_buffer buffer = {0};
	int err = add_field(r, &buffer, "op", head->op);

	if (!err)
		err = add_field(r, &buffer, "path", head->path);
	if (!err)
		err = add_field(r, &buffer, "from", head->from);
	if (!err)
		err = fx_json_buffer_add_string(&buffer, "}");
	if (!err) {
		*ret_object = json_loadb((const char *)buffer.bytes, buffer.size,
					 JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
		if (!*ret_object)
			err = -ENOMEM;
	}
	fx_json_buffer_free(&buffer);
	return err;
}

static int read_op(const struct reader *r, const char *name, size_t size,
		   struct fx_json_operation *operation)
{
	char quoted[FX_JSON_QUOTED_MAX];

	for (size_t i = 0; i < OP_COUNT; i++) {
		if (strlen(ops[i].name) == size && memcmp(name, ops[i].name, size) == 0) {
			operation->op = (enum fx_json_op)i;
			return 0;
		}
	}
	return fx_json_say(r->diag, -EINVAL, "operation %zu: %s is not an operation", r->number,
			   fx_json_quote(name, size, quoted));
}

static int read_pointer(const struct reader *r, const struct fx_json_operation *operation,
			const char *which, const char *text, size_t size,
			struct fx_json_pointer **ret_pointer)
{
	const char *what;
	char quoted[FX_JSON_QUOTED_MAX];
	int err = fx_json_pointer_parse(text, size, ret_pointer, &what);

	if (err == -EINVAL)
		fx_json_say(r->diag, err, "operation %zu (%s): %s %s: %s", r->number,
			    ops[operation->op].name, which, fx_json_quote(text, size, quoted),
			    what);
	return err;
}

/* From jansson's object to what the operation is. */
static int unpack(const struct reader *r, json_t *object, struct fx_json_operation *operation)
{
	const char *op = NULL, *path = NULL, *from = NULL;
	size_t op_size, path_size, from_size = 0;
	int err;

	if (json_unpack(object, "{s:s%, s:s%, s?:s%}", "op", &op, &op_size, "path", &path,
			&path_size, "from", &from, &from_size))
		return -ENOMEM; /* op and path are there, and all of them are strings */
	err = read_op(r, op, op_size, operation);
	if (err)
		return err;
	if (ops[operation->op].has_from && !from)
		return fx_json_say(r->diag, -EINVAL, "operation %zu (%s): there is no \"from\"",
				   r->number, op);
	err = read_pointer(r, operation, "path", path, path_size, &operation->path);
	if (!err && ops[operation->op].has_from)
		err = read_pointer(r, operation, "from", from, from_size, &operation->from);
	return err;
}

static int read_operation(const struct reader *r, size_t open, struct fx_json_operation *operation)
{
	struct head head;
	json_t *object = NULL;
	int err;

	if (r->patch->text.bytes[open] != '{')
		return fx_json_say(r->diag, -EINVAL, "operation %zu: not an object", r->number);
	head = find_head(r->patch, open);
	if (!head.op || !head.path)
		return fx_json_say(r->diag, -EINVAL, "operation %zu: there is no \"%s\"", r->number,
				   head.op ? "path" : "op");
	err = load_head(r, &head, &object);
	if (!err)
		err = unpack(r, object, operation);
	json_decref(object);
	if (err || !ops[operation->op].has_value)
		return err;
	if (!head.value)
		return fx_json_say(r->diag, -EINVAL, "operation %zu (%s): there is no \"value\"",
				   r->number, ops[operation->op].name);
	operation->value = head.value->value;
	operation->value_end = fx_json_value_end(r->patch->text, head.value->value);
	return 0;
}

/* ---- The patch ------------------------------------------------------------------------------- */

static int index_text(struct fx_json_patch *patch, struct feox_diag *diag)
{
	struct fx_json_fault fault;
	size_t twice;
	int err;

	if (patch->text.size > FEOX_PATCH_MAX)
		return fx_json_say(diag, -EFBIG, "patch: larger than %zu bytes", FEOX_PATCH_MAX);
	err = fx_json_check(patch->text, &fault);
	if (err)
		return fx_json_say(diag, err, "patch: byte %zu: %s", fault.offset, fault.what);
	err = fx_json_index_build(patch->text, SIZE_MAX, &patch->index);
	if (err)
		return err;
	twice = fx_json_index_duplicate(&patch->index, patch->text);
	if (twice != FX_JSON_NOWHERE)
		return fx_json_say(diag, -EINVAL,
				   "patch: byte %zu: a member name that occurs twice", twice);
	return 0;
}

static int count_operations(const struct fx_json_patch *patch, size_t open, size_t *ret_count,
			    struct feox_diag *diag)
{
	struct fx_json_item item;
	size_t count = 0;

	if (patch->text.bytes[open] != '[')
		return fx_json_say(diag, -EINVAL, "patch: byte %zu: not an array of operations",
				   open);
	for (bool more = fx_json_first(patch->text, open, &item); more;
	     more = fx_json_next(patch->text, &item)) {
		fx_json_finish(patch->text, &item);
		count++;
	}
	if (count > FEOX_PATCH_OPERATIONS_MAX)
		return fx_json_say(diag, -EFBIG, "patch: %zu operations, at most %zu", count,
				   FEOX_PATCH_OPERATIONS_MAX);
	*ret_count = count;
	return 0;
}

static int read_operations(struct fx_json_patch *patch, struct feox_diag *diag)
{
	size_t open = fx_json_space(patch->text, 0), count = 0;
	struct fx_json_item item = {0};
	int err = count_operations(patch, open, &count, diag);

	if (err || !count)
		return err;
	patch->operations = calloc(count, sizeof(*patch->operations));
	if (!patch->operations)
		return -ENOMEM;
	while (patch->count < count && !err) {
		struct reader r = {.patch = patch, .number = patch->count, .diag = diag};

		if (patch->count)
			fx_json_next(patch->text, &item);
		else
			fx_json_first(patch->text, open, &item);
		fx_json_finish(patch->text, &item);
		err = read_operation(&r, item.value, &patch->operations[patch->count]);
		patch->count++; /* half read ones are freed too */
	}
	return err;
}

int fx_json_patch_read(const void *bytes, size_t size, struct fx_json_patch *ret_patch,
		       struct feox_diag *diag)
{
	struct fx_json_patch patch = {.text = {.bytes = bytes, .size = size}};
	int err = index_text(&patch, diag);

	if (!err)
		err = read_operations(&patch, diag);
	if (err) {
		fx_json_patch_free(&patch);
		return err;
	}
	*ret_patch = patch;
	return 0;
}

void fx_json_patch_free(struct fx_json_patch *patch)
{
	for (size_t i = 0; i < patch->count; i++) {
		free(patch->operations[i].path);
		free(patch->operations[i].from);
	}
	free(patch->operations);
	fx_json_index_free(&patch->index);
	*patch = (struct fx_json_patch){0};
}
