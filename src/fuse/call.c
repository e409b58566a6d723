/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.c - the way of a request:
 *
 *	attempt on the transport's thread --EAGAIN--> copy --> attempt in the pool
 *		|						|
 *		+---------------> done <------------------------+
 *				   |
 *		(invalidates, fenced: when the notifier is through)
 *				   |
 *		 answered now, or (durable) by the engine's completion of a sync
 *
 * A call on the heap belongs to whoever runs it next, who frees it after the answer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "cleanup.h"
#include "notify.h"

#define FX_TRIES 256u /* of a lock, before the call goes to the pool: some microseconds */

void fx_call_init_own(struct fx_call *call, struct fx_fs *fs, struct fx_node *node)
{
	memset(call, 0, sizeof(*call));
	call->fs = fs;
	call->nowait = FEOX_NOWAIT;
	call->node = node;
}

void fx_call_init(struct fx_call *call, fuse_req_t req, fuse_ino_t ino)
{
	struct fx_fs *fs = fuse_req_userdata(req);

	fx_call_init_own(call, fs, ino ? fx_node_of(fs, ino) : NULL);
	call->req = req;
	call->kills_setid = fx_protocol_kills_setid();
}

/* ---- Locks ----------------------------------------------------------------------------------- */

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

int fx_call_lock(struct fx_call *call, pthread_mutex_t *mutex)
{
	if (!call->nowait) {
		pthread_mutex_lock(mutex);
		return 0;
	}
	for (unsigned int i = 0; i < FX_TRIES; i++) {
		if (pthread_mutex_trylock(mutex) == 0)
			return 0;
		relax();
	}
	return -EAGAIN;
}

static int names_try(pthread_rwlock_t *lock, enum fx_call_names names)
{
	for (unsigned int i = 0; i < FX_TRIES; i++) {
		if ((names == FX_NAMES_SHARED ? pthread_rwlock_tryrdlock(lock)
					      : pthread_rwlock_trywrlock(lock)) == 0)
			return 0;
		relax();
	}
	return -EAGAIN;
}

int fx_names_lock(struct fx_fs *fs, enum fx_call_names names, unsigned int nowait)
{
	if (names == FX_NAMES_NONE)
		return 0;
	if (nowait)
		return names_try(&fs->names_lock, names);
	if (names == FX_NAMES_SHARED)
		pthread_rwlock_rdlock(&fs->names_lock);
	else
		pthread_rwlock_wrlock(&fs->names_lock);
	return 0;
}

void fx_names_unlock(struct fx_fs *fs)
{
	pthread_rwlock_unlock(&fs->names_lock);
}

static int attempt_locked(struct fx_call *call)
{
	int rc;

	if (!call->op->locks_node)
		return call->op->work(call);
	rc = fx_call_lock(call, &call->node->mutex);
	if (rc < 0)
		return rc;
	rc = call->op->work(call);
	pthread_mutex_unlock(&call->node->mutex);
	return rc;
}

static bool is_durable(const struct fx_call *call)
{
	return call->durable || (call->op->changes && call->fs->options->sync);
}

/* The answer is not given at once. */
static bool waits(const struct fx_call *call)
{
	return is_durable(call) || call->invalidates || call->fenced;
}

static int attempt(struct fx_call *call)
{
	int rc = fx_names_lock(call->fs, call->op->names, call->nowait);

	if (rc < 0)
		return rc;
	rc = attempt_locked(call);
	if (rc == 0 && call->op->answers_locked && !waits(call)) {
		call->op->answer(call);
		rc = FX_ANSWERED;
	}
	if (call->op->names != FX_NAMES_NONE)
		fx_names_unlock(call->fs);
	return rc;
}

/* ---- Copies ---------------------------------------------------------------------------------- */

static void call_clear(struct fx_call *call)
{
	feox_value_release(call->fs->store, &call->value);
	free(FX_STEAL(call->buffer));
	free(FX_STEAL(call->sync_key));
	if (call->heap)
		free(call);
}

static void *append(char **at, const void *data, size_t size)
{
	void *copy = *at;

	memcpy(copy, data, size);
	*at += size;
	return copy;
}

/* A copy on the heap, with what the pointers point to; it takes over what the call owns. */
static struct fx_call *call_to_heap(struct fx_call *call)
{
	size_t name_size = call->name ? strlen(call->name) + 1 : 0;
	size_t other_size = call->other_name ? strlen(call->other_name) + 1 : 0;
	size_t data_size = call->data ? call->size : 0;
	struct fx_call *copy;
	char *at;

	if (call->heap)
		return call;
	copy = malloc(sizeof(*copy) + name_size + other_size + data_size);
	if (!copy)
		return NULL;
	*copy = *call;
	copy->heap = true;
	at = (char *)(copy + 1);
	if (name_size)
		copy->name = append(&at, call->name, name_size);
	if (other_size)
		copy->other_name = append(&at, call->other_name, other_size);
	if (data_size)
		copy->data = append(&at, call->data, data_size);
	return copy;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void answer_error(struct fx_call *call, int rc)
{
	if (call->entry.ino)
		fx_node_forget(call->fs, fx_node_of(call->fs, call->entry.ino), 1);
	if (call->req)
		fuse_reply_err(call->req, -rc);
}

/* ---- Answers that wait ------------------------------------------------------------------------
 */

static void count_sync(struct fx_fs *fs, int add)
{
	FX_LOCKED(&fs->syncs_mutex);

	fs->syncs += (unsigned int)add;
	if (!fs->syncs)
		pthread_cond_broadcast(&fs->syncs_done);
}

void fx_call_wait_synced(struct fx_fs *fs)
{
	FX_LOCKED(&fs->syncs_mutex);

	while (fs->syncs)
		pthread_cond_wait(&fs->syncs_done, &fs->syncs_mutex);
}

static void synced(void *ctx, int result)
{
	struct fx_call *call = ctx;
	struct fx_fs *fs = call->fs;

	if (result < 0)
		answer_error(call, result);
	else
		call->op->answer(call);
	call_clear(call);
	count_sync(fs, -1);
}

/* The answer comes from the engine's completion. Negative: it does not. */
static int answer_when_durable(struct fx_call *call)
{
	struct fx_call *copy = call_to_heap(call);
	struct fx_fs *fs = call->fs;
	int rc;

	if (!copy)
		return -ENOMEM;
	count_sync(fs, 1);
	rc = feox_sync_async(fs->store, copy->sync_key, copy->sync_key_size, synced, copy);
	if (rc < 0) {
		count_sync(fs, -1);
		if (copy != call)
			free(copy);
	}
	return rc;
}

static void done(struct fx_call *call, int rc);

static void invalidated(void *ctx)
{
	struct fx_call *call = ctx;

	call->invalidates = call->fenced = false;
	done(call, 0);
}

/* The answer, or what else it waits for, comes when the notifier is through. */
static int answer_when_invalidated(struct fx_call *call)
{
	struct fx_call *copy = call_to_heap(call);
	int rc;

	if (!copy)
		return -ENOMEM;
	rc = call->invalidates
		     ? fx_notify_inode(call->fs, call->node, call->pages, invalidated, copy)
		     : fx_notify_fence(call->fs, invalidated, copy);
	if (rc < 0 && copy != call)
		free(copy);
	return rc;
}

static void done(struct fx_call *call, int rc)
{
	bool invalidates = call->invalidates || call->fenced;

	if (rc == 0 && waits(call)) {
		rc = invalidates ? answer_when_invalidated(call) : answer_when_durable(call);
		if (rc == 0)
			return;
	}
	if (rc == 0)
		call->op->answer(call);
	else if (rc < 0)
		answer_error(call, rc);
	call_clear(call);
}

static void call_job(struct fx_job *job)
{
	struct fx_call *call = (struct fx_call *)((char *)job - offsetof(struct fx_call, job));

	done(call, attempt(call));
}

void fx_call_run(struct fx_call *call, const struct fx_op *op)
{
	struct fx_call *copy;
	int rc;

	call->op = op;
	rc = attempt(call);
	if (rc != -EAGAIN) {
		done(call, rc);
		return;
	}
	copy = call_to_heap(call);
	if (!copy) {
		done(call, -ENOMEM);
		return;
	}
	copy->nowait = 0;
	copy->job = (struct fx_job){.run = call_job};
	fx_worker_submit(call->fs->worker, &copy->job);
}

int fx_call_sync_key(struct fx_call *call, const struct fx_key *key)
{
	uint8_t *copy = malloc(key->size ? key->size : 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, key->data, key->size);
	free(call->sync_key);
	call->sync_key = copy;
	call->sync_key_size = key->size;
	call->durable = true;
	return 0;
}

void fx_answer_none(struct fx_call *call)
{
}

void fx_answer_ok(struct fx_call *call)
{
	fuse_reply_err(call->req, 0);
}

void fx_answer_entry(struct fx_call *call)
{
	/* Not delivered (interrupted): the kernel did not count the lookup. */
	if (fuse_reply_entry(call->req, &call->entry) < 0 && call->entry.ino)
		fx_node_forget(call->fs, fx_node_of(call->fs, call->entry.ino), 1);
}

void fx_answer_attr(struct fx_call *call)
{
	fuse_reply_attr(call->req, &call->attr, call->timeout);
}

void fx_answer_buffer(struct fx_call *call)
{
	const char *data = call->value.pin || call->value.data ? call->value.data : call->buffer;

	fuse_reply_buf(call->req, call->buffer_size ? data + call->value_offset : NULL,
		       call->buffer_size);
}

void fx_answer_write(struct fx_call *call)
{
	fuse_reply_write(call->req, call->size);
}
