/* SPDX-License-Identifier: Apache-2.0 */
/* The memory limit as a budget: its parts, how closely it is held, what works at the limit. */
#include "fixture.h"

#include "budget.h"
#include "epoch.h"

#include <pthread.h>
#include <stdatomic.h>

#define MIB	((uint64_t)1 << 20)
#define LIMIT	(32 * MIB)
#define THREADS 4u

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static char bytes[1 << 20];

static void open_limited(struct fixture *f)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	options.memory_limit_bytes = LIMIT;
	open_with(f, &options);
}

static struct feox_stats stats_of(struct feox_store *store)
{
	struct feox_stats stats;

	assert_int_equal(feox_stats(store, &stats), 0);
	return stats;
}

static int put_number(struct feox_store *store, unsigned int number, size_t value_size,
		      unsigned int flags)
{
	struct feox_write_options options = {.flags = flags};
	char key[24];
	int n = snprintf(key, sizeof(key), "key%u", number);

	return feox_put(store, key, (size_t)n, bytes, value_size, &options, NULL);
}

static int delete_number(struct feox_store *store, unsigned int number)
{
	char key[24];

	snprintf(key, sizeof(key), "key%u", number);
	return del(store, key);
}

/* How many fit. */
static unsigned int fill(struct feox_store *store, size_t value_size)
{
	unsigned int count = 0;
	int err;

	while (!(err = put_number(store, count, value_size, 0)))
		count++;
	assert_int_equal(err, -ENOMEM);
	return count;
}

static uint64_t rss(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long size, resident = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &size, &resident), 2);
	fclose(file);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void expect_parts(const struct feox_stats *s)
{
	assert_int_equal(s->memory_bytes, s->memory_record_bytes + s->memory_hash_bytes +
						  s->memory_order_bytes + s->memory_deferred_bytes);
}

/* The sum of the parts and the overhead is what the process has, within 5 % and 1 MiB. */
static void parts_are_what_is_used(void **state)
{
	struct fixture *f = *state;
	uint64_t before = rss(), after, told;
	struct feox_stats s;

	open_limited(f);
	for (unsigned int i = 0; i < 100000; i++)
		assert_int_equal(put_number(f->store, i, 100, 0), 0);
	for (unsigned int i = 0; i < 8; i++) /* from malloc(3) */
		assert_int_equal(put_number(f->store, 100000 + i, MIB / 2, 0), 0);
	after = rss();
	s = stats_of(f->store);
	expect_parts(&s);
	assert_in_range(s.memory_record_bytes, 100000 * 100 + 4 * MIB, LIMIT);
	assert_in_range(s.memory_hash_bytes, 100000 * 8, 100000 * 24);
	assert_in_range(s.memory_order_bytes, 100000 * 8, 100000 * 64);
	assert_int_equal(s.memory_reserved_bytes, 0);
	told = s.memory_bytes + s.memory_overhead_bytes;
	print_message("resident %lu, told %lu\n", (unsigned long)(after - before),
		      (unsigned long)told);
	if (!SANITIZED)
		assert_in_range(after - before, told - told / 20 - MIB, told + told / 20 + MIB);
}

static void reservations_are_a_part(void **state)
{
	struct fixture *f = *state;

	open_limited(f);
	assert_int_equal(feox_reserve(f->store, 16 * MIB, 0), 0);
	assert_in_range(stats_of(f->store).memory_reserved_bytes, 16 * MIB, 16 * MIB + 64 * 1024);
	assert_int_equal(feox_reserve(f->store, 16 * MIB, 0), -ENOMEM);
	assert_int_equal(put_number(f->store, 0, MIB, 0), 0);
	feox_unreserve(f->store, 16 * MIB);
	assert_int_equal(stats_of(f->store).memory_reserved_bytes, 0);
	assert_int_equal(feox_reserve(f->store, 16 * MIB, 0), 0);
	feox_unreserve(f->store, 16 * MIB);
}

struct writer {
	struct feox_store *store;
	unsigned int number;
	uint64_t most; /* of memory_bytes, seen */
	unsigned int refused;
};

static void *write_until_refused(void *arg)
{
	static const size_t sizes[] = {10, 100, 1000, 20000, 300000, MIB};
	struct writer *w = arg;

	for (unsigned int i = 0; w->refused < 200; i++) {
		int err = put_number(w->store, w->number + i * THREADS, sizes[i % 6], 0);
		uint64_t used = stats_of(w->store).memory_bytes;

		if (err != 0 && err != -ENOMEM)
			fail_msg("put: %d", err);
		w->refused += err == -ENOMEM;
		w->most = used > w->most ? used : w->most;
	}
	return NULL;
}

static void threads_hold_the_limit(void **state)
{
	struct fixture *f = *state;
	struct writer writers[THREADS];
	pthread_t threads[THREADS];

	open_limited(f);
	for (unsigned int i = 0; i < THREADS; i++) {
		writers[i] = (struct writer){.store = f->store, .number = i};
		pthread_create(&threads[i], NULL, write_until_refused, &writers[i]);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_in_range(writers[i].most, LIMIT * 3 / 4,
				LIMIT + THREADS * FX_BUDGET_BEYOND_BYTES);
	}
	assert_int_equal(stats_of(f->store).memory_reserved_bytes, 0);
}

/* What was deleted or replaced counts until it is freed: a put that needs its room waits for it. */
static void changes_at_the_limit_get_the_room_of_what_they_replace(void **state)
{
	struct fixture *f = *state;
	unsigned int count;

	open_limited(f);
	count = fill(f->store, 100000);
	for (unsigned int i = 0; i < 50; i++) {
		assert_int_equal(delete_number(f->store, i), 0);
		assert_int_equal(put_number(f->store, count + i, 100000, 0), 0);
	}
	assert_int_equal(put_number(f->store, count + 50, 100000, 0), -ENOMEM);
}

static void deletes_work_at_the_limit(void **state)
{
	struct fixture *f = *state;
	unsigned int count;
	struct feox_stats s;

	open_limited(f);
	count = fill(f->store, 100);
	assert_true(count > 50000);
	for (unsigned int i = 0; i < count; i++)
		assert_int_equal(delete_number(f->store, i), 0);
	s = stats_of(f->store);
	assert_int_equal(s.keys, 0);
	expect_parts(&s);
	assert_in_range(fill(f->store, 100), count * 9 / 10, count * 11 / 10);
}

/* With NOWAIT it is told to come back: there is room, in a moment. */
static void nowait_does_not_wait_for_what_is_deferred(void **state)
{
	struct fixture *f = *state;
	unsigned int count;

	open_limited(f);
	count = fill(f->store, 100000);
	assert_int_equal(put_number(f->store, count, 100000, FEOX_NOWAIT), -ENOMEM);
	fx_epoch_enter(); /* nothing can be freed */
	for (unsigned int i = 0; i < 10; i++)
		assert_int_equal(delete_number(f->store, i), 0);
	assert_int_equal(put_number(f->store, count, 900000, FEOX_NOWAIT), -EAGAIN);
	fx_epoch_leave();
	assert_int_equal(put_number(f->store, count, 900000, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(parts_are_what_is_used),
		TEST(reservations_are_a_part),
		TEST(threads_hold_the_limit),
		TEST(changes_at_the_limit_get_the_room_of_what_they_replace),
		TEST(deletes_work_at_the_limit),
		TEST(nowait_does_not_wait_for_what_is_deferred),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
