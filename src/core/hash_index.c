/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash_index.c - the calls of the hash index, over segments (hash_segment.h) and their directory.
 *
 *   hash:  | directory: up to 30 bits | ... | tag: 16 bits | home bucket: 16 bits |
 *
 *   directory entry --> segment --> home bucket (one line) --> record (one line)
 *                          |             '--> stash buckets it names, for one key in ten
 *                          '--> successors, once it has been replaced
 *
 * A key's word stays in its slot for as long as the segment does. Segments do not grow: a full one
 * is replaced, its words are copied. What moves a segment:
 *
 *   in use --(freeze, copy, set next)--> replaced --(entries corrected)--> retired
 *
 * Invariants, under every interleaving
 *  H1 At any time one segment in use covers a hash: the one reached from any entry that covers
 *     it by following next. A key has at most one word there, and that is the truth about it.
 *
 *  H2 Words enter empty slots by compare-and-swap under the lock of the key's home, after a
 *     search under that lock found none; the home's slots are entered under its lock only,
 *     those of the stash under many. So two inserts of one key exclude each other while they
 *     use one segment.
 *
 *  H3 A frozen slot never changes again, whoever holds whatever lock: every change is a
 *     compare-and-swap that expects an unfrozen word. A segment's next is set when all its
 *     headers and slots are frozen and each word has been copied: so the copy is what the
 *     segment was when the last of its slots froze, and no change comes later or is lost. Locks
 *     are not copied: who still holds one fails to place, and starts over in the new segment.
 *
 *  H4 A search is right at one moment within it. A word found unfrozen: when it was loaded. No
 *     word, and the home's header not frozen afterwards: the header is frozen before any slot
 *     and any slot before next is set, so up to that moment all that happened to the key
 *     happened here, where it was not seen; it cannot have moved between slots unseen but by a
 *     removal and an insert, and between them it was absent. A frozen word, or none in a frozen
 *     home: when next was loaded and was still NULL; nothing can have been changed elsewhere.
 *     Otherwise the search is made again in the successor.
 *
 *  H5 Anybody may replace a segment at any time, also one whose replacement somebody else has
 *     begun: freezing is idempotent, each makes its own copy, and the compare-and-swap of next
 *     decides. So a stopped thread delays others by the few hundred turns after which they help
 *     themselves: a stopped mover of words is overtaken, and so is one stopped with a home's
 *     lock, by a segment where nobody has it.
 *
 *  H6 An allocation fails before anything was frozen, with one exception: the new segments turn
 *     out too small, because the keys share more bits of their hash than chance allows. Then
 *     the segment stays frozen: it is read as before, inserts say -ENOMEM, and the next writer
 *     tries again. A copy that keeps its kind always fits (any home may use any stash bucket,
 *     so only the number of words per home counts, whatever their order); a grown or split one
 *     may not, and is then split into the larger, which does.
 */
#include "hash_index.h"

#include "hash.h"
#include "hash_replace.h"

#include <errno.h>

#define LOAD_PERCENT 80u /* of its slots a segment gets from fx_hash_index_reserve() */

struct fx_hash_index {
	struct fx_directory directory;
	uint64_t seed;
};

/* ---- Life --------------------------------------------------------------------------------------
 */

int fx_hash_index_create(struct fx_slab *slab, struct fx_epoch *epoch, uint64_t seed,
			 struct fx_hash_index **ret_index)
{
	struct fx_hash_index *index = fx_slab_alloc(slab, sizeof(*index));
	int err;

	if (!index)
		return -ENOMEM;
	index->seed = seed;
	err = fx_directory_init(&index->directory, slab, epoch);
	if (err) {
		fx_slab_free(slab, index, sizeof(*index));
		return err;
	}
	*ret_index = index;
	return 0;
}

void fx_hash_index_destroy(struct fx_hash_index *index)
{
	struct fx_slab *slab;

	if (!index)
		return;
	slab = index->directory.slab;
	fx_directory_release(&index->directory);
	fx_slab_free(slab, index, sizeof(*index));
}

int fx_hash_index_reserve(struct fx_hash_index *index, uint64_t keys)
{
	struct fx_segment *only = fx_directory_leaf(&index->directory, 0);
	unsigned int bits = 0, kind = FX_SEGMENT_SMALL;

	if (only->depth || fx_segment_words(only))
		return -EINVAL;
	for (;;) {
		uint64_t slots = (uint64_t)fx_segment_buckets(kind) * FX_BUCKET_SLOTS << bits;

		if (keys <= slots / 100 * LOAD_PERCENT)
			break;
		if (kind == FX_SEGMENT_LARGE && bits == FX_DIRECTORY_BITS_MAX)
			return -ENOMEM;
		bits += kind == FX_SEGMENT_LARGE;
		kind = kind == FX_SEGMENT_LARGE ? FX_SEGMENT_SMALL : FX_SEGMENT_LARGE;
	}
	return fx_directory_expand(&index->directory, bits, kind);
}

uint64_t fx_hash_index_bytes(const struct fx_hash_index *index)
{
	return fx_slab_rounded(sizeof(*index)) +
	       atomic_load_explicit(&index->directory.bytes, memory_order_relaxed);
}

/* ---- Finding -----------------------------------------------------------------------------------
 */

/* Not the only word of its tag in its home, or in the stash, or moving, or absent. */
static __attribute__((noinline)) fx_word
find_anywhere(uintptr_t entry, uint64_t hash, const void *key, size_t key_size, fx_slot **ret_slot)
{
	struct fx_segment *segment = fx_entry_segment(entry);
	unsigned int kind = fx_entry_kind(entry);
	struct fx_found found;

	while (!fx_segment_search(segment, kind, hash, key, key_size, &found)) {
		segment = fx_segment_next(segment, hash);
		kind = segment->kind;
	}
	if (ret_slot)
		*ret_slot = found.slot;
	return found.word;
}

/* The word in slot, when it is the key's and not on its way elsewhere; or 0. */
static inline fx_word find_at(fx_slot *slot, const void *key, size_t key_size)
{
	/* Acquire: pairs with the release that published the record. */
	fx_word word = atomic_load_explicit(slot, memory_order_acquire);

	return fx_word_has_key(word, key, key_size) && !(word & FX_SLOT_FROZEN) ? word : 0;
}

fx_word fx_hash_index_find(struct fx_hash_index *index, uint64_t hash, const void *key,
			   size_t key_size, fx_slot **ret_slot)
{
	uintptr_t entry = fx_directory_entry(&index->directory, hash);
	struct fx_bucket *home =
		fx_segment_home(fx_entry_segment(entry), fx_entry_kind(entry), hash);
	unsigned int match = fx_bucket_match(home, hash);

	if (match) { /* nine in ten of the keys that are there */
		fx_slot *slot = &home->slots[__builtin_ctz(match)];
		fx_word word = find_at(slot, key, key_size);

		if (word) {
			if (ret_slot)
				*ret_slot = slot;
			return word;
		}
	}
	return find_anywhere(entry, hash, key, key_size, ret_slot);
}

fx_word fx_hash_index_find_near(struct fx_hash_index *index, fx_slot *near, uint64_t hash,
				const void *key, size_t key_size)
{
	fx_word word = near ? find_at(near, key, key_size) : 0;

	return word ? word : fx_hash_index_find(index, hash, key, key_size, NULL);
}

struct fx_bucket *fx_hash_index_prefetch(const struct fx_hash_index *index, uint64_t hash)
{
	uintptr_t entry = fx_directory_entry(&index->directory, hash);
	struct fx_bucket *home =
		fx_segment_home(fx_entry_segment(entry), fx_entry_kind(entry), hash);

	__builtin_prefetch(home);
	return home;
}

/* The stash buckets that may have the key's word; home is of an older segment at worst. */
static bool prefetch_stash(const struct fx_hash_index *index, uint64_t hash, uint64_t named)
{
	uintptr_t entry = fx_directory_entry(&index->directory, hash);
	struct fx_segment *segment = fx_entry_segment(entry);

	for (uint64_t left = named; left; left &= left - 1)
		__builtin_prefetch(fx_segment_stash_bucket(segment, fx_entry_kind(entry), left));
	return !named;
}

bool fx_hash_index_prefetch_record(const struct fx_hash_index *index, struct fx_bucket *home,
				   uint64_t hash, fx_slot **ret_near)
{
	*ret_near = fx_bucket_prefetch(home, hash);
	if (*ret_near)
		return true;
	return prefetch_stash(index, hash,
			      atomic_load_explicit(&home->header, memory_order_relaxed) &
				      FX_HEADER_STASH);
}

void fx_hash_index_prefetch_stashed(const struct fx_hash_index *index, uint64_t hash)
{
	uintptr_t entry = fx_directory_entry(&index->directory, hash);
	struct fx_segment *segment = fx_entry_segment(entry);
	unsigned int kind = fx_entry_kind(entry);
	struct fx_bucket *home = fx_segment_home(segment, kind, hash);
	uint64_t named =
		atomic_load_explicit(&home->header, memory_order_relaxed) & FX_HEADER_STASH;

	for (; named; named &= named - 1)
		if (fx_bucket_prefetch(fx_segment_stash_bucket(segment, kind, named), hash))
			return;
}

void fx_hash_index_walk(struct fx_hash_index *index, uint64_t *cursor, size_t max_words,
			void (*visit)(void *ctx, fx_slot *slot, fx_word word), void *ctx)
{
	fx_directory_walk(&index->directory, cursor, max_words, visit, ctx);
}

/* ---- Writing -----------------------------------------------------------------------------------
 */

bool fx_hash_index_cas(struct fx_hash_index *index, fx_slot *slot, fx_word expected,
		       fx_word desired)
{
	fx_word seen = expected;
	const struct fx_record *record = fx_word_record(expected);
	struct fx_segment *segment;
	uint64_t hash;

	if (!slot)
		return false;
	/* Release: the desired record is complete. Acquire: what came with the old word. */
	if (atomic_compare_exchange_strong_explicit(slot, &seen, desired, memory_order_acq_rel,
						    memory_order_acquire))
		return true;
	if (seen != (expected | FX_SLOT_FROZEN))
		return false;
	/* It is still the key's word, so its record is there. */
	hash = fx_hash_key(index->seed, fx_record_key(record), record->key_size);
	segment = fx_directory_leaf(&index->directory, hash);
	if (atomic_load_explicit(&fx_segment_home(segment, segment->kind, hash)->header,
				 memory_order_relaxed) &
	    FX_HEADER_FROZEN)
		/* -ENOMEM: the caller will come again. */
		(void)fx_segment_await_next(&index->directory, index->seed, segment);
	return false;
}

/* One attempt: 0, -EEXIST, -ENOMEM; -EAGAIN: the segment has been replaced or a lock given back. */
static int try_insert(struct fx_hash_index *index, uint64_t hash, fx_word word,
		      struct fx_found *ret_found)
{
	struct fx_segment *segment = fx_directory_leaf(&index->directory, hash);
	struct fx_bucket *home = fx_segment_home(segment, segment->kind, hash);
	enum fx_placed placed;
	uint64_t header;
	int err;

	if (!fx_home_lock(home, &header)) {
		err = header & FX_HEADER_FROZEN
			      ? fx_segment_await_next(&index->directory, index->seed, segment)
			      : fx_home_await(&index->directory, index->seed, segment, home);
		return err ? err : -EAGAIN;
	}
	placed = fx_segment_place(segment, index->seed, hash, word, ret_found);
	fx_home_unlock(home);
	switch (placed) {
	case FX_PLACED:
		return 0;
	case FX_PRESENT:
		return -EEXIST;
	case FX_MOVING:
		err = fx_segment_await_next(&index->directory, index->seed, segment);
		break;
	default:
		err = fx_segment_replace(&index->directory, index->seed, segment);
	}
	return err ? err : -EAGAIN;
}

int fx_hash_index_insert(struct fx_hash_index *index, uint64_t hash, fx_word word,
			 fx_slot **ret_slot, fx_word *ret_word)
{
	struct fx_found found = {0};
	int err;

	do
		err = try_insert(index, hash, word, &found);
	while (err == -EAGAIN);
	if (!err || err == -EEXIST) {
		*ret_slot = found.slot;
		*ret_word = found.word;
	}
	return err;
}

/* ---- Reference bits ----------------------------------------------------------------------------
 */

static _Atomic uint64_t *header_of(fx_slot *slot, uint64_t *ret_bit)
{
	struct fx_bucket *bucket = (struct fx_bucket *)((uintptr_t)slot & ~(uintptr_t)63);

	*ret_bit = FX_HEADER_REFERENCED << (slot - bucket->slots);
	return &bucket->header;
}

void fx_slot_reference(fx_slot *slot)
{
	uint64_t bit;
	_Atomic uint64_t *header = header_of(slot, &bit);

	/* Relaxed here and below: a hint for eviction, nothing depends on it. */
	if (!(atomic_load_explicit(header, memory_order_relaxed) & bit))
		atomic_fetch_or_explicit(header, bit, memory_order_relaxed);
}

bool fx_slot_unreference(fx_slot *slot)
{
	uint64_t bit;
	_Atomic uint64_t *header = header_of(slot, &bit);

	if (!(atomic_load_explicit(header, memory_order_relaxed) & bit))
		return false;
	return atomic_fetch_and_explicit(header, ~bit, memory_order_relaxed) & bit;
}
