/* SPDX-License-Identifier: Apache-2.0 */
/* posix_make.c - what is made: owner, mode, times, numbers; of each kind, by root and by users. */
#include "posix.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <time.h>

static bool is_device(enum fx_type type)
{
	return type == FX_CHR || type == FX_BLK;
}

static bool is_recent(struct timespec t, struct timespec since)
{
	return !fx_time_later(since, t);
}

static void made(enum fx_type type, uid_t uid, gid_t gid)
{
	struct timespec since;
	struct fx_watch parent;
	struct stat st, up;

	fx_about("a new %s of user %u", fx_type_name(type), uid);
	parent = fx_watch(".");
	clock_gettime(CLOCK_REALTIME_COARSE, &since);
	fx_as(uid, gid);
	fx_make(type, "a");
	fx_as_root();
	st = fx_lstat("a");
	up = fx_lstat(".");
	MOVED(&parent);
	SAME(fx_type_bits(type), st.st_mode & S_IFMT);
	SAME(uid, st.st_uid);
	SAME(gid, st.st_gid);
	SAME(type == FX_DIR ? 2 : 1, st.st_nlink);
	SAME(parent.before.st_nlink + (type == FX_DIR), up.st_nlink);
	SAME(parent.before.st_dev, st.st_dev);
	HOLDS(st.st_ino != 0 && st.st_ino != up.st_ino);
	HOLDS(is_recent(st.st_mtim, since));
	HOLDS(is_recent(st.st_ctim, since));
	HOLDS(is_recent(st.st_atim, since));
	SAME(is_device(type) ? makedev(240, 7) : 0, st.st_rdev);
	if (type != FX_DIR)
		SAME(type == FX_LNK ? 6 : 0, st.st_size);
	parent = fx_watch(".");
	fx_remove("a");
	MOVED(&parent);
	SAME(parent.before.st_nlink - (type == FX_DIR), fx_lstat(".").st_nlink);
	HOLDS(!fx_exists("a"));
}

/* A name that is there is not made again, and the directory does not change. */
static void there(enum fx_type type)
{
	struct fx_watch parent, old;

	fx_about("a name that is there, a %s", fx_type_name(type));
	fx_make(type, "a");
	parent = fx_watch(".");
	old = fx_watch("a");
	FAILS(EEXIST, mkdir("a", 0755));
	FAILS(EEXIST, mkfifo("a", 0644));
	FAILS(EEXIST, mknod("a", S_IFREG | 0644, 0));
	FAILS(EEXIST, symlink("x", "a"));
	FAILS(EEXIST, open("a", O_CREAT | O_EXCL | O_RDWR, 0644));
	UNMOVED(&parent);
	UNMOVED(&old);
	SAME(old.before.st_ino, fx_lstat("a").st_ino);
	fx_remove("a");
}

/* Numbers: of what lives at one time no two are alike; a name made again is another file. */
static void numbers(void)
{
	ino_t inos[3 * FX_TYPES];
	char name[16];
	size_t n = 0;

	fx_about("inode numbers");
	for (unsigned int i = 0; i < 3 * FX_TYPES; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		fx_make(i % FX_TYPES, name);
		inos[n++] = fx_lstat(name).st_ino;
		for (unsigned int j = 0; j + 1 < n; j++)
			if (inos[j] == inos[n - 1])
				SAME(0, inos[j]);
	}
	for (unsigned int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		SAME(inos[i], fx_lstat(name).st_ino);
		fx_remove(name);
	}
}

/* Devices are root's to make; everything else everybody's. */
static void devices(void)
{
	fx_about("device nodes by a user");
	fx_as(ALICE, ALICE);
	FAILS(EPERM, mknod("a", S_IFCHR | 0666, makedev(1, 3)));
	FAILS(EPERM, mknod("a", S_IFBLK | 0666, makedev(7, 0)));
	FAILS(EPERM, mknod("a", S_IFDIR | 0755, 0));
	FAILS(EINVAL, mknod("a", S_IFMT, 0));
	HOLDS(!fx_exists("a"));
	WORKS(mknod("a", S_IFIFO | 0666, 0));
	WORKS(unlink("a"));
	WORKS(mknod("a", S_IFSOCK | 0666, 0));
	WORKS(unlink("a"));
	WORKS(mknod("a", 0644, 0));
	SAME(S_IFREG, fx_lstat("a").st_mode & S_IFMT);
	WORKS(unlink("a"));
	fx_as_root();
	for (unsigned int i = 0; i < 32; i += 5) {
		dev_t dev = makedev(i * 127, 1u << i % 20);

		fx_about("device %u:%u", major(dev), minor(dev));
		WORKS(mknod("a", S_IFCHR | 0600, dev));
		SAME(dev, fx_lstat("a").st_rdev);
		WORKS(unlink("a"));
		WORKS(mknod("a", S_IFBLK | 0600, dev));
		SAME(dev, fx_lstat("a").st_rdev);
		WORKS(unlink("a"));
	}
	fx_about("a device that is there but in name only");
	fx_make(FX_CHR, "a");
	FAILS(ENXIO, open("a", O_RDONLY));
	fx_remove("a");
}

/* What one writes into a fifo the other reads; a socket can be listened on. */
static void pipes(void)
{
	char buffer[8];
	int reader, writer;

	fx_about("fifo");
	fx_make(FX_FIFO, "p");
	FAILS(ENXIO, open("p", O_WRONLY | O_NONBLOCK));
	reader = (int)WORKS(open("p", O_RDONLY | O_NONBLOCK));
	writer = (int)WORKS(open("p", O_WRONLY));
	SAME(5, write(writer, "hello", 5));
	SAME(5, read(reader, buffer, sizeof(buffer)));
	SAME(0, memcmp(buffer, "hello", 5));
	FAILS(ESPIPE, lseek(reader, 0, SEEK_SET));
	WORKS(unlink("p"));
	SAME(2, write(writer, "on", 2));
	SAME(2, read(reader, buffer, sizeof(buffer)));
	close(writer);
	SAME(0, read(reader, buffer, sizeof(buffer)));
	close(reader);
	fx_about("socket");
	fx_make(FX_SOCK, "s");
	FAILS(ENXIO, open("s", O_RDWR));
	SAME(S_IFSOCK, fx_lstat("s").st_mode & S_IFMT);
	fx_remove("s");
}

/* Directories: the deeper one knows its parent. */
static void directories(void)
{
	struct stat up;

	fx_about("directories");
	WORKS(mkdir("d", 0755));
	WORKS(mkdir("d/e", 0755));
	WORKS(mkdir("d/e/f/", 0755));
	up = fx_lstat("d/e");
	SAME(up.st_ino, fx_lstat("d/e/f/..").st_ino);
	SAME(up.st_ino, fx_lstat("d/e/.").st_ino);
	SAME(up.st_ino, fx_lstat("d/e/f/../../e").st_ino);
	SAME(3, up.st_nlink);
	FAILS(EEXIST, mkdir("d/.", 0755));
	FAILS(EEXIST, mkdir("d/..", 0755));
	FAILS(EEXIST, mkdir("d/", 0755));
	FAILS(ENOENT, mkdir("missing/d", 0755));
	FAILS(EISDIR, open("d/new/", O_CREAT | O_WRONLY, 0644));
	FAILS(ENOENT, mknod("d/new/", S_IFREG | 0644, 0));
	FAILS(ENOENT, symlink("x", "d/new/"));
	fx_about("a directory made through a link to nothing");
	WORKS(symlink("nothing", "l"));
	FAILS(EEXIST, mkdir("l", 0755));
	FAILS(EEXIST, mkfifo("l", 0644));
	FAILS(EEXIST, symlink("x", "l"));
	WORKS(close(open("l", O_CREAT | O_WRONLY, 0644)));
	SAME(S_IFREG, fx_lstat("nothing").st_mode & S_IFMT);
	FAILS(EEXIST, open("l", O_CREAT | O_EXCL | O_WRONLY, 0644));
	fx_remove("l");
	fx_remove("nothing");
	fx_remove("d/e/f");
	fx_remove("d/e");
	fx_remove("d");
}

/* Nothing is made where the working directory is gone. */
static void removed_directory(void)
{
	fx_about("in a directory that was removed");
	WORKS(mkdir("d", 0777));
	WORKS(chdir("d"));
	WORKS(rmdir("../d"));
	FAILS(ENOENT, mkdir("a", 0755));
	FAILS(ENOENT, mkfifo("a", 0755));
	FAILS(ENOENT, symlink("a", "b"));
	FAILS(ENOENT, open("a", O_CREAT | O_WRONLY, 0644));
	FAILS(ENOENT, open("a", O_RDONLY));
	SAME(0, fx_lstat(".").st_nlink);
	SAME(S_IFDIR, fx_lstat(".").st_mode & S_IFMT);
	WORKS(chdir(".."));
}

void posix_make(void)
{
	for (enum fx_type type = 0; type < FX_TYPES; type++) {
		made(type, 0, 0);
		if (!is_device(type))
			made(type, ALICE, BOB);
		there(type);
	}
	numbers();
	devices();
	pipes();
	directories();
	removed_directory();
}
