/* SPDX-License-Identifier: Apache-2.0 */
/* crash_run.c - the workload; crash_judge.c judges what is left of it. */
#include "crash_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 100000u
#define NO_KEY	  CRASH_KEYS

void crash_run_begin(struct crash_run *run, uint64_t seed, const struct crash_plan *plan,
		     const uint8_t *image, uint64_t size, uint64_t max_size)
{
	*run = (struct crash_run){
		.seed = seed, .random = seed, .plan = *plan, .max_size = max_size};
	crash_model_init(&run->model);
	run->medium = recorder_new(image, size, max_size);
	for (unsigned int i = 0; i < 2; i++)
		run->scratch[i] = recorder_new(NULL, 0, max_size);
	atomic_store(&recorder_seed, seed << 20);
	recorder_start(run->medium);
	run->medium->random = seed + 1;
}

void crash_run_end(struct crash_run *run)
{
	recorder_free(run->medium);
	for (unsigned int i = 0; i < 2; i++)
		recorder_free(run->scratch[i]);
	crash_model_free(&run->model);
}

int crash_run_open(struct crash_run *run)
{
	struct feox_options options = crash_options(&run->model);
	struct feox_diag diag = {""};
	int err;

	options.max_size_bytes = run->max_size;
	recorder_medium = run->medium;
	atomic_store(&run->medium->begun, run->model.count);
	err = feox_open(&options, &run->store, &diag);
	if (err && !run->quiet)
		printf("seed %llu: cannot open: %s (%s)\n", (unsigned long long)run->seed,
		       strerror(-err), diag.text);
	if (err)
		return err;
	atomic_store(&run->medium->acknowledged, run->model.count);
	atomic_store(&run->medium->told, run->model.count);
	return 0;
}

int crash_run_close(struct crash_run *run)
{
	int err = feox_close(run->store);

	run->store = NULL;
	if (!err)
		atomic_store(&run->medium->acknowledged, run->model.count);
	return err;
}

/* ---- Choosing ---------------------------------------------------------------------------------
 */

static unsigned int pick(struct crash_run *run, bool live)
{
	const struct crash_state *now = crash_model_last(&run->model);
	unsigned int suitable[CRASH_KEYS], count = 0;

	/* Most faults show on one key. */
	if (now->keys[run->last].live == live && recorder_random(&run->random, 2))
		return run->last;
	for (unsigned int i = 0; i < CRASH_KEYS; i++)
		if (now->keys[i].live == live)
			suitable[count++] = i;
	return count ? suitable[recorder_random(&run->random, count)] : NO_KEY;
}

static size_t pick_size(struct crash_run *run)
{
	if (run->value_size)
		return run->value_size;
	switch (recorder_random(&run->random, 16)) {
	case 0:
		return recorder_random(&run->random, VALUE_MAX);
	case 1:
	case 2:
	case 3:
		return recorder_random(&run->random, 9000);
	case 4:
		return 0;
	default:
		return recorder_random(&run->random, 200);
	}
}

static void new_value(struct crash_run *run, struct crash_key *key)
{
	*key = (struct crash_key){
		.live = true,
		.seed = (uint32_t)recorder_random(&run->random, UINT32_MAX),
		.size = pick_size(run),
		.metadata = recorder_random(&run->random, 4) == 0,
		.expiry_ns = recorder_random(&run->random, 8) ? 0 : CRASH_NOW + CRASH_EXPIRE,
	};
}

static struct feox_write_options write_options(const struct crash_key *key)
{
	return (struct feox_write_options){
		.expiry_ns = key->expiry_ns,
		.metadata = key->metadata ? &key->seed : NULL,
		.metadata_size = key->metadata ? sizeof(key->seed) : 0,
	};
}

/* ---- The operations: each changes next and does the same to the store -------------------------
 */

static int put(struct crash_run *run, struct crash_state *next, unsigned int k,
	       struct feox_batch *batch)
{
	struct crash_key *key = &next->keys[k];
	const char *name = crash_key_name(k);
	struct feox_write_options options;
	uint8_t *bytes;
	int err;

	new_value(run, key);
	options = write_options(key);
	bytes = malloc(key->size + 1);
	if (!bytes)
		abort();
	crash_fill(bytes, key->size, key->seed);
	err = batch ? feox_batch_put(batch, name, strlen(name), bytes, key->size, &options)
		    : feox_put(run->store, name, strlen(name), bytes, key->size, &options, NULL);
	free(bytes);
	return err;
}

static int delete_key(struct crash_run *run, struct crash_state *next, unsigned int k,
		      struct feox_batch *batch)
{
	const char *name = crash_key_name(k);

	next->keys[k] = (struct crash_key){.live = false};
	return batch ? feox_batch_delete(batch, name, strlen(name), NULL)
		     : feox_delete(run->store, name, strlen(name), NULL);
}

static int set_ttl(struct crash_run *run, struct crash_state *next, unsigned int k)
{
	const char *name = crash_key_name(k);
	struct crash_key *key = &next->keys[k];

	key->expiry_ns = CRASH_NOW + CRASH_TTL + recorder_random(&run->random, 1000);
	return feox_set_expiry(run->store, name, strlen(name), key->expiry_ns, NULL);
}

static int set_metadata(struct crash_run *run, struct crash_state *next, unsigned int k)
{
	const char *name = crash_key_name(k);
	struct crash_key *key = &next->keys[k];

	key->metadata = !key->metadata;
	return feox_set_metadata(run->store, name, strlen(name), &key->seed,
				 key->metadata ? sizeof(key->seed) : 0, NULL);
}

static int rename_key(struct crash_run *run, struct crash_state *next, unsigned int from,
		      bool exchange)
{
	struct feox_rename_options options = {.flags = exchange ? FEOX_RENAME_EXCHANGE : 0};
	unsigned int to = exchange ? pick(run, true)
				   : (unsigned int)recorder_random(&run->random, CRASH_KEYS);
	struct crash_key moved = next->keys[from];

	if (to == from)
		return -ENOENT;
	next->keys[from] = exchange ? next->keys[to] : (struct crash_key){.live = false};
	next->keys[to] = moved;
	run->last = to;
	return feox_rename(run->store, crash_key_name(from), 3, crash_key_name(to), 3, &options);
}

/* d/ becomes e/, or the other way round; what was there is gone. */
static int rename_prefix(struct crash_run *run, struct crash_state *next)
{
	bool down = recorder_random(&run->random, 2);
	unsigned int from = down ? 4 : 0, to = down ? 0 : 4;

	for (unsigned int i = 0; i < 4; i++) {
		next->keys[to + i] = next->keys[from + i];
		next->keys[from + i] = (struct crash_key){.live = false};
	}
	return feox_rename_prefix(run->store, down ? "e/" : "d/", 2, down ? "d/" : "e/", 2, NULL,
				  NULL, NULL);
}

static int do_batch(struct crash_run *run, struct crash_state *next)
{
	const struct crash_state before = *next;
	bool used[CRASH_KEYS] = {false};
	struct feox_batch *batch;
	int err = feox_batch_create(run->store, &batch);

	for (unsigned int i = 0; i < 4 && !err; i++) {
		unsigned int k = (unsigned int)recorder_random(&run->random, CRASH_KEYS);

		if (used[k])
			continue;
		used[k] = true;
		err = before.keys[k].live && recorder_random(&run->random, 3) == 0
			      ? delete_key(run, next, k, batch)
			      : put(run, next, k, batch);
	}
	if (!err)
		err = feox_batch_commit(batch, 0, NULL);
	feox_batch_free(batch);
	return err;
}

static int change(struct crash_run *run, enum crash_op op, struct crash_state *next, unsigned int k)
{
	switch (op) {
	case CRASH_DELETE:
		return delete_key(run, next, k, NULL);
	case CRASH_EXPIRE:
		return set_ttl(run, next, k);
	case CRASH_METADATA:
		return set_metadata(run, next, k);
	case CRASH_RENAME:
		return rename_key(run, next, k, false);
	case CRASH_EXCHANGE:
		return rename_key(run, next, k, true);
	case CRASH_PREFIX:
		return rename_prefix(run, next);
	case CRASH_BATCH:
		return do_batch(run, next);
	default:
		return put(run, next, k, NULL);
	}
}

/* ---- Around them ------------------------------------------------------------------------------
 */

static int learn_versions(struct crash_run *run, struct crash_state *state)
{
	struct feox_stat stat;

	for (unsigned int i = 0; i < CRASH_KEYS; i++) {
		const char *name = crash_key_name(i);
		int err = feox_stat(run->store, name, strlen(name), NULL, 0, &stat);

		if (err == -ENOENT && !state->keys[i].live)
			continue;
		if (err || !state->keys[i].live) {
			printf("seed %llu: the store disagrees with the model about %s: %s\n",
			       (unsigned long long)run->seed, name, strerror(-err));
			return -EILSEQ;
		}
		state->keys[i].version = stat.version;
	}
	return 0;
}

static int sync_all(struct crash_run *run)
{
	uint64_t seen = run->model.count;
	int err = feox_sync(run->store);

	if (!err)
		atomic_store(&run->medium->acknowledged, seen);
	return err;
}

static bool same_key(const struct crash_key *a, const struct crash_key *b)
{
	return a->live == b->live && a->seed == b->seed && a->version == b->version &&
	       a->expiry_ns == b->expiry_ns && a->metadata == b->metadata;
}

/* What the sync of one key answers for: the cut that has its last change, and all before. */
static int sync_key(struct crash_run *run)
{
	unsigned int k = (unsigned int)recorder_random(&run->random, CRASH_KEYS);
	uint64_t number = run->model.count;
	int err = feox_sync_key(run->store, crash_key_name(k), 3);

	while (number > 1 && same_key(&run->model.states[number - 1].keys[k],
				      &run->model.states[number - 2].keys[k]))
		number--;
	if (!err && number > atomic_load(&run->medium->acknowledged))
		atomic_store(&run->medium->acknowledged, number);
	return err;
}

static int next_id(struct crash_run *run)
{
	/* A state of its own, so that it counts from now on only. */
	struct crash_state *state = crash_model_push(&run->model);
	uint64_t id;
	int err = feox_next_id(run->store, &id);

	atomic_store(&run->medium->begun, run->model.count);

	if (!err && id <= state->highest_id) {
		printf("seed %llu: number %llu twice\n", (unsigned long long)run->seed,
		       (unsigned long long)id);
		return -EILSEQ;
	}
	if (!err)
		state->highest_id = id;
	atomic_store(&run->medium->told, run->model.count);
	return err;
}

int crash_apply(struct crash_run *run, enum crash_op op)
{
	unsigned int k;
	struct crash_state *next;
	int err;

	if (op == CRASH_SYNC)
		return sync_all(run);
	if (op == CRASH_SYNC_KEY)
		return sync_key(run);
	if (op == CRASH_ID)
		return next_id(run);
	k = pick(run, op != CRASH_PUT);
	if (k == NO_KEY)
		return 0;
	run->last = k;
	next = crash_model_push(&run->model);
	atomic_store(&run->medium->begun, run->model.count);
	run->model.learning = next;
	err = change(run, op, next, k);
	run->model.learning = NULL;
	if (!err)
		err = learn_versions(run, next);
	if (!err) {
		atomic_store(&run->medium->told, run->model.count);
		return 0;
	}
	run->model.count--;
	atomic_store(&run->medium->begun, run->model.count);
	return err == -ENOSPC || err == -ENOENT ? 0 : err;
}

enum crash_op crash_choose(struct crash_run *run)
{
	static const enum crash_op more[] = {CRASH_PUT, CRASH_OVERWRITE, CRASH_OVERWRITE,
					     CRASH_BATCH, CRASH_SYNC};
	uint64_t dice = recorder_random(&run->random, CRASH_OPS + 5);

	return dice < CRASH_OPS ? (enum crash_op)dice : more[dice - CRASH_OPS];
}
