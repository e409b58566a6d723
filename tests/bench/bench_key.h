/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_key.h - keys and values from numbers, the same for every engine (the program under
 * feoxdb/ builds them likewise).
 *
 *   key     "user:0", ten decimal digits, then the first n % 9 letters of "abcdefgh": 16-24 bytes
 *   value   the number, the generation (both 32 bits, host order), then a constant filling
 *
 * Building a key is part of every measured operation: about 5 ns.
 */
#ifndef BENCH_KEY_H
#define BENCH_KEY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BENCH_KEY_MAX	    24
#define BENCH_KEY_FIXED	    16
#define BENCH_VALUE_MIN	    16 /* room for number and generation */
#define BENCH_VALUE_FILLING 0x5a

static inline size_t bench_key(uint32_t number, unsigned char key[BENCH_KEY_MAX])
{
	uint32_t rest = number;

	memcpy(key, "user:0", 6);
	for (int at = 14; at >= 6; at -= 2) {
		uint32_t pair = rest % 100;

		rest /= 100;
		key[at] = (unsigned char)('0' + pair / 10);
		key[at + 1] = (unsigned char)('0' + pair % 10);
	}
	memcpy(key + BENCH_KEY_FIXED, "abcdefgh", BENCH_KEY_MAX - BENCH_KEY_FIXED);
	return BENCH_KEY_FIXED + number % 9;
}

/* Bytes of the keys 0..keys-1 together: nine in a row have 180. */
static inline uint64_t bench_key_bytes(size_t keys)
{
	uint64_t rest = keys % 9;

	return (keys - rest) * 20 + rest * BENCH_KEY_FIXED + (rest ? rest * (rest - 1) / 2 : 0);
}

/* Make value, filled once by memset(), that of number. */
static inline void bench_value(unsigned char *value, uint32_t number, uint32_t generation)
{
	memcpy(value, &number, sizeof(number));
	memcpy(value + sizeof(number), &generation, sizeof(generation));
}

static inline uint32_t bench_value_number(const unsigned char *value)
{
	uint32_t number;

	memcpy(&number, value, sizeof(number));
	return number;
}

#endif
