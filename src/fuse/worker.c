/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.c - threads that take jobs from one list; delayed jobs stand in it too, in order of when
 * they are due. One mutex: what runs here waits for disks, not for this lock.
 */
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

struct fx_worker {
	pthread_mutex_t mutex;
	pthread_cond_t wake, idle; /* idle: running became 0 */
	struct fx_job jobs;	   /* head of a ring, ordered by due_ns; 0 comes first */
	bool stop;
	unsigned int count, running; /* threads; jobs being run */
	pthread_t threads[FX_WORKER_THREADS_MAX];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void unlink_job(struct fx_job *job)
{
	job->prev->next = job->next;
	job->next->prev = job->prev;
	job->next = NULL;
	job->prev = NULL;
}

/* The first job when it is due; else NULL, having waited. Under the mutex. */
static struct fx_job *next_job(struct fx_worker *worker)
{
	struct fx_job *job = worker->jobs.next;
	struct timespec until;

	if (job == &worker->jobs) {
		if (!worker->stop)
			pthread_cond_wait(&worker->wake, &worker->mutex);
		return NULL;
	}
	if (worker->stop || job->due_ns <= now_ns()) {
		unlink_job(job);
		return job;
	}
	until = (struct timespec){.tv_sec = (time_t)(job->due_ns / NS_PER_S),
				  .tv_nsec = (long)(job->due_ns % NS_PER_S)};
	pthread_cond_timedwait(&worker->wake, &worker->mutex, &until);
	return NULL;
}

static void *run(void *arg)
{
	struct fx_worker *worker = arg;

	pthread_mutex_lock(&worker->mutex);
	for (;;) {
		struct fx_job *job = next_job(worker);

		if (job) {
			worker->running++;
			pthread_mutex_unlock(&worker->mutex);
			job->run(job);
			pthread_mutex_lock(&worker->mutex);
			if (--worker->running == 0)
				pthread_cond_broadcast(&worker->idle);
		} else if (worker->stop && worker->jobs.next == &worker->jobs) {
			break;
		}
	}
	pthread_mutex_unlock(&worker->mutex);
	return NULL;
}

int fx_worker_create(unsigned int threads, struct fx_worker **ret_worker)
{
	struct fx_worker *worker;
	pthread_condattr_t attr;

	if (!threads || threads > FX_WORKER_THREADS_MAX)
		return -EINVAL;
	worker = calloc(1, sizeof(*worker));
	if (!worker)
		return -ENOMEM;
	worker->jobs.next = worker->jobs.prev = &worker->jobs;
	pthread_mutex_init(&worker->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&worker->wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&worker->idle, NULL);
	while (worker->count < threads) {
		int err = pthread_create(&worker->threads[worker->count], NULL, run, worker);

		if (err) {
			fx_worker_destroy(worker);
			return -err;
		}
		worker->count++;
	}
	*ret_worker = worker;
	return 0;
}

void fx_worker_destroy(struct fx_worker *worker)
{
	if (!worker)
		return;
	pthread_mutex_lock(&worker->mutex);
	worker->stop = true;
	pthread_cond_broadcast(&worker->wake);
	pthread_mutex_unlock(&worker->mutex);
	for (unsigned int i = 0; i < worker->count; i++)
		pthread_join(worker->threads[i], NULL);
	pthread_cond_destroy(&worker->idle);
	pthread_cond_destroy(&worker->wake);
	pthread_mutex_destroy(&worker->mutex);
	free(worker);
}

void fx_worker_drain(struct fx_worker *worker)
{
	struct fx_job *first;

	pthread_mutex_lock(&worker->mutex);
	/* A job that ends may have submitted another; the last to end tells. */
	for (;;) {
		first = worker->jobs.next;
		if (!worker->running && (first == &worker->jobs || first->due_ns))
			break;
		pthread_cond_wait(&worker->idle, &worker->mutex);
	}
	pthread_mutex_unlock(&worker->mutex);
}

void fx_worker_submit_at(struct fx_worker *worker, struct fx_job *job, uint64_t due_ns)
{
	struct fx_job *before;

	job->due_ns = due_ns;
	pthread_mutex_lock(&worker->mutex);
	before = worker->jobs.prev;
	while (before != &worker->jobs && before->due_ns > due_ns)
		before = before->prev;
	job->prev = before;
	job->next = before->next;
	before->next->prev = job;
	before->next = job;
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->mutex);
}

void fx_worker_submit(struct fx_worker *worker, struct fx_job *job)
{
	fx_worker_submit_at(worker, job, 0);
}

_Bool fx_worker_cancel(struct fx_worker *worker, struct fx_job *job)
{
	bool waiting;

	pthread_mutex_lock(&worker->mutex);
	waiting = job->next != NULL;
	if (waiting)
		unlink_job(job);
	pthread_mutex_unlock(&worker->mutex);
	return waiting;
}
