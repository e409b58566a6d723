/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recovery_map.c - the order of recovery's steps, and the map: the extents that are left and the
 * chain's segments are taken out of the free space, where an overlap is damage (I3).
 */
#include "recovery.h"

#include <errno.h>
#include <string.h>

static void forget_run(void *ctx, struct fx_run run)
{
}

void fx_recover_freed(struct feox_store *store)
{
	/* Nobody has seen them, and their runs were never taken. */
	fx_epoch_drain(store->epoch);
	fx_extent_table_reap(store->extents, forget_run, NULL);
}

int fx_map_take(struct feox_store *store, const struct fx_run *runs, size_t count,
		uint64_t *ret_block)
{
	for (size_t i = 0; i < count; i++) {
		int err = fx_space_take(store->space, runs[i]);

		if (!err)
			continue;
		*ret_block = runs[i].start;
		return err == -ENOENT ? -EUCLEAN : err;
	}
	return 0;
}

static int build_map(struct feox_store *store, struct feox_diag *diag)
{
	struct fx_extent *extent;
	uint64_t block = 0;
	uint32_t cursor = 0;
	int err;

	fx_recover_freed(store);
	err = fx_space_free(store->space,
			    (struct fx_run){FX_DATA_START, store->super.blocks - FX_DATA_START});
	if (!err)
		err = fx_map_take(store, store->chain->runs, store->chain->run_count, &block);
	while (!err && (extent = fx_extent_table_next(store->extents, &cursor)))
		err = fx_map_take(store, extent->runs, extent->run_count, &block);
	return err == -EUCLEAN ? fx_diag(diag, err, "damaged: two owners of one block (block %llu)",
					 (unsigned long long)block)
			       : err;
}

int fx_store_recover(struct feox_store *store,
		     void (*progress)(void *ctx, uint64_t done, uint64_t total), void *progress_ctx,
		     struct feox_diag *diag)
{
	struct feox_diag scratch = {""};
	struct fx_recovery recovery = {
		.progress = progress, .progress_ctx = progress_ctx, .diag = diag ? diag : &scratch};
	int err = fx_superblocks_read(store, recovery.diag);

	if (err)
		return err;
	err = fx_recover_chain(store, &recovery);
	if (!err)
		err = build_map(store, recovery.diag);
	if (!err)
		err = fx_load_records(store, &recovery);
	fx_found_free(recovery.found);
	if (!err)
		fx_ceilings_restore(store, recovery.version_ceiling, recovery.id_ceiling);
	if (!err && !store->read_only)
		err = fx_chain_checkpoint(store, store->chain);
	if (err && !recovery.diag->text[0])
		fx_diag(recovery.diag, err, "recovery failed: %s", strerror(-err));
	return err;
}
