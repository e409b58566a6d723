/* SPDX-License-Identifier: Apache-2.0 */
/* fd.h - what the implementations over a file descriptor share. */
#ifndef FX_FD_H
#define FX_FD_H

#include "device.h"

/* Set fd, size and fixed from the descriptor. -ENOTBLK: neither a regular file nor a block device.
 */
int fx_fd_inspect(struct fx_device *device, int fd);

int fx_fd_read(int fd, void *buffer, size_t size, uint64_t offset);
void fx_fd_read_each(int fd, struct fx_io *ios, unsigned int count);
int fx_fd_write(int fd, const void *buffer, size_t size, uint64_t offset);
int fx_fd_sync(int fd); /* fdatasync(2) */

/*
 * The result of io, of which an asynchronous call says n: bytes written, 0 for a sync (buffer
 * NULL), or a negative errno. What was interrupted, and the rest of a short write, is done here, at
 * once: it is rare. An interrupted sync has synced nothing: it must not pass for a write of no
 * bytes.
 */
int fx_fd_finish(int fd, const struct fx_io *io, int n);

int fx_fd_resize(struct fx_device *device, int fd, uint64_t size);

#endif
