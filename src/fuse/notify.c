/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c - see notify.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "notify.h"
#include "worker.h"

struct fx_notify {
	struct fx_worker *inodes, *entries; /* one thread each */
};

struct notice {
	struct fx_job job;
	struct fx_fs *fs;
	struct fx_node *node;	/* a reference */
	struct fx_node *parent; /* of an entry: a reference */
	bool pages;
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

static void entry_run(struct fx_job *job)
{
	struct notice *notice = notice_of(job);
	struct fx_fs *fs = notice->fs;

	if (fs->session)
		fuse_lowlevel_notify_inval_entry(fs->session, fx_node_id(fs, notice->parent),
						 notice->name, notice->name_size);
	fx_node_unref(fs, notice->parent);
	fx_node_unref(fs, notice->node);
	free(notice);
}

int fx_notify_entry(struct fx_fs *fs, struct fx_node *node)
{
	struct notice *notice;

	if (!node->parent)
		return 0;
	notice = notice_new(fs, node, entry_run);
	if (!notice)
		return -ENOMEM;
	/* A rename may come in between: the name as it is now, with a reference of its own. */
	notice->parent = node->parent;
	fx_node_ref(fs, notice->parent);
	notice->name_size = node->name_size;
	memcpy(notice->name, node->text, node->name_size);
	fx_worker_submit(fs->notify->entries, &notice->job);
	return 0;
}
