/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify.h - tells the kernel to drop what it caches. Two threads of their own, because a
 * notification waits for locks of the kernel that may be waiting for us: one for inodes, one for
 * entries (rm holds the directory's lock while it waits for the file's, which setxattr holds).
 * Queueing never waits.
 */
#ifndef FX_NOTIFY_H
#define FX_NOTIFY_H

#include "node.h"

int fx_notify_create(struct fx_fs *fs, struct fx_notify **ret_notify);
/* Sends what is queued; the session must still be there. NULL is allowed. */
void fx_notify_destroy(struct fx_notify *notify);

/*
 * Attributes of node, with pages also its content. done (may be NULL) is called when the kernel
 * has dropped them, by the notifier's thread; it may answer a request. -ENOMEM: nothing queued.
 */
int fx_notify_inode(struct fx_fs *fs, struct fx_node *node, bool pages, void (*done)(void *ctx),
		    void *ctx);

/* The name of node. */
int fx_notify_entry(struct fx_fs *fs, struct fx_node *node);
/*
 * It is looked up before it is believed the next time; may have no effect when it is being looked
 * up just now.
 */
int fx_notify_expire(struct fx_fs *fs, struct fx_node *node);
/* Any name in a directory: also that there is none. */
int fx_notify_name(struct fx_fs *fs, struct fx_node *directory, const char *name, size_t name_size);

/*
 * The name of node, which was a file's, is gone by itself: who watches the file (inotify) is told.
 * names_lock is held. It goes with the names; beyond what has room nothing may be queued.
 */
int fx_notify_deleted(struct fx_fs *fs, struct fx_node *node);
/* Whether more deletions have room, after waiting for at most wait_ns (below a second). */
bool fx_notify_has_room(struct fx_fs *fs, uint64_t wait_ns);

/*
 * done(ctx) is called once, by a thread of the notifier or the pool: when everything queued before
 * has been sent, or after FX_NOTIFY_WAIT_NS. -ENOMEM: it will not be called.
 */
#define FX_NOTIFY_WAIT_NS UINT64_C(100000000)
int fx_notify_fence(struct fx_fs *fs, void (*done)(void *ctx), void *ctx);

#endif
