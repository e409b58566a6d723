/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create.c - making a store where there is nothing.
 *
 * Nothing means: no byte that is not 0, as far as device.h looks. Zeros where the superblocks would
 * be prove nothing: many a file system keeps its first blocks free, and a store may have lost its
 * own. The one exception is a making that was cut short: format writes the first checkpoint before
 * the superblocks, so an empty checkpoint may stand there alone.
 */
#include "store.h"

#include "bytes.h"
#include "journal.h"

#include <errno.h>
#include <string.h>

/* The first checkpoint of a store, which names no extent, in the place where format puts it. */
static bool is_first_checkpoint(struct feox_store *store, uint64_t block)
{
	uint8_t bytes[FX_BLOCK], uuid[FX_UUID_SIZE];
	struct fx_journal_header header;
	uint64_t generation;
	const char *why;

	if (block != FX_DATA_START ||
	    fx_device_read(store->device, bytes, sizeof(bytes), block * FX_BLOCK))
		return false;
	fx_journal_claim(bytes, uuid, &generation);
	return !fx_journal_header_decode(bytes, uuid, generation, 1, block, FX_BLOCK, &header,
					 &why) &&
	       !fx_journal_verify(bytes, &header, uuid) && header.type == FX_JOURNAL_END &&
	       !header.sections;
}

int fx_store_is_blank(struct feox_store *store, struct feox_diag *diag)
{
	uint64_t at = 0;
	int found = fx_device_find_data(store->device, 0, &at);

	if (found == 1 && at >= FX_DATA_START * FX_BLOCK &&
	    is_first_checkpoint(store, at / FX_BLOCK))
		found = fx_device_find_data(store->device, (FX_DATA_START + 1) * FX_BLOCK, &at);
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
