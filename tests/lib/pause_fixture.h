/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pause_fixture.h - threads that stop at a pause point (src/base/pause.h) until they are told to go
 * on. For one test program: it defines fx_pause_point().
 */
#ifndef FX_PAUSE_FIXTURE_H
#define FX_PAUSE_FIXTURE_H

#include "fixture.h"

#include "pause.h"

#include <pthread.h>
#include <stdbool.h>

/* A thread that runs work(arg) and stops once, when it comes to point for the skip'th time. */
struct victim {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	void (*work)(void *arg);
	void *arg;
	int point; /* 0: it has stopped before */
	unsigned int skip;
	bool stopped, resumed, ended; /* guarded by mutex */
};

static _Thread_local struct victim *pause_victim;

void fx_pause_point(int point)
{
	struct victim *v = pause_victim;

	if (!v || point != v->point || v->skip-- > 0)
		return;
	v->point = 0;
	pthread_mutex_lock(&v->mutex);
	v->stopped = true;
	pthread_cond_broadcast(&v->changed);
	while (!v->resumed)
		pthread_cond_wait(&v->changed, &v->mutex);
	pthread_mutex_unlock(&v->mutex);
}

static inline void *victim_run(void *arg)
{
	struct victim *v = arg;

	pause_victim = v;
	v->work(v->arg);
	pthread_mutex_lock(&v->mutex);
	v->ended = true;
	pthread_cond_broadcast(&v->changed);
	pthread_mutex_unlock(&v->mutex);
	return NULL;
}

/* Start it, and wait until it has stopped; false: it ended without coming to the point. */
static inline bool victim_start(struct victim *v, int point, unsigned int skip,
				void (*work)(void *arg), void *arg)
{
	bool stopped;

	*v = (struct victim){.point = point, .skip = skip, .work = work, .arg = arg};
	pthread_mutex_init(&v->mutex, NULL);
	pthread_cond_init(&v->changed, NULL);
	assert_int_equal(pthread_create(&v->thread, NULL, victim_run, v), 0);
	pthread_mutex_lock(&v->mutex);
	while (!v->stopped && !v->ended)
		pthread_cond_wait(&v->changed, &v->mutex);
	stopped = v->stopped;
	pthread_mutex_unlock(&v->mutex);
	return stopped;
}

/* Let it go on, and wait until it has ended. */
static inline void victim_finish(struct victim *v)
{
	pthread_mutex_lock(&v->mutex);
	v->resumed = true;
	pthread_cond_broadcast(&v->changed);
	pthread_mutex_unlock(&v->mutex);
	pthread_join(v->thread, NULL);
	pthread_cond_destroy(&v->changed);
	pthread_mutex_destroy(&v->mutex);
}

#endif
