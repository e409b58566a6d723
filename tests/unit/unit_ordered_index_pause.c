/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A writer stands at each of its points in turn. Scans, forward and in reverse, go on all the
 * while, and give what they should. And the other way round: a scan stands, and what it stands on
 * goes.
 */
#include "order_model.h"

#include "oi.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#define KEYS	   30000u
#define STAYS	   50u /* one in so many: few enough for a tree of one inner node */
#define SCANS	   20u
#define PATIENCE_S 60 /* for the writer to get to a point */

static struct {
	_Atomic int point; /* where the thread is to stop; 0: nowhere */
	pthread_t thread;
	sem_t stopped, go_on;
} stop;

void fx_pause_point(int point)
{
	if (point != atomic_load(&stop.point) || !pthread_equal(pthread_self(), stop.thread))
		return;
	atomic_store(&stop.point, 0);
	sem_post(&stop.stopped);
	sem_wait(&stop.go_on);
}

static size_t key_of(struct model *m, size_t i, uint8_t *key)
{
	/* Some of them long. */
	size_t size = i % 64 ? 0 : 300;

	memset(key, 'k', size);
	return size +
	       (size_t)snprintf((char *)key + size, 32, "%08x", (unsigned int)i * 2654435761u);
}

static bool stays(size_t i)
{
	return i % STAYS == 0;
}

/* Both ways to take a key out. */
static void drop(struct model *m, size_t i)
{
	struct fx_order_hint hint = {0};
	struct fx_order_lock lock;

	if (i % 2) {
		fx_ordered_index_remove(m->index, m->keys[i].bytes, m->keys[i].size, model_yes,
					NULL);
		return;
	}
	fx_epoch_enter();
	if (!fx_ordered_index_lock(m->index, m->keys[i].bytes, m->keys[i].size, &hint, &lock))
		fx_ordered_index_drop(&lock);
	fx_epoch_leave();
}

/* Grow and shrink the tree, until the point has been reached. */
static void *write_on(void *arg)
{
	struct model *m = arg;

	for (;;) {
		for (size_t i = 0; i < m->count; i++)
			if (!stays(i))
				fx_ordered_index_insert(m->index, m->keys[i].bytes,
							m->keys[i].size);
		for (size_t i = 0; i < m->count; i++)
			if (!stays(i))
				drop(m, i);
		if (!atomic_load(&stop.point))
			return NULL;
	}
}

/* All keys that stay, exactly once and in order; others may be there or not. */
static void scan(struct model *m, bool reverse)
{
	int64_t next = reverse ? (int64_t)((m->count - 1) / STAYS * STAYS) : 0;
	uint8_t last[FX_ORDERED_KEY_MAX];
	size_t last_size = 0;
	bool first = true;

	do {
		fx_ordered_index_scan(m->index, first ? NULL : last, last_size, false, reverse,
				      &m->batch);
		for (size_t k = 0; k < m->batch.count; k++) {
			const uint8_t *bytes = m->batch.keys + m->batch.refs[k].offset;
			size_t size = m->batch.refs[k].size;
			int c = first ? 0 : fx_bytes_cmp(last, last_size, bytes, size);

			assert_true(first || (reverse ? c > 0 : c < 0));
			if (next >= 0 && next < (int64_t)m->count &&
			    !fx_bytes_cmp(bytes, size, m->keys[next].bytes, m->keys[next].size))
				next += reverse ? -(int64_t)STAYS : STAYS;
			memcpy(last, bytes, size);
			last_size = size;
			first = false;
		}
	} while (!m->batch.end);
	assert_true(reverse ? next < 0 : next >= (int64_t)m->count);
}

/* Stop the writer at point, and scan. */
static void stand_at(struct model *m, int point)
{
	struct timespec until;

	atomic_store(&stop.point, point);
	assert_int_equal(pthread_create(&stop.thread, NULL, write_on, m), 0);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	if (sem_timedwait(&stop.stopped, &until))
		fail_msg("point %d is not reached", point);
	for (unsigned int i = 0; i < SCANS; i++)
		scan(m, i % 2);
	sem_post(&stop.go_on);
	pthread_join(stop.thread, NULL);
	scan(m, false);
}

static void scans_go_on(void **state)
{
	struct model m;

	model_open(&m, KEYS, key_of);
	sem_init(&stop.stopped, 0, 0);
	sem_init(&stop.go_on, 0, 0);
	for (size_t i = 0; i < m.count; i += STAYS)
		assert_int_equal(fx_ordered_index_insert(m.index, m.keys[i].bytes, m.keys[i].size),
				 0);
	for (int point = FX_OI_PAUSE_LOCKED; point < FX_OI_PAUSE_END; point++)
		stand_at(&m, point);
	sem_destroy(&stop.stopped);
	sem_destroy(&stop.go_on);
	model_close(&m);
}

/* ---- A scan stands ------------------------------------------------------------------------ */

#define IN_ORDER_KEYS 8000u
#define IN_ORDER_STAY 64u /* one in so many */

static size_t key_in_order(struct model *m, size_t i, uint8_t *key)
{
	return (size_t)snprintf((char *)key, 32, "key-%06zu", i);
}

/* What a scan gave that was stopped once, by number. */
struct stopped_scan {
	struct model *m;
	bool reverse;
	size_t given[IN_ORDER_KEYS];
	size_t count;
};

static void *scan_on(void *arg)
{
	struct stopped_scan *s = arg;
	struct model *m = s->m;
	uint8_t last[32];
	size_t last_size = 0;

	do {
		fx_ordered_index_scan(m->index, s->count ? last : NULL, last_size, false,
				      s->reverse, &m->batch);
		for (size_t k = 0; k < m->batch.count; k++) {
			last_size = m->batch.refs[k].size;
			memcpy(last, m->batch.keys + m->batch.refs[k].offset, last_size);
			last[last_size] = '\0';
			s->given[s->count++] = (size_t)strtoul((char *)last + 4, NULL, 10);
		}
	} while (!m->batch.end);
	return NULL;
}

/* While a scan stands between two nodes, most keys go, and leaves on both sides become one. */
static void shrink_below_a_scan(bool reverse)
{
	struct stopped_scan *s = calloc(1, sizeof(*s));
	struct model m;
	size_t stayed = 0;

	model_open(&m, IN_ORDER_KEYS, key_in_order);
	for (size_t i = 0; i < m.count; i++)
		assert_int_equal(model_insert(&m, i), 0);
	*s = (struct stopped_scan){.m = &m, .reverse = reverse};
	atomic_store(&stop.point, FX_OI_PAUSE_SCAN);
	assert_int_equal(pthread_create(&stop.thread, NULL, scan_on, s), 0);
	sem_wait(&stop.stopped);
	/* Twice: leaves of different nodes only merge when these are one. Not from the beginning:
	 * the leaves would end where they did. */
	for (size_t stay = 16; stay <= IN_ORDER_STAY; stay *= 4)
		for (size_t k = 0; k < m.count; k++) {
			size_t i = (k + 1500) % m.count;

			if (i % stay && m.keys[i].there)
				model_remove(&m, i);
		}
	sem_post(&stop.go_on);
	pthread_join(stop.thread, NULL);
	for (size_t k = 0; k < s->count; k++) {
		if (k)
			assert_true(reverse ? s->given[k] < s->given[k - 1]
					    : s->given[k] > s->given[k - 1]);
		stayed += s->given[k] % IN_ORDER_STAY == 0;
	}
	assert_int_equal(stayed, m.count / IN_ORDER_STAY);
	model_close(&m);
	free(s);
}

static void scans_stand(void **state)
{
	sem_init(&stop.stopped, 0, 0);
	sem_init(&stop.go_on, 0, 0);
	shrink_below_a_scan(false);
	shrink_below_a_scan(true);
	sem_destroy(&stop.stopped);
	sem_destroy(&stop.go_on);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scans_go_on),
		cmocka_unit_test(scans_stand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
