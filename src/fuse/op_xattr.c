/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_xattr.c - extended attributes: the key's controls under user.feox., everybody's own under
 * user., nothing else (ENOTSUP; ENODATA would make ls -l ask for every file).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "cleanup.h"
#include "control.h"
#include "kept.h"
#include "notify.h"
#include "op.h"
#include "stage.h"
#include "ttl.h"

#define FX_USER	      "user."
#define FX_FEOX	      "user.feox."
#define FX_EXPIRES_AT "user.feox.expires_at"

/* ---- Names ----------------------------------------------------------------------------------- */

enum xattr {
	XATTR_USER, /* somebody's own */
	XATTR_TTL,
	XATTR_EXPIRES_AT,
	XATTR_VERSION,
	XATTR_KEY,
	XATTR_UNKNOWN, /* user.feox.anything */
	XATTR_FOREIGN  /* not user. */
};

static enum xattr xattr_of(const char *name)
{
	static const char *const controls[] = {
		[XATTR_TTL] = "ttl",
		[XATTR_EXPIRES_AT] = "expires_at",
		[XATTR_VERSION] = "version",
		[XATTR_KEY] = "key",
	};

	if (strncmp(name, FX_USER, strlen(FX_USER)) != 0)
		return XATTR_FOREIGN;
	if (strncmp(name, FX_FEOX, strlen(FX_FEOX)) != 0)
		return XATTR_USER;
	for (enum xattr x = XATTR_TTL; x <= XATTR_KEY; x++)
		if (strcmp(name + strlen(FX_FEOX), controls[x]) == 0)
			return x;
	return XATTR_UNKNOWN;
}

/* ---- GETXATTR, LISTXATTR --------------------------------------------------------------------- */

static int give(struct fx_call *call, const void *data, size_t size)
{
	call->buffer = malloc(size + 1);
	if (!call->buffer)
		return -ENOMEM;
	memcpy(call->buffer, data, size);
	call->buffer_size = size;
	return 0;
}

static int give_key(struct fx_call *call, const struct fx_key *key)
{
	char *text = call->buffer = malloc(key->size * 2 + 1);

	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < key->size; i++)
		sprintf(text + 2 * i, "%02x", key->data[i]);
	call->buffer_size = key->size * 2;
	return 0;
}

static int give_time(struct fx_call *call, enum xattr what, uint64_t expiry_ns)
{
	uint64_t now_ns = feox_now(call->fs->store);
	char text[FX_TIME_TEXT_MAX];
	size_t size;

	if (what == XATTR_EXPIRES_AT)
		size = fx_time_format(expiry_ns, text);
	else
		size = fx_seconds_format(expiry_ns > now_ns ? expiry_ns - now_ns : 0, text);
	return give(call, text, size);
}

/* When the file itself expires; 0 also for a directory, whatever proves that it is there. */
static uint64_t own_expiry(const struct fx_found *found)
{
	return found->what == FX_FILE && !found->detached && !found->marker ? found->expiry_ns : 0;
}

static int give_control(struct fx_call *call, enum xattr what, const struct fx_found *found)
{
	char text[FX_TIME_TEXT_MAX];

	switch (what) {
	case XATTR_TTL:
	case XATTR_EXPIRES_AT:
		return own_expiry(found) ? give_time(call, what, own_expiry(found)) : -ENODATA;
	case XATTR_VERSION:
		if (!found->recorded || found->detached)
			return -ENODATA;
		return give(call, text, (size_t)sprintf(text, "%" PRIu64, found->version));
	case XATTR_KEY:
		return found->detached ? -ENODATA : give_key(call, &found->key);
	default:
		return -ENODATA;
	}
}

static int examine(struct fx_call *call, struct fx_found *found)
{
	return fx_node_is_directory(call->node)
		       ? fx_examine(call->fs, call->node, call->nowait, found)
		       : fx_examine_file(call->fs, call->node, call->nowait, found);
}

static int getxattr_work(struct fx_call *call)
{
	enum xattr what = xattr_of(call->name);
	FX_AUTO_FOUND struct fx_found found;
	const void *value;
	size_t size;
	int rc = 0;

	fx_found_init(&found);
	if (what == XATTR_VERSION) /* of what is staged too */
		rc = fx_stage_publish(call->fs, call->node, call->nowait);
	if (rc == 0)
		rc = examine(call, &found);
	if (rc < 0)
		return rc;
	if (what != XATTR_USER)
		return give_control(call, what, &found);
	rc = found.marker ? -ENODATA : fx_xattr_get(&found.meta.attr, call->name, &value, &size);
	return rc < 0 ? rc : give(call, value, size);
}

/* getxattr(2), listxattr(2): with size 0 only how much there is. */
static void answer_xattr(struct fx_call *call)
{
	if (!call->size)
		fuse_reply_xattr(call->req, call->buffer_size);
	else if (call->buffer_size > call->size)
		fuse_reply_err(call->req, ERANGE);
	else
		fuse_reply_buf(call->req, call->buffer, call->buffer_size);
}

void fx_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.locks_node = true,
					.work = getxattr_work,
					.answer = answer_xattr};
	struct fx_call call;

	if (xattr_of(name) == XATTR_FOREIGN || fx_control_is(ino)) {
		fuse_reply_err(req, xattr_of(name) == XATTR_FOREIGN ? ENOTSUP : ENODATA);
		return;
	}
	fx_call_init(&call, req, ino);
	call.name = name;
	call.size = size;
	fx_call_run(&call, &op);
}

static int listxattr_work(struct fx_call *call)
{
	FX_AUTO_FOUND struct fx_found found;
	size_t head;
	long names;
	int rc = examine(call, &found);

	if (rc < 0)
		return rc;
	if (found.marker)
		return 0;
	head = own_expiry(&found) ? sizeof(FX_EXPIRES_AT) : 0;
	names = fx_xattr_list(&found.meta.attr, NULL, 0);
	if (names < 0)
		return (int)names;
	call->buffer = malloc(head + (size_t)names + 1);
	if (!call->buffer)
		return -ENOMEM;
	memcpy(call->buffer, FX_EXPIRES_AT, head);
	fx_xattr_list(&found.meta.attr, (char *)call->buffer + head, (size_t)names);
	call->buffer_size = head + (size_t)names;
	return 0;
}

void fx_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.locks_node = true,
					.work = listxattr_work,
					.answer = answer_xattr};
	struct fx_call call;

	if (fx_control_is(ino)) {
		if (size)
			fuse_reply_buf(req, NULL, 0);
		else
			fuse_reply_xattr(req, 0);
		return;
	}
	fx_call_init(&call, req, ino);
	call.size = size;
	fx_call_run(&call, &op);
}

/* ---- Expiry ---------------------------------------------------------------------------------- */

/* The point in time that the text of ttl or expires_at means. */
static int parse_expiry(const struct fx_call *call, enum xattr what, uint64_t *ret_expiry_ns)
{
	uint64_t now_ns = feox_now(call->fs->store), ns;

	if (what == XATTR_EXPIRES_AT) {
		if (fx_time_parse(call->data, call->size, &ns) < 0 || ns <= now_ns)
			return -EINVAL;
		*ret_expiry_ns = ns;
		return 0;
	}
	if (fx_parse_time(call->data, call->size, &ns) < 0 || !ns || ns > FEOX_TIME_MAX - now_ns)
		return -EINVAL;
	*ret_expiry_ns = now_ns + ns;
	return 0;
}

/*
 * The kernel believed in the name, and in directories above that only this key may prove, for
 * longer than is true now. These are queued only: who removes a file holds the directory's lock in
 * the kernel while he waits for the file's, which setxattr(2) holds.
 */
static void shorten_names(struct fx_call *call)
{
	struct fx_fs *fs = call->fs;
	struct feox_stat stat;
	struct fx_key key;

	fx_notify_entry(fs, call->node);
	for (struct fx_node *node = call->node->parent; node; node = node->parent) {
		fx_notify_inode(fs, node, false, NULL, NULL); /* it counts its subdirectories */
		if (node->kind == FX_NODE_DIRECTORY &&
		    (fx_node_key(fs, node, &key) < 0 ||
		     feox_stat(fs->store, key.data, key.size, NULL, 0, &stat) == 0))
			return; /* it has a marker, which proves all above as well */
		fx_notify_entry(fs, node);
	}
}

static int set_expiry(struct fx_call *call, const struct fx_found *found, uint64_t expiry_ns)
{
	struct feox_write_options options = {.flags = call->nowait};
	struct fx_node *node = call->node;
	int rc = 0;

	/* Open handles keep what they see now. */
	if (expiry_ns && node->opens)
		rc = fx_keep(call->fs, node, found, !node->stage, call->nowait);
	if (rc == 0)
		rc = feox_set_expiry(call->fs->store, found->key.data, found->key.size, expiry_ns,
				     &options);
	if (rc < 0)
		return rc;
	if (expiry_ns)
		shorten_names(call);
	call->invalidates = true;
	return 0;
}

/* A value of NULL removes it. */
static int change_expiry(struct fx_call *call, enum xattr what)
{
	uint64_t expiry_ns = 0;
	FX_AUTO_FOUND struct fx_found found;
	int rc;

	fx_found_init(&found);
	if (fx_node_is_directory(call->node))
		return call->data ? -EINVAL : -ENODATA;
	if (call->node->marker)
		return -EPERM; /* it is the directory's */
	rc = call->data ? parse_expiry(call, what, &expiry_ns) : 0;
	if (rc == 0)
		rc = examine(call, &found);
	if (rc < 0 || found.detached)
		return rc < 0 ? rc : -ENOENT;
	if (found.expiry_ns && (call->flags & XATTR_CREATE))
		return -EEXIST;
	if (!found.expiry_ns && (!call->data || (call->flags & XATTR_REPLACE)))
		return -ENODATA;
	return set_expiry(call, &found, expiry_ns);
}

/* ---- SETXATTR, REMOVEXATTR ------------------------------------------------------------------- */

static int change_user(struct fx_call *call)
{
	FX_AUTO_FREE uint8_t *xattrs = NULL;
	FX_AUTO_FOUND struct fx_found found;
	struct fx_attr *attr = &found.meta.attr;
	mode_t type;
	int rc;

	fx_found_init(&found);
	rc = fx_attr_change_begin(call, &found, &type);
	if (rc == 0)
		rc = fx_xattr_set(attr, call->name, call->data, call->size, (int)call->flags,
				  &xattrs, &attr->xattrs_size);
	if (rc < 0)
		return rc;
	attr->xattrs = xattrs;
	return fx_attr_change_commit(call, &found);
}

static int change_work(struct fx_call *call)
{
	enum xattr what = xattr_of(call->name);

	switch (what) {
	case XATTR_USER:
		return change_user(call);
	case XATTR_TTL:
	case XATTR_EXPIRES_AT:
		return change_expiry(call, what);
	case XATTR_VERSION:
	case XATTR_KEY:
		return -EPERM;
	default:
		return call->data ? -EINVAL : -ENODATA;
	}
}

static void run_change(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
		       size_t size, int flags)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.locks_node = true,
					.changes = true,
					.work = change_work,
					.answer = fx_answer_ok};
	struct fx_call call;

	if (xattr_of(name) == XATTR_FOREIGN || fx_control_is(ino)) {
		fuse_reply_err(req, fx_control_is(ino) ? EPERM : ENOTSUP);
		return;
	}
	fx_call_init(&call, req, ino);
	call.name = name;
	call.data = value;
	call.size = size;
	call.flags = (unsigned int)flags;
	fx_call_run(&call, &op);
}

void fx_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
		    size_t size, int flags)
{
	run_change(req, ino, name, value ? value : "", size, flags);
}

void fx_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	run_change(req, ino, name, NULL, 0, 0);
}
