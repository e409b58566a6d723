/* SPDX-License-Identifier: Apache-2.0 */
#include "live_share.h"

#include "extent_table.h"

#define BLOCK	  4096u
#define ALONE_MAX 8u /* blocks up to which an extent of one record shares one with others */

static unsigned int share_of(const struct fx_extent *extent)
{
	uint64_t share;

	/* One large record: the same blocks again, wherever it is. */
	if (!extent->blocks || (extent->record_count == 1 && extent->blocks > ALONE_MAX))
		return FX_SHARE_WHOLE;
	share = extent->live_bytes * FX_SHARES / (extent->blocks * BLOCK);
	return share < FX_SHARE_WHOLE ? (unsigned int)share : FX_SHARE_WHOLE;
}

void fx_shares_init(struct fx_live_shares *shares)
{
	for (unsigned int i = 0; i <= FX_SHARE_WHOLE; i++) {
		TAILQ_INIT(&shares->lists[i]);
		shares->blocks[i] = 0;
		shares->live_bytes[i] = 0;
	}
}

void fx_shares_add(struct fx_live_shares *shares, struct fx_extent *extent)
{
	unsigned int share = share_of(extent);

	extent->share = (uint8_t)share;
	TAILQ_INSERT_TAIL(&shares->lists[share], extent, by_share);
	shares->blocks[share] += extent->blocks;
	shares->live_bytes[share] += extent->live_bytes;
}

void fx_shares_remove(struct fx_live_shares *shares, struct fx_extent *extent)
{
	TAILQ_REMOVE(&shares->lists[extent->share], extent, by_share);
	shares->blocks[extent->share] -= extent->blocks;
	shares->live_bytes[extent->share] -= extent->live_bytes;
}

void fx_shares_update(struct fx_live_shares *shares, struct fx_extent *extent, uint64_t live_bytes)
{
	shares->live_bytes[extent->share] += live_bytes - extent->live_bytes;
	extent->live_bytes = live_bytes;
	if (share_of(extent) == extent->share)
		return;
	fx_shares_remove(shares, extent);
	fx_shares_add(shares, extent);
}

void fx_shares_postpone(struct fx_live_shares *shares, struct fx_extent *extent)
{
	TAILQ_REMOVE(&shares->lists[extent->share], extent, by_share);
	TAILQ_INSERT_TAIL(&shares->lists[extent->share], extent, by_share);
}

uint64_t fx_shares_gain(const struct fx_live_shares *shares, unsigned int limit)
{
	uint64_t blocks = 0, bytes = 0;

	for (unsigned int i = 0; i < limit && i < FX_SHARE_WHOLE; i++) {
		blocks += shares->blocks[i];
		bytes += shares->live_bytes[i];
	}
	bytes = (bytes + BLOCK - 1) / BLOCK;
	return blocks > bytes ? blocks - bytes : 0;
}

uint64_t fx_shares_blocks(const struct fx_live_shares *shares)
{
	uint64_t blocks = 0;

	for (unsigned int i = 0; i <= FX_SHARE_WHOLE; i++)
		blocks += shares->blocks[i];
	return blocks;
}

uint64_t fx_shares_live_bytes(const struct fx_live_shares *shares)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i <= FX_SHARE_WHOLE; i++)
		bytes += shares->live_bytes[i];
	return bytes;
}
