/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_linear.c - threads on a few keys of a store, checked for linearisability.
 *
 *	model_linear [HISTORIES [SEED]]
 *
 * Each history has keys of its own in one store, where at the same time other threads put and
 * delete keys around them (splits and merges of both indexes, reclamation), the flusher and the
 * sweeper run, and everybody naps now and then in the middle of a change (pause.h). The clock is
 * the test's. It moves while readers run but not while a writer does: a writer judges expiry by one
 * look at the clock, and what happens between that look and its change is not told apart.
 *
 * In a cache, evictions are operations of the history too: by whoever evicts, at some time between
 * the beginning of what he does and the event.
 */
#include "linear.h"
#include "naps.h"

#include "evict.h"
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS	   4u
#define OPS	   80u /* of a thread in a history */
#define NOISE	   2u
#define NOISE_KEYS 4096u
#define START_NS   (UINT64_C(2000000000) * 1000000000)
#define TTL_NS	   1000u

struct history {
	struct fixture *f;
	struct linear_op ops[LINEAR_OPS];
	pthread_barrier_t barrier;
	pthread_rwlock_t clock; /* shared: writers; exclusive: who moves it */
	_Atomic uint64_t ticket;
	_Atomic unsigned int evictions; /* behind the threads' in ops */
	uint64_t number, seed;
	bool evicts;		/* it is a cache, which the noise makes evict */
	pthread_rwlock_t noise; /* shared: it is making some; exclusive: who waits for its end */
	uint64_t evictions_total;
	unsigned int kinds; /* which linear_kind, a bit each */
};

struct worker {
	struct history *h;
	unsigned int index;
	uint64_t random;
	uint64_t seen[LINEAR_KEYS]; /* a version that a get has told */
};

static _Thread_local uint64_t doing_since; /* ticket */
static struct history *_Atomic evicted_from;

static uint64_t fake_now(void *ctx)
{
	return atomic_load(&((struct fixture *)ctx)->now);
}

/* ---- One operation --------------------------------------------------------------------------- */

static size_t key_text(const struct history *h, unsigned int key, char *text, size_t size)
{
	return (size_t)snprintf(text, size, "history/%06llu/%u", (unsigned long long)h->number,
				key);
}

static int64_t number_of(const struct feox_value *value)
{
	char text[32] = "";

	assert_true(value->size < sizeof(text));
	memcpy(text, value->data, value->size);
	return strtoll(text, NULL, 10);
}

struct call {
	struct feox_store *store;
	char key[64], other[64], value[32], expected[32];
	size_t key_size, other_size, value_size, expected_size;
	struct feox_write_options options;
	struct feox_write_result result;
};

static void run_get(struct call *c, struct linear_op *op)
{
	struct feox_value value;

	op->result = feox_get(c->store, c->key, c->key_size, 0, &value);
	if (op->result)
		return;
	op->value = number_of(&value);
	op->version = value.version;
	feox_value_release(c->store, &value);
}

static int run_batch(struct call *c)
{
	struct feox_batch *batch;
	int err;

	assert_int_equal(feox_batch_create(c->store, &batch), 0);
	c->options.flags = FEOX_CREATE;
	feox_batch_put(batch, c->key, c->key_size, c->value, c->value_size, &c->options);
	feox_batch_put(batch, c->other, c->other_size, c->value, c->value_size, NULL);
	err = feox_batch_commit(batch, 0, NULL);
	feox_batch_free(batch);
	return err;
}

static int run_put(struct call *c, struct linear_op *op)
{
	c->options.flags = op->kind == LINEAR_CREATE ? FEOX_CREATE
			   : op->kind == LINEAR_IF   ? FEOX_IF_VERSION
						     : 0u;
	c->options.if_version = op->if_version;
	c->options.expiry_ns = op->kind == LINEAR_PUT ? op->expiry_ns : 0;
	return feox_put(c->store, c->key, c->key_size, c->value, c->value_size, &c->options,
			&c->result);
}

static int run_rename(struct call *c, const struct linear_op *op)
{
	struct feox_rename_options options = {
		.flags = op->kind == LINEAR_EXCHANGE ? FEOX_RENAME_EXCHANGE : 0};

	return feox_rename(c->store, c->key, c->key_size, c->other, c->other_size, &options);
}

static void run_op(struct history *h, struct linear_op *op)
{
	struct call c = {.store = h->f->store};

	c.key_size = key_text(h, op->key, c.key, sizeof(c.key));
	c.other_size = key_text(h, op->other, c.other, sizeof(c.other));
	c.value_size = (size_t)snprintf(c.value, sizeof(c.value), "%lld", (long long)op->value);
	c.expected_size =
		(size_t)snprintf(c.expected, sizeof(c.expected), "%lld", (long long)op->expected);
	if (op->kind == LINEAR_TICK)
		pthread_rwlock_wrlock(&h->clock);
	else if (op->kind != LINEAR_GET)
		pthread_rwlock_rdlock(&h->clock);
	op->called = doing_since = atomic_fetch_add(&h->ticket, 1);
	switch (op->kind) {
	case LINEAR_GET:
		run_get(&c, op);
		break;
	case LINEAR_PUT:
	case LINEAR_CREATE:
	case LINEAR_IF:
		op->result = run_put(&c, op);
		break;
	case LINEAR_CAS:
		op->result = feox_cas(c.store, c.key, c.key_size, c.expected, c.expected_size,
				      c.value, c.value_size, NULL, &c.result);
		break;
	case LINEAR_ADD:
		op->result = feox_add(c.store, c.key, c.key_size, op->value, NULL, &op->number,
				      &c.result);
		break;
	case LINEAR_DELETE:
		op->result = feox_delete(c.store, c.key, c.key_size, NULL);
		break;
	case LINEAR_EXPIRE:
		op->result = feox_set_expiry(c.store, c.key, c.key_size, op->expiry_ns, NULL);
		break;
	case LINEAR_RENAME:
	case LINEAR_EXCHANGE:
		op->result = run_rename(&c, op);
		break;
	case LINEAR_BATCH:
		op->result = run_batch(&c);
		break;
	case LINEAR_TICK:
		op->expiry_ns = atomic_load(&h->f->now) + 1;
		atomic_store(&h->f->now, op->expiry_ns);
		break;
	case LINEAR_EVICT:
		break; /* not by us */
	}
	op->returned = atomic_fetch_add(&h->ticket, 1);
	if (op->kind != LINEAR_GET)
		pthread_rwlock_unlock(&h->clock);
	if (op->kind != LINEAR_GET && !op->result)
		op->version = c.result.version;
}

/* Of a cache: the change callback. */
static void hear(void *ctx, const struct feox_event *event)
{
	struct history *h = atomic_load(&evicted_from);
	char text[64] = "", *end;
	unsigned long long number;
	struct linear_op *op;
	unsigned int i;

	if (event->kind != FEOX_EVENT_EVICT || event->key_size >= sizeof(text) || !h)
		return;
	memcpy(text, event->key, event->key_size);
	number = strtoull(text + strlen("history/"), &end, 10);
	if (number != h->number || end[1] < '0' || end[1] > '9')
		return; /* noise, or of a history that is over */
	i = atomic_fetch_add(&h->evictions, 1);
	assert_true(THREADS * OPS + i < LINEAR_OPS);
	op = &h->ops[THREADS * OPS + i];
	*op = (struct linear_op){.kind = LINEAR_EVICT,
				 .key = (unsigned int)(end[1] - '0'),
				 .version = event->version,
				 .called = doing_since};
	op->returned = atomic_fetch_add(&h->ticket, 1);
}

/* ---- One history ----------------------------------------------------------------------------- */

static void choose(struct worker *w, struct linear_op *op, unsigned int number)
{
	struct history *h = w->h;
	uint64_t r = next_random(&w->random);

	do
		op->kind = (enum linear_kind)(next_random(&w->random) % (LINEAR_TICK + 1));
	while (!(h->kinds >> op->kind & 1));
	op->key = (unsigned int)(r % LINEAR_KEYS);
	op->other = (op->key + 1 + (unsigned int)(r >> 8) % (LINEAR_KEYS - 1)) % LINEAR_KEYS;
	/* Few values, so that a comparison by value has a chance. */
	op->value = op->kind == LINEAR_ADD ? 1 : (int64_t)(w->index * 1000 + number);
	op->expected = (int64_t)((r >> 16) % THREADS * 1000 + (r >> 24) % (number + 1));
	op->if_version = w->seen[op->key];
	if (op->kind == LINEAR_EXPIRE || (op->kind == LINEAR_PUT && (r >> 32) % 4 == 0))
		op->expiry_ns = atomic_load(&h->f->now) + 1 + (r >> 40) % 3;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct history *h = w->h;

	pthread_barrier_wait(&h->barrier);
	for (unsigned int i = 0; i < OPS; i++) {
		struct linear_op *op = &h->ops[w->index * OPS + i];

		choose(w, op, i);
		run_op(h, op);
		if (op->kind == LINEAR_GET && !op->result)
			w->seen[op->key] = op->version;
	}
	return NULL;
}

/* Evictions that have taken effect have been told when nobody is in the middle of a change. */
static void end_evictions(struct history *h)
{
	pthread_rwlock_wrlock(&h->noise);
	atomic_store(&evicted_from, NULL);
	pthread_rwlock_unlock(&h->noise);
	h->evictions_total += atomic_load(&h->evictions);
}

static void run_history(struct history *h)
{
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	uint64_t start_ns = atomic_load(&h->f->now);
	enum linear_verdict verdict;
	unsigned int count;

	memset(h->ops, 0, sizeof(h->ops));
	atomic_store(&h->evictions, 0);
	if (h->evicts)
		atomic_store(&evicted_from, h);
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i] =
			(struct worker){.h = h,
					.index = i,
					.random = h->seed ^ (h->number * THREADS + i + 1) << 20};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	end_evictions(h);
	count = THREADS * OPS + atomic_load(&h->evictions);
	verdict = linear_check(h->ops, count, start_ns);
	if (verdict == LINEAR_YES)
		return;
	print_error("history %llu of seed %llu: %s\n", (unsigned long long)h->number,
		    (unsigned long long)h->seed,
		    verdict == LINEAR_NO ? "not linearisable" : "undecided");
	for (unsigned int i = 0; i < count; i++)
		linear_print(&h->ops[i]);
	fail();
}

/* ---- What goes on around them ---------------------------------------------------------------- */

struct noise {
	struct history *h;
	_Atomic bool *stop;
	uint64_t random;
};

static void *make_noise(void *arg)
{
	struct noise *n = arg;

	while (!atomic_load(n->stop)) {
		uint64_t r = next_random(&n->random);
		uint64_t history = (r >> 20) % NOISE_KEYS;
		char key[64];

		/* Among the histories' keys in order, and all over the hash. */
		snprintf(key, sizeof(key), "history/%06llu/noise%llu", (unsigned long long)history,
			 (unsigned long long)(r >> 40) % 4);
		pthread_rwlock_rdlock(&n->h->noise);
		doing_since = atomic_fetch_add(&n->h->ticket, 1);
		if (n->h->evicts && r % 64 == 0)
			fx_evict(n->h->f->store, UINT64_MAX); /* all that can go */
		else if (r % 3)
			put(n->h->f->store, key, "some noise around the history");
		else
			del(n->h->f->store, key);
		pthread_rwlock_unlock(&n->h->noise);
	}
	return NULL;
}

static unsigned int histories_wanted = 200;
static uint64_t seed_wanted = 1;

/* A steady stream of noise does not keep out who waits for its end. */
static void init_noise(struct history *h)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&h->noise, &attr);
	pthread_rwlockattr_destroy(&attr);
}

static void run_histories(struct fixture *f, bool evicts)
{
	static const unsigned int kinds[] = {
		/* registers, counters and comparisons; then deletes, expiry; then several keys */
		1u << LINEAR_GET | 1u << LINEAR_PUT | 1u << LINEAR_CAS | 1u << LINEAR_IF |
			1u << LINEAR_ADD,
		1u << LINEAR_GET | 1u << LINEAR_CREATE | 1u << LINEAR_DELETE | 1u << LINEAR_ADD |
			1u << LINEAR_IF,
		1u << LINEAR_GET | 1u << LINEAR_PUT | 1u << LINEAR_EXPIRE | 1u << LINEAR_TICK |
			1u << LINEAR_CREATE | 1u << LINEAR_DELETE,
		1u << LINEAR_GET | 1u << LINEAR_PUT | 1u << LINEAR_RENAME | 1u << LINEAR_EXCHANGE |
			1u << LINEAR_BATCH | 1u << LINEAR_DELETE,
		(1u << (LINEAR_TICK + 1)) - 1,
	};
	struct history *h = calloc(1, sizeof(*h));
	_Atomic bool stop = false;
	struct noise noise[NOISE];
	pthread_t threads[NOISE];

	h->f = f;
	h->evicts = evicts;
	init_noise(h);
	h->seed = seed_wanted * UINT64_C(0x9e3779b97f4a7c15) + 1;
	pthread_barrier_init(&h->barrier, NULL, THREADS);
	pthread_rwlock_init(&h->clock, NULL);
	atomic_store(&naps, true);
	for (unsigned int i = 0; i < NOISE; i++) {
		noise[i] = (struct noise){.h = h, .stop = &stop, .random = h->seed + i + 1};
		assert_int_equal(pthread_create(&threads[i], NULL, make_noise, &noise[i]), 0);
	}
	for (unsigned int i = 0; i < histories_wanted / 2; i++) {
		h->number = i;
		h->kinds = kinds[i % (sizeof(kinds) / sizeof(kinds[0]))];
		run_history(h);
	}
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < NOISE; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&naps, false);
	if (evicts)
		print_message("%llu evictions\n", (unsigned long long)h->evictions_total);
	assert_true(!evicts || h->evictions_total > histories_wanted / 10);
	pthread_rwlock_destroy(&h->noise);
	pthread_rwlock_destroy(&h->clock);
	pthread_barrier_destroy(&h->barrier);
	free(h);
}

static void in_memory(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;

	atomic_store(&f->now, START_NS);
	options.now = fake_now;
	options.now_ctx = f;
	open_with(f, &options);
	run_histories(f, false);
}

static void in_a_cache(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;

	atomic_store(&f->now, START_NS);
	options.now = fake_now;
	options.now_ctx = f;
	options.flags = FEOX_OPEN_CACHE;
	options.changed = hear;
	open_with(f, &options);
	run_histories(f, true);
}

static void on_disk(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;

	atomic_store(&f->now, START_NS);
	options.now = fake_now;
	options.now_ctx = f;
	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE;
	options.flush_interval_ns = 1000000;
	open_with(f, &options);
	run_histories(f, false);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(in_memory),
		TEST(in_a_cache),
		TEST(on_disk),
	};

	if (argc > 1)
		histories_wanted = (unsigned int)strtoul(argv[1], NULL, 10);
	if (argc > 2)
		seed_wanted = strtoull(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
