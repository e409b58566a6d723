/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash_small.c - every sequence of up to three operations, with a sync behind it.
 *
 * After CrashMonkey and ACE (Mohan et al., "Finding Crash-Consistency Bugs with Bounded Black-Box
 * Crash Testing", OSDI 2018): nearly all bugs of this kind need no more than three operations, on
 * few files, and a crash right after a sync. The sequences start from a store that has six keys; in
 * every third one from no store at all, in every other from one that was not closed in order.
 */
#include "crash_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SIZE ((uint64_t)4 << 20)
#define OPS	 ((uint64_t)CRASH_SMALL_OPS)
/* Of lengths 1, 2 and 3. */
#define SEQUENCES (OPS + OPS * OPS + OPS * OPS * OPS)

static unsigned int decode(uint64_t sequence, enum crash_op ops[3])
{
	unsigned int length = 1;
	uint64_t count = OPS;

	while (sequence >= count) {
		sequence -= count;
		count *= OPS;
		length++;
	}
	for (unsigned int i = 0; i < length; i++) {
		ops[i] = (enum crash_op)(sequence % OPS);
		sequence /= OPS;
	}
	return length;
}

/* Six keys, which have been there for a while. */
static int prepare(struct crash_run *run)
{
	int err = crash_run_open(run);

	for (unsigned int i = 0; i < 6 && !err; i++)
		err = crash_apply(run, CRASH_PUT);
	if (!err)
		err = crash_apply(run, CRASH_SYNC);
	if (run->seed % 2 && !err) {
		err = crash_run_close(run);
		if (!err)
			err = crash_run_open(run);
	}
	if (!err && !recorder_random(&run->random, 2))
		recorder_start(run->medium); /* what came before is not looked at again */
	return err;
}

static int workload(struct crash_run *run)
{
	enum crash_op ops[3];
	unsigned int length = decode(run->seed % SEQUENCES, ops);
	struct crash_plan plan = run->plan;
	int err;

	crash_run_begin(run, run->seed, &plan, NULL, 0, MAX_SIZE);
	err = run->seed % 3 ? prepare(run) : crash_run_open(run);
	for (unsigned int i = 0; i < length && !err; i++)
		err = crash_apply(run, ops[i]);
	if (!err)
		err = crash_apply(run, CRASH_SYNC);
	if (run->store) {
		int end = crash_run_close(run);

		err = err ? err : end;
	}
	if (err)
		printf("FAILED seed %llu: %s\n", (unsigned long long)run->seed, strerror(-err));
	else
		err = crash_run_walk(run);
	crash_run_end(run);
	return err;
}

int main(int argc, char **argv)
{
	static const struct crash_suite suite = {
		.name = "crash_small",
		.workload = workload,
		.seeds = SEQUENCES,
		.states = 10000,
		.percent = 30,
		.nested_percent = 8,
	};

	return crash_main(argc, argv, &suite);
}
