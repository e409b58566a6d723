/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash_invariants.c - I4, I5, I6, I8 and I9 of docs/testing.md, each by its name; the others,
 * which are about what is on disk, are in crash_invariants_disk.c. What the random workloads find
 * out by chance is shown here on purpose.
 *
 * Linked with the library that has pause points.
 */
#include "crash_fixture.h"

#include "commit.h"
#include "pause_fixture.h"

#include <sched.h>
#include <time.h>

/* ---- I4: what was synced survives -------------------------------------------------------------
 */

static void I4_every_change_survives_its_sync(void **state)
{
	static const enum crash_op ops[] = {CRASH_PUT,	  CRASH_PUT,	  CRASH_OVERWRITE,
					    CRASH_EXPIRE, CRASH_METADATA, CRASH_BATCH,
					    CRASH_RENAME, CRASH_EXCHANGE, CRASH_PREFIX,
					    CRASH_DELETE, CRASH_DELETE};
	struct crash_run *run = *state;

	for (size_t i = 0; i < 3 * sizeof(ops) / sizeof(*ops); i++) {
		apply(run, ops[i % (sizeof(ops) / sizeof(*ops))]);
		apply(run, i % 2 ? CRASH_SYNC : CRASH_SYNC_KEY);
		apply(run, CRASH_SYNC);
		crash(run);
		expect_state(run, run->model.count, run->model.count);
	}
}

/* Links and new chains in between: the journal is filled many times. */
static void I4_survives_links_and_new_chains(void **state)
{
	struct crash_run *run = *state;

	for (unsigned int i = 0; i < 200; i++) {
		apply(run, i % 3 ? CRASH_OVERWRITE : CRASH_PUT);
		apply(run, CRASH_SYNC);
	}
	crash(run);
	expect_state(run, run->model.count, run->model.count);
}

/* ---- I5: one cut ------------------------------------------------------------------------------
 */

static void put_first(void *arg)
{
	put_one(arg, "first");
}

static void note(void *ctx, int result)
{
	atomic_store((_Atomic int *)ctx, result ? result : 1);
}

/* Until *flag is set, at most 100 ms: if it is set too early, that takes no longer. */
static void give_time(_Atomic int *flag)
{
	struct timespec pause = {.tv_nsec = 1000000};

	for (unsigned int i = 0; i < 100 && !atomic_load(flag); i++)
		nanosleep(&pause, NULL);
}

/*
 * A writer stands between publishing "first" and queueing it. Who sees "first" and then writes
 * "second" must not have it durable alone.
 */
static void I5_nothing_is_there_without_what_its_writer_saw(void **state)
{
	struct crash_run *run = *state;
	uint8_t *image = malloc(MAX_SIZE);
	_Atomic int synced = 0;
	struct victim victim;
	uint64_t size;

	assert_int_equal(feox_put(run->store, "first", 5, "0", 1, NULL, NULL), 0);
	assert_int_equal(feox_sync(run->store), 0);
	assert_true(victim_start(&victim, FX_PAUSE_PUBLISHED, 0, put_first, run));
	put_one(run, "second");
	assert_int_equal(feox_sync_async(run->store, NULL, 0, note, (void *)&synced), 0);
	give_time(&synced);
	size = durable_image(run, image);
	victim_finish(&victim);
	assert_int_equal(feox_close(run->store), 0);
	recorder_load(run->medium, image, size);
	free(image);
	assert_int_equal(crash_run_open(run), 0);
	if (is_there(run, "second")) {
		char value = 0;
		size_t n;

		assert_int_equal(feox_read(run->store, "first", 5, 0, &value, 1, 0, &n, NULL), 0);
		assert_int_equal(value, '1');
	}
}

/* Without a sync the flusher comes by itself. */
static void I5_the_loss_is_bounded_by_the_flush_interval(void **state)
{
	struct crash_run *run = *state;
	struct feox_options options = crash_options(&run->model);
	struct feox_stats stats;
	struct timespec pause = {.tv_nsec = 1000000};

	assert_int_equal(feox_close(run->store), 0);
	options.flush_interval_ns = 1000000;
	recorder_start(run->medium);
	assert_int_equal(feox_open(&options, &run->store, NULL), 0);
	put_one(run, "k");
	do {
		nanosleep(&pause, NULL);
		assert_int_equal(feox_stats(run->store, &stats), 0);
	} while (stats.queued_records);
	crash(run);
	assert_true(is_there(run, "k"));
}

/* ---- I6: recovery -----------------------------------------------------------------------------
 */

/* Every state of a short life, every recovery of it crashed at every place, shows one state. */
static void I6_a_crash_inside_recovery_is_harmless(void **state)
{
	struct crash_run *run = *state;

	run->plan.nested_percent = 100;
	apply(run, CRASH_PUT);
	apply(run, CRASH_SYNC);
	apply(run, CRASH_OVERWRITE);
	apply(run, CRASH_PUT);
	apply(run, CRASH_SYNC);
	assert_int_equal(crash_run_close(run), 0);
	assert_int_equal(crash_run_walk(run), 0);
	assert_true(run->nested > 100);
}

static void I6_recovery_is_idempotent(void **state)
{
	struct crash_run *run = *state;

	for (unsigned int i = 0; i < 40; i++)
		apply(run, crash_choose(run));
	apply(run, CRASH_SYNC);
	for (unsigned int i = 0; i < 20; i++) {
		crash(run);
		expect_state(run, run->model.count, run->model.count);
	}
}

/* ---- I8: never again --------------------------------------------------------------------------
 */

static void I8_what_was_deleted_or_replaced_stays_away(void **state)
{
	struct crash_run *run = *state;

	put_one(run, "gone");
	put_one(run, "kept"); /* in the same extent, which therefore stays */
	assert_int_equal(feox_sync(run->store), 0);
	assert_int_equal(feox_delete(run->store, "gone", 4, NULL), 0);
	assert_int_equal(feox_put(run->store, "kept", 4, "2", 1, NULL, NULL), 0);
	put_one(run, "other");
	assert_int_equal(feox_sync(run->store), 0);
	for (unsigned int i = 0; i < 3; i++) {
		char value = 0;
		size_t n;

		crash(run);
		assert_false(is_there(run, "gone"));
		assert_int_equal(feox_read(run->store, "kept", 4, 0, &value, 1, 0, &n, NULL), 0);
		assert_int_equal(value, '2');
	}
}

/* The clock is set back while the store is closed: what had expired has expired. */
static void I8_what_has_expired_stays_away(void **state)
{
	struct feox_write_options options = {.expiry_ns = CRASH_NOW + CRASH_TTL};
	struct crash_run *run = *state;

	assert_int_equal(feox_put(run->store, "k", 1, "1", 1, &options, NULL), 0);
	assert_int_equal(feox_sync(run->store), 0);
	run->model.now = CRASH_NOW + 2 * CRASH_TTL;
	assert_false(is_there(run, "k"));
	put_one(run, "other");
	assert_int_equal(feox_sync(run->store), 0);
	run->model.now = CRASH_NOW;
	for (unsigned int i = 0; i < 3; i++) {
		crash(run);
		assert_false(is_there(run, "k"));
	}
}

static void I8_versions_and_numbers_are_given_once(void **state)
{
	struct crash_run *run = *state;
	uint64_t version = 0, number = 0;

	for (unsigned int i = 0; i < 6; i++) {
		uint64_t v, n;

		for (unsigned int k = 0; k < 40; k++) {
			v = put_one(run, "k");
			assert_int_equal(feox_next_id(run->store, &n), 0);
			assert_true(v > version && n > number);
			version = v;
			number = n;
		}
		crash(run); /* all of it is lost, but not forgotten */
	}
}

/* ---- I9: batches ------------------------------------------------------------------------------
 */

/* A batch over several extents, in every state. */
static void I9_a_batch_is_all_or_nothing(void **state)
{
	struct crash_run *run = *state;

	for (unsigned int i = 0; i < 4; i++) {
		apply(run, CRASH_BATCH);
		apply(run, CRASH_SYNC);
	}
	apply(run, CRASH_PREFIX);
	assert_int_equal(crash_run_close(run), 0);
	assert_int_equal(crash_run_walk(run), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(I4_every_change_survives_its_sync),
		CASE(I4_survives_links_and_new_chains),
		CASE(I5_nothing_is_there_without_what_its_writer_saw),
		CASE(I5_the_loss_is_bounded_by_the_flush_interval),
		CASE(I6_a_crash_inside_recovery_is_harmless),
		CASE(I6_recovery_is_idempotent),
		CASE(I8_what_was_deleted_or_replaced_stays_away),
		CASE(I8_what_has_expired_stays_away),
		CASE(I8_versions_and_numbers_are_given_once),
		CASE(I9_a_batch_is_all_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
