/* SPDX-License-Identifier: Apache-2.0 */
/* posix_data.c - read, write, lseek, copy_file_range and their kin, fsync. */
#include "posix.h"

#include <limits.h>
#include <stdint.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static void seeks(void)
{
	int fd;

	fx_about("lseek");
	fd = (int)WORKS(open("a", O_CREAT | O_RDWR, 0644));
	SAME(0, lseek(fd, 0, SEEK_END));
	SAME(8192, write(fd, (char[8192]){1}, 8192));
	SAME(8192, lseek(fd, 0, SEEK_CUR));
	SAME(8190, lseek(fd, -2, SEEK_CUR));
	SAME(8202, lseek(fd, 10, SEEK_END));
	SAME(100, lseek(fd, 100, SEEK_SET));
	FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
	FAILS(EINVAL, lseek(fd, -8193, SEEK_END));
	FAILS(EINVAL, lseek(fd, 0, 99));
	SAME(100, lseek(fd, 0, SEEK_CUR));
	SAME(0, lseek(fd, 0, SEEK_DATA));
	SAME(5000, lseek(fd, 5000, SEEK_DATA));
	SAME(8192, lseek(fd, 0, SEEK_HOLE));
	SAME(8192, lseek(fd, 8191, SEEK_HOLE));
	FAILS(ENXIO, lseek(fd, 8192, SEEK_DATA));
	FAILS(ENXIO, lseek(fd, 8192, SEEK_HOLE));
	FAILS(ENXIO, lseek(fd, 100000, SEEK_DATA));
	FAILS(ENXIO, lseek(fd, -1, SEEK_DATA));
	WORKS(ftruncate(fd, 0));
	FAILS(ENXIO, lseek(fd, 0, SEEK_DATA));
	FAILS(ENXIO, lseek(fd, 0, SEEK_HOLE));
	close(fd);
	fx_remove("a");
}

static void writes(void)
{
	struct iovec out[3] = {{(char *)"one", 3}, {(char *)"", 0}, {(char *)"two", 3}};
	char buffer[16];
	struct iovec in[2] = {{buffer, 2}, {buffer + 2, 14}};
	struct fx_watch watch;
	int fd;

	fx_about("write");
	fd = (int)WORKS(open("a", O_CREAT | O_RDWR, 0644));
	watch = fx_watch("a");
	SAME(0, write(fd, "", 0));
	UNMOVED(&watch);
	SAME(6, writev(fd, out, 3));
	MOVED(&watch);
	SAME(6, lseek(fd, 0, SEEK_CUR));
	SAME(6, preadv(fd, in, 2, 0));
	SAME(0, memcmp(buffer, "onetwo", 6));
	SAME(3, pwritev(fd, out, 1, 10));
	SAME(6, lseek(fd, 0, SEEK_CUR));
	SAME(13, fx_fstat(fd).st_size);
	SAME(13, pread(fd, buffer, 16, 0));
	SAME(0, memcmp(buffer, "onetwo\0\0\0\0one", 13));
	FAILS(EINVAL, pwrite(fd, "x", 1, -1));
	FAILS(EINVAL, pread(fd, buffer, 1, -1));
	SAME(0, pread(fd, buffer, 16, 13));
	SAME(0, pread(fd, buffer, 16, 1000000));
	watch = fx_watch("a");
	SAME(3, pread(fd, buffer, 3, 0));
	UNMOVED(&watch);
	close(fd);
	FAILS(EBADF, write(fd, "x", 1));
	FAILS(EBADF, read(fd, buffer, 1));
	fx_remove("a");
}

/* Every size around the pages' and the messages' is read as it was written. */
static void sizes(void)
{
	static char data[1 << 21], back[1 << 21];
	static const size_t counts[] = {1,     2,     511,    512,     4095,	4096,	 4097,
					65535, 65536, 131072, 1048575, 1048576, 1048577, 2000000};
	int fd;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + i / 251);
	for (size_t i = 0; i < COUNT(counts); i++) {
		fx_about("%zu bytes at once", counts[i]);
		fd = (int)WORKS(open("a", O_CREAT | O_TRUNC | O_RDWR, 0644));
		SAME(counts[i], write(fd, data, counts[i]));
		memset(back, 0, sizeof(back));
		SAME(counts[i], pread(fd, back, sizeof(back), 0));
		SAME(0, memcmp(data, back, counts[i]));
		close(fd);
		fd = (int)WORKS(open("a", O_RDONLY));
		memset(back, 0, sizeof(back));
		SAME(counts[i], pread(fd, back, sizeof(back), 0));
		SAME(0, memcmp(data, back, counts[i]));
		close(fd);
	}
	fx_remove("a");
}

static void copies(void)
{
	loff_t from_at = 2, to_at = 20;
	int from, to;

	fx_about("copy_file_range");
	fx_fill("a", "0123456789");
	from = (int)WORKS(open("a", O_RDONLY));
	to = (int)WORKS(open("b", O_CREAT | O_RDWR, 0644));
	SAME(5, copy_file_range(from, &from_at, to, &to_at, 5, 0));
	SAME(7, from_at);
	SAME(25, to_at);
	SAME(25, fx_fstat(to).st_size);
	SAME(3, copy_file_range(from, &from_at, to, &to_at, 100, 0));
	SAME(0, copy_file_range(from, &from_at, to, &to_at, 100, 0));
	SAME(10, copy_file_range(from, NULL, to, NULL, 100, 0));
	SAME(10, lseek(to, 0, SEEK_CUR));
	FAILS(EBADF, copy_file_range(to, NULL, from, NULL, 1, 0));
	FAILS(EINVAL, copy_file_range(from, NULL, to, NULL, 1, 8));
	from_at = 0;
	to_at = 2;
	close(from);
	from = (int)WORKS(open("b", O_RDWR));
	FAILS(EINVAL, copy_file_range(from, &from_at, from, &to_at, 5, 0));
	to_at = 28;
	SAME(10, copy_file_range(from, &from_at, from, &to_at, 10, 0));
	close(from);
	close(to);
	SAME(38, fx_lstat("b").st_size);
	fx_remove("a");
	fx_remove("b");
}

static void transfers(void)
{
	int from, to, pipes[2];
	char buffer[16];
	off_t at = 3;

	fx_about("sendfile and splice");
	fx_fill("a", "0123456789");
	from = (int)WORKS(open("a", O_RDONLY));
	to = (int)WORKS(open("b", O_CREAT | O_RDWR, 0644));
	SAME(4, sendfile(to, from, &at, 4));
	SAME(7, at);
	HAS("b", "3456");
	WORKS(pipe(pipes));
	SAME(10, splice(from, NULL, pipes[1], NULL, 100, 0));
	SAME(10, splice(pipes[0], NULL, to, NULL, 10, 0));
	HAS("b", "34560123456789");
	SAME(2, write(pipes[1], "xy", 2));
	SAME(2, read(pipes[0], buffer, 16));
	close(pipes[0]);
	close(pipes[1]);
	close(from);
	close(to);
	fx_remove("a");
	fx_remove("b");
}

static void syncs(void)
{
	int fd;

	fx_about("fsync");
	fd = (int)WORKS(open("a", O_CREAT | O_RDWR, 0644));
	SAME(3, write(fd, "abc", 3));
	WORKS(fsync(fd));
	WORKS(fdatasync(fd));
	WORKS(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	WORKS(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) ? -1 : 0);
	WORKS(readahead(fd, 0, 100));
	close(fd);
	fd = (int)WORKS(open("a", O_RDONLY));
	WORKS(fsync(fd));
	close(fd);
	FAILS(EBADF, fsync(fd));
	fd = (int)WORKS(open(".", O_RDONLY | O_DIRECTORY));
	WORKS(fsync(fd));
	WORKS(fdatasync(fd));
	WORKS(syncfs(fd));
	close(fd);
	fx_remove("a");
}

/* Several handles, one content, one size; each with a place of its own. */
static void handles(void)
{
	char buffer[16];
	int one, two, three;

	fx_about("two handles");
	one = (int)WORKS(open("a", O_CREAT | O_RDWR, 0644));
	two = (int)WORKS(open("a", O_RDWR));
	three = (int)WORKS(dup(one));
	SAME(5, write(one, "hello", 5));
	SAME(0, lseek(two, 0, SEEK_CUR));
	SAME(5, lseek(three, 0, SEEK_CUR));
	SAME(5, read(two, buffer, 16));
	SAME(0, memcmp(buffer, "hello", 5));
	SAME(1, write(three, "!", 1));
	SAME(1, read(two, buffer, 16));
	SAME('!', buffer[0]);
	WORKS(ftruncate(two, 2));
	SAME(2, fx_fstat(one).st_size);
	SAME(0, read(two, buffer, 16));
	SAME(1, write(one, "?", 1));
	SAME(7, fx_fstat(two).st_size);
	close(one);
	SAME(7, fx_fstat(three).st_size);
	close(two);
	SAME(1, write(three, ".", 1));
	close(three);
	SAME(8, fx_lstat("a").st_size);
	fx_remove("a");
}

void posix_data(void)
{
	seeks();
	writes();
	sizes();
	copies();
	transfers();
	syncs();
	handles();
}
