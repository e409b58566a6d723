/* SPDX-License-Identifier: Apache-2.0 */
/* op_name.c - names: looked up, forgotten, removed. */
#include <errno.h>
#include <string.h>

#include "dir_change.h"
#include "control.h"
#include "entry.h"
#include "kept.h"
#include "known.h"
#include "later.h"
#include "op.h"
#include "stage.h"

/* ---- LOOKUP, FORGET -------------------------------------------------------------------------- */

/*
 * A file that has expired just now, before its timer: who watches it is told before the kernel
 * forgets the name by this answer. (100 ms at most: the caller may hold the directory's lock.)
 */
static int tell_expired(struct fx_call *call)
{
	struct fx_node *node = fx_node_find(call->fs, call->node, call->name, strlen(call->name));
	int rc = 0;

	if (node && !fx_node_is_directory(node)) {
		rc = fx_call_lock(call, &node->mutex);
		if (rc == 0 && node->expiring && !node->marker) {
			fx_known_lost(call->fs, node);
			call->fenced = true;
		}
		if (rc == 0)
			pthread_mutex_unlock(&node->mutex);
	}
	fx_node_unref(call->fs, node);
	return rc;
}

static int lookup_work(struct fx_call *call)
{
	struct fx_fs *fs = call->fs;
	struct fx_node *node;
	FX_AUTO_FOUND struct fx_found found;
	int rc = fx_resolve(fs, call->node, call->name, call->nowait, &found);

	if (rc == -ENOENT ||
	    (rc == 0 && found.what == FX_ABSENT && found.kind != FX_NAME_CONTROL)) {
		fx_entry_negative(fs, &call->entry);
		return tell_expired(call);
	}
	if (rc < 0)
		return rc;
	if (found.kind == FX_NAME_CONTROL) {
		fx_control_lookup_root(fs, call->req);
		return FX_ANSWERED;
	}
	rc = fx_entry_node(call, call->node, call->name, &found, false, &node);
	if (rc < 0)
		return rc;
	rc = fx_entry_fill(call, node, &found, &call->entry);
	fx_node_unref(fs, node);
	return rc;
}

void fx_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.answers_locked = true,
					.work = lookup_work,
					.answer = fx_answer_entry};
	struct fx_call call;

	if (fx_control_is(parent)) {
		fx_control_lookup(fuse_req_userdata(req), req, parent, name);
		return;
	}
	fx_call_init(&call, req, parent);
	call.name = name;
	fx_call_run(&call, &op);
}

static void forget_one(struct fx_fs *fs, fuse_ino_t ino, uint64_t count)
{
	if (fx_range_is(ino))
		fx_range_forget(fs, ino, count);
	else if (!fx_control_is(ino))
		fx_node_forget(fs, fx_node_of(fs, ino), count);
}

void fx_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	forget_one(fuse_req_userdata(req), ino, count);
	fuse_reply_none(req);
}

void fx_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		forget_one(fuse_req_userdata(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

/* ---- UNLINK ---------------------------------------------------------------------------------- */

/* Whose name goes keeps what its handles need. The node's mutex is held. */
static int keep_for_handles(struct fx_call *call, struct fx_node *node,
			    const struct fx_found *found)
{
	return node->opens ? fx_keep_removed(call->fs, node, found, !node->stage, call->nowait) : 0;
}

/* The value of a directory's marker goes; the directory stays. */
static int empty_marker(struct fx_call *call, const struct fx_key *key)
{
	struct feox_write_options options = {.flags = FEOX_REPLACE | FEOX_KEEP_EXPIRY |
						      FEOX_KEEP_METADATA | call->nowait};

	return feox_put(call->fs->store, key->data, key->size, NULL, 0, &options, NULL);
}

static int unlink_key(struct fx_call *call, struct fx_node *node, struct fx_dir_change *change,
		      const struct fx_found *found)
{
	int rc = node ? keep_for_handles(call, node, found) : 0;

	if (rc < 0)
		return rc;
	rc = found->marker ? empty_marker(call, &found->key)
			   : fx_dir_change_delete(change, &found->key);
	if (rc == 0 && node)
		fx_stage_lose_name(call->fs, node);
	return rc;
}

static int unlink_found(struct fx_call *call, const struct fx_found *found)
{
	struct fx_node *node;
	FX_AUTO_DIR_CHANGE struct fx_dir_change change;
	int rc;

	fx_dir_change_init(&change);
	rc = fx_dir_change_begin(call->fs, call->node, call->nowait, &change);
	if (rc < 0)
		return rc;
	node = fx_node_find(call->fs, call->node, call->name, strlen(call->name));
	rc = node ? fx_call_lock(call, &node->mutex) : 0;
	if (rc == 0) {
		rc = unlink_key(call, node, &change, found);
		if (node)
			pthread_mutex_unlock(&node->mutex);
	}
	fx_node_unref(call->fs, node);
	return rc;
}

static int unlink_work(struct fx_call *call)
{
	FX_AUTO_FOUND struct fx_found found;
	int rc = fx_resolve(call->fs, call->node, call->name, call->nowait, &found);

	if (rc < 0)
		return rc;
	if (found.kind == FX_NAME_CONTROL)
		return -EPERM;
	if (found.what != FX_FILE)
		return found.what == FX_DIRECTORY ? -EISDIR : -ENOENT;
	return unlink_found(call, &found);
}

static void run_removal(fuse_req_t req, fuse_ino_t parent, const char *name, const struct fx_op *op)
{
	struct fx_call call;

	if (fx_control_is(parent)) {
		fuse_reply_err(req, EPERM);
		return;
	}
	fx_call_init(&call, req, parent);
	call.name = name;
	fx_call_run(&call, op);
}

void fx_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.changes = true,
					.work = unlink_work,
					.answer = fx_answer_ok};

	run_removal(req, parent, name, &op);
}

/* ---- RMDIR ----------------------------------------------------------------------------------- */

/*
 * Whether `%=.` is a file in the directory: its own key, which may itself be a marker (that of D,
 * when the directory is D/%=), and is no file then while it is empty. 1, 0, or an error.
 */
static int has_self(struct fx_fs *fs, const struct fx_key *base)
{
	struct feox_stat self;
	int rc = feox_stat(fs->store, base->data, base->size - 1, NULL, 0, &self);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	return self.size || !fx_key_is_marker(fs, base->data, base->size - 1);
}

int fx_directory_is_empty(struct fx_fs *fs, const struct fx_found *found, unsigned int nowait)
{
	bool keyed = found->kind != FX_NAME_CONTINUATION;
	uint64_t expiry_ns, version;
	int rc = 0;

	if (keyed && found->recorded && found->meta.stat.size)
		return -ENOTEMPTY; /* the file %= */
	if (keyed)
		rc = has_self(fs, &found->key);
	if (!rc)
		rc = fx_any_below(fs, found->key.data, found->key.size, keyed, nowait, &expiry_ns,
				  &version);
	return rc > 0 ? -ENOTEMPTY : rc;
}

static int rmdir_key(struct fx_call *call, struct fx_node *node, const struct fx_found *found)
{
	FX_AUTO_DIR_CHANGE struct fx_dir_change change;
	int rc = 0;

	fx_dir_change_init(&change);
	if (node)
		rc = fx_keep_removed(call->fs, node, found, false, call->nowait);
	if (rc == 0)
		rc = fx_dir_change_begin(call->fs, call->node, call->nowait, &change);
	return rc < 0 ? rc : fx_dir_change_delete(&change, &found->key);
}

static int rmdir_work(struct fx_call *call)
{
	struct fx_fs *fs = call->fs;
	struct fx_node *node;
	FX_AUTO_FOUND struct fx_found found;
	int rc = fx_resolve(fs, call->node, call->name, call->nowait, &found);

	if (rc < 0)
		return rc;
	if (found.kind == FX_NAME_CONTROL)
		return -EPERM;
	if (found.what != FX_DIRECTORY)
		return found.what == FX_FILE ? -ENOTDIR : -ENOENT;
	rc = fx_directory_is_empty(fs, &found, call->nowait);
	if (rc < 0)
		return rc;
	node = fx_node_find(fs, call->node, call->name, strlen(call->name));
	if (found.kind != FX_NAME_CONTINUATION)
		rc = rmdir_key(call, node, &found);
	if (rc == 0 && node) {
		fx_later_untouch(fs, node);
		fx_node_detach(fs, node);
	}
	fx_node_unref(fs, node);
	return rc;
}

void fx_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	/* Exclusively: a directory is detached. */
	static const struct fx_op op = {.names = FX_NAMES_EXCLUSIVE,
					.changes = true,
					.work = rmdir_work,
					.answer = fx_answer_ok};

	run_removal(req, parent, name, &op);
}

/* ---- LINK, READLINK -------------------------------------------------------------------------- */

void fx_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(req, EPERM); /* link(2): the file system does not support hard links */
}

static int readlink_work(struct fx_call *call)
{
	struct fx_key key;
	int rc = fx_node_key(call->fs, call->node, &key);

	if (rc == 0)
		rc = feox_get(call->fs->store, key.data, key.size, call->nowait, &call->value);
	if (rc < 0)
		return rc == -ESTALE ? fx_lost_errno(call->node) : rc;
	call->buffer_size = call->value.size; /* the kernel ends the text itself */
	return 0;
}

void fx_op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	static const struct fx_op op = {
		.names = FX_NAMES_SHARED, .work = readlink_work, .answer = fx_answer_buffer};
	struct fx_call call;

	fx_call_init(&call, req, ino);
	fx_call_run(&call, &op);
}
