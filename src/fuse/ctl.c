/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctl.c - /.feox/ctl: lines are written, lines are read.
 *
 * A handle is two streams, offsets do not matter. A request ends at a newline and may come in
 * pieces; it is executed before the write(2) that brings its end returns, and its answer waits to
 * be read, in order. A request that fails does not fail the write. What is too long for a request
 * is answered so when its newline comes, and not kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "cleanup.h"
#include "control_file.h"
#include "ctl_request.h"
#include "stage.h"

#define FX_CTL_ANSWERS_MAX                                                                         \
	((size_t)64 * 1024 * 1024)	    /* unread bytes, before writes are refused             \
					     */
#define FX_CTL_MARGIN ((size_t)1024 * 1024) /* of a request, beside its value */

struct stream {
	char *data;
	size_t size, capacity;
};

struct ctl {
	pthread_mutex_t mutex; /* guards all */
	struct stream request; /* lines not executed yet, the last without its end */
	struct stream answer;
	size_t taken; /* of answer: read already */
	bool skips;   /* to the next newline: the request was too long */
};

static struct ctl *ctl_of(const struct fuse_file_info *fi)
{
	return (struct ctl *)(uintptr_t)fi->fh;
}

static int append(struct stream *stream, const char *data, size_t size)
{
	size_t capacity = FX_MAX(stream->capacity * 2, stream->size + size);
	char *grown;

	if (stream->size + size > stream->capacity) {
		grown = realloc(stream->data, capacity);
		if (!grown)
			return -ENOMEM;
		stream->data = grown;
		stream->capacity = capacity;
	}
	if (size)
		memcpy(stream->data + stream->size, data, size);
	stream->size += size;
	return 0;
}

static void drop(struct stream *stream, size_t size)
{
	memmove(stream->data, stream->data + size, stream->size - size);
	stream->size -= size;
	if (!stream->size) {
		free(FX_STEAL(stream->data));
		stream->capacity = 0;
	}
}

/* ---- OPEN, RELEASE --------------------------------------------------------------------------- */

static void ctl_free(struct ctl *ctl)
{
	free(ctl->request.data);
	free(ctl->answer.data);
	pthread_mutex_destroy(&ctl->mutex);
	free(ctl);
}

void fx_ctl_open(struct fx_fs *fs, fuse_req_t req, struct fuse_file_info *fi)
{
	struct ctl *ctl = calloc(1, sizeof(*ctl));

	if (!ctl) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	pthread_mutex_init(&ctl->mutex, NULL);
	fi->fh = (uint64_t)(uintptr_t)ctl;
	if (fuse_reply_open(req, fi) == -ENOENT)
		ctl_free(ctl);
}

void fx_ctl_release(struct fx_fs *fs, struct fuse_file_info *fi)
{
	ctl_free(ctl_of(fi));
}

/* ---- WRITE ----------------------------------------------------------------------------------- */

/* Bytes of a request: the value may be twice as long in base64 or with escapes. */
static size_t request_max(const struct fx_fs *fs)
{
	return fx_stage_size_max(fs) * 2 + FX_CTL_MARGIN;
}

static int take(struct fx_call *call, struct ctl *ctl)
{
	const char *end = memrchr(call->data, '\n', call->size);
	int rc;

	if (ctl->answer.size - ctl->taken > FX_CTL_ANSWERS_MAX)
		return -ENOBUFS;
	if (ctl->skips && !end)
		return 0;
	rc = append(&ctl->request, call->data, call->size);
	if (rc == 0 && !end && ctl->request.size > request_max(call->fs)) {
		drop(&ctl->request, ctl->request.size);
		ctl->skips = true;
	}
	return rc;
}

static int answer_too_long(struct ctl *ctl)
{
	static const char text[] = "{\"ok\":false,\"errno\":\"EFBIG\","
				   "\"error\":\"the request is too long\"}\n";

	ctl->skips = false;
	return append(&ctl->answer, text, sizeof(text) - 1);
}

/* -EAGAIN: nothing has happened. */
static int execute(struct fx_call *call, struct ctl *ctl, const char *line, size_t size)
{
	struct fx_ctl_outcome outcome;
	int rc;

	if (ctl->skips || size > request_max(call->fs))
		return answer_too_long(ctl);
	rc = fx_ctl_run(call->fs, call->nowait, line, size, &outcome);
	if (rc < 0)
		return rc;
	call->fenced = call->fenced || outcome.noticed;
	call->durable = call->durable || (outcome.changed && call->fs->options->sync);
	rc = append(&ctl->answer, outcome.answer, outcome.answer_size);
	free(outcome.answer);
	return rc;
}

static bool is_blank(const char *line, size_t size)
{
	while (size && (*line == ' ' || *line == '\t' || *line == '\r')) {
		line++;
		size--;
	}
	return !size;
}

static int execute_lines(struct fx_call *call, struct ctl *ctl)
{
	size_t done = 0;
	int rc = 0;

	while (rc == 0) {
		const char *line = ctl->request.data + done;
		const char *end = memchr(line, '\n', ctl->request.size - done);

		if (!end)
			break;
		if (ctl->skips || !is_blank(line, (size_t)(end - line)))
			rc = execute(call, ctl, line, (size_t)(end - line));
		if (rc != -EAGAIN)
			done += (size_t)(end - line) + 1;
	}
	drop(&ctl->request, done);
	return rc;
}

static int write_work(struct fx_call *call)
{
	struct ctl *ctl = call->handle;
	int rc = fx_call_lock(call, &ctl->mutex);

	if (rc < 0)
		return rc;
	if (!call->begun)
		rc = take(call, ctl);
	call->begun = true;
	if (rc == 0 && ctl->request.size)
		rc = execute_lines(call, ctl);
	pthread_mutex_unlock(&ctl->mutex);
	return rc;
}

void fx_ctl_write(struct fx_fs *fs, fuse_req_t req, const char *data, size_t size,
		  struct fuse_file_info *fi)
{
	static const struct fx_op op = {.work = write_work, .answer = fx_answer_write};
	struct fx_call call;

	fx_call_init(&call, req, 0);
	call.handle = ctl_of(fi);
	call.data = data;
	call.size = size;
	fx_call_run(&call, &op);
}

/* ---- READ ------------------------------------------------------------------------------------ */

static int read_work(struct fx_call *call)
{
	struct ctl *ctl = call->handle;
	int rc = fx_call_lock(call, &ctl->mutex);

	if (rc < 0)
		return rc;
	call->buffer_size = FX_MIN(ctl->answer.size - ctl->taken, call->length);
	call->buffer = malloc(call->buffer_size + 1);
	if (call->buffer && call->buffer_size) {
		memcpy(call->buffer, ctl->answer.data + ctl->taken, call->buffer_size);
		ctl->taken += call->buffer_size;
		if (ctl->taken == ctl->answer.size) {
			drop(&ctl->answer, ctl->taken);
			ctl->taken = 0;
		}
	}
	pthread_mutex_unlock(&ctl->mutex);
	return call->buffer ? 0 : -ENOMEM;
}

void fx_ctl_read(struct fx_fs *fs, fuse_req_t req, size_t size, struct fuse_file_info *fi)
{
	static const struct fx_op op = {.work = read_work, .answer = fx_answer_buffer};
	struct fx_call call;

	fx_call_init(&call, req, 0);
	call.handle = ctl_of(fi);
	call.length = size;
	fx_call_run(&call, &op);
}
