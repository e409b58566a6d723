/* SPDX-License-Identifier: Apache-2.0 */
/* write.c - changes of one key: what the record that follows is; commit.c makes it happen. */
#include "write.h"

#include "amended.h"
#include "histogram.h"

#include <errno.h>
#include <string.h>

#define PUT_FLAGS                                                                                  \
	(FEOX_NOWAIT | FEOX_CREATE | FEOX_REPLACE | FEOX_IF_VERSION | FEOX_KEEP_EXPIRY |           \
	 FEOX_KEEP_METADATA | FEOX_RESERVED | FEOX_SET_VERSION)
#define CHANGE_FLAGS (FEOX_NOWAIT | FEOX_REPLACE | FEOX_IF_VERSION) /* they always replace */
#define DELETE_FLAGS (CHANGE_FLAGS | FEOX_SET_VERSION)

/* ---- Records that follow others
 * ------------------------------------------------------------------ */

int fx_value_prepare(struct feox_store *store, const void *value, size_t size, unsigned int flags,
		     struct fx_value **ret_large)
{
	struct fx_value *large = NULL;
	uint64_t taken = 0;
	int err = 0;

	if (size > FX_INLINE_MAX) {
		if (!(flags & FEOX_RESERVED))
			err = fx_memory_take(store, sizeof(*large) + size, flags & FEOX_NOWAIT,
					     &taken);
		if (err)
			return err;
		large = fx_value_new(store->slab, size);
		fx_budget_give(&store->budget, taken); /* it counts as used now */
		if (!large)
			return -ENOMEM;
		memcpy(large->bytes, value, size);
	}
	*ret_large = large;
	return 0;
}

/* A record with what the flusher needs to know of it. */
static struct fx_record *record_new(struct feox_store *store, const struct fx_record_parts *parts)
{
	struct fx_record *record = fx_record_new(store->slab, parts);

	if (record && store->persistent && fx_pending_new(store->slab, record)) {
		fx_record_unref(store->slab, record);
		record = NULL;
	}
	return record;
}

struct fx_record *fx_record_build(struct feox_store *store, const struct fx_content *content)
{
	const struct fx_record_parts parts = {
		.key = content->key,
		.key_size = content->key_size,
		.metadata = content->metadata,
		.metadata_size = content->metadata_size,
		.expiry_ns = content->expiry_ns,
		.value_size = content->size,
		.cold = content->cold,
	};
	struct fx_record *record = record_new(store, &parts);

	if (record && content->basis && store->persistent) {
		fx_pending_base(record, content->basis);
		fx_pending_of(record)->strip = content->strip;
		fx_pending_of(record)->prefix_size = content->prefix_size;
	}
	if (!record || !content->size || content->cold)
		return record;
	if (record->flags & FX_RECORD_APART) {
		fx_value_ref(content->large);
		atomic_store_explicit(fx_record_value_field(record), content->large,
				      memory_order_relaxed);
	} else { /* a small value that was read from disk is apart until now */
		memcpy(fx_record_inline_value(record),
		       content->large ? content->large->bytes : content->value, content->size);
	}
	return record;
}

struct fx_record *fx_tombstone_build(struct feox_store *store, const void *key, size_t key_size)
{
	struct fx_record *record =
		record_new(store, &(struct fx_record_parts){.key = key, .key_size = key_size});

	if (record)
		record->flags |= FX_RECORD_TOMBSTONE;
	return record;
}

void fx_record_drop(struct feox_store *store, struct fx_record *record)
{
	if (store->persistent)
		fx_pending_free(store->slab, record);
	fx_record_unref(store->slab, record);
}

void fx_content_of(struct fx_record *record, struct fx_content *ret_content)
{
	*ret_content = (struct fx_content){
		.key = fx_record_key(record),
		.key_size = record->key_size,
		.metadata = fx_record_metadata(record),
		.metadata_size = record->metadata_size,
		.expiry_ns = fx_record_expiry(record),
		.size = record->value_size,
		.basis = record,
		.strip = FX_STRIP_ALL,
	};
	if (record->flags & FX_RECORD_APART) {
		ret_content->large = fx_record_value(record);
		ret_content->cold = !ret_content->large;
	} else {
		ret_content->value = fx_record_inline_value(record);
	}
}

int fx_value_need(struct feox_store *store, struct fx_change *c, struct fx_record *record)
{
	if (!fx_record_is_cold(record))
		return 0;
	fx_cold_pin(store, record, &c->cold);
	c->wait = FX_WAIT_COLD;
	return -EAGAIN;
}

/* ---- Put ---------------------------------------------------------------------------------------
 */

int fx_build_put(struct feox_store *store, struct fx_change *c, struct fx_record *old,
		 struct fx_record **ret_record)
{
	struct fx_content content = {
		.key = c->key,
		.key_size = c->key_size,
		.metadata = c->metadata,
		.metadata_size = c->metadata_size,
		.expiry_ns = c->expiry_ns,
		.value = c->value,
		.size = c->value_size,
		.large = c->large,
	};

	fx_content_keep(&content, old, c->flags);
	*ret_record = fx_record_build(store, &content);
	return *ret_record ? 0 : -ENOMEM;
}

void fx_content_keep(struct fx_content *content, const struct fx_record *old, unsigned int flags)
{
	if (old && (flags & FEOX_KEEP_METADATA)) {
		content->metadata = fx_record_metadata(old);
		content->metadata_size = old->metadata_size;
	}
	if (old && (flags & FEOX_KEEP_EXPIRY))
		content->expiry_ns = fx_record_expiry(old);
}

unsigned int fx_keep_flags(const struct fx_change *c)
{
	return (c->flags & FEOX_SET_METADATA ? 0u : FEOX_KEEP_METADATA) |
	       (c->flags & FEOX_SET_EXPIRY ? 0u : FEOX_KEEP_EXPIRY);
}

/* A change that makes room in a cache is about to use its key: that should not be what goes. */
static void keep_key(struct feox_store *store, const struct fx_change *c, uint64_t bytes)
{
	if (!store->cache_bytes || fx_budget_is_far(&store->budget, bytes))
		return;
	fx_epoch_enter();
	fx_find_used(store, c->hash, c->key, c->key_size);
	fx_epoch_leave();
}

int fx_commit_within(struct feox_store *store, struct fx_change *c, uint64_t value_size)
{
	uint64_t taken = 0;
	int err = 0;

	keep_key(store, c, value_size);
	if (!(c->flags & FEOX_RESERVED))
		err = fx_memory_take(store,
				     fx_record_bytes(c->key_size, c->metadata_size, value_size),
				     c->flags & FEOX_NOWAIT, &taken);
	if (err)
		return err;
	err = fx_commit(store, c);
	fx_budget_give(&store->budget, taken);
	return err;
}

int fx_put_value(struct feox_store *store, struct fx_change *c, const void *value,
		 size_t value_size)
{
	int err;

	if (!value && value_size)
		return -EINVAL;
	if (value_size > store->max_value)
		return -EFBIG;
	if (value_size > FX_INLINE_MAX)
		keep_key(store, c, value_size);
	err = fx_value_prepare(store, value, value_size, c->flags, &c->large);
	if (err)
		return err;
	c->value = value;
	c->value_size = value_size;
	err = fx_commit_within(store, c, c->large ? 0 : value_size);
	fx_value_unref(store->slab, c->large);
	return err;
}

void fx_put_finish(struct feox_store *store, const struct fx_change *c, enum feox_op op,
		   uint64_t begin_ns, struct feox_write_result *ret_result)
{
	fx_count(&fx_counters(store)->puts, 1);
	fx_timer_end(store, op, begin_ns);
	if (ret_result)
		*ret_result = (struct feox_write_result){.version = c->version,
							 .expiry_ns = c->new_expiry_ns,
							 .created = c->created};
}

FEOX_API int feox_put(struct feox_store *store, const void *key, size_t key_size, const void *value,
		      size_t value_size, const struct feox_write_options *options,
		      struct feox_write_result *ret_result)
{
	struct fx_change c;
	uint64_t begin_ns;
	int err = fx_change_init(store, &c, key, key_size, options, PUT_FLAGS);

	if (err)
		return err;
	begin_ns = fx_timer_begin(fx_counters(store));
	c.build = fx_build_put;
	err = fx_put_value(store, &c, value, value_size);
	if (!err)
		fx_put_finish(store, &c, FEOX_OP_PUT, begin_ns, ret_result);
	return err;
}

/* ---- Delete, expiry ----------------------------------------------------------------------------
 */

static int build_tombstone(struct feox_store *store, struct fx_change *c, struct fx_record *old,
			   struct fx_record **ret_record)
{
	if (!old)
		return -ENOENT;
	*ret_record = fx_tombstone_build(store, c->key, c->key_size);
	return *ret_record ? 0 : -ENOMEM;
}

FEOX_API int feox_delete(struct feox_store *store, const void *key, size_t key_size,
			 const struct feox_write_options *options)
{
	struct fx_change c;
	uint64_t begin_ns;
	int err = fx_change_init(store, &c, key, key_size, options, DELETE_FLAGS);

	if (err)
		return err;
	begin_ns = fx_timer_begin(fx_counters(store));
	c.flags |= FEOX_REPLACE;
	c.build = build_tombstone;
	c.deletes = true;
	err = fx_commit(store, &c);
	if (err)
		return err;
	fx_count(&fx_counters(store)->deletes, 1);
	fx_timer_end(store, FEOX_OP_DELETE, begin_ns);
	return 0;
}

/* Delete the key of record if it still has it. */
static int remove_record(struct feox_store *store, struct fx_record *record, bool evicts,
			 unsigned int flags)
{
	struct fx_change c;
	int err = fx_change_init(store, &c, fx_record_key(record), record->key_size, NULL, 0);

	if (err)
		return err;
	c.flags |= flags;
	c.sweep = record;
	c.evicts = evicts;
	c.build = build_tombstone;
	c.deletes = true;
	err = fx_commit(store, &c);
	if (!err)
		fx_count(evicts ? &fx_counters(store)->evictions : &fx_counters(store)->expiries,
			 1);
	return err;
}

int fx_sweep_key(struct feox_store *store, struct fx_record *record)
{
	return remove_record(store, record, false, 0);
}

int fx_evict_key(struct feox_store *store, struct fx_record *record)
{
	return remove_record(store, record, true, FEOX_NOWAIT);
}

/* Commit a change of what is beside the value. */
static int touch(struct feox_store *store, struct fx_change *c)
{
	uint64_t begin_ns = fx_timer_begin(fx_counters(store));
	int err;

	c->keep_version = true;
	c->flags |= FEOX_REPLACE;
	err = fx_commit(store, c);
	if (err)
		return err;
	fx_count(&fx_counters(store)->touches, 1);
	fx_timer_end(store, FEOX_OP_UPDATE, begin_ns);
	return 0;
}

static int build_expiry(struct feox_store *store, struct fx_change *c, struct fx_record *old,
			struct fx_record **ret_record)
{
	struct fx_content content;

	if (!old)
		return -ENOENT;
	fx_content_of(old, &content);
	content.expiry_ns = c->expiry_ns;
	*ret_record = fx_record_build(store, &content);
	return *ret_record ? 0 : -ENOMEM;
}

FEOX_API int feox_set_expiry(struct feox_store *store, const void *key, size_t key_size,
			     uint64_t expiry_ns, const struct feox_write_options *options)
{
	struct fx_change c;
	int err = fx_change_init(store, &c, key, key_size, options, CHANGE_FLAGS);

	if (err || expiry_ns > FEOX_TIME_MAX)
		return -EINVAL;
	c.expiry_ns = expiry_ns;
	c.build = build_expiry;
	return touch(store, &c);
}

/* ---- Metadata ----------------------------------------------------------------------------------
 */

static int build_metadata(struct feox_store *store, struct fx_change *c, struct fx_record *old,
			  struct fx_record **ret_record)
{
	struct fx_content content;

	if (!old)
		return -ENOENT;
	fx_content_of(old, &content);
	content.metadata = c->metadata;
	content.metadata_size = c->metadata_size;
	*ret_record = fx_record_build(store, &content);
	return *ret_record ? 0 : -ENOMEM;
}

FEOX_API int feox_set_metadata(struct feox_store *store, const void *key, size_t key_size,
			       const void *metadata, size_t metadata_size,
			       const struct feox_write_options *options)
{
	struct fx_change c;
	uint64_t taken;
	int err = fx_change_init(store, &c, key, key_size, options, CHANGE_FLAGS);

	if (err || metadata_size > FEOX_METADATA_MAX || (!metadata && metadata_size))
		return -EINVAL;
	c.metadata = metadata;
	c.metadata_size = metadata_size;
	c.build = build_metadata;
	keep_key(store, &c, metadata_size);
	err = fx_memory_take(store, metadata_size, c.flags & FEOX_NOWAIT, &taken);
	if (err)
		return err;
	err = touch(store, &c);
	fx_budget_give(&store->budget, taken);
	return err;
}
