/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_text.c - checking a JSON text once, strictly; walking it afterwards, without a doubt.
 *
 * The checker is the only code that sees bytes nobody has looked at. It keeps no tree: which
 * bracket closes next is one bit a level, so its memory is constant, and a text of brackets alone
 * cannot exhaust a stack. In a checked text
 *
 *   T1 a quote outside of a string begins one, and the next quote without a backslash ends it;
 *   T2 brackets outside of strings are balanced, so counting them finds the end of a container;
 *   T3 white space outside of strings stands between tokens only, and a line break is nowhere else;
 *   T4 a string with a colon behind it is a name, any other is a value.
 *
 * The walkers, the index and the editor rest on these four.
 */
#include "json_text.h"

#include "feox/feox.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define LEVELS_A_WORD 64u

struct checker {
	const uint8_t *bytes;
	size_t size, at;
	unsigned int depth;
	uint64_t objects[FEOX_JSON_DEPTH_MAX / LEVELS_A_WORD]; /* a level's bit: it is an object */
	struct fx_json_fault fault;
};

static_assert(FEOX_JSON_DEPTH_MAX % LEVELS_A_WORD == 0, "whole words of levels");

static bool refuse(struct checker *c, size_t offset, const char *what)
{
	c->fault = (struct fx_json_fault){.offset = offset, .what = what};
	return false;
}

/* The byte ahead bytes further on, or -1 behind the end. */
static int peek(const struct checker *c, size_t ahead)
{
	return ahead < c->size - c->at ? c->bytes[c->at + ahead] : -1;
}

static bool is_space(int b)
{
	return b == ' ' || b == '\n' || b == '\r' || b == '\t';
}

static bool is_digit(int b)
{
	return b >= '0' && b <= '9';
}

static void skip_space(struct checker *c)
{
	while (is_space(peek(c, 0)))
		c->at++;
}

/* ---- Checking strings ------------------------------------------------------------------------ */

static int hex_digit(int b)
{
	if (is_digit(b))
		return b - '0';
	b |= 0x20;
	return b >= 'a' && b <= 'f' ? b - 'a' + 10 : -1;
}

/* The code unit of the escape \uXXXX, or -1 when it is none. */
static int32_t peek_unit(const struct checker *c, size_t ahead)
{
	int32_t unit = 0;

	if (peek(c, ahead) != '\\' || peek(c, ahead + 1) != 'u')
		return -1;
	for (size_t i = 2; i < 6; i++) {
		int digit = hex_digit(peek(c, ahead + i));

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

static bool is_high_surrogate(int32_t unit)
{
	return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low_surrogate(int32_t unit)
{
	return unit >= 0xdc00 && unit <= 0xdfff;
}

static bool check_unicode_escape(struct checker *c)
{
	int32_t unit = peek_unit(c, 0);

	if (unit < 0)
		return refuse(c, c->at, "\\u without four hexadecimal digits");
	if (is_low_surrogate(unit) ||
	    (is_high_surrogate(unit) && !is_low_surrogate(peek_unit(c, 6))))
		return refuse(c, c->at, "half of a surrogate pair");
	c->at += is_high_surrogate(unit) ? 12 : 6;
	return true;
}

static bool check_escape(struct checker *c)
{
	static const char letters[8] = {'"', '\\', '/', 'b', 'f', 'n', 'r', 't'};
	int b = peek(c, 1);

	if (b == 'u')
		return check_unicode_escape(c);
	if (b < 0 || !memchr(letters, b, sizeof(letters)))
		return refuse(c, c->at, "an unknown escape in a string");
	c->at += 2;
	return true;
}

/*
 * Bytes of the UTF-8 sequence at p, 0 when it is none: overlong, a surrogate, above U+10FFFF or
 * cut short (Unicode, table 3-7: only the second byte's range depends on the first).
 */
static size_t utf8_length(const uint8_t *p, size_t size)
{
	uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
	uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
	size_t n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4 || size < n || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

static bool check_string(struct checker *c)
{
	size_t start = c->at++;

	for (;;) {
		int b = peek(c, 0);

		if (b == '"')
			break;
		if (b < 0)
			return refuse(c, start, "a string without an end");
		if (b < 0x20)
			return refuse(c, c->at, "a control character in a string");
		if (b == '\\') {
			if (!check_escape(c))
				return false;
		} else {
			size_t n = utf8_length(c->bytes + c->at, c->size - c->at);

			if (!n)
				return refuse(c, c->at, "not UTF-8");
			c->at += n;
		}
	}
	c->at++;
	return true;
}

/* ---- Checking values ------------------------------------------------------------------------- */

static bool check_digits(struct checker *c, const char *what)
{
	if (!is_digit(peek(c, 0)))
		return refuse(c, c->at, what);
	while (is_digit(peek(c, 0)))
		c->at++;
	return true;
}

static bool check_number(struct checker *c)
{
	if (peek(c, 0) == '-')
		c->at++;
	if (peek(c, 0) == '0' && is_digit(peek(c, 1)))
		return refuse(c, c->at, "a number with a leading zero");
	if (!check_digits(c, "a minus sign without a number"))
		return false;
	if (peek(c, 0) == '.') {
		c->at++;
		if (!check_digits(c, "a decimal point without digits behind it"))
			return false;
	}
	if (peek(c, 0) == 'e' || peek(c, 0) == 'E') {
		c->at++;
		if (peek(c, 0) == '+' || peek(c, 0) == '-')
			c->at++;
		return check_digits(c, "an exponent without digits");
	}
	return true;
}

static bool check_literal(struct checker *c, const char *word)
{
	size_t n = strlen(word);

	if (c->size - c->at < n || memcmp(c->bytes + c->at, word, n) != 0)
		return refuse(c, c->at, "a value expected");
	c->at += n;
	return true;
}

static bool check_scalar(struct checker *c)
{
	int b = peek(c, 0);

	if (b == '"')
		return check_string(c);
	if (b == 't')
		return check_literal(c, "true");
	if (b == 'f')
		return check_literal(c, "false");
	if (b == 'n')
		return check_literal(c, "null");
	if (b == '-' || is_digit(b))
		return check_number(c);
	return refuse(c, c->at, b < 0 ? "a value expected, the text ends" : "a value expected");
}

static bool in_object(const struct checker *c)
{
	unsigned int level = c->depth - 1;

	return c->objects[level / LEVELS_A_WORD] >> level % LEVELS_A_WORD & 1;
}

static bool enter(struct checker *c, bool object)
{
	uint64_t *word = &c->objects[c->depth / LEVELS_A_WORD];
	uint64_t bit = UINT64_C(1) << c->depth % LEVELS_A_WORD;

	if (c->depth == FEOX_JSON_DEPTH_MAX)
		return refuse(c, c->at, "nested too deep");
	*word = object ? *word | bit : *word & ~bit;
	c->depth++;
	c->at++;
	skip_space(c);
	return true;
}

/* A member up to its value. */
static bool check_name(struct checker *c)
{
	if (peek(c, 0) != '"')
		return refuse(c, c->at, "a member's name expected");
	if (!check_string(c))
		return false;
	skip_space(c);
	if (peek(c, 0) != ':')
		return refuse(c, c->at, "a colon expected");
	c->at++;
	skip_space(c);
	return true;
}

/* A whole scalar or empty container, or (whole false) up to the first value in a container. */
static bool check_value(struct checker *c, bool *ret_whole)
{
	int b = peek(c, 0);
	bool object = b == '{';

	*ret_whole = true;
	if (!object && b != '[')
		return check_scalar(c);
	if (!enter(c, object))
		return false;
	if (peek(c, 0) == (object ? '}' : ']')) {
		c->depth--;
		c->at++;
		return true;
	}
	*ret_whole = false;
	return !object || check_name(c);
}

/* Behind a value: close what ends here, then (more) up to the next value. */
static bool check_behind(struct checker *c, bool *ret_more)
{
	*ret_more = false;
	while (c->depth) {
		bool object = in_object(c);

		skip_space(c);
		if (peek(c, 0) == ',') {
			c->at++;
			skip_space(c);
			*ret_more = true;
			return !object || check_name(c);
		}
		if (peek(c, 0) != (object ? '}' : ']'))
			return refuse(c, c->at,
				      object ? "a comma or } expected" : "a comma or ] expected");
		c->depth--;
		c->at++;
	}
	return true;
}

static bool check_text(struct checker *c)
{
	bool more = true, whole;

	if (c->size >= 3 && memcmp(c->bytes, "\xef\xbb\xbf", 3) == 0)
		return refuse(c, 0, "a byte order mark");
	skip_space(c);
	while (more) {
		if (!check_value(c, &whole) || (whole && !check_behind(c, &more)))
			return false;
	}
	skip_space(c);
	return c->at == c->size || refuse(c, c->at, "more text behind the value");
}

int fx_json_check(struct fx_json_text text, struct fx_json_fault *ret_fault)
{
	struct checker c = {.bytes = text.bytes, .size = text.size};

	if (check_text(&c))
		return 0;
	*ret_fault = c.fault;
	return -EINVAL;
}
