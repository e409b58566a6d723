/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile.c - hostile COMMAND DIRECTORY [PID]: users who mean no good. What they do ends in an
 * errno; the test watches the daemon (PID), which neither dies nor grows.
 */
#include "helper.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define KIB (size_t)1024

/* Resident memory of a process in KiB. */
static size_t resident(const char *pid)
{
	char path[64];
	long pages = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/statm", pid);
	file = fopen(path, "r");
	REQUIRE(file && fscanf(file, "%*s %ld", &pages) == 1);
	fclose(file);
	return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE) / KIB;
}

/* The daemon has grown by at most so many KiB since before. */
static void require_growth(const char *pid, size_t before, size_t at_most, const char *what)
{
	size_t now = resident(pid);

	printf("%s: %zu KiB -> %zu KiB\n", what, before, now);
	if (now > before + at_most) {
		fprintf(stderr, "%s: the daemon grew from %zu to %zu KiB\n", what, before, now);
		exit(1);
	}
}

/* ---- Numbers that are too large -------------------------------------------------------------- */

static int numbers(int argc, char **argv)
{
	static const off_t sizes[] = {INT64_MAX,      INT64_MAX - 1,  (off_t)1 << 62,
				      (off_t)1 << 40, (off_t)1 << 32, ((off_t)64 << 20) + 1};
	struct stat st;
	int fd;

	REQUIRE(!chdir(argv[0]));
	fd = open("f", O_CREAT | O_RDWR, 0644);
	REQUIRE(fd >= 0 && write(fd, "content", 7) == 7);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		REQUIRE(truncate("f", sizes[i]) && errno == EFBIG);
		REQUIRE(ftruncate(fd, sizes[i]) && errno == EFBIG);
		REQUIRE(pwrite(fd, "x", 1, sizes[i] - 1) == -1 && errno == EFBIG);
		REQUIRE(fallocate(fd, 0, sizes[i] - 1, 1) && errno == EFBIG);
		REQUIRE(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, sizes[i]) && errno == EFBIG);
		REQUIRE(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, sizes[i] - 1,
				   1));
		REQUIRE(lseek(fd, sizes[i], SEEK_DATA) == -1 && errno == ENXIO);
		REQUIRE(pread(fd, &st, 1, sizes[i] - 1) == 0);
	}
	REQUIRE(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 7, INT64_MAX - 7));
	REQUIRE(fallocate(fd, FALLOC_FL_ZERO_RANGE, 1, INT64_MAX - 1) && errno == EFBIG);
	REQUIRE(!fstat(fd, &st) && st.st_size == 7);
	REQUIRE(!close(fd) && !unlink("f"));
	return 0;
}

/* ---- Names and depths ------------------------------------------------------------------------ */

/* Every byte that a name may have, alone, in front, within and behind. */
static int names(int argc, char **argv)
{
	int count = 0, found = 0;
	struct dirent *entry;
	DIR *dir;

	REQUIRE(!chdir(argv[0]));
	for (int byte = 1; byte < 256; byte++)
		for (int place = 0; place < 4; place++) {
			char name[8] = "", text[16];
			int fd;

			if (byte == '/' || (byte == '.' && !place))
				continue;
			snprintf(name, sizeof(name), "%s%c%s", place & 1 ? "a" : "", byte,
				 place & 2 ? "b" : "");
			snprintf(text, sizeof(text), "%d %d", byte, place);
			fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
			REQUIRE(fd >= 0 || (byte == 'a' && errno == EEXIST) ||
				(byte == 'b' && errno == EEXIST));
			if (fd < 0)
				continue;
			REQUIRE(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
			close(fd);
			count++;
		}
	dir = opendir(".");
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		REQUIRE(!access(entry->d_name, R_OK) && !unlink(entry->d_name));
		found++;
	}
	closedir(dir);
	REQUIRE(found == count);
	return 0;
}

/* As deep as a key is long, and out again. */
static int deep(int argc, char **argv)
{
	size_t before = resident(argv[1]);
	int depth = 0, fd;

	REQUIRE(!chdir(argv[0]));
	while (!mkdir("d", 0755) && depth < 100000) {
		REQUIRE(!chdir("d"));
		depth++;
	}
	REQUIRE(errno == ENAMETOOLONG);
	REQUIRE(depth > 8000);
	fd = open("f", O_CREAT | O_WRONLY, 0644);
	REQUIRE(fd < 0 ? errno == ENAMETOOLONG : !close(fd) && !unlink("f"));
	for (; depth > 0; depth--)
		REQUIRE(!chdir("..") && !rmdir("d"));
	/* Its keys have 8 KiB on average. */
	require_growth(argv[1], before, 128 * KIB, "a deep tree");
	return 0;
}

/* ---- Handles --------------------------------------------------------------------------------- */

static rlim_t allow_handles(rlim_t wanted)
{
	struct rlimit limit;

	REQUIRE(!getrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_max < wanted + 100)
		limit.rlim_max = wanted + 100;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit)) { /* not root, or more than the system allows */
		REQUIRE(!getrlimit(RLIMIT_NOFILE, &limit));
		limit.rlim_cur = limit.rlim_max;
		REQUIRE(!setrlimit(RLIMIT_NOFILE, &limit));
	}
	return limit.rlim_cur - 100 < wanted ? limit.rlim_cur - 100 : wanted;
}

/* The same file, and many; nothing of a handle is kept by the daemon. */
static int handles(int argc, char **argv)
{
	rlim_t count = allow_handles(200000);
	size_t before = resident(argv[1]);
	struct stat st;

	REQUIRE(!chdir(argv[0]));
	for (rlim_t i = 0; i < count; i++) {
		int fd = open("f", O_CREAT | (i % 3 ? O_RDONLY : O_RDWR), 0644);

		REQUIRE(fd >= 0);
	}
	REQUIRE(!unlink("f") && stat("f", &st) && errno == ENOENT);
	require_growth(argv[1], before, 32 * KIB, "handles of one file");
	return 0;
}

/* Directories half listed: some hundred bytes each. */
static int directories(int argc, char **argv)
{
	rlim_t count = allow_handles(50000);
	static char buffer[4096];
	size_t before;
	char name[64];

	REQUIRE(!chdir(argv[0]));
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "a-file-with-some-name-%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0644));
	}
	before = resident(argv[1]);
	for (rlim_t i = 0; i < count; i++) {
		int fd = open(".", O_RDONLY | O_DIRECTORY);

		REQUIRE(fd >= 0 && getdents64(fd, buffer, sizeof(buffer)) > 0);
	}
	/* 64 MiB for bookmarks, all told. */
	require_growth(argv[1], before, 110 * KIB, "open directories");
	return 0;
}

/* ---- Lookups --------------------------------------------------------------------------------- */

/* To remount drops the names of this file system that nobody uses, and no others. */
static void drop_names(void)
{
	REQUIRE(!mount("none", "..", NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV, NULL));
}

/* A million lookups, of what is there and what is not; the kernel forgets them again and again. */
static int lookups(int argc, char **argv)
{
	size_t before = 0;
	struct stat st;
	char name[64];

	REQUIRE(!chdir(argv[0]));
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "there%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0644));
	}
	for (int round = 0; round < 25; round++) {
		for (int i = 0; i < 20000; i++) {
			snprintf(name, sizeof(name), "there%d", i);
			REQUIRE(!stat(name, &st));
			snprintf(name, sizeof(name), "missing%d-%d", round, i);
			REQUIRE(stat(name, &st) && errno == ENOENT);
		}
		drop_names();
		if (round == 4)
			before = resident(argv[1]);
	}
	require_growth(argv[1], before, 8 * KIB, "a million lookups");
	return 0;
}

/* ---- Storms ---------------------------------------------------------------------------------- */

/* Eight processes rewrite the largest xattrs that a file can have. */
static int xattrs(int argc, char **argv)
{
	static char value[60000];
	size_t before = resident(argv[1]);
	int status;

	REQUIRE(!chdir(argv[0]));
	close(open("f", O_CREAT | O_WRONLY, 0644));
	for (int child = 0; child < 8; child++)
		if (fork() == 0) {
			for (int i = 0; i < 500; i++) {
				memset(value, 'a' + i % 26, sizeof(value));
				REQUIRE(!setxattr("f", "user.large", value, sizeof(value), 0));
			}
			_exit(0);
		}
	for (int child = 0; child < 8; child++)
		REQUIRE(wait(&status) > 0 && status == 0);
	for (int i = 0; i < 5000; i++) { /* names: what does not fit is an errno */
		char name[64];

		snprintf(name, sizeof(name), "user.%d", i);
		if (setxattr("f", name, "x", 1, 0)) {
			REQUIRE(errno == ENOSPC && i > 100);
			break;
		}
	}
	REQUIRE(!unlink("f"));
	/* The memory limit of the mount, and what waits for the disk. */
	require_growth(argv[1], before, 400 * KIB, "a storm of xattrs");
	return 0;
}

static void work_until_killed(unsigned int seed)
{
	static char bytes[100000];
	char name[32], other[32];

	for (unsigned int i = 0;; i++) {
		int fd;

		snprintf(name, sizeof(name), "k%u", (seed + i) % 7);
		snprintf(other, sizeof(other), "k%u", (seed * 3 + i) % 7);
		fd = open(name, O_CREAT | O_RDWR | (i % 5 ? 0 : O_TRUNC), 0644);
		if (fd < 0)
			continue;
		if (write(fd, bytes, i % 2 ? 100 : sizeof(bytes)) < 0 || (i % 3 == 0 && fsync(fd)))
			REQUIRE(errno == EINTR);
		rename(name, other);
		if (i % 4 == 0) {
			DIR *dir = opendir(".");

			while (dir && readdir(dir))
				;
			closedir(dir);
		}
		if (i % 6 == 0)
			unlink(other);
		close(fd);
	}
}

static void sleep_ns(long ns)
{
	struct timespec t = {.tv_nsec = ns};

	nanosleep(&t, NULL);
}

static void on_alarm(int number)
{
}

/* Clients that are killed, or interrupted by signals, in the middle of whatever they do. */
static int killed(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_alarm};
	size_t before = 0;

	REQUIRE(!chdir(argv[0]));
	for (unsigned int round = 0; round < 150; round++) {
		pid_t children[3];

		for (unsigned int i = 0; i < 3; i++) {
			children[i] = fork();
			if (children[i])
				continue;
			sigaction(SIGALRM, &action, NULL);
			work_until_killed(round * 3 + i);
		}
		for (unsigned int i = 0; i < 10; i++) {
			sleep_ns(1000000 + round * 10000);
			kill(children[i % 3], SIGALRM);
		}
		for (unsigned int i = 0; i < 3; i++)
			kill(children[i], SIGKILL);
		while (wait(NULL) > 0)
			;
		if (round == 50)
			before = resident(argv[1]);
	}
	for (int i = 0; i < 7; i++) {
		char name[32];

		snprintf(name, sizeof(name), "k%d", i);
		REQUIRE(!unlink(name) || errno == ENOENT);
	}
	require_growth(argv[1], before, 64 * KIB, "killed clients");
	return 0;
}

/*
 * The daemon is stopped: whoever asks waits, and can be killed while he does; when it goes on all
 * is answered, and nothing is lost.
 */
static int stopped(int argc, char **argv)
{
	pid_t daemon = (pid_t)atol(argv[1]), writer, victim;
	int status, fd;
	char buffer[8];

	REQUIRE(!chdir(argv[0]));
	fd = open("before", O_CREAT | O_RDWR, 0644);
	REQUIRE(fd >= 0 && write(fd, "before", 6) == 6);
	REQUIRE(!kill(daemon, SIGSTOP));
	writer = fork();
	if (!writer) {
		int own = open("after", O_CREAT | O_RDWR, 0644);

		_exit(own < 0 || write(own, "after", 5) != 5 || fsync(own));
	}
	victim = fork();
	if (!victim)
		_exit(mkdir("never-answered", 0755));
	sleep_ns(300000000); /* both wait by now, most likely; right if not */
	REQUIRE(waitpid(writer, &status, WNOHANG) == 0);
	REQUIRE(!kill(victim, SIGKILL));
	REQUIRE(!kill(daemon, SIGCONT));
	REQUIRE(waitpid(victim, &status, 0) == victim && WIFSIGNALED(status));
	REQUIRE(waitpid(writer, &status, 0) == writer && status == 0);
	REQUIRE(pread(fd, buffer, 6, 0) == 6 && !memcmp(buffer, "before", 6));
	REQUIRE(!close(fd));
	fd = open("after", O_RDONLY);
	REQUIRE(fd >= 0 && read(fd, buffer, 8) == 5 && !memcmp(buffer, "after", 5));
	return 0;
}

static const struct command hostile_commands[] = {
	{"numbers", numbers},
	{"names", names},
	{"deep", deep},
	{"handles", handles},
	{"directories", directories},
	{"lookups", lookups},
	{"xattrs", xattrs},
	{"killed", killed},
	{"stopped", stopped},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 3 && i < sizeof(hostile_commands) / sizeof(*hostile_commands);
	     i++)
		if (!strcmp(hostile_commands[i].name, argv[1]))
			return hostile_commands[i].run(argc - 2, argv + 2);
	fprintf(stderr, "usage: hostile COMMAND DIRECTORY PID\n");
	return 2;
}
