/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts, deletes, attribute changes, renames of keys and of prefixes, batches, in any order, against
 * an oracle: alive, opened again, and after kill -9, where the store is what the oracle was after
 * some operation that is not older than the last sync (one point in time).
 */
#include "amend_model.h"

#include <signal.h>
#include <sys/wait.h>

#define OPERATIONS 6000u
#define ROUNDS	   10
#define BEHIND	   400000u /* operations that may follow a sync before the kill */

static void open_small(struct fixture *f, uint64_t memory_limit)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE;
	options.initial_size_bytes = 1 << 20; /* so that the journal has many checkpoints */
	options.memory_limit_bytes = memory_limit;
	options.flush_interval_ns = 2000000;
	open_with(f, &options);
}

/* Versions never go back, and grow with a new value. */
static void check_versions(struct fixture *f, struct model *m)
{
	for (unsigned int i = 0; i < m->count; i++) {
		struct model_entry *e = &m->entries[i];
		uint64_t version = version_of(f->store, e->key);

		assert_true(version >= e->version);
		e->version = version;
	}
}

static void run(struct fixture *f, uint64_t seed, uint64_t memory_limit)
{
	static struct model m;
	uint64_t r = seed;

	m.count = 0;
	open_small(f, memory_limit);
	for (uint64_t n = seed; n < seed + OPERATIONS; n++) {
		struct model_op op = model_op(n);
		int expected = model_apply(&m, &op);

		assert_int_equal(store_apply(f->store, &op), expected);
		if (model_random(&r) % 40 == 0)
			assert_int_equal(feox_sync(f->store), 0);
		if (model_random(&r) % 60 == 0) {
			assert_true(store_is(f->store, &m, true));
			check_versions(f, &m);
		}
		if (model_random(&r) % 200 == 0) {
			close_store(f);
			open_small(f, memory_limit);
			assert_true(store_is(f->store, &m, model_random(&r) % 2));
			check_versions(f, &m);
		}
	}
	assert_true(store_is(f->store, &m, true));
	close_store(f);
	unlink(f->path);
}

static void any_order_of_changes_is_as_the_oracle_says(void **state)
{
	run(*state, 1, 0);
	run(*state, 1000000, 0);
}

/* Renamed directories leave small values on disk. */
static void the_same_with_hardly_any_memory(void **state)
{
	run(*state, 2000000, (uint64_t)4 << 20);
}

/* ---- kill -9 ----------------------------------------------------------------------------------
 */

/* The child: operation after operation; every 20th is synced and told to the parent. */
static int work_for_ever(const char *path, uint64_t n, int fd)
{
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_store *store;

	options.path = path;
	options.flags = FEOX_OPEN_CREATE;
	options.flush_interval_ns = 2000000;
	if (feox_open(&options, &store, NULL))
		return 1;
	for (;; n++) {
		struct model_op op = model_op(n);
		int err = store_apply(store, &op);

		if (err && err != -ENOENT && err != -EINVAL)
			return 2;
		if (n % 20 == 0 && (feox_sync(store) || write(fd, &n, sizeof(n)) != sizeof(n)))
			return 3;
	}
}

/* Run the child until it has reported some syncs, kill it; the last number reported. */
static uint64_t run_and_kill(struct fixture *f, uint64_t from, int round)
{
	uint64_t synced = from - 1, n;
	int fds[2], status, reports = 0;
	char number[32];
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) { /* a new program: liburcu's thread of this one does not survive a fork */
		snprintf(number, sizeof(number), "%llu", (unsigned long long)from);
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execl("/proc/self/exe", "store_amend_model", f->path, number, (char *)NULL);
		_exit(9);
	}
	close(fds[1]);
	while (reports++ < 2 + round * 7 && read(fds[0], &n, sizeof(n)) == sizeof(n))
		synced = n;
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	while (read(fds[0], &n, sizeof(n)) == sizeof(n))
		synced = n;
	close(fds[0]);
	return synced;
}

static void killed_stores_are_at_one_point_of_the_run(void **state)
{
	struct fixture *f = *state;
	static struct model m;
	uint64_t n = 1;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t synced = run_and_kill(f, n, round), last;

		for (; n <= synced; n++) {
			struct model_op op = model_op(n);

			model_apply(&m, &op);
		}
		open_file_store(f);
		last = n + BEHIND;
		while (n < last && !store_is(f->store, &m, false)) {
			struct model_op op = model_op(n++);

			model_apply(&m, &op);
		}
		assert_true(n < last);
		assert_true(store_is(f->store, &m, true));
		close_store(f);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(any_order_of_changes_is_as_the_oracle_says),
		TEST(the_same_with_hardly_any_memory),
		TEST(killed_stores_are_at_one_point_of_the_run),
	};

	if (argc == 3)
		return work_for_ever(argv[1], strtoull(argv[2], NULL, 10), STDOUT_FILENO);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
