/* SPDX-License-Identifier: Apache-2.0 */
/* format.c - a fresh store on an empty device: a mark, an empty chain, the superblocks. */
#include "recovery.h"

#include "extent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define UUID_VERSION_4 0x40u /* RFC 4122, section 4.4 */
#define UUID_VARIANT   0x80u

static int fill_random(void *out, size_t size)
{
	return getrandom(out, size, 0) == (ssize_t)size ? 0 : -EIO;
}

int fx_map_create(struct feox_store *store)
{
	int err;

	store->hash_seed = store->super.hash_seed;
	store->store_seed = fx_extent_store_seed(store->super.uuid);
	store->chain = calloc(1, sizeof(*store->chain));
	err = store->chain ? 0 : -ENOMEM;
	if (!err)
		err = fx_space_create(&store->space);
	if (!err)
		err = fx_extent_table_create(store->slab, store->epoch, &store->extents);
	if (!err)
		err = fx_hash_index_create(store->slab, store->epoch, store->hash_seed,
					   &store->hash);
	return err;
}

/* What is found from now on may be overwritten, until there is a superblock. */
static int leave_mark(struct feox_store *store)
{
	uint8_t block[FX_SUPER_SIZE] __attribute__((aligned(4096)));
	uint8_t before[FX_SUPER_SIZE];
	int err = fx_device_read(store->device, before, sizeof(before), FX_MARK_BLOCK * FX_BLOCK);

	if (err || fx_mark_is_valid(before)) /* of an earlier attempt: do not risk to lose it */
		return err;
	fx_mark_encode(store->super.uuid, block);
	return fx_device_write_sync(store->device, block, sizeof(block), FX_MARK_BLOCK * FX_BLOCK);
}

static int make_uuid(uint8_t *uuid)
{
	int err = fill_random(uuid, FX_UUID_SIZE);

	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | UUID_VERSION_4);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | UUID_VARIANT);
	return err;
}

int fx_store_format(struct feox_store *store, const uint8_t *uuid, struct feox_diag *diag)
{
	struct fx_superblock *super = &store->super;
	int err = 0;

	*super = (struct fx_superblock){.blocks = store->device->size / FX_BLOCK,
					.created_ns = fx_clock_now(&store->clock),
					.separator = store->separator};
	if (uuid)
		memcpy(super->uuid, uuid, FX_UUID_SIZE);
	else
		err = make_uuid(super->uuid);
	if (!err)
		err = fill_random(&super->hash_seed, sizeof(super->hash_seed));
	if (!err)
		err = fx_map_create(store);
	if (!err)
		err = fx_space_free(store->space,
				    (struct fx_run){.start = FX_DATA_START,
						    .blocks = super->blocks - FX_DATA_START});
	if (!err)
		err = leave_mark(store);
	if (!err)
		err = fx_chain_checkpoint(store, store->chain);
	return err ? fx_diag(diag, err, "cannot make a store: %s", strerror(-err)) : 0;
}
