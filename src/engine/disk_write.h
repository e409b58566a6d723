/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_write.h - writes in flight: buffers handed over, cut into device operations, reaped.
 * Belongs to the flusher's thread (before it runs: the opener's).
 *
 * When a write fails the blocks concerned are never used again before the store is opened anew
 * (they are set aside: neither free nor anybody's). An extent is written elsewhere, a bounded
 * number of times (rewrite.c); of a journal record the caller is told. A sync that fails is final:
 * the store turns read-only on the spot, since nobody knows what a later one would have lost.
 */
#ifndef FX_DISK_WRITE_H
#define FX_DISK_WRITE_H

#include "store.h"

struct fx_transfer;

struct fx_write_queue {
	struct feox_store *store;
	unsigned int in_flight;
	int err; /* of a journal record, or memory is short: the first failure; -EIO for a write */
	struct fx_transfer *failed; /* of extents, with their buffers */
};

/* A zeroed, block-aligned buffer for fx_write_start(), or NULL. Freed with free(3). */
uint8_t *fx_write_buffer(size_t size);

/*
 * Write size bytes (a multiple of FX_BLOCK) of buffer, from byte at of what runs hold on. The
 * buffer belongs to the queue from now on, and is freed when all of it has been written. Errors
 * show in fx_write_finish().
 */
void fx_write_start(struct fx_write_queue *queue, uint8_t *buffer, size_t size,
		    const struct fx_run *runs, uint32_t run_count);

/* The same for all blocks of a new extent, which is elsewhere when fx_write_extents() says so. */
void fx_write_extent(struct fx_write_queue *queue, struct fx_extent *extent, uint8_t *buffer);

/* Wait until all is written. queue->err; extents that could not be are in queue->failed. */
int fx_write_finish(struct fx_write_queue *queue);

/*
 * Wait until all is written, extents that could not be elsewhere. 0; 1: some are elsewhere, so that
 * a journal record that names them is wrong; -EIO, -ENOSPC: they cannot be written. rewrite.c
 */
int fx_write_extents(struct fx_write_queue *queue);

/* Give up what fx_write_extents() has not got. */
void fx_write_forget(struct fx_write_queue *queue);

/* One fdatasync(2) of all that was finished. On failure the store has failed: -EIO. */
int fx_write_sync(struct feox_store *store);

/* One handed-over buffer and the operations it was cut into. */
struct fx_transfer {
	struct fx_transfer *next; /* in queue->failed */
	struct fx_extent *extent; /* NULL: a journal record */
	uint8_t *buffer;
	unsigned int pending;
	bool cut; /* all operations have been submitted */
	bool failed;
};

#endif
