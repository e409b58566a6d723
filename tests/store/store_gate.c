/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_gate.c - an insert that found its leaf full stands between its two sections when
 * feox_rename_prefix() closes the gate over it, and goes on while that runs: it gives up, waits,
 * and is made anew afterwards.
 */
#include "fixture.h"

#include "commit.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#define KEYS  200u
#define LOOKS 20000u

/* A thread that stops once, at its point. */
struct actor {
	struct feox_store *store;
	int point;
	sem_t stopped, go_on;
	pthread_t thread;
	unsigned int done; /* keys that were put */
	_Atomic bool ended;
	char last[16]; /* the key that was on its way when it stopped */
};

static _Thread_local struct actor *self;

void fx_pause_point(int point)
{
	struct actor *actor = self;

	if (!actor || point != actor->point)
		return;
	actor->point = -1;
	sem_post(&actor->stopped);
	sem_wait(&actor->go_on);
}

/* Until it has been stopped: then the key that was under way is the last one. */
static void *insert_until_stopped(void *arg)
{
	struct actor *actor = arg;

	self = actor;
	for (unsigned int i = 0; i < KEYS && actor->point >= 0; i++) {
		snprintf(actor->last, sizeof(actor->last), "k%04u", i);
		assert_int_equal(put(actor->store, actor->last, "v"), 0);
		actor->done++;
	}
	atomic_store(&actor->ended, true);
	return NULL;
}

static void *rename_all(void *arg)
{
	struct actor *actor = arg;
	uint64_t moved;

	self = actor;
	assert_int_equal(feox_rename_prefix(actor->store, "k", 1, "m", 1, NULL, NULL, &moved), 0);
	actor->done = (unsigned int)moved;
	atomic_store(&actor->ended, true);
	return NULL;
}

static void start(struct actor *actor, struct feox_store *store, int point, void *(*run)(void *))
{
	*actor = (struct actor){.store = store, .point = point};
	sem_init(&actor->stopped, 0, 0);
	sem_init(&actor->go_on, 0, 0);
	assert_int_equal(pthread_create(&actor->thread, NULL, run, actor), 0);
	sem_wait(&actor->stopped);
}

static void end(struct actor *actor)
{
	pthread_join(actor->thread, NULL);
	sem_destroy(&actor->stopped);
	sem_destroy(&actor->go_on);
}

static unsigned int count_below(struct feox_store *store, const char *prefix)
{
	struct feox_iter_options options = {
		.prefix = prefix, .prefix_size = 1, .flags = FEOX_ITER_KEYS_ONLY};
	struct feox_iter *iter;
	struct feox_item item;
	unsigned int n = 0;

	feox_iter_open(store, &options, &iter);
	while (feox_iter_next(iter, &item) == 1)
		n++;
	feox_iter_close(iter);
	return n;
}

static void insert_meets_gate(struct feox_store *store)
{
	struct actor insert, rename;

	start(&insert, store, FX_PAUSE_BETWEEN, insert_until_stopped);
	assert_true(insert.done > 0);
	assert_false(has(store, insert.last));
	start(&rename, store, FX_PAUSE_INTENTS, rename_all);
	sem_post(&insert.go_on);
	/* However long one waits, it does not come before the rename. */
	for (unsigned int i = 0; i < LOOKS; i++) {
		assert_false(has(store, insert.last));
		assert_false(atomic_load(&insert.ended));
		sched_yield();
	}
	sem_post(&rename.go_on);
	end(&rename);
	end(&insert);
	assert_true(has(store, insert.last));
	assert_int_equal(rename.done, insert.done - 1);
	assert_int_equal(count_below(store, "k"), 1);
	assert_int_equal(count_below(store, "m"), insert.done - 1);
}

static void in_memory(void **state)
{
	struct fixture *f = *state;

	open_memory_store(f);
	insert_meets_gate(f->store);
}

static void with_a_file(void **state)
{
	struct fixture *f = *state;

	open_file_store(f);
	insert_meets_gate(f->store);
}

/* The same over a key that was deleted, whose delete is durable by then or not. */
static void over_a_tombstone(void **state)
{
	struct fixture *f = *state;
	char key[16];

	open_file_store(f);
	for (unsigned int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "k%04u", i);
		put(f->store, key, "old");
		del(f->store, key);
	}
	insert_meets_gate(f->store);
	assert_int_equal(feox_sync(f->store), 0);
	reopen(f);
	assert_int_equal(count_below(f->store, "k"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_memory),
		TEST(with_a_file),
		TEST(over_a_tombstone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
