/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_mend.c - what a check writes: a new chain of what stays, and both superblocks.
 *
 * Without SALVAGE nothing is given up: where something is lost, only a damaged superblock is
 * written anew from the good one; the rest is left as it was found.
 */
#include "check.h"

#include <errno.h>

#define ROOM_EXTRA ((uint64_t)1 << 20) /* bytes that a file grows by beyond what a chain needs */

/* Of extents that want the same block, and all of whose contents are right, the first one stays. */
static int drop_overlapping(struct fx_check *check, struct fx_extent *extent, uint64_t block)
{
	fx_check_guess_names(check, extent);
	return fx_check_drop(check, extent);
}

static void kill_all(struct fx_extent_table *extents, struct fx_extent *extent)
{
	for (uint32_t i = 0; i < extent->record_count; i++)
		if (fx_extent_is_live(extent, i))
			fx_extent_kill(extents, extent, i);
}

/* What does not stay is dead; an extent without a live record is not in the new chain. */
static int give_up(struct fx_check *check)
{
	struct fx_extent_table *extents = check->store->extents;
	struct fx_extent *extent;
	uint32_t cursor = 0;
	int err = check->overlaps ? fx_check_map(check, drop_overlapping) : 0;

	for (size_t i = 0; i < check->dead_count && !err; i++) {
		extent = fx_extent_table_get(extents, check->dead[i].extent);
		if (extent) /* already dead: it has been found damaged twice */
			(void)fx_extent_kill(extents, extent, check->dead[i].index);
	}
	while (!err && (extent = fx_extent_table_next(extents, &cursor)))
		if (fx_check_is_dropped(check, extent->number))
			kill_all(extents, extent);
	return err;
}

/* A file without room for the new chain grows: what is in it may not be written over. */
static int make_room(struct fx_check *check)
{
	struct feox_store *store = check->store;
	uint64_t old = store->device->size / FX_BLOCK;
	uint64_t bytes = fx_chain_hidden_blocks(store) * FX_BLOCK + ROOM_EXTRA;
	int err = store->device->fixed
			  ? -ENOSPC
			  : store->device->ops->resize(store->device, old * FX_BLOCK + bytes);

	if (err)
		return err;
	/* What was behind the end of the store belongs to it now. */
	old = store->super.blocks;
	store->super.blocks = store->device->size / FX_BLOCK;
	return fx_space_free(store->space, (struct fx_run){old, store->super.blocks - old});
}

static int write_chain(struct fx_check *check)
{
	struct feox_store *store = check->store;
	uint64_t there = store->device->size / FX_BLOCK;
	int err;

	if (store->super.blocks > there)
		store->super.blocks = there;
	err = fx_chain_checkpoint(store, store->chain);
	if (err == -ENOSPC) {
		err = make_room(check);
		if (!err)
			err = fx_chain_checkpoint(store, store->chain);
	}
	if (err == -ENOSPC)
		return fx_diag(check->diag, err, "no room for a new journal; nothing was changed");
	return err ? err : fx_chain_end(store);
}

static void count_up(struct fx_check *check)
{
	struct fx_extent *extent;
	uint32_t cursor = 0;

	check->result.extents = check->result.keys = 0;
	while ((extent = fx_extent_table_next(check->store->extents, &cursor))) {
		check->result.extents += extent->live_count != 0;
		check->result.keys += extent->live_count;
	}
}

/* Only what a superblock says twice. */
static int mend_superblocks(struct fx_check *check)
{
	int err = check->result.faults ? fx_superblocks_write(check->store) : 0;

	if (!err && check->result.faults) {
		check->result.mended = check->result.faults;
		check->result.changed = true;
	}
	return err;
}

int fx_check_mend(struct fx_check *check)
{
	struct feox_check_result *result = &check->result;
	int err = 0;

	if (check->journal_lost && !result->salvaged)
		return 0;
	if (result->losses && !(check->options->flags & FEOX_CHECK_SALVAGE))
		return mend_superblocks(check);
	if (!result->faults && !result->losses && !check->stale)
		return 0;
	if (result->losses)
		err = give_up(check);
	if (!err) {
		fx_ceilings_restore(check->store, check->recovery.version_ceiling,
				    check->recovery.id_ceiling);
		err = write_chain(check);
	}
	if (err)
		return err;
	result->mended = result->faults + result->losses;
	result->changed = result->clean = true;
	count_up(check);
	return 0;
}
