/* SPDX-License-Identifier: Apache-2.0 */
/* default_ttl.h - user.feox.default_ttl: the TTL that directories give to what is made below. */
#ifndef FX_DEFAULT_TTL_H
#define FX_DEFAULT_TTL_H

#include "fs.h"

#define FX_DEFAULT_TTL "user.feox.default_ttl"

/*
 * When a key that is made now expires, by the nearest directory above it that says so; 0: never.
 * Reads memory only.
 */
int fx_default_expiry(struct fx_fs *fs, const void *key, size_t key_size, uint64_t *ret_expiry_ns);

#endif
