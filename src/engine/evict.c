/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evict.c - a cache at its limit: CLOCK (Corbato, 1968) over the hash index.
 *
 * Each slot has a reference bit, in its bucket's header, that is: in a line which a get reads
 * anyway. A use of the key sets it if it is clear, so that a hot key costs a load. The hand goes
 * round the buckets; a key whose bit is set loses it and stays, one whose bit is clear goes. So a
 * key has to be used once a round. A new key begins with a clear bit: what is used once, as by a
 * scan that fills the cache, goes at the hand's first visit and takes nothing from what is used.
 * The order of the hash is as good as any: the age of a key does not follow from its place.
 *
 * Invariants
 *  V1 An eviction is an ordinary delete of the record that the hand saw: fx_commit() with sweep.
 *     It loses against every other change of the key, and never waits (NOWAIT): not for a batch,
 *     whose intents it does not even look at, nor for a rename_prefix(), which may be the caller.
 *  V2 The hand is moved under its mutex, a bucket at a time and SECTION_BUCKETS in a section; keys
 *     are removed without it. So two threads never take each other's second chances away.
 *  V3 Whoever finds nothing in ROUNDS_MAX rounds of his own gives up: the first may be a part of
 *     one, the second clears what is set, the third finds what was not set again.
 *
 * Not evicted: keys that end with the separator and the empty key, the markers of directories,
 * without which files would lose modes and owners of what they are in; records that are pinned,
 * since their memory would not come back. What has expired goes first.
 */
#include "write.h"

#include "cleanup.h"

#define SECTION_BUCKETS 256u
#define VICTIMS_MAX	64u
#define BUCKET_WORDS	7u /* a step of the hand finds no more */
#define ROUNDS_MAX	3u

struct victims {
	struct feox_store *store;
	uint64_t now, bytes;
	size_t count;
	struct fx_record *records[VICTIMS_MAX];
};

void fx_hand_init(struct fx_hand *hand)
{
	pthread_mutex_init(&hand->mutex, NULL);
	hand->cursor = 0;
}

void fx_hand_destroy(struct fx_hand *hand)
{
	pthread_mutex_destroy(&hand->mutex);
}

static bool is_marker(const struct feox_store *store, const struct fx_record *record)
{
	return !record->key_size ||
	       fx_record_key(record)[record->key_size - 1] == (uint8_t)store->separator;
}

/* A hint: it may be pinned the next moment, and is then freed with its pin. */
static bool is_pinned(const struct fx_record *record)
{
	const struct fx_value *value = fx_record_value(record);

	return atomic_load_explicit(&record->refs, memory_order_relaxed) > 1 ||
	       (value && atomic_load_explicit(&value->refs, memory_order_relaxed) > 1);
}

static uint64_t bytes_of(const struct fx_record *record)
{
	uint64_t bytes = fx_slab_rounded(fx_record_own_bytes(record));

	if (fx_record_value(record))
		bytes += fx_slab_rounded(sizeof(struct fx_value) + record->value_size);
	return bytes;
}

static void visit(void *ctx, fx_slot *slot, fx_word word)
{
	struct victims *v = ctx;
	struct fx_record *record = fx_word_record(word);

	if (fx_word_state(word) != FX_SLOT_LIVE || is_marker(v->store, record) || is_pinned(record))
		return;
	if (fx_slot_unreference(slot) && !fx_record_expired(record, v->now))
		return;
	if (v->count == VICTIMS_MAX) /* its bucket was visited twice */
		return;
	fx_record_ref(record);
	v->records[v->count++] = record;
	v->bytes += bytes_of(record);
}

/* Move the hand until enough is found, or the section gets long. Rounds completed are counted. */
static void find_victims(struct victims *v, uint64_t wanted, unsigned int *rounds)
{
	struct feox_store *store = v->store;

	v->now = fx_clock_now(&store->clock);
	pthread_mutex_lock(&store->hand.mutex);
	fx_epoch_enter();
	for (unsigned int i = 0; i < SECTION_BUCKETS && *rounds < ROUNDS_MAX; i++) {
		if (v->bytes >= wanted || v->count + BUCKET_WORDS > VICTIMS_MAX)
			break;
		fx_hash_index_walk(store->hash, &store->hand.cursor, 1, visit, v);
		*rounds += !store->hand.cursor;
	}
	fx_epoch_leave();
	pthread_mutex_unlock(&store->hand.mutex);
}

/* The bytes of those that are gone. */
static uint64_t remove_victims(struct victims *v)
{
	struct feox_store *store = v->store;
	uint64_t removed = 0;

	for (size_t i = 0; i < v->count; i++) {
		uint64_t bytes = bytes_of(v->records[i]);

		if (fx_evict_key(store, v->records[i]) == 0)
			removed += bytes;
		fx_record_unref(store->slab, v->records[i]);
	}
	return removed;
}

uint64_t fx_evict(struct feox_store *store, uint64_t bytes)
{
	unsigned int rounds = 0;
	uint64_t removed = 0;

	while (removed < bytes && rounds < ROUNDS_MAX) {
		struct victims v = {.store = store};
		uint64_t before = removed;

		find_victims(&v, bytes - removed, &rounds);
		removed += remove_victims(&v);
		if (removed > before)
			rounds = 0;
	}
	return removed;
}
