/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expiring.c - see expiring.h.
 *
 * A file has one timer at most. When its expiry is moved forward the timer is moved; when it is put
 * off the timer finds that, and is set again. A timer keeps the node, and is freed by itself.
 */
#include "expiring.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "call.h"
#include "cleanup.h"
#include "known.h"
#include "worker.h"

struct fx_expiring {
	struct fx_job job;
	struct fx_fs *fs;
	struct fx_node *node; /* a reference */
};

static void submit(struct fx_expiring *timer, uint64_t expiry_ns)
{
	uint64_t now_ns = feox_now(timer->fs->store);
	uint64_t left_ns = expiry_ns > now_ns ? expiry_ns - now_ns : 0;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	fx_worker_submit_at(timer->fs->worker, &timer->job,
			    (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + left_ns);
}

static void timer_free(struct fx_expiring *timer)
{
	fx_node_unref(timer->fs, timer->node);
	atomic_fetch_sub_explicit(&timer->fs->expiring, 1, memory_order_relaxed);
	free(timer);
}

/* When the key expires now; 0: it does not, or it has. The node's mutex and names_lock are held. */
static uint64_t look(struct fx_fs *fs, struct fx_node *node)
{
	struct feox_stat stat;
	struct fx_key key;
	int rc = fx_node_key(fs, node, &key);

	if (rc == 0)
		rc = feox_stat(fs->store, key.data, key.size, NULL, 0, &stat);
	if (rc == 0)
		return stat.expiry_ns;
	if (rc == -ENOENT && !node->marker)
		fx_known_lost(fs, node);
	return 0;
}

static void timer_run(struct fx_job *job)
{
	struct fx_expiring *timer = (struct fx_expiring *)job;
	struct fx_node *node = timer->node;
	struct fx_fs *fs = timer->fs;
	uint64_t expiry_ns;

	fx_names_lock(fs, FX_NAMES_SHARED, 0);
	pthread_mutex_lock(&node->mutex);
	expiry_ns = fs->ending ? 0 : look(fs, node);
	if (expiry_ns)
		submit(timer, expiry_ns);
	else
		node->expiring = NULL;
	pthread_mutex_unlock(&node->mutex);
	fx_names_unlock(fs);
	if (!expiry_ns)
		timer_free(timer);
}

static struct fx_expiring *timer_new(struct fx_fs *fs, struct fx_node *node)
{
	struct fx_expiring *timer;

	if (atomic_load_explicit(&fs->expiring, memory_order_relaxed) >= FX_EXPIRING_MAX)
		return NULL;
	timer = calloc(1, sizeof(*timer));
	if (!timer)
		return NULL;
	atomic_fetch_add_explicit(&fs->expiring, 1, memory_order_relaxed);
	timer->job.run = timer_run;
	timer->fs = fs;
	timer->node = node;
	fx_node_ref(fs, node);
	return timer;
}

bool fx_expiring_add(struct fx_fs *fs, struct fx_node *node, uint64_t expiry_ns)
{
	struct fx_expiring *timer = node->expiring;

	if (timer && !fx_worker_cancel(fs->worker, &timer->job))
		return true; /* it is about to look */
	if (!timer)
		timer = timer_new(fs, node);
	if (!timer)
		return false;
	node->expiring = timer;
	submit(timer, expiry_ns);
	return true;
}
