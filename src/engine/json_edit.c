/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_edit.c - changing a JSON text, see json_edit.h.
 *
 * An insertion is three pieces: head (separator, name, colon), value, tail. head and tail are
 * copied from the neighbourhood into scratch memory first, for the document's own bytes move.
 *
 *	{ "a": 1, "b": 2 }		the separator is what is between the last two: ", "
 *	{\n  "a": 1\n}			only one: a comma and what is before it: ",\n  "
 *	{"a": 1}  [1]			nothing before it: a comma, and a space if the colon (the
 *					first comma or colon of the document) has one
 *	"x": {}				nothing in it: a line, if "x" is on one of its own
 *
 * Line breaks are "\n" or "\r\n", whatever the neighbourhood has.
 */
#include "json_edit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- How the neighbours are set apart -------------------------------------------------------- */

/* The white space before the first item of a container that has one. */
static struct fx_json_text lead_of(struct fx_json_text text, size_t open)
{
	return fx_json_cut(text, open + 1, fx_json_space(text, open + 1));
}

/* The colon of a member with the white space around it. */
static struct fx_json_text colon_of(struct fx_json_text text, const struct fx_json_item *member)
{
	return fx_json_cut(text, member->name_end, member->value);
}

static bool has_space(struct fx_json_text text)
{
	return text.size && (text.bytes[text.size - 1] == ' ' || text.bytes[0] == ' ');
}

/* Does the author write a space behind commas and colons? Judged by the first of them. */
static bool is_spaced(struct fx_json_document *d)
{
	struct fx_json_text text = fx_json_document_text(d);
	size_t at = 0;

	while (at < text.size && text.bytes[at] != ',' && text.bytes[at] != ':')
		at = text.bytes[at] == '"' ? fx_json_string_end(text, at) : at + 1;
	d->work += at;
	return at < text.size && fx_json_space(text, at + 1) > at + 1;
}

/* The separator of a container with a single item. */
static int add_single_separator(struct fx_json_document *d, struct fx_json_buffer *buffer,
				size_t open, const struct fx_json_item *item)
{
	struct fx_json_text text = fx_json_document_text(d), lead = lead_of(text, open);
	int err = fx_json_buffer_add_string(buffer, ",");

	if (err)
		return err;
	if (lead.size)
		return fx_json_buffer_add_text(buffer, lead);
	if (item->name_end ? has_space(colon_of(text, item)) : is_spaced(d))
		return fx_json_buffer_add_string(buffer, " ");
	return 0;
}

/* One byte of a string, with the escapes that RFC 8259, 7 demands and no others. */
static int add_escaped(struct fx_json_buffer *buffer, uint8_t c)
{
	static const char control[] = "\b\f\n\r\t", letters[] = "bfnrt";
	const char *known = c ? strchr(control, c) : NULL;
	char escape[7];

	if (c == '"' || c == '\\')
		snprintf(escape, sizeof(escape), "\\%c", c);
	else if (known)
		snprintf(escape, sizeof(escape), "\\%c", letters[known - control]);
	else if (c < 0x20)
		snprintf(escape, sizeof(escape), "\\u%04x", c);
	else
		return fx_json_buffer_add(buffer, &c, 1);
	return fx_json_buffer_add_string(buffer, escape);
}

static int add_name(struct fx_json_buffer *buffer, const struct fx_json_token *name)
{
	int err = fx_json_buffer_add_string(buffer, "\"");

	for (size_t i = 0; i < name->size && !err; i++)
		err = add_escaped(buffer, (uint8_t)name->bytes[i]);
	return err ? err : fx_json_buffer_add_string(buffer, "\"");
}

static int add_colon(struct fx_json_buffer *buffer, struct fx_json_text text,
		     const struct fx_json_item *neighbour)
{
	struct fx_json_text colon = colon_of(text, neighbour);

	return fx_json_has_line_break(colon) ? fx_json_buffer_add_string(buffer, ": ")
					     : fx_json_buffer_add_text(buffer, colon);
}

/* ---- Inserting ------------------------------------------------------------------------------- */

/* Behind the last item of a container. */
static int insert_last(struct fx_json_document *d, const struct fx_json_place *place,
		       const struct fx_json_token *name, const struct fx_json_insert *insert)
{
	struct fx_json_text text = fx_json_document_text(d);
	const struct fx_json_item *last = &place->before;
	int err;

	if (place->before_count == 2)
		err = fx_json_buffer_add_text(&d->head,
					      fx_json_cut(text, place->before_2.end, last->start));
	else
		err = add_single_separator(d, &d->head, place->open, last);
	if (!err && last->name_end) {
		err = add_name(&d->head, name);
		if (!err)
			err = add_colon(&d->head, text, last);
	}
	return err ? err : fx_json_splice_value(d, last->end, 0, insert);
}

/* What is in an empty container, and how lines are set around it. */
struct inside {
	size_t from, to;	    /* white space between the brackets */
	bool lines;		    /* the new item gets a line of its own */
	bool crlf;		    /* which line break */
	struct fx_json_text indent; /* of the closing bracket's line */
	struct fx_json_text unit;   /* what an item is indented by beyond that */
};

static struct fx_json_text constant(const char *string)
{
	return (struct fx_json_text){(const uint8_t *)string, strlen(string)};
}

/* What the items of the outer container are indented by beyond its closing bracket's line. */
static struct fx_json_text find_unit(struct fx_json_document *d, size_t outer)
{
	struct fx_json_text text = fx_json_document_text(d);
	struct fx_json_text inner = fx_json_last_line(lead_of(text, outer));
	struct fx_json_text base = fx_json_indent(text, outer, &d->work);

	if (inner.size > base.size &&
	    (!base.size || memcmp(inner.bytes, base.bytes, base.size) == 0))
		return fx_json_cut(inner, base.size, inner.size);
	return constant(inner.size && inner.bytes[0] == '\t' ? "\t" : "  ");
}

static struct inside look_inside(struct fx_json_document *d, const struct fx_json_place *place)
{
	struct fx_json_text text = fx_json_document_text(d), space = lead_of(text, place->open);
	struct fx_json_text outer_lead = {0};
	struct inside in = {.from = place->open + 1, .to = place->open + 1 + space.size};

	if (place->outer != FX_JSON_NOWHERE)
		outer_lead = lead_of(text, place->outer);
	in.lines = fx_json_has_line_break(space) ||
		   (!space.size && fx_json_has_line_break(outer_lead));
	if (!in.lines)
		return in;
	in.unit = fx_json_has_line_break(outer_lead) ? find_unit(d, place->outer) : constant("  ");
	if (fx_json_has_line_break(space)) {
		in.indent = fx_json_last_line(space);
		in.crlf = memchr(space.bytes, '\r', space.size) != NULL;
	} else {
		in.indent = fx_json_indent(text, place->open, &d->work);
		in.crlf = memchr(outer_lead.bytes, '\r', outer_lead.size) != NULL;
	}
	return in;
}

/* The white space on both sides of the only item. */
static int add_sides(struct fx_json_document *d, const struct inside *in)
{
	const char *line_break = in->crlf ? "\r\n" : "\n";
	struct fx_json_text space = fx_json_cut(fx_json_document_text(d), in->from, in->to);
	int err;

	if (!in->lines) {
		err = fx_json_buffer_add_text(&d->head, space);
		return err ? err : fx_json_buffer_add_text(&d->tail, space);
	}
	err = fx_json_buffer_add_string(&d->head, line_break);
	if (!err)
		err = fx_json_buffer_add_text(&d->head, in->indent);
	if (!err)
		err = fx_json_buffer_add_text(&d->head, in->unit);
	if (!err)
		err = fx_json_buffer_add_string(&d->tail, line_break);
	return err ? err : fx_json_buffer_add_text(&d->tail, in->indent);
}

/* The colon for the first member of an object: as in the object around it, or as spaces are set. */
static int add_first_colon(struct fx_json_document *d, const struct fx_json_place *place,
			   bool lines)
{
	struct fx_json_text text = fx_json_document_text(d);
	struct fx_json_item item;

	if (place->outer != FX_JSON_NOWHERE && text.bytes[place->outer] == '{' &&
	    fx_json_first(text, place->outer, &item))
		return add_colon(&d->head, text, &item);
	return fx_json_buffer_add_string(&d->head, lines || is_spaced(d) ? ": " : ":");
}

/* Into an empty container. */
static int insert_first(struct fx_json_document *d, const struct fx_json_place *place,
			const struct fx_json_token *name, const struct fx_json_insert *insert)
{
	struct inside in = look_inside(d, place);
	int err = add_sides(d, &in);

	if (!err && d->text.bytes[place->open] == '{') {
		err = add_name(&d->head, name);
		if (!err)
			err = add_first_colon(d, place, in.lines);
	}
	return err ? err : fx_json_splice_value(d, in.from, in.to - in.from, insert);
}

static void begin(struct fx_json_document *d)
{
	d->head.size = 0;
	d->tail.size = 0;
}

int fx_json_insert(struct fx_json_document *document, const struct fx_json_place *place,
		   const struct fx_json_token *name, const struct fx_json_insert *insert)
{
	begin(document);
	if (place->before_count)
		return insert_last(document, place, name, insert);
	return insert_first(document, place, name, insert);
}

int fx_json_insert_before(struct fx_json_document *document, const struct fx_json_place *place,
			  const struct fx_json_insert *insert)
{
	struct fx_json_text text = fx_json_document_text(document);
	struct fx_json_item next = place->item;
	int err;

	begin(document);
	if (place->before_count)
		err = fx_json_buffer_add_text(
			&document->tail, fx_json_cut(text, place->before.end, place->item.start));
	else if (fx_json_next(text, &next))
		err = fx_json_buffer_add_text(&document->tail,
					      fx_json_cut(text, place->item.end, next.start));
	else
		err = add_single_separator(document, &document->tail, place->open, &place->item);
	return err ? err : fx_json_splice_value(document, place->item.start, 0, insert);
}

/* ---- Replacing, removing --------------------------------------------------------------------- */

int fx_json_replace(struct fx_json_document *document, const struct fx_json_place *place,
		    const struct fx_json_insert *insert)
{
	begin(document);
	return fx_json_splice_value(document, place->item.value,
				    place->item.end - place->item.value, insert);
}

int fx_json_remove(struct fx_json_document *document, const struct fx_json_place *place)
{
	struct fx_json_text text = fx_json_document_text(document);
	struct fx_json_insert nothing = {0};
	struct fx_json_item next = place->item;
	size_t from, to;

	begin(document);
	if (fx_json_next(text, &next)) { /* with the separator behind it */
		from = place->item.start;
		to = next.start;
	} else if (place->before_count) { /* the last: with the one before it */
		from = place->before.end;
		to = place->item.end;
	} else { /* the only one: nothing is left between the brackets */
		from = place->open + 1;
		to = fx_json_space(text, place->item.end);
	}
	return fx_json_splice_value(document, from, to - from, &nothing);
}
