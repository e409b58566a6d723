/* SPDX-License-Identifier: Apache-2.0 */
/* bench_options.h - what the command line asks for. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "bench_peers.h"

#define BENCH_LIST_MAX 8
#define BENCH_REPS_MAX 99

struct bench_list {
	size_t count;
	size_t numbers[BENCH_LIST_MAX];
};

struct bench_options {
	bool engines[BENCH_PEERS];
	bool workloads[BENCH_WORKLOADS];
	struct bench_list keys, threads, value_bytes;
	bool all_sizes; /* value_bytes were not given: large ones only with few keys */
	unsigned int reps;
	size_t ops; /* 0: as many as suit the case */
	const char *dir;
	uint64_t budget_ns; /* repetitions beyond the first end with it; 0: none */
	bool json, quick;
};

/* Ends the process with a message when the command line is wrong. */
void bench_options_parse(struct bench_options *options, int argc, char **argv);

/* Is this combination to be measured? */
bool bench_options_wants(const struct bench_options *options, size_t keys, size_t value_bytes);

#endif
