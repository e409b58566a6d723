/* SPDX-License-Identifier: Apache-2.0 */
/* The checker of linear.h itself: it tells what cannot be from what can. */
#include "linear.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>

#define START_NS (UINT64_C(2000000000) * 1000000000)

/* A stale read, a lost increment and a failed create that nothing explains are told. */
static void the_checker_tells(void **state)
{
	struct linear_op stale[] = {
		{.kind = LINEAR_PUT, .value = 1, .version = 1, .called = 0, .returned = 1},
		{.kind = LINEAR_PUT, .value = 2, .version = 2, .called = 2, .returned = 3},
		{.kind = LINEAR_GET, .value = 1, .version = 1, .called = 4, .returned = 5},
	};
	struct linear_op lost[] = {
		{.kind = LINEAR_ADD,
		 .value = 1,
		 .number = 1,
		 .version = 1,
		 .called = 0,
		 .returned = 2},
		{.kind = LINEAR_ADD,
		 .value = 1,
		 .number = 1,
		 .version = 2,
		 .called = 1,
		 .returned = 3},
	};
	struct linear_op refused[] = {
		{.kind = LINEAR_CREATE, .result = -EEXIST, .called = 0, .returned = 1},
	};

	assert_int_equal(linear_check(stale, 3, START_NS), LINEAR_NO);
	stale[2].called = 1; /* now it may have been in between */
	stale[0].returned = 2;
	stale[1].called = 3;
	stale[1].returned = 4;
	assert_int_equal(linear_check(stale, 3, START_NS), LINEAR_YES);
	assert_int_equal(linear_check(lost, 2, START_NS), LINEAR_NO);
	lost[1].number = 2;
	assert_int_equal(linear_check(lost, 2, START_NS), LINEAR_YES);
	assert_int_equal(linear_check(refused, 1, START_NS), LINEAR_NO);
}

/* A key goes by eviction once, and only when it was there. */
static void it_knows_evictions(void **state)
{
	struct linear_op ops[] = {
		{.kind = LINEAR_PUT, .value = 1, .version = 1, .called = 0, .returned = 1},
		{.kind = LINEAR_EVICT, .version = 2, .called = 2, .returned = 5},
		{.kind = LINEAR_GET, .result = -ENOENT, .called = 3, .returned = 4},
		{.kind = LINEAR_GET, .value = 1, .version = 1, .called = 6, .returned = 7},
	};

	assert_int_equal(linear_check(ops, 3, START_NS), LINEAR_YES);
	assert_int_equal(linear_check(ops, 4, START_NS), LINEAR_NO);
	ops[1].version = 1;
	assert_int_equal(linear_check(ops, 3, START_NS), LINEAR_NO);
	ops[1].version = 2;
	ops[0].called = 6;
	ops[0].returned = 7;
	assert_int_equal(linear_check(ops, 3, START_NS), LINEAR_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_checker_tells),
		cmocka_unit_test(it_knows_evictions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
