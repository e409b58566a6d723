/* SPDX-License-Identifier: Apache-2.0 */
/* unit_slab_threads.c - the slab between threads; slabs and threads that end in any order. */
#include "slab_blocks.h"

#include "chunk.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define HANDOVER 20000
#define RING	 512

/* Blocks on their way from one thread to the one that frees them. */
struct ring {
	struct fx_slab *slab;
	struct block blocks[RING];
	_Atomic size_t put, got;
	uint64_t seed;
};

static void *producer(void *arg)
{
	struct ring *r = arg;

	for (size_t i = 0; i < HANDOVER; i++) {
		while (i - atomic_load_explicit(&r->got, memory_order_acquire) == RING)
			sched_yield();
		fill(&r->blocks[i % RING], r->slab, random_size(&r->seed), (uint8_t)i);
		atomic_store_explicit(&r->put, i + 1, memory_order_release);
	}
	return NULL;
}

static void *consumer(void *arg)
{
	struct ring *r = arg;

	for (size_t i = 0; i < HANDOVER; i++) {
		while (atomic_load_explicit(&r->put, memory_order_acquire) == i)
			sched_yield();
		check_and_free(&r->blocks[i % RING], r->slab);
		atomic_store_explicit(&r->got, i + 1, memory_order_release);
	}
	return NULL;
}

static void test_remote_frees(void **state)
{
	struct fx_slab *slab = make(FX_SLAB_CHUNKS);
	struct ring *rings[2];
	pthread_t threads[4];

	for (unsigned int i = 0; i < 2; i++) {
		rings[i] = calloc(1, sizeof(*rings[i]));
		rings[i]->slab = slab;
		rings[i]->seed = i + 1;
		pthread_create(&threads[2 * i], NULL, producer, rings[i]);
		pthread_create(&threads[2 * i + 1], NULL, consumer, rings[i]);
	}
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(fx_slab_used(slab), 0);
	/* The threads have ended: what they kept has come back. */
	assert_int_equal(fx_slab_claimed(slab), 0);
	fx_slab_destroy(slab);
	free(rings[0]);
	free(rings[1]);
}

struct leaver {
	struct fx_slab *slab;
	struct block block;
};

static void *leaver(void *arg)
{
	struct leaver *l = arg;
	struct block gone;

	fill(&gone, l->slab, 100, 1);
	fill(&l->block, l->slab, 100, 2);
	check_and_free(&gone, l->slab);
	return NULL;
}

/* A thousand threads, one after the other: their caches are used again, their counts stay. */
static void test_threads_come_and_go(void **state)
{
	struct fx_slab *slab = make(FX_SLAB_CHUNKS);
	struct leaver l = {.slab = slab};

	for (unsigned int i = 0; i < 1000; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, leaver, &l);
		pthread_join(thread, NULL);
		assert_int_equal(fx_slab_used(slab), fx_slab_rounded(100));
		check_and_free(&l.block, slab);
		assert_int_equal(fx_slab_used(slab), 0);
	}
	assert_true(fx_slab_resident(slab) <= 2 * FX_CHUNK_BYTES);
	fx_slab_destroy(slab);
}

struct visitor {
	struct fx_slab *_Atomic slab;
	_Atomic unsigned int round; /* stored after slab */
	_Atomic unsigned int visited;
	_Atomic bool stop;
};

/* Uses the slab of each round, and says when it is done with it. */
static void *visitor(void *arg)
{
	struct visitor *v = arg;
	unsigned int seen = 0;

	while (!atomic_load(&v->stop)) {
		unsigned int round = atomic_load(&v->round);

		if (round == seen) {
			sched_yield();
			continue;
		}
		for (int i = 0; i < 100; i++) {
			struct block b;

			fill(&b, atomic_load(&v->slab), 64, 7);
			check_and_free(&b, atomic_load(&v->slab));
		}
		seen = round;
		atomic_fetch_add(&v->visited, 1);
	}
	return NULL;
}

/* Slabs come and go, also at the same address, while threads that have used them go on. */
static void test_slabs_come_and_go(void **state)
{
	struct visitor v = {.slab = NULL};
	pthread_t threads[3];

	for (unsigned int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, visitor, &v);
	for (unsigned int round = 1; round <= 200; round++) {
		struct fx_slab *slab = make(FX_SLAB_CHUNKS);
		struct fx_slab *other = make(FX_SLAB_CHUNKS);
		struct block b;

		atomic_store(&v.visited, 0);
		atomic_store(&v.slab, slab);
		atomic_store(&v.round, round);
		fill(&b, other, 64, 9);
		while (atomic_load(&v.visited) < 3)
			sched_yield();
		check_and_free(&b, other);
		assert_int_equal(fx_slab_used(slab), 0);
		assert_int_equal(fx_slab_used(other), 0);
		fx_slab_destroy(other);
		fx_slab_destroy(slab);
	}
	atomic_store(&v.stop, true);
	for (unsigned int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

static void *short_visitor(void *arg)
{
	struct visitor *v = arg;
	struct block b;

	fill(&b, atomic_load(&v->slab), 64, 7);
	check_and_free(&b, atomic_load(&v->slab));
	atomic_fetch_add(&v->visited, 1);
	return NULL; /* and hands its cache over while the slab is destroyed */
}

static void test_destroy_while_threads_end(void **state)
{
	for (unsigned int round = 0; round < 500; round++) {
		struct visitor v = {.slab = make(FX_SLAB_CHUNKS)};
		pthread_t threads[4];

		for (unsigned int i = 0; i < 4; i++)
			pthread_create(&threads[i], NULL, short_visitor, &v);
		while (atomic_load(&v.visited) < 4)
			sched_yield();
		fx_slab_destroy(atomic_load(&v.slab));
		for (unsigned int i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remote_frees),
		cmocka_unit_test(test_threads_come_and_go),
		cmocka_unit_test(test_slabs_come_and_go),
		cmocka_unit_test(test_destroy_while_threads_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
