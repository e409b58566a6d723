/* SPDX-License-Identifier: Apache-2.0 */
/* disk_read.h - reading extents. Any thread; the caller keeps the extent from being reused. */
#ifndef FX_DISK_READ_H
#define FX_DISK_READ_H

#include "store.h"

/* Bytes [at, at + size) of an extent, wherever its runs are. -EIO also beyond its end. */
int fx_extent_read(struct feox_store *store, const struct fx_extent *extent, uint64_t at,
		   void *buffer, size_t size);

#endif
