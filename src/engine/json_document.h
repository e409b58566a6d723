/* SPDX-License-Identifier: Apache-2.0 */
/* json_document.h - a JSON text that is being changed, and pieces of texts. */
#ifndef FX_JSON_DOCUMENT_H
#define FX_JSON_DOCUMENT_H

#include "json_text.h"

#include <string.h>

/* ---- Pieces of a text ------------------------------------------------------------------------ */

static inline struct fx_json_text fx_json_cut(struct fx_json_text text, size_t from, size_t to)
{
	return (struct fx_json_text){text.bytes + from, to - from};
}

static inline bool fx_json_has_line_break(struct fx_json_text text)
{
	return text.size && memchr(text.bytes, '\n', text.size);
}

/* What is behind the last line break of text; all of it when there is none. */
static inline struct fx_json_text fx_json_last_line(struct fx_json_text text)
{
	const uint8_t *newline = text.size ? memrchr(text.bytes, '\n', text.size) : NULL;

	return newline ? fx_json_cut(text, (size_t)(newline + 1 - text.bytes), text.size) : text;
}

/* The blanks and tabs that text begins with. */
struct fx_json_text fx_json_leading_blanks(struct fx_json_text text);

/* The blanks and tabs that the line of at begins with. *work grows by the bytes walked. */
struct fx_json_text fx_json_indent(struct fx_json_text text, size_t at, uint64_t *work);

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* Bytes that grow. Zeroed: empty. */
struct fx_json_buffer {
	uint8_t *bytes;
	size_t size, capacity;
};

/* -ENOMEM, and the buffer is as it was. bytes must not be the buffer's own. */
int fx_json_buffer_add(struct fx_json_buffer *buffer, const void *bytes, size_t size);
int fx_json_buffer_add_text(struct fx_json_buffer *buffer, struct fx_json_text text);
int fx_json_buffer_add_string(struct fx_json_buffer *buffer, const char *string);
void fx_json_buffer_free(struct fx_json_buffer *buffer);

/* A checked text that is being changed. size <= size_max always. */
struct fx_json_document {
	struct fx_json_buffer text;
	size_t size_max;
	uint64_t work;		     /* about how many bytes were walked, moved and copied */
	struct fx_json_buffer head;  /* scratch: what comes before an inserted value ... */
	struct fx_json_buffer tail;  /* ... and behind it */
	struct fx_json_buffer lines; /* scratch: the value with its new indentation */
};

void fx_json_document_free(struct fx_json_document *document);

static inline struct fx_json_text fx_json_document_text(const struct fx_json_document *document)
{
	return (struct fx_json_text){document->text.bytes, document->text.size};
}

/* A value to be put in: its text, and the white space its line began with where it was. */
struct fx_json_insert {
	struct fx_json_text value;
	struct fx_json_text indent;
};

/*
 * Replace removed bytes at at by head, the value and tail; a value of several lines is given the
 * indentation of its new line. -ENOMEM, -EFBIG: the document is as it was.
 */
int fx_json_splice_value(struct fx_json_document *document, size_t at, size_t removed,
			 const struct fx_json_insert *insert);

#endif
