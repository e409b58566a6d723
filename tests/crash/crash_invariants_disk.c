/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash_invariants_disk.c - I1, I2, I3, I7 and I10 of docs/testing.md, each by its name: what is on
 * disk, block by block.
 */
#include "crash_fixture.h"

#include "journal_chain.h"

/* A store that is only looked at, on the second scratch medium. NULL: it is refused. */
static struct feox_store *look_at(struct crash_run *run, const uint8_t *image, uint64_t size)
{
	struct feox_options options = crash_options(&run->model);
	struct feox_store *store = NULL;

	options.flags = FEOX_OPEN_READ_ONLY;
	recorder_load(run->scratch[1], image, size);
	recorder_medium = run->scratch[1];
	if (feox_open(&options, &store, NULL))
		store = NULL;
	recorder_medium = run->medium;
	return store;
}

static void live_for_a_while(struct crash_run *run, unsigned int steps)
{
	for (unsigned int i = 0; i < steps; i++)
		apply(run, crash_choose(run));
	apply(run, CRASH_SYNC);
	assert_int_equal(crash_run_close(run), 0);
}

/* ---- I1 ---------------------------------------------------------------------------------------
 */

static void mark_live(struct crash_run *run, const struct recorder_walk *walk, uint8_t *live)
{
	struct feox_store *store = look_at(run, walk->durable, walk->size);
	struct fx_extent *extent;
	uint32_t cursor = 0;

	memset(live, 0, MAX_SIZE / FX_BLOCK);
	if (!store)
		return; /* still in the making */
	while ((extent = fx_extent_table_next(store->extents, &cursor)))
		for (uint32_t i = 0; i < extent->run_count; i++)
			memset(live + extent->runs[i].start, 1, extent->runs[i].blocks);
	feox_close(store);
}

/* Between two syncs nothing is written where the first of them has left a live extent. */
static void I1_blocks_of_live_records_are_never_written(void **state)
{
	struct crash_run *run = *state;
	uint8_t *live = calloc(1, MAX_SIZE / FX_BLOCK);
	struct recorder_walk walk;
	unsigned int writes = 0;

	live_for_a_while(run, 300);
	recorder_walk_begin(&walk, run->medium);
	while (recorder_walk_step(&walk)) {
		const struct recorder_event *event = &run->medium->events[walk.at - 1];
		const struct recorder_write *w = &run->medium->writes[event->write];

		if (event->kind == RECORDER_SYNCED)
			mark_live(run, &walk, live);
		if (event->kind != RECORDER_SUBMITTED)
			continue;
		writes++;
		for (uint64_t b = w->offset / FX_BLOCK; b < (w->offset + w->size) / FX_BLOCK; b++)
			if (live[b])
				fail_msg("I1: live block %llu is written", (unsigned long long)b);
	}
	assert_true(writes > 50);
	recorder_walk_end(&walk);
	free(live);
}

/* ---- I2 ---------------------------------------------------------------------------------------
 */

/* Without sector s of write w: the batch has happened only if that sector counts for nothing. */
static void expect_no_half(struct crash_run *run, const struct recorder_walk *walk,
			   const struct recorder_write *w, size_t s)
{
	uint8_t *image = malloc(MAX_SIZE), *whole = malloc(MAX_SIZE);
	uint64_t random = 1, at = w->offset + s * RECORDER_SECTOR;
	size_t number = run->model.count;
	struct feox_store *store;
	const char *why;

	recorder_state(walk, RECORDER_ALL, &random, whole);
	memcpy(image, whole, walk->size);
	memcpy(image + at, walk->durable + at, RECORDER_SECTOR);
	if (memcmp(image, whole, walk->size) != 0)
		number--;
	store = look_at(run, image, walk->size);
	assert_non_null(store);
	if (!crash_model_find(&run->model, store, number, number, &why))
		fail_msg("I2: without byte %llu: %s", (unsigned long long)at, why);
	feox_close(store);
	free(image);
	free(whole);
}

static void put_value(struct crash_run *run, size_t size)
{
	struct crash_state *next = crash_model_push(&run->model);
	struct feox_write_result result;
	uint8_t *value = calloc(1, size);

	next->keys[11] = (struct crash_key){.live = true, .seed = 5, .size = size};
	crash_fill(value, size, 5);
	assert_int_equal(feox_put(run->store, "k/3", 3, value, size, NULL, &result), 0);
	next->keys[11].version = result.version;
	free(value);
}

static void I2_a_commit_counts_only_with_whole_extents(void **state)
{
	struct crash_run *run = *state;
	struct recorder_walk walk;

	apply(run, CRASH_PUT);
	apply(run, CRASH_SYNC);
	recorder_start(run->medium);
	put_value(run, 9000);
	assert_int_equal(feox_sync(run->store), 0);
	recorder_walk_begin(&walk, run->medium);
	while (recorder_walk_step(&walk) &&
	       run->medium->events[walk.at - 1].kind != RECORDER_SYNCING)
		;
	assert_true(walk.open_count >= 2); /* an extent and the commit record */
	for (size_t i = 0; i < walk.open_count; i++) {
		const struct recorder_write *w = &run->medium->writes[walk.open[i]];

		for (size_t s = 0; s < w->size / RECORDER_SECTOR; s++)
			expect_no_half(run, &walk, w, s);
	}
	recorder_walk_end(&walk);
}

/* ---- I3 ---------------------------------------------------------------------------------------
 */

static void I3_blocks_have_one_owner(void **state)
{
	struct crash_run *run = *state;

	for (unsigned int i = 0; i < 10; i++) {
		for (unsigned int k = 0; k < 20; k++)
			apply(run, crash_choose(run));
		apply(run, CRASH_SYNC);
		crash(run);
		assert_null(crash_check_tiling(run->store));
	}
}

/* ---- I7 ---------------------------------------------------------------------------------------
 */

static void expect_no_wrong_value(struct crash_run *run, const uint8_t *image, uint64_t size)
{
	struct feox_store *store = look_at(run, image, size);
	const char *why;

	if (!store)
		return;
	if (!crash_model_find(&run->model, store, run->model.count, run->model.count, &why))
		fail_msg("I7: %s", why);
	feox_close(store);
}

/* Any two blocks change places: noticed, by who opens it or by who reads the value. */
static void I7_blocks_are_bound_to_their_place(void **state)
{
	struct crash_run *run = *state;
	uint8_t *image = malloc(MAX_SIZE), block[FX_BLOCK];
	uint64_t size, random = 1;

	live_for_a_while(run, 60);
	run->model.damaged = true;
	size = run->medium->size;
	for (unsigned int i = 0; i < 150; i++) {
		uint64_t a = recorder_random(&random, 100) * FX_BLOCK;
		uint64_t b = recorder_random(&random, 100) * FX_BLOCK;

		memcpy(image, run->medium->view, size);
		memcpy(block, image + a, FX_BLOCK);
		memcpy(image + a, image + b, FX_BLOCK);
		memcpy(image + b, block, FX_BLOCK);
		expect_no_wrong_value(run, image, size);
	}
	free(image);
}

/* Two values of one size, in extents of their own, change places with their checksums. */
static void I7_values_are_bound_to_their_extent(void **state)
{
	struct crash_run *run = *state;
	uint8_t values[2][4000];
	uint64_t at[2] = {0};
	struct feox_store *store;
	uint8_t *view = run->medium->view, area[4008];

	for (unsigned int i = 0; i < 2; i++) {
		crash_fill(values[i], sizeof(values[i]), i + 1);
		assert_int_equal(feox_put(run->store, i ? "b" : "a", 1, values[i],
					  sizeof(values[i]), NULL, NULL),
				 0);
		assert_int_equal(feox_sync(run->store), 0);
	}
	assert_int_equal(crash_run_close(run), 0);
	for (unsigned int i = 0; i < 2; i++)
		at[i] = (uint64_t)((uint8_t *)memmem(view, run->medium->size, values[i],
						     sizeof(values[i])) -
				   view) -
			8;
	memcpy(area, view + at[0], sizeof(area));
	memcpy(view + at[0], view + at[1], sizeof(area));
	memcpy(view + at[1], area, sizeof(area));
	store = look_at(run, view, run->medium->size);
	assert_non_null(store);
	for (unsigned int i = 0; i < 2; i++) {
		struct feox_value value;

		assert_int_equal(feox_get(store, i ? "b" : "a", 1, 0, &value), -EIO);
	}
	feox_close(store);
}

/* Blocks of the same place in another store, and in this one some time ago. */
static void I7_blocks_are_bound_to_their_store_and_time(void **state)
{
	struct crash_run *run = *state;
	uint8_t *image = malloc(MAX_SIZE), *old = malloc(MAX_SIZE), *other = malloc(MAX_SIZE);
	uint64_t size;

	live_for_a_while(run, 60);
	memcpy(other, run->medium->view, run->medium->size);
	crash_run_end(run);
	crash_run_begin(run, 1, &run->plan, NULL, 0, MAX_SIZE);
	atomic_fetch_add(&recorder_seed, 1000000); /* another UUID; all else is the same */
	assert_int_equal(crash_run_open(run), 0);
	for (unsigned int i = 0; i < 40; i++)
		apply(run, crash_choose(run));
	memcpy(old, run->medium->view, run->medium->size);
	live_for_a_while(run, 60);
	run->model.damaged = true;
	size = run->medium->size;
	for (uint64_t b = 2; b < 100; b += 2) {
		memcpy(image, run->medium->view, size);
		memcpy(image + b * FX_BLOCK, old + b * FX_BLOCK, FX_BLOCK);
		expect_no_wrong_value(run, image, size);
		memcpy(image + b * FX_BLOCK, other + b * FX_BLOCK, FX_BLOCK);
		expect_no_wrong_value(run, image, size);
	}
	free(image);
	free(old);
	free(other);
}

/* ---- I10 --------------------------------------------------------------------------------------
 */

/* At every moment the copy with the higher generation is the one whose state is whole. */
static void I10_the_newer_superblock_counts(void **state)
{
	struct crash_run *run = *state;

	for (unsigned int i = 0; i < 4; i++) {
		apply(run, CRASH_OVERWRITE);
		apply(run, CRASH_PUT);
		assert_int_equal(crash_run_close(run), 0); /* each opening begins a new chain */
		assert_int_equal(crash_run_open(run), 0);
	}
	assert_int_equal(crash_run_close(run), 0);
	assert_int_equal(crash_run_walk(run), 0);
}

/* Whichever copy is lost once both are written: the other one says the same. */
static void I10_either_superblock_will_do(void **state)
{
	struct crash_run *run = *state;

	for (unsigned int i = 0; i < 40; i++) {
		for (unsigned int k = 0; k < 5; k++)
			apply(run, crash_choose(run));
		apply(run, CRASH_SYNC);
		cut_power(run);
		run->medium->view[i % 2 * FX_BLOCK + 100] ^= 1;
		recorder_start(run->medium);
		assert_int_equal(crash_run_open(run), 0);
		expect_state(run, run->model.count, run->model.count);
	}
}

/* A write of one copy that was lost long ago, as on a disk that lies: its state has been reused. */
static void I10_a_stale_copy_is_not_used(void **state)
{
	struct crash_run *run = *state;
	uint8_t old[2 * FX_BLOCK];

	memcpy(old, run->medium->view, sizeof(old));
	for (unsigned int i = 0; i < 10; i++) {
		for (unsigned int k = 0; k < 8; k++)
			apply(run, crash_choose(run));
		apply(run, CRASH_SYNC);
		cut_power(run);
		memcpy(run->medium->view + i % 2 * FX_BLOCK, old + i % 2 * FX_BLOCK, FX_BLOCK);
		recorder_start(run->medium);
		assert_int_equal(crash_run_open(run), 0);
		expect_state(run, run->model.count, run->model.count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(I1_blocks_of_live_records_are_never_written),
		CASE(I2_a_commit_counts_only_with_whole_extents),
		CASE(I3_blocks_have_one_owner),
		CASE(I7_blocks_are_bound_to_their_place),
		CASE(I7_values_are_bound_to_their_extent),
		CASE(I7_blocks_are_bound_to_their_store_and_time),
		CASE(I10_the_newer_superblock_counts),
		CASE(I10_either_superblock_will_do),
		CASE(I10_a_stale_copy_is_not_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
