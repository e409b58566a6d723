/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tombstone.c - the end of a deleted key: its deleter takes it out of the order, the flusher makes
 * the delete durable; whoever comes second empties the slot. Invariant C1 of commit.c.
 */
#include "commit.h"

struct unlink_check {
	struct feox_store *store;
	const struct fx_record *tombstone;
	uint64_t hash;
};

/* Under the leaf's lock: is the key still as dead as this tombstone says? (C1) */
static bool still_dead(void *ctx)
{
	const struct unlink_check *check = ctx;
	const struct fx_record *t = check->tombstone;
	fx_word word = fx_hash_index_find(check->store->hash, check->hash, fx_record_key(t),
					  t->key_size, NULL);

	return fx_word_state(word) == FX_SLOT_TOMBSTONE && fx_word_record(word) == t;
}

void fx_tombstone_unlink(struct feox_store *store, uint64_t hash, struct fx_record *tombstone)
{
	struct unlink_check check = {.store = store, .tombstone = tombstone, .hash = hash};
	uint8_t done;

	if (!fx_ordered_index_remove(store->order, fx_record_key(tombstone), tombstone->key_size,
				     still_dead, &check))
		return; /* it lives again: its new record retires the tombstone */
	done = FX_DONE_UNLINKED | (store->persistent ? 0 : FX_DONE_DURABLE);
	/* Whoever sets the second bit finishes; pairs with the flusher's fetch_or. */
	if ((atomic_fetch_or(&tombstone->done, done) | done) ==
	    (FX_DONE_UNLINKED | FX_DONE_DURABLE))
		fx_tombstone_finish(store, tombstone);
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
