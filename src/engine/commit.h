/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit.h - the one way in for a change of a key, and what batches share with it.
 *
 * Every change is "expected -> new record": who changes says how the new record follows from the
 * old one (build), fx_commit() does the rest: conditions, room, version, publication, queue,
 * counts.
 */
#ifndef FX_COMMIT_H
#define FX_COMMIT_H

#include "pause.h"
#include "store.h"

/* Where a test may stop a writer; who reads or scans goes on. */
enum fx_engine_pause {
	FX_PAUSE_INSERT = FX_PAUSE_ENGINE, /* before an empty slot is taken */
	FX_PAUSE_PENDING,		   /* it is: the key is on its way into the order */
	FX_PAUSE_ADDED,			   /* it is there, and not yet live */
	FX_PAUSE_BETWEEN,		   /* the same, outside of sections */
	FX_PAUSE_WINDOW,		   /* in the queue's window, before the compare-and-swap */
	FX_PAUSE_PUBLISHED,		   /* after it, before the push */
	FX_PAUSE_DELETED, /* the tombstone is there, and the key still in the order */
	FX_PAUSE_INTENTS, /* all intents are placed */
	FX_PAUSE_BUILT,	  /* new keys are in the order, nothing is decided */
	FX_PAUSE_DECIDED, /* committed or aborted, nothing is settled */
	FX_PAUSE_ENGINE_END
};

/* Room held for a change: in the queue and on disk. Given to the flusher with the record. */
struct fx_grant {
	uint64_t records, bytes, disk;
};

/* Why an attempt has to be made again. */
enum fx_wait {
	FX_WAIT_NOT,   /* somebody was faster: again at once */
	FX_WAIT_KEY,   /* an insert or a batch of somebody else has the key */
	FX_WAIT_ORDER, /* another writer has the key's leaf of the ordered index */
	FX_WAIT_ROOM,  /* change.need does not fit */
	FX_WAIT_GATE,  /* a rename_prefix is running over the key */
	FX_WAIT_COLD   /* the value of change.cold has to be read first */
};

/* A record whose value is on disk only, pinned together with its extent. */
struct fx_cold {
	struct fx_record *record;
	struct fx_extent *extent;
	fx_location location;
};

struct fx_change {
	const void *key;
	size_t key_size;
	uint64_t hash;
	unsigned int flags; /* enum feox_write_flag, FEOX_NOWAIT */
	uint64_t if_version, set_version;

	/*
	 * The record that follows old (NULL: absent). Inside an epoch section; may be called again
	 * after a lost race. 0 and a record of refs 1 whose version commit sets, unless
	 * keep_version; -EAGAIN with wait and cold set; or the error the change ends with.
	 */
	int (*build)(struct feox_store *store, struct fx_change *change, struct fx_record *old,
		     struct fx_record **ret_record);
	bool keep_version;	       /* the old record's version stays */
	bool deletes;		       /* the key leaves the order; works whatever is deferred */
	const struct fx_record *sweep; /* only if the key still has this record, and it expired */
	bool evicts;		       /* then also if it has not */

	/* For build. */
	const void *value;
	size_t value_size;
	struct fx_value *large; /* the value, when it is not inline */
	const void *metadata;
	size_t metadata_size;
	uint64_t expiry_ns;
	const void *base; /* with FEOX_BASE: the value to start from */
	size_t base_size;

	/* While it runs. */
	struct fx_order_hint hint; /* of this attempt's section */
	struct fx_record *pending; /* placed as PENDING over was, not in the order yet */
	fx_word was;
	enum fx_wait wait;
	struct fx_grant held, need;
	struct fx_cold cold;

	/* Results. */
	bool created, deleted;
	uint64_t version, new_expiry_ns;
};

/* Set key, hash and options of a zeroed change. -EINVAL: misuse. */
int fx_change_init(struct feox_store *store, struct fx_change *change, const void *key,
		   size_t key_size, const struct feox_write_options *options,
		   unsigned int allowed_flags);

int fx_commit(struct feox_store *store, struct fx_change *change);

/* Note what an attempt has to wait for: -EAGAIN. */
int fx_change_wait(struct fx_change *change, enum fx_wait wait);

/* -EEXIST, -ENOENT, -ECANCELED when flags forbid the change of old (NULL: absent). */
int fx_check_conditions(const struct fx_record *old, unsigned int flags, uint64_t if_version);

/* The next version for a key of this hash, above floor. */
uint64_t fx_version_next(struct feox_store *store, uint64_t hash, uint64_t floor);

/*
 * Before a change with FEOX_SET_VERSION in flags, outside of epoch sections: make the durable
 * ceiling pass set_version, so that those that it lifts are above it after a crash too. Waits for a
 * commit when it is far ahead. -EAGAIN (FEOX_NOWAIT), -EIO. sync.c
 */
int fx_version_announce(struct feox_store *store, uint64_t hash, unsigned int flags,
			uint64_t set_version);

/*
 * The version of a change over before (NULL: nothing is remembered of the key): the next one, or
 * with FEOX_SET_VERSION in flags set_version, which lifts those to come. -ESTALE: it is not newer.
 */
int fx_version_of_change(struct feox_store *store, uint64_t hash, const struct fx_record *before,
			 unsigned int flags, uint64_t set_version, uint64_t *ret_version);

/* -EINVAL when options ask for a version that no caller may set. */
int fx_version_check(unsigned int flags, uint64_t set_version);

/*
 * A version for several keys, of which nobody else can change one now: above all that any of them
 * has had. shards: bit n stands for keys whose hash is n modulo FX_VERSION_SHARDS; hash: of one.
 */
uint64_t fx_version_for_all(struct feox_store *store, uint64_t shards, uint64_t hash);

/* Room for need, counting what is held already; -EAGAIN when it would wait and must not. */
int fx_grant_acquire(struct feox_store *store, struct fx_grant *held, const struct fx_grant *need,
		     bool nowait, bool reserved);
void fx_grant_release(struct feox_store *store, struct fx_grant *grant);
void fx_grant_add(struct feox_store *store, struct fx_grant *grant, const struct fx_record *record);

/*
 * The record of a word that readers see: live ones, and of an intent what its batch says. Expired
 * ones are given too. Inside an epoch section.
 */
struct fx_record *fx_word_visible(fx_word word);

/* Is it LIVE, without an expiry? Then the key's check bit may be clear (ordered_index.h). */
static inline bool fx_word_is_plain(fx_word word)
{
	return word && fx_word_state(word) == FX_SLOT_LIVE &&
	       !(fx_word_record(word)->flags & FX_RECORD_EXPIRES);
}

/* What an intent's batch says: its old or its new record, NULL when that is none. transaction.c */
struct fx_record *fx_intent_visible(struct fx_record *intent);

/* The visible, unexpired record of key or NULL. Inside an epoch section. */
struct fx_record *fx_find_live(struct feox_store *store, uint64_t hash, const void *key,
			       size_t key_size);
/* The same, near: see fx_hash_index_find_near(). */
struct fx_record *fx_find_live_near(struct feox_store *store, fx_slot *near, uint64_t hash,
				    const void *key, size_t key_size);

/* The same, and the key was used: a cache keeps it for a while. */
struct fx_record *fx_find_used(struct feox_store *store, uint64_t hash, const void *key,
			       size_t key_size);

/*
 * A word that says PENDING or INTENT is in a writer's way. True: it was an intent already decided
 * and has been settled, look again; false: its owner has to be waited for.
 */
bool fx_word_settle(struct feox_store *store, fx_slot *slot, fx_word word);

/*
 * Change the word of a key that only the caller may change (its own PENDING or INTENT word): finds
 * the slot anew when a split moves it. Inside an epoch section.
 */
void fx_word_replace(struct feox_store *store, uint64_t hash, const void *key, size_t key_size,
		     fx_word expected, fx_word desired);

/*
 * Make record the successor of word, in slot, for c's key: over a live one at once; else it is only
 * placed as PENDING, and fx_publish_finish() is due, outside of the section. Inside a section.
 * 0, -EAGAIN with c->wait, -ENOMEM; record is used up. publish.c
 */
int fx_publish(struct feox_store *store, struct fx_change *c, fx_slot *slot, fx_word word,
	       struct fx_record *record);

/* Add c's PENDING key to the order and make it live. Outside of sections: it may wait. */
int fx_publish_finish(struct feox_store *store, struct fx_change *c);

/*
 * A published tombstone, of which the caller holds a reference: drop the key from the order unless
 * it lives again. Outside of sections: it may wait. tombstone.c
 */
void fx_tombstone_unlink(struct feox_store *store, uint64_t hash, struct fx_record *tombstone);

/* Its key is out of the order. With a reference, or in the section of its publication. */
void fx_tombstone_unlinked(struct feox_store *store, struct fx_record *tombstone);

/* Drop a key from the order if it is dead. False: it is not. Outside of sections: it may wait. */
bool fx_order_drop_dead(struct feox_store *store, uint64_t hash, const void *key, size_t key_size);

/* Clear the check bits of the keys from first to last that are plain, where nobody has the leaf. */
void fx_order_settle(struct feox_store *store, const void *first, size_t first_size,
		     const void *last, size_t last_size);

/* Count what replacing old by record (either may be NULL or a tombstone) does to the key counts. */
void fx_count_change(struct feox_store *store, const struct fx_record *old,
		     const struct fx_record *record);

/* Wait a moment for another writer; *turns counts the calls, from 0. */
void fx_backoff(unsigned int *turns);

/* True: a rename_prefix is running over key. Inside an epoch section. rename.c */
bool fx_gate_blocks(struct feox_store *store, const void *key, size_t key_size);
/* Wait until none is. Outside. */
void fx_gate_wait(struct feox_store *store, const void *key, size_t key_size);

/* read.c: feox_get() for the engine itself, which does not count it. */
int fx_value_get(struct feox_store *store, uint64_t hash, const void *key, size_t key_size,
		 bool nowait, struct feox_value *ret_value);

/*
 * read.c: fill value from a record and pin what its data points into: from a resident one, inside
 * the section that found it; from a cold one outside, reading it. Give it back (false: there was
 * nothing to give back). The caller keeps fx_counters.pins.
 */
void fx_value_pin(struct fx_record *record, struct feox_value *value);
int fx_value_pin_cold(struct feox_store *store, const struct fx_cold *cold,
		      struct feox_value *value);
/* The same for several, read at once: errors[i] is the result for colds[i]. At most FX_COLD_MANY.
 */
#define FX_COLD_MANY 32u
void fx_value_pin_cold_many(struct feox_store *store, const struct fx_cold *colds, size_t count,
			    struct feox_value *values, int *errors);
bool fx_value_unpin(struct feox_store *store, struct feox_value *value);

/* Tell the callback, which is set, of a change that was made. Outside of every section. event.c */
void fx_event_change(struct feox_store *store, const struct fx_change *change);

/* iter.c: feox_iter_open(), feox_iter_next() for the engine itself: they are not counted. */
int fx_iter_open(struct feox_store *store, const struct feox_iter_options *options,
		 struct feox_iter **ret_iter);
int fx_iter_next(struct feox_iter *iter, struct feox_item *ret_item);

/* read.c: pin a cold record, inside the epoch section that found it; unpin anywhere, also twice. */
void fx_cold_pin(struct feox_store *store, struct fx_record *record, struct fx_cold *ret_cold);
void fx_cold_unpin(struct feox_store *store, struct fx_cold *cold);
/* Bring its value into memory, to stay. Outside of epoch sections; waits for the disk. -EIO,
 * -ENOMEM. */
int fx_cold_load(struct feox_store *store, const struct fx_cold *cold);

#endif
