/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash_replace.h - replacing a segment, or waiting for a moment that somebody else does. Private to
 * the hash index.
 *
 * All inside an epoch section. 0: what was wanted has happened, look again. -ENOMEM: it has not.
 * seed is that of the key hash.
 */
#ifndef FX_HASH_REPLACE_H
#define FX_HASH_REPLACE_H

#include "hash_directory.h"

/* segment has been replaced, by us or by somebody else. */
int fx_segment_replace(struct fx_directory *directory, uint64_t seed, struct fx_segment *segment);

/* The same, but somebody has begun already: wait for him first, for some hundred turns. */
int fx_segment_await_next(struct fx_directory *directory, uint64_t seed,
			  struct fx_segment *segment);

/* Somebody has home's lock: he has given it back, or its segment has been replaced. */
int fx_home_await(struct fx_directory *directory, uint64_t seed, struct fx_segment *segment,
		  struct fx_bucket *home);

#endif
