/* SPDX-License-Identifier: Apache-2.0 */
/*
 * later.c - one queue of nodes, looked through by one job that runs while it is not empty.
 *
 * One round goes through the queue at a time (rename's, with names_lock held exclusively, comes
 * between two nodes of another and leaves it nothing to do): a second one would put back, marked
 * with a later round, what the first has not written yet.
 *
 * A node is queued at most once (later_linked) and the queue holds a reference. Whoever looks
 * through the queue takes one node at a time under names_lock (so that who holds that lock
 * exclusively finds them all in the queue), writes what is due and puts the node back at the end,
 * marked with its round, when something is left; a marked head ends the round. That a node has
 * nothing to write any more (its last writer has closed it) is the usual case, and cheap.
 */
#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"
#include "later.h"
#include "lookup.h"
#include "stage.h"
#include "worker.h"

#define FX_PUBLISH_INTERVAL_NS ((uint64_t)5000000000)  /* default of publish_interval */
#define FX_PUBLISH_MAX_NS      ((uint64_t)60000000000) /* after the first write, whatever follows */
#define FX_TOUCH_NS	       ((uint64_t)1000000000)  /* directory times wait this long */
#define FX_TICK_MIN_NS	       ((uint64_t)10000000)

struct fx_later {
	struct fx_fs *fs;
	struct fx_job job;
	pthread_mutex_t rounds; /* held outside every other lock while a round goes on */
	pthread_mutex_t mutex;	/* guards all below and the nodes' fields said to be under it */
	struct fx_node *head, *tail; /* by later_next */
	uint64_t round;		     /* the latest one */
	unsigned int in_flight;	     /* nodes taken off and not done */
	bool armed, stopped;
};

static uint64_t publish_interval(const struct fx_fs *fs)
{
	uint64_t ns = fs->options->publish_interval_ns;

	return ns ? ns : FX_PUBLISH_INTERVAL_NS;
}

/* later->mutex is held. */
static void arm(struct fx_later *later)
{
	uint64_t tick_ns = FX_MIN(publish_interval(later->fs), FX_TOUCH_NS) / 4;

	if (later->armed || later->stopped || !later->head)
		return;
	later->armed = true;
	fx_worker_submit_at(later->fs->worker, &later->job,
			    fx_monotonic() + FX_MAX(tick_ns, FX_TICK_MIN_NS));
}

/* later->mutex is held. True: queued now, with the reference that the caller has got. */
static bool push(struct fx_later *later, struct fx_node *node, uint64_t round)
{
	if (node->later_linked)
		return false;
	node->later_linked = true;
	node->later_round = round;
	node->later_next = NULL;
	if (later->head)
		later->tail->later_next = node;
	else
		later->head = node;
	later->tail = node;
	arm(later);
	return true;
}

void fx_later_add(struct fx_fs *fs, struct fx_node *node)
{
	struct fx_later *later = fs->later;
	bool linked;

	fx_node_ref(fs, node);
	pthread_mutex_lock(&later->mutex);
	linked = push(later, node, 0);
	pthread_mutex_unlock(&later->mutex);
	if (!linked)
		fx_node_unref(fs, node);
}

void fx_later_touch(struct fx_fs *fs, struct fx_node *directory)
{
	struct timespec now = fx_now();

	pthread_mutex_lock(&fs->later->mutex);
	directory->touched = true;
	directory->touch_time = now;
	pthread_mutex_unlock(&fs->later->mutex);
	if (directory->kind == FX_NODE_DIRECTORY) /* others have no marker to write to */
		fx_later_add(fs, directory);
}

bool fx_later_touched(struct fx_fs *fs, struct fx_node *directory, struct timespec *ret_time)
{
	FX_LOCKED(&fs->later->mutex);

	if (directory->touched)
		*ret_time = directory->touch_time;
	return directory->touched;
}

void fx_later_untouch(struct fx_fs *fs, struct fx_node *directory)
{
	FX_LOCKED(&fs->later->mutex);

	directory->touched = false;
}

bool fx_later_pending(struct fx_fs *fs)
{
	FX_LOCKED(&fs->later->mutex);

	return fs->later->head || fs->later->in_flight;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* The times of a directory into its marker; without one they are lost (it must not come back). */
static int write_times(struct fx_fs *fs, struct fx_node *node)
{
	struct feox_write_options options = {.flags = FEOX_REPLACE};
	FX_AUTO_META struct fx_meta meta = {.blob = NULL};
	FX_AUTO_BLOB struct fx_blob blob = {.data = NULL};
	struct timespec touched;
	struct fx_key key;
	int rc;

	if (!fx_later_touched(fs, node, &touched))
		return 0;
	rc = fx_node_key(fs, node, &key);
	if (rc == 0)
		rc = fx_meta_load(fs->store, key.data, key.size, &meta);
	if (rc == 0) {
		fx_attr_set_times(&meta.attr, touched, touched);
		rc = fx_blob_make(&meta.attr, &blob);
	}
	if (rc == 0)
		rc = feox_set_metadata(fs->store, key.data, key.size, blob.data, blob.size,
				       &options);
	pthread_mutex_lock(&fs->later->mutex);
	if (!fx_time_after(node->touch_time, touched))
		node->touched = false;
	pthread_mutex_unlock(&fs->later->mutex);
	return rc == -ENOENT || rc == -ESTALE ? 0 : rc;
}

static bool stage_is_due(const struct fx_fs *fs, const struct fx_stage *stage)
{
	uint64_t now_ns = fx_monotonic();

	return now_ns - stage->last_ns >= publish_interval(fs) ||
	       now_ns - stage->first_ns >= FX_PUBLISH_MAX_NS;
}

static bool touch_is_due(struct fx_fs *fs, struct fx_node *node)
{
	struct timespec now = fx_now(), touched;

	if (!fx_later_touched(fs, node, &touched))
		return false;
	touched.tv_sec += (time_t)(FX_TOUCH_NS / 1000000000u);
	return !fx_time_after(touched, now);
}

/* Write what is due, or all. *ret_again: something is left. */
static int write_node(struct fx_fs *fs, struct fx_node *node, bool all, bool *ret_again)
{
	struct timespec touched;
	int rc = 0;

	if (fx_node_is_directory(node)) {
		if (all || touch_is_due(fs, node))
			rc = write_times(fs, node);
		*ret_again = fx_later_touched(fs, node, &touched);
	} else {
		if (node->stage && (all || stage_is_due(fs, node->stage)))
			rc = fx_stage_settle(fs, node, 0);
		*ret_again = node->stage && node->stage->dirty && !fx_node_is_detached(node);
		if (rc < 0 && *ret_again) /* try again, but not at once */
			node->stage->last_ns = fx_monotonic();
	}
	return rc;
}

static struct fx_node *pop(struct fx_later *later, uint64_t round)
{
	FX_LOCKED(&later->mutex);
	struct fx_node *node = later->head;

	if (!node || node->later_round >= round)
		return NULL;
	later->head = node->later_next;
	node->later_linked = false;
	later->in_flight++;
	return node;
}

static void done(struct fx_later *later, struct fx_node *node, uint64_t round, bool again)
{
	bool linked;

	pthread_mutex_lock(&later->mutex);
	linked = again && push(later, node, round);
	later->in_flight--;
	pthread_mutex_unlock(&later->mutex);
	if (!linked)
		fx_node_unref(later->fs, node);
}

/* Write one node; names_lock is held. False: the round is over. */
static bool write_next(struct fx_fs *fs, uint64_t round, bool all, int *rc)
{
	struct fx_node *node = pop(fs->later, round);
	bool again;

	if (!node)
		return false;
	pthread_mutex_lock(&node->mutex);
	*rc = write_node(fs, node, all, &again);
	pthread_mutex_unlock(&node->mutex);
	done(fs->later, node, round, again);
	return true;
}

/* Look through the whole queue once. The first error. later->rounds is held, or locked. */
static int write_round(struct fx_fs *fs, bool all, bool locked)
{
	uint64_t round;
	int first = 0, rc = 0;
	bool more;

	pthread_mutex_lock(&fs->later->mutex);
	round = ++fs->later->round;
	pthread_mutex_unlock(&fs->later->mutex);
	do {
		if (!locked)
			pthread_rwlock_rdlock(&fs->names_lock);
		more = write_next(fs, round, all, &rc);
		if (!locked)
			pthread_rwlock_unlock(&fs->names_lock);
		if (rc < 0 && !first)
			first = rc;
	} while (more);
	return first;
}

static void later_run(struct fx_job *job)
{
	struct fx_later *later = (struct fx_later *)((char *)job - offsetof(struct fx_later, job));
	int rc = 0;

	if (pthread_mutex_trylock(&later->rounds) == 0) { /* else somebody writes it all anyway */
		rc = write_round(later->fs, false, false);
		pthread_mutex_unlock(&later->rounds);
	}
	if (rc < 0)
		fuse_log(FUSE_LOG_ERR, "feoxfs: writing to the store failed: error %d\n", -rc);
	pthread_mutex_lock(&later->mutex);
	later->armed = false;
	arm(later);
	pthread_mutex_unlock(&later->mutex);
}

int fx_later_publish_all(struct fx_fs *fs, bool locked)
{
	int rc;

	if (locked)
		return write_round(fs, true, true);
	pthread_mutex_lock(&fs->later->rounds);
	rc = write_round(fs, true, false);
	pthread_mutex_unlock(&fs->later->rounds);
	return rc;
}

int fx_later_create(struct fx_fs *fs, struct fx_later **ret_later)
{
	struct fx_later *later = calloc(1, sizeof(*later));

	if (!later)
		return -ENOMEM;
	later->fs = fs;
	later->job.run = later_run;
	pthread_mutex_init(&later->mutex, NULL);
	pthread_mutex_init(&later->rounds, NULL);
	*ret_later = later;
	return 0;
}

void fx_later_stop(struct fx_fs *fs)
{
	FX_LOCKED(&fs->later->mutex);

	fs->later->stopped = true;
}

void fx_later_destroy(struct fx_later *later)
{
	if (!later)
		return;
	pthread_mutex_destroy(&later->rounds);
	pthread_mutex_destroy(&later->mutex);
	free(later);
}
