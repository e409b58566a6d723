/* SPDX-License-Identifier: Apache-2.0 */
/* crash_cases.c - single crashes, each of which stands for a fault that there was or could be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crash_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SIZE ((uint64_t)4 << 20)

static int setup(void **state)
{
	static const struct crash_plan plan = {.percent = 100};
	struct crash_run *run = malloc(sizeof(*run));

	if (!run)
		return -1;
	crash_run_begin(run, 1, &plan, NULL, 0, MAX_SIZE);
	*state = run;
	return crash_run_open(run);
}

static int teardown(void **state)
{
	struct crash_run *run = *state;

	feox_close(run->store);
	crash_run_end(run);
	free(run);
	return 0;
}

/* The power goes: what was not synced is lost. Then the store is opened again. */
static void crash(struct crash_run *run)
{
	uint8_t *image = malloc(MAX_SIZE);
	struct recorder_walk walk;
	uint64_t random = 1, size;

	recorder_walk_begin(&walk, run->medium);
	while (recorder_walk_step(&walk))
		;
	size = recorder_state(&walk, RECORDER_NONE, &random, image);
	recorder_walk_end(&walk);
	feox_close(run->store);
	run->store = NULL;
	recorder_load(run->medium, image, size);
	free(image);
	recorder_start(run->medium);
	assert_int_equal(crash_run_open(run), 0);
}

static uint64_t put_one(struct crash_run *run, const char *key)
{
	struct feox_write_result result = {0};

	assert_int_equal(feox_put(run->store, key, strlen(key), "1", 1, NULL, &result), 0);
	return result.version;
}

/*
 * After a minute without a commit the clock had reached the durable ceiling, and versions were
 * counted on from there: beyond what recovery knew of, so that it gave them out again when the
 * clock did not help.
 */
static void versions_stay_below_the_ceiling_after_idling(void **state)
{
	struct crash_run *run = *state;

	for (unsigned int round = 0; round < 3; round++) {
		uint64_t told = 0;

		run->model.now += UINT64_C(1000) * 1000000000;
		for (unsigned int i = 0; i < 50; i++)
			told = put_one(run, "k/0");
		run->model.now = CRASH_NOW;
		crash(run);
		assert_true(put_one(run, "k/0") > told);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(versions_stay_below_the_ceiling_after_idling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
