/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intent.c - intents in the slots of the hash index: placing, asking, settling. What they are for,
 * and the invariants T1 to T7, stand in transaction.c.
 */
#include "intent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct intent *intent_of(struct fx_record *record)
{
	return (struct intent *)((char *)record - offsetof(struct intent, record));
}

void fx_transaction_unref(struct transaction *tx)
{
	if (atomic_fetch_sub(&tx->refs, 1) == 1)
		free(tx);
}

struct fx_record *fx_intent_visible(struct fx_record *record)
{
	struct intent *intent = intent_of(record);
	bool committed =
		atomic_load_explicit(&intent->tx->status, memory_order_acquire) == TX_COMMITTED;
	fx_word word = committed ? intent->new_word : intent->old_word;

	return fx_word_state(word) == FX_SLOT_LIVE ? fx_word_record(word) : NULL;
}

/* ---- Intents -----------------------------------------------------------------------------------
 */

static struct intent *intent_new(struct run *run, const struct entry *entry)
{
	size_t size = sizeof(struct intent) + entry->key_size;
	struct intent *intent = fx_slab_alloc(run->store->slab, size);

	if (!intent)
		return NULL;
	memset(intent, 0, sizeof(*intent));
	intent->tx = run->tx;
	intent->size = size;
	intent->record.flags = FX_RECORD_INTENT;
	atomic_init(&intent->record.refs, 2); /* the slot's and the run's */
	intent->record.key_size = (uint16_t)entry->key_size;
	if (entry->key_size)
		memcpy(intent->record.bytes, entry->key, entry->key_size);
	atomic_fetch_add(&run->tx->refs, 1);
	return intent;
}

void fx_intent_unref(struct feox_store *store, struct intent *intent)
{
	if (atomic_fetch_sub(&intent->record.refs, 1) != 1)
		return;
	fx_transaction_unref(intent->tx);
	fx_slab_free(store->slab, intent, intent->size);
}

static void intent_freed(struct fx_retired *retired, void *ctx)
{
	fx_intent_unref(ctx, (struct intent *)retired);
}

/* A decided intent -> the word it stands for. False: the slot holds something else by now. */
static bool settle(struct feox_store *store, fx_slot *slot, fx_word word)
{
	struct intent *intent = intent_of(fx_word_record(word));
	bool committed =
		atomic_load_explicit(&intent->tx->status, memory_order_acquire) == TX_COMMITTED;

	if (!fx_hash_index_cas(store->hash, slot, word,
			       committed ? intent->new_word : intent->old_word))
		return false;
	fx_epoch_retire(store->epoch, &intent->retired, intent_freed, intent->size);
	return true;
}

bool fx_word_settle(struct feox_store *store, fx_slot *slot, fx_word word)
{
	struct intent *intent;

	if (fx_word_state(word) != FX_SLOT_INTENT)
		return false;
	intent = intent_of(fx_word_record(word));
	if (atomic_load_explicit(&intent->tx->status, memory_order_acquire) == TX_UNDECIDED)
		return false;
	settle(store, slot, word);
	return true;
}

static fx_word intent_word(const struct entry *entry)
{
	return fx_word_make(entry->hash, &entry->intent->record, FX_SLOT_INTENT);
}

/* LIVE or TOMB -> INTENT. A key that is plain is not, from now on: its leaf is held (C8). */
static int place_over(struct run *run, const struct entry *entry, fx_slot *slot, fx_word word)
{
	struct fx_order_hint hint = {0};
	struct fx_order_lock lock;
	bool plain = fx_word_is_plain(word), won;

	if (plain) {
		int err = fx_ordered_index_lock(run->store->order, entry->key, entry->key_size,
						&hint, &lock);

		if (err)
			return err == -EAGAIN ? 1 : -EAGAIN;
	}
	won = fx_hash_index_cas(run->store->hash, slot, word, intent_word(entry));
	if (plain)
		fx_ordered_index_unlock(&lock);
	return won ? 0 : -EAGAIN;
}

/* One attempt to place an intent: 0, -EAGAIN (again), 1 (a writer has the key), -ENOMEM. */
static int try_place(struct run *run, struct entry *entry)
{
	fx_slot *slot;
	fx_word word = fx_hash_index_find(run->store->hash, entry->hash, entry->key,
					  entry->key_size, &slot);
	fx_word other;
	int err;

	switch (fx_word_state(word)) {
	case FX_SLOT_LIVE:
	case FX_SLOT_TOMBSTONE:
		break;
	default:
		return fx_word_settle(run->store, slot, word) ? -EAGAIN : 1;
	}
	entry->intent->old_word = word;
	entry->intent->new_word = word;
	if (word)
		return place_over(run, entry, slot, word);
	err = fx_hash_index_insert(run->store->hash, entry->hash, intent_word(entry), &slot,
				   &other);
	return err == -EEXIST ? -EAGAIN : err;
}

int fx_intent_place(struct run *run, struct entry *entry)
{
	unsigned int turns = 0;
	int err;

	entry->intent = intent_new(run, entry);
	if (!entry->intent)
		return -ENOMEM;
	for (;;) {
		fx_epoch_enter();
		err = try_place(run, entry);
		fx_epoch_leave();
		if (err != -EAGAIN && err != 1)
			break;
		if (err == 1) {
			if (run->nowait && turns > 16)
				break;
			fx_backoff(&turns);
		}
	}
	if (err) {
		atomic_store(&entry->intent->record.refs, 1); /* never published */
		fx_intent_unref(run->store, entry->intent);
		entry->intent = NULL;
		return err == 1 ? -EAGAIN : err;
	}
	run->placed++;
	/* T1: what the key is now, it stays. */
	entry->old_word = entry->intent->old_word;
	if (fx_word_state(entry->old_word) == FX_SLOT_LIVE)
		entry->old = fx_word_record(entry->old_word);
	return 0;
}

/* Replace our intent by its word, unless somebody did it for us. What the slot holds then. */
fx_word fx_intent_settle(struct feox_store *store, const struct entry *entry)
{
	fx_slot *slot;
	fx_word word;

	for (;;) {
		word = fx_hash_index_find(store->hash, entry->hash, entry->key, entry->key_size,
					  &slot);
		if (word != intent_word(entry))
			return word;
		settle(store, slot, word);
	}
}
