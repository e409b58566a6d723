/* SPDX-License-Identifier: Apache-2.0 */
/*
 * posix_access.c - the nine permission bits: access(2), open(2), and what a directory's allow, for
 * the owner, the group, a further group of the user, others, and root.
 *
 * A class that has an entry is asked for nothing else: an owner without permission is not helped
 * by what others may.
 */
#include "posix.h"

#include <dirent.h>

static const struct class
{
	const char *name;
	uid_t uid;
	gid_t gid, extra;
	unsigned int shift;
} classes[] = {
	{"the owner", ALICE, BOB, BOB, 6},
	{"the owner, who is in the group", ALICE, GROUP, GROUP, 6},
	{"the group", BOB, GROUP, GROUP, 3},
	{"a member of the group", BOB, BOB, GROUP, 3},
	{"others", CAROL, CAROL, CAROL, 0},
};

static void be(const struct class *class)
{
	fx_as_member(class->uid, class->gid, class->extra);
}

/* mode for the class, and its opposite for all others: nothing else must matter. */
static mode_t mode_for(const struct class *class, mode_t bits)
{
	return (0777 & ~(07u << class->shift) & ~(bits << 6 | bits << 3 | bits)) |
	       bits << class->shift;
}

static void file(const struct class *class, mode_t bits)
{
	static const struct {
		int how, flags;
		mode_t needs;
	} ways[] = {{R_OK, O_RDONLY, 4}, {W_OK, O_WRONLY, 2}, {R_OK | W_OK, O_RDWR, 6}};

	WORKS(chmod("f", mode_for(class, bits)));
	be(class);
	for (size_t i = 0; i < COUNT(ways); i++) {
		fx_about("%s has %o of a file, asks %d", class->name, bits, ways[i].how);
		if ((bits & ways[i].needs) == ways[i].needs) {
			WORKS(access("f", ways[i].how));
			WORKS(close(open("f", ways[i].flags)));
		} else {
			FAILS(EACCES, access("f", ways[i].how));
			FAILS(EACCES, open("f", ways[i].flags));
		}
	}
	fx_about("%s has %o of a file, asks 1", class->name, bits);
	if (bits & 1)
		WORKS(access("f", X_OK));
	else
		FAILS(EACCES, access("f", X_OK));
	if (bits & 2)
		WORKS(truncate("f", 0));
	else
		FAILS(EACCES, truncate("f", 0));
	fx_as_root();
}

static void directory(const struct class *class, mode_t bits)
{
	DIR *dir;

	WORKS(chmod("d", mode_for(class, bits)));
	be(class);
	fx_about("%s has %o of a directory", class->name, bits);
	dir = opendir("d");
	if (bits & 4)
		HOLDS(dir);
	else
		FAILS(EACCES, dir ? 0 : -1);
	if (dir)
		closedir(dir);
	if (bits & 1) {
		WORKS(access("d/in", F_OK));
		WORKS(chdir("d"));
		WORKS(chdir(".."));
		FAILS(ENOENT, open("d/missing", O_RDONLY));
	} else {
		FAILS(EACCES, access("d/in", F_OK));
		FAILS(EACCES, chdir("d"));
		FAILS(EACCES, open("d/missing", O_RDONLY));
	}
	if ((bits & 3) == 3) {
		WORKS(mkdir("d/new", 0755));
		WORKS(rename("d/new", "d/newer"));
		WORKS(rmdir("d/newer"));
	} else {
		FAILS(EACCES, mkdir("d/new", 0755));
		FAILS(EACCES, rename("d/in", "d/out"));
		FAILS(EACCES, unlink("d/in"));
	}
	fx_as_root();
}

/* Root may all, but to execute what nobody may. */
static void root(void)
{
	for (mode_t mode = 0; mode <= 0777; mode += 0111) {
		fx_about("root, mode %04o", mode);
		WORKS(chmod("f", mode));
		WORKS(access("f", R_OK | W_OK));
		WORKS(close(open("f", O_RDWR)));
		if (mode & 0111)
			WORKS(access("f", X_OK));
		else
			FAILS(EACCES, access("f", X_OK));
		WORKS(chmod("d", mode));
		WORKS(access("d", R_OK | W_OK | X_OK));
	}
}

/* access(2) asks for the real user, faccessat(2) with AT_EACCESS for the effective one. */
static void real_user(void)
{
	fx_about("the real user");
	WORKS(chmod("f", 0600));
	WORKS(setresuid(BOB, 0, 0));
	FAILS(EACCES, access("f", R_OK));
	WORKS(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
	WORKS(access("f", F_OK));
	fx_as_root();
	FAILS(EINVAL, access("f", 8));
}

/* Reading attributes needs nothing of the file itself. */
static void attributes(void)
{
	struct stat st;

	fx_about("attributes of a file of mode 0");
	WORKS(chmod("f", 0));
	fx_as(CAROL, CAROL);
	WORKS(stat("f", &st));
	SAME(ALICE, st.st_uid);
	SAME(GROUP, st.st_gid);
	WORKS(access("f", F_OK));
	WORKS(close(open("f", O_PATH)));
	fx_as_root();
}

void posix_access(void)
{
	fx_make_for(FX_REG, "f", ALICE, GROUP, 0644);
	fx_make_for(FX_DIR, "d", ALICE, GROUP, 0755);
	fx_make(FX_REG, "d/in");
	for (size_t i = 0; i < COUNT(classes); i++)
		for (mode_t bits = 0; bits <= 7; bits++) {
			file(&classes[i], bits);
			directory(&classes[i], bits);
		}
	root();
	real_user();
	attributes();
}
