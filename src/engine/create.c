/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create.c - making a store where there is nothing.
 *
 * Nothing means: no byte that is not 0, as far as device.h looks. Zeros where the superblocks would
 * be prove nothing: many a file system keeps its first blocks free, and a store may have lost its
 * own. The one exception is a making that was cut short: format leaves a mark before it writes
 * anything else, which is gone when both superblocks are there.
 */
#include "journal_chain.h"

#include "bytes.h"
#include "cleanup.h"

#include <errno.h>
#include <stdlib.h>
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

int fx_store_create(struct feox_store *store, const uint8_t *uuid, struct feox_diag *diag)
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
	return fx_store_format(store, uuid, diag);
}

/* ---- feox_format() -----------------------------------------------------------------------------
 */

#define FORMAT_FLAGS FEOX_FORMAT_FORCE
/* Where others look for what a device is, at both its ends; see device/scan.c. */
#define WIPE_EDGE  ((uint64_t)8 << 20)
#define WIPE_PIECE ((size_t)1 << 20)

static int wipe(struct feox_store *store, uint64_t begin, uint64_t end)
{
	void *zeros = aligned_alloc(FX_BLOCK, WIPE_PIECE);
	int err = zeros ? 0 : -ENOMEM;

	if (zeros)
		memset(zeros, 0, WIPE_PIECE);
	for (; begin < end && !err; begin += WIPE_PIECE)
		err = fx_device_write_sync(store->device, zeros,
					   FX_MIN(end - begin, (uint64_t)WIPE_PIECE), begin);
	free(zeros);
	return err;
}

/*
 * What was there is forgotten before anything new is written: half of a new store must not meet the
 * superblocks of an old one. A file is cut off by fx_store_create().
 */
static int forget_device(struct feox_store *store, struct feox_diag *diag)
{
	uint64_t size = store->device->size, edge = FX_MIN(size, WIPE_EDGE);
	int err = store->device->fixed ? wipe(store, 0, edge) : 0;

	if (!err && store->device->fixed)
		err = wipe(store, size - edge, size);
	return err ? fx_diag(diag, err, "cannot write: %s", strerror(-err)) : 0;
}

/* -EEXIST: there is something. */
static int check_blank(struct feox_store *store, struct feox_diag *diag)
{
	struct fx_super_copy copies[2];
	struct feox_diag scratch;
	int blank = fx_store_is_blank(store, &scratch);

	if (blank == 1)
		return 0;
	if (blank < 0 && blank != -EUCLEAN)
		return fx_diag(diag, blank, "%s", scratch.text);
	if (fx_superblocks_look(store, copies) >= 0)
		return fx_diag(diag, -EEXIST, "there is a feox store on it already");
	return fx_diag(diag, -EEXIST, "it is not blank");
}

static int format_attached(struct feox_store *store, const struct feox_format_options *o,
			   struct feox_diag *diag)
{
	int err = 0;

	if (store->device->fixed && o->size_bytes)
		return fx_diag(diag, -EINVAL, "a block device is used as a whole: no size");
	if (!(o->flags & FEOX_FORMAT_FORCE))
		err = check_blank(store, diag);
	else
		err = forget_device(store, diag);
	return err ? err : fx_store_create(store, o->uuid, diag);
}

FEOX_API int feox_format(const struct feox_format_options *o, struct feox_identity *ret_identity,
			 struct feox_diag *diag)
{
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_store *store;
	int err;

	if (!o || !o->path || (o->flags & ~(unsigned int)FORMAT_FLAGS))
		return -EINVAL;
	options.path = o->path;
	options.flags = FEOX_OPEN_CREATE | FEOX_OPEN_NO_URING;
	options.separator = o->separator;
	options.initial_size_bytes = o->size_bytes;
	options.now = o->now;
	options.now_ctx = o->now_ctx;
	err = fx_store_new(&options, &store, diag);
	if (err)
		return err;
	err = fx_store_attach(store, &options, diag);
	if (!err)
		err = format_attached(store, o, diag);
	if (!err)
		err = fx_chain_end(store);
	if (!err && ret_identity)
		fx_store_identify(store, ret_identity);
	fx_store_free(store);
	return err;
}
