/* SPDX-License-Identifier: Apache-2.0 */
/* superblocks.c - the two copies on the device: which one counts, which one is written first. */
#include "journal_chain.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int fx_superblocks_look(struct feox_store *store, struct fx_super_copy ret_copies[2])
{
	uint8_t block[FX_SUPER_SIZE];
	int newest = -EUCLEAN;

	for (unsigned int i = 0; i < 2; i++) {
		struct fx_super_copy *copy = &ret_copies[i];

		*copy = (struct fx_super_copy){0};
		copy->err = fx_device_read(store->device, block, sizeof(block), i * FX_BLOCK);
		if (copy->err)
			copy->why = "unreadable";
		else
			copy->err = fx_superblock_decode(block, i, &copy->super, &copy->why);
		if (copy->err)
			continue;
		if (newest < 0 || copy->super.generation > ret_copies[newest].super.generation)
			newest = (int)i;
	}
	return newest;
}

int fx_superblocks_read(struct feox_store *store, struct feox_diag *diag)
{
	struct fx_super_copy copies[2];
	int newest = fx_superblocks_look(store, copies);

	for (unsigned int i = 0; i < 2; i++)
		if (copies[i].err == -ENOTSUP)
			return fx_diag(diag, -ENOTSUP, "%s", copies[i].why);
	if (newest < 0)
		return fx_diag(diag, -EUCLEAN, "not a feox store (%s)", copies[0].why);
	store->super_first = (unsigned int)newest ^ 1u;
	store->super = copies[newest].super;
	if (store->super.blocks * FX_BLOCK > store->device->size)
		return fx_diag(diag, -EUCLEAN,
			       "damaged: the file has %llu bytes, the store %llu (cut off?)",
			       (unsigned long long)store->device->size,
			       (unsigned long long)store->super.blocks * FX_BLOCK);
	return 0;
}

int fx_superblocks_write(struct feox_store *store)
{
	uint8_t block[FX_SUPER_SIZE] __attribute__((aligned(4096)));
	int err;

	store->super.generation++;
	for (unsigned int i = 0; i < 2; i++) {
		unsigned int copy = store->super_first ^ i;

		fx_superblock_encode(&store->super, copy, block);
		err = fx_device_write_sync(store->device, block, sizeof(block), copy * FX_BLOCK);
		if (err)
			return err;
		/* The other copy is the older one now. */
	}
	return 0;
}

void fx_store_identify(const struct feox_store *store, struct feox_identity *ret_identity)
{
	const struct fx_superblock *super = &store->super;

	static_assert(FEOX_UUID_SIZE == FX_UUID_SIZE, "the public UUID");
	memcpy(ret_identity->uuid, super->uuid, FEOX_UUID_SIZE);
	ret_identity->size_bytes = super->blocks * FX_BLOCK;
	ret_identity->created_ns = super->created_ns;
	ret_identity->separator = super->separator;
}
