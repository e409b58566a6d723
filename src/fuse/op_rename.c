/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_rename.c - rename(2), with RENAME_NOREPLACE and RENAME_EXCHANGE.
 *
 * names_lock is held exclusively, so nothing below either name moves, and no stage is written to.
 * In this order: what is staged is published, so that the content goes before the name on its way
 * to the disk; both sides are looked up and checked; memory that the move of nodes needs is got;
 * one commit of the engine changes every key; then the nodes follow, which cannot fail.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "control.h"
#include "dir_change.h"
#include "kept.h"
#include "kv_xattr.h"
#include "later.h"
#include "notify.h"
#include "op.h"
#include "renumber.h"
#include "stage.h"

/* One of the two names. */
struct side {
	struct fx_node *parent, *node; /* node: a reference, or NULL */
	const char *name;
	struct fx_found found;
	struct fx_dir_change change; /* of parent */
};

struct renaming {
	struct fx_call *call;
	unsigned int flags; /* FEOX_RENAME_* */
	struct side from, to;
	struct fx_move move, back; /* from's node; with EXCHANGE to's */
};
#define FX_AUTO_RENAMING __attribute__((cleanup(renaming_clear)))

static void side_init(struct side *side, struct fx_node *parent, const char *name)
{
	side->parent = parent;
	side->node = NULL;
	side->name = name;
	fx_found_init(&side->found);
	fx_dir_change_init(&side->change);
}

static void side_clear(struct fx_fs *fs, struct side *side)
{
	fx_node_unref(fs, side->node);
	fx_found_clear(&side->found);
	fx_dir_change_clear(&side->change);
}

static void renaming_clear(struct renaming *r)
{
	fx_move_clear(&r->move);
	fx_move_clear(&r->back);
	side_clear(r->call->fs, &r->from);
	side_clear(r->call->fs, &r->to);
}

static bool exchanges(const struct renaming *r)
{
	return r->flags & FEOX_RENAME_EXCHANGE;
}

/* ---- Checks ---------------------------------------------------------------------------------- */

static int side_resolve(struct fx_call *call, struct side *side)
{
	int rc = 0;

	side->node = fx_node_find(call->fs, side->parent, side->name, strlen(side->name));
	if (side->node)
		rc = fx_stage_publish(call->fs, side->node, call->nowait);
	if (rc == 0)
		rc = fx_resolve(call->fs, side->parent, side->name, call->nowait, &side->found);
	if (rc == 0 && side->found.kind == FX_NAME_CONTROL)
		rc = -EPERM;
	return rc < 0 ? rc
		      : fx_dir_change_begin(call->fs, side->parent, call->nowait, &side->change);
}

static int resolve(struct renaming *r)
{
	int rc;

	side_init(&r->from, r->call->node, r->call->name);
	side_init(&r->to, r->call->other, r->call->other_name);
	rc = side_resolve(r->call, &r->from);
	if (rc < 0)
		return rc;
	rc = side_resolve(r->call, &r->to);
	return rc == -ENOENT ? -EINVAL : rc; /* no key can have this name */
}

static bool moves_tree(const struct renaming *r)
{
	return r->from.found.what == FX_DIRECTORY || r->to.found.what == FX_DIRECTORY;
}

/* What is staged goes into the store first; below a directory that may be much: the pool's work. */
static int publish_tree(struct renaming *r)
{
	int rc;

	if (r->call->nowait)
		return -EAGAIN;
	rc = fx_later_publish_all(r->call->fs, true);
	if (rc < 0)
		return rc;
	side_clear(r->call->fs, &r->from);
	side_clear(r->call->fs, &r->to);
	return resolve(r);
}

/* What has no key of its own, or one that is a directory's too: mv(1) copies then. */
static bool cannot_move(const struct fx_found *found)
{
	return found->marker || found->kind == FX_NAME_CONTINUATION;
}

static int check_replaced(const struct renaming *r)
{
	const struct fx_found *from = &r->from.found, *to = &r->to.found;

	if (r->flags & FEOX_RENAME_NOREPLACE)
		return -EEXIST;
	if (exchanges(r))
		return 0;
	if (from->what != to->what)
		return to->what == FX_DIRECTORY ? -EISDIR : -ENOTDIR;
	if (to->what == FX_DIRECTORY)
		return fx_directory_is_empty(r->call->fs, to, r->call->nowait);
	return 0;
}

/* The bytes of a side's key without a directory's separator: of the file of the same name. */
static size_t leaf_size(const struct side *side)
{
	return side->found.key.size - (side->found.what == FX_DIRECTORY);
}

/* Either side may become a directory: %=. cannot, and the separator must fit behind the keys. */
static int check_tree(struct renaming *r)
{
	if (r->from.found.kind == FX_NAME_SELF || r->to.found.kind == FX_NAME_SELF)
		return -EINVAL;
	if (leaf_size(&r->from) >= FEOX_KEY_MAX || leaf_size(&r->to) >= FEOX_KEY_MAX)
		return -ENAMETOOLONG;
	r->from.found.key.data[leaf_size(&r->from)] = (uint8_t)r->call->fs->rules.separator;
	r->to.found.key.data[leaf_size(&r->to)] = (uint8_t)r->call->fs->rules.separator;
	return 0;
}

/* user.feox.if_version of the file renamed is the version of what it replaces. */
static bool has_wanted_version(const struct renaming *r)
{
	const struct fx_found *to = &r->to.found;
	uint64_t version;

	if (r->from.found.what != FX_FILE || !fx_if_version(&r->from.found.meta.attr, &version))
		return true;
	return to->what != FX_ABSENT && to->recorded && to->version == version;
}

static int check(struct renaming *r)
{
	struct fx_found *from = &r->from.found, *to = &r->to.found;
	int rc = 0;

	if (from->what == FX_ABSENT || (exchanges(r) && to->what == FX_ABSENT))
		return -ENOENT;
	if (cannot_move(from) || cannot_move(to))
		return -EXDEV;
	if (!has_wanted_version(r))
		return -ECANCELED;
	if (to->what != FX_ABSENT) {
		rc = check_replaced(r);
	} else if (from->what == FX_DIRECTORY) {
		rc = fx_found_as_directory(r->call->fs, to);
		to->what = FX_DIRECTORY;
	} else {
		to->what = FX_FILE;
	}
	return rc == 0 && moves_tree(r) ? check_tree(r) : rc;
}

/* ---- Attributes ------------------------------------------------------------------------------ */

/* The record's attributes after the rename: its ctime is now, and it has a number of its own. */
static int renamed_blob(struct fx_fs *fs, struct side *side, struct fx_blob *ret_blob)
{
	struct fx_attr attr = side->found.meta.attr;
	FX_AUTO_FREE uint8_t *xattrs = NULL;
	struct timespec touched;
	int rc = fx_if_version_clear(&attr, &xattrs);

	if (side->node && fx_later_touched(fs, side->node, &touched)) {
		attr.mtime = touched;
		attr.set |= FX_ATTR_MTIME;
	}
	attr.ctime = fx_now();
	attr.set |= FX_ATTR_CTIME;
	if (rc == 0 && !(attr.set & FX_ATTR_INO)) {
		rc = feox_next_id(fs->store, &attr.ino);
		attr.set |= FX_ATTR_INO;
	}
	return rc < 0 ? rc : fx_blob_make(&attr, ret_blob);
}

/* In place, before the rename: what the batch itself cannot do. */
static int set_attributes(struct fx_call *call, struct side *side)
{
	struct feox_write_options options = {.flags = FEOX_CREATE | call->nowait};
	const struct fx_key *key = &side->found.key;
	FX_AUTO_BLOB struct fx_blob blob = {.data = NULL};
	int rc = renamed_blob(call->fs, side, &blob);

	if (rc < 0)
		return rc;
	options.metadata = blob.data;
	options.metadata_size = blob.size;
	if (!side->found.recorded)
		return feox_put(call->fs->store, key->data, key->size, NULL, 0, &options, NULL);
	options.flags = call->nowait;
	return feox_set_metadata(call->fs->store, key->data, key->size, blob.data, blob.size,
				 &options);
}

/* ---- Commit ---------------------------------------------------------------------------------- */

static int add_markers(struct renaming *r, struct feox_batch *batch)
{
	const struct fx_key *a = &r->from.change.found.key, *b = &r->to.change.found.key;
	int rc = fx_dir_change_add_marker(&r->from.change, batch);

	if (rc == 0 && (a->size != b->size || memcmp(a->data, b->data, a->size) != 0))
		rc = fx_dir_change_add_marker(&r->to.change, batch);
	return rc;
}

static int commit_file(struct renaming *r)
{
	struct feox_rename_options options = {.flags = r->flags | FEOX_RENAME_METADATA};
	const struct fx_key *from = &r->from.found.key, *to = &r->to.found.key;
	FX_AUTO_BATCH struct feox_batch *batch = NULL;
	FX_AUTO_BLOB struct fx_blob blob = {.data = NULL};
	struct fx_fs *fs = r->call->fs;
	int rc = exchanges(r) ? set_attributes(r->call, &r->to) : 0;

	if (fx_if_version(&r->from.found.meta.attr, &options.if_version))
		options.flags |= FEOX_IF_VERSION; /* it may expire just now */
	if (rc == 0)
		rc = renamed_blob(fs, &r->from, &blob);
	if (rc < 0)
		return rc;
	options.metadata = blob.data;
	options.metadata_size = blob.size;
	if (r->from.change.marked && r->to.change.marked) {
		options.flags |= r->call->nowait;
		return feox_rename(fs->store, from->data, from->size, to->data, to->size, &options);
	}
	rc = feox_batch_create(fs->store, &batch);
	if (rc == 0)
		rc = feox_batch_rename(batch, from->data, from->size, to->data, to->size, &options);
	if (rc == 0)
		rc = add_markers(r, batch);
	return rc < 0 ? rc : feox_batch_commit(batch, r->call->nowait, NULL);
}

static int leaf_is_there(struct fx_fs *fs, const struct side *side)
{
	struct feox_stat stat;
	int rc = feox_stat(fs->store, side->found.key.data, leaf_size(side), NULL, 0, &stat);

	return rc == -ENOENT ? 0 : rc < 0 ? rc : 1;
}

/* The values beside the directories go along: D itself beside D/, or the file on the other side. */
static int add_leaves(struct renaming *r, struct feox_batch *batch)
{
	struct feox_rename_options options = {0};
	const uint8_t *from = r->from.found.key.data, *to = r->to.found.key.data;
	int from_there = leaf_is_there(r->call->fs, &r->from);
	int to_there = leaf_is_there(r->call->fs, &r->to);

	if (from_there < 0 || to_there < 0)
		return from_there < 0 ? from_there : to_there;
	if (from_there && to_there)
		options.flags = FEOX_RENAME_EXCHANGE;
	if (from_there)
		return feox_batch_rename(batch, from, leaf_size(&r->from), to, leaf_size(&r->to),
					 &options);
	if (to_there)
		return feox_batch_rename(batch, to, leaf_size(&r->to), from, leaf_size(&r->from),
					 &options);
	return 0;
}

/* At least one of the sides is a directory. */
static int commit_tree(struct renaming *r)
{
	struct fx_fs *fs = r->call->fs;
	struct feox_rename_options options = {.flags = r->flags,
					      .max_keys = fs->options->rename_max};
	const uint8_t *from = r->from.found.key.data, *to = r->to.found.key.data;
	size_t from_size = leaf_size(&r->from) + 1, to_size = leaf_size(&r->to) + 1;
	FX_AUTO_BATCH struct feox_batch *batch = NULL;
	int rc = set_attributes(r->call, &r->from);

	if (rc == 0 && exchanges(r))
		rc = set_attributes(r->call, &r->to);
	if (rc == 0)
		rc = feox_batch_create(fs->store, &batch);
	if (rc == 0)
		rc = add_leaves(r, batch);
	if (rc == 0)
		rc = add_markers(r, batch);
	if (rc < 0)
		return rc;
	rc = feox_rename_prefix(fs->store, from, from_size, to, to_size, &options, batch, NULL);
	return rc == -E2BIG ? -EXDEV : rc; /* mv(1) copies: never a tree half renamed */
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

/* The place of a side for a node of that kind, which with EXCHANGE is not the side's own. */
static struct fx_spot spot_for(struct side *side, const struct side *mover)
{
	struct fx_found *found = &side->found;
	struct fx_spot spot = fx_found_spot(found, side->parent, side->name);
	bool directory = mover->found.what == FX_DIRECTORY;

	spot.kind = directory ? FX_NODE_DIRECTORY : FX_NODE_FILE;
	if (!spot.self)
		spot.piece_size = leaf_size(side) + directory - found->base_size;
	return spot;
}

/* What has expired keeps for its handles what they had seen, see fx_keep(). */
static bool keeps_something(const struct renaming *r)
{
	const struct fx_node *replaced = r->to.node;

	return fx_node_is_directory(replaced) || (replaced->opens && r->to.found.recorded);
}

static int prepare_nodes(struct renaming *r)
{
	struct fx_node *replaced = r->to.node;
	struct fx_spot spot = spot_for(&r->to, &r->from), back = spot_for(&r->from, &r->to);
	int rc = 0;

	if (r->from.node)
		rc = fx_node_prepare_move(r->from.node, &spot, &r->move);
	if (rc == 0 && replaced && exchanges(r))
		return fx_node_prepare_move(replaced, &back, &r->back);
	if (rc == 0 && replaced)
		fx_keep_replaced(r->call->fs, replaced, &r->to.found);
	if (rc == 0 && replaced && keeps_something(r))
		rc = fx_keep_removed(r->call->fs, replaced, &r->to.found,
				     !fx_node_is_directory(replaced) && !replaced->stage,
				     r->call->nowait);
	return rc == -ENOENT ? 0 : rc; /* it has expired just now, see keeps_something() */
}

static void move_nodes(struct renaming *r)
{
	struct fx_fs *fs = r->call->fs;
	struct fx_node *replaced = r->to.node;

	if (replaced && !exchanges(r)) {
		if (fx_node_is_directory(replaced)) {
			fx_later_untouch(fs, replaced);
			fx_node_detach(fs, replaced);
		} else {
			fx_stage_lose_name(fs, replaced);
			replaced->replaced = true;
		}
	}
	if (r->from.node)
		fx_node_move(fs, &r->move);
	if (replaced && exchanges(r))
		fx_node_move(fs, &r->back);
}

/* ---- RENAME ---------------------------------------------------------------------------------- */

static int rename_checked(struct renaming *r)
{
	int rc = prepare_nodes(r);

	if (rc == 0)
		rc = moves_tree(r) ? commit_tree(r) : commit_file(r);
	if (rc < 0)
		return rc;
	move_nodes(r);
	fx_dir_change_done(&r->from.change);
	if (r->to.parent != r->from.parent)
		fx_dir_change_done(&r->to.change);
	if (moves_tree(r))
		fx_renumber(r->call->fs, r->from.node, exchanges(r) ? r->to.node : NULL);
	return 0;
}

static int rename_work(struct fx_call *call)
{
	FX_AUTO_RENAMING struct renaming r = {.call = call, .flags = call->flags};
	int rc = resolve(&r);

	if (rc == 0 && moves_tree(&r))
		rc = publish_tree(&r);
	if (rc == 0)
		rc = check(&r);
	return rc < 0 ? rc : rename_checked(&r);
}

void fx_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		  const char *new_name, unsigned int flags)
{
	static const struct fx_op op = {.names = FX_NAMES_EXCLUSIVE,
					.changes = true,
					.answers_locked = true,
					.work = rename_work,
					.answer = fx_answer_ok};
	struct fx_call call;

	if (fx_control_is(parent) || fx_control_is(new_parent)) {
		fuse_reply_err(req, EPERM);
		return;
	}
	if (flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE)) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	fx_call_init(&call, req, parent);
	call.other = fx_node_of(call.fs, new_parent);
	call.name = name;
	call.other_name = new_name;
	call.flags = (flags & RENAME_NOREPLACE ? FEOX_RENAME_NOREPLACE : 0u) |
		     (flags & RENAME_EXCHANGE ? FEOX_RENAME_EXCHANGE : 0u);
	fx_call_run(&call, &op);
}
