/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash_errors.c - calls of the device that fail: the Nth one, N counted up until a run ends
 * without having made so many.
 *
 * A single write that fails is not noticed by anybody, unless it was a superblock's. A sync that
 * fails is final: the store says so from then on, still shows all that it was told, and what it
 * leaves on disk is a state that it may. So are all the states a power loss may leave on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crash_run.h"
#include "superblock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS	 24u
#define MAX_SIZE ((uint64_t)4 << 20)
#define FOREVER	 UINT64_MAX

static unsigned int workloads(void)
{
	const char *text = getenv("FEOX_TEST_WORKLOADS");

	return text ? (unsigned int)strtoul(text, NULL, 0) : 10;
}

static void prepare(struct crash_run *run, uint64_t seed)
{
	static const struct crash_plan plan = {.percent = 2, .nested_percent = 10};

	crash_run_begin(run, seed, &plan, NULL, 0, MAX_SIZE);
	run->quiet = true;
}

static bool has_failed(const struct crash_run *run)
{
	struct feox_stats stats;

	assert_int_equal(feox_stats(run->store, &stats), 0);
	return stats.failed;
}

/* Everything that was told is there to read, and nothing pretends to be durable. */
static void expect_final(struct crash_run *run)
{
	const char *why;

	assert_true(has_failed(run));
	assert_int_equal(feox_put(run->store, "k/0", 3, "x", 1, NULL, NULL), -EROFS);
	assert_int_equal(feox_delete(run->store, "k/0", 3, NULL), -EROFS);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(feox_sync(run->store), -EIO);
	if (!crash_model_find(&run->model, run->store, run->model.count, run->model.count, &why))
		fail_msg("seed %llu: after the failure: %s", (unsigned long long)run->seed, why);
}

static int steps(struct crash_run *run)
{
	int err = 0;

	for (unsigned int i = 0; i < STEPS && !err; i++)
		err = crash_apply(run, crash_choose(run));
	return err;
}

static void judge_outcome(struct crash_run *run, enum recorder_call call,
			  const struct recorder_fault *fault, int err, bool happened)
{
	const char *what = NULL;

	if (err && !happened)
		what = "an error without a fault";
	else if (err && call == RECORDER_WRITE && fault->count == 1 &&
		 atomic_load(&run->medium->lowest_failed) >= FX_DATA_START)
		what = "one write that failed was the end of the store";
	else if (!err && happened && call == RECORDER_SYNC)
		what = "a sync failed, and nobody was told";
	if (what)
		fail_msg("seed %llu, call %llu: %s: %s", (unsigned long long)run->seed,
			 (unsigned long long)fault->at, what, strerror(-err));
}

/* The whole life of a store with a fault. Has the fault happened? */
static bool run_with(uint64_t seed, enum recorder_call call, struct recorder_fault fault)
{
	struct crash_run run;
	bool happened;
	int err;

	prepare(&run, seed);
	run.medium->faults[call] = fault;
	err = crash_run_open(&run);
	if (run.store) {
		err = steps(&run);
		assert_int_not_equal(err, -EILSEQ);
		if (err || has_failed(&run))
			expect_final(&run);
		if (crash_run_close(&run))
			err = -EIO;
	}
	happened = atomic_load(&run.medium->calls[call]) >= fault.at;
	judge_outcome(&run, call, &fault, err, happened);
	memset(run.medium->faults, 0, sizeof(run.medium->faults));
	assert_int_equal(crash_run_check(&run), 0);
	assert_int_equal(crash_run_walk(&run), 0);
	crash_run_end(&run);
	return happened;
}

static void count_up(enum recorder_call call, uint64_t count, int err)
{
	for (uint64_t seed = 0; seed < workloads(); seed++) {
		struct recorder_fault fault = {.at = 1, .count = count, .err = err};

		while (run_with(seed, call, fault))
			fault.at++;
	}
}

static void one_write_fails(void **state)
{
	count_up(RECORDER_WRITE, 1, -EIO);
}

static void writes_fail_from_then_on(void **state)
{
	count_up(RECORDER_WRITE, FOREVER, -EIO);
}

/* A thin or sparse disk: the errno must not be taken for a full journal. */
static void one_write_finds_no_room(void **state)
{
	count_up(RECORDER_WRITE, 1, -ENOSPC);
}

static void one_sync_fails_and_is_final(void **state)
{
	count_up(RECORDER_SYNC, 1, -EIO);
}

/* fdatasync(2) may say ENOSPC, too: the old chain went on as if nothing had happened. */
static void one_sync_finds_no_room_and_is_final(void **state)
{
	count_up(RECORDER_SYNC, 1, -ENOSPC);
}

static void growth_fails(void **state)
{
	count_up(RECORDER_RESIZE, 1, -EIO);
	count_up(RECORDER_RESIZE, FOREVER, -ENOSPC);
}

/* Blocks that can never be written: what was to be there goes elsewhere. */
static void bad_blocks_are_set_aside(void **state)
{
	for (uint64_t block = 2; block < 256; block += 1 + block / 16) {
		struct crash_run run;

		prepare(&run, block);
		run.medium->bad_block = block;
		run.medium->bad_blocks = 1 + block % 2;
		assert_int_equal(crash_run_open(&run), 0);
		assert_int_equal(steps(&run), 0);
		assert_false(has_failed(&run));
		assert_int_equal(crash_run_close(&run), 0);
		assert_int_equal(crash_run_check(&run), 0);
		assert_int_equal(crash_run_walk(&run), 0);
		crash_run_end(&run);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_write_fails),
		cmocka_unit_test(writes_fail_from_then_on),
		cmocka_unit_test(one_write_finds_no_room),
		cmocka_unit_test(one_sync_fails_and_is_final),
		cmocka_unit_test(one_sync_finds_no_room_and_is_final),
		cmocka_unit_test(growth_fails),
		cmocka_unit_test(bad_blocks_are_set_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
