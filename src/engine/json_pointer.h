/* SPDX-License-Identifier: Apache-2.0 */
/* json_pointer.h - JSON Pointer (RFC 6901): reading one, and following it through a text. */
#ifndef FX_JSON_POINTER_H
#define FX_JSON_POINTER_H

#include "json_text.h"

/* A reference token, ~0 and ~1 decoded. UTF-8; may contain NUL. */
struct fx_json_token {
	const char *bytes;
	size_t size;
};

struct fx_json_pointer {
	const char *text; /* as it was written, for messages */
	size_t text_size;
	size_t count; /* 0: the whole document */
	struct fx_json_token tokens[];
};

/*
 * Read a pointer from UTF-8; free(3) frees it. -ENOMEM. -EINVAL: it is none, or names something
 * deeper than FEOX_JSON_DEPTH_MAX; *ret_what (a constant) says why.
 */
int fx_json_pointer_parse(const char *text, size_t size, struct fx_json_pointer **ret_pointer,
			  const char **ret_what);

bool fx_json_pointer_equal(const struct fx_json_pointer *a, const struct fx_json_pointer *b);

/* Does b name something inside of what a names? */
bool fx_json_pointer_inside(const struct fx_json_pointer *a, const struct fx_json_pointer *b);

/* What a pointer names: a value that exists, or the place of a member or element to come. */
struct fx_json_place {
	bool exists;
	struct fx_json_item item;     /* when it exists; the root has a value only */
	size_t open;		      /* the bracket of the container it is in; NOWHERE: the root */
	size_t outer;		      /* the bracket of the container of that; NOWHERE: none */
	unsigned int before_count;    /* 0, 1 or 2: how many of these there are */
	struct fx_json_item before;   /* the item before it: the last one when it is to come */
	struct fx_json_item before_2; /* the one before that */
};

/* Why a pointer could not be followed. */
struct fx_json_lost {
	size_t token;  /* which of its tokens */
	size_t offset; /* of the value that the token was looked for in */
	const char *what;
};

/*
 * Follow pointer through a checked text. 0 also when only its last token names nothing yet, but
 * could: a new member, or the element behind the last one. -EINVAL: the rest, with *ret_lost. A
 * name that an object on the way has twice is an error, whichever was meant. *work grows by about
 * the number of bytes walked, in either case.
 */
int fx_json_pointer_find(const struct fx_json_pointer *pointer, struct fx_json_text text,
			 uint64_t *work, struct fx_json_place *ret_place,
			 struct fx_json_lost *ret_lost);

#endif
