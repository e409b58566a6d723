/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_workload.h - the workloads: their names, and what each of them does, as loops of one thread
 * over its share of the sequence. Every loop checks what it gets: a wrong or missing value, a lost
 * compare-and-swap or an error makes the run fail, so that no engine is fast by not doing it.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "bench_engine.h"
#include "bench_sequence.h"

/* In the order they are run in, each on what the ones before have left. */
enum bench_workload {
	BENCH_INSERT,
	BENCH_GET,
	BENCH_TWO_LOADS, /* beside get, which it is the limit of */
	BENCH_TWO_LOADS_4K,
	BENCH_GET_MANY,
	BENCH_RANGE,
	BENCH_KEYS,
	BENCH_CAS, /* before every overwrite: it knows the generation each key has */
	BENCH_OVERWRITE,
	BENCH_ZIPF95,
	BENCH_ZIPF50,
	BENCH_ADD,
	BENCH_DELETE,
	BENCH_SWEEP,	/* in a store of its own */
	BENCH_WORKLOADS /* their number */
};

/* NULL when there is none of that number. */
const char *bench_workload_name(enum bench_workload workload);
/* BENCH_WORKLOADS when there is none of that name. */
enum bench_workload bench_workload_find(const char *name);
/* Can the engine do it? */
bool bench_workload_possible(enum bench_workload workload, const struct bench_engine *engine);

/* One thread of a run. */
struct bench_thread {
	const struct bench_engine *engine;
	const struct bench_sequence *sequence;
	void *state; /* the engine's */
	unsigned int number, threads;
	size_t keys, value_bytes;
	unsigned char *value, *expected; /* value_bytes */
	unsigned char *out;		 /* BENCH_MANY values */
	struct bench_scan scan;

	/* Of the current run. */
	struct bench_share share;
	uint64_t operations; /* keys, in get_many and scans */
	uint64_t check;	     /* sum over what was read or written: the same for all engines */
	uint64_t failures;
	long first_failure; /* negative errno value; 0: a wrong value */
};

typedef void bench_loop(struct bench_thread *thread);

/* NULL for what is not a loop (sweep), and for workloads that need no preparation. */
bench_loop *bench_workload_loop(enum bench_workload workload);
bench_loop *bench_workload_prepare(enum bench_workload workload);

#endif
