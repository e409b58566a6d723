/* SPDX-License-Identifier: Apache-2.0 */
/* units.c - sizes and times as people write them, exactly: decimals without floating point. */
#include "options.h"

#include <errno.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

struct unit {
	const char *name;
	uint64_t factor;
};

/* "12.5" into a whole part and a fraction in 10^-9; the number of bytes read, 0: no number. */
static size_t read_decimal(const char *text, size_t size, uint64_t *whole, uint64_t *fraction)
{
	uint64_t scale = NS_PER_S;
	size_t i = 0;
	bool digits = false;

	*whole = 0;
	*fraction = 0;
	for (; i < size && text[i] >= '0' && text[i] <= '9'; i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');

		if (*whole > (UINT64_MAX - digit) / 10)
			return SIZE_MAX;
		*whole = *whole * 10 + digit;
		digits = true;
	}
	if (i < size && text[i] == '.')
		for (i++; i < size && text[i] >= '0' && text[i] <= '9'; i++) {
			scale /= 10;
			*fraction += (uint64_t)(text[i] - '0') * scale;
			digits = true;
		}
	return digits ? i : 0;
}

static int parse(const char *text, size_t size, const struct unit *units, size_t count,
		 uint64_t *ret_value)
{
	uint64_t whole, fraction, value, part;
	size_t n = read_decimal(text, size, &whole, &fraction);

	if (!n)
		return -EINVAL;
	if (n == SIZE_MAX)
		return -ERANGE;
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(units[i].name);

		if (size - n != length || memcmp(text + n, units[i].name, length) != 0)
			continue;
		if (__builtin_mul_overflow(whole, units[i].factor, &value))
			return -ERANGE;
		part = (uint64_t)((unsigned __int128)fraction * units[i].factor / NS_PER_S);
		if (__builtin_add_overflow(value, part, ret_value))
			return -ERANGE;
		return 0;
	}
	return -EINVAL;
}

int fx_parse_time(const char *text, size_t size, uint64_t *ret_ns)
{
	static const struct unit units[] = {
		{"", NS_PER_S},		{"ms", 1000000},
		{"s", NS_PER_S},	{"m", 60 * NS_PER_S},
		{"h", 3600 * NS_PER_S}, {"d", 86400 * NS_PER_S},
		{"us", 1000},		{"ns", 1},
	};

	return parse(text, size, units, sizeof(units) / sizeof(*units), ret_ns);
}

int fx_parse_size(const char *text, size_t size, uint64_t *ret_bytes)
{
	static const struct unit units[] = {
		{"", 1},
		{"K", UINT64_C(1) << 10},
		{"M", UINT64_C(1) << 20},
		{"G", UINT64_C(1) << 30},
		{"T", UINT64_C(1) << 40},
	};

	return parse(text, size, units, sizeof(units) / sizeof(*units), ret_bytes);
}
