/* SPDX-License-Identifier: Apache-2.0 */
/* ttl.h - expiry: what the kernel may cache how long, and points in time as text (RFC 3339). */
#ifndef FX_TTL_H
#define FX_TTL_H

#include "fs.h"

/*
 * Seconds that the kernel may trust an entry or attributes of something that expires at expiry_ns
 * (0: never): at most -o cache=, and two ticks less than what is left, because the kernel rounds
 * up to jiffies (1 us .. 4 ms were measured to last 8 ms).
 */
double fx_ttl_timeout(const struct fx_fs *fs, uint64_t expiry_ns);

/* The earlier of two points in time, where 0 is never. */
static inline uint64_t fx_ttl_earlier(uint64_t a_ns, uint64_t b_ns)
{
	if (!a_ns || !b_ns)
		return a_ns | b_ns;
	return a_ns < b_ns ? a_ns : b_ns;
}

#define FX_TIME_TEXT_MAX ((size_t)48)

/* "2030-01-31T23:59:59.25Z", as many decimals as needed; the text's size. */
size_t fx_time_format(uint64_t time_ns, char text[FX_TIME_TEXT_MAX]);
/* The reverse; also with a numeric offset and in lower case (RFC 3339 section 5.6). -EINVAL. */
int fx_time_parse(const char *text, size_t size, uint64_t *ret_time_ns);

/* Seconds, "59.4", at least a millisecond; the text's size. */
size_t fx_seconds_format(uint64_t left_ns, char text[FX_TIME_TEXT_MAX]);

#endif
