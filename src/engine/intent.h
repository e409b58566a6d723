/* SPDX-License-Identifier: Apache-2.0 */
/* intent.h - a running transaction, its keys, and the intents that stand for them in their slots.
 */
#ifndef FX_INTENT_H
#define FX_INTENT_H

#include "batch.h"

enum tx_status { TX_UNDECIDED, TX_COMMITTED, TX_ABORTED };

struct transaction {
	_Atomic int
		status; /* stored release, loaded acquire: the words of the intents come with it */
	_Atomic size_t refs;
};

struct intent {
	struct fx_retired retired;
	struct transaction *tx;
	fx_word old_word;
	fx_word new_word;	 /* old_word when the key does not change; set before COMMITTED */
	size_t size;		 /* of the allocation */
	struct fx_record record; /* flags INTENT, and the key */
};

static_assert(offsetof(struct intent, record) % 16 == 0, "a slot word needs 16-byte alignment");

/* One key of the transaction. */
struct entry {
	const uint8_t *key;
	size_t key_size;
	uint64_t hash;
	struct fx_op *op;
	struct entry *peer; /* rename: the entry of the other key */
	bool is_target;	    /* rename: the key moved to */
	bool added;	    /* to the order, by us */
	struct intent *intent;
	fx_word old_word;      /* what the intent replaced */
	struct fx_record *old; /* what readers see of it, NULL: absent or expired */
	struct fx_record *new; /* NULL: unchanged */
};

struct run {
	struct feox_store *store;
	struct transaction *tx;
	struct entry *entries;
	size_t count, placed;
	bool nowait;
	bool again;		 /* a key has expired before the decision */
	uint64_t prefix_version; /* of all FX_OP_PREFIX, 0: not drawn yet */
	struct fx_grant held;
	size_t failed; /* operation, SIZE_MAX: none's own */
	const struct fx_op *ops;
};

/* Place entry's intent, and learn what its key is: from then on it stays so (T1). -ENOMEM, -EAGAIN.
 */
int fx_intent_place(struct run *run, struct entry *entry);

/*
 * All intents are placed: check the conditions, and build the new record of every key that gets
 * one, with its version and what it replaces; need sums them up. run->failed says whose error it
 * is. transaction_build.c
 */
int fx_run_build(struct run *run, struct fx_grant *need);

/*
 * Say what the keys of a renamed prefix take on disk: little, where their values share extents.
 * -ENOMEM. transaction_price.c
 */
int fx_run_price(struct run *run);

/* Replace entry's intent by its word, unless somebody did it for us. What the slot holds then. */
fx_word fx_intent_settle(struct feox_store *store, const struct entry *entry);

/* The run's reference. */
void fx_intent_unref(struct feox_store *store, struct intent *intent);
void fx_transaction_unref(struct transaction *tx);

#endif
