/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h - the transport between the kernel and libfuse's decoder: mounts, feeds requests from
 * /dev/fuse to the handlers on the calling thread, ends when the file system is unmounted or a
 * signal asks for it.
 */
#ifndef FX_SESSION_H
#define FX_SESSION_H

#include "fs.h"

struct fx_session;

struct fx_text {
	char text[256];
};

/*
 * Mount fs. Before any thread is started, fx_session_block_signals(). On failure *ret_why says what
 * is wrong. -EINVAL: options libfuse refuses; -EIO: the mount itself.
 */
int fx_session_mount(struct fx_fs *fs, struct fx_session **ret_session, struct fx_text *ret_why);

/* Serve until unmounted, or SIGTERM, SIGINT or SIGHUP. What came can still be answered. 0, -EIO. */
int fx_session_serve(struct fx_session *session);

/* After that: the mount ends, also when files below are open. No answer reaches anybody any more.
 */
void fx_session_unmount(struct fx_session *session);

/* One request, as the kernel has written it; at least its header is there. */
void fx_session_feed(struct fx_fs *fs, struct fuse_session *fuse, const struct fuse_buf *buffer);

/* NULL is allowed. */
void fx_session_destroy(struct fx_session *session);

/* The signals that end the session are waited for by a thread of its own. */
void fx_session_block_signals(void);

#endif
