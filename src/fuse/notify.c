/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c - see notify.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "notify.h"
#include "worker.h"

#define NS_PER_S	 1000000000
#define FX_DELETIONS_MAX 16384u /* that wait: some 6 MiB */

struct fx_notify {
	struct fx_worker *inodes, *entries; /* one thread each */
	pthread_mutex_t mutex;		    /* guards deletions */
	pthread_cond_t room;		    /* there is some for deletions */
	unsigned int deletions;		    /* queued */
};

struct notice {
	struct fx_job job;
	struct fx_fs *fs;
	struct fx_notify *notify; /* of fs, which forgets it while the last notices are sent */
	struct fx_node *node;	  /* a reference; of an entry: its directory */
	struct fx_node *child;	  /* a reference; of a deletion: what had the name */
	bool pages, expires;
	void (*done)(void *ctx);
	void *ctx;
	size_t name_size;
	char name[FX_NAME_MAX + 1];
};

int fx_notify_create(struct fx_fs *fs, struct fx_notify **ret_notify)
{
	struct fx_notify *notify = calloc(1, sizeof(*notify));
	int rc;

	if (!notify)
		return -ENOMEM;
	pthread_mutex_init(&notify->mutex, NULL);
	pthread_cond_init(&notify->room, NULL);
	rc = fx_worker_create(1, &notify->inodes);
	if (rc == 0)
		rc = fx_worker_create(1, &notify->entries);
	if (rc < 0) {
		fx_notify_destroy(notify);
		return rc;
	}
	*ret_notify = notify;
	return 0;
}

void fx_notify_destroy(struct fx_notify *notify)
{
	if (!notify)
		return;
	fx_worker_destroy(notify->inodes);
	fx_worker_destroy(notify->entries);
	pthread_cond_destroy(&notify->room);
	pthread_mutex_destroy(&notify->mutex);
	free(notify);
}

static struct notice *notice_of(struct fx_job *job)
{
	return (struct notice *)((char *)job - offsetof(struct notice, job));
}

static struct notice *notice_new(struct fx_fs *fs, struct fx_node *node,
				 void (*run)(struct fx_job *job))
{
	struct notice *notice = calloc(1, sizeof(*notice));

	if (!notice)
		return NULL;
	notice->job.run = run;
	notice->fs = fs;
	notice->notify = fs->notify;
	notice->node = node;
	fx_node_ref(fs, node);
	return notice;
}

static void inode_run(struct fx_job *job)
{
	struct notice *notice = notice_of(job);
	struct fx_fs *fs = notice->fs;

	/* An offset below 0 means attributes only. That the kernel does not know it is no error. */
	if (fs->session)
		fuse_lowlevel_notify_inval_inode(fs->session, fx_node_id(fs, notice->node),
						 notice->pages ? 0 : -1, 0);
	if (notice->done)
		notice->done(notice->ctx);
	fx_node_unref(fs, notice->node);
	free(notice);
}

int fx_notify_inode(struct fx_fs *fs, struct fx_node *node, bool pages, void (*done)(void *ctx),
		    void *ctx)
{
	struct notice *notice = notice_new(fs, node, inode_run);

	if (!notice)
		return -ENOMEM;
	notice->pages = pages;
	notice->done = done;
	notice->ctx = ctx;
	fx_worker_submit(fs->notify->inodes, &notice->job);
	return 0;
}

static void drop_entry(const struct notice *notice)
{
	struct fuse_session *session = notice->fs->session;
	fuse_ino_t parent = fx_node_id(notice->fs, notice->node);

	if (notice->expires &&
	    fuse_lowlevel_notify_expire_entry(session, parent, notice->name, notice->name_size,
					      FUSE_LL_EXPIRE_ONLY) != -ENOSYS)
		return;
	fuse_lowlevel_notify_inval_entry(session, parent, notice->name, notice->name_size);
}

static void entry_run(struct fx_job *job)
{
	struct notice *notice = notice_of(job);
	struct fx_fs *fs = notice->fs;

	if (fs->session)
		drop_entry(notice);
	fx_node_unref(fs, notice->node);
	free(notice);
}

static int notify_name(struct fx_fs *fs, struct fx_node *directory, const char *name,
		       size_t name_size, bool expires)
{
	struct notice *notice = notice_new(fs, directory, entry_run);

	if (!notice)
		return -ENOMEM;
	notice->expires = expires;
	notice->name_size = name_size;
	memcpy(notice->name, name, name_size);
	fx_worker_submit(fs->notify->entries, &notice->job);
	return 0;
}

int fx_notify_name(struct fx_fs *fs, struct fx_node *directory, const char *name, size_t name_size)
{
	return notify_name(fs, directory, name, name_size, false);
}

/* A rename may come in between: the name as it is now. */
int fx_notify_entry(struct fx_fs *fs, struct fx_node *node)
{
	return node->parent ? fx_notify_name(fs, node->parent, node->text, node->name_size) : 0;
}

int fx_notify_expire(struct fx_fs *fs, struct fx_node *node)
{
	return node->parent ? notify_name(fs, node->parent, node->text, node->name_size, true) : 0;
}

/* ---- Deletions ------------------------------------------------------------------------------- */

static void count_deletions(struct fx_notify *notify, int add)
{
	FX_LOCKED(&notify->mutex);

	notify->deletions += (unsigned int)add;
	if (notify->deletions < FX_DELETIONS_MAX)
		pthread_cond_signal(&notify->room);
}

/*
 * The kernel compares the number of what it knows by that name: what is new there stays. Attributes
 * are dropped before, so that those of an answer that is on its way do not give the file its link
 * back: it would not be told as deleted then.
 */
static void delete_entry(const struct notice *notice)
{
	struct fx_fs *fs = notice->fs;
	fuse_ino_t child = fx_node_id(fs, notice->child);

	fuse_lowlevel_notify_inval_inode(fs->session, child, -1, 0);
	fuse_lowlevel_notify_delete(fs->session, fx_node_id(fs, notice->node), child, notice->name,
				    notice->name_size);
}

static void deletion_run(struct fx_job *job)
{
	struct notice *notice = notice_of(job);
	struct fx_notify *notify = notice->notify;
	struct fx_fs *fs = notice->fs;

	if (fs->session)
		delete_entry(notice);
	fx_node_unref(fs, notice->child);
	fx_node_unref(fs, notice->node);
	free(notice);
	count_deletions(notify, -1);
}

int fx_notify_deleted(struct fx_fs *fs, struct fx_node *node)
{
	struct notice *notice = notice_new(fs, node->parent, deletion_run);

	if (!notice)
		return -ENOMEM;
	notice->child = node;
	fx_node_ref(fs, node);
	notice->name_size = node->name_size;
	memcpy(notice->name, node->text, node->name_size);
	count_deletions(fs->notify, 1);
	fx_worker_submit(fs->notify->entries, &notice->job);
	return 0;
}

bool fx_notify_has_room(struct fx_fs *fs, uint64_t wait_ns)
{
	struct fx_notify *notify = fs->notify;
	FX_LOCKED(&notify->mutex);
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (long)wait_ns;
	if (until.tv_nsec >= NS_PER_S) {
		until.tv_nsec -= NS_PER_S;
		until.tv_sec++;
	}
	while (notify->deletions >= FX_DELETIONS_MAX && wait_ns && !err)
		err = pthread_cond_timedwait(&notify->room, &notify->mutex, &until);
	return notify->deletions < FX_DELETIONS_MAX;
}

/* ---- Fences ---------------------------------------------------------------------------------- */

/* Goes through the queue of inodes, then through that of entries; the timer is the other way out.
 */
struct fence {
	struct fx_job job, timer;
	struct fx_fs *fs;
	struct fx_worker *entries;
	void (*done)(void *ctx);
	void *ctx;
	_Atomic bool called;	    /* whoever sets it calls done; it guards nothing else */
	_Atomic unsigned int users; /* job and timer; who makes it 0 frees */
};

static void fence_pass(struct fence *fence)
{
	if (!atomic_exchange(&fence->called, true))
		fence->done(fence->ctx);
}

static void fence_unref(struct fence *fence)
{
	if (atomic_fetch_sub(&fence->users, 1) == 1)
		free(fence);
}

static void fence_expired(struct fx_job *job)
{
	struct fence *fence = (struct fence *)((char *)job - offsetof(struct fence, timer));

	fence_pass(fence);
	fence_unref(fence);
}

static void fence_passed(struct fx_job *job)
{
	struct fence *fence = (struct fence *)((char *)job - offsetof(struct fence, job));

	fence_pass(fence);
	if (fx_worker_cancel(fence->fs->worker, &fence->timer))
		fence_unref(fence);
	fence_unref(fence);
}

static void fence_between(struct fx_job *job)
{
	struct fence *fence = (struct fence *)((char *)job - offsetof(struct fence, job));

	job->run = fence_passed;
	fx_worker_submit(fence->entries, job);
}

int fx_notify_fence(struct fx_fs *fs, void (*done)(void *ctx), void *ctx)
{
	struct fence *fence = calloc(1, sizeof(*fence));
	struct timespec now;

	if (!fence)
		return -ENOMEM;
	fence->fs = fs;
	fence->entries = fs->notify->entries;
	fence->done = done;
	fence->ctx = ctx;
	fence->users = 2;
	fence->job.run = fence_between;
	fence->timer.run = fence_expired;
	clock_gettime(CLOCK_MONOTONIC, &now);
	fx_worker_submit_at(fs->worker, &fence->timer,
			    (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec +
				    FX_NOTIFY_WAIT_NS);
	fx_worker_submit(fs->notify->inodes, &fence->job);
	return 0;
}
