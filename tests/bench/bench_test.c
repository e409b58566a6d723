/* SPDX-License-Identifier: Apache-2.0 */
/* bench_test.c - the benchmark measures what it says: sequences, statistics, and loops that notice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench_key.h"
#include "bench_pool.h"
#include "bench_report.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define KEYS	    1000
#define COUNT	    2500
#define VALUE_BYTES 32
#define THREADS	    3

/* ---- Keys, sequences, statistics ------------------------------------------------------------- */

static void keys_are_in_order_and_counted(void **state)
{
	unsigned char last[BENCH_KEY_MAX], key[BENCH_KEY_MAX];
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < KEYS; i++) {
		size_t size = bench_key(i, key);

		assert_in_range(size, BENCH_KEY_FIXED, BENCH_KEY_MAX);
		if (i)
			assert_true(memcmp(last, key, BENCH_KEY_FIXED) < 0);
		memcpy(last, key, sizeof(last));
		assert_int_equal(bench_key_bytes(i), bytes);
		bytes += size;
	}
	bench_key(UINT32_C(2147483647), key);
	assert_memory_equal(key, "user:02147483647", BENCH_KEY_FIXED);
}

static void shuffled_has_each_key_once(void **state)
{
	struct bench_sequence sequence;
	unsigned int seen[KEYS] = {0}, in_place = 0;

	assert_int_equal(bench_sequence_create(&sequence, KEYS), 0);
	bench_sequence_shuffled(&sequence, KEYS, KEYS, 1);
	for (uint32_t i = 0; i < KEYS; i++) {
		assert_true(sequence.entries[i] < KEYS);
		assert_int_equal(seen[sequence.entries[i]]++, 0);
		in_place += sequence.entries[i] == i;
	}
	assert_true(in_place < KEYS / 20);
	bench_sequence_destroy(&sequence);
}

/* Entry i of a thread's share meets its key in generation i / keys of the share. */
static void passes_know_the_generation(void **state)
{
	struct bench_sequence sequence;
	uint32_t generation[KEYS] = {0};

	assert_int_equal(bench_sequence_create(&sequence, KEYS + COUNT), 0);
	bench_sequence_passes(&sequence, KEYS, COUNT, THREADS, 1);
	for (unsigned int t = 0; t < THREADS; t++) {
		struct bench_share entries = bench_share(COUNT, t, THREADS);
		struct bench_share own = bench_share(KEYS, t, THREADS);

		for (size_t i = entries.from; i < entries.to; i++) {
			uint32_t key = sequence.entries[i];

			assert_in_range(key, own.from, own.to - 1);
			assert_int_equal(generation[key]++,
					 (i - entries.from) / (own.to - own.from));
		}
	}
	bench_sequence_destroy(&sequence);
}

static void zipf_has_its_probabilities(void **state)
{
	struct bench_zipf zipf;
	unsigned int first = 0, head = 0, n = 200000;
	uint64_t seed = 1;

	bench_zipf_init(&zipf, KEYS);
	for (unsigned int i = 0; i < n; i++) {
		size_t rank = bench_zipf_rank(&zipf, &seed);

		assert_true(rank < KEYS);
		first += rank == 0;
		head += rank < 10;
	}
	/* Of 1000 ranks with exponent 0.99: 13.0 % for the first, 38.5 % for the first ten. */
	assert_in_range(first, n * 0.125, n * 0.135);
	assert_in_range(head, n * 0.37, n * 0.40);
}

static void zipf_writes_as_often_as_asked(void **state)
{
	struct bench_sequence sequence;
	struct bench_zipf zipf;
	unsigned int writes = 0, n = 100000;

	assert_int_equal(bench_sequence_create(&sequence, n), 0);
	bench_zipf_init(&zipf, KEYS);
	bench_sequence_zipf(&sequence, &zipf, n, 5, 1);
	for (unsigned int i = 0; i < n; i++) {
		writes += (sequence.entries[i] & BENCH_WRITE) != 0;
		assert_true((sequence.entries[i] & ~BENCH_WRITE) < KEYS);
	}
	assert_in_range(writes, n * 0.045, n * 0.055);
	bench_sequence_destroy(&sequence);
}

static void median_and_spread(void **state)
{
	double odd[] = {9, 1, 5}, even[] = {4, 1, 2, 3}, one[] = {7};

	assert_true(bench_median(odd, 3) == 5);
	assert_true(bench_spread(odd, 3) == 8.0 / 5);
	assert_true(bench_median(even, 4) == 2.5);
	assert_true(bench_median(one, 1) == 7);
	assert_true(bench_spread(one, 1) == 0);
	assert_true(bench_median(one, 0) == 0);
	assert_true(bench_spread(one, 0) == 0);
}

/* ---- Loops notice what is wrong -------------------------------------------------------------- */

/* A store of KEYS values by number, wrong in the way its fault says. Its threads share nothing. */
struct fake {
	enum { RIGHT, STALE_GET, SHORT_GET, PUT_FAILS, CAS_LOST, DELETE_FAILS } fault;
	unsigned char values[KEYS][VALUE_BYTES];
	int64_t counters[KEYS];
};

static uint32_t to_number(const void *key)
{
	char digits[11] = {0};

	memcpy(digits, (const char *)key + 6, 10);
	return (uint32_t)strtoul(digits, NULL, 10);
}

static int fake_begin(void *db, void **ret_thread)
{
	*ret_thread = db;
	return 0;
}

static long fake_get(void *thread, const void *key, size_t key_size, void *buffer, size_t capacity)
{
	struct fake *fake = thread;
	uint32_t number = to_number(key);

	memcpy(buffer, fake->values[fake->fault == STALE_GET ? number / 2 : number], capacity);
	return fake->fault == SHORT_GET ? VALUE_BYTES - 1 : VALUE_BYTES;
}

static int fake_get_many(void *thread, const struct bench_key *keys, size_t n, void *buffer,
			 size_t stride)
{
	for (size_t i = 0; i < n; i++)
		fake_get(thread, keys[i].data, keys[i].size, (char *)buffer + i * stride, stride);
	return 0;
}

static int fake_put(void *thread, const void *key, size_t key_size, const void *value, size_t size)
{
	struct fake *fake = thread;

	memcpy(fake->values[to_number(key)], value, size);
	return fake->fault == PUT_FAILS && to_number(key) == 7 ? -ENOMEM : 0;
}

static int fake_cas(void *thread, const void *key, size_t key_size, const void *expected,
		    const void *value, size_t size)
{
	struct fake *fake = thread;
	unsigned char *current = fake->values[to_number(key)];

	if (memcmp(current, expected, size) != 0)
		return -ECANCELED;
	if (fake->fault != CAS_LOST)
		memcpy(current, value, size);
	return 0;
}

static int fake_counter_set(void *thread, const void *key, size_t key_size, int64_t number)
{
	struct fake *fake = thread;

	fake->counters[to_number(key)] = number;
	return 0;
}

static int fake_counter_add(void *thread, const void *key, size_t key_size, int64_t delta,
			    int64_t *ret_number)
{
	struct fake *fake = thread;

	*ret_number = __atomic_add_fetch(&fake->counters[to_number(key)], delta, __ATOMIC_RELAXED);
	return 0;
}

static int fake_del(void *thread, const void *key, size_t key_size)
{
	struct fake *fake = thread;

	return fake->fault == DELETE_FAILS ? -ENOENT : 0;
}

static const struct bench_engine fake_engine = {
	.name = "fake",
	.thread_begin = fake_begin,
	.get = fake_get,
	.get_many = fake_get_many,
	.put = fake_put,
	.cas = fake_cas,
	.counter_set = fake_counter_set,
	.counter_add = fake_counter_add,
	.del = fake_del,
};

static const struct bench_setup setup = {
	.keys = KEYS,
	.value_bytes = VALUE_BYTES,
	.threads = THREADS,
};

/* A pool over a fake: its threads live until the test program ends. */
struct rig {
	struct bench_sequence sequence;
	struct bench_pool pool;
	struct fake fake;
};

static struct rig *make_rig(int fault)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct bench_run run;

	assert_int_equal(bench_sequence_create(&rig->sequence, KEYS + COUNT), 0);
	assert_int_equal(bench_pool_start(&rig->pool, &fake_engine, &setup, &rig->sequence), 0);
	assert_int_equal(bench_pool_begin(&rig->pool, &rig->fake), 0);
	bench_sequence_shuffled(&rig->sequence, KEYS, KEYS, 1);
	bench_pool_run(&rig->pool, bench_workload_loop(BENCH_INSERT), KEYS, &run);
	assert_int_equal(run.operations, KEYS);
	assert_int_equal(run.failures, 0);
	rig->fake.fault = fault;
	return rig;
}

static struct bench_run run_with(int fault, enum bench_workload workload)
{
	struct rig *rig = make_rig(fault);
	struct bench_run run;

	if (workload == BENCH_CAS)
		bench_sequence_passes(&rig->sequence, KEYS, COUNT, THREADS, 2);
	else if (workload == BENCH_OVERWRITE || workload == BENCH_DELETE)
		bench_sequence_shuffled(&rig->sequence, KEYS, KEYS, 2);
	else
		bench_sequence_uniform(&rig->sequence, KEYS, COUNT, 2);
	if (bench_workload_prepare(workload))
		bench_pool_run(&rig->pool, bench_workload_prepare(workload), COUNT, &run);
	bench_pool_run(&rig->pool, bench_workload_loop(workload),
		       workload == BENCH_OVERWRITE || workload == BENCH_DELETE ? KEYS : COUNT,
		       &run);
	return run;
}

static void a_right_engine_passes(void **state)
{
	enum bench_workload all[] = {BENCH_GET,	      BENCH_GET_MANY, BENCH_CAS,
				     BENCH_OVERWRITE, BENCH_ADD,      BENCH_DELETE};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct bench_run run = run_with(RIGHT, all[i]);

		assert_int_equal(run.failures, 0);
		assert_true(run.operations >= KEYS);
		assert_true(run.ns > 0 && run.check > 0);
	}
}

static void wrong_values_are_noticed(void **state)
{
	assert_true(run_with(STALE_GET, BENCH_GET).failures > COUNT / 2);
	assert_true(run_with(STALE_GET, BENCH_GET_MANY).failures > COUNT / 2);
	assert_int_equal(run_with(SHORT_GET, BENCH_GET).failures, COUNT);
}

static void lost_writes_are_noticed(void **state)
{
	struct bench_run run = run_with(PUT_FAILS, BENCH_OVERWRITE);

	assert_int_equal(run.failures, 1);
	assert_int_equal(run.first_failure, -ENOMEM);
	/* The second pass expects what the first one wrote. */
	assert_true(run_with(CAS_LOST, BENCH_CAS).failures > 0);
	assert_int_equal(run_with(DELETE_FAILS, BENCH_DELETE).failures, KEYS);
}

static void names_are_found(void **state)
{
	for (enum bench_workload w = 0; w < BENCH_WORKLOADS; w++)
		assert_int_equal(bench_workload_find(bench_workload_name(w)), w);
	assert_int_equal(bench_workload_find("nothing"), BENCH_WORKLOADS);
	for (unsigned int peer = 0; peer < BENCH_PEERS; peer++)
		assert_int_equal(bench_peer_find(bench_peer_name(peer)), peer);
	assert_int_equal(bench_peer_find(""), BENCH_PEERS);
}

/* ---- Engines' processes ---------------------------------------------------------------------- */

static int open_well(const struct bench_setup *unused, void **ret_db)
{
	static struct fake fake;

	*ret_db = &fake;
	return 0;
}

static int open_badly(const struct bench_setup *unused, void **ret_db)
{
	return -ENOMEM;
}

static int open_and_exit(const struct bench_setup *unused, void **ret_db)
{
	_exit(3);
}

static int open_and_die(const struct bench_setup *unused, void **ret_db)
{
	return raise(SIGKILL);
}

static int start(struct bench_remote *remote, struct bench_engine *engine,
		 int (*open)(const struct bench_setup *, void **))
{
	static struct bench_sequence sequence;
	struct bench_peer peer = {"fake", engine, NULL};

	*engine = fake_engine;
	engine->open = open;
	if (!sequence.entries)
		assert_int_equal(bench_sequence_create(&sequence, KEYS + COUNT), 0);
	bench_sequence_shuffled(&sequence, KEYS, KEYS, 1);
	return bench_remote_start(remote, &peer, &setup, &sequence);
}

static char state_of(const struct bench_remote *remote)
{
	char path[64], state = '?';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)remote->pid);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
	fclose(file);
	return state;
}

static void a_process_runs_only_when_asked(void **state)
{
	struct bench_engine engine;
	struct bench_remote remote;
	struct bench_reply reply = {0};

	assert_int_equal(start(&remote, &engine, open_well), 0);
	assert_int_equal(state_of(&remote), 'T');
	assert_int_equal(bench_remote_ask(&remote, "open", &reply), 0);
	assert_int_equal(bench_remote_ask(&remote, "run insert 1000", &reply), 0);
	assert_int_equal(reply.operations, KEYS);
	assert_int_equal(reply.check, (uint64_t)KEYS * (KEYS - 1) / 2);
	assert_int_equal(state_of(&remote), 'T');
	assert_int_equal(bench_remote_ask(&remote, "run sweep 1000", &reply), -EPROTO);
	assert_string_equal(remote.error, "sweep: Operation not supported");
	bench_remote_end(&remote);
	assert_int_equal(remote.pid, 0);
}

static void a_process_that_fails_says_why(void **state)
{
	static const struct {
		int (*open)(const struct bench_setup *, void **);
		const char *error;
	} cases[] = {
		{open_badly, "opening a store: Cannot allocate memory"},
		{open_and_exit, "ended with status 3"},
		{open_and_die, "killed by signal 9 (Killed)"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench_engine engine;
		struct bench_remote remote;
		struct bench_reply reply;

		assert_int_equal(start(&remote, &engine, cases[i].open), 0);
		assert_int_equal(bench_remote_ask(&remote, "open", &reply), -EPROTO);
		assert_string_equal(remote.error, cases[i].error);
		bench_remote_end(&remote);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_in_order_and_counted),
		cmocka_unit_test(shuffled_has_each_key_once),
		cmocka_unit_test(passes_know_the_generation),
		cmocka_unit_test(zipf_has_its_probabilities),
		cmocka_unit_test(zipf_writes_as_often_as_asked),
		cmocka_unit_test(median_and_spread),
		cmocka_unit_test(a_right_engine_passes),
		cmocka_unit_test(wrong_values_are_noticed),
		cmocka_unit_test(lost_writes_are_noticed),
		cmocka_unit_test(names_are_found),
		cmocka_unit_test(a_process_runs_only_when_asked),
		cmocka_unit_test(a_process_that_fails_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
