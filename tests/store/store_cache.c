/* SPDX-License-Identifier: Apache-2.0 */
/* FEOX_OPEN_CACHE: who goes at the limit, who does not, and what is told of it. */
#include "cache_fixture.h"

#include "budget.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS 4u

/* ---- What it is ------------------------------------------------------------------------------ */

static void only_memory_can_be_a_cache(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_diag diag;

	options.flags = FEOX_OPEN_CACHE | FEOX_OPEN_CREATE;
	options.path = f->path;
	assert_int_equal(feox_open(&options, &f->store, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "memory"));
	options.path = NULL;
	options.memory_limit_bytes = 1 << 20;
	assert_int_equal(feox_open(&options, &f->store, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "4 MiB"));
	open_cache(f);
	feox_effective_options(f->store, &options);
	assert_true(options.flags & FEOX_OPEN_CACHE);
}

/* Values of all sizes, and the limit holds. */
static void puts_evict_instead_of_failing(void **state)
{
	static const size_t sizes[] = {0, 10, 100, 1000, 2000, 20000, 200000};
	struct fixture *f = *state;
	struct feox_stats s;

	open_cache(f);
	for (uint64_t i = 0; i < 10000; i++) {
		assert_int_equal(put_number(f->store, i, sizes[i % 7]), 0);
		s = stats_of(f->store);
		assert_true(s.memory_bytes <= LIMIT + FX_BUDGET_BEYOND_BYTES);
	}
	assert_int_equal(s.keys + s.evictions, 10000);
	assert_true(s.memory_bytes >= LIMIT * 3 / 4);
	assert_true(get_number(f->store, 9999));
}

static void what_cannot_fit_evicts_nothing(void **state)
{
	struct fixture *f = *state;
	char *large = calloc(1, LIMIT);

	open_cache(f);
	put_number(f->store, 1, 100);
	assert_int_equal(feox_put(f->store, "k", 1, large, LIMIT, NULL, NULL), -ENOMEM);
	assert_int_equal(feox_reserve(f->store, LIMIT, 0), -ENOMEM);
	assert_true(get_number(f->store, 1));
	assert_int_equal(stats_of(f->store).evictions, 0);
	/* But what fits when all else has gone does. */
	for (uint64_t i = 0; i < 20; i++)
		put_number(f->store, i, MIB);
	assert_int_equal(feox_reserve(f->store, LIMIT * 3 / 4, 0), 0);
	assert_int_equal(feox_put(f->store, "k", 1, large, LIMIT / 8, NULL, NULL), 0);
	feox_unreserve(f->store, LIMIT * 3 / 4);
	free(large);
}

/* ---- Who goes -------------------------------------------------------------------------------- */

static void what_is_used_stays(void **state)
{
	struct fixture *f = *state;
	unsigned int hot = 0, cold = 0;

	open_cache(f);
	for (uint64_t i = 0; i < 2000; i++)
		put_number(f->store, i, 100);
	for (uint64_t i = 2000; stats_of(f->store).evictions < 100000; i++) {
		for (uint64_t j = 0; j < 4; j++)
			get_number(f->store, (i * 4 + j) % 1000);
		assert_int_equal(put_number(f->store, i, 100), 0);
	}
	for (uint64_t i = 0; i < 1000; i++) {
		hot += get_number(f->store, i);
		cold += get_number(f->store, 1000 + i);
	}
	assert_true(hot > 990);
	assert_true(cold < 300);
}

/* A change in a full cache does not find its own key gone. */
static void a_change_keeps_its_key(void **state)
{
	struct fixture *f = *state;
	int64_t number = 0;

	open_cache(f);
	for (uint64_t i = 0; i < 200000; i++) {
		put_number(f->store, i, 100);
		if (i % 16 == 0)
			assert_int_equal(feox_add(f->store, "n", 1, 1, NULL, &number, NULL), 0);
	}
	assert_int_equal(number, 200000 / 16);
}

static void markers_and_pinned_values_stay(void **state)
{
	struct fixture *f = *state;
	struct feox_value small, large;
	char key[24];

	open_cache(f);
	memset(bytes, 'v', 100000);
	for (int i = 0; i < 1000; i++)
		feox_put(f->store, key, (size_t)snprintf(key, 24, "dir%d/", i), NULL, 0, NULL,
			 NULL);
	assert_int_equal(feox_put(f->store, "", 0, NULL, 0, NULL, NULL), 0);
	put_number(f->store, 1, 100);
	put_number(f->store, 2, 100000);
	assert_int_equal(feox_get(f->store, "key1", 4, 0, &small), 0);
	assert_int_equal(feox_get(f->store, "key2", 4, 0, &large), 0);
	for (uint64_t i = 3; i < 200000; i++)
		assert_int_equal(put_number(f->store, i, 200), 0);
	assert_true(get_number(f->store, 1));
	assert_true(get_number(f->store, 2));
	for (size_t i = 0; i < 100000; i++)
		assert_int_equal(((const char *)large.data)[i], 'v');
	feox_value_release(f->store, &small);
	feox_value_release(f->store, &large);
	for (int i = 0; i < 1000; i++) {
		snprintf(key, 24, "dir%d/", i);
		assert_true(has(f->store, key));
	}
	assert_true(has(f->store, ""));
	memset(bytes, 0, 100000);
}

/* When only what cannot go is left, it is -ENOMEM, and deletes help. */
static void a_cache_of_markers_is_full(void **state)
{
	struct fixture *f = *state;
	char key[24];
	int err = 0, count = 0;

	open_cache(f);
	for (; !err; count++)
		err = feox_put(f->store, key, (size_t)snprintf(key, 24, "dir%d/", count), bytes,
			       1000, NULL, NULL);
	assert_int_equal(err, -ENOMEM);
	assert_int_equal(stats_of(f->store).evictions, 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(key, 24, "dir%d/", i);
		assert_int_equal(del(f->store, key), 0);
	}
	assert_int_equal(put(f->store, "k", "v"), 0);
}

static void iterators_use_nothing(void **state)
{
	struct fixture *f = *state;
	struct feox_iter *iter;
	struct feox_item item;
	unsigned int hot = 0;

	open_cache(f);
	for (uint64_t i = 0; i < 20000; i++)
		put_number(f->store, i, 450);
	for (uint64_t i = 20000; i < 60000; i++) {
		for (uint64_t j = 0; j < 4; j++)
			get_number(f->store, (i * 4 + j) % 1000);
		put_number(f->store, i, 450);
		if (i % 2000)
			continue;
		assert_int_equal(feox_iter_open(f->store, NULL, &iter), 0);
		while (feox_iter_next(iter, &item) == 1)
			;
		feox_iter_close(iter);
	}
	for (uint64_t i = 0; i < 1000; i++)
		hot += get_number(f->store, i);
	assert_true(hot > 990);
}

/* ---- What is told ---------------------------------------------------------------------------- */

struct ear {
	_Atomic uint64_t sets, evictions;
	struct feox_store *store;
};

static void hear(void *ctx, const struct feox_event *event)
{
	struct ear *ear = ctx;
	struct feox_stat stat;

	if (event->kind == FEOX_EVENT_EVICT) {
		assert_true(event->version > 0);
		assert_int_equal(event->expiry_ns, 0);
		assert_int_equal(feox_stat(ear->store, event->key, event->key_size, NULL, 0, &stat),
				 -ENOENT);
		atomic_fetch_add(&ear->evictions, 1);
	} else {
		assert_int_equal(event->kind, FEOX_EVENT_SET);
		atomic_fetch_add(&ear->sets, 1);
	}
}

static void evictions_are_told(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct ear ear = {0};
	struct feox_stats s;

	options.changed = hear;
	options.changed_ctx = &ear;
	open_cache_with(f, options);
	ear.store = f->store;
	for (uint64_t i = 0; i < 20000; i++)
		assert_int_equal(put_number(f->store, i, 1500), 0);
	s = stats_of(f->store);
	assert_true(s.evictions > 5000);
	assert_int_equal(ear.evictions, s.evictions);
	assert_int_equal(ear.sets, 20000);
	assert_int_equal(s.keys, 20000 - s.evictions);
	assert_int_equal(s.deletes, 0);
}

/* ---- Threads --------------------------------------------------------------------------------- */

struct writer {
	struct feox_store *store;
	unsigned int number;
	uint64_t most;
};

static void *churn(void *arg)
{
	static const size_t sizes[] = {10, 100, 1000, 3000, 20000};
	struct writer *w = arg;

	for (uint64_t i = 0; i < 20000; i++) {
		uint64_t number = (i * THREADS + w->number) * 2654435761u % 50000;
		struct feox_batch *batch;
		uint64_t used;
		char key[24];

		get_number(w->store, number / 8);
		if (i % 64 == 0) {
			assert_int_equal(feox_batch_create(w->store, &batch), 0);
			for (uint64_t j = 0; j < 8; j++)
				feox_batch_put(batch, key, name(key, (number + j) % 50000), bytes,
					       5000, NULL);
			assert_int_equal(feox_batch_commit(batch, 0, NULL), 0);
			feox_batch_free(batch);
		} else if (i % 32 == 1) {
			assert_int_equal(feox_rename_prefix(w->store, "key1", 4, "other", 5, NULL,
							    NULL, NULL) == -ENOMEM,
					 0);
		} else {
			assert_int_equal(put_number(w->store, number, sizes[i % 5]), 0);
		}
		used = stats_of(w->store).memory_bytes;
		w->most = used > w->most ? used : w->most;
	}
	return NULL;
}

static void threads_hold_the_limit(void **state)
{
	struct fixture *f = *state;
	struct writer writers[THREADS];
	pthread_t threads[THREADS];
	struct feox_iter *iter;
	struct feox_item item;
	uint64_t keys = 0;

	open_cache(f);
	for (unsigned int i = 0; i < THREADS; i++) {
		writers[i] = (struct writer){.store = f->store, .number = i};
		pthread_create(&threads[i], NULL, churn, &writers[i]);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		print_message("most %llu\n", (unsigned long long)writers[i].most);
		assert_true(writers[i].most <= LIMIT + LIMIT / 8);
	}
	/* Both indexes agree. */
	assert_int_equal(feox_iter_open(f->store, NULL, &iter), 0);
	while (feox_iter_next(iter, &item) == 1)
		keys++;
	feox_iter_close(iter);
	assert_int_equal(stats_of(f->store).keys, keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_memory_can_be_a_cache),
		TEST(puts_evict_instead_of_failing),
		TEST(what_cannot_fit_evicts_nothing),
		TEST(what_is_used_stays),
		TEST(a_change_keeps_its_key),
		TEST(markers_and_pinned_values_stay),
		TEST(a_cache_of_markers_is_full),
		TEST(iterators_use_nothing),
		TEST(evictions_are_told),
		TEST(threads_hold_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
