/* SPDX-License-Identifier: Apache-2.0 */
/*
 * posix_path.c - what every system call that takes a path says about paths: path_resolution(7).
 *
 * One table of calls; each rule is checked with each call that it holds for.
 */
#include "posix.h"

#include <stdlib.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define COMPONENT_MAX 255

enum {
	MAKES = 1,    /* the path's last name is to be new */
	REMOVES = 2,  /* the path's name is to go: the directory above is written to */
	LINKS = 4,    /* a symlink is not followed */
	ORDINARY = 8, /* root alone may do it otherwise */
};

static long do_open(const char *path)
{
	long fd = open(path, O_RDONLY);

	return fd < 0 ? fd : close((int)fd);
}

static long do_open_write(const char *path)
{
	long fd = open(path, O_WRONLY);

	return fd < 0 ? fd : close((int)fd);
}

static long do_open_path(const char *path)
{
	long fd = open(path, O_PATH);

	return fd < 0 ? fd : close((int)fd);
}

static long do_creat(const char *path)
{
	long fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);

	return fd < 0 ? fd : close((int)fd);
}

static long do_mkdir(const char *path)
{
	return mkdir(path, 0755);
}

static long do_mkfifo(const char *path)
{
	return mkfifo(path, 0644);
}

static long do_mknod(const char *path)
{
	return mknod(path, S_IFREG | 0644, 0);
}

static long do_symlink(const char *path)
{
	return symlink("target", path);
}

static long do_unlink(const char *path)
{
	return unlink(path);
}

static long do_rmdir(const char *path)
{
	return rmdir(path);
}

static long do_rename_from(const char *path)
{
	return rename(path, "new-name");
}

static long do_rename_to(const char *path)
{
	return rename("source", path);
}

static long do_noreplace(const char *path)
{
	return renameat2(AT_FDCWD, "source", AT_FDCWD, path, RENAME_NOREPLACE);
}

static long do_exchange(const char *path)
{
	return renameat2(AT_FDCWD, "source", AT_FDCWD, path, RENAME_EXCHANGE);
}

static long do_link_from(const char *path)
{
	return link(path, "new-name");
}

static long do_link_to(const char *path)
{
	return link("source", path);
}

static long do_chmod(const char *path)
{
	return chmod(path, 0644);
}

static long do_chown(const char *path)
{
	return chown(path, (uid_t)-1, (gid_t)-1);
}

static long do_lchown(const char *path)
{
	return lchown(path, (uid_t)-1, (gid_t)-1);
}

static long do_truncate(const char *path)
{
	return truncate(path, 0);
}

static long do_utimens(const char *path)
{
	return utimensat(AT_FDCWD, path, NULL, 0);
}

static long do_lutimens(const char *path)
{
	return utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
}

static long do_stat(const char *path)
{
	struct stat st;

	return stat(path, &st);
}

static long do_lstat(const char *path)
{
	struct stat st;

	return lstat(path, &st);
}

static long do_statfs(const char *path)
{
	struct statfs st;

	return statfs(path, &st);
}

static long do_access(const char *path)
{
	return access(path, F_OK);
}

static long do_readlink(const char *path)
{
	char buffer[16];

	return readlink(path, buffer, sizeof(buffer));
}

static long do_chdir(const char *path)
{
	return chdir(path);
}

static long do_getxattr(const char *path)
{
	char buffer[16];

	return getxattr(path, "user.there-is-none", buffer, sizeof(buffer));
}

static long do_setxattr(const char *path)
{
	return setxattr(path, "user.test", "x", 1, 0);
}

static long do_listxattr(const char *path)
{
	return listxattr(path, NULL, 0);
}

static long do_removexattr(const char *path)
{
	return removexattr(path, "user.there-is-none");
}

static const struct call {
	const char *name;
	long (*run)(const char *path);
	unsigned int flags;
} calls[] = {
	{"open", do_open, 0},
	{"open for writing", do_open_write, 0},
	{"open O_PATH", do_open_path, 0},
	{"creat", do_creat, MAKES},
	{"mkdir", do_mkdir, MAKES},
	{"mkfifo", do_mkfifo, MAKES},
	{"mknod", do_mknod, MAKES},
	{"symlink", do_symlink, MAKES},
	{"unlink", do_unlink, REMOVES | LINKS},
	{"rmdir", do_rmdir, REMOVES | LINKS},
	{"rename from", do_rename_from, REMOVES | LINKS},
	{"rename to", do_rename_to, MAKES},
	{"rename to, no replace", do_noreplace, MAKES},
	{"exchange", do_exchange, REMOVES | LINKS},
	{"link from", do_link_from, LINKS},
	{"link to", do_link_to, MAKES},
	{"chmod", do_chmod, 0},
	{"chown", do_chown, 0},
	{"lchown", do_lchown, LINKS},
	{"truncate", do_truncate, 0},
	{"utimensat", do_utimens, 0},
	{"utimensat of a link", do_lutimens, LINKS},
	{"stat", do_stat, 0},
	{"lstat", do_lstat, LINKS},
	{"statfs", do_statfs, 0},
	{"access", do_access, 0},
	{"readlink", do_readlink, LINKS},
	{"chdir", do_chdir, 0},
	{"getxattr", do_getxattr, 0},
	{"setxattr", do_setxattr, 0},
	{"listxattr", do_listxattr, 0},
	{"removexattr", do_removexattr, 0},
};

static void all_fail(const char *about, const char *path, int error)
{
	for (size_t i = 0; i < COUNT(calls); i++) {
		fx_about("%s: %s", calls[i].name, about);
		FAILS(error, calls[i].run(path));
	}
}

/* A name of so many bytes below a directory. */
static const char *long_name(const char *directory, size_t size)
{
	static char text[8192];

	memset(text, 'x', sizeof(text));
	memcpy(text, directory, strlen(directory));
	text[strlen(directory) + size] = '\0';
	return text;
}

static void names(void)
{
	static char deep[8192];

	all_fail("a component is a file", "file/name", ENOTDIR);
	all_fail("a component is a fifo", "fifo/name", ENOTDIR);
	all_fail("a component is missing", "missing/name", ENOENT);
	all_fail("a component leads nowhere", "dangling/name", ENOENT);
	all_fail("the path is empty", "", ENOENT);
	all_fail("a component is a loop", "loop/name", ELOOP);
	all_fail("a name of 256 bytes", long_name("", COMPONENT_MAX + 1), ENAMETOOLONG);
	all_fail("a directory of 256 bytes", strcat((char *)long_name("", 256), "/name"),
		 ENAMETOOLONG);
	all_fail("a name of 1025 bytes", long_name("", 1025), ENAMETOOLONG);
	for (size_t i = 0; i < 4096; i += 2)
		memcpy(deep + i, "./", 2);
	strcpy(deep + 4096 - 1, "x");
	all_fail("a path of 4096 bytes", deep, ENAMETOOLONG);
}

/* The last name is there, or is not, or is a link that leads in circles. */
static void last_names(void)
{
	for (size_t i = 0; i < COUNT(calls); i++) {
		const struct call *call = &calls[i];

		if (call->flags & MAKES)
			continue;
		fx_about("%s: no such name", call->name);
		FAILS(ENOENT, call->run("missing"));
		fx_about("%s: a file with a slash behind", call->name);
		FAILS(ENOTDIR, call->run("file/"));
		if (call->flags & LINKS)
			continue;
		fx_about("%s: a loop", call->name);
		FAILS(ELOOP, call->run("loop"));
		fx_about("%s: a link to nothing", call->name);
		FAILS(ENOENT, call->run("dangling"));
	}
	for (size_t i = 0; i < COUNT(calls); i++) {
		const struct call *call = &calls[i];

		if (!(call->flags & MAKES) || call->run == do_rename_to)
			continue;
		for (enum fx_type type = 0; type < FX_TYPES; type++) {
			fx_about("%s: a %s is there", call->name, fx_type_name(type));
			fx_make(type, "there");
			FAILS(EEXIST, call->run("there"));
			SAME(fx_type_bits(type), fx_lstat("there").st_mode & S_IFMT);
			fx_remove("there");
		}
		fx_about("%s: the directory itself", call->name);
		FAILS(EEXIST, call->run("."));
	}
}

/* A name of 255 bytes is as good as any. */
static void longest_names(void)
{
	char name[COMPONENT_MAX + 1];

	strcpy(name, long_name("", COMPONENT_MAX));
	for (size_t i = 0; i < COUNT(calls); i++) {
		const struct call *call = &calls[i];

		if (!(call->flags & MAKES) || (call->run == do_link_to && !local))
			continue;
		fx_about("%s: a name of 255 bytes", call->name);
		fx_remove("source");
		fx_make(FX_REG, "source");
		WORKS(call->run(name));
		HOLDS(fx_exists(name));
		fx_remove(name);
	}
	fx_remove("source");
	fx_make(FX_REG, "source");
}

/* Search permission on a directory, for each class of users. */
static void search(void)
{
	static const struct {
		const char *class;
		uid_t uid;
		gid_t gid;
		mode_t mode;
	} denied[] = {
		{"the owner", ALICE, BOB, 0677},
		{"the group", BOB, GROUP, 0767},
		{"others", CAROL, CAROL, 0776},
	};

	fx_make_for(FX_DIR, "dir", ALICE, GROUP, 0777);
	fx_make_for(FX_REG, "dir/file", ALICE, GROUP, 0666);
	for (size_t i = 0; i < COUNT(denied); i++) {
		char about[64];

		snprintf(about, sizeof(about), "%s may not search", denied[i].class);
		WORKS(chmod("dir", denied[i].mode));
		fx_as(denied[i].uid, denied[i].gid);
		all_fail(about, "dir/file", EACCES);
		all_fail(about, "dir/missing", EACCES);
		fx_as_root();
	}
	chmod("dir", 0777);
}

/* Permission to change a directory, for each class of users. */
static void change(void)
{
	static const struct {
		const char *class;
		uid_t uid;
		gid_t gid;
		mode_t mode;
	} denied[] = {
		{"the owner", ALICE, BOB, 0577},
		{"the group", BOB, GROUP, 0757},
		{"others", CAROL, CAROL, 0775},
	};

	WORKS(chmod("dir", 0777));
	fx_make_for(FX_DIR, "dir/directory", ALICE, GROUP, 0777);
	for (size_t i = 0; i < COUNT(denied); i++) {
		WORKS(chmod("dir", denied[i].mode));
		for (size_t c = 0; c < COUNT(calls); c++) {
			const struct call *call = &calls[c];

			fx_about("%s: %s may not write", call->name, denied[i].class);
			fx_as(denied[i].uid, denied[i].gid);
			if (call->flags & MAKES)
				FAILS(EACCES, call->run("dir/new"));
			if (call->run == do_rmdir)
				FAILS(EACCES, call->run("dir/directory"));
			else if (call->flags & REMOVES)
				FAILS(EACCES, call->run("dir/file"));
			fx_as_root();
		}
	}
}

void posix_path(void)
{
	fx_make(FX_REG, "file");
	fx_make(FX_REG, "source");
	chown("source", ALICE, ALICE);
	chmod("source", 0666);
	fx_make(FX_FIFO, "fifo");
	symlink("nowhere", "dangling");
	symlink("loop", "loop");
	names();
	last_names();
	longest_names();
	fx_make(FX_DIR, "searched");
	chmod("searched", 0777);
	if (chdir("searched"))
		return;
	fx_make_for(FX_REG, "source", ALICE, ALICE, 0666);
	search();
	change();
}
