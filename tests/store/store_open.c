/* SPDX-License-Identifier: Apache-2.0 */
/* What may be opened, what must be left alone. */
#include "fixture.h"

#include "superblock.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

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

/* Blocks 0 and 1 of the file: what a crash in the making of a store may have left there. */
static void put_first_blocks(struct fixture *f, const uint8_t *a, const uint8_t *b)
{
	int fd = open(f->path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, a, FX_SUPER_SIZE, 0), FX_SUPER_SIZE);
	assert_int_equal(pwrite(fd, b, FX_SUPER_SIZE, FX_SUPER_SIZE), FX_SUPER_SIZE);
	close(fd);
}

static void read_first_blocks(struct fixture *f, uint8_t *a, uint8_t *b)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(pread(fd, a, FX_SUPER_SIZE, 0), FX_SUPER_SIZE);
	assert_int_equal(pread(fd, b, FX_SUPER_SIZE, FX_SUPER_SIZE), FX_SUPER_SIZE);
	close(fd);
}

/* Such a store, with superblock A torn behind so many sectors, is made anew. */
static void expect_made_again(struct fixture *f, size_t sectors)
{
	uint8_t a[FX_SUPER_SIZE], b[FX_SUPER_SIZE], mark[FX_SUPER_SIZE];
	struct feox_diag diag;

	unlink(f->path);
	open_file_store(f);
	close_store(f);
	read_first_blocks(f, a, b);
	memset(a + sectors * 512, 0, sizeof(a) - sectors * 512);
	fx_mark_encode(b + 16, mark);
	put_first_blocks(f, a, mark);
	assert_int_equal(try_open(f, 0, &diag), -EUCLEAN); /* not without CREATE */
	open_file_store(f);
	assert_int_equal(put(f->store, "a", "1"), 0);
	reopen(f);
	expect_text(f->store, "a", "1");
	close_store(f);
}

static void making_cut_short_is_made_again(void **state)
{
	expect_made_again(*state, 0);
}

/* It was refused: such a file could only be removed by hand. */
static void torn_superblock_at_creation_is_made_again(void **state)
{
	for (size_t sectors = 1; sectors < 8; sectors++)
		expect_made_again(*state, sectors);
}

/* A store that has superblock A is one, whatever stands in the place of B. */
static void mark_beside_a_superblock_does_not_count(void **state)
{
	struct fixture *f = *state;
	uint8_t a[FX_SUPER_SIZE], b[FX_SUPER_SIZE], mark[FX_SUPER_SIZE];

	open_file_store(f);
	assert_int_equal(put(f->store, "a", "1"), 0);
	close_store(f);
	read_first_blocks(f, a, b);
	fx_mark_encode(b + 16, mark);
	put_first_blocks(f, a, mark);
	open_file_store(f);
	expect_text(f->store, "a", "1");
}

/* A mark that is not whole is somebody's data. */
static void broken_mark_is_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t a[FX_SUPER_SIZE] = {0}, mark[FX_SUPER_SIZE];
	struct feox_diag diag;

	open_file_store(f);
	close_store(f);
	fx_mark_encode(a, mark);
	mark[10] ^= 1;
	put_first_blocks(f, a, mark);
	assert_int_equal(try_open(f, FEOX_OPEN_CREATE, &diag), -EUCLEAN);
}

/* As containers do: io_uring_setup(2) is EPERM in this process from now on. */
static void forbid_uring(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = sizeof(code) / sizeof(*code), .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(77);
}

struct said {
	unsigned int warnings;
	char text[256];
};

static void listen_to(void *ctx, enum feox_log_level level, const char *text)
{
	struct said *said = ctx;

	if (level != FEOX_LOG_WARNING)
		return;
	said->warnings++;
	snprintf(said->text, sizeof(said->text), "%s", text);
}

/* How many warnings opening and closing a store gives; 100 more when it does not work. */
static int warnings_of_use(struct fixture *f, unsigned int flags)
{
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct said said = {0};

	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE | flags;
	options.log = listen_to;
	options.log_ctx = &said;
	if (feox_open(&options, &f->store, NULL) || put(f->store, "a", "1") || feox_sync(f->store))
		return 100;
	feox_effective_options(f->store, &options);
	if (!(options.flags & FEOX_OPEN_NO_URING) ||
	    (said.warnings && !strstr(said.text, "io_uring")) || feox_close(f->store))
		return 100;
	return (int)said.warnings;
}

/* In a process of its own: warnings when io_uring is forbidden, and when it was not asked for. */
static int run_without_uring(const char *path)
{
	struct fixture f = {.store = NULL};

	snprintf(f.path, sizeof(f.path), "%s", path);
	forbid_uring();
	return warnings_of_use(&f, 0) * 10 + warnings_of_use(&f, FEOX_OPEN_NO_URING);
}

/* The store fell back to pread(2) and pwrite(2) without a word. */
static void forbidden_uring_is_said_once(void **state)
{
	struct fixture *f = *state;
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child) {
		execl("/proc/self/exe", "store_open", f->path, NULL);
		_exit(99);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 10);
}

static void effective_options_have_no_defaults_left(void **state)
{
	struct fixture *f = *state;
	struct feox_options o;

	open_file_store(f);
	feox_effective_options(f->store, &o);
	assert_int_equal(o.flags & ~(unsigned int)FEOX_OPEN_NO_URING, FEOX_OPEN_CREATE);
	assert_int_equal(o.separator, '/');
	assert_int_equal(o.max_value_bytes, FEOX_VALUE_MAX_DEFAULT);
	assert_int_equal(o.initial_size_bytes, 16 * MIB);
	assert_int_equal(o.grow_max_bytes, 1024 * MIB);
	assert_int_equal(o.max_size_bytes, 0);
	assert_int_equal(o.flush_interval_ns, 100000000);
	assert_true(o.memory_limit_bytes > 0);
	assert_null(o.path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(short_file_is_not_formatted),
		TEST(empty_file_becomes_a_store),
		TEST(foreign_file_is_not_formatted),
		TEST(blank_file_becomes_a_store),
		TEST(store_without_superblocks_is_reported),
		TEST(making_cut_short_is_made_again),
		TEST(torn_superblock_at_creation_is_made_again),
		TEST(mark_beside_a_superblock_does_not_count),
		TEST(broken_mark_is_refused),
		TEST(forbidden_uring_is_said_once),
		TEST(effective_options_have_no_defaults_left),
	};

	if (argc == 2)
		return run_without_uring(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
