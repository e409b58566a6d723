/* SPDX-License-Identifier: Apache-2.0 */
/* hash_segment.c - searching, filling and copying one segment. Invariants: hash_index.c. */
#include "hash_segment.h"

#include "hash.h"

#define COPY_AHEAD    4u /* buckets whose records are on their way from memory */
#define STASH_MANY    3u /* named stash buckets of a home before stale names are looked for */
#define PREFETCH_LINE 64u
#define RECORD_LINES  4u /* prefetched of a record that is about to be read */

static struct fx_bucket *stash_of(struct fx_segment *segment, unsigned int kind)
{
	return &segment->buckets[fx_segment_homes(kind)];
}

static uint64_t word_hash(uint64_t seed, fx_word word)
{
	const struct fx_record *record = fx_word_record(word);

	return fx_hash_key(seed, fx_record_key(record), record->key_size);
}

fx_slot *fx_stash_search(struct fx_segment *segment, unsigned int kind, uint64_t header,
			 uint64_t hash, const void *key, size_t key_size, fx_word *ret_word)
{
	for (uint64_t named = header & FX_HEADER_STASH; named; named &= named - 1) {
		struct fx_bucket *bucket = fx_segment_stash_bucket(segment, kind, named);
		fx_slot *slot = fx_bucket_search(bucket, hash, key, key_size, ret_word);

		if (slot)
			return slot;
	}
	*ret_word = 0;
	return NULL;
}

fx_slot *fx_bucket_prefetch(struct fx_bucket *bucket, uint64_t hash)
{
	unsigned int matches = fx_bucket_match(bucket, hash);

	for (unsigned int match = matches; match; match &= match - 1) {
		const uint8_t *record = (const uint8_t *)fx_word_record(atomic_load_explicit(
			&bucket->slots[__builtin_ctz(match)], memory_order_relaxed));

		for (unsigned int i = 0; i < RECORD_LINES; i++)
			__builtin_prefetch(record + (size_t)i * PREFETCH_LINE);
	}
	return matches ? &bucket->slots[__builtin_ctz(matches)] : NULL;
}

/* ---- Placing: under the home's lock ------------------------------------------------------------
 */

bool fx_home_lock(struct fx_bucket *home, uint64_t *ret_header)
{
	uint64_t header = atomic_load_explicit(&home->header, memory_order_relaxed);

	do {
		*ret_header = header;
		if (header & (FX_HEADER_LOCKED | FX_HEADER_FROZEN))
			return false;
		/* Acquire: pairs with fx_home_unlock(); what that insert placed is seen. */
	} while (!atomic_compare_exchange_weak_explicit(
		&home->header, &header, header | FX_HEADER_LOCKED, memory_order_acquire,
		memory_order_relaxed));
	return true;
}

void fx_home_unlock(struct fx_bucket *home)
{
	/* Release: pairs with fx_home_lock(). */
	atomic_fetch_and_explicit(&home->header, ~FX_HEADER_LOCKED, memory_order_release);
}

/* Put word into an empty slot of bucket, or NULL; *moving is set when a slot is frozen. */
static fx_slot *claim(struct fx_bucket *bucket, fx_word word, bool *moving)
{
	for (unsigned int i = 0; i < FX_BUCKET_SLOTS; i++) {
		fx_word seen = atomic_load_explicit(&bucket->slots[i], memory_order_relaxed);

		if (seen & FX_SLOT_FROZEN)
			*moving = true;
		if (seen)
			continue;
		FX_PAUSE(FX_PAUSE_HASH_CLAIM);
		/* Release: pairs with the acquire loads of a search; the record is complete. */
		if (atomic_compare_exchange_strong_explicit(&bucket->slots[i], &seen, word,
							    memory_order_release,
							    memory_order_relaxed))
			return &bucket->slots[i];
		if (seen & FX_SLOT_FROZEN)
			*moving = true;
	}
	return NULL;
}

static bool has_empty(struct fx_bucket *bucket)
{
	for (unsigned int i = 0; i < FX_BUCKET_SLOTS; i++)
		if (!atomic_load_explicit(&bucket->slots[i], memory_order_relaxed))
			return true;
	return false;
}

/* Does bucket, of the stash, hold a word of this home, or one that cannot be told? */
static bool holds_home(struct fx_bucket *bucket, unsigned int kind, uint64_t seed, uint32_t home)
{
	for (unsigned int i = 0; i < FX_BUCKET_SLOTS; i++) {
		/* Acquire: the record is read. */
		fx_word word = atomic_load_explicit(&bucket->slots[i], memory_order_acquire);

		if (word & FX_SLOT_FROZEN)
			return true;
		if (word && fx_home_number(kind, word_hash(seed, word)) == home)
			return true;
	}
	return false;
}

/*
 * Take back the names of stash buckets that hold no word of this home any more. None can come to
 * them meanwhile: the home's lock is held. A search that still has the old names looks in vain.
 */
static void forget_stale(struct fx_segment *segment, uint64_t seed, uint32_t home)
{
	_Atomic uint64_t *header = &segment->buckets[home].header;
	uint64_t named = atomic_load_explicit(header, memory_order_relaxed) & FX_HEADER_STASH;
	uint64_t stale = 0;

	for (; named; named &= named - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(named);

		if (!holds_home(stash_of(segment, segment->kind) + i, segment->kind, seed, home))
			stale |= UINT64_C(1) << i;
	}
	atomic_fetch_and_explicit(header, ~stale, memory_order_relaxed);
}

/* Name another stash bucket and put word there. */
static fx_slot *claim_fresh(struct fx_segment *segment, uint32_t home, fx_word word, bool *moving)
{
	_Atomic uint64_t *header = &segment->buckets[home].header;
	uint32_t count = fx_segment_stash(segment->kind);
	uint32_t first = home * count / fx_segment_homes(segment->kind);
	uint64_t named = atomic_load_explicit(header, memory_order_relaxed);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = first + i < count ? first + i : first + i - count;
		uint64_t bit = UINT64_C(1) << number;
		struct fx_bucket *bucket = stash_of(segment, segment->kind) + number;
		fx_slot *slot;

		if ((named & bit) || !has_empty(bucket))
			continue;
		/* Before the word: its release orders this for who sees it. */
		atomic_fetch_or_explicit(header, bit, memory_order_relaxed);
		FX_PAUSE(FX_PAUSE_HASH_STASH);
		slot = claim(bucket, word, moving);
		if (slot)
			return slot;
		atomic_fetch_and_explicit(header, ~bit, memory_order_relaxed);
	}
	return NULL;
}

static fx_slot *claim_stash(struct fx_segment *segment, uint64_t seed, uint32_t home, fx_word word,
			    bool *moving)
{
	uint64_t named =
		atomic_load_explicit(&segment->buckets[home].header, memory_order_relaxed) &
		FX_HEADER_STASH;

	for (uint64_t left = named; left; left &= left - 1) {
		fx_slot *slot = claim(stash_of(segment, segment->kind) + __builtin_ctzll(left),
				      word, moving);

		if (slot)
			return slot;
	}
	if ((unsigned int)__builtin_popcountll(named) >= STASH_MANY)
		forget_stale(segment, seed, home);
	return claim_fresh(segment, home, word, moving);
}

enum fx_placed fx_segment_place(struct fx_segment *segment, uint64_t seed, uint64_t hash,
				fx_word word, struct fx_found *ret_found)
{
	const struct fx_record *record = fx_word_record(word);
	uint32_t home = fx_home_number(segment->kind, hash);
	struct fx_bucket *bucket = &segment->buckets[home];
	struct fx_found found;
	bool moving = false;

	FX_PAUSE(FX_PAUSE_HASH_LOCKED);
	if (!fx_segment_search(segment, segment->kind, hash, fx_record_key(record),
			       record->key_size, &found))
		return FX_MOVING;
	if (found.slot) {
		*ret_found = found;
		return FX_PRESENT;
	}
	found.slot = claim(bucket, word, &moving);
	if (!found.slot && !moving)
		found.slot = claim_stash(segment, seed, home, word, &moving);
	if (!found.slot)
		return moving ? FX_MOVING : FX_FULL;
	FX_PAUSE(FX_PAUSE_HASH_PLACED);
	found.word = word;
	*ret_found = found;
	return FX_PLACED;
}

/* ---- Life --------------------------------------------------------------------------------------
 */

struct fx_segment *fx_segment_new(struct fx_slab *slab, unsigned int kind, uint64_t first_hash,
				  unsigned int depth, uint32_t generation)
{
	size_t bytes = fx_segment_bytes(kind);
	struct fx_segment *segment = fx_slab_alloc(slab, bytes);

	if (!segment)
		return NULL;
	memset(segment, 0, bytes);
	atomic_init(&segment->next, NULL);
	segment->slab = slab;
	segment->first_hash = first_hash;
	segment->generation = generation;
	segment->depth = (uint8_t)depth;
	segment->kind = (uint8_t)kind;
	return segment;
}

void fx_segment_free(struct fx_segment *segment)
{
	struct fx_successors *next;

	if (!segment)
		return;
	next = atomic_load_explicit(&segment->next, memory_order_relaxed);
	fx_slab_free(segment->slab, next, sizeof(*next));
	fx_slab_free(segment->slab, segment, fx_segment_bytes(segment->kind));
}

/* ---- Counting ----------------------------------------------------------------------------------
 */

static uint32_t bucket_words(struct fx_bucket *bucket)
{
	uint32_t words = 0;

	for (unsigned int i = 0; i < FX_BUCKET_SLOTS; i++)
		words += (atomic_load_explicit(&bucket->slots[i], memory_order_relaxed) &
			  FX_SLOT_PTR_MASK) != 0;
	return words;
}

uint32_t fx_segment_words(struct fx_segment *segment)
{
	uint32_t words = 0;

	for (uint32_t i = 0; i < fx_segment_buckets(segment->kind); i++)
		words += bucket_words(&segment->buckets[i]);
	return words;
}

uint32_t fx_segment_stuck(struct fx_segment *segment, uint64_t seed)
{
	struct fx_bucket *stash = stash_of(segment, segment->kind);
	uint32_t stuck = 0;

	for (uint32_t i = 0; i < fx_segment_stash(segment->kind) * FX_BUCKET_SLOTS; i++) {
		fx_slot *slot = &stash[i / FX_BUCKET_SLOTS].slots[i % FX_BUCKET_SLOTS];
		/* Acquire: the record is read. */
		fx_word word = atomic_load_explicit(slot, memory_order_acquire);

		if (fx_word_record(word))
			stuck += bucket_words(fx_segment_home(segment, segment->kind,
							      word_hash(seed, word))) ==
				 FX_BUCKET_SLOTS;
	}
	return stuck;
}

/* ---- Copying -----------------------------------------------------------------------------------
 */

/* One word into a segment that nobody else has seen. */
static bool fill_bucket(struct fx_bucket *bucket, fx_word word, bool referenced)
{
	for (unsigned int i = 0; i < FX_BUCKET_SLOTS; i++) {
		if (atomic_load_explicit(&bucket->slots[i], memory_order_relaxed))
			continue;
		atomic_store_explicit(&bucket->slots[i], word, memory_order_relaxed);
		if (referenced)
			atomic_store_explicit(
				&bucket->header,
				atomic_load_explicit(&bucket->header, memory_order_relaxed) |
					FX_HEADER_REFERENCED << i,
				memory_order_relaxed);
		return true;
	}
	return false;
}

static bool fill(struct fx_segment *segment, uint64_t hash, fx_word word, bool referenced)
{
	unsigned int kind = segment->kind;
	uint32_t home = fx_home_number(kind, hash);
	_Atomic uint64_t *header = &segment->buckets[home].header;
	uint64_t named = atomic_load_explicit(header, memory_order_relaxed);
	uint32_t count = fx_segment_stash(kind);
	uint32_t number = home * count / fx_segment_homes(kind);

	if (fill_bucket(&segment->buckets[home], word, referenced))
		return true;
	for (uint64_t left = named & FX_HEADER_STASH; left; left &= left - 1)
		if (fill_bucket(stash_of(segment, kind) + __builtin_ctzll(left), word, referenced))
			return true;
	for (uint32_t i = 0; i < count; i++, number = number + 1 < count ? number + 1 : 0) {
		if (!fill_bucket(stash_of(segment, kind) + number, word, referenced))
			continue;
		atomic_store_explicit(header, named | UINT64_C(1) << number, memory_order_relaxed);
		return true;
	}
	return false;
}

/* Nothing in bucket changes after this. Its records are asked for from memory. */
static void freeze(struct fx_bucket *bucket)
{
	/*
	 * The header first: who finds it not frozen after its search saw no frozen slot (H4).
	 * Acquire and release: what is there is seen by us, and copied; and pairs with the loads
	 * in fx_segment_search().
	 */
	atomic_fetch_or_explicit(&bucket->header, FX_HEADER_FROZEN, memory_order_acq_rel);
	for (unsigned int i = 0; i < FX_BUCKET_SLOTS; i++) {
		fx_word word = atomic_fetch_or_explicit(&bucket->slots[i], FX_SLOT_FROZEN,
							memory_order_acq_rel);
		const uint8_t *record = (const uint8_t *)fx_word_record(word);

		if (!record)
			continue;
		__builtin_prefetch(record);
		__builtin_prefetch(record + PREFETCH_LINE);
	}
}

static bool copy_bucket(struct fx_bucket *bucket, unsigned int depth, uint64_t seed,
			const struct fx_successors *to)
{
	uint64_t header = atomic_load_explicit(&bucket->header, memory_order_relaxed);

	for (unsigned int i = 0; i < FX_BUCKET_SLOTS; i++) {
		fx_word word = atomic_load_explicit(&bucket->slots[i], memory_order_relaxed) &
			       ~(fx_word)FX_SLOT_FROZEN;
		uint64_t hash;

		if (!word)
			continue;
		hash = word_hash(seed, word);
		if (!fill(to->half[hash >> (63 - depth) & 1], hash, word,
			  header & FX_HEADER_REFERENCED << i))
			return false;
	}
	return true;
}

bool fx_segment_copy(struct fx_segment *from, uint64_t seed, const struct fx_successors *to)
{
	uint32_t count = fx_segment_buckets(from->kind);

	for (uint32_t i = 0; i < count + COPY_AHEAD; i++) {
		if (i < count)
			freeze(&from->buckets[i]);
		if (i == count / 2)
			FX_PAUSE(FX_PAUSE_HASH_FREEZING);
		if (i >= COPY_AHEAD &&
		    !copy_bucket(&from->buckets[i - COPY_AHEAD], from->depth, seed, to))
			return false;
	}
	FX_PAUSE(FX_PAUSE_HASH_COPIED);
	return true;
}
