/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transaction.c - several keys at once, by intents.
 *
 * Each key of a transaction, in key order, first gets an INTENT word: it leads to the transaction's
 * status and to the key's old and new word. While the status is UNDECIDED readers take the old
 * word, once it is COMMITTED the new one: one store decides for all keys at once, for every reader.
 *
 *   place intents -> check conditions, build records, find room -> add new keys to the order
 *        |                       | fails                                  |
 *        |                       v                                        v
 *        |        take added keys out, ABORTED                 COMMITTED (inside the window)
 *        +------------------------> settle: intent -> old or new word <---+
 *
 * Invariants
 *  T1 While the status is UNDECIDED nobody but the owner replaces an intent; the keys cannot
 *     change.
 *  T2 Once decided, anybody may settle an intent; who wins the compare-and-swap retires it.
 *  T3 Intents are placed in key order, and who waits for a foreign intent or PENDING word holds
 *     intents on smaller keys only: no circle of waiting. The owner of a PENDING word waits for
 *     a leaf at most.
 *  T4 The status is stored and all records are pushed inside one window of the queue: one cut has
 *     all of the transaction or nothing (I9).
 *  T5 Keys that are to live are in the order before COMMITTED (C1). An abort takes those it added
 *     out again before it is decided, while nobody else can have begun to insert them.
 *  T6 The transaction lives as long as one of its intents can be found: each holds a reference on
 *     it, and is itself held by the slot (until after its grace period) and by the run: a word that
 *     equals an entry's is that very intent, no later one at the same address.
 *  T7 Once decided, the records behind old and new words may be superseded, made durable and freed
 *     at any moment: the run touches an old one only in a section that found it in its slot, and
 *     holds references on the new ones.
 *  T8 No key that the batch takes for present has expired when it is decided: else it is aborted
 *     and runs again.
 */
#include "intent.h"

#include "bytes.h"

#include <errno.h>
#include <stdlib.h>

static int add_keys(struct run *run)
{
	int err = 0;

	for (size_t i = 0; i < run->count && !err; i++) {
		struct entry *entry = &run->entries[i];
		fx_word old = entry->old_word;

		if (!entry->new || (entry->new->flags &FX_RECORD_TOMBSTONE) ||
		    (old && fx_word_state(old) == FX_SLOT_LIVE))
			continue;
		err = fx_ordered_index_insert(run->store->order, entry->key, entry->key_size);
		entry->added = !err;
	}
	return err;
}

/* ---- Deciding ----------------------------------------------------------------------------------
 */

static bool lives(const struct entry *entry)
{
	return entry->new && !(entry->new->flags &FX_RECORD_TOMBSTONE);
}

/* entry has a new record. Of a rename one key counts: the target, or the other when only that
 * lives. */
static void count_operation(struct fx_counters *counters, const struct entry *entry)
{
	switch (entry->op->kind) {
	case FX_OP_PUT:
		fx_count(&counters->puts, 1);
		break;
	case FX_OP_DELETE:
		fx_count(&counters->deletes, 1);
		break;
	case FX_OP_METADATA:
		fx_count(&counters->touches, 1);
		break;
	case FX_OP_CHECK:
		break;
	case FX_OP_RENAME:
		if (lives(entry) && (entry->is_target || !lives(entry->peer)))
			fx_count(&counters->renames, 1);
		break;
	}
}

/* For event.c: what becomes of entry's key. */
static void note_outcome(struct entry *entry)
{
	entry->op->outcome[entry->is_target] = (struct fx_outcome){
		.what = lives(entry) ? FX_KEY_SET : FX_KEY_GONE,
		.version = entry->new->version,
		.expiry_ns = fx_record_expiry(entry->new),
	};
}

static void commit(struct run *run)
{
	struct fx_pending *first = NULL, *last = NULL;
	struct fx_window window;

	for (size_t i = 0; i < run->count; i++) {
		struct entry *entry = &run->entries[i];
		struct fx_record *new = entry->new;

		if (!new)
			continue;
		entry->intent->new_word = fx_word_make(
			entry->hash, new,
			new->flags &FX_RECORD_TOMBSTONE ? FX_SLOT_TOMBSTONE : FX_SLOT_LIVE);
		fx_record_ref(new); /* for settle_all(), see T7 */
		fx_count_change(run->store, fx_word_record(entry->old_word), new);
		count_operation(fx_counters(run->store), entry);
		note_outcome(entry);
		if (run->store->persistent) {
			fx_pending_of(new)->next = first;
			first = fx_pending_of(new);
			if (!last)
				last = first;
		}
	}
	if (!first) {
		atomic_store_explicit(&run->tx->status, TX_COMMITTED, memory_order_release);
		return;
	}
	window = fx_queue_enter(&run->store->queue); /* T4 */
	atomic_store_explicit(&run->tx->status, TX_COMMITTED, memory_order_release);
	fx_queue_push(window, first, last);
	fx_queue_leave(window);
	run->held = (struct fx_grant){0};
}

/* Under the leaf's lock: nobody but us has the key (T1). */
static bool always_dead(void *ctx)
{
	return true;
}

static void abort_run(struct run *run)
{
	for (size_t i = 0; i < run->placed; i++) {
		struct entry *entry = &run->entries[i];

		if (entry->new)
			fx_record_drop(run->store, entry->new);
		entry->new = NULL;
		if (!entry->added)
			continue;
		fx_ordered_index_remove(run->store->order, entry->key, entry->key_size, always_dead,
					NULL);
	}
	atomic_store_explicit(&run->tx->status, TX_ABORTED, memory_order_release);
}

/* Settle one key. What it leads to when that is a tombstone of ours, or one that an abort has put
 * back (C1): the key has to leave the order. With a reference, or NULL. */
static struct fx_record *settle(struct run *run, struct entry *entry)
{
	struct feox_store *store = run->store;
	struct fx_record *old = fx_word_record(entry->old_word), *ours, *tombstone = NULL;
	fx_word word;

	fx_epoch_enter();
	ours = entry->new ? entry->new : old;
	word = fx_intent_settle(store, entry);
	if (entry->new &&old && !store->persistent)
		fx_record_retire(store, old);
	if (fx_word_state(word) == FX_SLOT_TOMBSTONE && fx_word_record(word) == ours) {
		tombstone = ours;
		fx_record_ref(tombstone);
	}
	fx_epoch_leave();
	return tombstone;
}

static void settle_all(struct run *run)
{
	struct feox_store *store = run->store;

	for (size_t i = 0; i < run->placed; i++) {
		struct entry *entry = &run->entries[i];
		struct fx_record *tombstone = settle(run, entry);

		if (tombstone) {
			fx_tombstone_unlink(store, entry->hash, tombstone);
			fx_record_unref(store->slab, tombstone);
		}
		if (entry->new)
			fx_record_unref(store->slab, entry->new);
		fx_intent_unref(store, entry->intent);
	}
}

/* ---- Running -----------------------------------------------------------------------------------
 */

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return fx_bytes_cmp(x->key, x->key_size, y->key, y->key_size);
}

static void entry_set(struct run *run, struct entry *entry, struct fx_op *op, bool target)
{
	*entry = (struct entry){
		.op = op,
		.is_target = target,
		.key = target ? fx_op_target(op) : fx_op_key(op),
		.key_size = target ? op->target_size : op->key_size,
	};
	entry->hash = fx_hash_key(run->store->hash_seed, entry->key, entry->key_size);
}

/* The two entries of a rename find each other through a table by operation. */
static int link_peers(struct run *run, size_t op_count)
{
	struct entry **first = calloc(op_count, sizeof(*first));

	if (!first)
		return -ENOMEM;
	for (size_t i = 0; i < run->count; i++) {
		struct entry *entry = &run->entries[i];
		struct entry **seen = &first[entry->op - run->ops];

		if (entry->op->kind != FX_OP_RENAME)
			continue;
		if (*seen) {
			entry->peer = *seen;
			(*seen)->peer = entry;
		}
		*seen = entry;
	}
	free(first);
	return 0;
}

static int collect(struct run *run, const struct feox_batch *batch)
{
	run->entries = calloc(2 * batch->count, sizeof(*run->entries));
	if (!run->entries)
		return -ENOMEM;
	for (size_t i = 0; i < batch->count; i++) {
		entry_set(run, &run->entries[run->count++], &batch->ops[i], false);
		if (batch->ops[i].kind == FX_OP_RENAME)
			entry_set(run, &run->entries[run->count++], &batch->ops[i], true);
	}
	qsort(run->entries, run->count, sizeof(*run->entries), compare_entries);
	for (size_t i = 1; i < run->count; i++)
		if (!compare_entries(&run->entries[i - 1], &run->entries[i])) {
			run->failed = (size_t)(run->entries[i].op - run->ops);
			return -EINVAL;
		}
	return link_peers(run, batch->count);
}

/* Large values have been allocated when they were added. */
static int take_memory(struct run *run, const struct feox_batch *batch, uint64_t *ret_taken)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < batch->count; i++) {
		const struct fx_op *op = &batch->ops[i];

		bytes += 2 * sizeof(struct fx_record) + op->key_size + op->target_size;
		if (!(op->flags & FEOX_RESERVED) && op->kind == FX_OP_PUT)
			bytes += op->metadata_size + (op->large ? 0 : op->value_size);
	}
	return fx_memory_take(run->store, bytes, run->nowait, ret_taken);
}

static bool only_deletes(const struct feox_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		if (batch->ops[i].kind != FX_OP_DELETE && batch->ops[i].kind != FX_OP_CHECK)
			return false;
	return true;
}

static bool any_reserved(const struct feox_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		if (batch->ops[i].flags & FEOX_RESERVED)
			return true;
	return false;
}

/* T8: all of them by the same clock, after the waiting for intents. */
static void forget_expired(struct run *run)
{
	uint64_t now = fx_clock_now(&run->store->clock);

	for (size_t i = 0; i < run->count; i++)
		if (run->entries[i].old && fx_record_expired(run->entries[i].old, now))
			run->entries[i].old = NULL;
}

/* Between looking and deciding there may have been a wait for room or for the disk. */
static int check_expired(struct run *run)
{
	uint64_t now = fx_clock_now(&run->store->clock);

	for (size_t i = 0; i < run->count && !run->again; i++)
		run->again = run->entries[i].old && fx_record_expired(run->entries[i].old, now);
	return run->again ? -EAGAIN : 0;
}

static int execute(struct run *run, const struct feox_batch *batch)
{
	struct fx_grant need = {0};
	bool frees = only_deletes(batch);
	uint64_t taken = 0;
	int err = frees ? 0 : take_memory(run, batch, &taken);

	if (!err && !frees)
		err = fx_epoch_throttle(run->store->epoch, run->nowait);
	if (!err) /* an old record and a tombstone for each key */
		err = fx_epoch_prepare(run->store->epoch, 2 * run->count);

	for (size_t i = 0; i < run->count && !err; i++)
		err = fx_intent_place(run, &run->entries[i]);
	FX_PAUSE(FX_PAUSE_INTENTS);
	if (!err) {
		forget_expired(run);
		err = fx_run_build(run, &need);
	}
	if (!err)
		err = fx_grant_acquire(run->store, &run->held, &need, run->nowait,
				       any_reserved(batch));
	if (!err)
		err = add_keys(run);
	FX_PAUSE(FX_PAUSE_BUILT);
	if (!err)
		err = check_expired(run);
	if (err)
		abort_run(run);
	else
		commit(run);
	FX_PAUSE(FX_PAUSE_DECIDED);
	settle_all(run);
	fx_grant_release(run->store, &run->held);
	fx_budget_give(&run->store->budget, taken);
	fx_epoch_offer(run->store->epoch);
	return err;
}

/* *ret_again: a key expired while it ran; with it gone, the batch may still succeed. */
static int run_once(struct feox_store *store, struct feox_batch *batch, bool nowait,
		    size_t *ret_failed, bool *ret_again)
{
	struct run run = {.store = store, .ops = batch->ops, .nowait = nowait, .failed = SIZE_MAX};
	int err;

	run.tx = calloc(1, sizeof(*run.tx));
	if (!run.tx)
		return -ENOMEM;
	atomic_init(&run.tx->refs, 1);
	err = collect(&run, batch);
	if (!err)
		err = execute(&run, batch);
	fx_transaction_unref(run.tx);
	free(run.entries);
	*ret_failed = run.failed;
	*ret_again = run.again;
	return err;
}

static int announce_versions(struct feox_store *store, const struct feox_batch *batch,
			     unsigned int flags)
{
	int err = 0;

	for (size_t i = 0; i < batch->count && !err; i++) {
		const struct fx_op *op = &batch->ops[i];

		if (op->flags & FEOX_SET_VERSION)
			err = fx_version_announce(
				store, fx_hash_key(store->hash_seed, fx_op_key(op), op->key_size),
				FEOX_SET_VERSION | (flags & FEOX_NOWAIT), op->set_version);
	}
	return err;
}

int fx_transaction_run(struct feox_store *store, struct feox_batch *batch, unsigned int flags,
		       size_t *ret_failed)
{
	size_t failed = SIZE_MAX;
	bool again = false;
	int err = fx_store_writable(store);

	if (!err)
		err = announce_versions(store, batch, flags);
	if (err || !batch->count)
		return err;
	do
		err = run_once(store, batch, flags & FEOX_NOWAIT, &failed, &again);
	while (again);
	if (err && ret_failed)
		*ret_failed = failed;
	return err;
}
