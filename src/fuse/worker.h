/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h - a small bounded pool of threads for requests that would wait (cold reads, growth,
 * large renames), and a timer thread's worth of delayed jobs (publishing after publish_interval).
 */
#ifndef FX_WORKER_H
#define FX_WORKER_H

#include <stdint.h>

#define FX_WORKER_THREADS_MAX 8u

/* Embedded by the owner of the work; not reusable before run has begun. */
struct fx_job {
	void (*run)(struct fx_job *job);
	struct fx_job *next, *prev;
	uint64_t due_ns; /* CLOCK_MONOTONIC; 0: at once */
};

struct fx_worker;

int fx_worker_create(unsigned int threads, struct fx_worker **ret_worker);

/* Runs every job that is queued (delayed ones at once), then stops. NULL is allowed. */
void fx_worker_destroy(struct fx_worker *worker);

/* Wait until every job that is not delayed has been run. */
void fx_worker_drain(struct fx_worker *worker);

void fx_worker_submit(struct fx_worker *worker, struct fx_job *job);

/* Run not before due_ns (CLOCK_MONOTONIC). */
void fx_worker_submit_at(struct fx_worker *worker, struct fx_job *job, uint64_t due_ns);

/* True: the delayed job had not begun and will not run. */
_Bool fx_worker_cancel(struct fx_worker *worker, struct fx_job *job);

#endif
