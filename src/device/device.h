/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device.h - the seam through which every byte of a store goes to and comes from its medium.
 *
 * Ordering contract
 *  - Writes that are in flight together may reach the medium in any order, whole, in part (sectors
 *    of 512 bytes are whole) or, until a sync completes, not at all.
 *  - A sync covers exactly the writes that had been *reaped* before it was submitted: when its
 *    completion has been reaped with result 0, they survive any power loss. After a sync that
 * failed nothing is known of them, and a later sync does not repair that (fsyncgate: Rebello et
 * al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
 *  - grow and shrink are durable (data and size) when they return.
 *  - A read sees the newest write of those bytes that has been reaped.
 *
 * Threads: submit, submit_sync, reap and resize belong to one thread, the flusher (before it runs,
 * the opener); read may be called by any thread at any time; close is last.
 * Offsets and sizes of writes are multiples of FX_BLOCK, their buffers aligned to FX_BLOCK.
 * Reads may have any offset and size.
 */
#ifndef FX_DEVICE_H
#define FX_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FX_BLOCK	    ((uint64_t)4096)
#define FX_DEVICE_DEPTH_MAX 64u		      /* operations in flight */
#define FX_DEVICE_WRITE_MAX ((size_t)1 << 20) /* bytes of one write */

/* One operation. Owned by the caller; must stay in place until it is reaped. */
struct fx_io {
	void *buffer;
	size_t size;
	uint64_t offset;
	int result;  /* set when reaped: 0, or a negative errno; a short write is completed or -EIO
		      */
	void *owner; /* the caller's */
	struct fx_io *next; /* the implementation's, between submit and reap */
};

struct fx_device;

struct fx_device_ops {
	const char *name; /* "uring", "posix", "memory" */

	/* Start one write. -EBUSY: FX_DEVICE_DEPTH_MAX are in flight, reap first. */
	int (*submit)(struct fx_device *device, struct fx_io *io);

	/* Start one fdatasync(2). The same errors. */
	int (*submit_sync)(struct fx_device *device, struct fx_io *io);

	/* Wait until an operation has completed and give it. NULL: none is in flight. */
	struct fx_io *(*reap)(struct fx_device *device);

	/*
	 * Read exactly size bytes for each of count, at the same time where that can be; each gets
	 * its result. -EIO also for a read past the end.
	 */
	void (*read)(struct fx_device *device, struct fx_io *ios, unsigned int count);

	/*
	 * Make the device size bytes (a multiple of FX_BLOCK), really allocated (fallocate(2)), and
	 * durable. A block device: 0 when it is at least that large. -ENOSPC, -EFBIG, -EIO: as it
	 * was.
	 */
	int (*resize)(struct fx_device *device, uint64_t size);

	void (*close)(struct fx_device *device);
};

/* What implementations begin with. */
struct fx_device {
	const struct fx_device_ops *ops;
	int fd;	       /* of the file or block device; -1: there is none */
	uint64_t size; /* bytes now; changed by resize only */
	bool fixed;    /* a block device: cannot grow */
	bool ragged;   /* a file whose last bytes do not fill a block: size leaves them out */
	bool created;  /* the file was made at open */
	int uring_err; /* why io_uring is not used although it was asked for; 0 */
};

enum fx_device_flag {
	FX_DEVICE_CREATE = 1 << 0,
	FX_DEVICE_READ_ONLY = 1 << 1,
	FX_DEVICE_NO_URING = 1 << 2,
	FX_DEVICE_EXCLUSIVE =
		1 << 3 /* a block device that is mounted or part of a volume: -EBUSY */
};

/*
 * Open a regular file or block device: io_uring when the kernel lets us, else pread(2)/pwrite(2)
 * with a worker thread. Does not lock (lock.h does), does not read. A file made by it is fsynced
 * together with its directory. -ENOENT, -EACCES, -EISDIR, -ENOTBLK (neither file nor block device).
 */
int fx_device_open(const char *path, unsigned int flags, struct fx_device **ret_device);

/* The two, one by one; fd becomes the device's. */
int fx_device_uring(int fd, struct fx_device **ret_device);
int fx_device_posix(int fd, struct fx_device **ret_device);

/*
 * Is there a byte that is not 0, at or after from? 1: *ret_offset is the first one found; 0: none.
 * A file is read as a whole, but for its holes. Of a block device over 64 MiB, which may take hours
 * to read, the first and last 8 MiB and some 260 places between: wherever file systems, volume
 * managers and RAIDs keep what they are known by, and a sample of the rest. -EIO. scan.c
 */
int fx_device_find_data(struct fx_device *device, uint64_t from, uint64_t *ret_offset);

/* In memory, for tests and tools. Starts with size zero bytes, grows to max_size. */
int fx_device_memory(uint64_t size, uint64_t max_size, struct fx_device **ret_device);

/* Write all of buffer in pieces, reap them, sync, reap: for superblocks and format. */
int fx_device_write_sync(struct fx_device *device, const void *buffer, size_t size,
			 uint64_t offset);

static inline int fx_device_read(struct fx_device *device, void *buffer, size_t size,
				 uint64_t offset)
{
	struct fx_io io = {.buffer = buffer, .size = size, .offset = offset};

	device->ops->read(device, &io, 1);
	return io.result;
}

static inline void fx_device_close(struct fx_device *device)
{
	if (device)
		device->ops->close(device);
}

#endif
