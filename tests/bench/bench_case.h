/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_case.h - one case (keys, size of values, threads) measured from beginning to end:
 *
 *	for each repetition
 *		a fresh store for every engine
 *		for each workload
 *			one sequence of keys, made for this repetition
 *			for each engine, beginning with another one each repetition
 *				run it over that sequence, all other engines' processes stopped
 *
 * So whatever the machine does meanwhile, it does to all engines. All must have done the same work:
 * what they read is summed up and compared. An engine that fails is left out from there on.
 */
#ifndef BENCH_CASE_H
#define BENCH_CASE_H

#include "bench_options.h"

/* One number per repetition. */
struct bench_samples {
	unsigned int count;
	double ns[BENCH_REPS_MAX];    /* per operation and thread */
	double bytes[BENCH_REPS_MAX]; /* per key, beyond key and value */
};

struct bench_case {
	size_t keys, value_bytes;
	unsigned int threads;
	bool sweep;	       /* measure it, if it is asked for */
	uint64_t budget_ns;    /* no other repetition when it would pass this; 0: none */
	size_t table_bytes;    /* of the limit; known after the first insert */
	unsigned int reps;     /* that came to their end */
	unsigned int failures; /* engines that failed */
	struct bench_samples samples[BENCH_PEERS][BENCH_WORKLOADS];
};

/* 0, or a negative errno value when measuring must end: -EINTR on a signal, or what failed here. */
int bench_case_run(struct bench_case *c, const struct bench_options *options,
		   const struct bench_peer *peers, const char *dir);

#endif
