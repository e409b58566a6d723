/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash_segment.h - one segment of the hash index: buckets of a cache line each. Private to the
 * hash index.
 *
 *   segment:  | header, one line | homes ...              | stash ... |
 *   bucket:   | header word | slot 0 | ... | slot 6 |
 *
 * A key's home follows from the low 16 bits of its hash. Its word is in its home, or, when that was
 * full, in one of the stash buckets that its home's header names. So almost every key is found in
 * one line, and a full segment has 84 to 87 % of its slots in use.
 *
 *   header word of a home:  bits 0..54 stash buckets that may hold words of this home
 *                           55 LOCKED: an insert is at work   56 FROZEN: the segment is replaced
 *                           57..63 REFERENCED, one a slot (CLOCK); also in stash buckets
 *
 * Two kinds, 22 and 32 KiB: a full small one is replaced by a large one, a full large one by two
 * small ones. So memory grows in steps of 1.4, not of 2, and a key is rarely worth more than 13
 * bytes.
 *
 * What may happen to a segment, and why that is right, stands in hash_index.c.
 */
#ifndef FX_HASH_SEGMENT_H
#define FX_HASH_SEGMENT_H

#include "bytes.h"
#include "hash_index.h"
#include "pause.h"

#define FX_BUCKET_SLOTS 7u

#define FX_SLOT_ALL_BUT_TAG (~FX_SLOT_TAG_MASK)

#define FX_HEADER_STASH	     ((UINT64_C(1) << 55) - 1)
#define FX_HEADER_LOCKED     (UINT64_C(1) << 55)
#define FX_HEADER_FROZEN     (UINT64_C(1) << 56)
#define FX_HEADER_REFERENCED (UINT64_C(1) << 57) /* of slot 0 */

/* Where a test may stop a writer. */
enum fx_hash_pause {
	FX_PAUSE_HASH_LOCKED = FX_PAUSE_HASH_INDEX, /* has a home's lock, nothing placed */
	FX_PAUSE_HASH_CLAIM,			    /* has seen an empty slot */
	FX_PAUSE_HASH_STASH,			    /* has named a stash bucket, nothing placed */
	FX_PAUSE_HASH_PLACED,			    /* the word is there, the lock held */
	FX_PAUSE_HASH_FREEZING,			    /* a part of the segment is frozen */
	FX_PAUSE_HASH_COPIED,			    /* all of it, the copy is not published */
	FX_PAUSE_HASH_PUBLISHED,		    /* the directory has the old one */
	FX_PAUSE_HASH_DIRECTORY,		    /* is changing the directory */
	FX_PAUSE_HASH_END
};

enum fx_segment_kind { FX_SEGMENT_SMALL, FX_SEGMENT_LARGE };

struct fx_bucket {
	_Atomic uint64_t header;
	fx_slot slots[FX_BUCKET_SLOTS];
} __attribute__((aligned(64)));

static_assert(sizeof(struct fx_bucket) == 64, "a bucket is a cache line");

struct fx_segment;

/* By the next bit of the hash. One and the same twice when the segment was not split. */
struct fx_successors {
	struct fx_segment *half[2];
};

struct fx_segment {
	struct fx_retired retired; /* also links the directory's list of replaced segments */
	/* NULL while this is the truth; set once (release), loaded acquire. Freed with this. */
	struct fx_successors *_Atomic next;
	struct fx_slab *slab;
	/* Constant: */
	uint64_t first_hash; /* the lowest in its range; its first depth bits */
	uint32_t generation; /* segments this one stems from: tells a walk that it is another */
	uint8_t depth;
	uint8_t kind; /* enum fx_segment_kind */
	struct fx_bucket buckets[];
} __attribute__((aligned(64)));

static_assert(sizeof(struct fx_segment) == 64, "the segment's header is a cache line");

/* ---- Shape -------------------------------------------------------------------------------------
 */

static inline uint32_t fx_segment_homes(unsigned int kind)
{
	return kind == FX_SEGMENT_SMALL ? 303 : 456;
}

static inline uint32_t fx_segment_stash(unsigned int kind)
{
	return kind == FX_SEGMENT_SMALL ? 48 : 55;
}

static inline uint32_t fx_segment_buckets(unsigned int kind)
{
	return fx_segment_homes(kind) + fx_segment_stash(kind);
}

static inline size_t fx_segment_bytes(unsigned int kind)
{
	return sizeof(struct fx_segment) + fx_segment_buckets(kind) * sizeof(struct fx_bucket);
}

static inline uint32_t fx_home_number(unsigned int kind, uint64_t hash)
{
	return (uint32_t)(hash & 0xffff) * fx_segment_homes(kind) >> 16;
}

static inline struct fx_bucket *fx_segment_home(struct fx_segment *segment, unsigned int kind,
						uint64_t hash)
{
	return &segment->buckets[fx_home_number(kind, hash)];
}

/* The first of the stash buckets that names, from a home's header and not 0, names. */
static inline struct fx_bucket *fx_segment_stash_bucket(struct fx_segment *segment,
							unsigned int kind, uint64_t names)
{
	return &segment->buckets[fx_segment_homes(kind) + (uint32_t)__builtin_ctzll(names)];
}

/* Where the words of this hash went when segment was replaced; NULL: it was not. */
static inline struct fx_segment *fx_segment_next(const struct fx_segment *segment, uint64_t hash)
{
	/* Acquire: pairs with the release in publish(): the new segments are complete. */
	struct fx_successors *next = atomic_load_explicit(&segment->next, memory_order_acquire);

	return next ? next->half[hash >> (63 - segment->depth) & 1] : NULL;
}

/* ---- Finding -----------------------------------------------------------------------------------
 */

struct fx_found {
	fx_slot *slot; /* NULL: the key is not there */
	fx_word word;  /* without FROZEN */
};

static inline bool fx_word_has_key(fx_word word, const void *key, size_t key_size)
{
	const struct fx_record *record = fx_word_record(word);

	return record && record->key_size == key_size &&
	       fx_bytes_equal(fx_record_key(record), key, key_size);
}

/* The slots whose words have this hash's tag, one bit each; empty ones may be among them. */
static inline unsigned int fx_bucket_match(struct fx_bucket *bucket, uint64_t hash)
{
	uint64_t tag = hash << 32;
	unsigned int match = 0;

#pragma GCC unroll 7
	for (unsigned int i = FX_BUCKET_SLOTS; i-- > 0;) {
		/* Acquire: the header is loaded again after these (H4). */
		fx_word word = atomic_load_explicit(&bucket->slots[i], memory_order_acquire);

		match = match << 1 | ((word ^ tag) <= FX_SLOT_ALL_BUT_TAG);
	}
	return match;
}

/* The slot of key in bucket, and its word, FROZEN and all; or NULL. */
static inline fx_slot *fx_bucket_search(struct fx_bucket *bucket, uint64_t hash, const void *key,
					size_t key_size, fx_word *ret_word)
{
	unsigned int match = fx_bucket_match(bucket, hash);

	while (match) {
		fx_slot *slot = &bucket->slots[__builtin_ctz(match)];
		/* Acquire: pairs with the release that published the record. */
		fx_word word = atomic_load_explicit(slot, memory_order_acquire);

		if (fx_word_has_key(word, key, key_size)) {
			*ret_word = word;
			return slot;
		}
		match &= match - 1;
	}
	*ret_word = 0;
	return NULL;
}

/* The same in the stash buckets that header, a home's, names. */
fx_slot *fx_stash_search(struct fx_segment *segment, unsigned int kind, uint64_t header,
			 uint64_t hash, const void *key, size_t key_size, fx_word *ret_word);

/* Ask for the records in bucket that may be the key's. The slot of one, or NULL: there are none. */
fx_slot *fx_bucket_prefetch(struct fx_bucket *bucket, uint64_t hash);

/*
 * Look key up. True: *ret_found is the answer. False: the segment has been replaced, ask its
 * successor. Waits for nobody.
 */
static inline bool fx_segment_search(struct fx_segment *segment, unsigned int kind, uint64_t hash,
				     const void *key, size_t key_size, struct fx_found *ret_found)
{
	struct fx_bucket *home = fx_segment_home(segment, kind, hash);
	/* Acquire: the slots are loaded after it. Pairs with claim_stash(): who sees a word in the
	 * stash that was placed before saw its bucket named. */
	uint64_t header = atomic_load_explicit(&home->header, memory_order_acquire);
	fx_word word;
	fx_slot *slot = fx_bucket_search(home, hash, key, key_size, &word);

	if (!slot && (header & FX_HEADER_STASH))
		slot = fx_stash_search(segment, kind, header, hash, key, key_size, &word);
	ret_found->slot = slot;
	ret_found->word = word & ~(fx_word)FX_SLOT_FROZEN;
	if (slot && !(word & FX_SLOT_FROZEN))
		return true;
	/* Acquire: the segment's next is loaded after it. Pairs with freeze(). */
	if (!slot &&
	    !(atomic_load_explicit(&home->header, memory_order_acquire) & FX_HEADER_FROZEN))
		return true;
	return !atomic_load_explicit(&segment->next, memory_order_acquire);
}

/* ---- Placing -----------------------------------------------------------------------------------
 */

enum fx_placed {
	FX_PLACED,
	FX_PRESENT, /* the key has a word */
	FX_FULL,    /* neither home nor stash has an empty slot */
	FX_MOVING   /* the segment is frozen */
};

/*
 * Take the lock of hash's home for an insert. True: taken. False: FX_HEADER_LOCKED or
 * FX_HEADER_FROZEN, in *ret_header, is in the way.
 */
bool fx_home_lock(struct fx_bucket *home, uint64_t *ret_header);
void fx_home_unlock(struct fx_bucket *home);

/*
 * Place word in its segment, whose home's lock is held. PLACED and PRESENT set *ret_found. seed is
 * that of the key hash.
 */
enum fx_placed fx_segment_place(struct fx_segment *segment, uint64_t seed, uint64_t hash,
				fx_word word, struct fx_found *ret_found);

/* ---- Replacing ---------------------------------------------------------------------------------
 */

/* Empty; NULL when memory is short. depth bits of first_hash count. */
struct fx_segment *fx_segment_new(struct fx_slab *slab, unsigned int kind, uint64_t first_hash,
				  unsigned int depth, uint32_t generation);

/* At once: nobody has seen it, or nobody can any more. Its successors stay. NULL is allowed. */
void fx_segment_free(struct fx_segment *segment);

/* Words in it, roughly when others change it. */
uint32_t fx_segment_words(struct fx_segment *segment);

/* How many words of the stash would find no room in their home now, roughly. */
uint32_t fx_segment_stuck(struct fx_segment *segment, uint64_t seed);

/*
 * Freeze all of from, so that nothing in it changes any more, and copy its words into to, which
 * nobody else has seen: each to the half that the next bit of its hash says. False: one of them
 * did not fit. May be called again, and by several threads, for the same from.
 */
bool fx_segment_copy(struct fx_segment *from, uint64_t seed, const struct fx_successors *to);

#endif
