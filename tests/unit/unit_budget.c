/* SPDX-License-Identifier: Apache-2.0 */
/* budget.c: room is taken before memory is. */
#include "budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define LIMIT	((uint64_t)8 << 20)
#define FAR	(LIMIT / FX_BUDGET_FAR_DIVISOR)
#define BLOCK	((size_t)256 << 10) /* from malloc(3): counts as it is */
#define THREADS 4

struct fixture {
	struct fx_slab *slab;
	struct fx_budget budget;
};

static int setup(void **state)
{
	static struct fixture f;

	if (fx_slab_create(NULL, &f.slab))
		return -1;
	fx_budget_init(&f.budget, f.slab, LIMIT);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fx_slab_destroy(f->slab);
	return 0;
}

static void what_is_taken_or_promised_is_not_there_for_others(void **state)
{
	struct fixture *f = *state;
	uint64_t taken, other;

	assert_int_equal(fx_budget_take(&f->budget, LIMIT - 1000, &taken), 0);
	assert_int_equal(taken, LIMIT - 1000);
	assert_int_equal(fx_budget_take(&f->budget, 1001, &other), -ENOMEM);
	assert_int_equal(fx_budget_take(&f->budget, 1000, &other), 0);
	fx_budget_give(&f->budget, other);
	fx_budget_promise(&f->budget, LIMIT - 1000, taken);
	assert_int_equal(fx_budget_used(&f->budget), LIMIT - 1000);
	assert_int_equal(fx_budget_take(&f->budget, 1001, &other), -ENOMEM);
	fx_budget_forgo(&f->budget, LIMIT - 1000);
	assert_int_equal(fx_budget_used(&f->budget), 0);
}

static void far_from_the_limit_nothing_is_taken(void **state)
{
	struct fixture *f = *state;
	uint64_t small = FAR / FX_BUDGET_FAR_THREADS, taken = 1;
	void *block;

	assert_int_equal(fx_budget_take(&f->budget, small, &taken), 0);
	assert_int_equal(taken, 0);
	assert_int_equal(fx_budget_take(&f->budget, small + 1, &taken), 0);
	assert_int_equal(taken, small + 1);
	fx_budget_give(&f->budget, taken);
	block = fx_slab_alloc(f->slab, LIMIT - FAR);
	assert_int_equal(fx_budget_take(&f->budget, small, &taken), 0);
	assert_int_equal(taken, small);
	fx_budget_give(&f->budget, taken);
	fx_slab_free(f->slab, block, LIMIT - FAR);
}

/* Small blocks that a thread keeps for its next ones do not use up a small limit. */
static void what_threads_keep_counts_in_part(void **state)
{
	struct fixture *f = *state;
	struct fx_budget tiny;
	void *blocks[64];

	fx_budget_init(&tiny, f->slab, 64 << 10);
	for (unsigned int i = 0; i < 64; i++)
		blocks[i] = fx_slab_alloc(f->slab, 16 * (i + 1));
	for (unsigned int i = 0; i < 64; i++)
		fx_slab_free(f->slab, blocks[i], 16 * (i + 1));
	assert_true(fx_budget_used(&tiny) <= tiny.limit / FX_BUDGET_KEPT_DIVISOR);
	assert_true(fx_slab_held(f->slab) >= fx_slab_claimed(f->slab));
}

static void *allocate(void *arg)
{
	struct fixture *f = arg;
	uint64_t taken;

	for (unsigned int i = 0; i < 20000; i++) {
		void *block;

		if (fx_budget_take(&f->budget, BLOCK, &taken))
			continue;
		block = fx_slab_alloc(f->slab, BLOCK);
		fx_budget_give(&f->budget, taken);
		if (fx_slab_claimed(f->slab) > LIMIT)
			return f;
		if (i % 8)
			fx_slab_free(f->slab, block, BLOCK);
		else
			free(block); /* it stays counted: the limit is reached, and held */
	}
	return NULL;
}

static void threads_do_not_pass_the_limit(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[THREADS];
	void *passed;

	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, allocate, f);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &passed);
		assert_null(passed);
	}
	assert_in_range(fx_slab_claimed(f->slab), LIMIT - BLOCK, LIMIT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_taken_or_promised_is_not_there_for_others),
		TEST(far_from_the_limit_nothing_is_taken),
		TEST(what_threads_keep_counts_in_part),
		TEST(threads_do_not_pass_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
