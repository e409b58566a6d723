/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash_walk.c - visiting the hash index part by part.
 *
 * In the order of segments, that is of the hash's top bits, and of buckets within. The cursor is
 *
 *   the segment's first hash, 30 bits | bucket, 10 bits | its generation, 24 bits
 *
 * Words only move when their segment is replaced, and then within its range. So when the segment at
 * the cursor has another generation (or is replaced under our eyes), its range is visited again
 * from its beginning, and a word that is there throughout is never missed. Ranges only get finer: a
 * first hash stays one.
 */
#include "hash_directory.h"

#define CURSOR_HASH_SHIFT   34u
#define CURSOR_BUCKET_SHIFT 24u
#define CURSOR_BUCKET_MASK  UINT64_C(0x3ff)
#define CURSOR_GENERATION   UINT64_C(0xffffff)

static_assert(CURSOR_HASH_SHIFT == 64 - FX_DIRECTORY_BITS_MAX, "a first hash fits");

struct cursor {
	uint64_t hash;
	uint32_t bucket;
	uint32_t generation;
};

static struct cursor cursor_read(uint64_t word)
{
	return (struct cursor){
		.hash = word >> CURSOR_HASH_SHIFT << CURSOR_HASH_SHIFT,
		.bucket = (uint32_t)(word >> CURSOR_BUCKET_SHIFT & CURSOR_BUCKET_MASK),
		.generation = (uint32_t)(word & CURSOR_GENERATION),
	};
}

static uint64_t cursor_word(const struct cursor *c)
{
	return c->hash | (uint64_t)c->bucket << CURSOR_BUCKET_SHIFT | c->generation;
}

static void prefetch_records(struct fx_bucket *bucket)
{
	for (unsigned int i = 0; i < FX_BUCKET_SLOTS; i++)
		__builtin_prefetch(fx_word_record(
			atomic_load_explicit(&bucket->slots[i], memory_order_relaxed)));
}

/* How much of a walk's budget it took. */
static size_t visit_bucket(struct fx_bucket *bucket,
			   void (*visit)(void *ctx, fx_slot *slot, fx_word word), void *ctx)
{
	size_t words = 0;

	for (unsigned int i = 0; i < FX_BUCKET_SLOTS; i++) {
		/* Acquire: pairs with the release that published the record. */
		fx_word word = atomic_load_explicit(&bucket->slots[i], memory_order_acquire) &
			       ~(fx_word)FX_SLOT_FROZEN;

		if (!word)
			continue;
		visit(ctx, &bucket->slots[i], word);
		words++;
	}
	return words ? words : 1;
}

/*
 * Visit segment from c->bucket on. True: to its end. False: the budget is used up, or it has been
 * replaced.
 */
static bool visit_segment(struct fx_segment *segment, struct cursor *c, size_t *budget,
			  void (*visit)(void *ctx, fx_slot *slot, fx_word word), void *ctx)
{
	uint32_t count = fx_segment_buckets(segment->kind);

	for (; c->bucket < count && *budget; c->bucket++) {
		size_t used;

		if (atomic_load_explicit(&segment->next, memory_order_acquire))
			return false;
		if (c->bucket + 1 < count)
			prefetch_records(&segment->buckets[c->bucket + 1]);
		used = visit_bucket(&segment->buckets[c->bucket], visit, ctx);
		*budget -= used < *budget ? used : *budget;
	}
	return c->bucket == count;
}

void fx_directory_walk(const struct fx_directory *directory, uint64_t *cursor, size_t max_words,
		       void (*visit)(void *ctx, fx_slot *slot, fx_word word), void *ctx)
{
	struct cursor c = cursor_read(*cursor);
	size_t budget = max_words ? max_words : 1;

	while (budget) {
		struct fx_segment *segment = fx_directory_leaf(directory, c.hash);

		if (c.generation != (segment->generation & CURSOR_GENERATION))
			c.bucket = 0;
		c.generation = segment->generation & CURSOR_GENERATION;
		if (!visit_segment(segment, &c, &budget, visit, ctx))
			continue;
		c.bucket = 0;
		c.hash += segment->depth ? UINT64_C(1) << (64 - segment->depth) : 0;
		if (!c.hash) {
			*cursor = 0;
			return;
		}
	}
	*cursor = cursor_word(&c);
}
