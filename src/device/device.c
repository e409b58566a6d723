/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - opening what a store lives on, and writes that are waited for. */
#include "fd.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that was just made is there after a crash only when its directory is synced too. */
static int sync_directory(const char *path)
{
	FX_AUTO_FREE char *copy = strdup(path);
	FX_AUTO_CLOSE int fd = -1;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fsync(fd) ? -errno : 0;
}

static int open_fd(const char *path, unsigned int flags, int *ret_fd, bool *ret_created)
{
	int mode = flags & FX_DEVICE_READ_ONLY ? O_RDONLY : O_RDWR;
	struct stat st;
	int fd, err = 0;

	/* open(2): what O_EXCL means without O_CREAT is defined for block devices only. */
	if ((flags & FX_DEVICE_EXCLUSIVE) && !stat(path, &st) && S_ISBLK(st.st_mode))
		mode |= O_EXCL;
	fd = open(path, mode | O_CLOEXEC);

	*ret_created = false;
	if (fd < 0 && errno == ENOENT && (flags & FX_DEVICE_CREATE)) {
		fd = open(path, mode | O_CREAT | O_CLOEXEC, 0600);
		*ret_created = fd >= 0;
	}
	if (fd < 0)
		return -errno;
	if (*ret_created) {
		err = fsync(fd) ? -errno : sync_directory(path);
		if (err) {
			close(fd);
			return err;
		}
	}
	*ret_fd = fd;
	return 0;
}

int fx_device_open(const char *path, unsigned int flags, struct fx_device **ret_device)
{
	struct fx_device *device;
	bool created;
	int fd = -1, uring_err = 0, err;

	err = open_fd(path, flags, &fd, &created);
	if (err)
		return err;
	err = -ENOSYS;
	if (!(flags & FX_DEVICE_NO_URING))
		err = fx_device_uring(fd, &device);
	/* Containers forbid io_uring (EPERM), old kernels lack it; plain calls do the same. */
	if (err == -ENOSYS || err == -EPERM || err == -EACCES || err == -ENOMEM) {
		uring_err = flags & FX_DEVICE_NO_URING ? 0 : err;
		err = fx_device_posix(fd, &device);
	}
	if (err) {
		close(fd);
		return err;
	}
	device->created = created;
	device->uring_err = uring_err;
	*ret_device = device;
	return 0;
}

int fx_device_write_sync(struct fx_device *device, const void *buffer, size_t size, uint64_t offset)
{
	struct fx_io io = {0};
	int err = 0;

	while (size && !err) {
		size_t n = size < FX_DEVICE_WRITE_MAX ? size : FX_DEVICE_WRITE_MAX;

		io = (struct fx_io){.buffer = (void *)buffer, .size = n, .offset = offset};
		err = device->ops->submit(device, &io);
		if (!err)
			err = device->ops->reap(device)->result;
		buffer = (const uint8_t *)buffer + n;
		size -= n;
		offset += n;
	}
	if (err)
		return err;
	io = (struct fx_io){0};
	err = device->ops->submit_sync(device, &io);
	return err ? err : device->ops->reap(device)->result;
}
