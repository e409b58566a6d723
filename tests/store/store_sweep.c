/* SPDX-License-Identifier: Apache-2.0 */
/* The sweeper: whatever way a key got its expiry, it is removed, and nothing else is. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define START UINT64_C(1700000000000000000)
#define TTL   UINT64_C(1000000000)

/* The event that is waited for: how many keys the sweeper has removed. */
struct watch {
	struct fixture *f;
	pthread_mutex_t mutex;
	pthread_cond_t more;
	uint64_t expired;
};

static void hear(void *ctx, const struct feox_event *event)
{
	struct watch *w = ctx;

	pthread_mutex_lock(&w->mutex);
	w->expired += event->kind == FEOX_EVENT_EXPIRE;
	pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->mutex);
}

static uint64_t fake_now(void *ctx)
{
	struct watch *w = ctx;

	return w->f->now;
}

static void open_watched(struct fixture *f, struct watch *w, bool file)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	*w = (struct watch){
		.f = f, .mutex = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};
	options.changed = hear;
	options.changed_ctx = w;
	options.now = fake_now;
	options.now_ctx = w;
	options.path = file ? f->path : NULL;
	options.flags = file ? FEOX_OPEN_CREATE : 0;
	open_with(f, &options);
}

/* Bounded by the test's own timeout. */
static void wait_expired(struct watch *w, uint64_t wanted)
{
	pthread_mutex_lock(&w->mutex);
	while (w->expired < wanted)
		pthread_cond_wait(&w->more, &w->mutex);
	assert_int_equal(w->expired, wanted);
	pthread_mutex_unlock(&w->mutex);
}

static void put_until(struct fixture *f, const char *key, uint64_t expiry)
{
	struct feox_write_options o = {.expiry_ns = expiry};

	assert_int_equal(feox_put(f->store, key, strlen(key), "1", 1, &o, NULL), 0);
}

static void expect_keys(struct fixture *f, uint64_t keys)
{
	struct feox_stats stats;

	assert_int_equal(feox_stats(f->store, &stats), 0);
	assert_int_equal(stats.keys, keys);
}

static void batch_until(struct fixture *f, const char *key, uint64_t expiry)
{
	struct feox_write_options o = {.expiry_ns = expiry};
	struct feox_batch *batch;

	assert_int_equal(feox_batch_create(f->store, &batch), 0);
	assert_int_equal(feox_batch_put(batch, key, strlen(key), "1", 1, &o), 0);
	assert_int_equal(feox_batch_commit(batch, 0, NULL), 0);
	feox_batch_free(batch);
}

/* Each write that gives an expiry, in a store where a sweep has already happened. */
static void give_expiries(struct fixture *f, uint64_t at)
{
	struct feox_write_options until = {.flags = FEOX_SET_EXPIRY, .expiry_ns = at};
	struct feox_rename_options exchange = {.flags = FEOX_RENAME_EXCHANGE};

	put_until(f, "put", at);
	batch_until(f, "batch", at);
	assert_int_equal(feox_add(f->store, "add", 3, 1, &until, NULL, NULL), 0);
	put(f->store, "cas", "1");
	until.flags = 0;
	assert_int_equal(feox_cas(f->store, "cas", 3, "1", 1, "2", 1, &until, NULL), 0);
	put(f->store, "patch", "[]");
	until.flags = FEOX_SET_EXPIRY;
	assert_int_equal(feox_patch(f->store, "patch", 5, "[]", 2, &until, NULL, NULL), 0);
	put(f->store, "set", "1");
	assert_int_equal(feox_set_expiry(f->store, "set", 3, at, NULL), 0);
	put_until(f, "from", at);
	assert_int_equal(feox_rename(f->store, "from", 4, "to", 2, NULL), 0);
	put_until(f, "x", at);
	put_until(f, "y", at);
	assert_int_equal(feox_rename(f->store, "x", 1, "y", 1, &exchange), 0);
	put_until(f, "p/1", at);
	assert_int_equal(feox_rename_prefix(f->store, "p/", 2, "q/", 2, NULL, NULL, NULL), 0);
}

#define GIVEN 10

static void every_expiry_is_swept(void **state)
{
	struct fixture *f = *state;
	static struct watch w; /* the store is closed by the teardown */

	f->now = START;
	open_watched(f, &w, false);
	put(f->store, "stays", "1");
	put_until(f, "later", START + 100 * TTL);
	put_until(f, "first", START + TTL);
	f->now = START + TTL;
	wait_expired(&w, 1);
	give_expiries(f, START + 2 * TTL);
	expect_keys(f, 2 + GIVEN);
	f->now = START + 2 * TTL;
	wait_expired(&w, 1 + GIVEN);
	expect_keys(f, 2);
	f->now = START + 100 * TTL;
	wait_expired(&w, 2 + GIVEN);
	expect_text(f->store, "stays", "1");
}

static void expiries_found_at_recovery_are_swept(void **state)
{
	struct fixture *f = *state;
	static struct watch w; /* the store is closed by the teardown */

	f->now = START;
	open_watched(f, &w, true);
	put(f->store, "stays", "1");
	give_expiries(f, START + 2 * TTL);
	put_until(f, "later", START + 100 * TTL);
	close_store(f);
	open_watched(f, &w, true);
	f->now = START + 2 * TTL;
	wait_expired(&w, GIVEN);
	expect_keys(f, 2);
	f->now = START + 100 * TTL;
	wait_expired(&w, GIVEN + 1);
	close_store(f);
	open_watched(f, &w, true);
	expect_keys(f, 1);
}

/* Moved later, taken back, renewed: what was sampled is not what the key has now. */
static void only_what_expired_is_swept(void **state)
{
	struct fixture *f = *state;
	static struct watch w; /* the store is closed by the teardown */

	f->now = START;
	open_watched(f, &w, false);
	put_until(f, "later", START + TTL);
	put_until(f, "never", START + TTL);
	put_until(f, "renewed", START + TTL);
	put_until(f, "gone", START + TTL);
	put_until(f, "due", START + TTL);
	assert_int_equal(feox_set_expiry(f->store, "later", 5, START + 9 * TTL, NULL), 0);
	assert_int_equal(feox_set_expiry(f->store, "never", 5, 0, NULL), 0);
	put(f->store, "renewed", "2");
	assert_int_equal(del(f->store, "gone"), 0);
	f->now = START + TTL;
	wait_expired(&w, 1);
	assert_false(has(f->store, "due"));
	expect_keys(f, 3);
	f->now = START + 9 * TTL;
	wait_expired(&w, 2);
	expect_text(f->store, "never", "1");
	expect_text(f->store, "renewed", "2");
}

/*
 * Threads give keys to expire at every moment, by single writes and batches, while passes run. A
 * record that a pass overlooks and nobody has lowered the next expiry for would stay for ever.
 */
#define THREADS 3
#define EACH	4000

struct feeder {
	struct fixture *f;
	int number;
};

static void *feed(void *arg)
{
	struct feeder *feeder = arg;
	struct fixture *f = feeder->f;
	char key[32];

	for (int i = 0; i < EACH; i++) {
		snprintf(key, sizeof(key), "%d/%d", feeder->number, i);
		if (i % 3)
			put_until(f, key, atomic_load(&f->now) + 1 + (unsigned int)i % 5);
		else
			batch_until(f, key, atomic_load(&f->now) + 1 + (unsigned int)i % 5);
		if (i % 7 == 0)
			atomic_fetch_add(&f->now, 1);
	}
	return NULL;
}

static void nothing_is_overlooked(void **state)
{
	struct fixture *f = *state;
	struct feeder feeders[THREADS];
	pthread_t threads[THREADS];
	static struct watch w; /* the store is closed by the teardown */

	f->now = START;
	open_watched(f, &w, false);
	for (int i = 0; i < THREADS; i++) {
		feeders[i] = (struct feeder){f, i};
		pthread_create(&threads[i], NULL, feed, &feeders[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	atomic_fetch_add(&f->now, 10);
	wait_expired(&w, THREADS * EACH);
	expect_keys(f, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_expiry_is_swept),
		TEST(expiries_found_at_recovery_are_swept),
		TEST(only_what_expired_is_swept),
		TEST(nothing_is_overlooked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
