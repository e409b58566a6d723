/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.c - is a device blank? Asked once, before a store is made on it: who finds nothing destroys
 * nothing.
 *
 * A regular file is looked at as a whole: lseek(2) SEEK_DATA skips what was never written. A block
 * device has no such call and may be large. What lies on one is known by what its ends and a few
 * fixed places hold (see what libblkid of util-linux probes):
 *
 *   first 4 MiB       partition tables, file systems, swap, LVM, LUKS, md 1.1 and 1.2, ZFS labels,
 *                     btrfs (64 KiB), VMFS (1 and 2 MiB); and our own first extents
 *   last 512 KiB      backup GPT, md 0.90 and 1.0, ZFS labels, vendors' RAIDs, DRBD
 *   64 MiB, 256 GiB   btrfs' copies
 *
 * EDGE covers the first two with room, and a sample of the rest finds data whose beginning was
 * wiped.
 */
#include "fd.h"

#include "bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE	    ((size_t)1 << 20) /* bytes read at a time */
#define WHOLE_MAX   ((uint64_t)64 << 20)
#define EDGE	    ((uint64_t)8 << 20)
#define SAMPLES	    256u
#define SAMPLE_SIZE ((uint64_t)64 << 10)

static const uint64_t copies[] = {UINT64_C(64) << 20, UINT64_C(256) << 30};

/* The first byte of buffer that is not 0; size: none. */
static size_t first_data(const uint8_t *buffer, size_t size)
{
	size_t i = 0;

	if (!size || (!buffer[0] && !memcmp(buffer, buffer + 1, size - 1)))
		return size;
	while (!buffer[i])
		i++;
	return i;
}

/* Skip a hole: where data may begin at or after offset, end when nowhere. */
static uint64_t skip_hole(const struct fx_device *device, uint64_t offset, uint64_t end)
{
	off_t data =
		device->fd < 0 || device->fixed ? -1 : lseek(device->fd, (off_t)offset, SEEK_DATA);

	if (data >= 0)
		return (uint64_t)data < end ? (uint64_t)data : end;
	return device->fd >= 0 && !device->fixed && errno == ENXIO ? end : offset;
}

struct scan {
	struct fx_device *device;
	uint64_t from; /* what lies before it does not count */
	uint8_t *buffer;
	uint64_t found;
};

/* In [begin, end): 1 and where, 0, or an error. */
static int scan_range(struct scan *scan, uint64_t begin, uint64_t end)
{
	begin = begin > scan->from ? begin : scan->from;
	while (begin < end && (begin = skip_hole(scan->device, begin, end)) < end) {
		size_t n = end - begin < PIECE ? (size_t)(end - begin) : PIECE;
		int err = fx_device_read(scan->device, scan->buffer, n, begin);
		size_t at;

		if (err)
			return err;
		at = first_data(scan->buffer, n);
		if (at < n) {
			scan->found = begin + at;
			return 1;
		}
		begin += n;
	}
	return 0;
}

/* Place i of those that are looked at between the ends. */
static uint64_t sample_place(uint64_t size, unsigned int i)
{
	if (i >= SAMPLES)
		return copies[i - SAMPLES];
	return (size - SAMPLE_SIZE) / SAMPLES * i / FX_BLOCK * FX_BLOCK;
}

static int scan_samples(struct scan *scan)
{
	uint64_t size = scan->device->size;
	int found = scan_range(scan, 0, EDGE);

	if (!found)
		found = scan_range(scan, size - EDGE, size);
	for (unsigned int i = 0; i < SAMPLES + sizeof(copies) / sizeof(*copies) && !found; i++) {
		uint64_t place = sample_place(size, i);

		if (place + SAMPLE_SIZE <= size)
			found = scan_range(scan, place, place + SAMPLE_SIZE);
	}
	return found;
}

/* The bytes of a file behind its last whole block, which size leaves out. */
static int scan_tail(struct scan *scan)
{
	uint64_t size = scan->device->size;
	uint64_t begin = size > scan->from ? size : scan->from;
	uint8_t tail[FX_BLOCK];
	ssize_t n;
	size_t at;

	if (!scan->device->ragged)
		return 0;
	do
		n = pread(scan->device->fd, tail, sizeof(tail), (off_t)begin);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	at = first_data(tail, (size_t)n);
	if (at == (size_t)n)
		return 0;
	scan->found = begin + at;
	return 1;
}

int fx_device_find_data(struct fx_device *device, uint64_t from, uint64_t *ret_offset)
{
	struct scan scan = {.device = device, .from = from, .buffer = malloc(PIECE)};
	int found;

	if (!scan.buffer)
		return -ENOMEM;
	if (device->fixed && device->size > WHOLE_MAX)
		found = scan_samples(&scan);
	else
		found = scan_range(&scan, 0, device->size);
	if (!found)
		found = scan_tail(&scan);
	free(scan.buffer);
	if (found == 1)
		*ret_offset = scan.found;
	return found;
}
