/* SPDX-License-Identifier: Apache-2.0 */
/* range_name.c - see range_name.h. */
#include "range_name.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hash.h"

#define FX_SHORT_SIZE ((size_t)200)	       /* bytes of a shortened name before its `~` */
#define FX_SHORT_FULL (FX_SHORT_SIZE + 1 + 16) /* of all of it */
#define FX_HASH_SEED  UINT64_C(3)

static const char hex[] = "0123456789ABCDEF";

static bool is_escaped(uint8_t byte)
{
	return !byte || strchr("%/@.", byte);
}

size_t fx_range_encode(const uint8_t *key, size_t key_size, char name[FX_NAME_MAX + 1])
{
	size_t size = 0, i = 0;

	for (; i < key_size && size + 3 <= FX_NAME_MAX + 3; i++) {
		char bytes[3] = {(char)key[i]};
		size_t n = is_escaped(key[i]) ? 3 : 1;

		if (size + n > FX_NAME_MAX)
			break;
		if (n == 3) {
			bytes[0] = '%';
			bytes[1] = hex[key[i] >> 4];
			bytes[2] = hex[key[i] & 15];
		}
		memcpy(name + size, bytes, n);
		size += n;
	}
	if (!key_size)
		name[size++] = '%';
	if (i < key_size) {
		sprintf(name + FX_SHORT_SIZE, "~%016" PRIx64,
			fx_hash_key(FX_HASH_SEED, key, key_size));
		size = FX_SHORT_FULL;
	}
	name[size] = '\0';
	return size;
}

static int digit_of(char c)
{
	const char *at = c ? strchr(hex, c) : NULL;

	return at ? (int)(at - hex) : -1;
}

/* As many whole bytes of a key as name holds; how much of name they are. */
static size_t decode_bytes(const char *name, size_t size, uint8_t *key, size_t *ret_key_size)
{
	size_t at = 0, key_size = 0;

	while (at < size) {
		uint8_t byte = (uint8_t)name[at];
		int high, low;

		if (byte != '%') {
			if (is_escaped(byte))
				break;
			key[key_size++] = byte;
			at++;
			continue;
		}
		high = size - at > 2 ? digit_of(name[at + 1]) : -1;
		low = high >= 0 ? digit_of(name[at + 2]) : -1;
		if (low < 0 || !is_escaped((uint8_t)(high * 16 + low)))
			break;
		key[key_size++] = (uint8_t)(high * 16 + low);
		at += 3;
	}
	*ret_key_size = key_size;
	return at;
}

int fx_range_decode(const char *name, size_t size, uint8_t *key, size_t *ret_key_size)
{
	size_t key_size;

	if (size == 1 && name[0] == '%') {
		*ret_key_size = 0;
		return 0;
	}
	if (!size || decode_bytes(name, size, key, &key_size) != size)
		return -ENOENT;
	*ret_key_size = key_size;
	return 0;
}

bool fx_range_is_short(const char *name, size_t size, uint8_t *prefix, size_t *ret_prefix_size)
{
	if (size != FX_SHORT_FULL || name[FX_SHORT_SIZE] != '~')
		return false;
	decode_bytes(name, FX_SHORT_SIZE, prefix, ret_prefix_size);
	return true;
}

/* "@100" at the end, which is cut off. */
static int parse_limit(const char *name, size_t *size, uint64_t *ret_limit)
{
	const char *at = memchr(name, '@', *size);
	uint64_t limit = 0;

	*ret_limit = 0;
	if (!at)
		return 0;
	for (const char *c = at + 1; c < name + *size; c++)
		if (*c < '0' || *c > '9' || __builtin_mul_overflow(limit, 10, &limit) ||
		    __builtin_add_overflow(limit, (uint64_t)(*c - '0'), &limit))
			return -ENOENT;
	if (!limit)
		return -ENOENT;
	*size = (size_t)(at - name);
	*ret_limit = limit;
	return 0;
}

static int parse_bound(const char *text, size_t size, uint8_t *key, size_t *ret_key_size,
		       bool *ret_has)
{
	*ret_has = size > 0;
	*ret_key_size = 0;
	return size ? fx_range_decode(text, size, key, ret_key_size) : 0;
}

int fx_range_parse(const char *name, size_t size, struct fx_range *ret_range)
{
	struct fx_range *range = ret_range;
	const char *dots;
	int rc = size > FX_NAME_MAX ? -ENOENT : parse_limit(name, &size, &range->limit);

	if (rc < 0)
		return rc;
	dots = memmem(name, size, "..", 2);
	if (!dots)
		return -ENOENT;
	rc = parse_bound(name, (size_t)(dots - name), range->from, &range->from_size,
			 &range->has_from);
	if (rc == 0)
		rc = parse_bound(dots + 2, size - (size_t)(dots + 2 - name), range->to,
				 &range->to_size, &range->has_to);
	return rc;
}
