/* SPDX-License-Identifier: Apache-2.0 */
/* op_attr.c - attributes, and the numbers of df(1). */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "cleanup.h"
#include "control.h"
#include "kept.h"
#include "later.h"
#include "op.h"
#include "stage.h"
#include "ttl.h"

#define FX_FRAGMENT 4096u /* bytes; unit of statfs(2)'s block counts */

/* ---- GETATTR --------------------------------------------------------------------------------- */

/* What call->node stands for now, into call->attr and call->timeout. */
static int fill_attr(struct fx_call *call)
{
	FX_AUTO_FOUND struct fx_found found;
	uint64_t expiry_ns;
	int rc;

	if (fx_node_is_directory(call->node))
		rc = fx_examine(call->fs, call->node, call->nowait, &found);
	else
		rc = fx_examine_file(call->fs, call->node, call->nowait, &found);
	if (rc == 0)
		rc = fx_found_stat(call->fs, call->node, &found, call->nowait, &call->attr,
				   &expiry_ns);
	if (rc == 0)
		call->timeout = fx_ttl_timeout(call->fs, expiry_ns);
	return rc;
}

void fx_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.locks_node = true,
					.work = fill_attr,
					.answer = fx_answer_attr};
	struct fx_call call;

	if (fx_control_is(ino)) {
		fx_control_getattr(fuse_req_userdata(req), req, ino);
		return;
	}
	fx_call_init(&call, req, ino);
	fx_call_run(&call, &op);
}

/* ---- SETATTR --------------------------------------------------------------------------------- */

#define FX_SET_MTIME (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)
#define FX_SET_RECORD                                                                              \
	(FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID | FUSE_SET_ATTR_ATIME |        \
	 FUSE_SET_ATTR_ATIME_NOW | FX_SET_MTIME | FUSE_SET_ATTR_CTIME)

/* Where nothing is stored, the times shown would change with the first that is: fix them all. */
static void fix_times(const struct stat *shown, struct fx_attr *attr)
{
	if (!(attr->set & FX_ATTR_ATIME))
		attr->atime = shown->st_atim;
	if (!(attr->set & FX_ATTR_MTIME))
		attr->mtime = shown->st_mtim;
	if (S_ISDIR(shown->st_mode)) /* what fx_later_touch() has not written yet */
		attr->mtime = shown->st_mtim;
	attr->ctime = fx_now();
	attr->set |= FX_ATTR_ATIME | FX_ATTR_MTIME | FX_ATTR_CTIME;
}

int fx_attr_change_begin(struct fx_call *call, struct fx_found *ret_found, mode_t *ret_type)
{
	uint64_t expiry_ns;
	struct stat shown = {0};
	int rc;

	rc = fx_node_is_directory(call->node)
		     ? fx_examine(call->fs, call->node, call->nowait, ret_found)
		     : fx_examine_file(call->fs, call->node, call->nowait, ret_found);
	if (rc == 0 && (ret_found->marker || call->node->kind == FX_NODE_CONTINUATION))
		rc = -EPERM; /* they are the directory's; they are nobody's */
	if (rc == 0)
		rc = fx_found_stat(call->fs, call->node, ret_found, call->nowait, &shown,
				   &expiry_ns);
	if (rc < 0)
		return rc;
	fix_times(&shown, &ret_found->meta.attr);
	*ret_type = shown.st_mode & S_IFMT;
	return 0;
}

/* The blob to where the attributes live: the record, or what is kept of a lost name. */
static int store_blob(struct fx_call *call, const struct fx_found *found,
		      const struct fx_blob *blob)
{
	struct feox_write_options options = {.flags = FEOX_CREATE | call->nowait,
					     .metadata = blob->data,
					     .metadata_size = blob->size};
	struct fx_fs *fs = call->fs;
	int rc;

	if (found->detached)
		return call->node->kept ? fx_kept_set_blob(call->node->kept, blob) : 0;
	if (!found->recorded) { /* a directory's marker is made */
		rc = feox_put(fs->store, found->key.data, found->key.size, NULL, 0, &options, NULL);
		if (rc != -EEXIST)
			return rc;
	}
	options.flags = call->nowait;
	return feox_set_metadata(fs->store, found->key.data, found->key.size, blob->data,
				 blob->size, &options);
}

int fx_attr_change_commit(struct fx_call *call, const struct fx_found *found)
{
	const struct fx_attr *attr = &found->meta.attr;
	struct fx_stage *stage = call->node->stage;
	FX_AUTO_BLOB struct fx_blob blob = {.data = NULL};
	int rc = fx_blob_make(attr, &blob);

	if (rc == 0)
		rc = fx_stage_describe(call->fs, call->node, found->key.size + blob.size,
				       call->nowait);
	if (rc == 0)
		rc = store_blob(call, found, &blob);
	if (rc < 0)
		return rc;
	if (found->what == FX_DIRECTORY)
		fx_later_untouch(call->fs, call->node);
	if (stage && stage->dirty)
		stage->ctime = attr->ctime;
	return 0;
}

/* As should_remove_suid() of the kernel: without execution by the group, S_ISGID means locking. */
static mode_t without_setid(mode_t mode)
{
	return mode & ~(mode_t)(S_ISUID | (mode & S_IXGRP ? S_ISGID : 0));
}

static bool has_setid(const struct fx_attr *attr)
{
	return (attr->set & FX_ATTR_MODE) && S_ISREG(attr->mode) &&
	       without_setid(attr->mode) != attr->mode;
}

int fx_clear_setid(struct fx_call *call)
{
	struct fx_node *node = call->node;
	FX_AUTO_FOUND struct fx_found found;
	struct fx_attr *attr = &found.meta.attr;
	mode_t type;
	int rc;

	fx_found_init(&found);
	if (!call->kills_setid || node->has_no_setid || node->marker)
		return 0;
	rc = fx_examine_file(call->fs, node, call->nowait, &found);
	if (rc == 0 && has_setid(attr)) {
		fx_found_clear(&found);
		rc = fx_attr_change_begin(call, &found, &type);
		attr->mode = without_setid(attr->mode);
		if (rc == 0)
			rc = fx_attr_change_commit(call, &found);
		call->invalidates = rc == 0; /* the kernel does not know the mode it has now */
	}
	node->has_no_setid = rc == 0;
	return rc;
}

/* mode, owner and times of attr as asked; its ctime is now. */
static void set_asked(const struct fx_call *call, mode_t type, struct fx_attr *attr)
{
	const struct stat *asked = &call->attr;
	unsigned int flags = call->flags;

	if ((flags & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) && call->fs->protocol.clears_setid &&
	    type != S_IFDIR && (attr->set & FX_ATTR_MODE))
		attr->mode = without_setid(attr->mode);
	if (flags & FUSE_SET_ATTR_MODE) {
		attr->mode = type | (asked->st_mode & 07777);
		attr->set |= FX_ATTR_MODE;
	}
	if (flags & FUSE_SET_ATTR_UID) {
		attr->uid = asked->st_uid;
		attr->set |= FX_ATTR_UID;
	}
	if (flags & FUSE_SET_ATTR_GID) {
		attr->gid = asked->st_gid;
		attr->set |= FX_ATTR_GID;
	}
	if (flags & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW))
		attr->atime = flags & FUSE_SET_ATTR_ATIME_NOW ? attr->ctime
							      : fx_time_clamp(asked->st_atim);
	if (flags & FX_SET_MTIME)
		attr->mtime = flags & FUSE_SET_ATTR_MTIME_NOW ? attr->ctime
							      : fx_time_clamp(asked->st_mtim);
}

static int set_record(struct fx_call *call)
{
	struct fx_stage *stage = call->node->stage;
	FX_AUTO_FOUND struct fx_found found;
	mode_t type;
	int rc;

	fx_found_init(&found);
	rc = fx_attr_change_begin(call, &found, &type);
	if (rc < 0)
		return rc;
	set_asked(call, type, &found.meta.attr);
	call->node->has_no_setid = false;
	rc = fx_attr_change_commit(call, &found);
	if (rc == 0 && stage && stage->dirty && (call->flags & FX_SET_MTIME))
		stage->mtime = found.meta.attr.mtime;
	return rc;
}

/* truncate(2): published at once unless a writer has the file open. */
static int set_size(struct fx_call *call)
{
	struct fx_fs *fs = call->fs;
	uint64_t size = (uint64_t)call->attr.st_size;
	int rc = fx_node_is_directory(call->node)
			 ? -EISDIR
			 : fx_stage_begin(fs, call->node, size == 0, call->nowait);

	if (rc == 0)
		rc = fx_stage_resize(fs, call->node, size, call->nowait);
	if (rc == 0)
		rc = fx_clear_setid(call);
	if (rc == 0 && (!call->node->writers || fs->options->sync))
		rc = fx_stage_settle(fs, call->node, call->nowait);
	return rc;
}

static int setattr_work(struct fx_call *call)
{
	int rc = 0;

	if ((call->flags & FUSE_SET_ATTR_SIZE) && !call->begun)
		rc = set_size(call);
	if (rc < 0)
		return rc;
	call->begun = true;
	if (call->flags & FX_SET_RECORD)
		rc = set_record(call);
	if (rc < 0)
		return rc;
	call->nowait = 0; /* all is done but the answer, which reads memory only */
	return fill_attr(call);
}

void fx_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		   struct fuse_file_info *fi)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.locks_node = true,
					.changes = true,
					.work = setattr_work,
					.answer = fx_answer_attr};
	struct fx_call call;

	if (fx_control_is(ino)) {
		fuse_reply_err(req, EPERM);
		return;
	}
	fx_call_init(&call, req, ino);
	call.attr = *attr;
	call.flags = (unsigned int)to_set;
	fx_call_run(&call, &op);
}

/* ---- STATFS ---------------------------------------------------------------------------------- */

/* Bytes that the store's file may still grow by: within its limit, and on the disk it lies on. */
static uint64_t room_to_grow(const struct fx_fs *fs, const struct feox_stats *stats)
{
	uint64_t room = UINT64_MAX;
	struct statvfs host;
	struct stat st;

	if (stat(fs->options->store, &st) || !S_ISREG(st.st_mode) ||
	    statvfs(fs->options->store, &host))
		return 0; /* a device does not grow */
	if (stats->max_bytes)
		room = stats->max_bytes - FX_MIN(stats->max_bytes, stats->device_bytes);
	return FX_MIN(room, (uint64_t)host.f_bavail * host.f_frsize);
}

static int statfs_work(struct fx_call *call)
{
	struct fx_fs *fs = call->fs;
	struct feox_stats stats;
	struct statvfs *st;
	uint64_t total, left, taken;
	int rc;

	if (call->nowait)
		return -EAGAIN; /* the host's file system is asked, which may wait */
	rc = feox_stats(fs->store, &stats);
	if (rc < 0)
		return rc;
	st = call->buffer = calloc(1, sizeof(*st));
	if (!st)
		return -ENOMEM;
	if (stats.device_bytes) {
		uint64_t growth = room_to_grow(fs, &stats);

		total = stats.device_bytes + growth;
		left = stats.free_bytes + growth;
	} else {
		total = stats.memory_limit_bytes;
		taken = stats.memory_bytes + stats.memory_reserved_bytes;
		left = total - FX_MIN(taken, total);
	}
	st->f_bsize = st->f_frsize = FX_FRAGMENT;
	st->f_blocks = total / FX_FRAGMENT;
	st->f_bfree = st->f_bavail = left / FX_FRAGMENT;
	st->f_files = stats.keys + st->f_bfree; /* a key needs no inode, but some room */
	st->f_ffree = st->f_favail = st->f_bfree;
	st->f_namemax = FX_NAME_MAX;
	return 0;
}

static void answer_statfs(struct fx_call *call)
{
	fuse_reply_statfs(call->req, call->buffer);
}

void fx_op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	static const struct fx_op op = {.work = statfs_work, .answer = answer_statfs};
	struct fx_call call;

	fx_call_init(&call, req, 0);
	fx_call_run(&call, &op);
}
