/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_compare.c - equality of JSON values, without a tree and without recursion.
 *
 * Only objects need help, for their members stand in any order: an index lists the members of a
 * whole text, ordered by object and then by name, so that the members of one object are a range of
 * it, and equal objects have equal ranges.
 *
 * Two values are compared in lockstep with one frame a level. What is behind a value follows from
 * having compared it, also for objects, whose close is behind the member that ends last: no byte is
 * walked twice, however deep it is nested.
 */
#include "json_compare.h"

#include "feox/feox.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define FIRST_CAPACITY 16u

/* ---- The index ------------------------------------------------------------------------------- */

static int add_member(struct fx_json_index *index, size_t *capacity, struct fx_json_member member)
{
	if (index->count == *capacity) {
		size_t larger = *capacity ? 2 * *capacity : FIRST_CAPACITY;
		void *members = reallocarray(index->members, larger, sizeof(*index->members));

		if (!members)
			return -ENOMEM;
		index->members = members;
		*capacity = larger;
	}
	index->members[index->count++] = member;
	return 0;
}

static int collect(struct fx_json_text text, size_t members_max, struct fx_json_index *index)
{
	uint32_t opens[FEOX_JSON_DEPTH_MAX];
	unsigned int depth = 0;
	size_t capacity = 0, at = 0;
	int err = 0;

	while (at < text.size && !err) {
		uint8_t b = text.bytes[at];
		size_t start = at++;

		if (b == '{' || b == '[')
			opens[depth++] = (uint32_t)start;
		else if (b == '}' || b == ']')
			depth--;
		if (b != '"')
			continue;
		at = fx_json_space(text, fx_json_string_end(text, start));
		if (at == text.size || text.bytes[at] != ':')
			continue;
		at = fx_json_space(text, at + 1);
		if (index->count == members_max)
			return -E2BIG;
		err = add_member(index, &capacity,
				 (struct fx_json_member){.object = opens[depth - 1],
							 .name = (uint32_t)start,
							 .value = (uint32_t)at});
	}
	return err;
}

static int compare_members(const void *a, const void *b, void *bytes)
{
	const struct fx_json_member *x = a, *y = b;
	int order;

	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	order = fx_json_string_cmp((const uint8_t *)bytes + x->name,
				   (const uint8_t *)bytes + y->name);
	if (order)
		return order;
	return (x->name > y->name) - (x->name < y->name);
}

int fx_json_index_build(struct fx_json_text text, size_t members_max,
			struct fx_json_index *ret_index)
{
	struct fx_json_index index = {0};
	int err;

	assert(text.size <= UINT32_MAX);
	err = collect(text, members_max, &index);
	if (err) {
		fx_json_index_free(&index);
		return err;
	}
	if (index.count)
		qsort_r(index.members, index.count, sizeof(*index.members), compare_members,
			(void *)text.bytes);
	*ret_index = index;
	return 0;
}

void fx_json_index_free(struct fx_json_index *index)
{
	free(index->members);
	*index = (struct fx_json_index){0};
}

/* How many members belong to objects that begin before object. */
static size_t count_before(const struct fx_json_index *index, size_t object)
{
	size_t low = 0, high = index->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->members[middle].object < object)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t fx_json_index_count(const struct fx_json_index *index, size_t from, size_t to)
{
	return count_before(index, to) - count_before(index, from);
}

const struct fx_json_member *fx_json_index_object(const struct fx_json_index *index, size_t object,
						  size_t *ret_count)
{
	size_t first = count_before(index, object);

	*ret_count = count_before(index, object + 1) - first;
	return *ret_count ? index->members + first : NULL;
}

size_t fx_json_index_duplicate(const struct fx_json_index *index, struct fx_json_text text)
{
	for (size_t i = 1; i < index->count; i++) {
		const struct fx_json_member *m = &index->members[i];

		if (m[-1].object == m->object &&
		    fx_json_string_cmp(text.bytes + m[-1].name, text.bytes + m->name) == 0)
			return m->name;
	}
	return FX_JSON_NOWHERE;
}

/* ---- Equality -------------------------------------------------------------------------------- */

struct frame {
	bool object;
	size_t left; /* members still to be compared, this one included */
	const struct fx_json_member *a_member, *b_member;
	size_t a_end, b_end; /* behind the member's value that ends last so far */
};

struct comparison {
	const struct fx_json_value *a, *b;
	size_t a_at, b_at; /* of the values to be compared; then behind them */
	unsigned int depth;
	struct frame frames[FEOX_JSON_DEPTH_MAX];
};

enum verdict {
	UNEQUAL,
	WHOLE, /* equal, and a_at and b_at are behind them */
	INSIDE /* containers equal so far, a_at and b_at at their first values */
};

static struct fx_json_text cut(struct fx_json_text text, size_t from, size_t to)
{
	return (struct fx_json_text){.bytes = text.bytes + from, .size = to - from};
}

static enum verdict compare_scalars(struct comparison *c)
{
	struct fx_json_text a = c->a->text, b = c->b->text;
	size_t a_end = fx_json_value_end(a, c->a_at), b_end = fx_json_value_end(b, c->b_at);
	uint8_t kind = a.bytes[c->a_at], other = b.bytes[c->b_at];
	bool equal;

	if (kind == '"' && other == '"')
		equal = fx_json_string_cmp(a.bytes + c->a_at, b.bytes + c->b_at) == 0;
	else if (kind == '"' || other == '"')
		equal = false;
	else if (kind >= 'a' || other >= 'a') /* true, false, null: told apart by their letter */
		equal = kind == other;
	else
		equal = fx_json_number_equal(cut(a, c->a_at, a_end), cut(b, c->b_at, b_end));
	c->a_at = a_end;
	c->b_at = b_end;
	return equal ? WHOLE : UNEQUAL;
}

/* Turn to the values of a frame's members, if they have the same name. */
static bool select_members(struct comparison *c, const struct frame *frame)
{
	c->a_at = frame->a_member->value;
	c->b_at = frame->b_member->value;
	return fx_json_string_cmp(c->a->text.bytes + frame->a_member->name,
				  c->b->text.bytes + frame->b_member->name) == 0;
}

static enum verdict enter_objects(struct comparison *c)
{
	struct frame *frame = &c->frames[c->depth];
	size_t a_count, b_count;

	*frame = (struct frame){.object = true};
	frame->a_member = fx_json_index_object(c->a->index, c->a_at, &a_count);
	frame->b_member = fx_json_index_object(c->b->index, c->b_at, &b_count);
	frame->left = a_count;
	if (a_count != b_count)
		return UNEQUAL;
	if (a_count == 0) {
		c->a_at = fx_json_space(c->a->text, c->a_at + 1) + 1;
		c->b_at = fx_json_space(c->b->text, c->b_at + 1) + 1;
		return WHOLE;
	}
	c->depth++;
	return select_members(c, frame) ? INSIDE : UNEQUAL;
}

static enum verdict enter_arrays(struct comparison *c)
{
	bool a_empty, b_empty;

	c->a_at = fx_json_space(c->a->text, c->a_at + 1);
	c->b_at = fx_json_space(c->b->text, c->b_at + 1);
	a_empty = c->a->text.bytes[c->a_at] == ']';
	b_empty = c->b->text.bytes[c->b_at] == ']';
	if (a_empty != b_empty)
		return UNEQUAL;
	if (a_empty) {
		c->a_at++;
		c->b_at++;
		return WHOLE;
	}
	c->frames[c->depth++] = (struct frame){.object = false};
	return INSIDE;
}

static enum verdict compare_values(struct comparison *c)
{
	uint8_t kind = c->a->text.bytes[c->a_at], other = c->b->text.bytes[c->b_at];

	if (kind == '{' || kind == '[' || other == '{' || other == '[') {
		if (kind != other)
			return UNEQUAL;
		return kind == '{' ? enter_objects(c) : enter_arrays(c);
	}
	return compare_scalars(c);
}

/* Members have turned out equal: the next ones, or the end of the objects. */
static enum verdict next_members(struct comparison *c, struct frame *frame)
{
	if (c->a_at > frame->a_end)
		frame->a_end = c->a_at;
	if (c->b_at > frame->b_end)
		frame->b_end = c->b_at;
	frame->a_member++;
	frame->b_member++;
	if (--frame->left)
		return select_members(c, frame) ? INSIDE : UNEQUAL;
	c->a_at = fx_json_space(c->a->text, frame->a_end) + 1;
	c->b_at = fx_json_space(c->b->text, frame->b_end) + 1;
	c->depth--;
	return WHOLE;
}

/* Elements have turned out equal: the next ones, or the end of the arrays. */
static enum verdict next_elements(struct comparison *c)
{
	bool a_more, b_more;

	c->a_at = fx_json_space(c->a->text, c->a_at);
	c->b_at = fx_json_space(c->b->text, c->b_at);
	a_more = c->a->text.bytes[c->a_at++] == ',';
	b_more = c->b->text.bytes[c->b_at++] == ',';
	if (a_more != b_more)
		return UNEQUAL;
	if (!a_more) {
		c->depth--;
		return WHOLE;
	}
	c->a_at = fx_json_space(c->a->text, c->a_at);
	c->b_at = fx_json_space(c->b->text, c->b_at);
	return INSIDE;
}

bool fx_json_equal(const struct fx_json_value *a, const struct fx_json_value *b)
{
	struct comparison c = {.a = a, .b = b, .a_at = a->at, .b_at = b->at};
	enum verdict verdict;

	do {
		verdict = compare_values(&c);
		while (verdict == WHOLE && c.depth) {
			struct frame *frame = &c.frames[c.depth - 1];

			verdict = frame->object ? next_members(&c, frame) : next_elements(&c);
		}
	} while (verdict == INSIDE);
	return verdict == WHOLE;
}
