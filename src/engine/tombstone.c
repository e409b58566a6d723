/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tombstone.c - the end of a deleted key: its deleter takes it out of the order, the flusher makes
 * the delete durable; whoever comes second empties the slot. Invariant C1 of commit.c.
 */
#include "commit.h"

struct dead_key {
	struct feox_store *store;
	const void *key;
	size_t key_size;
	uint64_t hash;
};

/*
 * Under the leaf's lock: is the key dead? Whoever is going to insert it has replaced the word
 * before he adds the key, so he will add it again after us (C1).
 */
static bool is_dead(void *ctx)
{
	const struct dead_key *d = ctx;
	fx_word word = fx_hash_index_find(d->store->hash, d->hash, d->key, d->key_size, NULL);

	return !word || fx_word_state(word) == FX_SLOT_TOMBSTONE;
}

bool fx_order_drop_dead(struct feox_store *store, uint64_t hash, const void *key, size_t key_size)
{
	struct dead_key d = {.store = store, .key = key, .key_size = key_size, .hash = hash};

	return fx_ordered_index_remove(store->order, key, key_size, is_dead, &d);
}

void fx_tombstone_unlinked(struct feox_store *store, struct fx_record *tombstone)
{
	uint8_t done = FX_UNLINKED | (store->persistent ? 0 : FX_DURABLE);

	/* Whoever sets the second bit finishes; pairs with the flusher's fetch_or. */
	if ((atomic_fetch_or(&tombstone->state, done) | done) & FX_DURABLE)
		fx_tombstone_finish(store, tombstone);
}

void fx_tombstone_unlink(struct feox_store *store, uint64_t hash, struct fx_record *tombstone)
{
	if (fx_order_drop_dead(store, hash, fx_record_key(tombstone), tombstone->key_size))
		fx_tombstone_unlinked(store, tombstone);
	/* Else it lives again: its new record retires the tombstone. */
}

void fx_tombstone_finish(struct feox_store *store, struct fx_record *tombstone)
{
	uint64_t hash =
		fx_hash_key(store->hash_seed, fx_record_key(tombstone), tombstone->key_size);
	fx_slot *slot;
	fx_word word;

	fx_epoch_enter();
	do {
		word = fx_hash_index_find(store->hash, hash, fx_record_key(tombstone),
					  tombstone->key_size, &slot);
		if (fx_word_state(word) != FX_SLOT_TOMBSTONE || fx_word_record(word) != tombstone) {
			word = 0;
			break; /* replaced: who replaced it has it as prev, or as an intent's old */
		}
	} while (!fx_hash_index_cas(store->hash, slot, word, 0));
	if (word)
		fx_record_retire(store, tombstone);
	fx_epoch_leave();
}
