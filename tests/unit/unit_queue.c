/* SPDX-License-Identifier: Apache-2.0 */
/* The flush queue: admission in order, no waiter forgotten, the cut. */
#include "fixture.h"

#include "queue.h"

#include <sched.h>

struct admission {
	struct fx_queue *queue;
	uint64_t records, bytes;
	_Atomic bool woken, admitted;
	int result;
	pthread_t thread;
};

static void note_wake(void *ctx)
{
	struct admission *a = ctx;

	atomic_store(&a->woken, true);
}

static void *admit(void *arg)
{
	struct admission *a = arg;

	a->result = fx_queue_admit(a->queue, a->records, a->bytes, note_wake, a);
	atomic_store(&a->admitted, true);
	return NULL;
}

static void start(struct admission *a)
{
	assert_int_equal(pthread_create(&a->thread, NULL, admit, a), 0);
	while (!atomic_load(&a->woken)) /* it waits, or is about to */
		sched_yield();
}

/* A large batch that waits is not overtaken: small changes find the queue taken until it is in. */
static void waiting_batch_is_not_overtaken(void **state)
{
	struct fx_queue queue;
	struct admission big = {.queue = &queue, .records = FX_QUEUE_RECORDS_MAX, .bytes = 1};
	struct admission next = {.queue = &queue, .records = 1, .bytes = 1};

	fx_queue_init(&queue);
	assert_int_equal(fx_queue_try_admit(&queue, 2, 2), 0);
	assert_int_equal(fx_queue_try_admit(&queue, FX_QUEUE_RECORDS_MAX, 1), -EAGAIN);
	start(&big);
	start(&next);
	assert_true(fx_queue_has_waiters(&queue));
	assert_int_equal(fx_queue_try_admit(&queue, 1, 1), -EAGAIN);
	fx_queue_release(&queue, 1, 1);
	assert_false(atomic_load(&big.admitted) || atomic_load(&next.admitted));
	fx_queue_release(&queue, 1, 1);
	pthread_join(big.thread, NULL);
	assert_int_equal(big.result, 0);
	assert_false(atomic_load(&next.admitted));
	fx_queue_release(&queue, big.records, big.bytes);
	pthread_join(next.thread, NULL);
	assert_int_equal(next.result, 0);
	assert_int_equal(atomic_load(&queue.records), 1);
	fx_queue_destroy(&queue);
}

/* One batch larger than the whole queue is let in when it is alone. */
static void oversized_batch_goes_alone(void **state)
{
	struct fx_queue queue;

	fx_queue_init(&queue);
	assert_int_equal(fx_queue_try_admit(&queue, 3 * FX_QUEUE_RECORDS_MAX, 1), 0);
	assert_int_equal(fx_queue_try_admit(&queue, 1, 1), -EAGAIN);
	fx_queue_release(&queue, 3 * FX_QUEUE_RECORDS_MAX, 1);
	assert_int_equal(fx_queue_try_admit(&queue, 1, 2 * FX_QUEUE_BYTES_MAX), 0);
	fx_queue_destroy(&queue);
}

static void break_wakes_all(void **state)
{
	struct fx_queue queue;
	struct admission a = {.queue = &queue, .records = FX_QUEUE_RECORDS_MAX, .bytes = 1};
	struct admission b = a;

	fx_queue_init(&queue);
	assert_int_equal(fx_queue_try_admit(&queue, 2, 2), 0);
	start(&a);
	start(&b);
	fx_queue_break(&queue);
	pthread_join(a.thread, NULL);
	pthread_join(b.thread, NULL);
	assert_int_equal(a.result, -EROFS);
	assert_int_equal(b.result, -EROFS);
	assert_int_equal(fx_queue_try_admit(&queue, 1, 1), -EROFS);
	fx_queue_destroy(&queue);
}

/* What is pushed in a window is in the next cut, a chain as one. */
static void cut_takes_what_was_pushed(void **state)
{
	struct fx_pending a = {0}, b = {0}, c = {0};
	struct fx_queue queue;
	struct fx_window window;
	unsigned int count = 0;

	fx_queue_init(&queue);
	assert_null(fx_queue_cut(&queue));
	window = fx_queue_enter(&queue);
	fx_queue_push(window, &a, &a);
	b.next = &c;
	fx_queue_push(window, &b, &c);
	fx_queue_leave(window);
	for (struct fx_pending *p = fx_queue_cut(&queue); p; p = p->next)
		count++;
	assert_int_equal(count, 3);
	assert_null(fx_queue_cut(&queue));
	fx_queue_destroy(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiting_batch_is_not_overtaken),
		cmocka_unit_test(oversized_batch_goes_alone),
		cmocka_unit_test(break_wakes_all),
		cmocka_unit_test(cut_takes_what_was_pushed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
