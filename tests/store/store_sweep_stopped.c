/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sweep_stopped.c - a pass of the sweeper that meets a batch between decision and settling.
 *
 * The batch has lowered the next expiry before the pass began, which took that back; and the pass
 * cannot look into the intent. The key must be swept all the same, once it expires (S3).
 */
#include "fixture.h"

#include "commit.h"

#include <pthread.h>
#include <stdatomic.h>

#define START UINT64_C(1700000000000000000)

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_stopped, may_go_on;
static uint64_t expired;
static _Thread_local bool is_victim;

void fx_pause_point(int point)
{
	if (!is_victim || point != FX_PAUSE_DECIDED)
		return;
	pthread_mutex_lock(&mutex);
	is_stopped = true;
	pthread_cond_broadcast(&changed);
	while (!may_go_on)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
}

static void hear(void *ctx, const struct feox_event *event)
{
	pthread_mutex_lock(&mutex);
	expired += event->kind == FEOX_EVENT_EXPIRE;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

static void wait_expired(uint64_t wanted)
{
	pthread_mutex_lock(&mutex);
	while (expired < wanted)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
}

static uint64_t fake_now(void *ctx)
{
	struct fixture *f = ctx;

	return f->now;
}

static void *put_in_batch(void *arg)
{
	struct fixture *f = arg;
	struct feox_write_options o = {.expiry_ns = START + 200};
	struct feox_batch *batch;

	is_victim = true;
	assert_int_equal(feox_batch_create(f->store, &batch), 0);
	assert_int_equal(feox_batch_put(batch, "batch", 5, "v", 1, &o), 0);
	assert_int_equal(feox_batch_commit(batch, 0, NULL), 0);
	feox_batch_free(batch);
	return NULL;
}

static void an_intent_hides_no_expiry(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_write_options o = {.expiry_ns = START + 100};
	struct feox_stats stats;
	pthread_t thread;

	f->now = START;
	options.now = fake_now;
	options.now_ctx = f;
	options.changed = hear;
	open_with(f, &options);
	assert_int_equal(feox_put(f->store, "first", 5, "v", 1, &o, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, put_in_batch, f), 0);
	pthread_mutex_lock(&mutex);
	while (!is_stopped)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
	f->now = START + 100;
	wait_expired(1); /* a pass: it has seen the intent, the table is one step */
	pthread_mutex_lock(&mutex);
	may_go_on = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	pthread_join(thread, NULL);
	f->now = START + 200;
	wait_expired(2);
	assert_int_equal(feox_stats(f->store, &stats), 0);
	assert_int_equal(stats.keys, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_intent_hides_no_expiry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
