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
#include <sys/wait.h>
#include <unistd.h>

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

/* A process: stores wait for grace periods more than they work. */
static void in_children(void (*work)(uint64_t seed, const void *arg), const void *arg)
{
	unsigned int failed = 0;

	for (uint64_t seed = 0; seed < workloads();) {
		unsigned int children = 0;

		for (; children < 10 && seed < workloads(); children++, seed++) {
			pid_t child = fork();

			assert_true(child >= 0);
			if (child)
				continue;
			work(seed, arg); /* an assertion that fails leads out of here */
			_exit(0);
		}
		while (children--) {
			int status = 1;

			wait(&status);
			failed += status != 0;
		}
	}
	assert_int_equal(failed, 0);
}

struct faults {
	enum recorder_call call;
	uint64_t count;
	int err;
};

static void count_up_seed(uint64_t seed, const void *arg)
{
	const struct faults *faults = arg;
	struct recorder_fault fault = {.at = 1, .count = faults->count, .err = faults->err};

	while (run_with(seed, faults->call, fault))
		fault.at++;
}

static void count_up(enum recorder_call call, uint64_t count, int err)
{
	const struct faults faults = {call, count, err};

	in_children(count_up_seed, &faults);
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
static void bad_blocks_seed(uint64_t seed, const void *arg)
{
	for (uint64_t block = 2 + seed; block < 256; block += 10 + block / 2) {
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

static void bad_blocks_are_set_aside(void **state)
{
	in_children(bad_blocks_seed, NULL);
}

/* One that cannot be read is an error of that call; what can be is right, and later it is again. */
static void expect_reads(struct crash_run *run, bool damaged)
{
	const char *why;

	run->model.damaged = damaged;
	if (!crash_model_find(&run->model, run->store, run->model.count, run->model.count, &why))
		fail_msg("seed %llu: %s", (unsigned long long)run->seed, why);
}

/* Has the read number at failed? */
static bool open_with_bad_read(struct crash_run *run, uint64_t at)
{
	struct feox_options options = crash_options(&run->model);
	struct feox_diag diag = {""};
	int err;

	options.flags = FEOX_OPEN_READ_ONLY;
	atomic_store(&run->medium->calls[RECORDER_READ], 0);
	run->medium->faults[RECORDER_READ] =
		(struct recorder_fault){.at = at, .count = 1, .err = -EIO};
	err = feox_open(&options, &run->store, &diag);
	if (err) {
		assert_true(err == -EIO || err == -EUCLEAN);
		assert_true(diag.text[0]);
	} else {
		expect_reads(run, true);
		run->medium->faults[RECORDER_READ].at = 0;
		expect_reads(run, false);
		assert_int_equal(feox_close(run->store), 0);
	}
	run->store = NULL;
	return atomic_load(&run->medium->calls[RECORDER_READ]) >= at;
}

static void read_up_seed(uint64_t seed, const void *arg)
{
	struct crash_run run;
	uint64_t at = 1;

	prepare(&run, seed);
	assert_int_equal(crash_run_open(&run), 0);
	assert_int_equal(steps(&run), 0);
	assert_int_equal(crash_run_close(&run), 0);
	while (open_with_bad_read(&run, at))
		at++;
	assert_true(at > 5);
	crash_run_end(&run);
}

static void one_read_fails(void **state)
{
	in_children(read_up_seed, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_write_fails),
		cmocka_unit_test(writes_fail_from_then_on),
		cmocka_unit_test(one_write_finds_no_room),
		cmocka_unit_test(one_sync_fails_and_is_final),
		cmocka_unit_test(one_sync_finds_no_room_and_is_final),
		cmocka_unit_test(one_read_fails),
		cmocka_unit_test(growth_fails),
		cmocka_unit_test(bad_blocks_are_set_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
