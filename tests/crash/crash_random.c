/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash_random.c - longer workloads of all operations by chance: they fill the store, grow it, link
 * segments and start new chains, which short ones do not reach. A store of fixed size in every
 * third; opened anew in the middle in every fifth.
 */
#include "crash_main.h"

#include <stdio.h>
#include <string.h>

static int workload(struct crash_run *run)
{
	struct crash_plan plan = run->plan;
	uint64_t max_size = run->seed % 3 ? (uint64_t)4 << 20 : (uint64_t)1 << 20;
	unsigned int steps;
	int err;

	crash_run_begin(run, run->seed, &plan, NULL, 0, max_size);
	steps = 20 + (unsigned int)recorder_random(&run->random, 100);
	err = crash_run_open(run);
	for (unsigned int i = 0; i < steps && !err; i++) {
		err = crash_apply(run, crash_choose(run));
		if (!err && i == steps / 2 && run->seed % 5 == 0) {
			err = crash_run_close(run);
			if (!err)
				err = crash_run_open(run);
		}
	}
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
		.name = "crash_random",
		.workload = workload,
		.states = 10000,
		.percent = 10,
		.nested_percent = 8,
	};

	return crash_main(argc, argv, &suite);
}
