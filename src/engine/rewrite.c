/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rewrite.c - extents that could not be written where they should be go elsewhere.
 *
 * Their blocks are set aside: they stay taken, and belong to nothing, until the store is opened
 * anew and its journal does not name them. An extent is bound to its first block, so its header and
 * its checksum change; offsets inside of it, and with them the locations of its records, do not.
 * Nobody has read it yet: its records are in memory until the batch is durable.
 */
#include "disk_write.h"

#include "bytes.h"
#include "cleanup.h"
#include "extent.h"

#include <errno.h>
#include <stdlib.h>

#define ATTEMPTS 3u /* to write the extents of a batch; the first one included */

/* Other blocks, in not more runs than it has now, which are left behind. -ENOSPC. */
static int move(struct feox_store *store, struct fx_extent *extent)
{
	uint64_t blocks = fx_div_up(extent->bytes, FX_BLOCK);
	struct fx_run *runs = calloc(extent->run_count, sizeof(*runs));
	uint32_t count = 0;
	int err = runs ? 0 : -ENOMEM;

	while (!err && blocks) {
		struct fx_run *run = &runs[count];
		uint64_t longest = fx_space_longest(store->space).blocks;

		run->blocks = FX_MIN(blocks, longest);
		if (count == extent->run_count || !run->blocks)
			err = -ENOSPC;
		else
			err = fx_space_alloc(store->space, run->blocks, &run->start);
		if (!err) {
			blocks -= run->blocks;
			count++;
		}
	}
	if (!err)
		fx_extent_table_move(store->extents, extent, runs, count);
	for (uint32_t i = 0; err && i < count; i++)
		fx_space_free(store->space, runs[i]);
	free(runs);
	return err;
}

static void fill_header(struct feox_store *store, struct fx_extent *extent, uint8_t *buffer)
{
	struct fx_extent_header header = {
		.block = extent->runs[0].start,
		.sequence = extent->sequence,
		.bytes = extent->bytes,
		.records = extent->record_count,
		.directory_bytes = extent->directory_bytes,
	};

	fx_extent_header_encode(&header, store->super.uuid, buffer + FX_EXTENT_HEADER, buffer);
	extent->checksum = fx_checksum(store->store_seed, buffer, extent->bytes);
}

static int rewrite(struct fx_write_queue *queue, struct fx_transfer *transfer)
{
	struct fx_extent *extent = transfer->extent;
	int err = move(queue->store, extent);

	if (err) {
		free(transfer->buffer);
	} else {
		fill_header(queue->store, extent, transfer->buffer);
		fx_write_extent(queue, extent, transfer->buffer);
	}
	free(transfer);
	return err;
}

int fx_write_extents(struct fx_write_queue *queue)
{
	unsigned int attempts = 1;
	int err = 0;

	fx_write_finish(queue);
	while (queue->failed && !err) {
		struct fx_transfer *failed = queue->failed;

		if (attempts++ == ATTEMPTS)
			return -EIO;
		queue->failed = NULL;
		while (failed) {
			struct fx_transfer *next = failed->next;

			failed->next = queue->failed;
			if (err)
				queue->failed = failed; /* for who forgets them */
			else
				err = rewrite(queue, failed);
			failed = next;
		}
		fx_write_finish(queue);
	}
	return err ? err : attempts > 1;
}

void fx_write_forget(struct fx_write_queue *queue)
{
	fx_write_finish(queue);
	while (queue->failed) {
		struct fx_transfer *next = queue->failed->next;

		free(queue->failed->buffer);
		free(queue->failed);
		queue->failed = next;
	}
}
