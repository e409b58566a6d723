/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.h - one request of the kernel: what was asked, how far it is, what is answered.
 *
 * A handler fills in a struct fx_call on its stack and gives it to fx_call_run() with the
 * operation's table entry: locks to take, work to do, how to answer. On the transport's thread
 * nothing waits: locks are tried, the engine is called with FEOX_NOWAIT. When work answers
 * -EAGAIN the call is copied to the heap and the same work runs again in the pool, where it may
 * wait. So work must leave nothing half done when it returns -EAGAIN.
 */
#ifndef FX_CALL_H
#define FX_CALL_H

#include "lookup.h"
#include "node.h"
#include "worker.h"

enum fx_call_names { FX_NAMES_NONE, FX_NAMES_SHARED, FX_NAMES_EXCLUSIVE };

#define FX_ANSWERED 1 /* work has answered, or somebody will */

struct fx_call;

struct fx_op {
	enum fx_call_names names; /* how names_lock is held while work runs */
	bool locks_node;	  /* call->node's mutex is held too */
	bool changes;		  /* with -o sync: answered when durable */
	/*
	 * Answered before the locks are given back: the kernel gets to know an inode or a name, and
	 * what changes it afterwards must find it there to be invalidated.
	 */
	bool answers_locked;
	/* 0: to be answered by answer; FX_ANSWERED; -EAGAIN: see above; a negative errno. */
	int (*work)(struct fx_call *call);
	void (*answer)(struct fx_call *call);
};

struct fx_call {
	struct fx_job job; /* in the pool */
	const struct fx_op *op;
	struct fx_fs *fs;
	fuse_req_t req;
	unsigned int nowait; /* FEOX_NOWAIT on the transport's thread, 0 in the pool */
	bool heap;

	/* What was asked; each handler says what it uses. */
	struct fx_node *node, *other;
	const char *name, *other_name; /* copied with the call */
	const void *data;	       /* size bytes, copied with the call; may be NULL */
	size_t size;
	off_t offset;
	uint64_t length;
	unsigned int flags;
	mode_t mode;
	dev_t rdev;
	struct stat attr; /* SETATTR's; then the one answered */
	struct fuse_file_info fi;
	void *handle;	  /* of a directory */
	bool kills_setid; /* see fx_protocol_kills_setid() */
	bool begun;	  /* the part of the work that must not be done twice is done */

	/* The answer. */
	struct fuse_entry_param entry; /* entry.ino counts as a lookup until it is answered */
	double timeout;
	bool expires; /* what was made has a TTL */
	void *buffer; /* malloc(3)ed; freed with the call */
	size_t buffer_size;
	struct feox_value value; /* released with the call */
	size_t value_offset;

	/* Answer only when the kernel has dropped what it caches of node (pages: its content too).
	 */
	bool invalidates, pages;
	bool fenced; /* the same for everything that was queued, 100 ms at most */

	/* Answer only when sync_key is durable; with it NULL, everything. */
	bool durable;
	uint8_t *sync_key; /* freed with the call */
	size_t sync_key_size;
};

/* A call of req on ino, which is a node's number (0: none), with everything else zero. */
void fx_call_init(struct fx_call *call, fuse_req_t req, fuse_ino_t ino);
/* A call of our own that nobody asked for: nothing is answered. */
void fx_call_init_own(struct fx_call *call, struct fx_fs *fs, struct fx_node *node);
void fx_call_run(struct fx_call *call, const struct fx_op *op);

/* Lock a further mutex inside work: in its rank, see fs.h. -EAGAIN. */
int fx_call_lock(struct fx_call *call, pthread_mutex_t *mutex);

/* names_lock, for work of an operation that does not name it. -EAGAIN with nowait. */
int fx_names_lock(struct fx_fs *fs, enum fx_call_names names, unsigned int nowait);
void fx_names_unlock(struct fx_fs *fs);

/* Ask for an answer when this key is durable. -ENOMEM. */
int fx_call_sync_key(struct fx_call *call, const struct fx_key *key);

/* Wait until no answer is owed any more; called by fx_fs_destroy() only. */
void fx_call_wait_synced(struct fx_fs *fs);

/* Ways to answer. */
void fx_answer_none(struct fx_call *call);
void fx_answer_ok(struct fx_call *call);
void fx_answer_entry(struct fx_call *call);
void fx_answer_attr(struct fx_call *call);
void fx_answer_buffer(struct fx_call *call); /* buffer, or a slice of value */
void fx_answer_write(struct fx_call *call);  /* call->size */

#endif
