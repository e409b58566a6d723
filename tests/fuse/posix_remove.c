/* SPDX-License-Identifier: Apache-2.0 */
/* posix_remove.c - unlink(2), rmdir(2); sticky directories, for these and rename(2). */
#include "posix.h"

static void unlinks(enum fx_type type)
{
	struct fx_watch parent;

	fx_about("unlink of a %s", fx_type_name(type));
	fx_make(type, "a");
	parent = fx_watch(".");
	if (type == FX_DIR) {
		FAILS(EISDIR, unlink("a"));
		FAILS(EISDIR, unlinkat(AT_FDCWD, "a", 0));
		HOLDS(fx_exists("a"));
		UNMOVED(&parent);
		WORKS(rmdir("a"));
	} else {
		FAILS(ENOTDIR, rmdir("a"));
		FAILS(ENOTDIR, unlinkat(AT_FDCWD, "a", AT_REMOVEDIR));
		FAILS(ENOTDIR, unlink("a/"));
		HOLDS(fx_exists("a"));
		UNMOVED(&parent);
		WORKS(unlink("a"));
	}
	HOLDS(!fx_exists("a"));
	MOVED(&parent);
	FAILS(ENOENT, unlink("a"));
	FAILS(ENOENT, rmdir("a"));
}

/* Whose file it is does not matter, nor its mode: the directory decides. */
static void permissions(enum fx_type type)
{
	fx_about("a %s of another's, of mode 0", fx_type_name(type));
	fx_make_for(FX_DIR, "d", ALICE, ALICE, 0755);
	fx_make_for(type, "d/a", BOB, BOB, 0);
	fx_as(BOB, BOB);
	FAILS(EACCES, type == FX_DIR ? rmdir("d/a") : unlink("d/a"));
	fx_as(ALICE, ALICE);
	WORKS(type == FX_DIR ? rmdir("d/a") : unlink("d/a"));
	fx_as_root();
	fx_remove("d");
}

static void directories(void)
{
	fx_about("rmdir of what is not empty");
	WORKS(mkdir("d", 0755));
	for (enum fx_type type = 0; type < FX_TYPES; type++) {
		fx_about("rmdir of a directory with a %s in it", fx_type_name(type));
		fx_make(type, "d/a");
		FAILS(ENOTEMPTY, rmdir("d"));
		HOLDS(fx_exists("d/a"));
		fx_remove("d/a");
	}
	fx_about("rmdir of odd names");
	FAILS(EINVAL, rmdir("d/."));
	FAILS(ENOTEMPTY, rmdir("d/.."));
	FAILS(EBUSY, rmdir("/"));
	FAILS(EISDIR, unlink("d/."));
	WORKS(symlink("d", "l"));
	FAILS(ENOTDIR, rmdir("l"));
	FAILS(ENOTDIR, rmdir("l/"));
	HOLDS(fx_exists("d"));
	WORKS(unlink("l"));
	HOLDS(fx_exists("d"));
	WORKS(rmdir("d/"));
	HOLDS(!fx_exists("d"));
}

/* unlink changes the ctime of what still has handles. */
static void open_file(void)
{
	struct stat before;
	int fd;

	fx_about("unlink of an open file");
	fx_fill("a", "content");
	fd = (int)WORKS(open("a", O_RDONLY));
	before = fx_fstat(fd);
	fx_tick();
	WORKS(unlink("a"));
	SAME(0, fx_fstat(fd).st_nlink);
	HOLDS(fx_time_later(fx_fstat(fd).st_ctim, before.st_ctim));
	HOLDS(fx_time_equal(fx_fstat(fd).st_mtim, before.st_mtim));
	close(fd);
	fx_about("rmdir of an open directory");
	WORKS(mkdir("d", 0755));
	fd = (int)WORKS(open("d", O_RDONLY | O_DIRECTORY));
	before = fx_fstat(fd);
	fx_tick();
	WORKS(rmdir("d"));
	SAME(0, fx_fstat(fd).st_nlink);
	SAME(before.st_ino, fx_fstat(fd).st_ino);
	HOLDS(fx_time_later(fx_fstat(fd).st_ctim, before.st_ctim));
	FAILS(ENOENT, openat(fd, "x", O_CREAT | O_WRONLY, 0644));
	FAILS(ENOENT, mkdirat(fd, "x", 0755));
	close(fd);
	fx_about("a file that is renamed over");
	fx_fill("a", "old");
	fx_fill("b", "new");
	fd = (int)WORKS(open("a", O_RDONLY));
	before = fx_fstat(fd);
	fx_tick();
	WORKS(rename("b", "a"));
	SAME(0, fx_fstat(fd).st_nlink);
	SAME(before.st_ino, fx_fstat(fd).st_ino);
	HOLDS(fx_time_later(fx_fstat(fd).st_ctim, before.st_ctim));
	close(fd);
	fx_remove("a");
}

void posix_remove(void)
{
	for (enum fx_type type = 0; type < FX_TYPES; type++) {
		unlinks(type);
		permissions(type);
	}
	directories();
	open_file();
}

/* ---- Sticky directories ---------------------------------------------------------------------- */

/* In a sticky directory the file's owner, the directory's owner and root may remove and rename. */
static const struct {
	const char *who;
	uid_t uid, dir_uid, file_uid;
	bool allowed;
} cases[] = {
	{"owner of the file", ALICE, BOB, ALICE, true},
	{"owner of the directory", ALICE, ALICE, BOB, true},
	{"owner of both", ALICE, ALICE, ALICE, true},
	{"owner of neither", ALICE, BOB, CAROL, false},
	{"owner of neither, root's directory", ALICE, 0, BOB, false},
	{"root", 0, BOB, CAROL, true},
};

static void sticky_remove(enum fx_type type, size_t i, bool sticky)
{
	bool allowed = cases[i].allowed || !sticky;

	fx_make_for(FX_DIR, "d", cases[i].dir_uid, CAROL, sticky ? 01777 : 0777);
	fx_make_for(type, "d/a", cases[i].file_uid, CAROL, 0777);
	fx_as(cases[i].uid, CAROL);
	fx_about("%s removes a %s%s", cases[i].who, fx_type_name(type), sticky ? ", sticky" : "");
	if (allowed)
		WORKS(type == FX_DIR ? rmdir("d/a") : unlink("d/a"));
	else
		FAILS(EPERM, type == FX_DIR ? rmdir("d/a") : unlink("d/a"));
	fx_as_root();
	fx_remove("d/a");
	fx_remove("d");
}

static void sticky_rename(enum fx_type type, size_t i)
{
	fx_make_for(FX_DIR, "d", cases[i].dir_uid, CAROL, 01777);
	fx_make_for(type, "d/a", cases[i].file_uid, CAROL, 0777);
	fx_make_for(FX_DIR, "e", cases[i].uid, CAROL, 0777);
	fx_as(cases[i].uid, CAROL);
	fx_about("%s renames a %s in, out of and onto a sticky one", cases[i].who,
		 fx_type_name(type));
	if (cases[i].allowed) {
		WORKS(rename("d/a", "d/b"));
		WORKS(rename("d/b", "e/b"));
		WORKS(rename("e/b", "d/a"));
	} else {
		FAILS(EPERM, rename("d/a", "d/b"));
		FAILS(EPERM, rename("d/a", "e/b"));
	}
	fx_about("%s renames over a %s in a sticky one", cases[i].who, fx_type_name(type));
	fx_make(type == FX_CHR || type == FX_BLK ? FX_REG : type, "e/mine");
	if (cases[i].allowed)
		WORKS(rename("e/mine", "d/a"));
	else
		FAILS(EPERM, rename("e/mine", "d/a"));
	fx_as_root();
	fx_remove("d/a");
	fx_remove("e/mine");
	fx_remove("d");
	fx_remove("e");
}

void posix_sticky(void)
{
	for (enum fx_type type = 0; type < FX_TYPES; type++)
		for (size_t i = 0; i < COUNT(cases); i++) {
			sticky_remove(type, i, true);
			sticky_remove(type, i, false);
			sticky_rename(type, i);
		}
}
