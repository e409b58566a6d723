/* SPDX-License-Identifier: Apache-2.0 */
/* The free-space manager against a bitmap, and what it must refuse. */
#include "fixture.h"

#include "space.h"

#define BLOCKS 2000u

static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

static void best_fit_and_coalescing(void **state)
{
	struct fx_space *space;
	uint64_t start;

	assert_int_equal(fx_space_create(&space), 0);
	assert_int_equal(fx_space_alloc(space, 1, &start), -ENOSPC);
	assert_int_equal(fx_space_free(space, (struct fx_run){10, 5}), 0);
	assert_int_equal(fx_space_free(space, (struct fx_run){20, 3}), 0);
	assert_int_equal(fx_space_alloc(space, 3, &start), 0);
	assert_int_equal(start, 20); /* the run that fits best */
	assert_int_equal(fx_space_free(space, (struct fx_run){15, 5}), 0);
	assert_int_equal(fx_space_run_count(space), 1); /* 10..19 */
	assert_int_equal(fx_space_free(space, (struct fx_run){20, 3}), 0);
	assert_int_equal(fx_space_run_count(space), 1);
	assert_int_equal(fx_space_longest(space).blocks, 13);
	assert_int_equal(fx_space_last(space, 23).start, 10);
	assert_int_equal(fx_space_last(space, 24).blocks, 0);
	fx_space_destroy(space);
}

static void overlap_is_refused(void **state)
{
	struct fx_space *space;

	assert_int_equal(fx_space_create(&space), 0);
	assert_int_equal(fx_space_free(space, (struct fx_run){10, 10}), 0);
	assert_int_equal(fx_space_free(space, (struct fx_run){10, 10}), -EEXIST);
	assert_int_equal(fx_space_free(space, (struct fx_run){5, 6}), -EEXIST);
	assert_int_equal(fx_space_free(space, (struct fx_run){19, 1}), -EEXIST);
	assert_int_equal(fx_space_free(space, (struct fx_run){0, 100}), -EEXIST);
	assert_int_equal(fx_space_free(space, (struct fx_run){5, 0}), -EINVAL);
	assert_int_equal(fx_space_free(space, (struct fx_run){UINT64_MAX, 2}), -EINVAL);
	assert_int_equal(fx_space_take(space, (struct fx_run){9, 2}), -ENOENT);
	assert_int_equal(fx_space_take(space, (struct fx_run){19, 2}), -ENOENT);
	assert_int_equal(fx_space_free_blocks(space), 10);
	assert_int_equal(fx_space_take(space, (struct fx_run){12, 2}), 0);
	assert_int_equal(fx_space_take(space, (struct fx_run){12, 2}), -ENOENT);
	assert_int_equal(fx_space_run_count(space), 2);
	fx_space_destroy(space);
}

static bool is_free(const bool *map, uint64_t start, uint64_t blocks)
{
	for (uint64_t i = start; i < start + blocks; i++)
		if (!map[i])
			return false;
	return true;
}

static bool any_free(const bool *map, uint64_t start, uint64_t blocks)
{
	for (uint64_t i = start; i < start + blocks; i++)
		if (map[i])
			return true;
	return false;
}

static void set(bool *map, uint64_t start, uint64_t blocks, bool value)
{
	for (uint64_t i = start; i < start + blocks; i++)
		map[i] = value;
}

/* The longest run of the map, and how many runs there are. */
static uint64_t survey(const bool *map, size_t *ret_runs, uint64_t *ret_free)
{
	uint64_t longest = 0, length = 0;

	*ret_runs = 0;
	*ret_free = 0;
	for (uint64_t i = 0; i <= BLOCKS; i++) {
		if (i < BLOCKS && map[i]) {
			*ret_runs += length == 0;
			length++;
			(*ret_free)++;
		} else {
			length = 0;
		}
		longest = length > longest ? length : longest;
	}
	return longest;
}

static void random_operations_agree_with_a_bitmap(void **state)
{
	static bool map[BLOCKS + 64];
	struct fx_space *space;

	seed = 7;
	assert_int_equal(fx_space_create(&space), 0);
	for (int i = 0; i < 100000; i++) {
		uint64_t start = rnd(BLOCKS - 32), blocks = 1 + rnd(30), free_blocks, longest;
		struct fx_run run = {start, blocks};
		size_t runs;

		switch (rnd(3)) {
		case 0:
			assert_int_equal(fx_space_free(space, run),
					 any_free(map, start, blocks) ? -EEXIST : 0);
			if (!any_free(map, start, blocks))
				set(map, start, blocks, true);
			break;
		case 1:
			assert_int_equal(fx_space_take(space, run),
					 is_free(map, start, blocks) ? 0 : -ENOENT);
			if (is_free(map, start, blocks))
				set(map, start, blocks, false);
			break;
		default:
			if (!fx_space_alloc(space, blocks, &start)) {
				assert_true(is_free(map, start, blocks));
				set(map, start, blocks, false);
			} else {
				assert_true(survey(map, &runs, &free_blocks) < blocks);
			}
		}
		if (i % 64)
			continue;
		longest = survey(map, &runs, &free_blocks);
		assert_int_equal(fx_space_longest(space).blocks, longest);
		assert_int_equal(fx_space_run_count(space), runs);
		assert_int_equal(fx_space_free_blocks(space), free_blocks);
	}
	fx_space_destroy(space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(best_fit_and_coalescing),
		cmocka_unit_test(overlap_is_refused),
		cmocka_unit_test(random_operations_agree_with_a_bitmap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
