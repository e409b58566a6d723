/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c - a device in memory: an operation is done when it is submitted; nothing survives. */
#include "device.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct memory_device {
	struct fx_device device;
	pthread_mutex_t mutex; /* guards bytes: reads come from any thread */
	uint8_t *bytes;
	uint64_t max_size;
	unsigned int done_count;
	struct fx_io *done, **tail;
};

static struct memory_device *self(struct fx_device *device)
{
	return (struct memory_device *)device;
}

static int complete(struct memory_device *d, struct fx_io *io, int result)
{
	io->result = result;
	io->next = NULL;
	*d->tail = io;
	d->tail = &io->next;
	d->done_count++;
	return 0;
}

static bool inside(const struct fx_device *device, uint64_t offset, size_t size)
{
	return offset <= device->size && size <= device->size - offset;
}

static int memory_submit(struct fx_device *device, struct fx_io *io)
{
	struct memory_device *d = self(device);

	if (d->done_count == FX_DEVICE_DEPTH_MAX)
		return -EBUSY;
	if (!inside(device, io->offset, io->size))
		return complete(d, io, -EIO);
	pthread_mutex_lock(&d->mutex);
	memcpy(d->bytes + io->offset, io->buffer, io->size);
	pthread_mutex_unlock(&d->mutex);
	return complete(d, io, 0);
}

static int memory_submit_sync(struct fx_device *device, struct fx_io *io)
{
	struct memory_device *d = self(device);

	return d->done_count == FX_DEVICE_DEPTH_MAX ? -EBUSY : complete(d, io, 0);
}

static struct fx_io *memory_reap(struct fx_device *device)
{
	struct memory_device *d = self(device);
	struct fx_io *io = d->done;

	if (!io)
		return NULL;
	d->done = io->next;
	if (!d->done)
		d->tail = &d->done;
	d->done_count--;
	return io;
}

static void memory_read(struct fx_device *device, struct fx_io *ios, unsigned int count)
{
	struct memory_device *d = self(device);

	pthread_mutex_lock(&d->mutex);
	for (unsigned int i = 0; i < count; i++) {
		ios[i].result = inside(device, ios[i].offset, ios[i].size) ? 0 : -EIO;
		if (!ios[i].result)
			memcpy(ios[i].buffer, d->bytes + ios[i].offset, ios[i].size);
	}
	pthread_mutex_unlock(&d->mutex);
}

static int memory_resize(struct fx_device *device, uint64_t size)
{
	struct memory_device *d = self(device);
	uint8_t *bytes;
	int err = 0;

	if (size > d->max_size)
		return -ENOSPC;
	pthread_mutex_lock(&d->mutex);
	bytes = realloc(d->bytes, size + 1);
	if (!bytes) {
		err = -ENOSPC;
	} else {
		if (size > device->size)
			memset(bytes + device->size, 0, size - device->size);
		d->bytes = bytes;
		device->size = size;
	}
	pthread_mutex_unlock(&d->mutex);
	return err;
}

static void memory_close(struct fx_device *device)
{
	struct memory_device *d = self(device);

	pthread_mutex_destroy(&d->mutex);
	free(d->bytes);
	free(d);
}

static const struct fx_device_ops memory_ops = {
	.name = "memory",
	.submit = memory_submit,
	.submit_sync = memory_submit_sync,
	.reap = memory_reap,
	.read = memory_read,
	.resize = memory_resize,
	.close = memory_close,
};

int fx_device_memory(uint64_t size, uint64_t max_size, struct fx_device **ret_device)
{
	struct memory_device *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->device.ops = &memory_ops;
	d->device.fd = -1;
	d->max_size = max_size;
	d->tail = &d->done;
	pthread_mutex_init(&d->mutex, NULL);
	err = memory_resize(&d->device, size);
	if (err) {
		memory_close(&d->device);
		return err;
	}
	*ret_device = &d->device;
	return 0;
}
