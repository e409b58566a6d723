/* SPDX-License-Identifier: Apache-2.0 */
/* The hash index by many threads, while it grows from one segment to some dozens. */
#include "hash_fixture.h"

#include "hash_segment.h"

#include <pthread.h>
#include <sched.h>

#define STABLE	4000u  /* keys that are there from before to after, and change */
#define CHURNED 1000u  /* keys that come and go */
#define GROWN	40000u /* keys that are added; each by two threads, one of which wins */
#define GROWERS 2u
#define BUMPS	30000u /* changes of stable keys, a thread */

enum { STABLE_FROM = 0, CHURNED_FROM = STABLE, GROWN_FROM = STABLE + CHURNED };
#define ALL (STABLE + CHURNED + GROWN)

struct shared {
	struct hash_fixture f;
	_Atomic bool stop;
	_Atomic uint64_t won, bumped, walks;
	_Atomic uint64_t seed;
};

static uint32_t rnd(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % below;
}

/* Insert every grown key: the sum over both growers is the number of keys. */
static void *grow(void *arg)
{
	struct shared *s = arg;

	for (uint64_t n = 0; n < GROWN; n++) {
		int err = insert_number(&s->f, GROWN_FROM + n, 1);

		assert_true(err == 0 || err == -EEXIST);
		atomic_fetch_add(&s->won, err == 0);
		assert_true(find_number(&s->f, GROWN_FROM + n) != 0);
	}
	return NULL;
}

/* Every change must count. */
static void *bump(void *arg)
{
	struct shared *s = arg;
	uint64_t seed = atomic_fetch_add(&s->seed, 1);

	for (unsigned int i = 0; i < BUMPS; i++) {
		assert_int_equal(bump_number(&s->f, STABLE_FROM + rnd(&seed, STABLE)), 0);
		atomic_fetch_add(&s->bumped, 1);
	}
	return NULL;
}

static void *churn(void *arg)
{
	struct shared *s = arg;
	uint64_t seed = atomic_fetch_add(&s->seed, 1);

	while (!atomic_load(&s->stop)) {
		uint64_t n = CHURNED_FROM + rnd(&seed, CHURNED);

		if (rnd(&seed, 2))
			remove_number(&s->f, n);
		else
			insert_number(&s->f, n, 1);
		if (rnd(&seed, 64) == 0)
			sched_yield();
	}
	return NULL;
}

/* What is there throughout is found, always, and its versions only grow. */
static void *find(void *arg)
{
	struct shared *s = arg;
	uint64_t seed = atomic_fetch_add(&s->seed, 1);
	static _Thread_local uint64_t versions[STABLE];

	while (!atomic_load(&s->stop)) {
		uint64_t n = rnd(&seed, STABLE);
		struct test_key key = key_of(STABLE_FROM + n);
		uint64_t version;
		fx_slot *near;
		fx_word word;

		fx_epoch_enter();
		fx_hash_index_prefetch_record(
			s->f.index, fx_hash_index_prefetch(s->f.index, key.hash), key.hash, &near);
		word = fx_hash_index_find_near(s->f.index, near, key.hash, key.bytes, key.size);
		assert_true(word != 0);
		assert_int_equal(fx_word_state(word), FX_SLOT_LIVE);
		version = fx_word_record(word)->version;
		fx_epoch_leave();
		assert_true(version >= versions[n]);
		versions[n] = version;
		assert_int_equal(find_number(&s->f, ALL + n), 0);
	}
	return NULL;
}

static void *walk(void *arg)
{
	struct shared *s = arg;
	struct walked walked = {.limit = ALL, .seen = calloc(1, ALL)};

	do {
		walk_all(&s->f, &walked, 300);
		for (uint64_t n = 0; n < STABLE; n++)
			assert_true(walked.seen[STABLE_FROM + n] > 0);
		atomic_fetch_add(&s->walks, 1);
	} while (!atomic_load(&s->stop));
	free(walked.seen);
	return NULL;
}

static void check_end(struct shared *s)
{
	struct walked walked = {.limit = ALL, .seen = calloc(1, ALL)};
	uint64_t versions = 0;

	assert_int_equal(atomic_load(&s->won), GROWN);
	walk_all(&s->f, &walked, 1000);
	for (uint64_t n = 0; n < ALL; n++) {
		fx_word word = find_number(&s->f, n);

		if (n < CHURNED_FROM || n >= GROWN_FROM)
			assert_true(word != 0);
		assert_int_equal(walked.seen[n], word != 0);
		if (n < CHURNED_FROM)
			versions += fx_word_record(word)->version;
	}
	assert_int_equal(versions - STABLE, atomic_load(&s->bumped));
	free(walked.seen);
}

static void nothing_is_lost_while_it_grows(void **state)
{
	static void *(*const workers[])(void *) = {grow, grow, bump, bump};
	static void *(*const others[])(void *) = {churn, churn, find, find, walk};
	pthread_t threads[9];
	struct shared s;

	hash_fixture_open(&s.f);
	atomic_init(&s.stop, false);
	atomic_init(&s.won, 0);
	atomic_init(&s.bumped, 0);
	atomic_init(&s.walks, 0);
	atomic_init(&s.seed, 1);
	for (uint64_t n = 0; n < STABLE; n++)
		assert_int_equal(insert_number(&s.f, STABLE_FROM + n, 1), 0);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(pthread_create(&threads[4 + i], NULL, others[i], &s), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, workers[i], &s), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&s.stop, true);
	for (size_t i = 4; i < 9; i++)
		pthread_join(threads[i], NULL);
	assert_true(atomic_load(&s.walks) > 0);
	check_end(&s);
	hash_fixture_close(&s.f);
}

/* ---- Short of memory ---------------------------------------------------------------------------
 */

static void *bump_anyhow(void *arg)
{
	struct shared *s = arg;
	uint64_t seed = atomic_fetch_add(&s->seed, 1);

	while (!atomic_load(&s->stop)) {
		int err = bump_number(&s->f, STABLE_FROM + rnd(&seed, STABLE));

		assert_true(err == 0 || err == -ENOMEM);
		atomic_fetch_add(&s->bumped, err == 0);
	}
	return NULL;
}

/* Memory comes and goes; every insert says what it did. */
static void *grow_anyhow(void *arg)
{
	struct shared *s = arg;

	for (uint64_t n = 0; n < GROWN; n++) {
		int err;

		if (n % 16 == 0)
			atomic_store(&s->f.fail_all, n / 16 % 4 == 0);
		err = insert_number(&s->f, GROWN_FROM + n, 1);
		if (err == -ENOMEM) {
			atomic_store(&s->f.fail_all, false);
			err = insert_number(&s->f, GROWN_FROM + n, 1);
		}
		assert_true(err == 0 || err == -EEXIST || err == -ENOMEM);
		atomic_fetch_add(&s->won, err == 0);
		while (err == -ENOMEM) {
			err = insert_number(&s->f, GROWN_FROM + n, 1);
			atomic_fetch_add(&s->won, err == 0);
		}
	}
	return NULL;
}

static void nothing_is_lost_when_memory_is_short(void **state)
{
	static void *(*const work[])(void *) = {grow_anyhow, grow_anyhow, bump_anyhow, find};
	pthread_t threads[4];
	struct shared s;

	hash_fixture_open(&s.f);
	atomic_init(&s.stop, false);
	atomic_init(&s.won, 0);
	atomic_init(&s.bumped, 0);
	atomic_init(&s.walks, 0);
	atomic_init(&s.seed, 1);
	for (uint64_t n = 0; n < STABLE; n++)
		assert_int_equal(insert_number(&s.f, STABLE_FROM + n, 1), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work[i], &s), 0);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	atomic_store(&s.stop, true);
	pthread_join(threads[2], NULL);
	pthread_join(threads[3], NULL);
	atomic_store(&s.f.fail_all, false);
	check_end(&s);
	hash_fixture_close(&s.f);
}

/* ---- One key -----------------------------------------------------------------------------------
 */

/* Two inserts of an absent key: exactly one wins, whatever else happens in its bucket. */
static void *duel(void *arg)
{
	struct shared *s = arg;

	for (unsigned int i = 0; i < BUMPS; i++) {
		int err = insert_number(&s->f, 0, 1);

		assert_true(err == 0 || err == -EEXIST);
		if (err)
			continue;
		assert_int_equal(atomic_fetch_add(&s->won, 1), 0);
		atomic_fetch_sub(&s->won, 1);
		assert_true(remove_number(&s->f, 0));
	}
	return NULL;
}

static void one_insert_wins(void **state)
{
	pthread_t threads[3];
	struct shared s;

	hash_fixture_open(&s.f);
	atomic_init(&s.won, 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, duel, &s), 0);
	for (size_t i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(find_number(&s.f, 0), 0);
	hash_fixture_close(&s.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_while_it_grows),
		cmocka_unit_test(nothing_is_lost_when_memory_is_short),
		cmocka_unit_test(one_insert_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
