/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create.c - making a store where there is nothing.
 *
 * Nothing means: no byte that is not 0, as far as device.h looks. Zeros where the superblocks would
 * be prove nothing: many a file system keeps its first blocks free, and a store may have lost its
 * own. The one exception is a making that was cut short: format leaves a mark before it writes
 * anything else, which is gone when both superblocks are there.
 */
#include "store.h"

#include "bytes.h"

#include <errno.h>
#include <string.h>

/* Was it begun to make a store here, and not even superblock A has become whole? 1, 0, or -EIO. */
static int is_in_the_making(struct feox_store *store)
{
	uint8_t super[FX_SUPER_SIZE], mark[FX_BLOCK];
	struct fx_superblock unused;
	const char *why;
	int err;

	if (store->device->size < FX_DATA_START * FX_BLOCK)
		return 0;
	err = fx_device_read(store->device, super, sizeof(super), 0);
	if (!err)
		err = fx_device_read(store->device, mark, sizeof(mark), FX_MARK_BLOCK * FX_BLOCK);
	if (err)
		return err;
	return fx_mark_is_valid(mark) && fx_superblock_decode(super, 0, &unused, &why) == -EUCLEAN;
}

int fx_store_is_blank(struct feox_store *store, struct feox_diag *diag)
{
	uint64_t at = 0;
	int found = is_in_the_making(store);

	if (found == 1)
		return 1;
	if (!found)
		found = fx_device_find_data(store->device, 0, &at);
	if (found < 0)
		return fx_diag(diag, found, "cannot read: %s", strerror(-found));
	if (found == 1 && at >= FX_DATA_START * FX_BLOCK)
		return fx_diag(diag, -EUCLEAN,
			       "not a feox store, nor empty: no superblock, but data at byte %llu",
			       (unsigned long long)at);
	return !found;
}

int fx_store_create(struct feox_store *store, struct feox_diag *diag)
{
	uint64_t size = store->initial_size;
	int err;

	if (!store->device->fixed) {
		/* From nothing: what is there of a blank file may be holes. */
		err = store->device->size ? store->device->ops->resize(store->device, 0) : 0;
		if (!err)
			err = store->device->ops->resize(store->device,
							 fx_align_up(size, FX_BLOCK));
		if (err)
			return fx_diag(diag, err, "no room for %llu bytes: %s",
				       (unsigned long long)size, strerror(-err));
	} else if (store->device->size < FX_STORE_SIZE_MIN) {
		return fx_diag(diag, -EINVAL, "a store has at least 1 MiB");
	}
	return fx_store_format(store, store->separator, diag);
}
