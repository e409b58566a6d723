/* SPDX-License-Identifier: Apache-2.0 */
/*
 * posix.c - pwrite(2) and fdatasync(2), for where io_uring is forbidden. An operation is done when
 * it is submitted: a buffered write only copies, and a sync is waited for by the flusher anyway.
 */
#include "fd.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct posix_device {
	struct fx_device device;
	unsigned int done_count;
	struct fx_io *done, **tail; /* in order of submission */
};

static struct posix_device *self(struct fx_device *device)
{
	return (struct posix_device *)device;
}

static int complete(struct posix_device *d, struct fx_io *io, int result)
{
	io->result = result;
	io->next = NULL;
	*d->tail = io;
	d->tail = &io->next;
	d->done_count++;
	return 0;
}

static int posix_submit(struct fx_device *device, struct fx_io *io)
{
	struct posix_device *d = self(device);

	if (d->done_count == FX_DEVICE_DEPTH_MAX)
		return -EBUSY;
	return complete(d, io, fx_fd_write(d->device.fd, io->buffer, io->size, io->offset));
}

static int posix_submit_sync(struct fx_device *device, struct fx_io *io)
{
	struct posix_device *d = self(device);

	if (d->done_count == FX_DEVICE_DEPTH_MAX)
		return -EBUSY;
	return complete(d, io, fx_fd_sync(d->device.fd));
}

static struct fx_io *posix_reap(struct fx_device *device)
{
	struct posix_device *d = self(device);
	struct fx_io *io = d->done;

	if (!io)
		return NULL;
	d->done = io->next;
	if (!d->done)
		d->tail = &d->done;
	d->done_count--;
	return io;
}

static void posix_read(struct fx_device *device, struct fx_io *ios, unsigned int count)
{
	fx_fd_read_each(device->fd, ios, count);
}

static int posix_resize(struct fx_device *device, uint64_t size)
{
	return fx_fd_resize(device, device->fd, size);
}

static void posix_close(struct fx_device *device)
{
	close(device->fd);
	free(device);
}

static const struct fx_device_ops posix_ops = {
	.name = "posix",
	.submit = posix_submit,
	.submit_sync = posix_submit_sync,
	.reap = posix_reap,
	.read = posix_read,
	.resize = posix_resize,
	.close = posix_close,
};

int fx_device_posix(int fd, struct fx_device **ret_device)
{
	struct posix_device *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->tail = &d->done;
	d->device.ops = &posix_ops;
	err = fx_fd_inspect(&d->device, fd);
	if (err) {
		free(d);
		return err;
	}
	*ret_device = &d->device;
	return 0;
}
