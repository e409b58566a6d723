/* SPDX-License-Identifier: Apache-2.0 */
/* slab_blocks.h - blocks whose content is known, for the tests of the slab. */
#ifndef FX_SLAB_BLOCKS_H
#define FX_SLAB_BLOCKS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "slab.h"

#include <stdlib.h>
#include <string.h>

struct block {
	uint8_t *bytes;
	size_t size;
	uint8_t fill;
};

static inline struct fx_slab *make(enum fx_slab_source source)
{
	struct fx_slab_options options = {.source = source};
	struct fx_slab *slab;

	assert_int_equal(fx_slab_create(&options, &slab), 0);
	return slab;
}

static inline uint64_t rng(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Mostly records, now and then something large. */
static inline size_t random_size(uint64_t *state)
{
	uint64_t r = rng(state);

	switch (r % 16) {
	case 0:
		return 1 + (r >> 8) % 200000;
	case 1:
	case 2:
		return 1 + (r >> 8) % 65536;
	default:
		return 1 + (r >> 8) % 1200;
	}
}

static inline void fill(struct block *b, struct fx_slab *slab, size_t size, uint8_t with)
{
	*b = (struct block){.bytes = fx_slab_alloc(slab, size), .size = size, .fill = with};
	assert_non_null(b->bytes);
	assert_int_equal((uintptr_t)b->bytes % 16, 0);
	if (size % 64 == 0)
		assert_int_equal((uintptr_t)b->bytes % 64, 0);
	memset(b->bytes, with, size);
}

static inline void check_and_free(struct block *b, struct fx_slab *slab)
{
	for (size_t i = 0; i < b->size; i++)
		if (b->bytes[i] != b->fill)
			fail_msg("byte %zu of a block of %zu has changed", i, b->size);
	fx_slab_free(slab, b->bytes, b->size);
	b->bytes = NULL;
}

#endif
