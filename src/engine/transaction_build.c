/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transaction_build.c - what follows from what: the record that each key of a transaction gets, out
 * of its operation and of what its key, or the other key of a rename, has now. All keys have their
 * intents by then, so what is looked at here stays (T1).
 */
#include "intent.h"

#include <errno.h>

#define AMENDED_BYTES_MAX                                                                          \
	((uint64_t)512 << 20) /* keys and metadata that a batch moves or changes */

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

/*
 * The small value of a renamed directory's key is copied with its record. Where the memory limit is
 * near, and it is on disk, it stays there: all of them together may be much.
 */
static void leave_on_disk(struct feox_store *store, struct fx_content *content)
{
	if (!store->persistent || content->large || !content->size ||
	    !fx_record_is(content->basis, FX_DURABLE) || fx_memory_is_spare(store, content->size))
		return;
	content->value = NULL;
	content->cold = true;
}

/* entry's new record has the content of source's old one. */
static int build_moved(struct run *run, struct entry *entry, const struct entry *source)
{
	const struct fx_op *op = entry->op;
	bool override = op->kind == FX_OP_METADATA ||
			((op->flags & FEOX_RENAME_METADATA) && entry->is_target);
	struct fx_content content;

	fx_epoch_enter(); /* a value in memory stays until we have it */
	fx_content_of(source->old, &content);
	content.key = entry->key;
	content.key_size = entry->key_size;
	if (override) {
		content.metadata = fx_op_metadata(op);
		content.metadata_size = op->metadata_size;
	}
	if (op->flags & FX_OP_PREFIX) {
		content.strip = entry->is_target ? op->strip : op->prefix_size;
		content.prefix_size = entry->is_target ? op->prefix_size : op->strip;
		leave_on_disk(run->store, &content);
	}
	entry->new = fx_record_build(run->store, &content);
	fx_epoch_leave();
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

/* One version for all keys of a renamed prefix: newer than each that it replaces. */
static uint64_t draw_prefix_version(const struct run *run, uint64_t hash)
{
	uint64_t shards = 0;

	for (size_t i = 0; i < run->count; i++)
		if (run->entries[i].op->flags & FX_OP_PREFIX)
			shards |= UINT64_C(1) << run->entries[i].hash % FX_VERSION_SHARDS;
	return fx_version_for_all(run->store, shards, hash);
}

/* Give entry's new record its version. -ESTALE. */
static int set_version(struct run *run, struct entry *entry, const struct fx_record *before)
{
	const struct fx_op *op = entry->op;

	if (op->kind == FX_OP_METADATA) {
		entry->new->version = entry->old->version;
		return 0;
	}
	if ((op->flags & FX_OP_PREFIX) && !(entry->new->flags &FX_RECORD_TOMBSTONE)) {
		if (!run->prefix_version)
			run->prefix_version = draw_prefix_version(run, entry->hash);
		entry->new->version = run->prefix_version;
		return 0;
	}
	return fx_version_of_change(run->store, entry->hash, before, op->flags, op->set_version,
				    &entry->new->version);
}

/* The batch's commit record is one piece: it has a limit. */
static int count_amendment(const struct run *run, const struct fx_record *new, uint64_t *bytes)
{
	if (run->store->persistent && fx_pending_of(new)->basis)
		*bytes += fx_record_own_bytes(new);
	return *bytes > AMENDED_BYTES_MAX ? -E2BIG : 0;
}

int fx_run_build(struct run *run, struct fx_grant *need)
{
	uint64_t amended = 0; /* bytes */
	int err;

	for (size_t i = 0; i < run->count; i++) {
		struct entry *entry = &run->entries[i];
		struct fx_record *before = fx_word_record(entry->old_word);
		err = build(run, entry);
		if (!err && entry->new)
			err = set_version(run, entry, before);
		if (!err && entry->new)
			err = count_amendment(run, entry->new, &amended);
		if (err) {
			run->failed = (size_t)(entry->op - run->ops);
			return err;
		}
		if (!entry->new)
			continue;
		if (run->store->persistent)
			fx_pending_of(entry->new)->prev = before;
	}
	err = fx_run_price(run);
	for (size_t i = 0; i < run->count && !err; i++)
		if (run->entries[i].new)
			fx_grant_add(run->store, need, run->entries[i].new);
	return err;
}
