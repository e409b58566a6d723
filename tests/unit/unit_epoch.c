/* SPDX-License-Identifier: Apache-2.0 */
/* unit_epoch.c - what is retired is freed once, after its readers, also by threads that end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "epoch.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#define MANY   10000u
#define SWAPS  200000u
#define POISON 0xdeadu

struct fixture {
	struct fx_epoch *epoch;
	_Atomic uint64_t freed;
};

struct item {
	struct fx_retired retired;
	struct fixture *fixture;
	struct item *again; /* retired by this one's free() */
};

static void free_plain(void *item, void *ctx)
{
	struct fixture *f = ctx;

	free(item);
	atomic_fetch_add(&f->freed, 1);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	if (fx_epoch_create(f, &f->epoch))
		return -1;
	fx_epoch_configure(f->epoch, free_plain, (uint64_t)1 << 20);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fx_epoch_destroy(f->epoch);
	free(f);
	return 0;
}

static void free_item(struct fx_retired *retired, void *ctx)
{
	struct item *item = (struct item *)retired;
	struct fixture *f = ctx;

	if (item->again)
		fx_epoch_retire(f->epoch, &item->again->retired, free_item, 8);
	free(item);
	atomic_fetch_add(&f->freed, 1);
}

static void retire_item(struct fixture *f, size_t bytes)
{
	struct item *item = calloc(1, sizeof(*item));

	fx_epoch_retire(f->epoch, &item->retired, free_item, bytes);
}

static void test_counts(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 1000; i++) {
		assert_int_equal(fx_epoch_prepare(f->epoch, 1), 0);
		fx_epoch_retire_plain(f->epoch, malloc(1), 10);
		retire_item(f, 7);
	}
	assert_true(fx_epoch_deferred(f->epoch) <= 17000);
	fx_epoch_drain(f->epoch);
	assert_int_equal(atomic_load(&f->freed), 2000);
	assert_int_equal(fx_epoch_deferred(f->epoch), 0);
}

/* Nothing goes by itself below a batch, all of it when that is asked for. */
static void test_offer(void **state)
{
	struct fixture *f = *state;

	fx_epoch_enter();
	assert_int_equal(fx_epoch_prepare(f->epoch, 1), 0);
	fx_epoch_retire_plain(f->epoch, malloc(1), FX_EPOCH_KEPT_BYTES - 8);
	fx_epoch_offer(f->epoch);
	retire_item(f, 8);
	assert_int_equal(fx_epoch_deferred(f->epoch), FX_EPOCH_KEPT_BYTES);
	fx_epoch_offer(f->epoch);
	assert_int_equal(fx_epoch_deferred(f->epoch), FX_EPOCH_KEPT_BYTES);
	fx_epoch_leave();
	while (atomic_load(&f->freed) < 2) /* without another call here */
		sched_yield();
}

/* Room that was prepared stays, whatever else is retired meanwhile. */
static void test_prepared_room_stays(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fx_epoch_prepare(f->epoch, MANY), 0);
	for (unsigned int i = 0; i < MANY; i++) {
		fx_epoch_retire_plain(f->epoch, malloc(1), 100000);
		retire_item(f, 100000);
	}
	fx_epoch_drain(f->epoch);
	assert_int_equal(atomic_load(&f->freed), 2 * MANY);
	assert_int_equal(fx_epoch_deferred(f->epoch), 0);
}

static void *retire_some(void *arg)
{
	struct fixture *f = arg;

	assert_int_equal(fx_epoch_prepare(f->epoch, 5), 0);
	for (int i = 0; i < 5; i++) {
		fx_epoch_retire_plain(f->epoch, malloc(1), 10);
		retire_item(f, 10);
	}
	return NULL;
}

static void test_thread_that_ends(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 1; i <= 100; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, retire_some, f);
		pthread_join(thread, NULL);
		if (i % 10 == 0) {
			fx_epoch_drain(f->epoch);
			assert_int_equal(atomic_load(&f->freed), i * 10);
		}
	}
	assert_int_equal(fx_epoch_deferred(f->epoch), 0);
}

struct cell {
	struct fixture *fixture;
	_Atomic(unsigned int *) value;
	_Atomic bool stop;
};

static void free_value(void *item, void *ctx)
{
	*(unsigned int *)item = POISON;
	free_plain(item, ctx);
}

static void *swap(void *arg)
{
	struct cell *cell = arg;

	for (unsigned int i = 0; i < SWAPS; i++) {
		unsigned int *new = malloc(64), *old;

		*new = 1;
		assert_int_equal(fx_epoch_prepare(cell->fixture->epoch, 1), 0);
		old = atomic_exchange(&cell->value, new);
		fx_epoch_retire_plain(cell->fixture->epoch, old, 64);
		fx_epoch_offer(cell->fixture->epoch);
		assert_int_equal(fx_epoch_throttle(cell->fixture->epoch, false), 0);
	}
	return NULL;
}

static void *look(void *arg)
{
	struct cell *cell = arg;
	uintptr_t bad = 0;

	while (!atomic_load(&cell->stop)) {
		fx_epoch_enter();
		for (int i = 0; i < 10; i++) {
			unsigned int *value = atomic_load(&cell->value);

			bad += *(volatile unsigned int *)value != 1;
		}
		fx_epoch_leave();
	}
	return (void *)bad;
}

static void test_readers_see_no_freed_value(void **state)
{
	struct fixture *f = *state;
	struct cell cell = {.fixture = f};
	unsigned int *value = malloc(64);
	pthread_t writers[2], readers[2];
	void *bad;

	fx_epoch_configure(f->epoch, free_value, (uint64_t)1 << 20);
	*value = 1;
	atomic_store(&cell.value, value);
	for (int i = 0; i < 2; i++) {
		pthread_create(&writers[i], NULL, swap, &cell);
		pthread_create(&readers[i], NULL, look, &cell);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(writers[i], NULL);
	atomic_store(&cell.stop, true);
	for (int i = 0; i < 2; i++) {
		pthread_join(readers[i], &bad);
		assert_ptr_equal(bad, NULL);
	}
	fx_epoch_drain(f->epoch);
	assert_int_equal(atomic_load(&f->freed), 2 * SWAPS);
	free(atomic_load(&cell.value));
}

struct sleeper {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool inside, wake;
};

static void *sleep_inside(void *arg)
{
	struct sleeper *s = arg;

	fx_epoch_enter();
	pthread_mutex_lock(&s->mutex);
	s->inside = true;
	pthread_cond_broadcast(&s->changed);
	while (!s->wake)
		pthread_cond_wait(&s->changed, &s->mutex);
	pthread_mutex_unlock(&s->mutex);
	fx_epoch_leave();
	return NULL;
}

/* A reader sleeps in its section: writers are held back at the limit, and go on when it leaves. */
static void test_throttle(void **state)
{
	struct fixture *f = *state;
	struct sleeper s = {.mutex = PTHREAD_MUTEX_INITIALIZER,
			    .changed = PTHREAD_COND_INITIALIZER};
	unsigned int retired = 0;
	pthread_t thread;

	pthread_create(&thread, NULL, sleep_inside, &s);
	pthread_mutex_lock(&s.mutex);
	while (!s.inside)
		pthread_cond_wait(&s.changed, &s.mutex);
	pthread_mutex_unlock(&s.mutex);
	while (!fx_epoch_throttle(f->epoch, true)) {
		assert_int_equal(fx_epoch_prepare(f->epoch, 1), 0);
		fx_epoch_retire_plain(f->epoch, malloc(1), 4096);
		fx_epoch_offer(f->epoch);
		retired++;
	}
	assert_int_equal(fx_epoch_throttle(f->epoch, true), -EAGAIN);
	assert_in_range(fx_epoch_deferred(f->epoch), (1 << 20) + 1,
			(1 << 20) + 2 * FX_EPOCH_KEPT_BYTES);
	assert_int_equal(atomic_load(&f->freed), 0);
	pthread_mutex_lock(&s.mutex);
	s.wake = true;
	pthread_cond_broadcast(&s.changed);
	pthread_mutex_unlock(&s.mutex);
	assert_int_equal(fx_epoch_throttle(f->epoch, false), 0);
	pthread_join(thread, NULL);
	fx_epoch_drain(f->epoch);
	assert_int_equal(atomic_load(&f->freed), retired);
}

/* What a free() retires is waited for too. */
static void test_destroy_frees_all(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct item *chain = NULL;

	assert_int_equal(fx_epoch_create(f, &f->epoch), 0);
	fx_epoch_configure(f->epoch, free_plain, 1 << 20);
	for (int i = 0; i < 5; i++) {
		struct item *item = calloc(1, sizeof(*item));

		item->again = chain;
		chain = item;
	}
	fx_epoch_retire(f->epoch, &chain->retired, free_item, 8);
	retire_item(f, 0);
	retire_some(f);
	fx_epoch_destroy(f->epoch);
	assert_int_equal(atomic_load(&f->freed), 16);
	fx_epoch_destroy(NULL);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prepared_room_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_thread_that_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_readers_see_no_freed_value, setup, teardown),
		cmocka_unit_test_setup_teardown(test_throttle, setup, teardown),
		cmocka_unit_test(test_destroy_frees_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
