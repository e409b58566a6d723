/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settle.c - the end of a batch: what was written is durable, what it replaced is given up. A4 is
 * an invariant of amend.c.
 */
#include "batch_write.h"

#include "commit.h"

/* Settling cannot fail: it waits for the little memory that retiring takes. */
static void prepare(struct feox_store *store)
{
	unsigned int turns = 0;

	while (fx_epoch_prepare(store->epoch, 1))
		fx_backoff(&turns);
}

static void pending_freed(struct fx_retired *retired, void *ctx)
{
	struct feox_store *store = ctx;
	struct fx_pending *pending =
		(struct fx_pending *)((char *)retired - offsetof(struct fx_pending, retired));

	fx_record_unref(store->slab, pending->basis);
	fx_slab_free(store->slab, pending, sizeof(*pending));
}

/* The end of a change. Readers may be on their way through it to its basis (A4). */
static void end_change(struct feox_store *store, struct fx_pending *pending)
{
	if (pending->basis)
		fx_epoch_retire(store->epoch, &pending->retired, pending_freed, sizeof(*pending));
	else
		fx_slab_free(store->slab, pending, sizeof(*pending));
}

/* What a record that is durable now has replaced: back to one that was durable before. */
static void retire_chain(struct feox_store *store, struct fx_record *record)
{
	while (record) {
		struct fx_record *prev = NULL;

		if (!fx_record_is(record, FX_DURABLE)) {
			struct fx_pending *pending = fx_pending_of(record);

			prev = pending->prev;
			end_change(store, pending);
		}
		prepare(store);
		fx_record_retire(store, record);
		record = prev;
	}
}

/* From now on readers find it without its pending. */
static uint8_t make_durable(struct fx_pending *change)
{
	/* Release: pairs with fx_value_location(); the extent that it names is in the table. */
	atomic_store_explicit(&change->record->place, change->location, memory_order_release);
	/* Release: who sees DURABLE sees the place. */
	return atomic_fetch_or_explicit(&change->record->state, FX_DURABLE, memory_order_acq_rel);
}

static void settle_change(struct feox_store *store, struct fx_pending *change)
{
	struct fx_record *record = change->record;

	retire_chain(store, change->prev);
	prepare(store); /* for the tombstone */
	/*
	 * A tombstone may be gone from here on, unless its deleter has been there before: then
	 * finishing it is up to us.
	 */
	if (!change->basis && (make_durable(change) & FX_UNLINKED))
		fx_tombstone_finish(store, record);
	end_change(store, change);
}

void fx_changes_settle(struct feox_store *store, struct fx_pending *changes)
{
	/* All that lead to a basis first, since what they lead through is retired then (A4). */
	for (struct fx_pending *p = changes; p; p = p->next)
		if (p->basis)
			make_durable(p);
	while (changes) {
		struct fx_pending *next = changes->next;

		settle_change(store, changes);
		changes = next;
	}
}
