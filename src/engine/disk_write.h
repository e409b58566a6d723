/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_write.h - writes in flight: buffers handed over, cut into device operations, reaped.
 * Belongs to the flusher's thread (before it runs: the opener's).
 */
#ifndef FX_DISK_WRITE_H
#define FX_DISK_WRITE_H

#include "store.h"

struct fx_write_queue {
	struct feox_store *store;
	unsigned int in_flight;
	int err; /* the first failure */
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

/* Wait until all is written. The first error. */
int fx_write_finish(struct fx_write_queue *queue);

/* One fdatasync(2) of all that was finished. */
int fx_write_sync(struct feox_store *store);

#endif
