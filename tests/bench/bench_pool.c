/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_pool.h"

#include "bench_key.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

uint64_t bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* Thread n gets the n-th core this process may use, from the first again when there are fewer. */
static void pin(unsigned int number)
{
	cpu_set_t allowed, one;
	unsigned int wanted;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	wanted = number % (unsigned int)CPU_COUNT(&allowed);
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || wanted--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
		return;
	}
}

static void *run(void *arg)
{
	struct bench_member *member = arg;
	struct bench_thread *thread = &member->thread;
	struct bench_pool *pool = member->pool;

	pin(thread->number);
	for (;;) {
		pthread_barrier_wait(&pool->start);
		if (pool->loop) {
			member->from_ns = bench_now_ns();
			pool->loop(thread);
			member->to_ns = bench_now_ns();
		} else {
			member->err = thread->engine->thread_begin(pool->db, &thread->state);
		}
		pthread_barrier_wait(&pool->end);
	}
	return NULL;
}

static void do_together(struct bench_pool *pool, bench_loop *loop)
{
	pool->loop = loop;
	pthread_barrier_wait(&pool->start);
	pthread_barrier_wait(&pool->end);
}

/* Buffers are written here, so that their pages are not counted as the engine's later. */
static int init_thread(struct bench_thread *thread, const struct bench_setup *setup)
{
	size_t ring = BENCH_SCAN_RING + setup->value_bytes;

	thread->value = malloc(setup->value_bytes);
	thread->expected = malloc(setup->value_bytes);
	thread->out = malloc(BENCH_MANY * setup->value_bytes);
	thread->scan.ring = malloc(ring);
	if (!thread->value || !thread->expected || !thread->out || !thread->scan.ring)
		return -ENOMEM;
	memset(thread->value, BENCH_VALUE_FILLING, setup->value_bytes);
	memset(thread->expected, BENCH_VALUE_FILLING, setup->value_bytes);
	memset(thread->out, 0, BENCH_MANY * setup->value_bytes);
	memset(thread->scan.ring, 0, ring);
	return 0;
}

/* A process that cannot start its threads ends: nothing is undone here. */
int bench_pool_start(struct bench_pool *pool, const struct bench_engine *engine,
		     const struct bench_setup *setup, const struct bench_sequence *sequence)
{
	int err = 0;

	*pool = (struct bench_pool){.threads = setup->threads};
	pthread_barrier_init(&pool->start, NULL, setup->threads + 1);
	pthread_barrier_init(&pool->end, NULL, setup->threads + 1);
	for (unsigned int t = 0; t < setup->threads && !err; t++) {
		struct bench_member *member = &pool->members[t];

		member->pool = pool;
		member->thread = (struct bench_thread){
			.engine = engine,
			.sequence = sequence,
			.number = t,
			.threads = setup->threads,
			.keys = setup->keys,
			.value_bytes = setup->value_bytes,
		};
		err = init_thread(&member->thread, setup);
		if (!err)
			err = -pthread_create(&member->id, NULL, run, member);
	}
	return err;
}

int bench_pool_begin(struct bench_pool *pool, void *db)
{
	int err = 0;

	pool->db = db;
	do_together(pool, NULL);
	for (unsigned int t = 0; t < pool->threads; t++)
		err = err ? err : pool->members[t].err;
	return err;
}

void bench_pool_run(struct bench_pool *pool, bench_loop *loop, size_t count,
		    struct bench_run *ret_run)
{
	uint64_t from_ns = UINT64_MAX, to_ns = 0;
	struct bench_run sum = {0};

	for (unsigned int t = 0; t < pool->threads; t++) {
		struct bench_thread *thread = &pool->members[t].thread;

		thread->share = bench_share(count, t, pool->threads);
		thread->operations = thread->check = thread->failures = 0;
	}
	do_together(pool, loop);
	for (unsigned int t = 0; t < pool->threads; t++) {
		const struct bench_member *member = &pool->members[t];

		from_ns = member->from_ns < from_ns ? member->from_ns : from_ns;
		to_ns = member->to_ns > to_ns ? member->to_ns : to_ns;
		sum.operations += member->thread.operations;
		sum.check += member->thread.check;
		if (member->thread.failures && !sum.failures)
			sum.first_failure = member->thread.first_failure;
		sum.failures += member->thread.failures;
	}
	sum.ns = to_ns - from_ns;
	*ret_run = sum;
}
