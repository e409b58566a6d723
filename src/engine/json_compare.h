/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_compare.h - are two JSON values equal, as RFC 6902, 4.6 means it?
 *
 * Numbers by their mathematical value, of any length, without rounding (1 = 1.0 = 10e-1, -0 = 0);
 * strings by code points; arrays item by item; objects member by member in any order; literals.
 */
#ifndef FX_JSON_COMPARE_H
#define FX_JSON_COMPARE_H

#include "json_text.h"

/* Two checked numbers, without white space. */
bool fx_json_number_equal(struct fx_json_text a, struct fx_json_text b);

/* Where one member is: its object's bracket, its name's quote, its value. */
struct fx_json_member {
	uint32_t object, name, value;
};

/* Every member of every object in a text, by object, then by name (code points). */
struct fx_json_index {
	struct fx_json_member *members;
	size_t count;
};

/*
 * Index a checked text of less than 4 GiB; fx_json_index_free() frees it. -ENOMEM; -E2BIG: it has
 * more than members_max members.
 */
int fx_json_index_build(struct fx_json_text text, size_t members_max,
			struct fx_json_index *ret_index);
void fx_json_index_free(struct fx_json_index *index);

/* The members of the object whose bracket is at object; *ret_count of them, NULL for none. */
const struct fx_json_member *fx_json_index_object(const struct fx_json_index *index, size_t object,
						  size_t *ret_count);

/* How many members the objects have that begin in [from, to). */
size_t fx_json_index_count(const struct fx_json_index *index, size_t from, size_t to);

/* A name that its object has had before, as its offset; FX_JSON_NOWHERE: there is none. */
size_t fx_json_index_duplicate(const struct fx_json_index *index, struct fx_json_text text);

/* A value in a text that has been indexed. */
struct fx_json_value {
	struct fx_json_text text;
	const struct fx_json_index *index;
	size_t at;
};

/* Names that occur twice in an object make it unequal to any object without them. */
bool fx_json_equal(const struct fx_json_value *a, const struct fx_json_value *b);

#endif
