/* SPDX-License-Identifier: Apache-2.0 */
/* json_document.c - the text that is being changed: bytes that grow, and lines in them. */
#include "json_document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64u

/* ---- Buffers --------------------------------------------------------------------------------- */

static int reserve(struct fx_json_buffer *buffer, size_t size)
{
	size_t capacity = buffer->capacity + buffer->capacity / 2;
	uint8_t *bytes;

	if (size <= buffer->capacity)
		return 0;
	if (capacity < size)
		capacity = size > FIRST_CAPACITY ? size : FIRST_CAPACITY;
	bytes = realloc(buffer->bytes, capacity);
	if (!bytes)
		return -ENOMEM;
	buffer->bytes = bytes;
	buffer->capacity = capacity;
	return 0;
}

int fx_json_buffer_add(struct fx_json_buffer *buffer, const void *bytes, size_t size)
{
	int err = reserve(buffer, buffer->size + size);

	if (err || !size)
		return err;
	memcpy(buffer->bytes + buffer->size, bytes, size);
	buffer->size += size;
	return 0;
}

int fx_json_buffer_add_text(struct fx_json_buffer *buffer, struct fx_json_text text)
{
	return fx_json_buffer_add(buffer, text.bytes, text.size);
}

int fx_json_buffer_add_string(struct fx_json_buffer *buffer, const char *string)
{
	return fx_json_buffer_add(buffer, string, strlen(string));
}

void fx_json_buffer_free(struct fx_json_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct fx_json_buffer){0};
}

void fx_json_document_free(struct fx_json_document *document)
{
	fx_json_buffer_free(&document->text);
	fx_json_buffer_free(&document->head);
	fx_json_buffer_free(&document->tail);
	fx_json_buffer_free(&document->lines);
}

static struct fx_json_text buffer_text(const struct fx_json_buffer *buffer)
{
	return (struct fx_json_text){buffer->bytes, buffer->size};
}

/* Replace removed bytes at at by head, value and tail. */
static int splice(struct fx_json_document *d, size_t at, size_t removed, struct fx_json_text value)
{
	size_t added = d->head.size + value.size + d->tail.size;
	size_t kept = d->text.size - removed, behind = kept - at;
	uint8_t *p;
	int err;

	if (added > d->size_max || kept > d->size_max - added)
		return -EFBIG;
	err = reserve(&d->text, kept + added);
	if (err)
		return err;
	p = d->text.bytes + at;
	if (behind)
		memmove(p + added, p + removed, behind);
	if (d->head.size)
		p = mempcpy(p, d->head.bytes, d->head.size);
	if (value.size)
		p = mempcpy(p, value.bytes, value.size);
	if (d->tail.size)
		memcpy(p, d->tail.bytes, d->tail.size);
	d->text.size = kept + added;
	d->work += behind + added;
	return 0;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

struct fx_json_text fx_json_leading_blanks(struct fx_json_text text)
{
	size_t n = 0;

	while (n < text.size && (text.bytes[n] == ' ' || text.bytes[n] == '\t'))
		n++;
	return fx_json_cut(text, 0, n);
}

struct fx_json_text fx_json_indent(struct fx_json_text text, size_t at, uint64_t *work)
{
	struct fx_json_text line = fx_json_last_line(fx_json_cut(text, 0, at));

	*work += line.size;
	return fx_json_leading_blanks(line);
}

/* value with its indentation changed, in lines; the first line has none. */
static int reindent(struct fx_json_document *d, const struct fx_json_insert *insert,
		    struct fx_json_text indent)
{
	struct fx_json_text old = insert->indent, value = insert->value;
	size_t at = 0;
	int err = 0;

	d->lines.size = 0;
	while (at < value.size && !err) {
		const uint8_t *newline = memchr(value.bytes + at, '\n', value.size - at);
		size_t next = newline ? (size_t)(newline + 1 - value.bytes) : value.size;

		err = fx_json_buffer_add_text(&d->lines, fx_json_cut(value, at, next));
		at = next;
		if (!newline || err)
			continue;
		if (value.size - at >= old.size &&
		    (!old.size || memcmp(value.bytes + at, old.bytes, old.size) == 0)) {
			at += old.size;
			err = fx_json_buffer_add_text(&d->lines, indent);
		}
		if (!err && d->lines.size > d->size_max)
			err = -EFBIG;
	}
	d->work += d->lines.size;
	return err;
}

int fx_json_splice_value(struct fx_json_document *d, size_t at, size_t removed,
			 const struct fx_json_insert *insert)
{
	struct fx_json_text head = buffer_text(&d->head), value = insert->value, indent;
	int err;

	d->work += value.size;
	if (!fx_json_has_line_break(value))
		return splice(d, at, removed, value);
	if (fx_json_has_line_break(head))
		indent = fx_json_leading_blanks(fx_json_last_line(head));
	else
		indent = fx_json_indent(fx_json_document_text(d), at, &d->work);
	err = reindent(d, insert, indent);
	return err ? err : splice(d, at, removed, buffer_text(&d->lines));
}
