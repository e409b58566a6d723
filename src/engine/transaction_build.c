/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transaction_build.c - what follows from what: the record that each key of a transaction gets, out
 * of its operation and of what its key, or the other key of a rename, has now. All keys have their
 * intents by then, so what is looked at here stays (T1).
 */
#include "intent.h"

#include <errno.h>

static int load_value(struct run *run, struct fx_record *record)
{
	struct fx_cold cold;
	int err;

	if (!fx_record_is_cold(record))
		return 0;
	if (run->nowait)
		return -EAGAIN;
	fx_epoch_enter(); /* it is live, our intent keeps it so: its extent is there */
	fx_cold_pin(run->store, record, &cold);
	fx_epoch_leave();
	err = fx_cold_load(run->store, &cold);
	fx_cold_unpin(run->store, &cold);
	return err;
}

static int build_put(struct run *run, struct entry *entry)
{
	const struct fx_op *op = entry->op;
	struct fx_content content = {
		.key = entry->key,
		.key_size = entry->key_size,
		.metadata = fx_op_metadata(op),
		.metadata_size = op->metadata_size,
		.expiry_ns = op->expiry_ns,
		.value = fx_op_value(op),
		.size = op->value_size,
		.large = op->large,
	};

	if (entry->old && (op->flags & FEOX_IF_ABSENT))
		return 0;
	fx_content_keep(&content, entry->old, op->flags);
	entry->new = fx_record_build(run->store, &content);
	return entry->new ? 0 : -ENOMEM;
}

/* entry's new record has the content of source's old one. */
static int build_moved(struct run *run, struct entry *entry, const struct entry *source)
{
	const struct fx_op *op = entry->op;
	bool override = op->kind == FX_OP_METADATA ||
			((op->flags & FEOX_RENAME_METADATA) && entry->is_target);
	struct fx_content content;
	int err = load_value(run, source->old);

	if (err)
		return err;
	fx_content_of(source->old, &content);
	content.key = entry->key;
	content.key_size = entry->key_size;
	if (override) {
		content.metadata = fx_op_metadata(op);
		content.metadata_size = op->metadata_size;
	}
	entry->new = fx_record_build(run->store, &content);
	return entry->new ? 0 : -ENOMEM;
}

static int build_tombstone(struct run *run, struct entry *entry)
{
	entry->new = fx_tombstone_build(run->store, entry->key, entry->key_size);
	return entry->new ? 0 : -ENOMEM;
}

/* Part of a renamed prefix: whatever has expired by now is simply not moved. */
static int build_optional(struct run *run, struct entry *entry)
{
	bool receives = entry->is_target || (entry->op->flags & FEOX_RENAME_EXCHANGE);

	if (receives && entry->peer->old)
		return build_moved(run, entry, entry->peer);
	return entry->old ? build_tombstone(run, entry) : 0;
}

static int build_renamed(struct run *run, struct entry *entry)
{
	const struct entry *source = entry->is_target ? entry->peer : entry;
	const struct entry *target = entry->is_target ? entry : entry->peer;
	unsigned int flags = entry->op->flags;

	if (flags & FX_OP_OPTIONAL)
		return build_optional(run, entry);
	if (!source->old || ((flags & FEOX_RENAME_EXCHANGE) && !target->old))
		return -ENOENT;
	if ((flags & FEOX_RENAME_NOREPLACE) && target->old)
		return -EEXIST;
	if ((flags & FEOX_IF_VERSION) &&
	    (!target->old || target->old->version != entry->op->if_version))
		return -ECANCELED;
	if (entry->is_target || (flags & FEOX_RENAME_EXCHANGE))
		return build_moved(run, entry, entry->peer);
	return build_tombstone(run, entry);
}

static int build(struct run *run, struct entry *entry)
{
	const struct fx_op *op = entry->op;
	int err;

	if (op->kind == FX_OP_RENAME)
		return build_renamed(run, entry);
	err = fx_check_conditions(entry->old, op->flags, op->if_version);
	if (err || op->kind == FX_OP_CHECK)
		return err;
	if (op->kind == FX_OP_PUT)
		return build_put(run, entry);
	if (!entry->old)
		return op->flags & FX_OP_OPTIONAL ? 0 : -ENOENT;
	return op->kind == FX_OP_DELETE ? build_tombstone(run, entry)
					: build_moved(run, entry, entry);
}

/* Give entry's new record its version. -ESTALE. */
static int set_version(struct run *run, struct entry *entry, const struct fx_record *before)
{
	const struct fx_op *op = entry->op;

	if (op->kind == FX_OP_METADATA) {
		entry->new->version = entry->old->version;
		return 0;
	}
	return fx_version_of_change(run->store, entry->hash, before, op->flags, op->set_version,
				    &entry->new->version);
}

int fx_run_build(struct run *run, struct fx_grant *need)
{
	for (size_t i = 0; i < run->count; i++) {
		struct entry *entry = &run->entries[i];
		struct fx_record *before = fx_word_record(entry->old_word);
		int err = build(run, entry);

		if (!err && entry->new)
			err = set_version(run, entry, before);
		if (err) {
			run->failed = (size_t)(entry->op - run->ops);
			return err;
		}
		if (!entry->new)
			continue;
		if (run->store->persistent)
			fx_pending_of(entry->new)->prev = before;
		fx_grant_add(need, entry->new);
	}
	return 0;
}
