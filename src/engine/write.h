/* SPDX-License-Identifier: Apache-2.0 */
/* write.h - building the records that changes consist of. */
#ifndef FX_WRITE_H
#define FX_WRITE_H

#include "commit.h"

/* What a record is made from. Points into the caller's or another record's memory. */
struct fx_content {
	const void *key;
	size_t key_size;
	const void *metadata;
	size_t metadata_size;
	uint64_t expiry_ns;
	const void *value; /* when it is to be inline */
	size_t size;
	struct fx_value *large; /* else; the record takes a reference of its own, or a copy */
	bool cold;		/* neither: it stays on disk, where basis has it */
	/* The record whose value this is, when that is to stay where it is on disk; or NULL. */
	struct fx_record *basis;
	uint16_t strip, prefix_size; /* of struct fx_pending; strip FX_STRIP_ALL if it is not so */
};

/*
 * A copy of a value too large to be inline, or NULL. flags: FEOX_RESERVED, its room is promised;
 * FEOX_NOWAIT. -ENOMEM, -EAGAIN as fx_memory_take().
 */
int fx_value_prepare(struct feox_store *store, const void *value, size_t size, unsigned int flags,
		     struct fx_value **ret_large);

/*
 * For build: the value of record must be in memory. 0; -EAGAIN, with the change set so that
 * fx_commit() loads it and calls build again.
 */
int fx_value_need(struct feox_store *store, struct fx_change *change, struct fx_record *record);

/* NULL when memory is short. Version 0. */
struct fx_record *fx_record_build(struct feox_store *store, const struct fx_content *content);
struct fx_record *fx_tombstone_build(struct feox_store *store, const void *key, size_t key_size);

/* Free a record that was built and never published. */
void fx_record_drop(struct feox_store *store, struct fx_record *record);

/*
 * What record consists of, and record as the basis; value and large are NULL when it is cold, or
 * empty. Inside the section that found it.
 */
void fx_content_of(struct fx_record *record, struct fx_content *ret_content);

/* What FEOX_KEEP_METADATA and FEOX_KEEP_EXPIRY take over from old (may be NULL). */
void fx_content_keep(struct fx_content *content, const struct fx_record *old, unsigned int flags);

/* What feox_add() and feox_patch() keep of a key that is present. */
unsigned int fx_keep_flags(const struct fx_change *change);

/* build of a put: the record that the change's value, metadata and expiry make. */
int fx_build_put(struct feox_store *store, struct fx_change *change, struct fx_record *old,
		 struct fx_record **ret_record);

/* Commit a change, its build set, with room for a record with so much inline value. */
int fx_commit_within(struct feox_store *store, struct fx_change *change, uint64_t value_size);

/* Commit a change, its build set, with this value. Errors as feox_put(). */
int fx_put_value(struct feox_store *store, struct fx_change *change, const void *value,
		 size_t value_size);

/*
 * A put or update, begun at begin_ns (fx_timer_begin()), has succeeded: count it, and give its
 * result; ret_result may be NULL.
 */
void fx_put_finish(struct feox_store *store, const struct fx_change *change, enum feox_op op,
		   uint64_t begin_ns, struct feox_write_result *ret_result);

/*
 * Evict the key of record (pinned) if it still has it, without waiting. 0,
 * or the key is another's now, or in a writer's hands.
 */
int fx_evict_key(struct feox_store *store, struct fx_record *record);

/* Delete the key of record (pinned) if it still has it and it has expired; -ENOENT otherwise. */
int fx_sweep_key(struct feox_store *store, struct fx_record *record);

#endif
