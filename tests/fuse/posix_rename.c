/* SPDX-License-Identifier: Apache-2.0 */
/* posix_rename.c - rename(2), renameat2(2). */
#include "posix.h"

#ifndef RENAME_WHITEOUT
#define RENAME_WHITEOUT (1 << 2)
#endif

static long noreplace(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

static long exchange(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE);
}

/* All of a file goes along but its ctime; both directories change. */
static void moves(enum fx_type type)
{
	struct fx_watch from, to;
	struct stat before, after;

	fx_about("rename of a %s", fx_type_name(type));
	WORKS(mkdir("d", 0755));
	WORKS(mkdir("e", 0755));
	fx_make_for(type, "d/a", ALICE, BOB, 0751);
	before = fx_lstat("d/a");
	from = fx_watch("d");
	to = fx_watch("e");
	WORKS(rename("d/a", "e/b"));
	after = fx_lstat("e/b");
	HOLDS(!fx_exists("d/a"));
	SAME(before.st_ino, after.st_ino);
	SAME(before.st_mode, after.st_mode);
	SAME(ALICE, after.st_uid);
	SAME(BOB, after.st_gid);
	SAME(before.st_nlink, after.st_nlink);
	SAME(before.st_rdev, after.st_rdev);
	SAME(before.st_size, after.st_size);
	HOLDS(fx_time_equal(before.st_mtim, after.st_mtim));
	HOLDS(fx_time_equal(before.st_atim, after.st_atim));
	HOLDS(fx_time_later(after.st_ctim, before.st_ctim));
	MOVED(&from);
	MOVED(&to);
	SAME(2, fx_lstat("d").st_nlink);
	SAME(type == FX_DIR ? 3 : 2, fx_lstat("e").st_nlink);
	FAILS(ENOENT, rename("d/a", "e/b"));
	to = fx_watch("e");
	WORKS(rename("e/b", "e/b"));
	SAME(before.st_ino, fx_lstat("e/b").st_ino);
	WORKS(rename("e/b", "e/c"));
	MOVED(&to);
	fx_remove("e/c");
	fx_remove("d");
	fx_remove("e");
}

/* Over what is there: a directory over an empty one, all else over all else. */
static void replaces(enum fx_type from, enum fx_type to)
{
	ino_t from_ino, to_ino;

	fx_about("a %s over a %s", fx_type_name(from), fx_type_name(to));
	fx_make(from, "a");
	fx_make(to, "b");
	from_ino = fx_lstat("a").st_ino;
	to_ino = fx_lstat("b").st_ino;
	FAILS(EEXIST, noreplace("a", "b"));
	if ((from == FX_DIR) == (to == FX_DIR)) {
		WORKS(rename("a", "b"));
		HOLDS(!fx_exists("a"));
		SAME(from_ino, fx_lstat("b").st_ino);
	} else {
		FAILS(from == FX_DIR ? ENOTDIR : EISDIR, rename("a", "b"));
		SAME(from_ino, fx_lstat("a").st_ino);
		SAME(to_ino, fx_lstat("b").st_ino);
	}
	fx_remove("a");
	fx_remove("b");
}

static void trees(void)
{
	fx_about("rename of directories");
	WORKS(mkdir("d", 0755));
	WORKS(mkdir("d/e", 0755));
	fx_fill("d/e/f", "deep");
	FAILS(EINVAL, rename("d", "d/e/new"));
	FAILS(EINVAL, rename("d", "d/new"));
	FAILS(EINVAL, rename("d", "d/e"));
	FAILS(EBUSY, rename("d/.", "x"));
	FAILS(EBUSY, rename("d/..", "x"));
	FAILS(EBUSY, rename("d", "d/e/."));
	FAILS(ENOTEMPTY, rename("d/e", "d"));
	WORKS(mkdir("full", 0755));
	fx_fill("full/x", "x");
	FAILS(ENOTEMPTY, rename("d", "full"));
	HAS("full/x", "x");
	HAS("d/e/f", "deep");
	WORKS(rename("d", "g"));
	HAS("g/e/f", "deep");
	WORKS(rename("g/", "h/"));
	HAS("h/e/f", "deep");
	WORKS(rename("h", "full/h"));
	HAS("full/h/e/f", "deep");
	SAME(fx_lstat("full").st_ino, fx_lstat("full/h/..").st_ino);
	SAME(3, fx_lstat("full").st_nlink);
	WORKS(rename("full/h/e/f", "f"));
	FAILS(ENOTDIR, rename("f/", "new"));
	FAILS(ENOTDIR, rename("f", "new/"));
	FAILS(ENOENT, rename("f", "missing/new"));
	FAILS(ENOENT, rename("missing/f", "new"));
	FAILS(EXDEV, rename("f", "/proc/f"));
	HAS("f", "deep");
	fx_remove("f");
	fx_remove("full/h/e");
	fx_remove("full/h");
	fx_remove("full/x");
	fx_remove("full");
}

/* A directory that moves has a new "..": its owner must be allowed to write to it. */
static void permissions(void)
{
	fx_about("rename between directories of several users");
	fx_make_for(FX_DIR, "d", ALICE, ALICE, 0755);
	fx_make_for(FX_DIR, "e", BOB, BOB, 0755);
	fx_make_for(FX_DIR, "open", BOB, BOB, 0777);
	fx_make_for(FX_REG, "d/a", ALICE, ALICE, 0644);
	fx_make_for(FX_DIR, "d/sub", BOB, BOB, 0755);
	fx_as(ALICE, ALICE);
	FAILS(EACCES, rename("d/a", "e/a"));
	FAILS(ENOENT, rename("e/missing", "d/a"));
	WORKS(rename("d/a", "open/a"));
	WORKS(rename("open/a", "d/a"));
	FAILS(EACCES, rename("d/sub", "open/sub"));
	WORKS(rename("d/sub", "d/sub2"));
	fx_as(BOB, BOB);
	FAILS(EACCES, rename("d/a", "e/a"));
	FAILS(EACCES, rename("d/sub2", "e/sub"));
	fx_as_root();
	WORKS(rename("d/sub2", "open/sub"));
	fx_remove("open/sub");
	fx_remove("d/a");
	fx_remove("d");
	fx_remove("e");
	fx_remove("open");
}

/* Handles follow the file, whatever it is called. */
static void handles(void)
{
	char buffer[16];
	int fd, over;

	fx_about("rename of an open file");
	fx_fill("a", "one");
	fx_fill("b", "two");
	fd = (int)WORKS(open("a", O_RDWR));
	over = (int)WORKS(open("b", O_RDWR));
	SAME(1, pwrite(fd, "O", 1, 0));
	WORKS(rename("a", "b"));
	SAME(1, pwrite(fd, "E", 1, 2));
	SAME(3, pread(over, buffer, 16, 0));
	SAME(0, memcmp(buffer, "two", 3));
	SAME(1, pwrite(over, "T", 1, 0));
	HAS("b", "OnE");
	SAME(fx_fstat(fd).st_ino, fx_lstat("b").st_ino);
	SAME(1, fx_fstat(fd).st_nlink);
	SAME(0, fx_fstat(over).st_nlink);
	close(fd);
	close(over);
	HAS("b", "OnE");
	fx_remove("b");
	fx_about("rename of a directory with an open file");
	WORKS(mkdir("d", 0755));
	fx_fill("d/a", "one");
	fd = (int)WORKS(open("d/a", O_RDWR));
	SAME(1, pwrite(fd, "O", 1, 0));
	WORKS(rename("d", "e"));
	SAME(1, pwrite(fd, "E", 1, 2));
	HAS("e/a", "OnE");
	WORKS(unlink("e/a"));
	WORKS(rmdir("e"));
	SAME(3, pread(fd, buffer, 16, 0));
	close(fd);
}

/* A symlink itself is renamed and replaced, never what it points to. */
static void links(void)
{
	fx_about("rename of links");
	fx_fill("f", "file");
	WORKS(symlink("f", "l"));
	WORKS(rename("l", "m"));
	SAME(S_IFLNK, fx_lstat("m").st_mode & S_IFMT);
	HAS("m", "file");
	fx_fill("g", "other");
	WORKS(rename("g", "m"));
	SAME(S_IFREG, fx_lstat("m").st_mode & S_IFMT);
	HAS("f", "file");
	HAS("m", "other");
	fx_remove("m");
	fx_remove("f");
}

void posix_rename(void)
{
	for (enum fx_type from = 0; from < FX_TYPES; from++) {
		moves(from);
		for (enum fx_type to = 0; to < FX_TYPES; to++)
			replaces(from, to);
	}
	trees();
	permissions();
	handles();
	links();
}

/* ---- Flags ----------------------------------------------------------------------------------- */

/* Two names change places: each file has all of its own, under the other's name. */
static void exchanges(enum fx_type one, enum fx_type two)
{
	struct stat a, b;
	struct fx_watch parent;

	fx_about("exchange of a %s and a %s", fx_type_name(one), fx_type_name(two));
	fx_make_for(one, "a", ALICE, ALICE, 0711);
	fx_make_for(two, "b", BOB, BOB, 0722);
	a = fx_lstat("a");
	b = fx_lstat("b");
	parent = fx_watch(".");
	WORKS(exchange("a", "b"));
	MOVED(&parent);
	SAME(a.st_ino, fx_lstat("b").st_ino);
	SAME(b.st_ino, fx_lstat("a").st_ino);
	SAME(a.st_mode, fx_lstat("b").st_mode);
	SAME(b.st_mode, fx_lstat("a").st_mode);
	SAME(ALICE, fx_lstat("b").st_uid);
	HOLDS(fx_time_later(fx_lstat("a").st_ctim, b.st_ctim));
	HOLDS(fx_time_later(fx_lstat("b").st_ctim, a.st_ctim));
	HOLDS(fx_time_equal(fx_lstat("a").st_mtim, b.st_mtim));
	fx_remove("a");
	fx_remove("b");
}

static void moves_noreplace(enum fx_type type)
{
	ino_t ino;

	fx_about("rename of a %s without replacing", fx_type_name(type));
	fx_make(type, "a");
	ino = fx_lstat("a").st_ino;
	FAILS(EEXIST, noreplace("a", "a"));
	WORKS(noreplace("a", "b"));
	HOLDS(!fx_exists("a"));
	SAME(ino, fx_lstat("b").st_ino);
	FAILS(ENOENT, exchange("b", "missing"));
	FAILS(ENOENT, exchange("missing", "b"));
	FAILS(ENOENT, noreplace("missing", "c"));
	SAME(ino, fx_lstat("b").st_ino);
	WORKS(exchange("b", "b"));
	SAME(ino, fx_lstat("b").st_ino);
	fx_remove("b");
}

static void exchanged_trees(void)
{
	fx_about("exchange of trees");
	WORKS(mkdir("d", 0755));
	WORKS(mkdir("d/sub", 0755));
	WORKS(mkdir("e", 0755));
	fx_fill("d/sub/f", "in d");
	fx_fill("e/g", "in e");
	fx_fill("file", "file");
	FAILS(EINVAL, exchange("d", "d/sub"));
	FAILS(EINVAL, exchange("d/sub", "d"));
	WORKS(exchange("d", "e"));
	HAS("e/sub/f", "in d");
	HAS("d/g", "in e");
	SAME(3, fx_lstat("e").st_nlink);
	SAME(2, fx_lstat("d").st_nlink);
	WORKS(exchange("e/sub", "file"));
	HAS("e/sub", "file");
	HAS("file/f", "in d");
	SAME(2, fx_lstat("e").st_nlink);
	fx_remove("file/f");
	fx_remove("file");
	fx_remove("e/sub");
	fx_remove("e");
	fx_remove("d/g");
	fx_remove("d");
}

static void bad_flags(void)
{
	fx_about("flags of renameat2");
	fx_make(FX_REG, "a");
	FAILS(EINVAL, renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE | RENAME_NOREPLACE));
	FAILS(EINVAL, renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE | RENAME_WHITEOUT));
	FAILS(EINVAL, renameat2(AT_FDCWD, "a", AT_FDCWD, "b", 1 << 20));
	if (!local)
		FAILS(EINVAL, renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_WHITEOUT));
	HOLDS(fx_exists("a"));
	fx_remove("a");
}

void posix_rename_flags(void)
{
	for (enum fx_type one = 0; one < FX_TYPES; one++) {
		moves_noreplace(one);
		for (enum fx_type two = one; two < FX_TYPES; two++)
			exchanges(one, two);
	}
	exchanged_trees();
	bad_flags();
}
