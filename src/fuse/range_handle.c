/* SPDX-License-Identifier: Apache-2.0 */
/*
 * range_handle.c - open files and directories in /.feox/range.
 *
 * A file's handle holds the value that the key had when it was opened. A listing goes on behind the
 * last key it gave, so it holds no iterator between two requests: what comes and goes in front of
 * it does not matter, and no key is given twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "cleanup.h"
#include "kv_target.h"
#include "later.h"
#include "meta.h"
#include "range.h"

#define FX_FIRST_COOKIE ((off_t)2) /* behind "." and ".." */

struct fx_range_handle {
	struct fx_range_handle *next, *prev; /* under ranges' mutex */
	const struct fx_range_node *node;
	struct feox_value value; /* of a file */
	/* Of a directory. */
	pthread_mutex_t mutex; /* guards what follows */
	off_t cookie;	       /* of the last entry given */
	uint8_t *last;	       /* its key; owned */
	size_t last_size;
};

static struct fx_range_handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct fx_range_handle *)(uintptr_t)fi->fh;
}

static struct fx_range_handle *handle_new(struct fx_fs *fs, const struct fx_range_node *node)
{
	struct fx_range_handle *handle = calloc(1, sizeof(*handle));

	if (!handle)
		return NULL;
	handle->node = node;
	handle->cookie = FX_FIRST_COOKIE;
	pthread_mutex_init(&handle->mutex, NULL);
	pthread_mutex_lock(&fs->ranges->mutex);
	handle->next = fs->ranges->handles;
	if (handle->next)
		handle->next->prev = handle;
	fs->ranges->handles = handle;
	pthread_mutex_unlock(&fs->ranges->mutex);
	return handle;
}

static void handle_free(struct fx_fs *fs, struct fx_range_handle *handle)
{
	feox_value_release(fs->store, &handle->value);
	pthread_mutex_destroy(&handle->mutex);
	free(handle->last);
	free(handle);
}

static void handle_close(struct fx_fs *fs, struct fx_range_handle *handle)
{
	pthread_mutex_lock(&fs->ranges->mutex);
	if (handle->next)
		handle->next->prev = handle->prev;
	if (handle->prev)
		handle->prev->next = handle->next;
	else
		fs->ranges->handles = handle->next;
	pthread_mutex_unlock(&fs->ranges->mutex);
	handle_free(fs, handle);
}

void fx_range_handles_clear(struct fx_fs *fs, struct fx_ranges *ranges)
{
	while (ranges->handles) {
		struct fx_range_handle *handle = ranges->handles;

		ranges->handles = handle->next;
		handle_free(fs, handle);
	}
}

static void answer_open(struct fx_call *call)
{
	if (fuse_reply_open(call->req, &call->fi) == -ENOENT)
		handle_close(call->fs, handle_of(&call->fi));
}

void fx_range_release(struct fx_fs *fs, fuse_req_t req, struct fuse_file_info *fi)
{
	handle_close(fs, handle_of(fi));
	fuse_reply_err(req, 0);
}

/* ---- OPEN, READ ------------------------------------------------------------------------------ */

static int open_work(struct fx_call *call)
{
	const struct fx_range_node *node = call->handle;
	struct fx_range_handle *handle;
	struct feox_value value;
	int rc = fx_kv_publish(call->fs, node->key, node->key_size, call->nowait);

	if (rc == 0)
		rc = feox_get(call->fs->store, node->key, node->key_size, call->nowait, &value);
	if (rc < 0)
		return rc;
	handle = handle_new(call->fs, node);
	if (!handle) {
		feox_value_release(call->fs->store, &value);
		return -ENOMEM;
	}
	handle->value = value;
	call->fi.fh = (uint64_t)(uintptr_t)handle;
	return 0;
}

void fx_range_open(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	static const struct fx_op op = {
		.names = FX_NAMES_SHARED, .work = open_work, .answer = answer_open};
	struct fx_call call;

	if ((fi->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, EACCES);
		return;
	}
	fx_call_init(&call, req, 0);
	call.handle = fx_range_node_of(ino);
	call.fi = *fi;
	fx_call_run(&call, &op);
}

void fx_range_read(fuse_req_t req, size_t size, off_t offset, struct fuse_file_info *fi)
{
	const struct feox_value *value = &handle_of(fi)->value;
	uint64_t left = (uint64_t)offset < value->size ? value->size - (uint64_t)offset : 0;

	fuse_reply_buf(req, left ? (const char *)value->data + offset : NULL, FX_MIN(left, size));
}

/* ---- READDIR --------------------------------------------------------------------------------- */

/* What is staged is listed too: it must be in the store. */
static int opendir_work(struct fx_call *call)
{
	struct fx_range_handle *handle;
	int rc = 0;

	if (fx_later_pending(call->fs))
		rc = call->nowait ? -EAGAIN : fx_later_publish_all(call->fs, false);
	if (rc < 0)
		return rc;
	handle = handle_new(call->fs, call->handle);
	if (!handle)
		return -ENOMEM;
	call->fi.fh = (uint64_t)(uintptr_t)handle;
	return 0;
}

void fx_range_opendir(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	static const struct fx_op op = {.work = opendir_work, .answer = answer_open};
	struct fx_call call;

	fx_call_init(&call, req, 0);
	call.handle = fx_range_node_of(ino);
	call.fi = *fi;
	fx_call_run(&call, &op);
}

/* False: it does not fit. */
static bool add_name(struct fx_call *call, const char *name, mode_t type, uint64_t ino,
		     off_t cookie)
{
	struct fuse_entry_param entry = {.attr = {.st_mode = type, .st_ino = ino}};
	char *at = (char *)call->buffer + call->buffer_size;
	size_t left = call->size - call->buffer_size, size;

	size = call->flags ? fuse_add_direntry_plus(call->req, at, left, name, &entry, cookie)
			   : fuse_add_direntry(call->req, at, left, name, &entry.attr, cookie);
	if (size > left)
		return false;
	call->buffer_size += size;
	return true;
}

static int remember(struct fx_range_handle *handle, const struct feox_item *item)
{
	uint8_t *last = realloc(handle->last, item->key_size + 1);

	if (!last)
		return -ENOMEM;
	if (item->key_size)
		memcpy(last, item->key, item->key_size);
	handle->last = last;
	handle->last_size = item->key_size;
	handle->cookie++;
	return 0;
}

/* 1: given, or before what is asked for; 0: no room. */
static int add_item(struct fx_call *call, struct fx_range_handle *handle,
		    const struct feox_item *item)
{
	char name[FX_NAME_MAX + 1];
	int rc;

	if (handle->cookie >= call->offset) {
		fx_range_encode(item->key, item->key_size, name);
		if (!add_name(call, name, S_IFREG, fx_ino_hash(item->key, item->key_size, false),
			      handle->cookie + 1))
			return 0;
	}
	rc = remember(handle, item);
	return rc < 0 ? rc : 1;
}

static int add_items(struct fx_call *call, struct fx_range_handle *handle)
{
	uint64_t given = (uint64_t)(handle->cookie - FX_FIRST_COOKIE);
	uint64_t limit = handle->node->range->limit;
	struct feox_iter_options options;
	struct feox_iter *iter;
	struct feox_item item;
	int rc;

	if (limit && given >= limit)
		return 0;
	fx_range_options(call->fs, handle->node, &options);
	if (handle->last) {
		options.from = handle->last;
		options.from_size = handle->last_size;
		options.flags |= FEOX_ITER_FROM_EXCLUSIVE;
	}
	options.limit = limit ? limit - given : 0;
	rc = feox_iter_open(call->fs->store, &options, &iter);
	if (rc < 0)
		return rc;
	while ((rc = feox_iter_next(iter, &item)) > 0) {
		rc = add_item(call, handle, &item);
		if (rc <= 0)
			break;
	}
	feox_iter_close(iter);
	return rc;
}

static void rewind_listing(struct fx_range_handle *handle)
{
	free(FX_STEAL(handle->last));
	handle->cookie = FX_FIRST_COOKIE;
}

static int list(struct fx_call *call, struct fx_range_handle *handle)
{
	FX_LOCKED(&handle->mutex);

	if (call->offset < handle->cookie)
		rewind_listing(handle);
	if (call->offset < 1)
		add_name(call, ".", S_IFDIR, FX_INO_HASHED - 1, 1);
	if (call->offset < 2)
		add_name(call, "..", S_IFDIR, FX_INO_HASHED - 1, 2);
	return add_items(call, handle);
}

static int readdir_work(struct fx_call *call)
{
	int rc;

	call->buffer = malloc(call->size);
	if (!call->buffer)
		return -ENOMEM;
	call->buffer_size = 0;
	rc = list(call, call->handle);
	return call->buffer_size ? 0 : rc;
}

void fx_range_readdir(struct fx_fs *fs, fuse_req_t req, size_t size, off_t offset,
		      struct fuse_file_info *fi, bool plus)
{
	static const struct fx_op op = {.work = readdir_work, .answer = fx_answer_buffer};
	struct fx_call call;

	fx_call_init(&call, req, 0);
	call.handle = handle_of(fi);
	call.size = size;
	call.offset = offset;
	call.flags = plus;
	fx_call_run(&call, &op);
}
