/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_file.c - handles of files: made, opened, made durable, closed.
 *
 * A handle has no state of its own: what it may do is in its flags, what it reads and writes
 * belongs to the inode (stage.h, kept.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cleanup.h"
#include "control.h"
#include "kept.h"
#include "op.h"
#include "stage.h"

#define FX_DIRECT_FROM ((uint64_t)64 * 1024)	   /* bytes: what is overwritten is large */
#define FX_CHANGED_NS  ((uint64_t)60 * 1000000000) /* after a change, see reads_direct() */

static bool is_writer(const struct fuse_file_info *fi)
{
	return (fi->flags & O_ACCMODE) != O_RDONLY;
}

/* ---- RELEASE --------------------------------------------------------------------------------- */

void fx_handle_used(struct fx_node *node, const struct fuse_file_info *fi)
{
	if (fi->fh && fi->fh == node->cache_version)
		node->cache_clean = true;
}

static void drop_handle(struct fx_call *call)
{
	struct fx_node *node = call->node;

	fx_handle_used(node, &call->fi);
	node->opens--;
	if (is_writer(&call->fi))
		node->writers--;
	call->begun = true;
}

static int release_work(struct fx_call *call)
{
	struct fx_node *node = call->node;
	int rc;

	if (!call->begun)
		drop_handle(call);
	rc = fx_stage_settle(call->fs, node, call->nowait);
	if (rc == -EAGAIN)
		return rc;
	if (rc < 0) /* nobody is there to be told; later.c goes on trying */
		fuse_log(FUSE_LOG_ERR, "feoxfs: publishing a closed file failed: error %d\n", -rc);
	if (!node->opens)
		fx_kept_free(call->fs, FX_STEAL(node->kept));
	return 0;
}

void fx_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.locks_node = true,
					.work = release_work,
					.answer = fx_answer_ok};
	struct fx_call call;

	if (fx_control_is(ino)) {
		fx_control_release(fuse_req_userdata(req), req, ino, fi);
		return;
	}
	fx_call_init(&call, req, ino);
	call.fi = *fi;
	fx_call_run(&call, &op);
}

/* The kernel did not take the handle that an answer gave it: the caller was interrupted. */
static void take_back(struct fx_call *call)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.locks_node = true,
					.work = release_work,
					.answer = fx_answer_none};
	struct fx_call own;

	fx_call_init_own(&own, call->fs, call->node);
	own.fi = call->fi;
	own.fi.fh = 0; /* it was never used */
	fx_call_run(&own, &op);
}

/* ---- OPEN ------------------------------------------------------------------------------------ */

/* O_TRUNC: the file is empty from now on, and stays as it is in the store until it is published. */
static int overwrite(struct fx_call *call)
{
	struct fx_node *node = call->node;
	int rc = fx_stage_begin(call->fs, node, true, call->nowait);

	if (rc == 0)
		rc = fx_stage_resize(call->fs, node, 0, call->nowait);
	if (rc == 0)
		rc = fx_clear_setid(call);
	if (rc == 0 && call->fs->options->sync)
		rc = fx_publish_durably(call);
	if (rc == 0 && !node->writers && !is_writer(&call->fi))
		rc = fx_stage_settle(call->fs, node, call->nowait);
	return rc;
}

/*
 * What is only written goes past the page cache: large writes are a third faster, and the kernel
 * does not ask for security.capability before each. All handles of a file do the same, so that each
 * reads what another has written; the first decides. A small file that is overwritten again and
 * again, and not looked at, goes through it: the kernel then remembers that there are no
 * capabilities, and asks neither at the truncation.
 */
static bool goes_direct(const struct fx_call *call, const struct fx_node *node, uint64_t size)
{
	int flags = call->fi.flags;

	if (node->opens)
		return node->direct;
	if (!call->fs->protocol.direct || (flags & O_ACCMODE) != O_WRONLY)
		return false;
	return !(flags & O_TRUNC) || !node->overwritten || size >= FX_DIRECT_FROM;
}

/*
 * The size and the content that the kernel caches cannot be changed as one: who reads while the
 * value is changed behind its back may find the new bytes cut at the old size. So values that are
 * changed that way are read past its caches for a while.
 */
static bool reads_direct(const struct fx_call *call, const struct fx_node *node, uint64_t size)
{
	return call->fs->protocol.direct && !is_writer(&call->fi) && node->changed_ns &&
	       size < FX_DIRECT_FROM && fx_monotonic() - node->changed_ns < FX_CHANGED_NS;
}

/*
 * The kernel drops the pages of other versions when it gets the answer to an open that does not
 * keep them. Until then another open may not keep them either: it would read an old value though it
 * knows the new version. That the answer has come is seen from the first use of the handle, which
 * has the version for its number.
 */
static void add_handle(struct fx_call *call, struct fx_node *node, uint64_t version, bool direct,
		       bool reads)
{
	struct fuse_file_info *fi = &call->fi;

	node->direct = direct;
	fi->direct_io = direct || reads;
	node->opens++;
	if (is_writer(fi))
		node->writers++;
	if (node->cache_version != version)
		node->cache_clean = false;
	fi->keep_cache = version && node->cache_clean;
	fi->fh = version;
	node->cache_version = version;
	/* Room is reserved by write(2): close(2) has nothing to report. */
	fi->noflush = 1;
}

/* A file that expires, or may be evicted: its handles keep what they have seen. */
static int keep_changed(struct fx_call *call, struct fx_node *node)
{
	FX_AUTO_FOUND struct fx_found found;
	int rc = fx_examine_file(call->fs, node, 0, &found);

	if (rc == 0 && fx_may_vanish(call->fs, &found))
		rc = fx_keep(call->fs, node, &found, true, 0);
	return rc == -ENOENT ? 0 : rc; /* it was made, and is gone already */
}

static int open_work(struct fx_call *call)
{
	struct fx_node *node = call->node;
	FX_AUTO_FOUND struct fx_found found;
	int rc = fx_examine_file(call->fs, node, call->nowait, &found);
	bool direct, reads;
	uint64_t size;

	if (rc < 0)
		return rc;
	size = found.recorded ? found.meta.stat.size : 0;
	direct = goes_direct(call, node, size);
	reads = reads_direct(call, node, size);
	if (call->fi.flags & O_TRUNC)
		rc = overwrite(call);
	else if (fx_may_vanish(call->fs, &found))
		rc = fx_keep(call->fs, node, &found, !node->stage, call->nowait);
	if (rc == 0 && (call->fi.flags & O_TRUNC) && call->fs->options->evict)
		rc = keep_changed(call, node);
	if (rc < 0)
		return rc;
	node->overwritten = call->fi.flags & O_TRUNC;
	add_handle(call, node, found.version, direct, reads);
	return 0;
}

static void answer_open(struct fx_call *call)
{
	if (fuse_reply_open(call->req, &call->fi) < 0)
		take_back(call);
}

void fx_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.locks_node = true,
					.work = open_work,
					.answer = answer_open};
	struct fx_call call;

	if (fx_control_is(ino)) {
		fx_control_open(fuse_req_userdata(req), req, ino, fi);
		return;
	}
	fx_call_init(&call, req, ino);
	call.fi = *fi;
	fx_call_run(&call, &op);
}

/* ---- CREATE ---------------------------------------------------------------------------------- */

static int create_work(struct fx_call *call)
{
	struct fx_node *node;
	int rc = fx_make(call);

	if (rc < 0)
		return rc;
	node = fx_node_of(call->fs, call->entry.ino);
	pthread_mutex_lock(&node->mutex); /* nobody else knows it yet */
	if (node->marker)
		rc = fx_stage_begin(call->fs, node, true, 0);
	else if (call->expires || call->fs->options->evict)
		rc = keep_changed(call, node);
	if (rc == 0)
		add_handle(call, node, 0, goes_direct(call, node, 0), false);
	pthread_mutex_unlock(&node->mutex);
	return rc;
}

static void answer_create(struct fx_call *call)
{
	if (fuse_reply_create(call->req, &call->entry, &call->fi) >= 0)
		return;
	call->node = fx_node_of(call->fs, call->entry.ino);
	take_back(call);
	fx_node_forget(call->fs, call->node, 1);
}

void fx_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		  struct fuse_file_info *fi)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.changes = true,
					.answers_locked = true,
					.work = create_work,
					.answer = answer_create};
	struct fx_call call;

	if (fx_control_is(parent)) {
		fuse_reply_err(req, EPERM);
		return;
	}
	fx_call_init(&call, req, parent);
	call.name = name;
	call.mode = S_IFREG | (mode & 07777);
	call.fi = *fi;
	fx_call_run(&call, &op);
}

/* ---- FSYNC ----------------------------------------------------------------------------------- */

int fx_publish_durably(struct fx_call *call)
{
	struct fx_key key;
	int rc = fx_stage_publish(call->fs, call->node, call->nowait);

	if (rc == 0)
		rc = fx_node_key(call->fs, call->node, &key);
	if (rc == 0)
		rc = fx_call_sync_key(call, &key);
	return rc == -ESTALE ? 0 : rc; /* without a name there is nothing to keep */
}

void fx_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.locks_node = true,
					.work = fx_publish_durably,
					.answer = fx_answer_ok};
	struct fx_call call;

	if (fx_control_is(ino)) {
		fuse_reply_err(req, 0);
		return;
	}
	fx_call_init(&call, req, ino);
	fx_call_run(&call, &op);
}

/* ---- POLL ------------------------------------------------------------------------------------ */

/* As control.c answers for what is none of its events: a file is always ready. */
void fx_op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		struct fuse_pollhandle *handle)
{
	fx_control_poll(fuse_req_userdata(req), req, ino, fi, handle);
}
