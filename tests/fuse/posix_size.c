/* SPDX-License-Identifier: Apache-2.0 */
/* posix_size.c - truncate(2), ftruncate(2), fallocate(2): sizes, times, limits. */
#include "posix.h"

#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>

#define MAX_VALUE ((off_t)64 << 20) /* of a mount with default options */

static off_t size_of(const char *name)
{
	return fx_lstat(name).st_size;
}

static void truncates(void)
{
	static const off_t sizes[] = {0, 1, 4095, 4096, 4097, 65536, 1048577, 100, 0};
	struct fx_watch watch;
	int fd;

	fx_make(FX_REG, "a");
	for (size_t i = 0; i < COUNT(sizes); i++) {
		fx_about("truncate to %lld", (long long)sizes[i]);
		watch = fx_watch("a");
		WORKS(truncate("a", sizes[i]));
		SAME(sizes[i], size_of("a"));
		if (i) /* of the size it has, no change is asked for */
			MOVED(&watch);
		fd = (int)WORKS(open("a", O_RDWR));
		watch = fx_watch("a");
		WORKS(ftruncate(fd, sizes[i] + 7));
		SAME(sizes[i] + 7, fx_fstat(fd).st_size);
		MOVED(&watch);
		close(fd);
		SAME(sizes[i] + 7, size_of("a"));
	}
	fx_remove("a");
}

/* What was cut off is zeros when the file grows again. */
static void zeros(void)
{
	char buffer[100];
	int fd;

	fx_about("truncate down and up");
	fd = (int)WORKS(open("a", O_CREAT | O_RDWR, 0644));
	memset(buffer, 'x', sizeof(buffer));
	SAME(100, write(fd, buffer, 100));
	WORKS(ftruncate(fd, 10));
	WORKS(ftruncate(fd, 100));
	SAME(100, pread(fd, buffer, 100, 0));
	for (int i = 0; i < 100; i += 9)
		SAME(i < 10 ? 'x' : 0, buffer[i]);
	SAME(0, pread(fd, buffer, 100, 100));
	SAME(1, pwrite(fd, "y", 1, 200));
	SAME(100, pread(fd, buffer, 100, 100));
	for (int i = 0; i < 100; i += 9)
		SAME(0, buffer[i]);
	SAME(201, fx_fstat(fd).st_size);
	close(fd);
	fx_remove("a");
}

static void refused(void)
{
	int fd;

	fx_about("truncate of what cannot be");
	fx_fill("a", "content");
	FAILS(EINVAL, truncate("a", -1));
	FAILS(EINVAL, truncate("a", INT64_MIN));
	for (enum fx_type type = 0; type < FX_LNK; type++) {
		if (type == FX_REG)
			continue;
		fx_about("truncate of a %s", fx_type_name(type));
		fx_make(type, "b");
		FAILS(type == FX_DIR ? EISDIR : EINVAL, truncate("b", 0));
		fx_remove("b");
	}
	fx_about("ftruncate of a handle that reads");
	fd = (int)WORKS(open("a", O_RDONLY));
	FAILS(EINVAL, ftruncate(fd, 0));
	close(fd);
	FAILS(EBADF, ftruncate(fd, 0));
	fd = (int)WORKS(open("a", O_RDWR));
	FAILS(EINVAL, ftruncate(fd, -1));
	close(fd);
	HAS("a", "content");
	fx_about("truncate by users");
	WORKS(chown("a", ALICE, ALICE));
	WORKS(chmod("a", 0644));
	fx_as(BOB, BOB);
	FAILS(EACCES, truncate("a", 0));
	fx_as(ALICE, ALICE);
	fd = (int)WORKS(open("a", O_RDWR));
	WORKS(chmod("a", 0444));
	FAILS(EACCES, truncate("a", 0));
	WORKS(ftruncate(fd, 4));
	close(fd);
	fx_as_root();
	HAS("a", "cont");
	fx_remove("a");
}

/* EFBIG: the process' limit, and the store's; nothing has changed then. */
static void limits(void)
{
	struct rlimit limit = {.rlim_cur = 1000, .rlim_max = RLIM_INFINITY}, old;
	struct fx_watch watch;
	int fd;

	fx_about("RLIMIT_FSIZE");
	getrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, SIG_IGN);
	fx_fill("a", "content");
	fd = (int)WORKS(open("a", O_RDWR));
	setrlimit(RLIMIT_FSIZE, &limit);
	FAILS(EFBIG, ftruncate(fd, 1001));
	FAILS(EFBIG, truncate("a", 1001));
	FAILS(EFBIG, pwrite(fd, "x", 1, 1000));
	SAME(2, pwrite(fd, "xyz", 3, 998));
	WORKS(ftruncate(fd, 1000));
	setrlimit(RLIMIT_FSIZE, &old);
	SAME(1000, fx_fstat(fd).st_size);
	WORKS(ftruncate(fd, 7));
	if (!local) {
		fx_about("max_value");
		watch = fx_watch("a");
		FAILS(EFBIG, ftruncate(fd, MAX_VALUE + 1));
		FAILS(EFBIG, truncate("a", MAX_VALUE + 1));
		FAILS(EFBIG, truncate("a", INT64_MAX));
		FAILS(EFBIG, pwrite(fd, "x", 1, MAX_VALUE));
		FAILS(EFBIG, pwrite(fd, "x", 1, INT64_MAX - 1));
		FAILS(EFBIG, fallocate(fd, 0, MAX_VALUE, 1));
		FAILS(EFBIG, fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, MAX_VALUE + 1));
		UNMOVED(&watch);
		SAME(7, fx_fstat(fd).st_size);
		SAME(1, pwrite(fd, "xy", 2, MAX_VALUE - 1));
		SAME(MAX_VALUE, fx_fstat(fd).st_size);
	}
	close(fd);
	fx_remove("a");
}

static void allocations(void)
{
	struct fx_watch watch;
	char buffer[16];
	int fd;

	fx_about("fallocate");
	fd = (int)WORKS(open("a", O_CREAT | O_RDWR, 0644));
	SAME(10, write(fd, "0123456789", 10));
	watch = fx_watch("a");
	WORKS(fallocate(fd, 0, 0, 5000));
	SAME(5000, fx_fstat(fd).st_size);
	MOVED(&watch);
	WORKS(fallocate(fd, 0, 0, 100));
	SAME(5000, fx_fstat(fd).st_size);
	WORKS(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100000));
	SAME(5000, fx_fstat(fd).st_size);
	watch = fx_watch("a");
	WORKS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 3));
	MOVED(&watch);
	SAME(10, pread(fd, buffer, 10, 0));
	SAME(0, memcmp(buffer,
		       "01\0\0\0"
		       "56789",
		       10));
	SAME(5000, fx_fstat(fd).st_size);
	WORKS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4000, 100000));
	SAME(5000, fx_fstat(fd).st_size);
	FAILS(EINVAL, fallocate(fd, 0, 0, 0));
	FAILS(EINVAL, fallocate(fd, 0, -1, 10));
	FAILS(EINVAL, fallocate(fd, 0, 0, -10));
	FAILS(EFBIG, fallocate(fd, 0, INT64_MAX, 10));
	FAILS(EOPNOTSUPP, fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10));
	if (!local) { /* what tmpfs has not */
		WORKS(fallocate(fd, FALLOC_FL_ZERO_RANGE, 4999, 11));
		SAME(5010, fx_fstat(fd).st_size);
		WORKS(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, 100000));
		SAME(5010, fx_fstat(fd).st_size);
		SAME(1, pread(fd, buffer, 1, 0));
		SAME(0, buffer[0]);
		FAILS(EOPNOTSUPP, fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096));
		FAILS(EOPNOTSUPP, fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, 4096));
	}
	close(fd);
	fd = (int)WORKS(open("a", O_RDONLY));
	FAILS(EBADF, fallocate(fd, 0, 0, 10));
	close(fd);
	fx_remove("a");
	WORKS(mkfifo("a", 0644));
	fd = (int)WORKS(open("a", O_RDWR));
	FAILS(ESPIPE, fallocate(fd, 0, 0, 10));
	close(fd);
	fx_remove("a");
}

/* st_blocks grows with what is stored; st_size is exact at any moment. */
static void sizes(void)
{
	int fd;

	fx_about("st_size while a file is written");
	fd = (int)WORKS(open("a", O_CREAT | O_WRONLY, 0644));
	for (int i = 1; i <= 10; i++) {
		SAME(1000, write(fd, (char[1000]){0}, 1000));
		SAME(i * 1000, size_of("a"));
	}
	WORKS(fsync(fd));
	HOLDS(fx_fstat(fd).st_blocks > 0);
	close(fd);
	SAME(10000, size_of("a"));
	fx_remove("a");
}

void posix_size(void)
{
	truncates();
	zeros();
	refused();
	limits();
	allocations();
	sizes();
}
