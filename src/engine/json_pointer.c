/* SPDX-License-Identifier: Apache-2.0 */
/* json_pointer.c - JSON Pointer (RFC 6901). */
#include "json_pointer.h"

#include "cleanup.h"
#include "feox/feox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Reading --------------------------------------------------------------------------------- */

static size_t count_tokens(const char *text, size_t size)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += text[i] == '/';
	return count;
}

/* Decode one token from *at on up to a slash or end into *out; both move. NULL, or what is wrong.
 */
static const char *read_token(const char **at, const char *end, char **out)
{
	const char *p = *at;

	while (p < end && *p != '/') {
		char c = *p++;

		if (c == '~') {
			if (p == end || (*p != '0' && *p != '1'))
				return "a ~ that is neither ~0 nor ~1";
			c = *p++ == '0' ? '~' : '/';
		}
		*(*out)++ = c;
	}
	*at = p;
	return NULL;
}

int fx_json_pointer_parse(const char *text, size_t size, struct fx_json_pointer **ret_pointer,
			  const char **ret_what)
{
	size_t count = count_tokens(text, size);
	size_t header = sizeof(struct fx_json_pointer) + count * sizeof(struct fx_json_token);
	FX_AUTO_FREE struct fx_json_pointer *pointer = NULL;
	const char *at = text, *end = text + size;
	char *out;

	if (size && *text != '/') {
		*ret_what = "it does not begin with a slash";
		return -EINVAL;
	}
	if (count > FEOX_JSON_DEPTH_MAX) {
		*ret_what = "it is too deep";
		return -EINVAL;
	}
	pointer = malloc(header + 2 * size + 1);
	if (!pointer)
		return -ENOMEM;
	out = (char *)pointer + header;
	pointer->text = memcpy(out, text, size);
	pointer->text_size = size;
	pointer->count = count;
	out += size;
	for (size_t i = 0; i < count; i++) {
		const char *start = out;

		at++;
		*ret_what = read_token(&at, end, &out);
		if (*ret_what)
			return -EINVAL;
		pointer->tokens[i] = (struct fx_json_token){start, (size_t)(out - start)};
	}
	*ret_pointer = FX_STEAL(pointer);
	return 0;
}

static bool begins_with(const struct fx_json_pointer *pointer, const struct fx_json_pointer *prefix)
{
	if (pointer->count < prefix->count)
		return false;
	for (size_t i = 0; i < prefix->count; i++) {
		const struct fx_json_token *a = &pointer->tokens[i], *b = &prefix->tokens[i];

		if (a->size != b->size || memcmp(a->bytes, b->bytes, a->size) != 0)
			return false;
	}
	return true;
}

bool fx_json_pointer_equal(const struct fx_json_pointer *a, const struct fx_json_pointer *b)
{
	return a->count == b->count && begins_with(b, a);
}

bool fx_json_pointer_inside(const struct fx_json_pointer *a, const struct fx_json_pointer *b)
{
	return a->count < b->count && begins_with(b, a);
}

/* ---- Following ---------------------------------------------------------------------------------
 *
 * Down first: in each container up to the item that the token names, and into it. Then up again: to
 * the end of each container, to see whether another member has the name, which would leave open
 * which is meant. No byte is walked twice.
 */

struct walk {
	struct fx_json_text text;
	const struct fx_json_pointer *pointer;
	struct fx_json_place place;
	size_t values[FEOX_JSON_DEPTH_MAX + 1];		/* what the first i tokens name */
	struct fx_json_item items[FEOX_JSON_DEPTH_MAX]; /* what token i names, not finished */
	size_t level;					/* tokens that have been followed */
};

static void push_before(struct fx_json_place *place, const struct fx_json_item *item)
{
	place->before_2 = place->before;
	place->before = *item;
	if (place->before_count < 2)
		place->before_count++;
}

static bool is_named(const struct walk *w, const struct fx_json_item *item,
		     const struct fx_json_token *token)
{
	return fx_json_string_is(w->text.bytes + item->start, token->bytes, token->size);
}

/* Look for the member that token names. NULL, or what is wrong. */
static const char *find_member(struct walk *w, const struct fx_json_token *token)
{
	struct fx_json_item item;
	bool more = fx_json_first(w->text, w->place.open, &item);

	for (; more; more = fx_json_next(w->text, &item)) {
		if (is_named(w, &item, token)) {
			w->place.exists = true;
			w->place.item = item;
			break;
		}
		fx_json_finish(w->text, &item);
		push_before(&w->place, &item);
	}
	return NULL;
}

/* RFC 6901, 4: digits without a leading zero. An index beyond size_t is beyond every array. */
static const char *read_index(const struct fx_json_token *token, size_t *ret_index)
{
	size_t index = 0;

	if (!token->size || (token->size > 1 && token->bytes[0] == '0'))
		return "not an array index";
	for (size_t i = 0; i < token->size; i++) {
		char c = token->bytes[i];

		if (c < '0' || c > '9')
			return "not an array index";
		if (__builtin_mul_overflow(index, 10, &index) ||
		    __builtin_add_overflow(index, c - '0', &index))
			index = SIZE_MAX;
	}
	*ret_index = index;
	return NULL;
}

/* Look for the element that token names: an index, or - for the one behind the last. */
static const char *find_element(struct walk *w, const struct fx_json_token *token)
{
	bool behind_last = token->size == 1 && token->bytes[0] == '-';
	struct fx_json_item item;
	bool more = fx_json_first(w->text, w->place.open, &item);
	size_t index = SIZE_MAX, i = 0;
	const char *what = behind_last ? NULL : read_index(token, &index);

	if (what)
		return what;
	for (; more; more = fx_json_next(w->text, &item), i++) {
		if (i == index) {
			w->place.exists = true;
			w->place.item = item;
			return NULL;
		}
		fx_json_finish(w->text, &item);
		push_before(&w->place, &item);
	}
	return behind_last || i == index ? NULL : "an index beyond the end of the array";
}

/* From the value at level to what the next token names in it. */
static const char *descend(struct walk *w)
{
	const struct fx_json_token *token = &w->pointer->tokens[w->level];
	uint8_t kind = w->text.bytes[w->values[w->level]];
	const char *what;

	if (kind != '{' && kind != '[')
		return "not an object or array";
	w->place = (struct fx_json_place){.open = w->values[w->level], .outer = w->place.open};
	what = kind == '{' ? find_member(w, token) : find_element(w, token);
	if (what)
		return what;
	if (!w->place.exists && w->level + 1 < w->pointer->count)
		return "no such member or element";
	w->items[w->level++] = w->place.item;
	w->values[w->level] = w->place.item.value;
	return NULL;
}

/*
 * Walk the rest of the container at level, where the item on the way ends at end. false: it has
 * another member of that name.
 */
static bool walk_rest(struct walk *w, size_t level, size_t end, size_t *ret_end)
{
	struct fx_json_item item = w->items[level];

	item.end = end;
	while (fx_json_next(w->text, &item)) {
		if (item.name_end && is_named(w, &item, &w->pointer->tokens[level]))
			return false;
		fx_json_finish(w->text, &item);
	}
	*ret_end = fx_json_space(w->text, item.end) + 1;
	return true;
}

/* How far the last container has been walked. */
static size_t walked_to(struct walk *w)
{
	if (w->place.exists) {
		fx_json_finish(w->text, &w->place.item);
		return w->place.item.end;
	}
	if (w->place.before_count)
		return fx_json_space(w->text, w->place.before.end) + 1;
	return fx_json_space(w->text, w->place.open + 1) + 1;
}

/* Up again, as far as there are objects. */
static bool ascend(struct walk *w, size_t *ret_end)
{
	size_t objects = 0, level = w->level;
	size_t end = walked_to(w);

	while (objects < level && w->text.bytes[w->values[objects]] != '{')
		objects++;
	/* A container without the item has been walked to its end already. */
	for (level -= !w->place.exists; level-- > objects;) {
		if (!walk_rest(w, level, end, &end)) {
			w->level = level;
			return false;
		}
	}
	*ret_end = end;
	return true;
}

int fx_json_pointer_find(const struct fx_json_pointer *pointer, struct fx_json_text text,
			 uint64_t *work, struct fx_json_place *ret_place,
			 struct fx_json_lost *ret_lost)
{
	struct walk w;
	const char *what = NULL;
	size_t end = 0;

	w.text = text;
	w.pointer = pointer;
	w.level = 0;
	w.values[0] = fx_json_space(text, 0);
	w.place = (struct fx_json_place){
		.exists = true, .open = FX_JSON_NOWHERE, .outer = FX_JSON_NOWHERE};
	w.place.item.start = w.place.item.value = w.values[0];
	while (!what && w.level < pointer->count)
		what = descend(&w);
	if (!what && !ascend(&w, &end))
		what = "a member name that occurs twice";
	*work += what ? text.size : end;
	if (what) {
		*ret_lost = (struct fx_json_lost){w.level, w.values[w.level], what};
		return -EINVAL;
	}
	*ret_place = w.place;
	return 0;
}
