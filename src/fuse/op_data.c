/* SPDX-License-Identifier: Apache-2.0 */
/* op_data.c - the bytes of files: read, written, made room for, searched. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/falloc.h>

#include "cleanup.h"
#include "control.h"
#include "kept.h"
#include "op.h"
#include "stage.h"

#define FX_READ_WHOLE_MAX ((uint64_t)1 << 20) /* larger cold values are read slice by slice */

/* ---- READ ------------------------------------------------------------------------------------ */

static int copy_slice(struct fx_call *call, const void *data, uint64_t size)
{
	uint64_t offset = (uint64_t)call->offset;
	uint64_t count = offset < size ? FX_MIN(size - offset, call->length) : 0;

	call->buffer_size = count;
	if (!count)
		return 0;
	call->buffer = malloc(count);
	if (!call->buffer)
		return -ENOMEM;
	memcpy(call->buffer, (const char *)data + offset, count);
	return 0;
}

/* From a value that is in memory, without a copy. */
static int read_pinned(struct fx_call *call, const struct fx_key *key)
{
	uint64_t offset = (uint64_t)call->offset;
	struct feox_value *value = &call->value;
	int rc = feox_get(call->fs->store, key->data, key->size, call->nowait, value);

	if (rc < 0)
		return rc;
	call->value_offset = offset;
	call->buffer_size = offset < value->size ? FX_MIN(value->size - offset, call->length) : 0;
	return 0;
}

static int read_slice(struct fx_call *call, const struct fx_key *key)
{
	int rc;

	call->buffer = malloc(call->length ? call->length : 1);
	if (!call->buffer)
		return -ENOMEM;
	rc = feox_read(call->fs->store, key->data, key->size, (uint64_t)call->offset, call->buffer,
		       call->length, call->nowait, &call->buffer_size, NULL);
	if (rc < 0)
		free(FX_STEAL(call->buffer));
	return rc;
}

static int read_key(struct fx_call *call)
{
	struct feox_stat stat;
	struct fx_key key;
	int rc = fx_node_key(call->fs, call->node, &key);

	if (rc < 0)
		return rc;
	if (call->nowait)
		return read_pinned(call, &key);
	rc = feox_stat(call->fs->store, key.data, key.size, NULL, 0, &stat);
	if (rc < 0)
		return rc;
	if (stat.size > FX_READ_WHOLE_MAX)
		return read_slice(call, &key);
	return read_pinned(call, &key);
}

static int read_work(struct fx_call *call)
{
	struct fx_node *node = call->node;
	int rc;

	fx_handle_used(node, &call->fi);
	if (node->stage)
		return copy_slice(call, node->stage->data, node->stage->size);
	rc = read_key(call);
	if (rc == -ENOENT)
		fx_stage_expire(call->fs, node);
	if (rc != -ENOENT && rc != -ESTALE)
		return rc;
	if (!node->kept || !node->kept->has_value)
		return -ENOENT;
	return copy_slice(call, node->kept->value.data, node->kept->value.size);
}

void fx_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.locks_node = true,
					.work = read_work,
					.answer = fx_answer_buffer};
	struct fx_call call;

	if (fx_control_is(ino)) {
		fx_control_read(fuse_req_userdata(req), req, ino, size, offset, fi);
		return;
	}
	fx_call_init(&call, req, ino);
	call.length = size;
	call.offset = offset;
	call.fi = *fi;
	fx_call_run(&call, &op);
}

/* ---- WRITE ----------------------------------------------------------------------------------- */

static bool is_synchronous(const struct fx_call *call)
{
	return call->fs->options->sync || (call->fi.flags & (O_SYNC | O_DSYNC));
}

/* The bytes into the stage, once: what follows may be done again. */
static int write_bytes(struct fx_call *call)
{
	uint64_t max_bytes = fx_stage_size_max(call->fs);
	struct fx_node *node = call->node;
	int rc;

	fx_handle_used(node, &call->fi);
	rc = fx_stage_begin(call->fs, node, false, call->nowait);
	if (rc < 0)
		return rc;
	/* What comes from a shared mapping has its place, whatever the handle's flags are. */
	if ((call->fi.flags & O_APPEND) && !call->fi.writepage)
		call->offset = (off_t)node->stage->size;
	/* write(2): as many bytes as there is room for, and only with none an error. */
	if ((uint64_t)call->offset < max_bytes)
		call->size = FX_MIN(call->size, max_bytes - (uint64_t)call->offset);
	rc = fx_stage_write(call->fs, node, call->data, call->size, (uint64_t)call->offset,
			    call->nowait);
	call->begun = rc == 0;
	/* What the kernel caches does not have these bytes, and may have been read before them. */
	if (node->direct)
		node->cache_version = 0;
	return rc;
}

static int write_work(struct fx_call *call)
{
	int rc = call->begun ? 0 : write_bytes(call);

	if (rc == 0)
		rc = fx_clear_setid(call);
	if (rc < 0)
		return rc;
	if (is_synchronous(call))
		return fx_publish_durably(call);
	/* A late page of a mapping whose handles are closed. */
	return call->node->writers ? 0 : fx_stage_settle(call->fs, call->node, call->nowait);
}

void fx_op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
		 struct fuse_file_info *fi)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.locks_node = true,
					.work = write_work,
					.answer = fx_answer_write};
	struct fx_call call;

	if (fx_control_is(ino)) {
		fx_control_write(fuse_req_userdata(req), req, ino, data, size, fi);
		return;
	}
	fx_call_init(&call, req, ino);
	call.data = data;
	call.size = size;
	call.offset = offset;
	call.fi = *fi;
	fx_call_run(&call, &op);
}

/* ---- FALLOCATE ------------------------------------------------------------------------------- */

static int allocate(struct fx_call *call)
{
	struct fx_fs *fs = call->fs;
	struct fx_node *node = call->node;
	uint64_t end = (uint64_t)call->offset + call->length;
	int rc = fx_stage_begin(fs, node, false, call->nowait);

	if (rc < 0)
		return rc;
	switch (call->flags) {
	case 0:
		rc = fx_stage_allocate(fs, node, end, call->nowait);
		return rc == 0 && end > node->stage->size
			       ? fx_stage_resize(fs, node, end, call->nowait)
			       : rc;
	case FALLOC_FL_KEEP_SIZE:
		return fx_stage_allocate(fs, node, end, call->nowait);
	case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
		return fx_stage_zero(fs, node, (uint64_t)call->offset, call->length, false,
				     call->nowait);
	case FALLOC_FL_ZERO_RANGE:
		return fx_stage_zero(fs, node, (uint64_t)call->offset, call->length, true,
				     call->nowait);
	}
	return -EOPNOTSUPP;
}

static int fallocate_work(struct fx_call *call)
{
	int rc = allocate(call);

	if (rc == 0)
		rc = fx_clear_setid(call);
	return rc == 0 && is_synchronous(call) ? fx_publish_durably(call) : rc;
}

void fx_op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
		     struct fuse_file_info *fi)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.locks_node = true,
					.work = fallocate_work,
					.answer = fx_answer_ok};
	struct fx_call call;

	if (fx_control_is(ino)) {
		fuse_reply_err(req, EPERM);
		return;
	}
	fx_call_init(&call, req, ino);
	call.fi = *fi;
	call.flags = (unsigned int)mode;
	call.offset = offset;
	call.length = (uint64_t)length;
	fx_call_run(&call, &op);
}

/* ---- LSEEK ----------------------------------------------------------------------------------- */

/* A value has no holes: data up to its end, which is the only hole (lseek(2)). */
static int lseek_work(struct fx_call *call)
{
	FX_AUTO_FOUND struct fx_found found;
	int rc = fx_examine_file(call->fs, call->node, call->nowait, &found);
	uint64_t size;

	if (rc < 0)
		return rc;
	size = call->node->stage ? call->node->stage->size : found.meta.stat.size;
	if (call->offset < 0 || (uint64_t)call->offset >= size)
		return -ENXIO;
	if (call->flags == SEEK_HOLE)
		call->offset = (off_t)size;
	return 0;
}

static void answer_lseek(struct fx_call *call)
{
	fuse_reply_lseek(call->req, call->offset);
}

void fx_op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
		 struct fuse_file_info *fi)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.locks_node = true,
					.work = lseek_work,
					.answer = answer_lseek};
	struct fx_call call;

	if (fx_control_is(ino) || (whence != SEEK_DATA && whence != SEEK_HOLE)) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	fx_call_init(&call, req, ino);
	call.offset = offset;
	call.flags = (unsigned int)whence;
	fx_call_run(&call, &op);
}
