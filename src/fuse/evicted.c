/* SPDX-License-Identifier: Apache-2.0 */
/* evicted.c - see evicted.h. */
#include "evicted.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "kv_target.h"
#include "notify.h"
#include "worker.h"

#define TOLD_AT_ONCE 32u /* keys; other handlers wait for names_lock meanwhile */

struct key {
	struct key *next;
	size_t size;
	uint8_t bytes[];
};

struct fx_evicted {
	struct fx_job job; /* while queued */
	struct fx_fs *fs;
	pthread_mutex_t mutex; /* guards all below */
	struct key *first, *last;
	size_t count;
	bool queued, stopped;
};

/* ---- Telling, in the pool -------------------------------------------------------------------- */

/* The first keys, NULL: there are none, and the job is over. */
static struct key *take(struct fx_evicted *evicted)
{
	struct key *first = NULL, *last = NULL;

	pthread_mutex_lock(&evicted->mutex);
	if (!evicted->stopped)
		first = evicted->first;
	evicted->queued = first;
	for (unsigned int i = 0; i < TOLD_AT_ONCE && evicted->first && first; i++) {
		last = evicted->first;
		evicted->first = last->next;
		evicted->count--;
	}
	if (last)
		last->next = NULL;
	pthread_mutex_unlock(&evicted->mutex);
	return first;
}

/* names_lock is held exclusively. That a notice found no memory is nobody's to answer for. */
static void tell(struct fx_fs *fs, const struct key *key)
{
	struct fx_kv_target target;

	/* Its file, if there is one, loses its name; unless the key has been made again. */
	if (fx_kv_target_begin(fs, key->bytes, key->size, 0, &target) == 0 && !target.existed)
		fx_known_gone(fs, &target.known);
	fx_kv_target_clear(&target);
}

static void evicted_run(struct fx_job *job)
{
	struct fx_evicted *evicted = (struct fx_evicted *)job;
	struct fx_fs *fs = evicted->fs;
	struct key *first;

	while ((first = take(evicted))) {
		fx_notify_has_room(fs, FX_NOTIFY_WAIT_NS);
		fx_names_lock(fs, FX_NAMES_EXCLUSIVE, 0);
		while (first) {
			struct key *next = first->next;

			if (!fs->ending)
				tell(fs, first);
			free(first);
			first = next;
		}
		fx_names_unlock(fs);
	}
}

/* ---- Noting ---------------------------------------------------------------------------------- */

static bool is_mounted(const struct fx_path_rules *rules, const void *key, size_t key_size)
{
	return key_size >= rules->prefix_size &&
	       (!rules->prefix_size || memcmp(key, rules->prefix, rules->prefix_size) == 0);
}

static struct key *key_new(const void *bytes, size_t size)
{
	struct key *key = malloc(sizeof(*key) + size);

	if (!key)
		return NULL;
	key->next = NULL;
	key->size = size;
	memcpy(key->bytes, bytes, size);
	return key;
}

void fx_evicted_note(struct fx_evicted *evicted, const void *key, size_t key_size)
{
	struct key *copy;

	if (!is_mounted(&evicted->fs->rules, key, key_size))
		return;
	copy = key_new(key, key_size);
	pthread_mutex_lock(&evicted->mutex);
	if (copy && !evicted->stopped && evicted->count < FX_EVICTED_MAX) {
		if (evicted->first)
			evicted->last->next = copy;
		else
			evicted->first = copy;
		evicted->last = copy;
		evicted->count++;
		copy = NULL;
		if (!evicted->queued)
			fx_worker_submit(evicted->fs->worker, &evicted->job);
		evicted->queued = true;
	}
	pthread_mutex_unlock(&evicted->mutex);
	free(copy);
}

/* ---- Life ------------------------------------------------------------------------------------ */

int fx_evicted_create(struct fx_fs *fs, struct fx_evicted **ret_evicted)
{
	struct fx_evicted *evicted = calloc(1, sizeof(*evicted));

	if (!evicted)
		return -ENOMEM;
	evicted->job.run = evicted_run;
	evicted->fs = fs;
	pthread_mutex_init(&evicted->mutex, NULL);
	*ret_evicted = evicted;
	return 0;
}

void fx_evicted_stop(struct fx_evicted *evicted)
{
	pthread_mutex_lock(&evicted->mutex);
	evicted->stopped = true;
	pthread_mutex_unlock(&evicted->mutex);
}

void fx_evicted_destroy(struct fx_evicted *evicted)
{
	if (!evicted)
		return;
	while (evicted->first) {
		struct key *next = evicted->first->next;

		free(evicted->first);
		evicted->first = next;
	}
	pthread_mutex_destroy(&evicted->mutex);
	free(evicted);
}
