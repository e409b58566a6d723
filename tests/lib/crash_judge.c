/* SPDX-License-Identifier: Apache-2.0 */
/* crash_judge.c - the states of a run, opened and compared with the model. */
#include "crash_run.h"

#include "journal_chain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One state. */
struct state {
	struct recorder_walk *walk;
	unsigned int level; /* 0: of the workload; 1: of the recovery from one of those */
	enum recorder_mode mode;
	uint64_t size;
	uint64_t acknowledged, begun, told;
};

enum look { LOOK_READ_ONLY, LOOK_NUMBERS, LOOK_NESTED };

static const char *mode_name(enum recorder_mode mode)
{
	static const char *const names[RECORDER_MODES] = {
		"nothing unsynced", "all",	   "a prefix",	  "all but one write",
		"one write",	    "some writes", "torn writes", "torn writes and garbage"};

	return names[mode];
}

static int failed(struct crash_run *run, const struct state *s, const char *what, const char *why)
{
	printf("FAILED seed %llu, level %u, after event %zu of %zu, %s (%zu unsynced), states %llu "
	       "to %llu: %s%s\n",
	       (unsigned long long)run->seed, s->level, s->walk->at, s->walk->recorder->event_count,
	       mode_name(s->mode), s->walk->open_count, (unsigned long long)s->acknowledged,
	       (unsigned long long)s->begun, what, why);
	fflush(stdout);
	return -1;
}

static void keep_image(const struct crash_run *run, const struct state *s, const uint8_t *image)
{
	char path[512];
	FILE *file;

	if (!run->plan.keep)
		return;
	snprintf(path, sizeof(path), "%s/crash-%llu-%u-%zu-%d.img", run->plan.keep,
		 (unsigned long long)run->seed, s->level, s->walk->at, (int)s->mode);
	file = fopen(path, "w");
	if (!file)
		return;
	fwrite(image, 1, s->size, file);
	fclose(file);
	printf("kept as %s\n", path);
}

static bool mark_run(uint8_t *map, uint64_t blocks, struct fx_run run)
{
	for (uint64_t b = run.start; b < run.start + run.blocks; b++)
		if (b >= blocks || map[b]++)
			return false;
	return true;
}

/* Free, live and journal blocks are all there are, and none has two owners. */
const char *crash_check_tiling(struct feox_store *store)
{
	const struct fx_chain *chain = store->chain;
	uint64_t blocks = store->super.blocks, taken = FX_DATA_START;
	uint8_t *map = calloc(1, blocks);
	struct fx_extent *extent;
	uint32_t cursor = 0;
	bool good = map;

	for (size_t i = 0; good && i < chain->run_count; i++)
		good = mark_run(map, blocks, chain->runs[i]);
	if (good && chain->spare.blocks)
		good = mark_run(map, blocks, chain->spare);
	while (good && (extent = fx_extent_table_next(store->extents, &cursor)))
		for (uint32_t i = 0; good && i < extent->run_count; i++)
			good = mark_run(map, blocks, extent->runs[i]);
	for (uint64_t b = FX_DATA_START; good && b < blocks; b++)
		taken += map[b];
	good = good && !map[0] && !map[1] && taken + fx_space_free_blocks(store->space) == blocks;
	free(map);
	return good ? NULL : "I3: free, live and journal blocks do not tile the store";
}

/* base: the state whose recovery was recorded, and it was found to be state begun; or NULL. */
static int walk_states(struct crash_run *run, struct recorder *recorder, const struct state *base);

/* What is there, in an open store. The state's number, or 0. */
static size_t look(struct crash_run *run, const struct state *s, struct feox_store *store,
		   enum look look)
{
	const char *why = NULL;
	size_t number = crash_model_find(&run->model, store, s->acknowledged, s->begun, &why);

	if (!number) {
		failed(run, s, "", why);
		return 0;
	}
	if (look != LOOK_READ_ONLY)
		why = crash_check_tiling(store);
	else
		why = NULL;
	if (!why && look == LOOK_NUMBERS && s->acknowledged)
		why = crash_model_check_numbers(&run->model, store, s->told);
	if (!why)
		return number;
	failed(run, s, why, "");
	return 0;
}

static int judge(struct crash_run *run, const struct state *s, enum look how)
{
	struct recorder *scratch = run->scratch[s->level];
	struct feox_options options = crash_options(&run->model);
	struct feox_store *store;
	struct feox_diag diag = {""};
	struct state found = *s;
	size_t number;
	int err;

	options.max_size_bytes = run->max_size;
	if (how == LOOK_READ_ONLY)
		options.flags = FEOX_OPEN_READ_ONLY;
	recorder_medium = scratch;
	if (how == LOOK_NESTED)
		recorder_start(scratch);
	err = feox_open(&options, &store, &diag);
	if (err)
		return failed(run, s, "cannot be opened: ", diag.text);
	number = look(run, s, store, how);
	err = feox_close(store);
	if (!number)
		return -1;
	if (err)
		return failed(run, s, "cannot be closed: ", strerror(-err));
	if (how != LOOK_NESTED)
		return 0;
	/* The next recovery has no choice any more. */
	found.begun = number;
	found.acknowledged = s->acknowledged ? number : 0;
	return walk_states(run, scratch, &found);
}

static enum look choose(struct crash_run *run, const struct state *s, uint64_t *random)
{
	uint64_t dice = recorder_random(random, 100);

	if (s->level == 0 && dice < run->plan.nested_percent)
		return LOOK_NESTED;
	/* What was perhaps never made cannot be opened read-only. */
	return !s->acknowledged || dice % 3 == 0 ? LOOK_NUMBERS : LOOK_READ_ONLY;
}

static int try_state(struct crash_run *run, struct state *s)
{
	uint64_t random = run->seed * 31 + s->walk->at * RECORDER_MODES + s->mode;
	struct recorder *scratch = run->scratch[s->level];
	uint8_t *image;
	int err;

	image = malloc(run->max_size);
	if (!image)
		abort();
	s->size = recorder_state(s->walk, s->mode, &random, image);
	recorder_load(scratch, image, s->size);
	/* Later, when some keys have expired; or at once. Versions must do without the clock. */
	if (!s->level)
		atomic_store(&run->model.now,
			     CRASH_NOW + (recorder_random(&random, 3) ? 0 : 2 * CRASH_TTL));
	err = judge(run, s, choose(run, s, &random));
	if (err)
		keep_image(run, s, image);
	free(image);
	if (s->level)
		run->nested++;
	run->states++;
	return err;
}

/*
 * The mark of a store in the making is safe because it stands in one sector: garbage in it cannot
 * be told from somebody else's data, and is refused (docs/format.md).
 */
static bool makes_mark(const struct recorder_walk *walk)
{
	return !walk->durable[0] && !fx_mark_is_valid(walk->durable + FX_MARK_BLOCK * FX_BLOCK);
}

/* Is there more to see here than at the last place? Then a state of each mode that differs. */
static int try_modes(struct crash_run *run, struct recorder_walk *walk, const struct state *base)
{
	const struct recorder_event *last = walk->at ? &walk->recorder->events[walk->at - 1] : NULL;
	unsigned int level = base ? base->level + 1 : 0;
	struct state s = base ? *base : (struct state){.level = 0};
	unsigned int percent = run->plan.percent;
	int err = 0;

	if (last && (last->kind == RECORDER_DONE || last->kind == RECORDER_SYNCING))
		return 0;
	if (level) /* some of each recovery */
		percent = percent / 8 + 1;
	else
		recorder_walk_seen(walk, &s.acknowledged, &s.begun, &s.told);
	s.walk = walk;
	s.level = level;
	for (unsigned int mode = 0; mode < RECORDER_MODES && !err; mode++) {
		uint64_t dice = run->seed * 7919 + walk->at * 101 + mode * 13 + level;

		if ((mode && !walk->open_count) || (mode == RECORDER_GARBAGE && makes_mark(walk)) ||
		    (walk->open_count < 2 && mode > RECORDER_ALL && mode < RECORDER_TORN) ||
		    recorder_random(&dice, 100) >= percent)
			continue;
		s.mode = (enum recorder_mode)mode;
		err = try_state(run, &s);
	}
	return err;
}

static int walk_states(struct crash_run *run, struct recorder *recorder, const struct state *base)
{
	struct recorder_walk walk;
	int err;

	recorder_walk_begin(&walk, recorder);
	do
		err = try_modes(run, &walk, base);
	while (!err && recorder_walk_step(&walk));
	recorder_walk_end(&walk);
	return err;
}

int crash_run_walk(struct crash_run *run)
{
	int err = walk_states(run, run->medium, NULL);

	atomic_store(&run->model.now, CRASH_NOW);
	recorder_medium = run->medium;
	return err;
}

int crash_run_check(struct crash_run *run)
{
	struct recorder_walk walk = {.recorder = run->medium, .at = run->medium->event_count};
	struct state s = {.walk = &walk, .mode = RECORDER_ALL, .size = run->medium->size};
	int err;

	recorder_walk_seen(&walk, &s.acknowledged, &s.begun, &s.told);
	recorder_load(run->scratch[0], run->medium->view, run->medium->size);
	err = judge(run, &s, LOOK_NUMBERS);
	if (err)
		keep_image(run, &s, run->medium->view);
	recorder_medium = run->medium;
	return err;
}
