/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event.c - telling the change callback what has happened, by the thread that did it, after it was
 * published and outside of every lock and epoch section. So nothing here orders the events of two
 * threads; the versions do.
 *
 * A batch notes, while its records are still its own, what becomes of each key (fx_op.outcome), and
 * is told operation by operation when its locks are gone.
 */
#include "batch.h"

static void tell(struct feox_store *store, const struct feox_event *event)
{
	store->changed(store->changed_ctx, event);
}

void fx_event_change(struct feox_store *store, const struct fx_change *c)
{
	struct feox_event event = {
		.kind = c->evicts	  ? FEOX_EVENT_EVICT
			: c->sweep	  ? FEOX_EVENT_EXPIRE
			: c->deleted	  ? FEOX_EVENT_DELETE
			: c->keep_version ? FEOX_EVENT_TOUCH
					  : FEOX_EVENT_SET,
		.key = c->key,
		.key_size = c->key_size,
		.version = c->version,
		.expiry_ns = c->new_expiry_ns,
	};

	tell(store, &event);
}

/* The key (or a rename's target) of op was set, touched or deleted by itself. */
static void tell_single(struct feox_store *store, const struct fx_op *op, bool target)
{
	const struct fx_outcome *outcome = &op->outcome[target];
	struct feox_event event = {
		.kind = outcome->what == FX_KEY_GONE ? FEOX_EVENT_DELETE
			: op->kind == FX_OP_METADATA ? FEOX_EVENT_TOUCH
						     : FEOX_EVENT_SET,
		.key = target ? fx_op_target(op) : fx_op_key(op),
		.key_size = target ? op->target_size : op->key_size,
		.version = outcome->version,
		.expiry_ns = outcome->expiry_ns,
	};

	if (outcome->what != FX_KEY_SAME)
		tell(store, &event);
}

/* The record of the other key went to this one. */
static void tell_moved(struct feox_store *store, const struct fx_op *op, bool target)
{
	const struct fx_outcome *to = &op->outcome[target], *from = &op->outcome[!target];
	struct feox_event event = {
		.kind = FEOX_EVENT_RENAME,
		.key = target ? fx_op_target(op) : fx_op_key(op),
		.key_size = target ? op->target_size : op->key_size,
		.version = to->version,
		.expiry_ns = to->expiry_ns,
		.from = target ? fx_op_key(op) : fx_op_target(op),
		.from_size = target ? op->key_size : op->target_size,
		.from_version = from->what == FX_KEY_GONE ? from->version : 0,
	};

	tell(store, &event);
}

static void tell_rename(struct feox_store *store, const struct fx_op *op)
{
	bool forth = op->outcome[1].what == FX_KEY_SET, back = op->outcome[0].what == FX_KEY_SET;

	if (forth)
		tell_moved(store, op, true);
	if (back)
		tell_moved(store, op, false);
	if (forth || back)
		return; /* the event of the one says that the other is gone */
	tell_single(store, op, false);
	tell_single(store, op, true);
}

void fx_event_batch(const struct feox_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		const struct fx_op *op = &batch->ops[i];

		if (op->kind == FX_OP_RENAME)
			tell_rename(batch->store, op);
		else
			tell_single(batch->store, op, false);
	}
}
