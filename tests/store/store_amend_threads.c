/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers of values that are on disk only, while their keys are touched, renamed, moved with their
 * directory and overwritten, and the flusher makes all that durable as fast as it can: what is read
 * belongs to one value.
 */
#include "crash_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define KEYS 64u
#define VALUE_SIZE                                                                                 \
	((size_t)70000) /* so large that reading a part does not bring it into memory              \
			 */
#define PART_SIZE ((size_t)3000)
#define RUN_NS	  INT64_C(1500000000)

struct shared {
	struct feox_store *store;
	_Atomic bool stop;
	_Atomic uint64_t reads, changes, damaged;
};

struct worker {
	struct shared *shared;
	uint64_t seed;
	pthread_t thread;
};

static uint32_t rnd(struct worker *w, uint32_t below)
{
	w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(w->seed >> 33) % below;
}

/* A value of which every part proves itself. */
static void make_value(uint8_t *value, uint32_t number)
{
	for (size_t i = 0; i < VALUE_SIZE; i++)
		value[i] = (uint8_t)(number + i);
}

static bool is_whole(const uint8_t *part, size_t size)
{
	for (size_t i = 1; i < size; i++)
		if (part[i] != (uint8_t)(part[0] + i))
			return false;
	return size == PART_SIZE;
}

static size_t random_key(struct worker *w, char key[16])
{
	return (size_t)snprintf(key, 16, "%c/%u", "ab"[rnd(w, 2)], rnd(w, KEYS));
}

static void *read_on(void *arg)
{
	struct worker *w = arg;
	struct shared *s = w->shared;

	while (!atomic_load(&s->stop)) {
		uint8_t part[PART_SIZE];
		char key[16];
		size_t n = random_key(w, key), got = 0;
		int err = feox_read(s->store, key, n, rnd(w, VALUE_SIZE - PART_SIZE), part,
				    PART_SIZE, 0, &got, NULL);

		if (err ? err != -ENOENT : !is_whole(part, got))
			atomic_fetch_add(&s->damaged, 1);
		atomic_fetch_add(&s->reads, !err);
	}
	return NULL;
}

static void *change_on(void *arg)
{
	struct worker *w = arg;
	struct shared *s = w->shared;

	while (!atomic_load(&s->stop)) {
		struct feox_rename_options exchange = {.flags = FEOX_RENAME_EXCHANGE};
		static _Thread_local uint8_t value[VALUE_SIZE];
		char key[16], other[16];
		size_t n = random_key(w, key), m = random_key(w, other);
		uint32_t number = rnd(w, 1 << 30);
		int err = 0;

		switch (rnd(w, 40)) {
		case 0:
			make_value(value, number);
			err = feox_put(s->store, key, n, value, VALUE_SIZE, NULL, NULL);
			break;
		case 1:
		case 2:
		case 8:
		case 9:
		case 10:
			err = feox_rename(s->store, key, n, other, m, NULL);
			break;
		case 3:
			err = feox_rename(s->store, key, n, other, m, &exchange);
			break;
		case 4:
			err = feox_rename_prefix(s->store, "a/", 2, "b/", 2, &exchange, NULL, NULL);
			break;
		case 5:
		case 6:
		case 7:
			err = feox_set_metadata(s->store, key, n, &number, 4, NULL);
			break;
		default:
			err = feox_set_expiry(s->store, key, n, FEOX_TIME_MAX - number, NULL);
		}
		if (err && err != -ENOENT)
			atomic_fetch_add(&s->damaged, 1);
		atomic_fetch_add(&s->changes, !err);
	}
	return NULL;
}

static void open_cold(struct fixture *f)
{
	struct feox_options options = FEOX_OPTIONS_INIT;
	static uint8_t value[VALUE_SIZE];
	char key[16];

	open_file_store(f);
	for (uint32_t i = 0; i < 2 * KEYS; i++) {
		make_value(value, i);
		snprintf(key, sizeof(key), "%c/%u", "ab"[i % 2], i / 2);
		assert_int_equal(
			feox_put(f->store, key, strlen(key), value, VALUE_SIZE, NULL, NULL), 0);
	}
	close_store(f);
	options.path = f->path;
	options.flush_interval_ns = 200000;
	open_with(f, &options);
}

static void cold_values_are_whole_whatever_their_keys_do(void **state)
{
	struct fixture *f = *state;
	struct shared shared = {0};
	struct worker workers[5];
	struct timespec run = {.tv_sec = RUN_NS / 1000000000, .tv_nsec = RUN_NS % 1000000000};

	for (unsigned int round = 0; round < 2; round++) {
		open_cold(f);
		shared.store = f->store;
		atomic_store(&shared.stop, false);
		for (unsigned int i = 0; i < 5; i++) {
			workers[i] = (struct worker){.shared = &shared, .seed = 5 * round + i + 1};
			pthread_create(&workers[i].thread, NULL, i < 3 ? read_on : change_on,
				       &workers[i]);
		}
		nanosleep(&run, NULL); /* that much work, not an event */
		atomic_store(&shared.stop, true);
		for (unsigned int i = 0; i < 5; i++)
			pthread_join(workers[i].thread, NULL);
		assert_int_equal(atomic_load(&shared.damaged), 0);
		assert_true(atomic_load(&shared.reads) && atomic_load(&shared.changes));
		assert_int_equal(feox_sync(f->store), 0);
		round ? reopen(f) : crash(f);
		close_store(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cold_values_are_whole_whatever_their_keys_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
