/* SPDX-License-Identifier: Apache-2.0 */
/* fd.h - what the implementations over a file descriptor share. */
#ifndef FX_FD_H
#define FX_FD_H

#include "device.h"

/* Set size and fixed from the descriptor. -ENOTBLK: neither a regular file nor a block device. */
int fx_fd_inspect(struct fx_device *device, int fd);

int fx_fd_read(int fd, void *buffer, size_t size, uint64_t offset);
int fx_fd_write(int fd, const void *buffer, size_t size, uint64_t offset);
int fx_fd_resize(struct fx_device *device, int fd, uint64_t size);

#endif
