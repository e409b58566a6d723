/* SPDX-License-Identifier: Apache-2.0 */
/* When the flusher works: for those who wait for it, however long its interval is. */
#include "fixture.h"

#include <time.h>

#define HOUR_NS UINT64_C(3600000000000)

static void open_lazy(struct fixture *f)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE;
	options.flush_interval_ns = HOUR_NS;
	options.max_value_bytes = FEOX_VALUE_MAX;
	open_with(f, &options);
}

/* A put that the queue has no room for wakes the flusher: it does not wait for the interval. */
static void full_queue_wakes_flusher(void **state)
{
	struct fixture *f = *state;
	size_t size = (size_t)255 << 20;
	void *value = calloc(1, size);

	open_lazy(f);
	alarm(60); /* it hung for an hour */
	assert_int_equal(feox_put(f->store, "a", 1, value, 8 << 20, NULL, NULL), 0);
	assert_int_equal(feox_put(f->store, "b", 1, value, size, NULL, NULL), 0);
	alarm(0);
	free(value);
}

/* Numbers go on although nothing is written that would raise their durable ceiling. */
static void ids_go_on_without_writes(void **state)
{
	struct fixture *f = *state;
	uint64_t id, before = 0;

	open_lazy(f);
	alarm(60); /* it hung for ever */
	for (unsigned int i = 0; i < (1u << 24) + 10; i++) {
		assert_int_equal(feox_next_id(f->store, &id), 0);
		assert_true(id > before);
		before = id;
	}
	alarm(0);
	reopen(f);
	assert_int_equal(feox_next_id(f->store, &id), 0);
	assert_true(id > before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(full_queue_wakes_flusher),
		TEST(ids_go_on_without_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
