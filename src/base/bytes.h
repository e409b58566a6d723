/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.h - little-endian loads and stores at any alignment, rounding, and bounds-checked
 * arithmetic. */
#ifndef FX_BYTES_H
#define FX_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t fx_get_u16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static inline uint32_t fx_get_u32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline uint64_t fx_get_u64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline void fx_put_u16(void *p, uint16_t v)
{
	v = htole16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void fx_put_u32(void *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void fx_put_u64(void *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

/* v rounded up to a multiple of unit, a power of two; the caller keeps v below 2^64 - unit. */
static inline uint64_t fx_align_up(uint64_t v, uint64_t unit)
{
	return (v + unit - 1) & ~(unit - 1);
}

static inline uint64_t fx_div_up(uint64_t v, uint64_t unit)
{
	return v / unit + (v % unit != 0);
}

/* memcmp(3) order of two byte strings, a prefix first: <0, 0, >0. */
static inline int fx_bytes_cmp(const void *a, size_t a_size, const void *b, size_t b_size)
{
	size_t n = a_size < b_size ? a_size : b_size;
	int c = n ? memcmp(a, b, n) : 0;

	if (c)
		return c;
	return (a_size > b_size) - (a_size < b_size);
}

static inline uint64_t fx_bytes_differ(const uint8_t *a, const uint8_t *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x ^ y;
}

/* Are size bytes the same? For keys: without a branch that depends on their size, up to 32. */
static inline bool fx_bytes_equal(const void *a, const void *b, size_t size)
{
	const uint8_t *x = a, *y = b;

	if (size - 16 <= 16)
		return !(fx_bytes_differ(x, y) | fx_bytes_differ(x + 8, y + 8) |
			 fx_bytes_differ(x + size - 16, y + size - 16) |
			 fx_bytes_differ(x + size - 8, y + size - 8));
	if (size - 8 <= 8)
		return !(fx_bytes_differ(x, y) | fx_bytes_differ(x + size - 8, y + size - 8));
	return !size || memcmp(a, b, size) == 0;
}

static inline bool fx_bytes_begin(const void *a, size_t a_size, const void *prefix, size_t size)
{
	return a_size >= size && (!size || memcmp(a, prefix, size) == 0);
}

#endif
