/* SPDX-License-Identifier: Apache-2.0 */
#include "disk_write.h"

#include "bytes.h"
#include "patience.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 16u /* operations in flight: more gains nothing, and buffers are held meanwhile */

/* One handed-over buffer and the operations it was cut into. */
struct transfer {
	uint8_t *buffer;
	unsigned int pending;
	bool cut; /* all operations have been submitted */
};

struct piece {
	struct fx_io io;
	struct transfer *transfer;
};

uint8_t *fx_write_buffer(size_t size)
{
	size_t rounded = fx_align_up(size, FX_BLOCK);
	uint8_t *buffer = FX_PATIENTLY(aligned_alloc(FX_BLOCK, rounded));

	if (buffer)
		memset(buffer, 0, rounded);
	return buffer;
}

static void transfer_put(struct transfer *transfer)
{
	if (transfer->pending || !transfer->cut)
		return;
	free(transfer->buffer);
	free(transfer);
}

static void reap_one(struct fx_write_queue *queue)
{
	struct fx_io *io = queue->store->device->ops->reap(queue->store->device);
	struct piece *piece = io->owner;

	if (io->result && !queue->err)
		queue->err = io->result;
	if (!io->result)
		atomic_fetch_add_explicit(&queue->store->io.written_bytes, io->size,
					  memory_order_relaxed);
	queue->in_flight--;
	piece->transfer->pending--;
	transfer_put(piece->transfer);
	free(piece);
}

static void submit(struct fx_write_queue *queue, struct transfer *transfer, uint8_t *at,
		   size_t size, uint64_t offset)
{
	struct fx_device *device = queue->store->device;
	struct piece *piece;
	int err;

	while (queue->in_flight >= DEPTH)
		reap_one(queue);
	piece = FX_PATIENTLY((struct piece *)calloc(1, sizeof(*piece)));
	err = piece ? 0 : -ENOMEM;
	if (!err) {
		piece->transfer = transfer;
		piece->io = (struct fx_io){
			.buffer = at, .size = size, .offset = offset, .owner = piece};
		err = device->ops->submit(device, &piece->io);
	}
	if (err) {
		free(piece);
		if (!queue->err)
			queue->err = err;
		return;
	}
	transfer->pending++;
	queue->in_flight++;
}

void fx_write_start(struct fx_write_queue *queue, uint8_t *buffer, size_t size,
		    const struct fx_run *runs, uint32_t run_count)
{
	struct transfer *transfer = FX_PATIENTLY((struct transfer *)calloc(1, sizeof(*transfer)));
	size_t done = 0;

	if (!transfer) {
		queue->err = queue->err ? queue->err : -ENOMEM;
		free(buffer);
		return;
	}
	transfer->buffer = buffer;
	for (uint32_t i = 0; i < run_count && done < size; i++) {
		uint64_t left = runs[i].blocks * FX_BLOCK, offset = runs[i].start * FX_BLOCK;

		while (left && done < size) {
			size_t n = FX_DEVICE_WRITE_MAX;

			n = n < left ? n : (size_t)left;
			n = n < size - done ? n : size - done;
			submit(queue, transfer, buffer + done, n, offset);
			done += n;
			offset += n;
			left -= n;
		}
	}
	transfer->cut = true;
	transfer_put(transfer);
}

int fx_write_finish(struct fx_write_queue *queue)
{
	while (queue->in_flight)
		reap_one(queue);
	return queue->err;
}

int fx_write_sync(struct feox_store *store)
{
	struct fx_io io = {0};
	int err = store->device->ops->submit_sync(store->device, &io);

	return err ? err : store->device->ops->reap(store->device)->result;
}
