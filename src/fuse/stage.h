/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage.h - the staged value of an open file: what is written and not yet published.
 *
 * One per inode, shared by every handle; while it exists it is the file's content for everybody.
 * Room for it is promised by the engine (feox_reserve) before a change is accepted, so publishing
 * it later cannot fail for want of space. All calls are made under node->mutex (or names_lock held
 * exclusively); those that reach the store need names_lock too. nowait is 0 or FEOX_NOWAIT; with
 * it, -EAGAIN means that nothing has changed.
 */
#ifndef FX_STAGE_H
#define FX_STAGE_H

#include "node.h"

struct fx_stage {
	uint8_t *data; /* owned; capacity bytes, of which size are the content */
	uint64_t size, capacity;
	uint64_t reserved;	/* promised by feox_reserve(), until published */
	uint64_t described;	/* bytes of the record's key and attributes ... */
	uint64_t reserved_more; /* ... promised beyond those of every promise */
	uint64_t allocated;	/* by fallocate(2): stays promised as long as the stage lives */
	bool dirty;		/* differs from the store */
	struct timespec mtime, ctime; /* of the last change, while dirty */
	uint64_t first_ns, last_ns;   /* CLOCK_MONOTONIC: first and last change since clean */
};

/*
 * Make sure that node has a stage; a new one begins with the file's content, or empty with discard
 * (for O_TRUNC). -ENOENT: the key is gone.
 */
int fx_stage_begin(struct fx_fs *fs, struct fx_node *node, bool discard, unsigned int nowait);

/* Bytes in the largest one. */
uint64_t fx_stage_size_max(const struct fx_fs *fs);

/* Change it; the stage has begun. -EFBIG, -ENOSPC, -ENOMEM: nothing has changed. */
int fx_stage_write(struct fx_fs *fs, struct fx_node *node, const void *data, size_t size,
		   uint64_t offset, unsigned int nowait);
int fx_stage_resize(struct fx_fs *fs, struct fx_node *node, uint64_t size, unsigned int nowait);
/* Zero size bytes from offset on; what lies beyond the end counts only with extend. */
int fx_stage_zero(struct fx_fs *fs, struct fx_node *node, uint64_t offset, uint64_t size,
		  bool extend, unsigned int nowait);

/* Promise and buffer room for a content of size bytes, which stays as it is. */
int fx_stage_promise(struct fx_fs *fs, struct fx_node *node, uint64_t size, unsigned int nowait);

/* The same for good: what is written there later has room also after it was published once. */
int fx_stage_allocate(struct fx_fs *fs, struct fx_node *node, uint64_t size, unsigned int nowait);

/* The record's key and attributes take that many bytes from now on: promise them too, if needed. */
int fx_stage_describe(struct fx_fs *fs, struct fx_node *node, uint64_t size, unsigned int nowait);

/*
 * Put a dirty stage into the store. 0 also when there is nothing to do, and when the key is gone:
 * the stage is then an unlinked file's, and never published.
 */
int fx_stage_publish(struct fx_fs *fs, struct fx_node *node, unsigned int nowait);

/* The same, and the key expires at expiry_ns (0: never) from now on. */
int fx_stage_publish_until(struct fx_fs *fs, struct fx_node *node, uint64_t expiry_ns,
			   unsigned int nowait);

/*
 * The key's value has just been changed by other means than a write to the file, and what was
 * staged is in it or replaced by it: everything that handles see is the new value.
 */
void fx_stage_follow(struct fx_fs *fs, struct fx_node *node);

/* Publish; without a writer (unlinked: without any handle) the stage ends. */
int fx_stage_settle(struct fx_fs *fs, struct fx_node *node, unsigned int nowait);

/* The file has lost its name: it is detached, what is staged is only its handles' from now on. */
void fx_stage_lose_name(struct fx_fs *fs, struct fx_node *node);

/*
 * The same because its key has expired; the kernel is told, if it can be queued. names_lock is held
 * too.
 */
void fx_stage_expire(struct fx_fs *fs, struct fx_node *node);

void fx_stage_free(struct fx_fs *fs, struct fx_stage *stage); /* NULL is allowed */

uint64_t fx_monotonic(void); /* CLOCK_MONOTONIC_COARSE, ns */

#endif
