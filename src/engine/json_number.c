/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_number.c - equality of numbers of any length.
 *
 * A number that is not 0 is  sign 0.d1 d2 ... dn * 10^(point + exponent)  with d1 and dn not 0, in
 * exactly one way. Two are equal when their signs, their digits and the sums are. The digits are
 * compared where they stand. point is bounded by the text's length, but an exponent may have any
 * number of digits: the difference of the two is taken digit by digit from the left, and given up
 * once it is so large that no further digit can bring it back.
 */
#include "json_compare.h"

struct number {
	bool negative;
	const uint8_t *first, *last; /* significant digits; first NULL: zero */
	int64_t point;
	int exponent_sign;
	const uint8_t *exponent;
	size_t exponent_digits;
};

/* Beyond this a difference only grows: points are below 2^31 each, a step is 10 * d +- 18. */
#define DIFFERENCE_MAX ((int64_t)1 << 40)

static bool is_exponent(uint8_t b)
{
	return b == 'e' || b == 'E';
}

/* Digits from p on to the point, the exponent or the end. */
static const uint8_t *mantissa(struct number *n, const uint8_t *p, const uint8_t *end)
{
	int64_t integer_digits = 0, before_first = 0;
	bool fraction = false;

	for (; p < end && !is_exponent(*p); p++) {
		if (*p == '.') {
			fraction = true;
			continue;
		}
		integer_digits += !fraction;
		if (*p != '0') {
			n->last = p;
			if (!n->first)
				n->first = p;
		}
		before_first += !n->first;
	}
	n->point = integer_digits - before_first;
	return p;
}

static struct number parse(struct fx_json_text text)
{
	struct number n = {.exponent_sign = 1};
	const uint8_t *p = text.bytes, *end = p + text.size;

	if (*p == '-') {
		n.negative = true;
		p++;
	}
	p = mantissa(&n, p, end);
	if (p == end)
		return n;
	p++;
	if (*p == '+' || *p == '-')
		n.exponent_sign = *p++ == '-' ? -1 : 1;
	n.exponent = p;
	n.exponent_digits = (size_t)(end - p);
	return n;
}

static bool digits_equal(const struct number *a, const struct number *b)
{
	const uint8_t *p = a->first, *q = b->first;

	for (;;) {
		if (*p != *q)
			return false;
		if (p == a->last || q == b->last)
			return p == a->last && q == b->last;
		p += p[1] == '.' ? 2 : 1;
		q += q[1] == '.' ? 2 : 1;
	}
}

/* The exponent's digit worth 10^place. */
static int exponent_digit(const struct number *n, size_t place)
{
	if (place >= n->exponent_digits)
		return 0;
	return n->exponent_sign * (n->exponent[n->exponent_digits - 1 - place] - '0');
}

/* Is a's exponent b's exponent + difference? */
static bool exponents_differ_by(const struct number *a, const struct number *b, int64_t difference)
{
	size_t place =
		a->exponent_digits > b->exponent_digits ? a->exponent_digits : b->exponent_digits;
	int64_t sum = 0;

	while (place--) {
		sum = 10 * sum + exponent_digit(a, place) - exponent_digit(b, place);
		if (sum > DIFFERENCE_MAX || sum < -DIFFERENCE_MAX)
			return false;
	}
	return sum == difference;
}

bool fx_json_number_equal(struct fx_json_text a, struct fx_json_text b)
{
	struct number x = parse(a), y = parse(b);

	if (!x.first || !y.first)
		return !x.first && !y.first;
	return x.negative == y.negative && digits_equal(&x, &y) &&
	       exponents_differ_by(&x, &y, y.point - x.point);
}
