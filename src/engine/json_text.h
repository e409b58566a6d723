/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_text.h - a JSON text (RFC 8259) as bytes: is it one, and where in it is what.
 *
 * Nothing here allocates, recurses or changes the text. An offset counts bytes from its start.
 * Every function but fx_json_check() wants a text that has passed it, and offsets that come from
 * this module: there is then nothing left to go wrong. A value cut out of a text is a text itself.
 */
#ifndef FX_JSON_TEXT_H
#define FX_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FX_JSON_NOWHERE SIZE_MAX /* no offset */

struct fx_json_text {
	const uint8_t *bytes;
	size_t size;
};

/* What is wrong, and at which byte. */
struct fx_json_fault {
	size_t offset;
	const char *what; /* a constant */
};

/*
 * Is text one JSON value with nothing but white space around it, in UTF-8 without a byte order
 * mark, every surrogate of an escape in a pair, nested at most FEOX_JSON_DEPTH_MAX deep? Names that
 * occur twice in an object are not looked for. -EINVAL: no, *ret_fault says why.
 */
int fx_json_check(struct fx_json_text text, struct fx_json_fault *ret_fault);

/* How deep the containers of text are nested: 0 a scalar, 1 "[]". */
unsigned int fx_json_depth(struct fx_json_text text);

/* The first byte from at on that is not white space, or the end. */
size_t fx_json_space(struct fx_json_text text, size_t at);

/* Behind the value, or string, that begins at at. */
size_t fx_json_value_end(struct fx_json_text text, size_t at);
size_t fx_json_string_end(struct fx_json_text text, size_t at);

/* A member of an object, or an element of an array. */
struct fx_json_item {
	size_t start;	 /* of its name; of an element's value */
	size_t name_end; /* behind the name's quote; 0: an element */
	size_t value;
	size_t end; /* 0: not looked for yet, fx_json_finish() does */
};

/* The first item of the container whose bracket is at open, not finished; false: it is empty. */
bool fx_json_first(struct fx_json_text text, size_t open, struct fx_json_item *ret_item);

/* Find the end of an item. */
void fx_json_finish(struct fx_json_text text, struct fx_json_item *item);

/* Make *item, finished, the one behind it, not finished; false: there is none, *item stays. */
bool fx_json_next(struct fx_json_text text, struct fx_json_item *item);

/* ---- Strings ---------------------------------------------------------------------------------
 *
 * A string is given by a pointer to its opening quote. Equal means: the same code points, whatever
 * way they are written.
 */

/* <0, 0, >0: by code points, a prefix first. */
int fx_json_string_cmp(const uint8_t *a, const uint8_t *b);

/* Does string say what these bytes of UTF-8 say? */
bool fx_json_string_is(const uint8_t *string, const void *utf8, size_t size);

#endif
