/* SPDX-License-Identifier: Apache-2.0 */
/* The extent table: numbers, and how long a removed extent can still be found. */
#include "fixture.h"

#include "extent_table.h"

struct table_fixture {
	struct fx_slab *slab;
	struct fx_epoch *epoch;
	struct fx_extent_table *table;
	uint64_t freed; /* blocks */
};

static int setup(void **state)
{
	struct table_fixture *f = calloc(1, sizeof(*f));

	*state = f;
	return fx_slab_create(NULL, &f->slab) || fx_epoch_create(f->slab, &f->epoch) ||
	       fx_extent_table_create(f->slab, f->epoch, &f->table);
}

static int teardown(void **state)
{
	struct table_fixture *f = *state;

	fx_epoch_drain(f->epoch);
	fx_extent_table_destroy(f->table);
	fx_epoch_destroy(f->epoch);
	fx_slab_destroy(f->slab);
	free(f);
	return 0;
}

static void count_run(void *ctx, struct fx_run run)
{
	struct table_fixture *f = ctx;

	f->freed += run.blocks;
}

static struct fx_extent *add(struct table_fixture *f, uint64_t sequence)
{
	struct fx_run run = {.start = sequence * 10, .blocks = 3};
	struct fx_extent *extent;

	assert_int_equal(fx_extent_table_add(f->table, sequence, 3 * 4096, 100, 5, 0, &run, 1, NULL,
					     &extent),
			 0);
	return extent;
}

/* A reader that has loaded a location finds its extent, although the flusher has removed it. */
static void removed_extent_is_found_in_section(void **state)
{
	struct table_fixture *f = *state;
	struct fx_extent *extent = add(f, 1);
	uint32_t number = extent->number, cursor = 0;

	fx_epoch_enter();
	fx_extent_table_remove(f->table, extent);
	fx_epoch_flush(f->epoch);
	fx_extent_table_reap(f->table, count_run, f);
	assert_ptr_equal(fx_extent_table_get(f->table, number), extent);
	fx_extent_pin(extent);
	fx_epoch_leave();
	assert_null(fx_extent_table_next(f->table, &cursor)); /* but a checkpoint leaves it out */
	assert_null(fx_extent_table_by_sequence(f->table, 1));
	fx_epoch_drain(f->epoch);
	fx_extent_table_reap(f->table, count_run, f);
	assert_int_equal(f->freed, 0); /* pinned */
	fx_extent_unpin(extent);
	fx_extent_table_reap(f->table, count_run, f);
	assert_int_equal(f->freed, 3);
	assert_null(fx_extent_table_get(f->table, number));
	assert_int_equal(add(f, 2)->number, number);
}

static void records_die_once(void **state)
{
	struct table_fixture *f = *state;
	struct fx_extent *extent = add(f, 7);

	assert_int_equal(fx_extent_kill(f->table, extent, 5), -ENOENT);
	assert_int_equal(fx_extent_kill(f->table, extent, 4), 0);
	assert_int_equal(fx_extent_kill(f->table, extent, 4), -ENOENT);
	assert_int_equal(extent->live_count, 4);
	assert_int_equal(fx_extent_table_live_records(f->table), 4);
	assert_ptr_equal(fx_extent_table_by_sequence(f->table, 7), extent);
}

#define TABLE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The flusher may wait for the grace period itself; a pin still counts. */
static void waited_grace_frees_what_nobody_pins(void **state)
{
	struct table_fixture *f = *state;
	struct fx_extent *pinned = add(f, 1), *other = add(f, 2);

	fx_extent_pin(pinned);
	fx_extent_table_remove(f->table, pinned);
	fx_extent_table_remove(f->table, other);
	assert_int_equal(fx_extent_table_leaving_blocks(f->table), 6);
	fx_extent_table_wait_grace(f->table);
	fx_extent_table_reap(f->table, count_run, f);
	assert_int_equal(f->freed, 3);
	assert_int_equal(fx_extent_table_leaving(f->table), 1);
	fx_extent_unpin(pinned);
	fx_extent_table_reap(f->table, count_run, f);
	assert_int_equal(f->freed, 6);
	assert_int_equal(fx_extent_table_leaving_blocks(f->table), 0);
}

/* By what lives in them, the oldest first; what dies moves them down. */
static void emptiest_is_found_first(void **state)
{
	struct table_fixture *f = *state;
	struct fx_live_shares *shares = fx_extent_table_shares(f->table);
	struct fx_extent *a = add(f, 1), *b = add(f, 2), *c = add(f, 3);

	assert_int_equal(fx_shares_blocks(shares), 9);
	assert_int_equal(fx_shares_gain(shares, FX_SHARES), 0);
	assert_int_equal(fx_extent_table_kill(f->table, b, 0, 3 * 4096 / 4 * 3), 0);
	assert_int_equal(fx_extent_table_kill(f->table, c, 4, 3 * 4096 / 4 * 3), 0);
	assert_ptr_equal(TAILQ_FIRST(&shares->lists[FX_SHARES / 4]), b);
	assert_ptr_equal(TAILQ_NEXT(b, by_share), c);
	assert_ptr_equal(TAILQ_FIRST(&shares->lists[FX_SHARE_WHOLE]), a);
	assert_int_equal(fx_shares_live_bytes(shares), 3 * 4096 / 2 * 3);
	/* 6 blocks, of which 1.5 live: these would take 2. */
	assert_int_equal(fx_shares_gain(shares, FX_SHARES / 2), 4);
	assert_int_equal(fx_shares_gain(shares, FX_SHARES / 4), 0);
	assert_int_equal(fx_extent_table_kill(f->table, b, 0, 1), -ENOENT);
	fx_shares_postpone(shares, b);
	assert_ptr_equal(TAILQ_FIRST(&shares->lists[FX_SHARES / 4]), c);
	fx_extent_table_remove(f->table, c);
	fx_extent_table_weigh(f->table, b, 3 * 4096);
	assert_true(TAILQ_EMPTY(&shares->lists[FX_SHARES / 4]));
	assert_int_equal(fx_shares_blocks(shares), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE_TEST(removed_extent_is_found_in_section),
		TABLE_TEST(records_die_once),
		cmocka_unit_test_setup_teardown(waited_grace_frees_what_nobody_pins, setup,
						teardown),
		cmocka_unit_test_setup_teardown(emptiest_is_found_first, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
