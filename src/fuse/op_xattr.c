/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_xattr.c - extended attributes: the key's controls under user.feox. (what setting them does is
 * in kv_xattr.c), everybody's own under user., nothing else (ENOTSUP; ENODATA would make ls -l ask
 * for every file).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "control.h"
#include "kv_xattr.h"
#include "stage.h"
#include "ttl.h"

#define FX_USER	      "user."
#define FX_FEOX	      "user.feox."
#define FX_EXPIRES_AT "user.feox.expires_at"

/* ---- Names ----------------------------------------------------------------------------------- */

static enum fx_xattr xattr_of(const char *name)
{
	static const char *const controls[] = {
		[FX_XATTR_TTL] = "ttl",
		[FX_XATTR_EXPIRES_AT] = "expires_at",
		[FX_XATTR_DEFAULT_TTL] = "default_ttl",
		[FX_XATTR_IF_VERSION] = "if_version",
		[FX_XATTR_CAS] = "cas",
		[FX_XATTR_INCR] = "incr",
		[FX_XATTR_JSON_PATCH] = "json_patch",
		[FX_XATTR_VERSION] = "version",
		[FX_XATTR_KEY] = "key",
	};

	if (strncmp(name, FX_USER, strlen(FX_USER)) != 0)
		return FX_XATTR_FOREIGN;
	if (strncmp(name, FX_FEOX, strlen(FX_FEOX)) != 0)
		return FX_XATTR_USER;
	for (enum fx_xattr x = FX_XATTR_TTL; x <= FX_XATTR_KEY; x++)
		if (strcmp(name + strlen(FX_FEOX), controls[x]) == 0)
			return x;
	return FX_XATTR_UNKNOWN;
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

static int give_time(struct fx_call *call, enum fx_xattr what, uint64_t expiry_ns)
{
	uint64_t now_ns = feox_now(call->fs->store);
	char text[FX_TIME_TEXT_MAX];
	size_t size;

	if (what == FX_XATTR_EXPIRES_AT)
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

static int give_control(struct fx_call *call, enum fx_xattr what, const struct fx_found *found)
{
	char text[FX_TIME_TEXT_MAX];

	switch (what) {
	case FX_XATTR_TTL:
	case FX_XATTR_EXPIRES_AT:
		return own_expiry(found) ? give_time(call, what, own_expiry(found)) : -ENODATA;
	case FX_XATTR_VERSION:
		if (!found->recorded || found->detached)
			return -ENODATA;
		return give(call, text, (size_t)sprintf(text, "%" PRIu64, found->version));
	case FX_XATTR_KEY:
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
	enum fx_xattr what = xattr_of(call->name);
	FX_AUTO_FOUND struct fx_found found;
	const void *value;
	size_t size;
	int rc = 0;

	fx_found_init(&found);
	if (what == FX_XATTR_VERSION) /* of what is staged too */
		rc = fx_stage_publish(call->fs, call->node, call->nowait);
	if (rc == 0)
		rc = examine(call, &found);
	if (rc < 0)
		return rc;
	if (!fx_xattr_is_stored(what))
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

	if (xattr_of(name) == FX_XATTR_FOREIGN || fx_control_is(ino)) {
		fuse_reply_err(req, xattr_of(name) == FX_XATTR_FOREIGN ? ENOTSUP : ENODATA);
		return;
	}
	fx_call_init(&call, req, ino);
	call.name = name;
	call.size = size;
	fx_call_run(&call, &op);
}

/* A condition of the next rename is nothing to copy or to show. What is left of names. */
static size_t drop_unlisted(char *names, size_t size)
{
	char *end = names + size, *name = names;

	while (name < end) {
		size_t length = strlen(name) + 1;

		if (xattr_of(name) == FX_XATTR_IF_VERSION) {
			memmove(name, name + length, (size_t)(end - name) - length);
			end -= length;
		} else {
			name += length;
		}
	}
	return (size_t)(end - names);
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
	call->buffer_size = head + drop_unlisted((char *)call->buffer + head, (size_t)names);
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

/* ---- SETXATTR, REMOVEXATTR ------------------------------------------------------------------- */

static int change_work(struct fx_call *call)
{
	enum fx_xattr what = xattr_of(call->name);

	switch (what) {
	case FX_XATTR_USER:
		return fx_xattr_store(call);
	case FX_XATTR_VERSION:
	case FX_XATTR_KEY:
		return -EPERM;
	case FX_XATTR_UNKNOWN:
	case FX_XATTR_FOREIGN:
		return call->data ? -EINVAL : -ENODATA;
	default:
		return fx_kv_xattr_change(call, what);
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

	if (xattr_of(name) == FX_XATTR_FOREIGN || fx_control_is(ino)) {
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
