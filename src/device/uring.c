/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uring.c - writes and syncs through one io_uring(7), owned by one thread; reads by pread(2), since
 * they come from any thread. The file is registered, so that no request looks it up.
 */
#include "fd.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <unistd.h>

struct uring_device {
	struct fx_device device;
	struct io_uring ring;
	unsigned int in_flight;
	int broken; /* why the ring takes no more requests; 0: it does */
};

static struct uring_device *self(struct fx_device *device)
{
	return (struct uring_device *)device;
}

static int get_sqe(struct uring_device *d, struct io_uring_sqe **ret_sqe)
{
	if (d->broken)
		return d->broken;
	if (d->in_flight == FX_DEVICE_DEPTH_MAX)
		return -EBUSY;
	*ret_sqe = io_uring_get_sqe(&d->ring);
	return *ret_sqe ? 0 : -EBUSY;
}

static int start(struct uring_device *d, struct io_uring_sqe *sqe, struct fx_io *io)
{
	int n;

	io_uring_sqe_set_data(sqe, io);
	sqe->flags |= IOSQE_FIXED_FILE;
	do
		n = io_uring_submit(&d->ring);
	while (n == -EINTR || n == -EAGAIN);
	if (n < 0) {
		/* The request stays in the ring: a later submission would start it, when io and its
		 * buffer are gone. So there is none. */
		d->broken = n;
		return n;
	}
	d->in_flight++;
	return 0;
}

static int uring_submit(struct fx_device *device, struct fx_io *io)
{
	struct uring_device *d = self(device);
	struct io_uring_sqe *sqe;
	int err = get_sqe(d, &sqe);

	if (err)
		return err;
	io_uring_prep_write(sqe, 0, io->buffer, (unsigned int)io->size, io->offset);
	return start(d, sqe, io);
}

static int uring_submit_sync(struct fx_device *device, struct fx_io *io)
{
	struct uring_device *d = self(device);
	struct io_uring_sqe *sqe;
	int err = get_sqe(d, &sqe);

	if (err)
		return err;
	io->buffer = NULL; /* tells a sync from a write */
	io->size = 0;
	io_uring_prep_fsync(sqe, 0, IORING_FSYNC_DATASYNC);
	return start(d, sqe, io);
}

static struct fx_io *uring_reap(struct fx_device *device)
{
	struct uring_device *d = self(device);
	struct io_uring_cqe *cqe;
	struct fx_io *io;
	int err;

	if (!d->in_flight)
		return NULL;
	do
		err = io_uring_wait_cqe(&d->ring, &cqe);
	while (err == -EINTR || err == -EAGAIN);
	if (err)
		abort(); /* the ring is ours and intact: the kernel cannot refuse to wait */
	io = io_uring_cqe_get_data(cqe);
	io->result = fx_fd_finish(d->device.fd, io, cqe->res);
	io_uring_cqe_seen(&d->ring, cqe);
	d->in_flight--;
	return io;
}

static int uring_read(struct fx_device *device, void *buffer, size_t size, uint64_t offset)
{
	return fx_fd_read(device->fd, buffer, size, offset);
}

static int uring_resize(struct fx_device *device, uint64_t size)
{
	return fx_fd_resize(device, device->fd, size);
}

static void uring_close(struct fx_device *device)
{
	struct uring_device *d = self(device);

	while (uring_reap(device))
		;
	io_uring_queue_exit(&d->ring);
	close(d->device.fd);
	free(d);
}

static const struct fx_device_ops uring_ops = {
	.name = "uring",
	.submit = uring_submit,
	.submit_sync = uring_submit_sync,
	.reap = uring_reap,
	.read = uring_read,
	.resize = uring_resize,
	.close = uring_close,
};

int fx_device_uring(int fd, struct fx_device **ret_device)
{
	struct uring_device *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->device.ops = &uring_ops;
	err = fx_fd_inspect(&d->device, fd);
	if (!err)
		err = io_uring_queue_init(FX_DEVICE_DEPTH_MAX, &d->ring, 0);
	if (err) {
		free(d);
		return err;
	}
	err = io_uring_register_files(&d->ring, &fd, 1);
	if (err) {
		io_uring_queue_exit(&d->ring);
		free(d);
		return err;
	}
	*ret_device = &d->device;
	return 0;
}
