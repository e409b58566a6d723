/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish.c - the words of a key that a single change moves, and the ordered index with them. The
 * states and the invariants C1 to C9 stand in commit.c.
 *
 * Over a live record it is one compare-and-swap. When the key is plain and will not be, its leaf is
 * held around that (C8); a delete drops the key from the order in the same breath. An insert places
 * a PENDING word, adds the key to the order, and makes the word LIVE: at once, when the leaf is
 * free and has room; else it leaves the section before it adds the key, and enters another.
 */
#include "write.h"

#include <errno.h>

int fx_change_wait(struct fx_change *c, enum fx_wait wait)
{
	c->wait = wait;
	return -EAGAIN;
}

void fx_word_replace(struct feox_store *store, uint64_t hash, const void *key, size_t key_size,
		     fx_word expected, fx_word desired)
{
	fx_slot *slot;

	for (;;) {
		fx_word word = fx_hash_index_find(store->hash, hash, key, key_size, &slot);

		assert(word == expected); /* C2 */
		if (fx_hash_index_cas(store->hash, slot, word, desired))
			return;
	}
}

/* What is true of every change when it has become visible. */
static void published(struct feox_store *store, struct fx_change *c, const struct fx_record *old,
		      const struct fx_record *record)
{
	c->held = (struct fx_grant){0}; /* the flusher's now */
	c->version = record->version;
	c->deleted = record->flags & FX_RECORD_TOMBSTONE;
	c->new_expiry_ns = fx_record_expiry(record);
	fx_count_change(store, old, record);
}

/* ---- Over a live record ------------------------------------------------------------------------
 */

/* LIVE(old) -> LIVE(record), or TOMB for a tombstone: one compare-and-swap in the window. */
static bool swap(struct feox_store *store, const struct fx_change *c, fx_slot *slot, fx_word word,
		 struct fx_record *record)
{
	enum fx_slot_state state =
		record->flags & FX_RECORD_TOMBSTONE ? FX_SLOT_TOMBSTONE : FX_SLOT_LIVE;
	fx_word desired = fx_word_make(c->hash, record, state);
	struct fx_pending *pending;
	struct fx_window window;
	bool won;

	if (!store->persistent) {
		won = fx_hash_index_cas(store->hash, slot, word, desired);
		if (won)
			fx_record_retire(store, fx_word_record(word));
		return won;
	}
	pending = fx_pending_of(record);
	pending->prev = fx_word_record(word);
	window = fx_queue_enter(&store->queue);
	FX_PAUSE(FX_PAUSE_WINDOW);
	won = fx_hash_index_cas(store->hash, slot, word, desired);
	FX_PAUSE(FX_PAUSE_PUBLISHED);
	if (won)
		fx_queue_push(window, pending, pending);
	fx_queue_leave(window);
	return won;
}

/* The same while the leaf is held; a tombstone's key leaves the order with it. */
static enum fx_wait swap_held(struct feox_store *store, const struct fx_change *c, fx_slot *slot,
			      fx_word word, struct fx_record *record, bool *ret_won)
{
	struct fx_order_lock lock;
	int err = fx_ordered_index_lock(store->order, c->key, c->key_size, &c->hint, &lock);

	*ret_won = false;
	if (err)
		return err == -EAGAIN ? FX_WAIT_ORDER : FX_WAIT_NOT;
	*ret_won = swap(store, c, slot, word, record);
	if (*ret_won && (record->flags & FX_RECORD_TOMBSTONE)) {
		FX_PAUSE(FX_PAUSE_DELETED);
		fx_ordered_index_drop(&lock);
		fx_tombstone_unlinked(store, record);
	} else {
		fx_ordered_index_unlock(&lock);
	}
	return FX_WAIT_NOT;
}

static int publish_over(struct feox_store *store, struct fx_change *c, fx_slot *slot, fx_word word,
			struct fx_record *record)
{
	struct fx_record *old = fx_word_record(word);
	enum fx_wait wait = FX_WAIT_NOT;
	bool won;

	if ((record->flags & FX_RECORD_TOMBSTONE) ||
	    (record->flags & ~old->flags & FX_RECORD_EXPIRES))
		wait = swap_held(store, c, slot, word, record, &won);
	else
		won = swap(store, c, slot, word, record);
	if (!won) {
		fx_record_drop(store, record);
		return fx_change_wait(c, wait);
	}
	published(store, c, old, record);
	return 0;
}

/* Under the key's leaf's lock. */
static bool is_plain(void *ctx, const void *key, size_t key_size)
{
	struct feox_store *store = ctx;
	uint64_t hash = fx_hash_key(store->hash_seed, key, key_size);

	return fx_word_is_plain(fx_hash_index_find(store->hash, hash, key, key_size, NULL));
}

void fx_order_settle(struct feox_store *store, const void *first, size_t first_size,
		     const void *last, size_t last_size)
{
	fx_ordered_index_settle(store->order, first, first_size, last, last_size, is_plain, store);
}

/* ---- A new key ---------------------------------------------------------------------------------
 */

/* (empty) -> PENDING, which draws the version (C7). */
static int insert_pending(struct feox_store *store, const struct fx_change *c, fx_word pending,
			  struct fx_record *record)
{
	fx_slot *slot;
	fx_word other;
	int err;

	FX_PAUSE(FX_PAUSE_INSERT);
	err = fx_hash_index_insert(store->hash, c->hash, pending, &slot, &other);
	if (!err && !(c->flags & FEOX_SET_VERSION))
		record->version = fx_version_next(store, c->hash, 0);
	return err;
}

/* (empty) or TOMB -> PENDING. */
static int place_pending(struct feox_store *store, struct fx_change *c, fx_slot *slot, fx_word word,
			 struct fx_record *record)
{
	fx_word pending = fx_word_make(c->hash, record, FX_SLOT_PENDING);
	int err;

	if (word && store->persistent)
		fx_pending_of(record)->prev = fx_word_record(word);
	if (word)
		err = fx_hash_index_cas(store->hash, slot, word, pending) ? 0 : -EEXIST;
	else
		err = insert_pending(store, c, pending, record);
	if (err) {
		fx_record_drop(store, record);
		return err == -EEXIST ? fx_change_wait(c, FX_WAIT_NOT) : err;
	}
	FX_PAUSE(FX_PAUSE_PENDING);
	c->was = word;
	return 0;
}

/* PENDING(record) -> LIVE(record): the linearisation point of an insert. */
static void make_live(struct feox_store *store, const struct fx_change *c, struct fx_record *record)
{
	fx_word pending = fx_word_make(c->hash, record, FX_SLOT_PENDING);
	fx_word live = fx_word_make(c->hash, record, FX_SLOT_LIVE);
	struct fx_pending *queued = fx_pending_of(record);
	bool won = false;

	if (!store->persistent) {
		fx_word_replace(store, c->hash, c->key, c->key_size, pending, live);
		return;
	}
	while (!won) {
		struct fx_window window;
		fx_slot *slot;

		fx_hash_index_find(store->hash, c->hash, c->key, c->key_size, &slot);
		window = fx_queue_enter(&store->queue);
		won = fx_hash_index_cas(store->hash, slot, pending, live);
		if (won)
			fx_queue_push(window, queued, queued);
		fx_queue_leave(window);
	}
}

/* Give up an insert, as if it had never been. Entered in a section, which it leaves. */
static void abandon(struct feox_store *store, const struct fx_change *c, struct fx_record *record)
{
	struct fx_record *tombstone = fx_word_record(c->was);

	if (tombstone)
		fx_record_ref(tombstone);
	fx_word_replace(store, c->hash, c->key, c->key_size,
			fx_word_make(c->hash, record, FX_SLOT_PENDING), c->was);
	if (store->persistent)
		fx_pending_free(store->slab, record);
	fx_record_retire(store, record); /* finds saw it as PENDING (C6) */
	fx_epoch_leave();
	/* The key may be in the order by now. */
	fx_order_drop_dead(store, c->hash, c->key, c->key_size);
	if (tombstone) {
		/* Its end, if that has come meanwhile, found another word in its place. */
		fx_tombstone_unlinked(store, tombstone);
		fx_record_unref(store->slab, tombstone);
	}
}

/* The PENDING key is in the order: let it live. In a section. */
static void finish(struct feox_store *store, struct fx_change *c, struct fx_record *record)
{
	struct fx_record *before = fx_word_record(c->was);

	if (before && !store->persistent)
		fx_record_retire(store, before);
	make_live(store, c, record);
	published(store, c, before, record);
}

/* It has become LIVE while its leaf was held, so it is plain unless it expires (C8). */
static void let_go(struct fx_order_lock *lock, const struct fx_record *record)
{
	if (record->flags & FX_RECORD_EXPIRES)
		fx_ordered_index_unlock(lock);
	else
		fx_ordered_index_unlock_plain(lock);
}

static int publish_new(struct feox_store *store, struct fx_change *c, fx_slot *slot, fx_word word,
		       struct fx_record *record)
{
	struct fx_order_lock lock;
	int err;

	/* Its leaf may come from memory while the slot is taken. */
	fx_ordered_index_locate(store->order, c->key, c->key_size, &c->hint);
	err = place_pending(store, c, slot, word, record);
	if (err)
		return err;
	if (fx_ordered_index_try_insert(store->order, c->key, c->key_size, &c->hint, &lock)) {
		c->pending = record; /* it would have to wait, or to grow the leaf */
		return 0;
	}
	FX_PAUSE(FX_PAUSE_ADDED);
	finish(store, c, record);
	let_go(&lock, record);
	return 0;
}

int fx_publish_finish(struct feox_store *store, struct fx_change *c)
{
	struct fx_record *record = c->pending;
	int err = fx_ordered_index_insert(store->order, c->key, c->key_size);

	FX_PAUSE(FX_PAUSE_BETWEEN);
	c->pending = NULL;
	fx_epoch_enter();
	/* The gate may have closed since the section of the attempt; it did not wait for us. */
	if (!err && fx_gate_blocks(store, c->key, c->key_size))
		err = fx_change_wait(c, FX_WAIT_GATE);
	if (err) {
		abandon(store, c, record);
		return err;
	}
	finish(store, c, record);
	fx_order_settle(store, c->key, c->key_size, c->key, c->key_size);
	fx_epoch_leave();
	return 0;
}

int fx_publish(struct feox_store *store, struct fx_change *c, fx_slot *slot, fx_word word,
	       struct fx_record *record)
{
	if (word && fx_word_state(word) == FX_SLOT_LIVE)
		return publish_over(store, c, slot, word, record);
	return publish_new(store, c, slot, word, record);
}
