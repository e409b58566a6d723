/* SPDX-License-Identifier: Apache-2.0 */
/* superblocks.c - the two copies on the device: which one counts, which one is written first. */
#include "journal_chain.h"

#include <errno.h>

int fx_superblocks_read(struct feox_store *store, struct feox_diag *diag)
{
	const char *why[2] = {NULL, NULL};
	struct fx_superblock super[2];
	uint8_t block[FX_SUPER_SIZE];
	int err[2];

	for (unsigned int i = 0; i < 2; i++) {
		err[i] = fx_device_read(store->device, block, sizeof(block), i * FX_BLOCK);
		if (err[i])
			why[i] = "unreadable";
		else
			err[i] = fx_superblock_decode(block, i, &super[i], &why[i]);
		if (err[i] == -ENOTSUP)
			return fx_diag(diag, -ENOTSUP, "%s", why[i]);
	}
	if (err[0] && err[1])
		return fx_diag(diag, -EUCLEAN, "not a feox store (%s)", why[0]);
	store->super_first = err[0] ? 0 : err[1] ? 1 : super[0].generation > super[1].generation;
	store->super = super[store->super_first ^ 1u];
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
