/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.h - one owner per store file, by open-file-description byte-range locks (fcntl(2) F_OFD_*)
 * on two bytes far beyond any data: byte OWNER is held by who has the store open for writing
 * (shared by readers), byte CLOSING in addition while the owner is closing it. Gone with the
 * process, whatever ends it.
 */
#ifndef FX_LOCK_H
#define FX_LOCK_H

#include <stdbool.h>

struct fx_lock {
	int fd;
};

/*
 * -EBUSY: somebody else has it. When the owner is closing, waits for it at most wait_ms, looking
 * every 10 ms.
 */
int fx_lock_acquire(struct fx_lock *lock, const char *path, bool read_only, unsigned int wait_ms);

/* From now on others wait instead of being refused. */
void fx_lock_closing(struct fx_lock *lock);

/* A zeroed lock, or one that was not acquired (fd < 0), is allowed. */
void fx_lock_release(struct fx_lock *lock);

#endif
