/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock_cache.h - which values leave memory: CLOCK (Corbato, 1968) over the slots of the hash
 * index.
 *
 * The hand goes round the table. A slot whose reference bit is set loses it and is passed by; one
 * whose bit is clear, not used since the hand was there before, gives its value up. What that means
 * is the caller's business.
 */
#ifndef FX_CLOCK_CACHE_H
#define FX_CLOCK_CACHE_H

#include "hash_index.h"

struct fx_clock_cache {
	struct fx_hash_index *hash;
	uint64_t cursor; /* of the hand */
	/* The bytes that it gives back, 0: it is to stay. Inside an epoch section. */
	uint64_t (*evict)(void *ctx, fx_slot *slot, fx_word word);
	void *ctx;
};

/* Does the record of a word have a value in memory that is on disk too, and nobody holds? */
bool fx_clock_is_clean(fx_word word);

/*
 * Move the hand until so many bytes have been given back, max_words have been passed, or it has
 * been round twice, which is to say that nothing can. The bytes given back; *ret_words: passed.
 * Outside of epoch sections; one thread at a time.
 */
uint64_t fx_clock_evict(struct fx_clock_cache *clock, uint64_t wanted, uint64_t max_words,
			uint64_t *ret_words);

#endif
