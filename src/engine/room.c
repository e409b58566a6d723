/* SPDX-License-Identifier: Apache-2.0 */
/*
 * room.c - where free blocks come from.
 *
 *   extents that left   a grace period and their last pin later (extent_table.c)
 *   growth              ahead of need when less than one in GROW_AT_TAKEN is free, and when
 *                       somebody waits; the geometry is durable before a block of it is used
 *   the journal         when the file cannot grow: a new chain is shorter
 *   compaction          then (compact.c)
 *
 * And where they go: when the tail of a file that has grown has been free for SHRINK_AFTER_NS, it
 * is given back, in reverse order of growth: the geometry without it is durable before the file is
 * cut. A quarter of what stays is free then, so that it does not grow again at once.
 */
#include "room.h"

#include "batch_write.h"
#include "bytes.h"
#include "cleanup.h"
#include "compact.h"

#include <errno.h>
#include <inttypes.h>

#define NS_PER_S	UINT64_C(1000000000)
#define GROW_AT_TAKEN	10u /* grow when less than one in this many blocks is free */
#define GROW_LEAST	((uint64_t)1 << 20)
#define GROW_PAUSE_NS	NS_PER_S /* after a growth that failed and nobody waits for */
#define SHRINK_AFTER_NS (30 * NS_PER_S)
#define SHRINK_LEAST	((uint64_t)1 << 20) /* bytes: less is not worth two superblocks */
#define STEPS_MAX	64u /* of compaction, for one who waits: then he asks again */

static void free_run(void *ctx, struct fx_run run)
{
	struct feox_store *store = ctx;

	if (fx_space_free(store->space, run))
		fx_store_log(store, FEOX_LOG_ERROR, "block %llu was given back twice",
			     (unsigned long long)run.start); /* I3 */
}

void fx_room_reap(struct feox_store *store)
{
	fx_extent_table_reap(store->extents, free_run, store);
}

/* ---- Growth ------------------------------------------------------------------------------------
 */

/* Bytes a file may still grow by. */
static uint64_t growth_left(const struct feox_store *store)
{
	uint64_t size = store->super.blocks * FX_BLOCK;

	if (store->device->fixed)
		return 0;
	if (!store->max_size)
		return UINT64_MAX / 2 - size;
	return store->max_size > size ? store->max_size - size : 0;
}

static int write_geometry(struct feox_store *store, uint64_t blocks)
{
	int err;

	store->super.blocks = blocks;
	err = fx_superblocks_write(store);
	if (err)
		fx_store_fail(store, err, "writing the superblock");
	return err;
}

/* By a generous step or, when the host has no room for that, by what is wanted. */
static int grow(struct feox_store *store, uint64_t wanted)
{
	uint64_t size = store->super.blocks * FX_BLOCK;
	uint64_t left = growth_left(store) / FX_BLOCK * FX_BLOCK;
	uint64_t least = FX_MIN(fx_align_up(wanted + wanted / 16 + GROW_LEAST, FX_BLOCK), left);
	uint64_t step = FX_MIN(FX_MAX(FX_MIN(size, store->grow_max), least), left);
	struct fx_run new = {.start = store->super.blocks};
	int err;

	step = step / FX_BLOCK * FX_BLOCK;
	if (!step)
		return -ENOSPC;
	err = store->device->ops->resize(store->device, size + step);
	if (err == -ENOSPC && least < step) {
		step = least;
		err = store->device->ops->resize(store->device, size + step);
	}
	if (err)
		return err;
	/* The geometry is durable before a block of it is used. */
	new.blocks = step / FX_BLOCK;
	err = write_geometry(store, store->super.blocks + new.blocks);
	if (err)
		return err;
	fx_count(&store->io.grow_count, 1);
	return fx_space_free(store->space, new);
}

/* Ahead of need, when little is free; if that fails, not again at once. */
static void grow_ahead(struct feox_store *store)
{
	uint64_t now = fx_monotonic_ns();
	uint64_t coming = fx_extent_table_leaving_blocks(store->extents);

	if (fx_space_free_blocks(store->space) + coming >= store->super.blocks / GROW_AT_TAKEN ||
	    !growth_left(store) || now < store->room.grow_again_ns)
		return;
	if (grow(store, FX_BLOCK))
		store->room.grow_again_ns = now + GROW_PAUSE_NS;
	fx_disk_free_update(store);
}

/* ---- Room for those who wait -------------------------------------------------------------------
 */

/* Does asked fit beside what is queued? Else by how many bytes it does not. */
static uint64_t shortage(struct feox_store *store, uint64_t asked)
{
	uint64_t wanted = atomic_load(&store->disk_reserved) + asked;
	uint64_t free_bytes;

	fx_disk_free_update(store);
	free_bytes = atomic_load(&store->disk_free);
	return wanted > free_bytes ? wanted - free_bytes : 0;
}

static uint64_t shortage_after_reap(struct feox_store *store, uint64_t asked)
{
	uint64_t missing = shortage(store, asked);

	if (!missing || !fx_extent_table_leaving(store->extents))
		return missing;
	fx_extent_table_wait_grace(store->extents); /* readers are short */
	fx_room_reap(store);
	return shortage(store, asked);
}

/* A batch of moves only. 0: a step was made; -ENOSPC: there is none to make. */
static int compact_step(struct feox_store *store, uint64_t asked)
{
	struct fx_compaction moving;
	int err;

	if (!fx_compact_begin(store, 0, asked, &moving))
		return -ENOSPC;
	err = fx_batch_write(store, NULL, &moving);
	fx_compact_end(&moving);
	if (err)
		fx_store_fail(store, err, "writing a batch");
	return err;
}

static int compact(struct feox_store *store, uint64_t asked, uint64_t missing)
{
	int err = 0;

	for (unsigned int i = 0; missing && i < STEPS_MAX && !err; i++) {
		err = compact_step(store, asked);
		if (!err)
			missing = shortage_after_reap(store, asked);
	}
	return err ? err : missing ? -ENOSPC : 0;
}

/* A new chain takes fewer blocks than a long old one. */
static void shorten_journal(struct feox_store *store)
{
	int err = fx_chain_gain_blocks(store) ? fx_chain_checkpoint(store, store->chain) : 0;

	if (err && err != -ENOSPC)
		fx_store_fail(store, err, "writing a checkpoint");
}

/* What the file holds is all there is. */
static int make_without_growth(struct feox_store *store, uint64_t asked, uint64_t missing)
{
	uint64_t gain = fx_compact_gain_blocks(store) + fx_chain_gain_blocks(store);

	if (gain < fx_div_up(missing, FX_BLOCK))
		return -ENOSPC; /* whatever is moved: do not begin */
	shorten_journal(store);
	return compact(store, asked, shortage(store, asked));
}

int fx_room_make(struct feox_store *store, uint64_t asked)
{
	uint64_t missing = shortage_after_reap(store, asked);
	int err = 0;

	if (missing) {
		err = grow(store, missing);
		if (err == -ENOSPC)
			err = make_without_growth(store, asked, missing);
	}
	fx_disk_free_update(store);
	return err;
}

/* ---- Giving back -------------------------------------------------------------------------------
 */

/* Blocks at the end of the file that are free, and more than it needs. */
static uint64_t spare_tail(struct feox_store *store)
{
	uint64_t blocks = store->super.blocks, least = store->initial_size / FX_BLOCK;
	uint64_t free_blocks = fx_space_free_blocks(store->space);
	uint64_t tail = fx_space_last(store->space, blocks).blocks;
	uint64_t taken = blocks - free_blocks;
	uint64_t promised = fx_div_up(
		atomic_load(&store->disk_reserved) + atomic_load(&store->disk_promised), FX_BLOCK);

	/* A quarter of what stays is free, the promises aside. */
	least = FX_MAX(least, (taken + promised) / 3 * 4 + fx_chain_hidden_blocks(store));
	return blocks > least ? FX_MIN(tail, blocks - least) : 0;
}

static void shrink(struct feox_store *store, uint64_t blocks)
{
	struct fx_run tail = {.start = store->super.blocks - blocks, .blocks = blocks};
	int err = fx_space_take(store->space, tail);

	if (err)
		return;
	/* Nobody may be promised what is about to go. */
	fx_disk_free_update(store);
	if (write_geometry(store, tail.start))
		return;
	err = store->device->ops->resize(store->device, tail.start * FX_BLOCK);
	if (err) /* the file is longer than the store: no harm */
		fx_store_log(store, FEOX_LOG_WARNING,
			     "the file could not be cut to %" PRIu64 " bytes",
			     tail.start * FX_BLOCK);
	fx_count(&store->io.shrink_count, 1);
	fx_disk_free_update(store);
}

static void give_tail_back(struct feox_store *store)
{
	uint64_t now = fx_clock_now(&store->clock);
	uint64_t tail = store->device->fixed ? 0 : spare_tail(store);

	if (tail < FX_MAX(SHRINK_LEAST / FX_BLOCK, store->super.blocks / 4)) {
		store->room.tail_since_ns = 0;
		return;
	}
	if (!store->room.tail_since_ns) {
		store->room.tail_since_ns = now;
		store->room.tail_blocks = tail;
	}
	store->room.tail_blocks = FX_MIN(store->room.tail_blocks, tail);
	if (now - store->room.tail_since_ns < SHRINK_AFTER_NS)
		return;
	store->room.tail_since_ns = 0;
	shrink(store, store->room.tail_blocks);
}

void fx_room_adjust(struct feox_store *store)
{
	grow_ahead(store);
	if (!atomic_load(&store->failed))
		give_tail_back(store);
}
