/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 at any moment: what was synced is there, nothing is torn, and what is there is a prefix
 * of what one writer wrote (one point in time).
 */
#include "fixture.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define KEYS   64u
#define ROUNDS 12

/* A value that proves itself: a number, then size bytes that follow from it. */
static size_t make_value(uint8_t *bytes, uint64_t n)
{
	size_t size = 8 + (size_t)(n * 7919 % 3000);

	memcpy(bytes, &n, 8);
	for (size_t i = 8; i < size; i++)
		bytes[i] = (uint8_t)(n + i);
	return size;
}

/* The child: put number n at key n % KEYS; every 50th write is synced, then told to the parent. */
static int write_for_ever(const char *path, uint64_t n, int fd)
{
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_store *store;
	uint8_t bytes[4096];

	options.path = path;
	options.flags = FEOX_OPEN_CREATE;
	options.flush_interval_ns = 2000000;
	if (feox_open(&options, &store, NULL))
		return 1;
	for (;; n++) {
		char key[16];
		size_t size = make_value(bytes, n);

		snprintf(key, sizeof(key), "%u", (unsigned int)(n % KEYS));
		if (feox_put(store, key, strlen(key), bytes, size, NULL, NULL))
			return 2;
		if (n % 50 == 0 && (feox_sync(store) || write(fd, &n, sizeof(n)) != sizeof(n)))
			return 3;
	}
}

/* Run the child until it has reported some syncs, kill it; the last number reported. */
static uint64_t run_and_kill(struct fixture *f, uint64_t from, int round)
{
	uint64_t synced = 0, n;
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
		execl("/proc/self/exe", "store_kill", f->path, number, (char *)NULL);
		_exit(9);
	}
	close(fds[1]);
	while (reports++ < 3 + round * 5 && read(fds[0], &n, sizeof(n)) == sizeof(n))
		synced = n;
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	while (read(fds[0], &n, sizeof(n)) == sizeof(n))
		synced = n;
	close(fds[0]);
	return synced;
}

/* Check all values; the newest number found. */
static uint64_t check(struct fixture *f, uint64_t synced)
{
	uint64_t numbers[KEYS] = {0}, newest = 0;
	uint8_t expected[4096];

	for (unsigned int k = 0; k < KEYS; k++) {
		struct feox_value value;
		char key[16];

		snprintf(key, sizeof(key), "%u", k);
		if (feox_get(f->store, key, strlen(key), 0, &value))
			continue;
		assert_true(value.size >= 8);
		memcpy(&numbers[k], value.data, 8);
		assert_int_equal(value.size, make_value(expected, numbers[k]));
		assert_memory_equal(value.data, expected, value.size);
		assert_int_equal(numbers[k] % KEYS, k);
		feox_value_release(f->store, &value);
		if (numbers[k] > newest)
			newest = numbers[k];
	}
	assert_true(newest >= synced);
	/* One writer, one cut: each key has its latest number that is not newer than the newest. */
	for (unsigned int k = 0; k < KEYS && newest >= KEYS; k++)
		assert_true(numbers[k] + KEYS > newest);
	return newest;
}

static void killed_stores_recover_one_point_in_time(void **state)
{
	struct fixture *f = *state;
	uint64_t newest = 0;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t synced = run_and_kill(f, newest + 1, round);

		open_file_store(f);
		newest = check(f, synced > newest ? synced : newest);
		close_store(f);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(killed_stores_recover_one_point_in_time),
	};

	if (argc == 3)
		return write_for_ever(argv[1], strtoull(argv[2], NULL, 10), STDOUT_FILENO);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
