/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash_index.c - segments by the hash's top bits, each an array of slots that doubles on its own.
 *
 * A key's word is in one of the WINDOW slots from its home on. Empty slots may be anywhere.
 *
 *  H1 A word in the table that the segment points to is the truth about its key.
 *  H2 A table is replaced under the segment's mutex: every slot is frozen first (one fetch_or, also
 *     on empty ones), so that no compare-and-swap and no insert succeeds in it any more; then its
 *     words are copied, then the new table is published (release), then the old one is retired.
 *  H3 A reader that met a frozen word, or no word, looks at the segment's pointer again: if it is
 *     still the table it searched, nothing had been changed elsewhere and its answer holds; else it
 *     searches again. It never waits for the copy.
 *  H4 Two inserts of one key exclude each other by the segment's mutex.
 */
#include "hash_index.h"

#include "hash.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_BITS 8u
#define SEGMENTS     (1u << SEGMENT_BITS)
#define WINDOW	     32u
#define FIRST_SLOTS  64u

struct table {
	struct fx_retired retired;
	struct fx_slab *slab;
	uint64_t mask; /* slots - 1, without the window's tail */
	size_t bytes;
	fx_slot slots[];
};

struct segment {
	struct table *_Atomic table;
	pthread_mutex_t mutex; /* inserts and growth */
};

struct fx_hash_index {
	struct fx_slab *slab;
	struct fx_epoch *epoch;
	uint64_t seed;
	_Atomic uint64_t bytes;
	struct segment segments[SEGMENTS];
};

static struct table *table_new(struct fx_slab *slab, uint64_t slots)
{
	size_t bytes = sizeof(struct table) + (slots + WINDOW) * sizeof(fx_slot);
	struct table *table = fx_slab_alloc(slab, bytes);

	if (!table)
		return NULL;
	memset(table, 0, bytes);
	table->slab = slab;
	table->mask = slots - 1;
	table->bytes = bytes;
	return table;
}

static void table_free(struct fx_retired *retired, void *ctx)
{
	struct table *table = (struct table *)retired;

	fx_slab_free(table->slab, table, table->bytes);
}

int fx_hash_index_create(struct fx_slab *slab, struct fx_epoch *epoch, uint64_t seed,
			 struct fx_hash_index **ret_index)
{
	struct fx_hash_index *index = calloc(1, sizeof(*index));

	if (!index)
		return -ENOMEM;
	index->slab = slab;
	index->epoch = epoch;
	index->seed = seed;
	for (unsigned int i = 0; i < SEGMENTS; i++) {
		struct table *table = table_new(slab, FIRST_SLOTS);

		pthread_mutex_init(&index->segments[i].mutex, NULL);
		atomic_init(&index->segments[i].table, table);
		if (!table) {
			fx_hash_index_destroy(index);
			return -ENOMEM;
		}
		index->bytes += table->bytes;
	}
	*ret_index = index;
	return 0;
}

void fx_hash_index_destroy(struct fx_hash_index *index)
{
	if (!index)
		return;
	for (unsigned int i = 0; i < SEGMENTS; i++) {
		struct table *table = atomic_load(&index->segments[i].table);

		if (table)
			fx_slab_free(index->slab, table, table->bytes);
		pthread_mutex_destroy(&index->segments[i].mutex);
	}
	free(index);
}

static struct segment *segment_of(struct fx_hash_index *index, uint64_t hash)
{
	return &index->segments[hash >> (64 - SEGMENT_BITS)];
}

static bool has_key(fx_word word, uint64_t hash, const void *key, size_t key_size)
{
	const struct fx_record *record = fx_word_record(word);

	return record && ((word ^ hash << 32) & FX_SLOT_TAG_MASK) == 0 &&
	       record->key_size == key_size &&
	       (!key_size || memcmp(fx_record_key(record), key, key_size) == 0);
}

static fx_slot *search(struct table *table, uint64_t hash, const void *key, size_t key_size,
		       fx_word *ret_word)
{
	fx_slot *slots = table->slots + (hash & table->mask);

	for (unsigned int i = 0; i < WINDOW; i++) {
		/* Acquire: pairs with the release that published the record. */
		fx_word word = atomic_load_explicit(&slots[i], memory_order_acquire);

		if (word && has_key(word, hash, key, key_size)) {
			*ret_word = word;
			return &slots[i];
		}
	}
	*ret_word = 0;
	return NULL;
}

fx_word fx_hash_index_find(struct fx_hash_index *index, uint64_t hash, const void *key,
			   size_t key_size, fx_slot **ret_slot)
{
	struct segment *segment = segment_of(index, hash);
	struct table *table = atomic_load_explicit(&segment->table, memory_order_acquire);

	for (;;) {
		fx_word word;
		fx_slot *slot = search(table, hash, key, key_size, &word);
		struct table *now;

		if (word && !(word & FX_SLOT_FROZEN)) {
			if (ret_slot)
				*ret_slot = slot;
			return word;
		}
		now = atomic_load_explicit(&segment->table, memory_order_acquire);
		if (now == table && !(ret_slot && word)) { /* H3 */
			if (ret_slot)
				*ret_slot = NULL;
			return word & ~(fx_word)FX_SLOT_FROZEN;
		}
		if (now == table)
			sched_yield(); /* a writer waits for the new table */
		table = now;
	}
}

bool fx_hash_index_cas(struct fx_hash_index *index, fx_slot *slot, fx_word expected,
		       fx_word desired)
{
	return slot &&
	       atomic_compare_exchange_strong_explicit(slot, &expected, desired,
						       memory_order_acq_rel, memory_order_acquire);
}

static fx_slot *place(struct table *table, uint64_t hash, fx_word word)
{
	fx_slot *slots = table->slots + (hash & table->mask);

	for (unsigned int i = 0; i < WINDOW; i++) {
		fx_word empty = 0;

		if (atomic_compare_exchange_strong_explicit(
			    &slots[i], &empty, word, memory_order_acq_rel, memory_order_relaxed))
			return &slots[i];
	}
	return NULL;
}

static bool copy_words(struct fx_hash_index *index, struct table *from, struct table *to)
{
	for (uint64_t i = 0; i <= from->mask + WINDOW; i++) {
		fx_word word =
			atomic_fetch_or(&from->slots[i], FX_SLOT_FROZEN) & ~(fx_word)FX_SLOT_FROZEN;
		struct fx_record *record = fx_word_record(word);

		if (record &&
		    !place(to, fx_hash_key(index->seed, fx_record_key(record), record->key_size),
			   word))
			return false;
	}
	return true;
}

/* Under the mutex. The old table stays frozen until a large enough one has been filled. */
static int grow(struct fx_hash_index *index, struct segment *segment)
{
	struct table *old = atomic_load_explicit(&segment->table, memory_order_relaxed);
	uint64_t slots = 2 * (old->mask + 1);

	for (;;) {
		struct table *table = table_new(index->slab, slots);

		if (!table) {
			if (slots == 2 * (old->mask + 1))
				return -ENOMEM;
			for (uint64_t i = 0; i <= old->mask + WINDOW; i++)
				atomic_fetch_and(&old->slots[i], ~(fx_word)FX_SLOT_FROZEN);
			return -ENOMEM;
		}
		if (copy_words(index, old, table)) {
			atomic_fetch_add(&index->bytes, table->bytes);
			atomic_fetch_sub(&index->bytes, old->bytes);
			atomic_store_explicit(&segment->table, table, memory_order_release);
			fx_epoch_retire(index->epoch, &old->retired, table_free, old->bytes);
			return 0;
		}
		fx_slab_free(index->slab, table, table->bytes);
		slots *= 2;
	}
}

int fx_hash_index_insert(struct fx_hash_index *index, uint64_t hash, fx_word word,
			 fx_slot **ret_slot, fx_word *ret_word)
{
	struct segment *segment = segment_of(index, hash);
	const struct fx_record *record = fx_word_record(word);
	fx_slot *slot;
	int err = 0;

	pthread_mutex_lock(&segment->mutex);
	for (;;) {
		struct table *table = atomic_load_explicit(&segment->table, memory_order_relaxed);

		slot = search(table, hash, fx_record_key(record), record->key_size, ret_word);
		if (slot) {
			err = -EEXIST;
			break;
		}
		slot = place(table, hash, word);
		if (slot) {
			*ret_word = word;
			break;
		}
		err = grow(index, segment);
		if (err)
			break;
	}
	pthread_mutex_unlock(&segment->mutex);
	if (!err || err == -EEXIST)
		*ret_slot = slot;
	return err;
}

void fx_hash_index_prefetch(struct fx_hash_index *index, uint64_t hash)
{
	struct table *table =
		atomic_load_explicit(&segment_of(index, hash)->table, memory_order_acquire);

	__builtin_prefetch(&table->slots[hash & table->mask]);
}

/* The cursor is segment << 32 | slot; a table that grew meanwhile is visited from its start. */
void fx_hash_index_walk(struct fx_hash_index *index, uint64_t *cursor, size_t max_words,
			void (*visit)(void *ctx, fx_slot *slot, fx_word word), void *ctx)
{
	uint64_t segment = *cursor >> 40, at = *cursor & ((UINT64_C(1) << 32) - 1);
	uint64_t bits = *cursor >> 32 & 0xff;

	while (max_words && segment < SEGMENTS) {
		struct table *table =
			atomic_load_explicit(&index->segments[segment].table, memory_order_acquire);

		if (bits != (unsigned int)__builtin_ctzll(table->mask + 1))
			at = 0;
		bits = (unsigned int)__builtin_ctzll(table->mask + 1);
		for (; at <= table->mask + WINDOW && max_words; at++, max_words--) {
			fx_word word =
				atomic_load_explicit(&table->slots[at], memory_order_acquire) &
				~(fx_word)FX_SLOT_FROZEN;

			if (word)
				visit(ctx, &table->slots[at], word);
		}
		if (at <= table->mask + WINDOW)
			break;
		segment++;
		at = 0;
		bits = 0;
	}
	*cursor = segment == SEGMENTS ? 0 : segment << 40 | bits << 32 | at;
}

uint64_t fx_hash_index_bytes(const struct fx_hash_index *index)
{
	return atomic_load_explicit(&index->bytes, memory_order_relaxed);
}
