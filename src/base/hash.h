/* SPDX-License-Identifier: Apache-2.0 */
/* hash.h - XXH3-64 (libxxhash) as key hash and as checksum; the header-only form, so that gets
 * inline. */
#ifndef FX_HASH_H
#define FX_HASH_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stddef.h>
#include <stdint.h>

/* Hash of a key; seed is the store's, so that nobody outside can aim keys at one bucket. */
static inline uint64_t fx_hash_key(uint64_t seed, const void *key, size_t size)
{
	return XXH3_64bits_withSeed(key, size, seed);
}

/* Checksum of content bound to its place by seed. */
static inline uint64_t fx_checksum(uint64_t seed, const void *data, size_t size)
{
	return XXH3_64bits_withSeed(data, size, seed);
}

#endif
