/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_pool.h - the threads of one engine's process: one per client, each pinned to a core of its
 * own as far as there are enough, alive as long as the process, so that per-thread state of an
 * engine is warm as it is in a server. Used by the process's main thread alone.
 */
#ifndef BENCH_POOL_H
#define BENCH_POOL_H

#include "bench_workload.h"

#include <pthread.h>

#define BENCH_THREADS_MAX 64

struct bench_pool;

struct bench_member {
	struct bench_thread thread;
	struct bench_pool *pool;
	pthread_t id;
	uint64_t from_ns, to_ns; /* of the last loop */
	int err;		 /* of thread_begin() */
};

/*
 * The main thread writes loop and db, then meets the members at the start barrier; they answer
 * in their own member and meet it at the end barrier. So nothing here needs a lock.
 */
struct bench_pool {
	unsigned int threads;
	pthread_barrier_t start, end;
	bench_loop *loop; /* NULL: thread_begin() */
	void *db;
	struct bench_member members[BENCH_THREADS_MAX];
};

/* What a run was, all threads together. */
struct bench_run {
	uint64_t ns; /* from the first thread's start to the last one's end */
	uint64_t operations;
	uint64_t check;
	uint64_t failures;
	long first_failure;
};

int bench_pool_start(struct bench_pool *pool, const struct bench_engine *engine,
		     const struct bench_setup *setup, const struct bench_sequence *sequence);

/* The engine's per-thread state, made by the thread itself. */
int bench_pool_begin(struct bench_pool *pool, void *db);

/* Run loop over the first count entries of the sequence. */
void bench_pool_run(struct bench_pool *pool, bench_loop *loop, size_t count,
		    struct bench_run *ret_run);

uint64_t bench_now_ns(void); /* CLOCK_MONOTONIC */

#endif
