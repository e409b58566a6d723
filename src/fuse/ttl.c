/* SPDX-License-Identifier: Apache-2.0 */
/* ttl.c - see ttl.h. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ttl.h"

#define NS_PER_S	1000000000u
#define FX_TICKS_NS	8000000u /* two ticks of the slowest usual clock, 250 Hz */
#define FX_TIMEOUT_NONE 1e9	 /* "for ever", in seconds; fits the kernel's jiffies */

double fx_ttl_timeout(const struct fx_fs *fs, uint64_t expiry_ns)
{
	uint64_t timeout_ns = fs->options->cache_ns;

	if (expiry_ns) {
		uint64_t now_ns = feox_now(fs->store);
		uint64_t left_ns = expiry_ns > now_ns ? expiry_ns - now_ns : 0;

		left_ns = left_ns > FX_TICKS_NS ? left_ns - FX_TICKS_NS : 0;
		if (left_ns < timeout_ns)
			timeout_ns = left_ns;
	}
	if (timeout_ns >= (uint64_t)FX_TIMEOUT_NONE * NS_PER_S)
		return FX_TIMEOUT_NONE;
	return (double)timeout_ns / NS_PER_S;
}

/* Append .fraction without trailing zeros; digits of them stand for one. */
static size_t format_fraction(char *text, size_t size, uint64_t fraction, int digits)
{
	if (!fraction)
		return size;
	size += (size_t)sprintf(text + size, ".%0*llu", digits, (unsigned long long)fraction);
	while (text[size - 1] == '0')
		size--;
	text[size] = '\0';
	return size;
}

size_t fx_time_format(uint64_t time_ns, char text[FX_TIME_TEXT_MAX])
{
	time_t seconds = (time_t)(time_ns / NS_PER_S);
	struct tm tm;
	size_t size;

	gmtime_r(&seconds, &tm);
	size = strftime(text, FX_TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	size = format_fraction(text, size, time_ns % NS_PER_S, 9);
	text[size++] = 'Z';
	text[size] = '\0';
	return size;
}

size_t fx_seconds_format(uint64_t left_ns, char text[FX_TIME_TEXT_MAX])
{
	uint64_t left_ms = left_ns / 1000000;
	size_t size;

	if (!left_ms)
		left_ms = 1;
	size = (size_t)sprintf(text, "%llu", (unsigned long long)(left_ms / 1000));
	return format_fraction(text, size, left_ms % 1000, 3);
}

/* Exactly count digits at *at, a number of low..high. */
static int parse_digits(const char **at, unsigned int count, int low, int high, int *ret_number)
{
	int number = 0;

	for (; count; count--, (*at)++) {
		if (!isdigit((unsigned char)**at))
			return -EINVAL;
		number = number * 10 + (**at - '0');
	}
	if (number < low || number > high)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

static int parse_char(const char **at, const char *allowed)
{
	if (!**at || !strchr(allowed, **at))
		return -EINVAL;
	(*at)++;
	return 0;
}

/* ".25": nanoseconds; digits beyond the ninth are cut. */
static int parse_fraction(const char **at, uint64_t *ret_ns)
{
	uint64_t ns = 0, unit = NS_PER_S / 10;

	*ret_ns = 0;
	if (**at != '.')
		return 0;
	(*at)++;
	if (!isdigit((unsigned char)**at))
		return -EINVAL;
	for (; isdigit((unsigned char)**at); (*at)++, unit /= 10)
		ns += unit * (uint64_t)(**at - '0');
	*ret_ns = ns;
	return 0;
}

/* "Z" or "+01:30": seconds east of Greenwich. */
static int parse_offset(const char **at, int *ret_seconds)
{
	int sign = **at == '-' ? -1 : 1, hours, minutes;

	if (parse_char(at, "Zz") == 0) {
		*ret_seconds = 0;
		return 0;
	}
	if (parse_char(at, "+-") || parse_digits(at, 2, 0, 23, &hours) || parse_char(at, ":") ||
	    parse_digits(at, 2, 0, 59, &minutes))
		return -EINVAL;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return 0;
}

int fx_time_parse(const char *text, size_t size, uint64_t *ret_time_ns)
{
	char copy[FX_TIME_TEXT_MAX];
	const char *at = copy;
	struct tm tm = {0}, check;
	uint64_t fraction_ns;
	int offset_s, mday;
	time_t seconds;

	if (size >= sizeof(copy) || memchr(text, '\0', size))
		return -EINVAL;
	memcpy(copy, text, size);
	copy[size] = '\0';
	if (parse_digits(&at, 4, 1970, 9999, &tm.tm_year) || parse_char(&at, "-") ||
	    parse_digits(&at, 2, 1, 12, &tm.tm_mon) || parse_char(&at, "-") ||
	    parse_digits(&at, 2, 1, 31, &tm.tm_mday) || parse_char(&at, "Tt ") ||
	    parse_digits(&at, 2, 0, 23, &tm.tm_hour) || parse_char(&at, ":") ||
	    parse_digits(&at, 2, 0, 59, &tm.tm_min) || parse_char(&at, ":") ||
	    parse_digits(&at, 2, 0, 60, &tm.tm_sec) || parse_fraction(&at, &fraction_ns) ||
	    parse_offset(&at, &offset_s) || *at)
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	mday = tm.tm_mday;
	check = tm;
	check.tm_sec = 0; /* 60 is a leap second, 30 February is not a day */
	timegm(&check);
	if (check.tm_mday != mday)
		return -EINVAL;
	seconds = timegm(&tm) - offset_s;
	if (seconds < 0 || (uint64_t)seconds > (uint64_t)FEOX_TIME_MAX / NS_PER_S - 1)
		return -EINVAL;
	*ret_time_ns = (uint64_t)seconds * NS_PER_S + fraction_ns;
	return 0;
}
