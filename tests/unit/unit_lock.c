/* SPDX-License-Identifier: Apache-2.0 */
/* One owner per file; a closing one is waited for. */
#include "fixture.h"

#include "lock.h"

#include <fcntl.h>
#include <pthread.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_owner),
		TEST(a_closing_owner_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
