/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_short_io.c - the kernel reads and writes less than it was asked to, is interrupted, or gives
 * up in the middle. The linker leads pread(2) and pwrite(2) here (--wrap).
 */
#include "fixture.h"

#include "fd.h"

#include <fcntl.h>
#include <sys/types.h>

#define SIZE (4 * FX_BLOCK)

ssize_t __real_pread64(int fd, void *buffer, size_t size, off_t offset);
ssize_t __real_pwrite64(int fd, const void *buffer, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *buffer, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *buffer, size_t size, off_t offset);

static size_t most = SIZE_MAX;	 /* bytes of one call */
static unsigned int interrupts;	 /* before each call */
static int fail_after = INT_MAX; /* calls that succeed, then -EIO */

static ssize_t allowed(size_t *size)
{
	static unsigned int interrupted;

	if (interrupted < interrupts) {
		interrupted++;
		errno = EINTR;
		return -1;
	}
	interrupted = 0;
	if (fail_after-- <= 0) {
		errno = EIO;
		return -1;
	}
	*size = *size < most ? *size : most;
	return 0;
}

ssize_t __wrap_pread64(int fd, void *buffer, size_t size, off_t offset)
{
	return allowed(&size) ? -1 : __real_pread64(fd, buffer, size, offset);
}

ssize_t __wrap_pwrite64(int fd, const void *buffer, size_t size, off_t offset)
{
	return allowed(&size) ? -1 : __real_pwrite64(fd, buffer, size, offset);
}

static int setup(void **state)
{
	most = SIZE_MAX;
	interrupts = 0;
	fail_after = INT_MAX;
	return fixture_setup(state);
}

static void round_trip(int fd, uint8_t seed)
{
	uint8_t out[SIZE], in[SIZE];

	for (size_t i = 0; i < SIZE; i++)
		out[i] = (uint8_t)(i * 7 + seed);
	assert_int_equal(fx_fd_write(fd, out, SIZE, FX_BLOCK), 0);
	assert_int_equal(fx_fd_read(fd, in, SIZE, FX_BLOCK), 0);
	assert_memory_equal(in, out, SIZE);
}

static void short_calls_are_completed(void **state)
{
	static const size_t sizes[] = {1, 511, 512, 4095, 4097, SIZE - 1};
	struct fixture *f = *state;
	int fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		most = sizes[i];
		interrupts = (unsigned int)i % 3;
		round_trip(fd, (uint8_t)i);
	}
	close(fd);
}

/* io_uring's answers: n bytes, or that it was interrupted. */
static void short_answers_are_completed(void **state)
{
	struct fixture *f = *state;
	int fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	static const int answers[] = {0, 1, 512, 5000, (int)SIZE, -EINTR, -EAGAIN};
	uint8_t out[SIZE], in[SIZE];
	struct fx_io io = {.buffer = out, .size = SIZE, .offset = FX_BLOCK};

	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		size_t done = answers[i] > 0 ? (size_t)answers[i] : 0;

		memset(out, 'a' + (int)i, SIZE);
		most = 777;
		assert_int_equal(__real_pwrite64(fd, out, done, FX_BLOCK), done);
		assert_int_equal(fx_fd_finish(fd, &io, answers[i]), 0);
		assert_int_equal(__real_pread64(fd, in, SIZE, FX_BLOCK), SIZE);
		assert_memory_equal(in, out, SIZE);
	}
	assert_int_equal(fx_fd_finish(fd, &io, -ENOSPC), -ENOSPC);
	close(fd);
}

static void failure_in_the_middle_is_told(void **state)
{
	struct fixture *f = *state;
	int fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uint8_t bytes[SIZE] = {0};

	most = 1000;
	fail_after = 3;
	assert_int_equal(fx_fd_write(fd, bytes, SIZE, 0), -EIO);
	fail_after = 3;
	assert_int_equal(fx_fd_read(fd, bytes, SIZE, 0), -EIO);
	fail_after = INT_MAX;
	assert_int_equal(fx_fd_read(fd, bytes, SIZE, SIZE), -EIO); /* past the end */
	close(fd);
}

/* A whole store, three bytes short of everything. */
static void store_lives_with_short_calls(void **state)
{
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct fixture *f = *state;
	char *value = malloc(200000);

	memset(value, 'v', 200000);
	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE | FEOX_OPEN_NO_URING;
	options.initial_size_bytes = 1 << 20;
	most = 4093;
	interrupts = 1;
	open_with(f, &options);
	assert_int_equal(feox_put(f->store, "k", 1, value, 200000, NULL, NULL), 0);
	assert_int_equal(put(f->store, "a", "1"), 0);
	close_store(f);
	open_with(f, &options);
	expect_text(f->store, "a", "1");
	free(value);
	for (unsigned int i = 0; i < 2; i++) {
		struct feox_value v;

		assert_int_equal(feox_get(f->store, "k", 1, 0, &v), 0);
		assert_int_equal(v.size, 200000);
		assert_int_equal(((const char *)v.data)[199999], 'v');
		feox_value_release(f->store, &v);
	}
}

#define SHORT(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHORT(short_calls_are_completed),
		SHORT(short_answers_are_completed),
		SHORT(failure_in_the_middle_is_told),
		SHORT(store_lives_with_short_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
