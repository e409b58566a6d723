/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_patch.c - applying operations to a text.
 *
 * The document is checked once, before the first operation; afterwards it is a valid text after
 * each: what goes in is a whole checked value at a place that takes one, no deeper than a text may
 * be, under a name its object does not have. It is worked on in a copy; whoever fails drops that.
 *
 * Bounds: the text never passes size_max, nor its depth FEOX_JSON_DEPTH_MAX; operations are
 * counted; and every byte walked, moved or copied counts as work, so that many operations on a
 * large document end too. One operation is linear in the document and the value.
 */
#include "json_patch.h"

#include "cleanup.h"
#include "json_edit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_MAX 224u

struct run {
	const struct fx_json_patch *patch;
	const struct fx_json_operation *operation;
	struct fx_json_document document;
	struct fx_json_buffer value, indent; /* what move and copy have taken */
	struct feox_diag *diag;
};

__attribute__((format(printf, 3, 4))) static int refuse(const struct run *run, int err,
							const char *format, ...)
{
	char message[MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return fx_json_say(run->diag, err, "operation %zu (%s): %s",
			   (size_t)(run->operation - run->patch->operations),
			   fx_json_op_name(run->operation->op), message);
}

static int refuse_size(const struct run *run, int err)
{
	if (err == -EFBIG)
		refuse(run, err, "the document would become larger than %zu bytes",
		       run->document.size_max);
	return err;
}

/* ---- Places and values ----------------------------------------------------------------------- */

static const char *which(const struct run *run, const struct fx_json_pointer *pointer)
{
	return pointer == run->operation->path ? "path" : "from";
}

static int locate(struct run *run, const struct fx_json_pointer *pointer,
		  struct fx_json_place *ret_place)
{
	char whole[FX_JSON_QUOTED_MAX], token[FX_JSON_QUOTED_MAX];
	const struct fx_json_token *lost_token;
	struct fx_json_lost lost;

	if (fx_json_pointer_find(pointer, fx_json_document_text(&run->document),
				 &run->document.work, ret_place, &lost) == 0)
		return 0;
	lost_token = &pointer->tokens[lost.token];
	return refuse(run, -EINVAL, "%s %s: %s: %s, in the value at byte %zu", which(run, pointer),
		      fx_json_quote(pointer->text, pointer->text_size, whole),
		      fx_json_quote(lost_token->bytes, lost_token->size, token), lost.what,
		      lost.offset);
}

static int locate_existing(struct run *run, const struct fx_json_pointer *pointer,
			   struct fx_json_place *ret_place)
{
	char whole[FX_JSON_QUOTED_MAX];
	int err = locate(run, pointer, ret_place);

	if (err || ret_place->exists)
		return err;
	return refuse(run, -EINVAL, "%s %s: there is nothing", which(run, pointer),
		      fx_json_quote(pointer->text, pointer->text_size, whole));
}

/* The value at [from, to) of a text. */
static struct fx_json_insert value_in(struct run *run, struct fx_json_text text, size_t from,
				      size_t to)
{
	struct fx_json_insert insert = {.value = fx_json_cut(text, from, to)};

	if (fx_json_has_line_break(insert.value))
		insert.indent = fx_json_indent(text, from, &run->document.work);
	return insert;
}

/* The value that the patch gives. */
static struct fx_json_insert given(struct run *run)
{
	return value_in(run, run->patch->text, run->operation->value, run->operation->value_end);
}

/* A copy of the value at place, which the document may lose. */
static int take(struct run *run, const struct fx_json_place *place,
		struct fx_json_insert *ret_insert)
{
	struct fx_json_insert there = value_in(run, fx_json_document_text(&run->document),
					       place->item.value, place->item.end);
	int err;

	run->value.size = 0;
	run->indent.size = 0;
	err = fx_json_buffer_add_text(&run->value, there.value);
	if (!err)
		err = fx_json_buffer_add_text(&run->indent, there.indent);
	if (err)
		return err;
	run->document.work += there.value.size;
	*ret_insert = (struct fx_json_insert){.value = {run->value.bytes, run->value.size},
					      .indent = {run->indent.bytes, run->indent.size}};
	return 0;
}

/* ---- Operations ------------------------------------------------------------------------------ */

/* RFC 6902, 4.1: into an array before the element there, else in the place of what is there. */
static int add(struct run *run, const struct fx_json_insert *insert)
{
	const struct fx_json_pointer *path = run->operation->path;
	struct fx_json_document *document = &run->document;
	struct fx_json_place place;
	int err = locate(run, path, &place);

	if (err)
		return err;
	if (path->count + fx_json_depth(insert->value) > FEOX_JSON_DEPTH_MAX)
		return refuse(run, -EFBIG, "the document would be nested deeper than %u",
			      FEOX_JSON_DEPTH_MAX);
	if (!place.exists)
		err = fx_json_insert(document, &place, &path->tokens[path->count - 1], insert);
	else if (place.open != FX_JSON_NOWHERE && document->text.bytes[place.open] == '[')
		err = fx_json_insert_before(document, &place, insert);
	else
		err = fx_json_replace(document, &place, insert);
	return refuse_size(run, err);
}

static int replace(struct run *run)
{
	const struct fx_json_pointer *path = run->operation->path;
	struct fx_json_insert insert = given(run);
	struct fx_json_place place;
	int err = locate_existing(run, path, &place);

	if (err)
		return err;
	if (path->count + fx_json_depth(insert.value) > FEOX_JSON_DEPTH_MAX)
		return refuse(run, -EFBIG, "the document would be nested deeper than %u",
			      FEOX_JSON_DEPTH_MAX);
	return refuse_size(run, fx_json_replace(&run->document, &place, &insert));
}

static int remove_value(struct run *run)
{
	struct fx_json_place place;
	int err = locate_existing(run, run->operation->path, &place);

	if (err)
		return err;
	if (place.open == FX_JSON_NOWHERE)
		return refuse(run, -EINVAL, "the whole document cannot be removed");
	return refuse_size(run, fx_json_remove(&run->document, &place));
}

static int copy(struct run *run)
{
	struct fx_json_insert insert;
	struct fx_json_place place;
	int err = locate_existing(run, run->operation->from, &place);

	if (!err)
		err = take(run, &place, &insert);
	return err ? err : add(run, &insert);
}

/* RFC 6902, 4.4: a remove, then an add of what was removed. */
static int move(struct run *run)
{
	const struct fx_json_operation *o = run->operation;
	struct fx_json_insert insert;
	struct fx_json_place place;
	int err;

	if (fx_json_pointer_inside(o->from, o->path))
		return refuse(run, -EINVAL, "a value cannot be moved into itself");
	err = locate_existing(run, o->from, &place);
	if (err || fx_json_pointer_equal(o->from, o->path))
		return err;
	err = take(run, &place, &insert);
	if (!err)
		err = refuse_size(run, fx_json_remove(&run->document, &place));
	return err ? err : add(run, &insert);
}

/* Is value, in the document, what the patch gives? 1, 0, -ENOMEM. */
static int is_equal(struct run *run, struct fx_json_text value)
{
	const struct fx_json_patch *patch = run->patch;
	const struct fx_json_operation *o = run->operation;
	size_t members = fx_json_index_count(&patch->index, o->value, o->value_end);
	struct fx_json_value expected = {patch->text, &patch->index, o->value};
	struct fx_json_index index;
	struct fx_json_value actual = {value, &index, 0};
	uint64_t passes = 2 + (members ? 64 - (unsigned int)__builtin_clzll(members) : 0);
	int err = fx_json_index_build(value, members, &index), equal;

	run->document.work += passes * value.size;
	if (err) /* more members than expected */
		return err == -E2BIG ? 0 : err;
	equal = fx_json_equal(&expected, &actual);
	fx_json_index_free(&index);
	return equal;
}

static int test(struct run *run)
{
	const struct fx_json_pointer *path = run->operation->path;
	struct fx_json_text text = fx_json_document_text(&run->document);
	struct fx_json_place place;
	char quoted[FX_JSON_QUOTED_MAX];
	int err = locate_existing(run, path, &place), equal;

	if (err)
		return err;
	equal = is_equal(run, fx_json_cut(text, place.item.value, place.item.end));
	if (equal < 0)
		return equal;
	return equal ? 0
		     : refuse(run, -EINVAL, "path %s: the value at byte %zu is another one",
			      fx_json_quote(path->text, path->text_size, quoted), place.item.value);
}

static int apply_operation(struct run *run)
{
	struct fx_json_insert insert;

	switch (run->operation->op) {
	case FX_JSON_ADD:
		insert = given(run);
		return add(run, &insert);
	case FX_JSON_REMOVE:
		return remove_value(run);
	case FX_JSON_REPLACE:
		return replace(run);
	case FX_JSON_MOVE:
		return move(run);
	case FX_JSON_COPY:
		return copy(run);
	case FX_JSON_TEST:
		return test(run);
	}
	return -EINVAL;
}

/* ---- All of them ----------------------------------------------------------------------------- */

static int begin(struct run *run, struct fx_json_text text)
{
	struct fx_json_fault fault;
	int err;

	if (text.size > run->document.size_max)
		return fx_json_say(run->diag, -EFBIG, "document: larger than %zu bytes",
				   run->document.size_max);
	err = fx_json_check(text, &fault);
	if (err)
		return fx_json_say(run->diag, err, "document: byte %zu: %s", fault.offset,
				   fault.what);
	return fx_json_buffer_add_text(&run->document.text, text);
}

static int apply_operations(struct run *run, uint64_t work_max)
{
	int err = 0;

	for (size_t i = 0; i < run->patch->count && !err; i++) {
		run->operation = &run->patch->operations[i];
		err = apply_operation(run);
		if (!err && run->document.work > work_max)
			err = refuse(run, -EFBIG, "more than %llu bytes of work",
				     (unsigned long long)work_max);
	}
	return err;
}

int fx_json_patch_apply(const struct fx_json_patch *patch, struct fx_json_text document,
			const struct fx_json_limits *limits, struct fx_json_buffer *ret_result,
			struct feox_diag *diag)
{
	struct run run = {.patch = patch, .diag = diag};
	int err;

	/* The index of a text counts its bytes in 32 bits. */
	run.document.size_max = FX_MIN(limits->size_max, FEOX_VALUE_MAX);
	err = begin(&run, document);
	if (!err)
		err = apply_operations(&run, limits->work_max);
	if (!err) {
		*ret_result = run.document.text;
		run.document.text = (struct fx_json_buffer){0};
	}
	fx_json_document_free(&run.document);
	fx_json_buffer_free(&run.value);
	fx_json_buffer_free(&run.indent);
	return err;
}
