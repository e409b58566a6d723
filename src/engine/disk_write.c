/* SPDX-License-Identifier: Apache-2.0 */
#include "disk_write.h"

#include "bytes.h"
#include "patience.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 16u /* operations in flight: more gains nothing, and buffers are held meanwhile */

struct piece {
	struct fx_io io;
	struct fx_transfer *transfer;
};

uint8_t *fx_write_buffer(size_t size)
{
	size_t rounded = fx_align_up(size, FX_BLOCK);
	uint8_t *buffer = FX_PATIENTLY(aligned_alloc(FX_BLOCK, rounded));

	if (buffer)
		memset(buffer, 0, rounded);
	return buffer;
}

static void transfer_put(struct fx_write_queue *queue, struct fx_transfer *transfer)
{
	if (transfer->pending || !transfer->cut)
		return;
	if (transfer->failed && transfer->extent) {
		transfer->next = queue->failed;
		queue->failed = transfer;
		return;
	}
	if (transfer->failed)
		queue->err = queue->err ? queue->err : -EIO;
	free(transfer->buffer);
	free(transfer);
}

static void write_failed(struct feox_store *store, const struct fx_io *io, int err)
{
	fx_store_log(store, FEOX_LOG_WARNING, "blocks %llu to %llu cannot be written: %s",
		     (unsigned long long)(io->offset / FX_BLOCK),
		     (unsigned long long)((io->offset + io->size) / FX_BLOCK - 1), strerror(-err));
}

static void reap_one(struct fx_write_queue *queue)
{
	struct fx_io *io = queue->store->device->ops->reap(queue->store->device);
	struct piece *piece = io->owner;

	if (io->result) {
		piece->transfer->failed = true;
		write_failed(queue->store, io, io->result);
	} else {
		atomic_fetch_add_explicit(&queue->store->io.written_bytes, io->size,
					  memory_order_relaxed);
	}
	queue->in_flight--;
	piece->transfer->pending--;
	transfer_put(queue, piece->transfer);
	free(piece);
}

static void submit(struct fx_write_queue *queue, struct fx_transfer *transfer, uint8_t *at,
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
		if (err == -ENOMEM)
			queue->err = err;
		else
			transfer->failed = true;
		return;
	}
	transfer->pending++;
	queue->in_flight++;
}

static void start(struct fx_write_queue *queue, struct fx_extent *extent, uint8_t *buffer,
		  size_t size, const struct fx_run *runs, uint32_t run_count)
{
	struct fx_transfer *transfer =
		FX_PATIENTLY((struct fx_transfer *)calloc(1, sizeof(*transfer)));
	size_t done = 0;

	if (!transfer) {
		queue->err = -ENOMEM;
		free(buffer);
		return;
	}
	transfer->buffer = buffer;
	transfer->extent = extent;
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
	transfer_put(queue, transfer);
}

void fx_write_start(struct fx_write_queue *queue, uint8_t *buffer, size_t size,
		    const struct fx_run *runs, uint32_t run_count)
{
	start(queue, NULL, buffer, size, runs, run_count);
}

void fx_write_extent(struct fx_write_queue *queue, struct fx_extent *extent, uint8_t *buffer)
{
	start(queue, extent, buffer, fx_align_up(extent->bytes, FX_BLOCK), extent->runs,
	      extent->run_count);
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

	if (!err)
		err = store->device->ops->reap(store->device)->result;
	if (!err)
		return 0;
	/* Here and not by who called: no way past it, whatever the errno is. */
	fx_store_fail(store, err, "fdatasync");
	return -EIO;
}
