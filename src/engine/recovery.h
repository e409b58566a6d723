/* SPDX-License-Identifier: Apache-2.0 */
/* recovery.h - what the steps of recovery share. */
#ifndef FX_RECOVERY_H
#define FX_RECOVERY_H

#include "journal_chain.h"

/* Space, extents, chain and hash index of a store whose superblock is known. format.c */
int fx_map_create(struct feox_store *store);

/*
 * Read the directories of all extents and put their live records into the indexes, cold. load.c
 * -EUCLEAN, -EIO: diag says which extent.
 */
int fx_load_records(struct feox_store *store,
		    void (*progress)(void *ctx, uint64_t done, uint64_t total), void *progress_ctx,
		    struct feox_diag *diag);

#endif
