/* SPDX-License-Identifier: Apache-2.0 */
/* What may be opened, what must be left alone. */
#include "fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#define MIB ((off_t)1 << 20)

/* A short text file is not an empty store: opening it must not destroy it. */
static void short_file_is_not_formatted(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_diag diag = {""};
	char text[32] = "";
	FILE *file = fopen(f->path, "w");

	assert_non_null(file);
	fputs("notes of mine\n", file);
	fclose(file);
	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE;
	assert_int_equal(feox_open(&options, &f->store, &diag), -EUCLEAN);
	assert_true(diag.text[0]);
	file = fopen(f->path, "r");
	assert_int_equal(fread(text, 1, sizeof(text), file), 14);
	fclose(file);
	assert_string_equal(text, "notes of mine\n");
}

static void empty_file_becomes_a_store(void **state)
{
	struct fixture *f = *state;
	FILE *file = fopen(f->path, "w");

	fclose(file);
	open_file_store(f);
	assert_int_equal(put(f->store, "a", "1"), 0);
	reopen(f);
	expect_text(f->store, "a", "1");
}

/* A file of size bytes, with byte c at offset at (c 0: nothing but holes). */
static void make_file(struct fixture *f, off_t size, off_t at, char c)
{
	int fd = open(f->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(ftruncate(fd, size), 0);
	if (c)
		assert_int_equal(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

static int try_open(struct fixture *f, unsigned int flags, struct feox_diag *diag)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	options.path = f->path;
	options.flags = flags;
	return feox_open(&options, &f->store, diag);
}

static void expect_foreign(struct fixture *f, off_t size, off_t at)
{
	struct feox_diag diag = {""};
	struct stat st;
	char found[32], c = 0;
	int fd;

	assert_int_equal(try_open(f, FEOX_OPEN_CREATE, &diag), -EUCLEAN);
	snprintf(found, sizeof(found), "byte %lld", (long long)at);
	if (at >= 8192)
		assert_non_null(strstr(diag.text, found));
	fd = open(f->path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, size);
	assert_int_equal(pread(fd, &c, 1, at), 1);
	assert_int_equal(c, 'x');
	close(fd);
}

/* Only the first 8 KiB were looked at: a disk image with its data behind them was formatted. */
static void foreign_file_is_not_formatted(void **state)
{
	static const off_t places[] = {
		0, 4095, 4096, 8191, 8192, 65536, 64 * MIB, 256 * MIB - 1, 256 * MIB + 99,
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		make_file(f, 256 * MIB + 100, places[i], 'x');
		expect_foreign(f, 256 * MIB + 100, places[i]);
	}
}

/* What a blank file has of holes is not room: its store is really there. */
static void blank_file_becomes_a_store(void **state)
{
	static const off_t sizes[] = {100, 4096, 1 * MIB, 16 * MIB, 100000000};
	struct fixture *f = *state;
	struct stat st;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct feox_diag diag;

		make_file(f, sizes[i], 0, 0);
		assert_int_equal(try_open(f, 0, &diag), -EUCLEAN);
		assert_non_null(strstr(diag.text, "empty"));
		open_file_store(f);
		assert_int_equal(stat(f->path, &st), 0);
		assert_int_equal(st.st_size, 16 * MIB);
		assert_true(st.st_blocks * 512 >= st.st_size);
		assert_int_equal(put(f->store, "a", "1"), 0);
		reopen(f);
		expect_text(f->store, "a", "1");
		close_store(f);
	}
}

static void wipe_superblocks(struct fixture *f)
{
	static const char zeros[8192];
	int fd = open(f->path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, zeros, sizeof(zeros), 0), sizeof(zeros));
	close(fd);
}

/* A store that has lost both superblocks was made anew: its data was gone for good. */
static void store_without_superblocks_is_reported(void **state)
{
	struct fixture *f = *state;
	struct feox_diag diag;

	open_file_store(f);
	assert_int_equal(put(f->store, "a", "1"), 0);
	close_store(f);
	wipe_superblocks(f);
	assert_int_equal(try_open(f, FEOX_OPEN_CREATE, &diag), -EUCLEAN);
	assert_non_null(strstr(diag.text, "no superblock, but data at byte"));
}

/* A crash before the superblocks were written leaves the first checkpoint alone. */
static void making_cut_short_is_made_again(void **state)
{
	struct fixture *f = *state;
	char *copy = malloc((size_t)(16 * MIB));
	int fd;

	open_file_store(f);
	fd = open(f->path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, copy, (size_t)(16 * MIB), 0), 16 * MIB);
	close(fd);
	close_store(f);
	fd = open(f->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	memset(copy, 0, 8192);
	assert_int_equal(pwrite(fd, copy, (size_t)(16 * MIB), 0), 16 * MIB);
	close(fd);
	free(copy);
	open_file_store(f);
	assert_int_equal(put(f->store, "a", "1"), 0);
	reopen(f);
	expect_text(f->store, "a", "1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(short_file_is_not_formatted),	     TEST(empty_file_becomes_a_store),
		TEST(foreign_file_is_not_formatted),	     TEST(blank_file_becomes_a_store),
		TEST(store_without_superblocks_is_reported), TEST(making_cut_short_is_made_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
