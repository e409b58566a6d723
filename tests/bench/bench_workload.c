/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_workload.h"

#include "bench_key.h"

#include <errno.h>

static void fail(struct bench_thread *thread, long result)
{
	if (!thread->failures++)
		thread->first_failure = result < 0 ? result : 0;
}

/* ---- Point reads ----------------------------------------------------------------------------- */

static void get(struct bench_thread *thread, uint32_t number)
{
	unsigned char key[BENCH_KEY_MAX];
	size_t key_size = bench_key(number, key);
	long size =
		thread->engine->get(thread->state, key, key_size, thread->out, thread->value_bytes);

	if (size != (long)thread->value_bytes || bench_value_number(thread->out) != number)
		fail(thread, size);
	thread->check += number;
}

static void loop_get(struct bench_thread *thread)
{
	const uint32_t *entries = thread->sequence->entries;

	for (size_t i = thread->share.from; i < thread->share.to; i++)
		get(thread, entries[i]);
	thread->operations = thread->share.to - thread->share.from;
}

static void get_some(struct bench_thread *thread, const uint32_t *numbers, size_t n)
{
	unsigned char bytes[BENCH_MANY][BENCH_KEY_MAX];
	struct bench_key keys[BENCH_MANY];
	int err;

	for (size_t i = 0; i < n; i++)
		keys[i] = (struct bench_key){bytes[i], bench_key(numbers[i], bytes[i])};
	err = thread->engine->get_many(thread->state, keys, n, thread->out, thread->value_bytes);
	if (err)
		fail(thread, err);
	for (size_t i = 0; i < n; i++) {
		if (bench_value_number(thread->out + i * thread->value_bytes) != numbers[i])
			fail(thread, 0);
		thread->check += numbers[i];
	}
}

static void loop_get_many(struct bench_thread *thread)
{
	const uint32_t *entries = thread->sequence->entries;
	size_t i = thread->share.from;

	for (; i + BENCH_MANY <= thread->share.to; i += BENCH_MANY)
		get_some(thread, entries + i, BENCH_MANY);
	if (i < thread->share.to)
		get_some(thread, entries + i, thread->share.to - i);
	thread->operations = thread->share.to - thread->share.from;
}

/* ---- Writes ---------------------------------------------------------------------------------- */

static void put(struct bench_thread *thread, uint32_t number)
{
	unsigned char key[BENCH_KEY_MAX];
	size_t key_size = bench_key(number, key);
	int err;

	bench_value(thread->value, number, 0);
	err = thread->engine->put(thread->state, key, key_size, thread->value, thread->value_bytes);
	if (err)
		fail(thread, err);
	thread->check += number;
}

static void loop_put(struct bench_thread *thread)
{
	const uint32_t *entries = thread->sequence->entries;

	for (size_t i = thread->share.from; i < thread->share.to; i++)
		put(thread, entries[i]);
	thread->operations = thread->share.to - thread->share.from;
}

static void loop_mixed(struct bench_thread *thread)
{
	const uint32_t *entries = thread->sequence->entries;

	for (size_t i = thread->share.from; i < thread->share.to; i++) {
		uint32_t number = entries[i] & ~BENCH_WRITE;

		if (entries[i] & BENCH_WRITE)
			put(thread, number);
		else
			get(thread, number);
	}
	thread->operations = thread->share.to - thread->share.from;
}

static void loop_cas(struct bench_thread *thread)
{
	const uint32_t *entries = thread->sequence->entries + thread->share.from;
	struct bench_share own = bench_share(thread->keys, thread->number, thread->threads);
	size_t count = thread->share.to - thread->share.from;
	size_t in_pass = 0;
	uint32_t generation = 0;
	unsigned char key[BENCH_KEY_MAX];

	for (size_t i = 0; i < count; i++) {
		size_t key_size = bench_key(entries[i], key);
		int err;

		bench_value(thread->expected, entries[i], generation);
		bench_value(thread->value, entries[i], generation + 1);
		err = thread->engine->cas(thread->state, key, key_size, thread->expected,
					  thread->value, thread->value_bytes);
		if (err)
			fail(thread, err);
		thread->check += entries[i];
		if (++in_pass == own.to - own.from) {
			in_pass = 0;
			generation++;
		}
	}
	thread->operations = count;
}

static void loop_delete(struct bench_thread *thread)
{
	const uint32_t *entries = thread->sequence->entries;
	unsigned char key[BENCH_KEY_MAX];

	for (size_t i = thread->share.from; i < thread->share.to; i++) {
		size_t key_size = bench_key(entries[i], key);
		int err = thread->engine->del(thread->state, key, key_size);

		if (err)
			fail(thread, err);
		thread->check += entries[i];
	}
	thread->operations = thread->share.to - thread->share.from;
}

/* ---- Counters -------------------------------------------------------------------------------- */

/* Make a counter of every key that loop_add() is going to meet. */
static void prepare_add(struct bench_thread *thread)
{
	const uint32_t *entries = thread->sequence->entries;
	unsigned char key[BENCH_KEY_MAX];

	for (size_t i = thread->share.from; i < thread->share.to; i++) {
		size_t key_size = bench_key(entries[i], key);
		int err = thread->engine->counter_set(thread->state, key, key_size, 0);

		if (err)
			fail(thread, err);
	}
}

static void loop_add(struct bench_thread *thread)
{
	const uint32_t *entries = thread->sequence->entries;
	unsigned char key[BENCH_KEY_MAX];

	for (size_t i = thread->share.from; i < thread->share.to; i++) {
		size_t key_size = bench_key(entries[i], key);
		int64_t number = 0;
		int err = thread->engine->counter_add(thread->state, key, key_size, 1, &number);

		if (err || number <= 0)
			fail(thread, err);
		/* Whoever comes first: all of a key's numbers together are 1 + 2 + ... + n. */
		thread->check += (uint64_t)number;
	}
	thread->operations = thread->share.to - thread->share.from;
}

/* ---- Scans ----------------------------------------------------------------------------------- */

static void scan(struct bench_thread *thread, bool keys_only)
{
	const uint32_t *entries = thread->sequence->entries;
	unsigned char key[BENCH_KEY_MAX];

	thread->scan.items = 0;
	thread->scan.check = 0;
	for (size_t i = thread->share.from; i < thread->share.to; i++) {
		size_t key_size = bench_key(entries[i], key);
		int err = thread->engine->scan(thread->state, key, key_size, keys_only,
					       &thread->scan);

		if (err)
			fail(thread, err);
	}
	thread->operations = thread->scan.items;
	thread->check = thread->scan.check;
}

static void loop_range(struct bench_thread *thread)
{
	scan(thread, false);
}

static void loop_keys(struct bench_thread *thread)
{
	scan(thread, true);
}

/* ---- The physical limit ---------------------------------------------------------------------- */

static void loop_two_loads(struct bench_thread *thread)
{
	size_t count = thread->share.to - thread->share.from;
	int err = thread->engine->two_loads(thread->state, count);

	if (err)
		fail(thread, err);
	thread->operations = count;
}

/* ---- The table ------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	bench_loop *loop;
	bench_loop *prepare;
} workloads[BENCH_WORKLOADS] = {
	[BENCH_INSERT] = {"insert", loop_put, NULL},
	[BENCH_GET] = {"get", loop_get, NULL},
	[BENCH_GET_MANY] = {"get_many", loop_get_many, NULL},
	[BENCH_RANGE] = {"range", loop_range, NULL},
	[BENCH_KEYS] = {"keys", loop_keys, NULL},
	[BENCH_CAS] = {"cas", loop_cas, NULL},
	[BENCH_OVERWRITE] = {"overwrite", loop_put, NULL},
	[BENCH_ZIPF95] = {"zipf95", loop_mixed, NULL},
	[BENCH_ZIPF50] = {"zipf50", loop_mixed, NULL},
	[BENCH_ADD] = {"add", loop_add, prepare_add},
	[BENCH_DELETE] = {"delete", loop_delete, NULL},
	[BENCH_SWEEP] = {"sweep", NULL, NULL},
	[BENCH_TWO_LOADS] = {"two_loads", loop_two_loads, NULL},
	[BENCH_TWO_LOADS_4K] = {"two_loads_4k", loop_two_loads, NULL},
};

const char *bench_workload_name(enum bench_workload workload)
{
	return workload < BENCH_WORKLOADS ? workloads[workload].name : NULL;
}

enum bench_workload bench_workload_find(const char *name)
{
	enum bench_workload workload = 0;

	while (workload < BENCH_WORKLOADS && strcmp(workloads[workload].name, name) != 0)
		workload++;
	return workload;
}

bool bench_workload_possible(enum bench_workload workload, const struct bench_engine *engine)
{
	switch (workload) {
	case BENCH_SWEEP:
		return engine->sweep != NULL;
	case BENCH_TWO_LOADS:
	case BENCH_TWO_LOADS_4K:
		return engine->two_loads != NULL;
	default:
		return engine->get != NULL;
	}
}

bench_loop *bench_workload_loop(enum bench_workload workload)
{
	return workloads[workload].loop;
}

bench_loop *bench_workload_prepare(enum bench_workload workload)
{
	return workloads[workload].prepare;
}
