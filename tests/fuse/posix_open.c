/* SPDX-License-Identifier: Apache-2.0 */
/* posix_open.c - open(2), flag by flag. */
#include "posix.h"

#include <sys/mman.h>
#include <stdlib.h>

static void directories(void)
{
	static const int writing[] = {O_WRONLY,		  O_RDWR,
				      O_RDONLY | O_TRUNC, O_WRONLY | O_TRUNC,
				      O_RDWR | O_APPEND,  O_RDONLY | O_CREAT};
	char byte;
	int fd;

	fx_about("open of a directory");
	WORKS(mkdir("d", 0755));
	for (size_t i = 0; i < COUNT(writing); i++)
		FAILS(EISDIR, open("d", writing[i], 0644));
	fd = (int)WORKS(open("d", O_RDONLY));
	FAILS(EISDIR, read(fd, &byte, 1));
	FAILS(EBADF, write(fd, "x", 1));
	FAILS(EINVAL, ftruncate(fd, 0));
	WORKS(fsync(fd));
	close(fd);
	fx_about("O_DIRECTORY");
	WORKS(close(open("d", O_RDONLY | O_DIRECTORY)));
	for (enum fx_type type = 0; type < FX_LNK; type++) {
		if (type == FX_DIR)
			continue;
		fx_make(type, "a");
		FAILS(ENOTDIR, open("a", O_RDONLY | O_DIRECTORY));
		FAILS(ENOTDIR, open("a/", O_RDONLY));
		FAILS(ENOTDIR, open("a/.", O_RDONLY));
		fx_remove("a");
	}
	fx_remove("d");
}

static void links(void)
{
	fx_about("O_NOFOLLOW");
	fx_fill("f", "content");
	WORKS(symlink("f", "l"));
	WORKS(symlink(".", "ld"));
	FAILS(ELOOP, open("l", O_RDONLY | O_NOFOLLOW));
	FAILS(ELOOP, open("l", O_WRONLY | O_NOFOLLOW | O_TRUNC));
	FAILS(ENOTDIR, open("ld", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
	WORKS(close(open("ld/f", O_RDONLY | O_NOFOLLOW)));
	WORKS(close(open("f", O_RDONLY | O_NOFOLLOW)));
	HAS("l", "content");
	fx_about("O_PATH | O_NOFOLLOW");
	WORKS(close(open("l", O_PATH | O_NOFOLLOW)));
	fx_remove("l");
	fx_remove("ld");
	fx_remove("f");
}

static void creation(void)
{
	struct fx_watch watch, parent;
	struct stat st;
	int fd;

	fx_about("O_CREAT of what is there");
	fx_fill("f", "content");
	WORKS(chmod("f", 0640));
	parent = fx_watch(".");
	watch = fx_watch("f");
	fd = (int)WORKS(open("f", O_CREAT | O_RDWR, 0777));
	SAME(0640, fx_fstat(fd).st_mode & 07777);
	SAME(watch.before.st_ino, fx_fstat(fd).st_ino);
	close(fd);
	UNMOVED(&watch);
	UNMOVED(&parent);
	HAS("f", "content");
	FAILS(EEXIST, open("f", O_CREAT | O_EXCL | O_RDWR, 0777));
	fx_about("O_TRUNC of what is there");
	fd = (int)WORKS(open("f", O_CREAT | O_TRUNC | O_WRONLY, 0777));
	st = fx_fstat(fd);
	SAME(0, st.st_size);
	SAME(0640, st.st_mode & 07777);
	SAME(watch.before.st_ino, st.st_ino);
	MOVED(&watch);
	UNMOVED(&parent);
	close(fd);
	HAS("f", "");
	fx_remove("f");
	fx_about("O_CREAT with a mode that the handle does not need");
	fx_as(ALICE, ALICE);
	fd = (int)WORKS(open("f", O_CREAT | O_EXCL | O_RDWR, 0));
	SAME(4, write(fd, "mine", 4));
	FAILS(EACCES, open("f", O_RDONLY));
	close(fd);
	FAILS(EACCES, open("f", O_WRONLY));
	fx_as_root();
	HAS("f", "mine");
	fx_remove("f");
}

/* What is opened for one thing cannot do the other. */
static void directions(void)
{
	char byte;
	int fd;

	fx_about("the access mode");
	fx_fill("f", "content");
	fd = (int)WORKS(open("f", O_RDONLY));
	FAILS(EBADF, write(fd, "x", 1));
	FAILS(EINVAL, ftruncate(fd, 0));
	FAILS(EBADF, fallocate(fd, 0, 0, 1));
	SAME(1, read(fd, &byte, 1));
	close(fd);
	fd = (int)WORKS(open("f", O_WRONLY));
	FAILS(EBADF, read(fd, &byte, 1));
	SAME(1, write(fd, "C", 1));
	close(fd);
	fd = (int)WORKS(open("f", O_PATH));
	FAILS(EBADF, read(fd, &byte, 1));
	FAILS(EBADF, write(fd, "x", 1));
	FAILS(EBADF, ftruncate(fd, 0));
	SAME(7, fx_fstat(fd).st_size);
	close(fd);
	HAS("f", "Content");
	fx_remove("f");
}

static void append(void)
{
	int one, two;

	fx_about("O_APPEND");
	one = (int)WORKS(open("f", O_CREAT | O_WRONLY | O_APPEND, 0644));
	two = (int)WORKS(open("f", O_WRONLY | O_APPEND));
	SAME(3, write(one, "one", 3));
	SAME(3, write(two, "two", 3));
	SAME(0, lseek(one, 0, SEEK_SET));
	SAME(5, write(one, "three", 5));
	SAME(11, lseek(one, 0, SEEK_CUR));
	SAME(1, pwrite(two, "!", 1, 2)); /* BUGS of pwrite(2): Linux appends */
	HAS("f", "onetwothree!");
	WORKS(ftruncate(one, 3));
	SAME(1, write(two, "2", 1));
	HAS("f", "one2");
	close(one);
	close(two);
	fx_remove("f");
}

static void direct(void)
{
	static const int flags[] = {
		O_SYNC,	   O_DSYNC, O_DIRECT, O_DIRECT | O_SYNC, O_NOATIME, O_LARGEFILE | O_CLOEXEC,
		O_NONBLOCK};
	char *page = aligned_alloc(4096, 8192);

	for (size_t i = 0; page && i < COUNT(flags); i++) {
		int fd;

		fx_about("open flags 0%o", (unsigned int)flags[i]);
		memset(page, 'a' + (int)i, 8192);
		fd = (int)WORKS(open("f", O_CREAT | O_RDWR | flags[i], 0644));
		SAME(8192, write(fd, page, 8192));
		memset(page, 0, 8192);
		SAME(8192, pread(fd, page, 8192, 0));
		SAME('a' + (int)i, page[0]);
		SAME('a' + (int)i, page[8191]);
		SAME(0, pread(fd, page, 4096, 8192));
		close(fd);
		WORKS(truncate("f", 10));
		fd = (int)WORKS(open("f", O_RDONLY | flags[i]));
		SAME(10, pread(fd, page, 4096, 0));
		close(fd);
		fx_remove("f");
	}
	free(page);
	fx_about("O_NOATIME of a file of another's");
	fx_make_for(FX_REG, "f", ALICE, ALICE, 0666);
	fx_as(BOB, BOB);
	FAILS(EPERM, open("f", O_RDONLY | O_NOATIME));
	fx_as(ALICE, ALICE);
	WORKS(close(open("f", O_RDONLY | O_NOATIME)));
	fx_as_root();
	fx_remove("f");
}

static void without_name(void)
{
	fx_about("O_TMPFILE");
	if (local)
		WORKS(close(open(".", O_TMPFILE | O_RDWR, 0600)));
	else
		FAILS(EOPNOTSUPP, open(".", O_TMPFILE | O_RDWR, 0600));
	FAILS(EINVAL, open(".", O_TMPFILE | O_RDONLY, 0600));
	fx_make(FX_REG, "f");
	FAILS(ENOTDIR, open("f", O_TMPFILE | O_RDWR, 0600));
	fx_remove("f");
}

/* A program that runs is not written to; one that is written to does not run. */
static void text_busy(void)
{
	char *const argv[] = {(char *)"f", NULL};
	int fd;

	fx_about("ETXTBSY");
	fx_fill("f", "#!/bin/true\n");
	WORKS(chmod("f", 0755));
	fd = (int)WORKS(open("f", O_WRONLY));
	FAILS(ETXTBSY, execv("./f", argv));
	close(fd);
	WORKS(chmod("f", 0644));
	FAILS(EACCES, execv("./f", argv));
	fx_remove("f");
	fx_make(FX_DIR, "f");
	FAILS(EACCES, execv("./f", argv));
	fx_remove("f");
}

/* A file without a name lives as long as its handles. */
static void unlinked(void)
{
	char buffer[32];
	struct stat st;
	int fd, again;

	fx_about("an open file that was removed");
	fx_fill("f", "content");
	fd = (int)WORKS(open("f", O_RDWR));
	WORKS(unlink("f"));
	FAILS(ENOENT, open("f", O_RDONLY));
	st = fx_fstat(fd);
	SAME(0, st.st_nlink);
	SAME(7, st.st_size);
	SAME(7, pread(fd, buffer, 16, 0));
	SAME(2, pwrite(fd, "++", 2, 7));
	WORKS(ftruncate(fd, 8));
	SAME(8, fx_fstat(fd).st_size);
	SAME(st.st_ino, fx_fstat(fd).st_ino);
	WORKS(fsync(fd));
	fx_fill("f", "another");
	HOLDS(fx_lstat("f").st_ino != st.st_ino);
	SAME(8, pread(fd, buffer, 16, 0));
	SAME(0, memcmp(buffer, "content+", 8));
	fx_about("an open file that was removed, by /proc");
	snprintf(buffer, sizeof(buffer), "/proc/self/fd/%d", fd);
	again = (int)WORKS(open(buffer, O_RDONLY));
	SAME(8, pread(again, buffer, 16, 0));
	close(again);
	close(fd);
	HAS("f", "another");
	fx_remove("f");
}

void posix_open(void)
{
	directories();
	links();
	creation();
	directions();
	append();
	direct();
	without_name();
	text_busy();
	unlinked();
}
