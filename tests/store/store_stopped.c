/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_stopped.c - a writer stopped anywhere in the middle of a change stops no reader.
 *
 * At each pause point of the engine one writer is held; gets, stats and scans in both directions
 * then see the old or the new state, and return. So do writers of other keys.
 */
#include "fixture.h"

#include "commit.h"

#include <pthread.h>
#include <stdatomic.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int stop_at = -1;
static bool is_stopped;
static _Thread_local bool is_victim;

void fx_pause_point(int point)
{
	if (!is_victim)
		return;
	pthread_mutex_lock(&mutex);
	if (point == stop_at) {
		is_stopped = true;
		pthread_cond_broadcast(&changed);
		while (stop_at == point)
			pthread_cond_wait(&changed, &mutex);
	}
	pthread_mutex_unlock(&mutex);
}

struct victim {
	struct feox_store *store;
	void (*change)(struct feox_store *store);
	bool ended;
};

static void *run_victim(void *arg)
{
	struct victim *v = arg;

	is_victim = true;
	v->change(v->store);
	pthread_mutex_lock(&mutex);
	v->ended = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

/* Start change and wait until it stands at point. False: it never came there. */
static bool stop_in(struct victim *v, pthread_t *thread, int point)
{
	bool stopped;

	pthread_mutex_lock(&mutex);
	stop_at = point;
	is_stopped = false;
	pthread_mutex_unlock(&mutex);
	assert_int_equal(pthread_create(thread, NULL, run_victim, v), 0);
	pthread_mutex_lock(&mutex);
	while (!is_stopped && !v->ended)
		pthread_cond_wait(&changed, &mutex);
	stopped = is_stopped;
	pthread_mutex_unlock(&mutex);
	return stopped;
}

static void go_on(pthread_t thread)
{
	pthread_mutex_lock(&mutex);
	stop_at = -1;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	pthread_join(thread, NULL);
}

/* ---- What is changed, what is read ----------------------------------------------------------- */

static void insert(struct feox_store *s)
{
	put(s, "m", "new");
}

static void overwrite(struct feox_store *s)
{
	put(s, "k", "new");
}

static void delete_key(struct feox_store *s)
{
	del(s, "k");
}

static void insert_again(struct feox_store *s)
{
	put(s, "gone", "new");
}

static void rename_key(struct feox_store *s)
{
	feox_rename(s, "k", 1, "m", 1, NULL);
}

static void rename_many(struct feox_store *s)
{
	feox_rename_prefix(s, "k", 1, "m", 1, NULL, NULL, NULL);
}

static void fail_a_batch(struct feox_store *s)
{
	static const struct feox_write_options create = {.flags = FEOX_CREATE};
	struct feox_batch *batch;

	feox_batch_create(s, &batch);
	feox_batch_put(batch, "m", 1, "new", 3, NULL);
	feox_batch_put(batch, "k", 1, "new", 3, &create);
	assert_int_equal(feox_batch_commit(batch, 0, NULL), -EEXIST);
	feox_batch_free(batch);
}

static unsigned int count_keys(struct feox_store *s, unsigned int flags)
{
	struct feox_iter_options options = {.flags = flags};
	struct feox_iter *iter;
	struct feox_item item;
	unsigned int n = 0;
	int more;

	assert_int_equal(feox_iter_open(s, &options, &iter), 0);
	while ((more = feox_iter_next(iter, &item)) == 1)
		n++;
	assert_int_equal(more, 0);
	feox_iter_close(iter);
	return n;
}

static void read_all(struct feox_store *s)
{
	static const char *const keys[] = {"a", "k", "m", "gone"};
	struct feox_value value;

	for (size_t i = 0; i < 4; i++) {
		int err = feox_get(s, keys[i], strlen(keys[i]), FEOX_NOWAIT, &value);

		assert_true(err == 0 || err == -ENOENT);
		if (err)
			continue;
		assert_true(value.size == 3);
		feox_value_release(s, &value);
	}
	assert_true(has(s, "a") && has(s, "z"));
	assert_in_range(count_keys(s, 0), 2, 4);
	assert_in_range(count_keys(s, FEOX_ITER_REVERSE), 2, 4);
	assert_in_range(count_keys(s, FEOX_ITER_KEYS_ONLY), 2, 4);
}

static void prepare(struct feox_store *s)
{
	put(s, "gone", "old");
	del(s, "gone");
	put(s, "a", "old");
	put(s, "k", "old");
	put(s, "z", "old");
	del(s, "m");
}

static unsigned int stop_everywhere(struct feox_store *s, void (*change)(struct feox_store *s))
{
	unsigned int stops = 0;

	for (int point = FX_PAUSE_ENGINE; point < FX_PAUSE_ENGINE_END; point++) {
		struct victim v = {.store = s, .change = change};
		pthread_t thread;

		prepare(s);
		if (stop_in(&v, &thread, point)) {
			stops++;
			read_all(s);
			put(s, "z", "two"); /* another key's writer goes on as well */
		}
		go_on(thread);
		read_all(s);
	}
	return stops;
}

static void stop_every_change(struct feox_store *s)
{
	static void (*const changes[])(struct feox_store *) = {
		insert, overwrite, delete_key, insert_again, rename_key, rename_many, fail_a_batch};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		assert_true(stop_everywhere(s, changes[i]) > 0 ||
			    (changes[i] == overwrite)); /* one compare-and-swap in memory */
}

static void readers_go_on_in_memory(void **state)
{
	struct fixture *f = *state;

	open_memory_store(f);
	stop_every_change(f->store);
}

static void readers_go_on_with_a_file(void **state)
{
	struct fixture *f = *state;

	open_file_store(f);
	stop_every_change(f->store);
}

/* ---- What scans for keys know ---------------------------------------------------------------- */

#define MANY 100u

static void delete_many(struct feox_store *s)
{
	struct feox_batch *batch;
	char key[8];

	feox_batch_create(s, &batch);
	for (unsigned int i = 0; i < MANY; i += 2) {
		snprintf(key, sizeof(key), "%02u", i % MANY);
		feox_batch_delete(batch, key, 2, NULL);
	}
	assert_int_equal(feox_batch_commit(batch, 0, NULL), 0);
	feox_batch_free(batch);
}

/* A batch decides for scans, too, that have not had to look at its keys for long. */
static void scans_believe_a_batch(void **state)
{
	struct fixture *f = *state;
	struct victim v = {.change = delete_many};
	pthread_t thread;
	char key[8];

	open_memory_store(f);
	v.store = f->store;
	for (unsigned int i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "%02u", i % MANY);
		put(f->store, key, "v");
	}
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(count_keys(f->store, FEOX_ITER_KEYS_ONLY), MANY);
	assert_true(stop_in(&v, &thread, FX_PAUSE_BUILT));
	assert_int_equal(count_keys(f->store, FEOX_ITER_KEYS_ONLY), MANY);
	go_on(thread);
	assert_int_equal(count_keys(f->store, FEOX_ITER_KEYS_ONLY), MANY / 2);
	for (unsigned int i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "%02u", i % MANY);
		put(f->store, key, "v");
	}
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(count_keys(f->store, FEOX_ITER_KEYS_ONLY), MANY);
	v.ended = false;
	assert_true(stop_in(&v, &thread, FX_PAUSE_DECIDED));
	assert_int_equal(count_keys(f->store, FEOX_ITER_KEYS_ONLY), MANY / 2);
	go_on(thread);
	assert_int_equal(count_keys(f->store, FEOX_ITER_KEYS_ONLY), MANY / 2);
}

/* ---- Regressions ----------------------------------------------------------------------------- */

/*
 * An insert that was overtaken by another one and its delete came with the older version: it was
 * drawn before the slot was taken.
 */
static void regression_overtaken_insert_has_the_newer_version(void **state)
{
	struct fixture *f = *state;
	struct victim v = {.change = insert};
	uint64_t version;
	pthread_t thread;

	open_memory_store(f);
	v.store = f->store;
	assert_true(stop_in(&v, &thread, FX_PAUSE_INSERT));
	put(f->store, "m", "first");
	version = version_of(f->store, "m");
	del(f->store, "m");
	go_on(thread);
	assert_true(version_of(f->store, "m") > version);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(readers_go_on_in_memory),
		TEST(readers_go_on_with_a_file),
		TEST(scans_believe_a_batch),
		TEST(regression_overtaken_insert_has_the_newer_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
