/* SPDX-License-Identifier: Apache-2.0 */
#include "lies.h"

#include "bytes.h"
#include "crash_model.h"
#include "device.h"
#include "extent.h"
#include "hash.h"
#include "journal.h"
#include "superblock.h"

#include <string.h>

uint64_t image_reach(const uint8_t *image, uint64_t block)
{
	const uint8_t *at = image + block * FX_BLOCK;

	if (block < FX_DATA_START)
		return 104;
	if (!memcmp(at, "FXJR", 4))
		return 400;
	return memcmp(at, "FXEX", 4) != 0 ? 0 : 256;
}

static void mend_superblock(uint8_t *block, unsigned int copy)
{
	fx_put_u64(block + FX_SUPER_SIZE - 8,
		   fx_checksum(FX_SUPER_SEED + copy, block, FX_SUPER_SIZE - 8));
}

static void mend_journal(uint8_t *record, uint64_t left)
{
	uint64_t seed = fx_checksum(UINT64_C(0x524a5846), record + 8, FX_UUID_SIZE);
	uint64_t bytes = fx_get_u64(record + 48);

	if (bytes >= FX_BLOCK && bytes <= left && bytes % FX_BLOCK == 0)
		fx_put_u64(record + bytes - 8, fx_checksum(seed, record, bytes - 8));
}

static void mend_extent(uint8_t *extent, uint64_t left)
{
	uint64_t directory = fx_get_u32(extent + 48);

	if (directory <= left - FX_EXTENT_HEADER)
		fx_put_u64(extent + 56, fx_checksum(fx_checksum(0, extent, 56),
						    extent + FX_EXTENT_HEADER, directory));
}

void image_mend(uint8_t *image, uint64_t size, uint64_t block)
{
	uint8_t *at = image + block * FX_BLOCK;

	if (block < FX_DATA_START)
		mend_superblock(at, (unsigned int)block);
	else if (!memcmp(at, "FXJR", 4))
		mend_journal(at, size - block * FX_BLOCK);
	else if (!memcmp(at, "FXEX", 4))
		mend_extent(at, size - block * FX_BLOCK);
}

void image_use(struct feox_store *store)
{
	struct feox_iter *iter;
	struct feox_item item;

	if (!feox_iter_open(store, NULL, &iter)) {
		for (unsigned int n = 0; n < 100 && feox_iter_next(iter, &item) == 1; n++)
			;
		feox_iter_close(iter);
	}
	for (unsigned int k = 0; k < CRASH_KEYS; k++) {
		const char *name = crash_key_name(k);

		if (k % 2)
			feox_put(store, name, 3, "x", 1, NULL, NULL);
		else
			feox_delete(store, name, 3, NULL);
	}
	feox_sync(store);
}
