/* SPDX-License-Identifier: Apache-2.0 */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#define OWNER	((off_t)INT64_MAX - 2)
#define CLOSING ((off_t)INT64_MAX - 1)
#define POLL_NS 10000000L /* between two looks at a store that is closing */

static int set(int fd, short type, off_t byte)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	if (fcntl(fd, F_OFD_SETLK, &lock))
		return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
	return 0;
}

/* Does somebody else hold byte? */
static bool held(int fd, off_t byte)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/*
 * The kernel's waiting lock call knows no time limit, and a signal to end it would be the
 * program's, not ours: so a closing store is looked at every 10 ms.
 */
static int acquire(int fd, short type, unsigned int wait_ms)
{
	int64_t until = now_ms() + wait_ms;
	int err;

	while ((err = set(fd, type, OWNER)) == -EBUSY) {
		struct timespec pause = {.tv_nsec = POLL_NS};

		if (!held(fd, CLOSING)) {
			err = set(fd, type, OWNER); /* it may have gone between the two looks */
			break;
		}
		if (now_ms() >= until)
			break;
		nanosleep(&pause, NULL);
	}
	return err;
}

int fx_lock_acquire(struct fx_lock *lock, const char *path, bool read_only, unsigned int wait_ms)
{
	int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = acquire(fd, read_only ? F_RDLCK : F_WRLCK, wait_ms);
	if (err) {
		close(fd);
		return err;
	}
	lock->fd = fd;
	return 0;
}

void fx_lock_closing(struct fx_lock *lock)
{
	/* Who opened it for reading only may not place a write lock (fcntl(2)). */
	if (lock->fd >= 0 && set(lock->fd, F_WRLCK, CLOSING) == -EBADF)
		set(lock->fd, F_RDLCK, CLOSING);
}

void fx_lock_release(struct fx_lock *lock)
{
	if (lock->fd >= 0)
		close(lock->fd); /* the locks belong to the open file description */
	lock->fd = -1;
}
