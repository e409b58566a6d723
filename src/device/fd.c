/* SPDX-License-Identifier: Apache-2.0 */
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

int fx_fd_inspect(struct fx_device *device, int fd)
{
	struct stat st;
	uint64_t bytes;

	if (fstat(fd, &st))
		return -errno;
	device->fd = fd;
	if (S_ISREG(st.st_mode)) {
		device->size = (uint64_t)st.st_size / FX_BLOCK * FX_BLOCK;
		device->ragged = device->size != (uint64_t)st.st_size;
		return 0;
	}
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISBLK(st.st_mode))
		return -ENOTBLK;
	if (ioctl(fd, BLKGETSIZE64, &bytes))
		return -errno;
	device->size = bytes / FX_BLOCK * FX_BLOCK;
	device->fixed = true;
	return 0;
}

int fx_fd_read(int fd, void *buffer, size_t size, uint64_t offset)
{
	uint8_t *at = buffer;

	while (size) {
		ssize_t n = pread(fd, at, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* past the end */
		at += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

void fx_fd_read_each(int fd, struct fx_io *ios, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		ios[i].result = fx_fd_read(fd, ios[i].buffer, ios[i].size, ios[i].offset);
}

int fx_fd_write(int fd, const void *buffer, size_t size, uint64_t offset)
{
	const uint8_t *at = buffer;

	while (size) {
		ssize_t n = pwrite(fd, at, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		at += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int fx_fd_sync(int fd)
{
	int err;

	do
		err = fdatasync(fd) ? -errno : 0;
	while (err == -EINTR);
	return err;
}

int fx_fd_finish(int fd, const struct fx_io *io, int n)
{
	bool again = n == -EINTR || n == -EAGAIN;
	size_t done = again ? 0 : (size_t)n;

	if (n < 0 && !again)
		return n;
	if (!io->buffer)
		return again ? fx_fd_sync(fd) : 0;
	return fx_fd_write(fd, (const uint8_t *)io->buffer + done, io->size - done,
			   io->offset + done);
}

int fx_fd_resize(struct fx_device *device, int fd, uint64_t size)
{
	int err = 0;

	if (device->fixed)
		return size <= device->size ? 0 : -ENOSPC;
	if (size > device->size) {
		/* Real blocks, so that a write within the size cannot meet a full disk. */
		err = posix_fallocate(fd, (off_t)device->size, (off_t)(size - device->size));
		if (err) {
			(void)!ftruncate(fd, (off_t)device->size);
			return err == EFBIG || err == ENOSPC ? -err : -EIO;
		}
	} else if (size < device->size && ftruncate(fd, (off_t)size)) {
		return -EIO;
	}
	if (fsync(fd))
		return -EIO;
	device->size = size;
	return 0;
}
