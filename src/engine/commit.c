/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit.c - the one way in: how a change of one key becomes visible and gets on its way to disk.
 * Here are conditions, room, and waiting; publish.c moves the words.
 *
 * The slot word is the single truth about a key. Who moves it:
 *
 *            insert                    added to the order
 *   (empty) --------> PENDING(new) ------------------------> LIVE(new)
 *   TOMB(t) --------> PENDING(new) ------------------------> LIVE(new)     never TOMB -> LIVE
 *   LIVE(old) -- overwrite, expiry, metadata --------------> LIVE(new)
 *   LIVE(old) -- delete --> TOMB(t) -- order dropped and delete durable --> (empty)
 *   any of LIVE, TOMB, (empty) <-- batch.c --> INTENT
 *
 * tests/model/key_protocol.pml is the model of this, searched whole by spin(1).
 *
 * Invariants
 *  C1 A key in state LIVE is in the ordered index. It was added under PENDING; it is dropped under
 *     its leaf's lock, while its word says that it is dead: a delete makes that word of a live one
 *     under the same lock, others look (fx_order_drop_dead()). An insert replaces the word before
 *     it adds the key; so either the drop sees the new word and keeps the key, or the insert comes
 *     later under the same lock and adds it again.
 *  C2 Only the thread that placed a PENDING word replaces it (fx_word_replace()); splits may move
 *     it.
 *  C3 Everything that can wait or fail - memory, queue room, disk room, the order - happens before
 *     the word that readers see is replaced. After it nothing waits and nothing fails.
 *  C4 In a persistent store the word is loaded before the queue's window is entered and replaced
 *     inside it, and the record is pushed inside it: that makes the flusher's cut consistent.
 *  C5 The prev of a record's pending is what was replaced, and keeps it until the record is
 *     durable. It is written before publication and belongs to the flusher afterwards.
 *  C6 A record that other threads may have seen is given up through fx_record_retire() only.
 *  C7 A version is drawn when no other change of the key can come between it and its publication:
 *     over a word that the compare-and-swap expects, or, for an empty slot, under PENDING. So
 *     versions grow in the order of the changes.
 *  C8 A key whose check bit is clear has a plain word: LIVE, without an expiry. It is added with
 *     the bit; every change of a plain word into another one is made while the key's leaf is held,
 *     with the bit set (fx_ordered_index_lock()); and the bit is cleared under that lock, for a
 *     plain word only: by its insert, or by a scan that has looked the key up.
 *  C9 No section is kept while a leaf is waited for. Between the two sections of an insert the gate
 *     of a rename_prefix() may close: the second looks again, and gives the insert up.
 */
#include "write.h"

#include "cleanup.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

#define TURNS_BEFORE_SLEEP 32u
#define SLEEP_NS	   100000L
#define RETIRED_VALUE	   ((uintptr_t)1) /* an item's bit: it is an fx_value */
#define RETIRED_MAX	   4u		  /* records that one attempt retires at most */

/* ---- Records and words -------------------------------------------------------------------------
 */

void fx_record_free(void *record, void *ctx)
{
	struct feox_store *store = ctx;
	uintptr_t item = (uintptr_t)record;

	if (item & RETIRED_VALUE)
		fx_value_unref(store->slab, (struct fx_value *)(item & ~RETIRED_VALUE));
	else
		fx_record_unref(store->slab, record);
}

void fx_value_retire(struct feox_store *store, struct fx_value *value)
{
	fx_epoch_retire_plain(store->epoch, (void *)((uintptr_t)value | RETIRED_VALUE),
			      sizeof(*value) + value->size);
}

void fx_record_retire(struct feox_store *store, struct fx_record *record)
{
	const struct fx_value *value = fx_record_value(record);
	size_t bytes = fx_record_own_bytes(record);

	/* A value that others have too stays. */
	if (value && atomic_load_explicit(&value->refs, memory_order_relaxed) == 1)
		bytes += value->size;
	fx_epoch_retire_plain(store->epoch, record, bytes);
}

static struct fx_record *find_visible(struct feox_store *store, uint64_t hash, const void *key,
				      size_t key_size)
{
	fx_slot *slot;
	fx_word word = fx_hash_index_find(store->hash, hash, key, key_size, &slot);

	/* Values are leaving memory: this one is used. */
	if (slot && atomic_load_explicit(&store->cool.tracks, memory_order_relaxed))
		fx_slot_reference(slot);
	return fx_word_visible(word);
}

/* The same, and the key was used: a cache remembers it. */
static struct fx_record *find_used(struct feox_store *store, uint64_t hash, const void *key,
				   size_t key_size)
{
	fx_slot *slot;
	fx_word word = fx_hash_index_find(store->hash, hash, key, key_size, &slot);

	if (word)
		fx_slot_reference(slot);
	return fx_word_visible(word);
}

/*
 * record is what was visible. Found expired: absent only if it was still there when the clock was
 * read, else it may have been replaced before it expired, and the key was never absent.
 */
static struct fx_record *unless_expired(struct feox_store *store, struct fx_record *record,
					uint64_t hash, const void *key, size_t key_size)
{
	while (record && (record->flags & FX_RECORD_EXPIRES) &&
	       fx_record_expired(record, fx_clock_now(&store->clock))) {
		struct fx_record *expired = record;

		record = find_visible(store, hash, key, key_size);
		if (record == expired)
			return NULL;
	}
	return record;
}

struct fx_record *fx_find_live(struct feox_store *store, uint64_t hash, const void *key,
			       size_t key_size)
{
	return unless_expired(store, find_visible(store, hash, key, key_size), hash, key, key_size);
}

struct fx_record *fx_find_live_near(struct feox_store *store, fx_slot *near, uint64_t hash,
				    const void *key, size_t key_size)
{
	fx_word word = fx_hash_index_find_near(store->hash, near, hash, key, key_size);

	if (near && atomic_load_explicit(&store->cool.tracks, memory_order_relaxed))
		fx_slot_reference(near);
	return unless_expired(store, fx_word_visible(word), hash, key, key_size);
}

struct fx_record *fx_find_used(struct feox_store *store, uint64_t hash, const void *key,
			       size_t key_size)
{
	struct fx_record *record = store->cache_bytes ? find_used(store, hash, key, key_size)
						      : find_visible(store, hash, key, key_size);

	return unless_expired(store, record, hash, key, key_size);
}

void fx_backoff(unsigned int *turns)
{
	struct timespec pause = {.tv_nsec = SLEEP_NS};

	if (++*turns < TURNS_BEFORE_SLEEP)
		sched_yield();
	else
		nanosleep(&pause, NULL);
}

void fx_count_change(struct feox_store *store, const struct fx_record *old,
		     const struct fx_record *record)
{
	bool was = old && !(old->flags & FX_RECORD_TOMBSTONE);
	bool is = record && !(record->flags & FX_RECORD_TOMBSTONE);
	int64_t keys = (int64_t)is - (int64_t)was;

	if (keys)
		atomic_fetch_add_explicit(&fx_counters(store)->keys, keys, memory_order_relaxed);
	if (is && (record->flags & FX_RECORD_EXPIRES))
		fx_expiry_lower(store, fx_record_expiry(record));
}

void fx_count_record(struct feox_store *store, const struct fx_record *record)
{
	fx_count_change(store, NULL, record);
}

/* ---- One attempt -------------------------------------------------------------------------------
 */

int fx_check_conditions(const struct fx_record *old, unsigned int flags, uint64_t if_version)
{
	if ((flags & FEOX_CREATE) && old)
		return -EEXIST;
	if ((flags & FEOX_REPLACE) && !old)
		return -ENOENT;
	if ((flags & FEOX_IF_VERSION) && (!old || old->version != if_version))
		return -ECANCELED;
	return 0;
}

/* Build the successor of old (what the word's record is for readers) and publish it. */
static int replace(struct feox_store *store, struct fx_change *c, fx_slot *slot, fx_word word,
		   struct fx_record *old)
{
	struct fx_record *before = word ? fx_word_record(word) : NULL;
	struct fx_record *record;
	uint64_t version = 0;
	int err = fx_check_conditions(old, c->flags, c->if_version);

	if (!err && c->keep_version)
		version = old ? old->version : 0;
	else if (!err)
		err = fx_version_of_change(store, c->hash, before, c->flags, c->set_version,
					   &version);
	if (!err)
		err = c->build(store, c, old, &record);
	if (err)
		return err;
	c->need = (struct fx_grant){0};
	fx_grant_add(store, &c->need, record);
	err = fx_grant_acquire(store, &c->held, &c->need, true, c->flags & FEOX_RESERVED);
	if (err) {
		fx_record_drop(store, record);
		return err == -EAGAIN ? fx_change_wait(c, FX_WAIT_ROOM) : err;
	}
	record->version = version;
	c->created = !old;
	return fx_publish(store, c, slot, word, record);
}

static int attempt(struct feox_store *store, struct fx_change *c)
{
	struct fx_record *old = NULL;
	fx_slot *slot;
	fx_word word;

	if (fx_gate_blocks(store, c->key, c->key_size))
		return fx_change_wait(c, FX_WAIT_GATE);
	c->hint = (struct fx_order_hint){0};
	if (c->deletes) /* its leaf may come from memory while the slot does */
		fx_ordered_index_locate(store->order, c->key, c->key_size, &c->hint);
	word = fx_hash_index_find(store->hash, c->hash, c->key, c->key_size, &slot);
	switch (fx_word_state(word)) {
	case FX_SLOT_LIVE:
		old = fx_word_record(word);
		break;
	case FX_SLOT_TOMBSTONE:
		break;
	default:
		return fx_change_wait(c, fx_word_settle(store, slot, word) ? FX_WAIT_NOT
									   : FX_WAIT_KEY);
	}
	if (c->sweep && (old != c->sweep ||
			 (!c->evicts && !fx_record_expired(old, fx_clock_now(&store->clock)))))
		return -ENOENT;
	if (store->cache_bytes && old && !c->deletes)
		fx_slot_reference(slot);
	if (old && (old->flags & FX_RECORD_EXPIRES) && !c->sweep &&
	    fx_record_expired(old, fx_clock_now(&store->clock)))
		old = NULL;
	return replace(store, c, slot, word, old);
}

/* Wait for what stopped an attempt, outside of the epoch section. */
static int wait_before_retry(struct feox_store *store, struct fx_change *c, unsigned int *turns)
{
	bool nowait = c->flags & FEOX_NOWAIT;
	int err = 0;

	/* Who waits for another writer holds no room that the other may be waiting for. */
	if (c->wait != FX_WAIT_NOT && c->wait != FX_WAIT_ROOM)
		fx_grant_release(store, &c->held);
	switch (c->wait) {
	case FX_WAIT_NOT:
		return 0;
	case FX_WAIT_KEY: /* a moment, also for NOWAIT: a writer between two steps */
	case FX_WAIT_ORDER:
		if (nowait && *turns >= TURNS_BEFORE_SLEEP)
			return -EAGAIN;
		fx_backoff(turns);
		return 0;
	case FX_WAIT_ROOM:
		if (nowait)
			return -EAGAIN;
		return fx_grant_acquire(store, &c->held, &c->need, false, c->flags & FEOX_RESERVED);
	case FX_WAIT_GATE:
		if (nowait)
			return -EAGAIN;
		fx_gate_wait(store, c->key, c->key_size);
		return 0;
	case FX_WAIT_COLD:
		if (!nowait)
			err = fx_cold_load(store, &c->cold);
		fx_cold_unpin(store, &c->cold);
		return nowait ? -EAGAIN : err;
	}
	return -EINVAL;
}

/* What has to be there before the attempt: afterwards nothing may fail (C3). */
static int prepare(struct feox_store *store, const struct fx_change *c)
{
	int err = c->deletes ? 0 : fx_epoch_throttle(store->epoch, c->flags & FEOX_NOWAIT);

	return err ? err : fx_epoch_prepare(store->epoch, RETIRED_MAX);
}

int fx_commit(struct feox_store *store, struct fx_change *c)
{
	unsigned int turns = 0;
	int err = fx_store_writable(store);

	if (!err)
		err = fx_version_announce(store, c->hash, c->flags, c->set_version);
	while (!err) {
		c->wait = FX_WAIT_NOT;
		err = prepare(store, c);
		if (err)
			break;
		fx_epoch_enter();
		err = attempt(store, c);
		fx_epoch_leave();
		if (!err && c->pending)
			err = fx_publish_finish(store, c);
		if (err != -EAGAIN)
			break;
		err = wait_before_retry(store, c, &turns);
	}
	fx_grant_release(store, &c->held);
	fx_epoch_offer(store->epoch);
	if (!err && store->changed)
		fx_event_change(store, c);
	return err;
}

int fx_change_init(struct feox_store *store, struct fx_change *change, const void *key,
		   size_t key_size, const struct feox_write_options *options,
		   unsigned int allowed_flags)
{
	*change = (struct fx_change){.key = key, .key_size = key_size};
	if (!store || (!key && key_size) || key_size > FEOX_KEY_MAX)
		return -EINVAL;
	if (options) {
		change->flags = options->flags;
		change->if_version = options->if_version;
		change->set_version = options->set_version;
		change->expiry_ns = options->expiry_ns;
		change->metadata = options->metadata;
		change->metadata_size = options->metadata_size;
		change->base = options->base;
		change->base_size = options->base_size;
	}
	if ((change->flags & FEOX_BASE) && !change->base && change->base_size)
		return -EINVAL;
	if (change->flags & FEOX_BASE)
		change->flags |= FEOX_REPLACE;
	if ((change->flags & ~allowed_flags) || change->metadata_size > FEOX_METADATA_MAX ||
	    (!change->metadata && change->metadata_size) || change->expiry_ns > FEOX_TIME_MAX ||
	    fx_version_check(change->flags, change->set_version))
		return -EINVAL;
	change->hash = fx_hash_key(store->hash_seed, key, key_size);
	return 0;
}
