/* SPDX-License-Identifier: Apache-2.0 */
/* crash_cases.c - single crashes, each of which stands for a fault that there was. */
#include "crash_fixture.h"

#include "bytes.h"

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

/* Is block of the medium a link of the chain that the superblock names? */
static bool is_link(const struct recorder *medium, uint64_t block)
{
	const uint8_t *super = medium->view, *record = medium->view + block * FX_BLOCK;

	return !memcmp(record, "FXJR", 4) && fx_get_u64(record + 24) == fx_get_u64(super + 48) &&
	       fx_get_u64(record + 56);
}

/*
 * The chain seemed to end before its link: what had been synced since was gone, and nobody was
 * told.
 */
static void a_link_that_is_lost_is_damage(void **state)
{
	struct crash_run *run = *state;
	struct recorder *medium = run->medium;
	unsigned int links = 0;

	for (unsigned int i = 0; i < 6; i++) {
		put_one(run, "k/0");
		assert_int_equal(feox_sync(run->store), 0);
	}
	cut_power(run);
	for (uint64_t block = 2; block < medium->size / FX_BLOCK; block++) {
		uint8_t kept[FX_BLOCK];

		if (!is_link(medium, block))
			continue;
		links++;
		memcpy(kept, medium->view + block * FX_BLOCK, FX_BLOCK);
		memset(medium->view + block * FX_BLOCK, 0, FX_BLOCK);
		run->quiet = true;
		assert_int_equal(crash_run_open(run), -EUCLEAN);
		memcpy(medium->view + block * FX_BLOCK, kept, FX_BLOCK);
	}
	assert_true(links > 0);
	assert_int_equal(crash_run_open(run), 0);
}

static uint64_t set_one(struct crash_run *run, bool batched, uint64_t version)
{
	struct feox_write_options options = {.flags = FEOX_SET_VERSION, .set_version = version};
	struct feox_batch *batch;

	if (!batched) {
		assert_int_equal(feox_put(run->store, "k", 1, "1", 1, &options, NULL), 0);
		return put_one(run, "k");
	}
	assert_int_equal(feox_batch_create(run->store, &batch), 0);
	assert_int_equal(feox_batch_put(batch, "k", 1, "1", 1, &options), 0);
	assert_int_equal(feox_batch_commit(batch, 0, NULL), 0);
	feox_batch_free(batch);
	return put_one(run, "k");
}

/*
 * A version that was set lifted those that followed beyond the durable ceiling, and a crash took
 * that back: they were given out again.
 */
static void versions_that_follow_a_set_one_are_remembered(void **state)
{
	struct crash_run *run = *state;
	uint64_t version = CRASH_NOW;

	for (unsigned int i = 0; i < 6; i++) {
		uint64_t told = set_one(run, i % 2, version += UINT64_C(1000000000000));

		assert_true(told > version);
		crash(run);
		assert_true(put_one(run, "k") > told);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_link_that_is_lost_is_damage),
		CASE(versions_that_follow_a_set_one_are_remembered),
		CASE(versions_stay_below_the_ceiling_after_idling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
