/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash_full.c - a store of fixed size that is filled to the brim: a put that does not fit is told
 * so at once, deletes always find room, and nothing that was acknowledged is lost, whenever the
 * power goes.
 */
#include "crash_fixture.h"

#define SMALL ((uint64_t)1 << 20)

static int setup_small(void **state)
{
	static const struct crash_plan plan = {.percent = 4, .nested_percent = 10};
	struct crash_run *run = malloc(sizeof(*run));

	if (!run)
		return -1;
	crash_run_begin(run, 1, &plan, NULL, 0, SMALL);
	*state = run;
	return crash_run_open(run);
}

/* Puts until one is refused. */
static void fill(struct crash_run *run)
{
	size_t before;

	do {
		before = run->model.count;
		apply(run, CRASH_PUT);
	} while (run->model.count > before);
}

static unsigned int live_keys(const struct crash_run *run)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < CRASH_KEYS; i++)
		count += run->model.states[run->model.count - 1].keys[i].live;
	return count;
}

static void empty(struct crash_run *run, bool synced_one_by_one)
{
	while (live_keys(run)) {
		size_t before = run->model.count;

		apply(run, CRASH_DELETE);
		assert_int_equal(run->model.count, before + 1); /* there was room for it */
		if (synced_one_by_one)
			apply(run, CRASH_SYNC);
	}
	apply(run, CRASH_SYNC);
}

static void full_store_takes_deletes(void **state)
{
	struct crash_run *run = *state;
	unsigned int most = 0;

	for (unsigned int round = 0; round < 6; round++) {
		unsigned int keys;

		run->value_size = 90000 + round * 2000;
		fill(run);
		keys = live_keys(run);
		assert_true(keys < CRASH_KEYS); /* it was full, not out of keys */
		apply(run, CRASH_SYNC);
		/* What was freed can be had again. */
		assert_true(!round || keys + 3 >= most);
		most = keys > most ? keys : most;
		empty(run, round % 2);
	}
	assert_int_equal(crash_run_close(run), 0);
	assert_int_equal(crash_run_check(run), 0);
	assert_int_equal(crash_run_walk(run), 0);
}

/* Every change by chance, while there is hardly any room. */
static void full_store_loses_nothing(void **state)
{
	struct crash_run *run = *state;

	run->value_size = 70000;
	fill(run);
	for (unsigned int i = 0; i < 60; i++) {
		run->value_size = i % 3 ? 70000 : 100;
		apply(run, i % 4 ? crash_choose(run) : CRASH_SYNC);
	}
	assert_int_equal(crash_run_close(run), 0);
	assert_int_equal(crash_run_check(run), 0);
	assert_int_equal(crash_run_walk(run), 0);
}

#define SMALL_CASE(name) cmocka_unit_test_setup_teardown(name, setup_small, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SMALL_CASE(full_store_takes_deletes),
		SMALL_CASE(full_store_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
