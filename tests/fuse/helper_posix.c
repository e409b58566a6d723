/* SPDX-License-Identifier: Apache-2.0 */
/* helper_posix.c - maps, locks, rename flags, handles; each command gets an empty directory. */
#include "helper.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static int make(const char *name, const char *content)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	REQUIRE(fd >= 0);
	REQUIRE(write(fd, content, strlen(content)) == (ssize_t)strlen(content));
	return fd;
}

static void expect(const char *name, const char *content)
{
	char buffer[256] = "";
	int fd = open(name, O_RDONLY);

	REQUIRE(fd >= 0);
	REQUIRE(read(fd, buffer, sizeof(buffer)) == (ssize_t)strlen(content));
	REQUIRE(!memcmp(buffer, content, strlen(content)));
	close(fd);
}

/* A shared map written by two processes, seen by read(2), and after everything is closed. */
static int mmap_shared(int argc, char **argv)
{
	size_t size = 3 * 4096 + 100;
	char buffer[16];
	int fd, status;
	char *map;

	REQUIRE(!chdir(argv[0]));
	fd = open("m", O_RDWR | O_CREAT, 0644);
	REQUIRE(fd >= 0 && !ftruncate(fd, (off_t)size));
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(map != MAP_FAILED);
	memcpy(map + 5000, "first", 5);
	if (fork() == 0) {
		int other = open("m", O_RDWR);
		char *own = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);

		REQUIRE(own != MAP_FAILED && !memcmp(own + 5000, "first", 5));
		memcpy(own + 9000, "second", 6);
		_exit(0);
	}
	REQUIRE(wait(&status) > 0 && WIFEXITED(status) && !WEXITSTATUS(status));
	REQUIRE(!memcmp(map + 9000, "second", 6));
	REQUIRE(pread(fd, buffer, 6, 9000) == 6 && !memcmp(buffer, "second", 6));
	REQUIRE(pwrite(fd, "third", 5, 100) == 5 && !memcmp(map + 100, "third", 5));
	REQUIRE(!msync(map, size, MS_SYNC) && !munmap(map, size) && !close(fd));
	fd = open("m", O_RDONLY);
	REQUIRE(pread(fd, buffer, 5, 5000) == 5 && !memcmp(buffer, "first", 5));
	REQUIRE(pread(fd, buffer, 6, 9000) == 6 && !memcmp(buffer, "second", 6));
	REQUIRE(pread(fd, buffer, 5, 100) == 5 && !memcmp(buffer, "third", 5));
	return 0;
}

static int mmap_private(int argc, char **argv)
{
	int fd;
	char *map;

	REQUIRE(!chdir(argv[0]));
	fd = make("p", "private");
	map = mmap(NULL, 7, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	REQUIRE(map != MAP_FAILED);
	memcpy(map, "changed", 7);
	REQUIRE(!munmap(map, 7) && !close(fd));
	expect("p", "private");
	return 0;
}

static int try_lock(const char *name, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};
	int fd = open(name, O_RDWR);

	if (fcntl(fd, F_SETLK, &lock))
		return errno == EAGAIN || errno == EACCES ? 1 : 2;
	return 0;
}

/* What another process gets. */
static int in_child(int (*body)(const char *name, short type), const char *name, short type)
{
	int status;

	if (fork() == 0)
		_exit(body(name, type));
	REQUIRE(wait(&status) > 0 && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int try_flock(const char *name, short type)
{
	int fd = open(name, O_RDWR);

	if (flock(fd, type | LOCK_NB))
		return errno == EWOULDBLOCK ? 1 : 2;
	return 0;
}

static int locks(int argc, char **argv)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 12};
	int fd;

	REQUIRE(!chdir(argv[0]));
	fd = make("l", "locked");
	REQUIRE(!fcntl(fd, F_SETLK, &lock));
	REQUIRE(in_child(try_lock, "l", F_RDLCK) == 0);
	REQUIRE(in_child(try_lock, "l", F_WRLCK) == 1);
	lock.l_type = F_UNLCK;
	REQUIRE(!fcntl(fd, F_SETLK, &lock));
	REQUIRE(in_child(try_lock, "l", F_WRLCK) == 0);
	REQUIRE(!flock(fd, LOCK_SH));
	REQUIRE(in_child(try_flock, "l", LOCK_SH) == 0);
	REQUIRE(in_child(try_flock, "l", LOCK_EX) == 1);
	REQUIRE(!flock(fd, LOCK_UN));
	REQUIRE(in_child(try_flock, "l", LOCK_EX) == 0);
	return 0;
}

static int rename_flags(int argc, char **argv)
{
	REQUIRE(!chdir(argv[0]));
	close(make("a", "A"));
	close(make("b", "B"));
	REQUIRE(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE) && errno == EEXIST);
	REQUIRE(!renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
	expect("a", "B");
	expect("b", "A");
	REQUIRE(!renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE));
	REQUIRE(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE) && errno == ENOENT);
	REQUIRE(!mkdir("d", 0755) && !mkdir("e", 0755));
	close(make("d/in-d", "1"));
	close(make("e/in-e", "2"));
	REQUIRE(renameat2(AT_FDCWD, "d", AT_FDCWD, "e", RENAME_NOREPLACE) && errno == EEXIST);
	REQUIRE(!renameat2(AT_FDCWD, "d", AT_FDCWD, "e", RENAME_EXCHANGE));
	expect("d/in-e", "2");
	expect("e/in-d", "1");
	REQUIRE(rename("d", "e") && (errno == ENOTEMPTY || errno == EEXIST));
	REQUIRE(rename("d", "b") && errno == ENOTDIR);
	REQUIRE(rename("b", "d") && errno == EISDIR);
	return 0;
}

/* Exactly one of many creators wins. */
static int excl(int argc, char **argv)
{
	int winners = 0, status;

	REQUIRE(!chdir(argv[0]));
	for (int round = 0; round < 50; round++) {
		char name[32];

		snprintf(name, sizeof(name), "lock%d", round);
		winners = 0;
		for (int i = 0; i < 4; i++)
			if (fork() == 0)
				_exit(open(name, O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0);
		for (int i = 0; i < 4; i++) {
			REQUIRE(wait(&status) > 0 && WIFEXITED(status));
			winners += WEXITSTATUS(status);
		}
		REQUIRE(winners == 1);
	}
	return 0;
}

/* Appends of several processes never overwrite one another. */
static int append(int argc, char **argv)
{
	struct stat st;
	int status;

	REQUIRE(!chdir(argv[0]));
	close(make("log", ""));
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			int fd = open("log", O_WRONLY | O_APPEND);

			for (int n = 0; n < 200; n++)
				REQUIRE(write(fd, "0123456789", 10) == 10);
			_exit(0);
		}
	for (int i = 0; i < 4; i++)
		REQUIRE(wait(&status) > 0 && WIFEXITED(status) && !WEXITSTATUS(status));
	REQUIRE(!stat("log", &st) && st.st_size == 8000);
	return 0;
}

/* Several handles on one file see each other at once; the file follows a rename. */
static int handles(int argc, char **argv)
{
	char buffer[16];
	struct stat st;
	int one, two;

	REQUIRE(!chdir(argv[0]));
	one = make("h", "hello");
	two = open("h", O_RDWR);
	REQUIRE(pread(two, buffer, 5, 0) == 5 && !memcmp(buffer, "hello", 5));
	REQUIRE(pwrite(one, "J", 1, 0) == 1 && pread(two, buffer, 5, 0) == 5);
	REQUIRE(!memcmp(buffer, "Jello", 5));
	REQUIRE(!rename("h", "i"));
	REQUIRE(pwrite(two, "!", 1, 5) == 1);
	REQUIRE(!fstat(one, &st) && st.st_size == 6);
	REQUIRE(!stat("i", &st) && st.st_size == 6);
	REQUIRE(!close(one) && !close(two));
	expect("i", "Jello!");
	one = open("i", O_RDWR | O_TRUNC);
	REQUIRE(!fstat(one, &st) && st.st_size == 0);
	REQUIRE(!close(one));
	expect("i", "");
	return 0;
}

static int fsync_all(int argc, char **argv)
{
	int fd, dir;

	REQUIRE(!chdir(argv[0]));
	fd = make("f", "synced");
	REQUIRE(!fsync(fd) && !fdatasync(fd));
	dir = open(".", O_RDONLY | O_DIRECTORY);
	REQUIRE(!fsync(dir));
	REQUIRE(!close(fd) && !close(dir));
	fd = open("g", O_CREAT | O_WRONLY | O_SYNC, 0644);
	REQUIRE(write(fd, "x", 1) == 1 && !close(fd));
	return 0;
}

/* Entries that stay are given exactly once, while others come and go. */
static int readdir_stable(int argc, char **argv)
{
	int seen[500] = {0}, removed = 0;
	struct dirent *entry;
	char name[32];
	DIR *dir;

	REQUIRE(!chdir(argv[0]));
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "stays%03d", i);
		close(make(name, ""));
		snprintf(name, sizeof(name), "goes%03d", i);
		close(make(name, ""));
	}
	dir = opendir(".");
	REQUIRE(dir);
	while ((entry = readdir(dir))) {
		int n;

		if (sscanf(entry->d_name, "stays%d", &n) == 1)
			seen[n]++;
		if (removed < 500) {
			snprintf(name, sizeof(name), "goes%03d", removed);
			REQUIRE(!unlink(name));
			snprintf(name, sizeof(name), "comes%03d", removed++);
			close(make(name, ""));
		}
	}
	for (int i = 0; i < 500; i++)
		REQUIRE(seen[i] == 1);
	rewinddir(dir);
	REQUIRE(readdir(dir));
	closedir(dir);
	return 0;
}

#define OPEN_FILES 400

/* Many files written and kept open, fsync of the directory, and at once the daemon is killed. */
static int dirty_files(int argc, char **argv)
{
	const char *content = argv[1];
	char name[32];
	int dir;

	REQUIRE(!chdir(argv[0]));
	for (int i = 0; i < OPEN_FILES; i++) {
		int fd;

		snprintf(name, sizeof(name), "open%03d", i);
		fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
		REQUIRE(fd >= 0);
		REQUIRE(write(fd, content, strlen(content)) == (ssize_t)strlen(content));
	}
	dir = open(".", O_RDONLY | O_DIRECTORY);
	REQUIRE(!fsync(dir));
	REQUIRE(!kill(atoi(argv[2]), SIGKILL));
	return 0;
}

static int seek(int argc, char **argv)
{
	struct stat st;
	int fd;

	REQUIRE(!chdir(argv[0]));
	fd = make("s", "data");
	REQUIRE(!ftruncate(fd, 100000));
	REQUIRE(lseek(fd, 0, SEEK_END) == 100000);
	REQUIRE(lseek(fd, 0, SEEK_DATA) == 0);
	REQUIRE(lseek(fd, 0, SEEK_HOLE) >= 4);
	REQUIRE(lseek(fd, 100000, SEEK_DATA) == -1 && errno == ENXIO);
	REQUIRE(!fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 200000));
	REQUIRE(!fstat(fd, &st) && st.st_size == 100000);
	REQUIRE(!posix_fallocate(fd, 0, 150000));
	REQUIRE(!fstat(fd, &st) && st.st_size == 150000);
	return 0;
}

static int unlinked(int argc, char **argv)
{
	char buffer[16];
	struct stat st;
	int fd;

	REQUIRE(!chdir(argv[0]));
	fd = make("u", "unlinked");
	REQUIRE(!unlink("u") && access("u", F_OK));
	REQUIRE(!fstat(fd, &st) && st.st_nlink == 0 && st.st_size == 8);
	REQUIRE(pwrite(fd, "U", 1, 0) == 1);
	REQUIRE(pread(fd, buffer, 8, 0) == 8 && !memcmp(buffer, "Unlinked", 8));
	close(make("u", "another"));
	REQUIRE(pread(fd, buffer, 8, 0) == 8 && !memcmp(buffer, "Unlinked", 8));
	REQUIRE(!close(fd));
	expect("u", "another");
	fd = open("v", O_RDWR | O_CREAT, 0644);
	close(make("w", "over"));
	REQUIRE(write(fd, "v", 1) == 1 && !rename("w", "v"));
	REQUIRE(pread(fd, buffer, 1, 0) == 1 && buffer[0] == 'v');
	REQUIRE(!close(fd));
	expect("v", "over");
	return 0;
}

/* setxattr(XATTR_CREATE); succeeds when the call does. */
static int xattr_create(int argc, char **argv)
{
	return setxattr(argv[0], argv[1], "x", 1, XATTR_CREATE) ? 1 : 0;
}

/* Store that many bytes in xattrs of 10,000 each; succeeds when all fit. */
static int xattr_fill(int argc, char **argv)
{
	static char value[10000];
	int total = atoi(argv[1]);
	char name[32];

	for (int i = 0; i * 10000 < total; i++) {
		snprintf(name, sizeof(name), "user.fill%d", i);
		if (setxattr(argv[0], name, value, sizeof(value), 0))
			return errno == ENOSPC ? 1 : 2;
	}
	return 0;
}

const struct command posix_commands[] = {
	{"mmap-shared", mmap_shared},
	{"mmap-private", mmap_private},
	{"locks", locks},
	{"rename-flags", rename_flags},
	{"excl", excl},
	{"append", append},
	{"handles", handles},
	{"fsync", fsync_all},
	{"readdir", readdir_stable},
	{"dirty-files", dirty_files},
	{"seek", seek},
	{"unlinked", unlinked},
	{"xattr-create", xattr_create},
	{"xattr-fill", xattr_fill},
	{NULL, NULL},
};
