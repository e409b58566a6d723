/* SPDX-License-Identifier: Apache-2.0 */
/* oi_bytes.h - keys as bytes: copying few of them, and numbers that compare as they do. */
#ifndef FX_OI_BYTES_H
#define FX_OI_BYTES_H

#include "bytes.h"

struct fx_oi_key {
	const uint8_t *bytes;
	size_t size;
};

/* memcpy(3) of few bytes, inline; reads and writes exactly these. */
static inline void fx_oi_copy(uint8_t *to, const uint8_t *from, size_t n)
{
	if (n >= 16) {
		for (size_t i = 0; i + 16 < n; i += 16)
			memcpy(to + i, from + i, 16);
		memcpy(to + n - 16, from + n - 16, 16);
	} else if (n >= 8) {
		memcpy(to, from, 8);
		memcpy(to + n - 8, from + n - 8, 8);
	} else if (n >= 4) {
		memcpy(to, from, 4);
		memcpy(to + n - 4, from + n - 4, 4);
	} else if (n) {
		to[0] = from[0];
		to[n / 2] = from[n / 2];
		to[n - 1] = from[n - 1];
	}
}

/* The first four bytes of n as a number that compares as they do; missing ones are 0. */
static inline uint32_t fx_oi_head(const uint8_t *bytes, size_t n)
{
	uint32_t head = 0;

	if (n >= 4)
		memcpy(&head, bytes, 4);
	else
		fx_oi_copy((uint8_t *)&head, bytes, n);
	return be32toh(head);
}

/* The same for eight. */
static inline uint64_t fx_oi_head8(const uint8_t *bytes, size_t n)
{
	uint64_t head = 0;

	if (n >= 8)
		memcpy(&head, bytes, 8);
	else
		fx_oi_copy((uint8_t *)&head, bytes, n);
	return be64toh(head);
}

/* How many bytes two keys begin with in common. */
static inline size_t fx_oi_common(struct fx_oi_key a, struct fx_oi_key b)
{
	size_t n = a.size < b.size ? a.size : b.size;
	size_t i = 0;

	while (i < n && a.bytes[i] == b.bytes[i])
		i++;
	return i;
}

#endif
