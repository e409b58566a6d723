/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uring.c - writes and syncs through one io_uring(7), owned by one thread. The file is registered,
 * so that no request looks it up.
 *
 * Reads come from any thread. A single one is a pread(2), which is as fast. Several go through one
 * of a few rings for reading, whoever finds one free; where none is, one after the other. These
 * rings are made when they are first used: not every store reads cold values by the dozen.
 */
#include "fd.h"

#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_RINGS 4u
#define READ_DEPTH 32u

struct read_ring {
	pthread_mutex_t mutex; /* held while it is used */
	enum { RING_NONE, RING_READY, RING_BROKEN } state;
	struct io_uring ring;
};

struct uring_device {
	struct fx_device device;
	struct read_ring readers[READ_RINGS];
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

/* ---- Reading -----------------------------------------------------------------------------------
 */

/* A ring that nobody uses, locked; NULL: there is none. */
static struct read_ring *take_reader(struct uring_device *d)
{
	for (unsigned int i = 0; i < READ_RINGS; i++) {
		struct read_ring *reader = &d->readers[i];

		if (pthread_mutex_trylock(&reader->mutex))
			continue;
		if (reader->state == RING_NONE)
			reader->state = io_uring_queue_init(READ_DEPTH, &reader->ring, 0)
						? RING_BROKEN
						: RING_READY;
		if (reader->state == RING_READY)
			return reader;
		pthread_mutex_unlock(&reader->mutex);
	}
	return NULL;
}

/* What was not read, or not all of it, is read here: it is rare. */
static void finish_read(int fd, struct fx_io *io, int n)
{
	size_t done = n > 0 ? (size_t)n : 0;

	if (n < 0 && n != -EINTR && n != -EAGAIN)
		io->result = n;
	else
		io->result = fx_fd_read(fd, (uint8_t *)io->buffer + done, io->size - done,
					io->offset + done);
}

static void reap_read(struct read_ring *reader, int fd)
{
	struct io_uring_cqe *cqe;
	int err;

	do
		err = io_uring_wait_cqe(&reader->ring, &cqe);
	while (err == -EINTR || err == -EAGAIN);
	if (err)
		abort(); /* as in uring_reap() */
	finish_read(fd, io_uring_cqe_get_data(cqe), cqe->res);
	io_uring_cqe_seen(&reader->ring, cqe);
}

/* At most READ_DEPTH reads. Afterwards none is in flight. */
static void read_together(struct read_ring *reader, int fd, struct fx_io *ios, unsigned int count)
{
	unsigned int submitted = 0;

	for (unsigned int i = 0; i < count; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&reader->ring);

		io_uring_prep_read(sqe, fd, ios[i].buffer, (unsigned int)ios[i].size,
				   ios[i].offset);
		io_uring_sqe_set_data(sqe, &ios[i]);
	}
	while (submitted < count) {
		int n = io_uring_submit(&reader->ring);

		if (n > 0)
			submitted += (unsigned int)n;
		else if (n != -EINTR && n != -EAGAIN)
			break;
	}
	for (unsigned int i = 0; i < submitted; i++)
		reap_read(reader, fd);
	if (submitted < count) { /* what stays in the ring must never start */
		reader->state = RING_BROKEN;
		io_uring_queue_exit(&reader->ring);
		fx_fd_read_each(fd, ios + submitted, count - submitted);
	}
}

static void uring_read(struct fx_device *device, struct fx_io *ios, unsigned int count)
{
	struct read_ring *reader = count > 1 ? take_reader(self(device)) : NULL;

	while (reader && reader->state == RING_READY && count > 1) {
		unsigned int n = count < READ_DEPTH ? count : READ_DEPTH;

		read_together(reader, device->fd, ios, n);
		ios += n;
		count -= n;
	}
	if (reader)
		pthread_mutex_unlock(&reader->mutex);
	fx_fd_read_each(device->fd, ios, count);
}

static void free_readers(struct uring_device *d)
{
	for (unsigned int i = 0; i < READ_RINGS; i++) {
		if (d->readers[i].state == RING_READY)
			io_uring_queue_exit(&d->readers[i].ring);
		pthread_mutex_destroy(&d->readers[i].mutex);
	}
}

/* ---- The rest ----------------------------------------------------------------------------------
 */

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
	free_readers(d);
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
	for (unsigned int i = 0; i < READ_RINGS; i++)
		pthread_mutex_init(&d->readers[i].mutex, NULL);
	*ret_device = &d->device;
	return 0;
}
