/* SPDX-License-Identifier: Apache-2.0 */
/* crash_main.h - many seeds, several processes: what the crash programs' main() consists of. */
#ifndef FX_CRASH_MAIN_H
#define FX_CRASH_MAIN_H

#include "crash_run.h"

/* What a seed stands for: open, change, close or not, walk. 0, or it has said what failed. */
typedef int crash_workload(struct crash_run *run);

struct crash_suite {
	const char *name;
	crash_workload *workload;
	uint64_t seeds;	      /* the least that are run; 0: as many as the states need */
	uint64_t states;      /* the least that are judged */
	unsigned int percent; /* of the states of a seed */
	unsigned int nested_percent;
};

/*
 *	NAME [--states N] [--percent N] [--nested-percent N] [--jobs N] [--seed N] [--keep FOLDER]
 *
 * --seed runs one seed, in this process.
 */
int crash_main(int argc, char **argv, const struct crash_suite *suite);

#endif
