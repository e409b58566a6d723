/* SPDX-License-Identifier: Apache-2.0 */
/*
 * range_name.h - names in /.feox/range: of ranges, START..END[@LIMIT], and of the keys in them.
 * Pure. In both, the bytes % / @ . and NUL of a key are %XX (upper-case hex), and the empty key is
 * `%`.
 */
#ifndef FX_RANGE_NAME_H
#define FX_RANGE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "path.h"

/*
 * The name of a key. One that would be longer than FX_NAME_MAX is its first 200 bytes, `~` and 16
 * hex digits of the key's hash. The size; NUL-terminated.
 */
size_t fx_range_encode(const uint8_t *key, size_t key_size, char name[FX_NAME_MAX + 1]);

/*
 * The reverse; key has room for size bytes. -ENOENT: fx_range_encode() does not write this name (a
 * shortened one is taken for a key of that text).
 */
int fx_range_decode(const char *name, size_t size, uint8_t *key, size_t *ret_key_size);

/*
 * Whether name may be a shortened one; the keys that may have it begin with the *ret_prefix_size
 * bytes that are written to prefix, which has room for size bytes.
 */
bool fx_range_is_short(const char *name, size_t size, uint8_t *prefix, size_t *ret_prefix_size);

struct fx_range {
	uint8_t from[FX_NAME_MAX], to[FX_NAME_MAX];
	size_t from_size, to_size;
	bool has_from, has_to; /* nothing before or behind the dots: no bound on that side */
	uint64_t limit;	       /* 0: none */
};

/* "START..END@LIMIT". -ENOENT: it is no such name. */
int fx_range_parse(const char *name, size_t size, struct fx_range *ret_range);

#endif
