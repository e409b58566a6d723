/* SPDX-License-Identifier: Apache-2.0 */
/* fs.c - what the handlers share, from mount to unmount, and the table of handlers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "call.h"
#include "cleanup.h"
#include "control.h"
#include "events.h"
#include "evicted.h"
#include "fs.h"
#include "later.h"
#include "node.h"
#include "notify.h"
#include "op.h"
#include "worker.h"

#define FX_POOL_THREADS 4u
#define FX_MAX_WRITE	((unsigned int)1 << 20) /* bytes in one WRITE; 256 pages, the most */

static void fs_free(struct fx_fs *fs)
{
	fx_evicted_destroy(fs->evicted);
	fx_notify_destroy(fs->notify);
	fx_later_destroy(fs->later);
	fx_ranges_destroy(fs, fs->ranges);
	fx_control_destroy(fs->control);
	fx_nodes_destroy(fs->nodes);
	pthread_cond_destroy(&fs->syncs_done);
	pthread_mutex_destroy(&fs->syncs_mutex);
	pthread_rwlock_destroy(&fs->names_lock);
	free(fs);
}

int fx_fs_create(struct feox_store *store, struct fx_events *events,
		 const struct fx_options *options, struct fx_fs **ret_fs)
{
	struct fx_fs *fs = calloc(1, sizeof(*fs));
	int rc;

	if (!fs)
		return -ENOMEM;
	fs->store = store;
	fs->options = options;
	fs->events = events;
	fs->rules = (struct fx_path_rules){.separator = feox_separator(store),
					   .prefix = (const uint8_t *)options->prefix,
					   .prefix_size = strlen(options->prefix)};
	fs->mounted_ns = feox_now(store);
	pthread_rwlock_init(&fs->names_lock, NULL);
	pthread_mutex_init(&fs->syncs_mutex, NULL);
	pthread_cond_init(&fs->syncs_done, NULL);
	rc = fx_nodes_create(fs, &fs->nodes);
	if (rc == 0)
		rc = fx_control_create(fs, &fs->control);
	if (rc == 0)
		rc = fx_ranges_create(&fs->ranges);
	if (rc == 0)
		rc = fx_later_create(fs, &fs->later);
	if (rc == 0)
		rc = fx_notify_create(fs, &fs->notify);
	if (rc == 0)
		rc = fx_evicted_create(fs, &fs->evicted);
	if (rc == 0)
		rc = fx_worker_create(FX_POOL_THREADS, &fs->worker);
	if (rc < 0) {
		fs_free(fs);
		return rc;
	}
	fx_events_start(events, fs);
	*ret_fs = fs;
	return 0;
}

/* Timers that are due from now on leave the kernel alone. */
static void stop_telling(struct fx_fs *fs)
{
	fx_events_stop(fs->events);
	pthread_rwlock_wrlock(&fs->names_lock);
	fs->ending = true;
	pthread_rwlock_unlock(&fs->names_lock);
}

void fx_fs_stop(struct fx_fs *fs)
{
	stop_telling(fs);
	fx_evicted_stop(fs->evicted);
	fx_later_stop(fs);
	fx_worker_drain(fs->worker);
	fx_call_wait_synced(fs);
}

/*
 * Notices may start syncs, and an answer that nobody took a job (of which no sync follows): in this
 * order nothing is left behind. Only then is nothing written to a stage any more.
 */
int fx_fs_destroy(struct fx_fs *fs)
{
	int rc;

	stop_telling(fs);
	fx_evicted_stop(fs->evicted);
	fx_later_stop(fs);
	fx_notify_destroy(FX_STEAL(fs->notify));
	fx_call_wait_synced(fs);
	fx_worker_destroy(fs->worker);
	fs->worker = NULL;
	fx_call_wait_synced(fs);
	rc = fx_later_publish_all(fs, false);
	fs_free(fs);
	return rc;
}

/* ---- The table ------------------------------------------------------------------------------- */

static void fs_init(void *userdata, struct fuse_conn_info *conn)
{
	/*
	 * The kernel caches until it is told otherwise: no revalidation by time. It clears set-id
	 * bits itself. Splicing and its write-back cache are slower here, and the latter would hold
	 * data that fsync on a directory could not reach.
	 */
	conn->want &= ~(unsigned int)(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_HANDLE_KILLPRIV |
				      FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				      FUSE_CAP_SPLICE_MOVE | FUSE_CAP_WRITEBACK_CACHE);
	conn->want |=
		conn->capable & (unsigned int)(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_READDIRPLUS |
					       FUSE_CAP_READDIRPLUS_AUTO);
	conn->max_write = FX_MAX_WRITE;
	conn->time_gran = 1;
}

const struct fuse_lowlevel_ops fx_fs_ops = {
	.init = fs_init,
	.lookup = fx_op_lookup,
	.forget = fx_op_forget,
	.forget_multi = fx_op_forget_multi,
	.getattr = fx_op_getattr,
	.setattr = fx_op_setattr,
	.statfs = fx_op_statfs,
	.readlink = fx_op_readlink,
	.mknod = fx_op_mknod,
	.mkdir = fx_op_mkdir,
	.symlink = fx_op_symlink,
	.link = fx_op_link,
	.unlink = fx_op_unlink,
	.rmdir = fx_op_rmdir,
	.rename = fx_op_rename,
	.create = fx_op_create,
	.open = fx_op_open,
	.read = fx_op_read,
	.write = fx_op_write,
	.fsync = fx_op_fsync,
	.poll = fx_op_poll,
	.fallocate = fx_op_fallocate,
	.lseek = fx_op_lseek,
	.release = fx_op_release,
	.opendir = fx_op_opendir,
	.readdir = fx_op_readdir,
	.readdirplus = fx_op_readdirplus,
	.releasedir = fx_op_releasedir,
	.fsyncdir = fx_op_fsyncdir,
	.getxattr = fx_op_getxattr,
	.listxattr = fx_op_listxattr,
	.setxattr = fx_op_setxattr,
	.removexattr = fx_op_removexattr,
};
