/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash_index.h - key -> slot word: the single truth about a key.
 *
 * A slot word is tag (16 bits of the hash) << 48 | record pointer (16-byte aligned) | state. The
 * index places words, finds them and moves them when a segment splits; what the states mean is the
 * engine's business (engine/commit.c), except FROZEN, which is the index's own and never given out.
 *
 * All calls are made inside an epoch section, and slots found are valid in that section only.
 *
 * Progress. A thread may stop for ever anywhere in these calls:
 *   find, prefetch   wait-free: two dependent cache misses, and a step more for each split that
 *                    overtakes them;
 *   walk             wait-free for each bucket;
 *   cas              one compare-and-swap. When it fails because the slot is being moved, it waits
 *                    for that a moment (some hundred turns), and then does the move itself;
 *   insert           the same, and a moment for an insert into the same bucket, which it overtakes
 *                    by moving the segment. So both are lock-free, unless memory is short: then
 *                    insert says so, and cas fails until the one who has begun the move goes on.
 */
#ifndef FX_HASH_INDEX_H
#define FX_HASH_INDEX_H

#include "record.h"

enum fx_slot_state {
	FX_SLOT_LIVE = 0,
	FX_SLOT_PENDING = 1,   /* absent for readers; its writer is adding the key to the order */
	FX_SLOT_TOMBSTONE = 2, /* deleted; absent for readers */
	FX_SLOT_INTENT = 3,    /* part of a batch: readers ask the batch */
	FX_SLOT_FROZEN = 8     /* bit: being copied by a split */
};

#define FX_SLOT_STATE_MASK ((uint64_t)15)
#define FX_SLOT_PTR_MASK   ((uint64_t)0x0000fffffffffff0)
#define FX_SLOT_TAG_MASK   ((uint64_t)0xffff000000000000)

typedef uint64_t fx_word; /* 0: empty */
typedef _Atomic uint64_t fx_slot;

static inline struct fx_record *fx_word_record(fx_word w)
{
	return (struct fx_record *)(uintptr_t)(w & FX_SLOT_PTR_MASK);
}

static inline enum fx_slot_state fx_word_state(fx_word w)
{
	return (enum fx_slot_state)(w & FX_SLOT_STATE_MASK);
}

/* The word for record in state, for a key with this hash. */
static inline fx_word fx_word_make(uint64_t hash, const struct fx_record *record,
				   enum fx_slot_state state)
{
	return (hash << 32 & FX_SLOT_TAG_MASK) | (uint64_t)(uintptr_t)record | (uint64_t)state;
}

struct fx_hash_index;
struct fx_bucket;

/* -ENOMEM. slab and epoch outlive the index. seed is that of fx_hash_key(), for splits. */
int fx_hash_index_create(struct fx_slab *slab, struct fx_epoch *epoch, uint64_t seed,
			 struct fx_hash_index **ret_index);

/* The records are the caller's to free before (fx_hash_index_walk). NULL is allowed. */
void fx_hash_index_destroy(struct fx_hash_index *index);

/*
 * Make room for so many keys, so that inserting them moves nothing. Only on an index that never had
 * any, and no other call runs. -ENOMEM: as it was. -EINVAL: there are keys.
 */
int fx_hash_index_reserve(struct fx_hash_index *index, uint64_t keys);

/*
 * The word of key, or 0: it has none. hash = fx_hash_key() of the key. ret_slot may be NULL; its
 * slot (NULL when there is no word) is for fx_hash_index_cas().
 */
fx_word fx_hash_index_find(struct fx_hash_index *index, uint64_t hash, const void *key,
			   size_t key_size, fx_slot **ret_slot);

/*
 * Replace *slot by desired when it still holds expected, found in this section (not 0). False: it
 * holds something else, or has moved; find again. desired 0 empties the slot. Both words are of the
 * same key. slot NULL: false.
 */
bool fx_hash_index_cas(struct fx_hash_index *index, fx_slot *slot, fx_word expected,
		       fx_word desired);

/*
 * Place word (whose record has the key) when the key has none. -EEXIST: it has one; *ret_slot and
 * *ret_word are that one. -ENOMEM: the key has none, as before.
 */
int fx_hash_index_insert(struct fx_hash_index *index, uint64_t hash, fx_word word,
			 fx_slot **ret_slot, fx_word *ret_word);

/*
 * For batches, in one section: first ask for the bucket of each hash, then, when these have come,
 * for the records that may be the key's; where that says false, the word is in another bucket,
 * which is now on its way: once more for the records of that. Then find; near says where that may
 * look first. Hints: nothing is wrong without them.
 */
struct fx_bucket *fx_hash_index_prefetch(const struct fx_hash_index *index, uint64_t hash);
bool fx_hash_index_prefetch_record(const struct fx_hash_index *index, struct fx_bucket *home,
				   uint64_t hash, fx_slot **ret_near);
void fx_hash_index_prefetch_stashed(const struct fx_hash_index *index, uint64_t hash);

/* As find, for a near that prefetch_record has returned for this hash in the same section. */
fx_word fx_hash_index_find_near(struct fx_hash_index *index, fx_slot *near, uint64_t hash,
				const void *key, size_t key_size);

/*
 * Visit a part of the table: *cursor 0 starts, and is 0 again when all has been visited. Visits
 * every word that is there throughout at least once (more often when it is moved meanwhile).
 * visit runs inside the section; at least one bucket and about max_words words a call.
 */
void fx_hash_index_walk(struct fx_hash_index *index, uint64_t *cursor, size_t max_words,
			void (*visit)(void *ctx, fx_slot *slot, fx_word word), void *ctx);

/*
 * CLOCK: each slot has a reference bit. Set it when its record is used (a store only when it is
 * clear); take it back, true: it was set. Splits keep it; a word that is placed anew may find it
 * set.
 */
void fx_slot_reference(fx_slot *slot);
bool fx_slot_unreference(fx_slot *slot);

/* Bytes of buckets and directory, but for those that wait for their grace period. */
uint64_t fx_hash_index_bytes(const struct fx_hash_index *index);

#endif
