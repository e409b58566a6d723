/* SPDX-License-Identifier: Apache-2.0 */
/* One owner per file; a closing one is waited for. */
#include "fixture.h"

#include "lock.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>

static void one_owner(void **state)
{
	struct fixture *f = *state;
	struct fx_lock one = {-1}, two = {-1};

	assert_int_equal(fx_lock_acquire(&one, f->path, false, 0), -ENOENT);
	close(open(f->path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(fx_lock_acquire(&one, f->path, false, 0), 0);
	assert_int_equal(fx_lock_acquire(&two, f->path, false, 1000), -EBUSY); /* does not wait */
	assert_int_equal(fx_lock_acquire(&two, f->path, true, 1000), -EBUSY);
	fx_lock_release(&one);
	fx_lock_release(&one);
	assert_int_equal(fx_lock_acquire(&one, f->path, true, 0), 0);
	assert_int_equal(fx_lock_acquire(&two, f->path, true, 0), 0); /* readers share */
	fx_lock_release(&one);
	fx_lock_release(&two);
}

static int64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct waiting {
	struct fixture *f;
	struct fx_lock lock;
	int result;
};

static void *acquire(void *arg)
{
	struct waiting *w = arg;

	w->result = fx_lock_acquire(&w->lock, w->f->path, false, 30000);
	return NULL;
}

static void a_closing_owner_is_waited_for(void **state)
{
	struct waiting w = {.f = *state, .lock = {-1}, .result = 1};
	struct fx_lock owner = {-1};
	pthread_t thread;

	close(open(w.f->path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(fx_lock_acquire(&owner, w.f->path, false, 0), 0);
	fx_lock_closing(&owner);
	pthread_create(&thread, NULL, acquire, &w);
	fx_lock_release(&owner);
	pthread_join(thread, NULL);
	assert_int_equal(w.result, 0);
	fx_lock_closing(&w.lock);
	assert_int_equal(fx_lock_acquire(&owner, w.f->path, false, 50), -EBUSY); /* not for ever */
	fx_lock_release(&w.lock);
}

/* regression: a store opened for reading never said that it was closing */
static void a_closing_reader_is_waited_for(void **state)
{
	struct fixture *f = *state;
	struct fx_lock reader = {-1}, other = {-1};
	int64_t before_ns, waited_ns;

	close(open(f->path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(fx_lock_acquire(&reader, f->path, true, 0), 0);
	fx_lock_closing(&reader);
	before_ns = monotonic_ns();
	assert_int_equal(fx_lock_acquire(&other, f->path, false, 50), -EBUSY);
	waited_ns = monotonic_ns() - before_ns;
	assert_true(waited_ns >= 50 * 1000000); /* it was waited for, not refused */
	fx_lock_release(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_owner),
		TEST(a_closing_owner_is_waited_for),
		TEST(a_closing_reader_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
