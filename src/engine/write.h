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
	struct fx_value *large; /* else; the record takes a reference of its own */
};

/* A copy of a value too large to be inline, or NULL. -ENOMEM. */
int fx_value_prepare(struct feox_store *store, const void *value, size_t size,
		     struct fx_value **ret_large);

/* NULL when memory is short. Version 0. */
struct fx_record *fx_record_build(struct feox_store *store, const struct fx_content *content);
struct fx_record *fx_tombstone_build(struct feox_store *store, const void *key, size_t key_size);

/* What record consists of. Its value must not be cold. Inside the section that found it. */
void fx_content_of(struct fx_record *record, struct fx_content *ret_content);

/* What FEOX_KEEP_METADATA and FEOX_KEEP_EXPIRY take over from old (may be NULL). */
void fx_content_keep(struct fx_content *content, const struct fx_record *old, unsigned int flags);

/* Delete the key of record (pinned) if it still has it and it has expired; -ENOENT otherwise. */
int fx_sweep_key(struct feox_store *store, struct fx_record *record);

#endif
