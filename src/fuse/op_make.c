/* SPDX-License-Identifier: Apache-2.0 */
/* op_make.c - new things: files, symlinks, special files, directories. */
#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "control.h"
#include "default_ttl.h"
#include "dir_change.h"
#include "entry.h"
#include "op.h"

/* Mode and owner of what is made in a directory; a set-group-id directory hands its group on. */
static void make_attr(const struct fx_call *call, const struct stat *directory,
		      struct fx_attr *ret_attr)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(call->req);
	mode_t mode = call->mode;
	gid_t gid = ctx->gid;

	if (directory->st_mode & S_ISGID) {
		gid = directory->st_gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
	}
	fx_attr_init(call->fs, ret_attr, mode, ctx->uid, gid);
	if (S_ISCHR(mode) || S_ISBLK(mode)) {
		ret_attr->rdev = call->rdev;
		ret_attr->set |= FX_ATTR_RDEV;
	}
}

/* The record, with a number of its own. */
static int make_record(struct fx_call *call, struct fx_dir_change *change, struct fx_found *found)
{
	struct feox_write_options options = {.flags = FEOX_CREATE};
	FX_AUTO_BLOB struct fx_blob blob = {.data = NULL};
	struct stat directory;
	struct fx_attr attr;
	int rc;

	fx_meta_stat(call->fs, &change->found.meta.attr, 0, 0, 0, true, &directory);
	make_attr(call, &directory, &attr);
	rc = feox_next_id(call->fs->store, &attr.ino);
	attr.set |= FX_ATTR_INO;
	if (rc == 0)
		rc = fx_blob_make(&attr, &blob);
	if (rc == 0)
		rc = fx_meta_from_blob(blob.data, blob.size, &found->meta);
	if (rc < 0)
		return rc;
	options.metadata = blob.data;
	options.metadata_size = blob.size;
	if (!S_ISDIR(call->mode)) {
		rc = fx_default_expiry(call->fs, found->key.data, found->key.size,
				       &options.expiry_ns);
		if (rc < 0)
			return rc;
	}
	found->expiry_ns = options.expiry_ns;
	call->expires = options.expiry_ns != 0;
	found->meta.stat.size = call->data ? call->size : 0;
	return fx_dir_change_put(change, &found->key, call->data, found->meta.stat.size, &options);
}

/*
 * A file that is the value of some directory's marker, and has no attributes of its own: the marker
 * has to be there. While it is empty only its handles see the file.
 */
static int make_marker_file(struct fx_call *call, struct fx_dir_change *change,
			    const struct fx_key *key)
{
	struct feox_write_options options = {.flags = FEOX_IF_ABSENT};
	const struct fx_key *directory = &change->found.key;
	FX_AUTO_BATCH struct feox_batch *batch = NULL;
	int rc;

	if (!S_ISREG(call->mode))
		return -EPERM;
	rc = feox_batch_create(call->fs->store, &batch);
	if (rc == 0 && fx_bytes_cmp(key->data, key->size, directory->data, directory->size) != 0)
		rc = feox_batch_put(batch, key->data, key->size, NULL, 0, &options);
	if (rc == 0)
		rc = fx_dir_change_add_marker(change, batch);
	return rc < 0 ? rc : feox_batch_commit(batch, call->nowait, NULL);
}

static int make_found(struct fx_call *call, struct fx_found *found)
{
	FX_AUTO_DIR_CHANGE struct fx_dir_change change;
	int rc;

	fx_dir_change_init(&change);
	rc = fx_dir_change_begin(call->fs, call->node, call->nowait, &change);
	if (rc < 0)
		return rc;
	if (found->kind == FX_NAME_CONTINUATION) { /* lives in memory only */
		found->version = call->fs->mounted_ns;
		return 0;
	}
	if (found->marker)
		return make_marker_file(call, &change, &found->key);
	return make_record(call, &change, found);
}

int fx_make(struct fx_call *call)
{
	struct fx_fs *fs = call->fs;
	struct fx_node *node;
	FX_AUTO_FOUND struct fx_found found;
	int rc = fx_resolve(fs, call->node, call->name, call->nowait, &found);

	if (rc < 0)
		return rc == -ENOENT ? -EINVAL : rc;
	if (found.what != FX_ABSENT || found.kind == FX_NAME_CONTROL)
		return -EEXIST;
	if (S_ISDIR(call->mode)) {
		rc = found.kind == FX_NAME_SELF ? -EINVAL : fx_found_as_directory(fs, &found);
		found.what = FX_DIRECTORY;
	} else {
		rc = found.kind == FX_NAME_CONTINUATION ? -EINVAL : 0;
		found.what = FX_FILE;
	}
	if (rc < 0)
		return rc;
	rc = fx_entry_node(call, call->node, call->name, &found, true, &node);
	if (rc < 0)
		return rc;
	rc = make_found(call, &found);
	if (rc == 0) {
		call->nowait = 0; /* it is made: from here on nothing may be done again */
		rc = fx_entry_fill(call, node, &found, &call->entry);
	}
	fx_node_unref(fs, node);
	return rc;
}

static void run_make(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev,
		     const char *target)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.changes = true,
					.answers_locked = true,
					.work = fx_make,
					.answer = fx_answer_entry};
	struct fx_call call;

	if (fx_control_is(parent)) {
		fuse_reply_err(req, EPERM);
		return;
	}
	fx_call_init(&call, req, parent);
	call.name = name;
	call.mode = mode;
	call.rdev = rdev;
	if (target) {
		call.data = target;
		call.size = strlen(target);
	}
	fx_call_run(&call, &op);
}

void fx_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	run_make(req, parent, name, mode, rdev, NULL);
}

void fx_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	run_make(req, parent, name, S_IFDIR | mode, 0, NULL);
}

void fx_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	run_make(req, parent, name, S_IFLNK | 0777, 0, target);
}
