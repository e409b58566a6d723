/* SPDX-License-Identifier: Apache-2.0 */
/* crash_fixture.h - what single crash tests share: a recorded store in *state, and power cuts. */
#ifndef FX_CRASH_FIXTURE_H
#define FX_CRASH_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crash_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SIZE ((uint64_t)4 << 20)

static inline int setup(void **state)
{
	static const struct crash_plan plan = {.percent = 100};
	struct crash_run *run = malloc(sizeof(*run));

	if (!run)
		return -1;
	crash_run_begin(run, 1, &plan, NULL, 0, MAX_SIZE);
	*state = run;
	return crash_run_open(run);
}

static inline int teardown(void **state)
{
	struct crash_run *run = *state;

	feox_close(run->store);
	crash_run_end(run);
	free(run);
	return 0;
}

static inline void apply(struct crash_run *run, enum crash_op op)
{
	assert_int_equal(crash_apply(run, op), 0);
}

/* What is on disk if the power goes now and nothing unsynced has arrived, into MAX_SIZE bytes. */
static inline uint64_t durable_image(struct crash_run *run, uint8_t *image)
{
	struct recorder_walk walk;
	uint64_t random = 1, size;

	recorder_walk_begin(&walk, run->medium);
	while (recorder_walk_step(&walk))
		;
	size = recorder_state(&walk, RECORDER_NONE, &random, image);
	recorder_walk_end(&walk);
	return size;
}

/* The power goes: what was not synced is lost. Nothing is open afterwards. */
static inline void cut_power(struct crash_run *run)
{
	uint8_t *image = malloc(MAX_SIZE);
	uint64_t size = durable_image(run, image);

	feox_close(run->store);
	run->store = NULL;
	recorder_load(run->medium, image, size);
	free(image);
	recorder_start(run->medium);
}

/* And it is opened again. */
static inline void crash(struct crash_run *run)
{
	cut_power(run);
	assert_int_equal(crash_run_open(run), 0);
}

/* The open store holds one of the states counted first to last. */
static inline void expect_state(struct crash_run *run, size_t first, size_t last)
{
	const char *why;

	if (!crash_model_find(&run->model, run->store, first, last, &why))
		fail_msg("%s", why);
}

static inline uint64_t put_one(struct crash_run *run, const char *key)
{
	struct feox_write_result result = {0};

	assert_int_equal(feox_put(run->store, key, strlen(key), "1", 1, NULL, &result), 0);
	return result.version;
}

static inline bool is_there(struct crash_run *run, const char *key)
{
	struct feox_value value;
	int err = feox_get(run->store, key, strlen(key), 0, &value);

	assert_true(!err || err == -ENOENT);
	if (!err)
		feox_value_release(run->store, &value);
	return !err;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
