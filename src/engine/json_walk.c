/* SPDX-License-Identifier: Apache-2.0 */
/* json_walk.c - where things are in a JSON text that has been checked (json_text.c, T1 to T4). */
#include "json_text.h"

#include <string.h>

#define STRING_END UINT32_MAX /* no code point */

/* ---- Containers ------------------------------------------------------------------------------ */

static bool is_space(uint8_t b)
{
	return b == ' ' || b == '\n' || b == '\r' || b == '\t';
}

size_t fx_json_space(struct fx_json_text text, size_t at)
{
	while (at < text.size && is_space(text.bytes[at]))
		at++;
	return at;
}

size_t fx_json_string_end(struct fx_json_text text, size_t at)
{
	at++;
	while (text.bytes[at] != '"')
		at += text.bytes[at] == '\\' ? 2 : 1;
	return at + 1;
}

static size_t container_end(struct fx_json_text text, size_t at)
{
	unsigned int depth = 0;

	do {
		switch (text.bytes[at]) {
		case '"':
			at = fx_json_string_end(text, at);
			continue;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			depth--;
			break;
		default:
			break;
		}
		at++;
	} while (depth);
	return at;
}

/* What may stand right behind a number or literal, besides white space. */
static bool is_behind(uint8_t b)
{
	return b == ',' || b == ']' || b == '}';
}

size_t fx_json_value_end(struct fx_json_text text, size_t at)
{
	switch (text.bytes[at]) {
	case '"':
		return fx_json_string_end(text, at);
	case '{':
	case '[':
		return container_end(text, at);
	default:
		while (at < text.size && !is_space(text.bytes[at]) && !is_behind(text.bytes[at]))
			at++;
		return at;
	}
}

unsigned int fx_json_depth(struct fx_json_text text)
{
	unsigned int depth = 0, deepest = 0;

	for (size_t at = 0; at < text.size;) {
		uint8_t b = text.bytes[at];

		if (b == '"') {
			at = fx_json_string_end(text, at);
			continue;
		}
		if (b == '{' || b == '[')
			depth++;
		else if (b == '}' || b == ']')
			depth--;
		if (depth > deepest)
			deepest = depth;
		at++;
	}
	return deepest;
}

static void read_item(struct fx_json_text text, size_t at, bool member, struct fx_json_item *item)
{
	*item = (struct fx_json_item){.start = at};
	if (member) {
		item->name_end = fx_json_string_end(text, at);
		at = fx_json_space(text, item->name_end) + 1; /* the colon */
		at = fx_json_space(text, at);
	}
	item->value = at;
}

void fx_json_finish(struct fx_json_text text, struct fx_json_item *item)
{
	item->end = fx_json_value_end(text, item->value);
}

bool fx_json_first(struct fx_json_text text, size_t open, struct fx_json_item *ret_item)
{
	bool object = text.bytes[open] == '{';
	size_t at = fx_json_space(text, open + 1);

	if (text.bytes[at] == (object ? '}' : ']'))
		return false;
	read_item(text, at, object, ret_item);
	return true;
}

bool fx_json_next(struct fx_json_text text, struct fx_json_item *item)
{
	size_t at = fx_json_space(text, item->end);

	if (text.bytes[at] != ',')
		return false;
	read_item(text, fx_json_space(text, at + 1), item->name_end != 0, item);
	return true;
}

/* ---- Strings --------------------------------------------------------------------------------- */

/* The code point at *at, which moves behind it. Well-formed UTF-8 only. */
static uint32_t decode_utf8(const uint8_t **at)
{
	const uint8_t *p = *at;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3f);
	*at = p + n;
	return c;
}

/* The code unit of the four hexadecimal digits at p. */
static uint32_t decode_unit(const uint8_t *p)
{
	uint32_t unit = 0;

	for (size_t i = 0; i < 4; i++) {
		int digit = p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10;

		unit = unit << 4 | (uint32_t)digit;
	}
	return unit;
}

static uint32_t decode_escape(const uint8_t **at)
{
	static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
	uint8_t b = (*at)[1];
	const char *letter;
	uint32_t unit;

	if (b != 'u') {
		*at += 2;
		letter = strchr(letters, b);
		return letter ? (uint8_t)meanings[letter - letters] : b;
	}
	unit = decode_unit(*at + 2);
	*at += 6;
	if (unit < 0xd800 || unit > 0xdfff)
		return unit;
	unit = 0x10000 + ((unit - 0xd800) << 10) + (decode_unit(*at + 2) - 0xdc00);
	*at += 6;
	return unit;
}

/* The code point of a string at *at, which moves behind it; STRING_END at the closing quote. */
static uint32_t decode_char(const uint8_t **at)
{
	if (**at == '"')
		return STRING_END;
	return **at == '\\' ? decode_escape(at) : decode_utf8(at);
}

int fx_json_string_cmp(const uint8_t *a, const uint8_t *b)
{
	uint32_t x, y;

	a++;
	b++;
	do {
		x = decode_char(&a);
		y = decode_char(&b);
	} while (x == y && x != STRING_END);
	if (x == y)
		return 0;
	if (x == STRING_END || y == STRING_END)
		return x == STRING_END ? -1 : 1;
	return x < y ? -1 : 1;
}

bool fx_json_string_is(const uint8_t *string, const void *utf8, size_t size)
{
	const uint8_t *p = utf8, *end = p + size;
	uint32_t c;

	string++;
	while ((c = decode_char(&string)) != STRING_END) {
		if (p == end || decode_utf8(&p) != c)
			return false;
	}
	return p == end;
}
