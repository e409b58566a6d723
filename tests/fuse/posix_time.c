/* SPDX-License-Identifier: Apache-2.0 */
/* posix_time.c - utimensat(2); which call changes which time. */
#include "posix.h"

#include <limits.h>
#include <sys/xattr.h>
#include <time.h>

static const struct timespec old = {.tv_sec = 1000000000, .tv_nsec = 123456789};

static int set(const char *name, struct timespec atime, struct timespec mtime)
{
	struct timespec times[] = {atime, mtime};

	return utimensat(AT_FDCWD, name, times, AT_SYMLINK_NOFOLLOW);
}

/* Any time goes in and comes out as it was, for each kind of file. */
static void values(enum fx_type type)
{
	static const struct timespec times[] = {
		{0, 0},		  {0, 1},	   {1, 999999999},  {-1, 0},
		{-1, 999999999},  {2147483648, 5}, {4294967296, 0}, {1700000000, 500000000},
		{-2147483648, 1}, {9000000000, 7},
	};
	struct fx_watch watch;

	fx_make(type, "a");
	for (size_t i = 0; i < COUNT(times); i++) {
		struct timespec other = times[(i + 3) % COUNT(times)];

		fx_about("%lld.%09ld for a %s", (long long)times[i].tv_sec, times[i].tv_nsec,
			 fx_type_name(type));
		WORKS(set("a", times[i], other));
		HOLDS(fx_time_equal(fx_lstat("a").st_atim, times[i]));
		HOLDS(fx_time_equal(fx_lstat("a").st_mtim, other));
	}
	fx_about("one time of a %s", fx_type_name(type));
	watch = fx_watch("a");
	WORKS(set("a", old, (struct timespec){.tv_nsec = UTIME_OMIT}));
	HOLDS(fx_time_equal(fx_lstat("a").st_atim, old));
	HOLDS(fx_time_equal(fx_lstat("a").st_mtim, watch.before.st_mtim));
	HOLDS(fx_time_later(fx_lstat("a").st_ctim, watch.before.st_ctim));
	WORKS(set("a", (struct timespec){.tv_nsec = UTIME_NOW}, old));
	HOLDS(fx_time_equal(fx_lstat("a").st_mtim, old));
	HOLDS(fx_time_later(fx_lstat("a").st_atim, old));
	watch = fx_watch("a");
	WORKS(set("a", (struct timespec){.tv_nsec = UTIME_OMIT},
		  (struct timespec){.tv_nsec = UTIME_OMIT}));
	UNMOVED(&watch);
	FAILS(EINVAL, set("a", (struct timespec){.tv_nsec = 1000000000}, old));
	FAILS(EINVAL, set("a", old, (struct timespec){.tv_nsec = -5}));
	fx_remove("a");
}

/* Now: whoever may write. Another time: the owner alone. */
static void permissions(enum fx_type type)
{
	const struct timespec now[] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
	const struct timespec half[] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
	const struct timespec omit[] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};
	const struct timespec set_to[] = {old, old};

	fx_about("utimensat of a %s by users", fx_type_name(type));
	fx_make_for(type, "a", ALICE, ALICE, 0642);
	fx_as(ALICE, ALICE);
	WORKS(utimensat(AT_FDCWD, "a", NULL, 0));
	WORKS(utimensat(AT_FDCWD, "a", set_to, 0));
	HOLDS(fx_time_equal(fx_lstat("a").st_mtim, old));
	fx_as(BOB, BOB);
	WORKS(utimensat(AT_FDCWD, "a", NULL, 0));
	WORKS(utimensat(AT_FDCWD, "a", now, 0));
	FAILS(EPERM, utimensat(AT_FDCWD, "a", set_to, 0));
	FAILS(EPERM, utimensat(AT_FDCWD, "a", half, 0));
	WORKS(utimensat(AT_FDCWD, "a", omit, 0));
	fx_as(CAROL, ALICE);
	FAILS(EACCES, utimensat(AT_FDCWD, "a", NULL, 0));
	FAILS(EACCES, utimensat(AT_FDCWD, "a", now, 0));
	FAILS(EPERM, utimensat(AT_FDCWD, "a", set_to, 0));
	fx_as_root();
	WORKS(utimensat(AT_FDCWD, "a", set_to, 0));
	fx_remove("a");
}

/* What a call does to a file's own times. */
static void effects(void)
{
	struct fx_watch watch;
	char byte;
	int fd;

	fx_fill("a", "content");
	WORKS(set("a", old, old));
	fx_about("times after open and read");
	watch = fx_watch("a");
	fd = (int)WORKS(open("a", O_RDWR));
	SAME(1, read(fd, &byte, 1));
	UNMOVED(&watch);
	fx_about("times after write");
	SAME(1, write(fd, "x", 1));
	MOVED(&watch);
	HOLDS(fx_time_equal(fx_lstat("a").st_mtim, fx_fstat(fd).st_mtim));
	fx_about("times set while the file is open and written");
	WORKS(futimens(fd, (struct timespec[]){old, old}));
	HOLDS(fx_time_equal(fx_fstat(fd).st_mtim, old));
	watch = fx_watch("a");
	WORKS(fsync(fd));
	close(fd);
	UNMOVED(&watch);
	HOLDS(fx_time_equal(fx_lstat("a").st_mtim, old));
	fx_about("times after setxattr");
	WORKS(setxattr("a", "user.x", "1", 1, 0));
	CTIME_MOVED(&watch);
	HOLDS(fx_time_equal(fx_lstat("a").st_atim, old));
	watch = fx_watch("a");
	WORKS(removexattr("a", "user.x"));
	CTIME_MOVED(&watch);
	fx_about("times after rename");
	watch = fx_watch("a");
	WORKS(rename("a", "b"));
	WORKS(rename("b", "a"));
	CTIME_MOVED(&watch);
	fx_about("times after a write through an unlinked file's handle");
	fd = (int)WORKS(open("a", O_RDWR));
	WORKS(unlink("a"));
	WORKS(futimens(fd, (struct timespec[]){old, old}));
	HOLDS(fx_time_equal(fx_fstat(fd).st_mtim, old));
	HOLDS(fx_time_equal(fx_fstat(fd).st_atim, old));
	SAME(1, write(fd, "y", 1));
	HOLDS(fx_time_later(fx_fstat(fd).st_mtim, old));
	close(fd);
}

/* Nothing that happens in a directory changes the times of the one above it. */
static void directories(void)
{
	struct fx_watch d, above;

	WORKS(mkdir("d", 0755));
	WORKS(mkdir("d/e", 0755));
	for (enum fx_type type = 0; type < FX_TYPES; type++) {
		fx_about("times of directories when a %s comes and goes", fx_type_name(type));
		above = fx_watch("d");
		d = fx_watch("d/e");
		fx_make(type, "d/e/a");
		MOVED(&d);
		UNMOVED(&above);
		d = fx_watch("d/e");
		fx_remove("d/e/a");
		MOVED(&d);
		UNMOVED(&above);
	}
	fx_about("times of a directory when a file in it changes");
	fx_fill("d/e/a", "1");
	d = fx_watch("d/e");
	fx_fill("d/e/a", "2");
	WORKS(chmod("d/e/a", 0600));
	WORKS(chown("d/e/a", ALICE, ALICE));
	WORKS(truncate("d/e/a", 0));
	WORKS(set("d/e/a", old, old));
	UNMOVED(&d);
	fx_about("times that are set on a directory stay while it is only looked at");
	WORKS(set("d/e", old, old));
	HAS("d/e/a", "");
	HOLDS(fx_time_equal(fx_lstat("d/e").st_mtim, old));
	HOLDS(fx_time_equal(fx_lstat("d/e").st_atim, old));
	fx_remove("d/e/a");
	HOLDS(fx_time_later(fx_lstat("d/e").st_mtim, old));
	fx_remove("d/e");
	fx_remove("d");
}

static void links(void)
{
	struct timespec before;

	fx_about("times of a link and of what it points to");
	fx_make(FX_REG, "f");
	WORKS(symlink("f", "l"));
	before = fx_lstat("l").st_mtim;
	WORKS(utimensat(AT_FDCWD, "l", (struct timespec[]){old, old}, 0));
	HOLDS(fx_time_equal(fx_lstat("f").st_mtim, old));
	HOLDS(fx_time_equal(fx_lstat("l").st_mtim, before));
	fx_remove("l");
	fx_remove("f");
}

void posix_time(void)
{
	for (enum fx_type type = 0; type < FX_TYPES; type++) {
		values(type);
		if (type != FX_LNK)
			permissions(type);
	}
	effects();
	directories();
	links();
}
