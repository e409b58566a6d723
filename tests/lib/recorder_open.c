/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorder_open.c - leads feox_open() to recorder_medium: the device, its lock, and random numbers,
 * which come from a seed, so that a run can be had again. For programs that are linked with
 * --wrap=fx_device_open, fx_lock_acquire and getrandom.
 */
#include "recorder.h"

#include "lock.h"

#include <errno.h>
#include <sys/types.h>

struct recorder *recorder_medium;
_Atomic uint64_t recorder_seed;

int __wrap_fx_device_open(const char *path, unsigned int flags, struct fx_device **ret_device);
int __wrap_fx_lock_acquire(struct fx_lock *lock, const char *path, bool read_only,
			   unsigned int wait_ms);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned int flags);

int __wrap_fx_device_open(const char *path, unsigned int flags, struct fx_device **ret_device)
{
	if (!recorder_medium)
		return -ENOENT;
	*ret_device = recorder_device(recorder_medium);
	return 0;
}

int __wrap_fx_lock_acquire(struct fx_lock *lock, const char *path, bool read_only,
			   unsigned int wait_ms)
{
	lock->fd = -1;
	return 0;
}

ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned int flags)
{
	uint64_t state = atomic_fetch_add(&recorder_seed, 1);
	uint8_t *out = buffer;

	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)recorder_random(&state, 256);
	return (ssize_t)size;
}
