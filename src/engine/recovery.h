/* SPDX-License-Identifier: Apache-2.0 */
/* recovery.h - what the steps of recovery share, with one another and with check.c. */
#ifndef FX_RECOVERY_H
#define FX_RECOVERY_H

#include "amend_found.h"
#include "extent.h"
#include "journal_chain.h"

/* Damage of one extent, or of one record of it. */
struct fx_damage {
	const struct fx_extent *extent;
	const char *what;
	/* A key that lives twice: the record found second; else NULL. */
	const struct fx_extent_entry *twin;
	uint32_t twin_index;
	const struct fx_record *first; /* the one found before, inside the caller's section */
};

struct fx_recovery {
	/* How it is done. */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
	struct feox_diag *diag; /* not NULL */
	/*
	 * Damage that concerns an extent or a key: 0 goes on without it. NULL: the first one ends
	 * recovery.
	 */
	int (*damage)(void *ctx, const struct fx_damage *damage);
	void *damage_ctx;
	/* What was found. */
	bool clean; /* the last record says that the store was closed in order */
	bool torn;  /* a batch had begun and was not written to its end */
	uint64_t journal_records;
	uint64_t version_ceiling, id_ceiling;
	struct fx_found *found; /* amendments; the caller's to free (fx_found_free()) */
};

/* Space, extents, chain and hash index of a store whose superblock is known. format.c */
int fx_map_create(struct feox_store *store);

/*
 * Walk the chain that store->super names: extents and which of their records live, ceilings, clock.
 * Calls fx_map_create(). -EUCLEAN, -EIO, -ENOTSUP: diag says which block. recovery.c
 */
int fx_recover_chain(struct feox_store *store, struct fx_recovery *recovery);

/* Forget the extents that the journal freed. recovery_map.c */
void fx_recover_freed(struct feox_store *store);

/* Take runs out of the free space. -EUCLEAN: *ret_block begins one that is not all free. */
int fx_map_take(struct feox_store *store, const struct fx_run *runs, size_t count,
		uint64_t *ret_block);

/*
 * Read the directories of all extents and put their live records, as they are amended, into the
 * indexes, cold. load.c -EUCLEAN, -EIO: diag says which extent.
 */
int fx_load_records(struct feox_store *store, struct fx_recovery *recovery);

#endif
