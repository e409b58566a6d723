/* SPDX-License-Identifier: Apache-2.0 */
/* helper_coherence.c - what one process has changed, another sees: at once, by every door. */
#include "helper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- Past the page cache --------------------------------------------------------------------- */

#define PAGE  4096
#define PAGES 4

static void expect_at(int fd, off_t offset, const char *text)
{
	char buffer[64];
	size_t size = strlen(text);

	REQUIRE(pread(fd, buffer, size, offset) == (ssize_t)size);
	REQUIRE(!memcmp(buffer, text, size));
}

/* Maps beside a handle that only writes: each sees what the other has written. */
static void share(int writer, int fd)
{
	char *map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	REQUIRE(map != MAP_FAILED);
	REQUIRE(!memcmp(map + PAGE, "second", 6));
	REQUIRE(pwrite(writer, "changed", 7, PAGE) == 7);
	REQUIRE(!memcmp(map + PAGE, "changed", 7));
	expect_at(fd, PAGE, "changed");
	memcpy(map + 2 * PAGE, "mapped", 6);
	REQUIRE(!msync(map, PAGES * PAGE, MS_SYNC));
	expect_at(fd, 2 * PAGE, "mapped");
	REQUIRE(pwrite(writer, "over", 4, 2 * PAGE + 2) == 4);
	REQUIRE(!memcmp(map + 2 * PAGE, "maover", 6));
	REQUIRE(!munmap(map, PAGES * PAGE));
}

/* direct DIRECTORY */
static int direct(int argc, char **argv)
{
	char large[PAGES * PAGE];
	int writer, both, reader;
	struct stat st;

	REQUIRE(!chdir(argv[0]));
	memset(large, 'x', sizeof(large));
	writer = open("f", O_WRONLY | O_CREAT | O_EXCL, 0644);
	REQUIRE(writer >= 0 && write(writer, large, sizeof(large)) == sizeof(large));
	reader = open("f", O_RDONLY);
	both = open("f", O_RDWR);
	REQUIRE(reader >= 0 && both >= 0);
	expect_at(reader, 0, "xxxx");
	REQUIRE(pwrite(writer, "first", 5, 0) == 5);
	expect_at(reader, 0, "firstx");
	REQUIRE(pwrite(both, "second", 6, PAGE) == 6);
	expect_at(reader, PAGE, "secondx");
	share(writer, both);
	REQUIRE(!ftruncate(both, 10) && !fstat(reader, &st) && st.st_size == 10);
	REQUIRE(pread(reader, large, sizeof(large), 0) == 10);
	REQUIRE(!close(writer) && !close(both) && !close(reader));
	reader = open("f", O_RDONLY);
	expect_at(reader, 0, "firstxxxxx");
	return close(reader);
}

/* ---- A reader beside a writer ---------------------------------------------------------------- */

/* The number that the file begins with, by a handle of its own. */
static uint64_t number_in(int fd)
{
	uint64_t number;

	REQUIRE(pread(fd, &number, sizeof(number), 0) == sizeof(number));
	return number;
}

/* Reads for ever: a number never becomes smaller. */
static void watch(const char *name)
{
	uint64_t last = 0, number;
	int fd = open(name, O_RDONLY);

	REQUIRE(fd >= 0);
	for (;;) {
		number = number_in(fd);
		REQUIRE(number >= last);
		last = number;
	}
}

/* stale FILE ROUNDS create|cached: what is read after write(2) has returned is what was written */
static int stale(int argc, char **argv)
{
	int cached = !strcmp(argv[2], "cached"), rounds = atoi(argv[1]), status;
	int first = cached ? open(argv[0], O_RDWR | O_CREAT, 0644) : -1;
	int fd = open(argv[0], O_WRONLY | O_CREAT, 0644), reader = open(argv[0], O_RDONLY);
	pid_t child;
	uint64_t number = 0;

	REQUIRE(fd >= 0 && reader >= 0 && (first >= 0) == cached);
	REQUIRE(pwrite(fd, &number, sizeof(number), 0) == sizeof(number));
	child = fork();
	if (!child)
		watch(argv[0]);
	for (number = 1; number < (uint64_t)rounds; number++) {
		REQUIRE(pwrite(fd, &number, sizeof(number), 0) == sizeof(number));
		REQUIRE(number_in(reader) == number);
	}
	REQUIRE(waitpid(child, &status, WNOHANG) == 0); /* it has not failed */
	REQUIRE(!kill(child, SIGKILL) && waitpid(child, &status, 0) == child);
	return 0;
}

/* ---- Values of changing size ----------------------------------------------------------------- */

/* A number and its newline, whole. */
static void require_whole(const char *text, ssize_t size)
{
	REQUIRE(size == 2 || size == 8);
	REQUIRE(text[size - 1] == '\n' && !memchr(text, '\0', (size_t)size));
}

static void read_whole(const char *name)
{
	char text[64];
	int handle = open(name, O_RDONLY);

	REQUIRE(handle >= 0);
	for (;;) {
		int fd = open(name, O_RDONLY);

		require_whole(text, read(fd, text, sizeof(text)));
		REQUIRE(!close(fd));
		require_whole(text, pread(handle, text, sizeof(text), 0));
	}
}

static void add(const char *name, const char *delta)
{
	REQUIRE(!setxattr(name, "user.feox.incr", delta, strlen(delta), 0));
}

/* whole FILE ROUNDS: readers beside a counter that goes from "1" to "1000001" and back */
static int whole(int argc, char **argv)
{
	pid_t child;
	int status;

	add(argv[0], "1000000");
	add(argv[0], "-1000000");
	child = fork();
	if (!child)
		read_whole(argv[0]);
	for (int i = 0; i < atoi(argv[1]); i++) {
		add(argv[0], "1000000");
		add(argv[0], "-1000000");
	}
	REQUIRE(waitpid(child, &status, WNOHANG) == 0); /* it has not failed */
	REQUIRE(!kill(child, SIGKILL) && waitpid(child, &status, 0) == child);
	return 0;
}

/* ---- Watches --------------------------------------------------------------------------------- */

/*
 * watch FILE SECONDS: "ready" when the watch is there, then what inotify(7) tells of the file, a
 * word each, until it is deleted or the time is over (status 1)
 */
static int watch_file(int argc, char **argv)
{
	char buffer[4096] __attribute__((aligned(8)));
	const struct inotify_event *event = (const void *)buffer;
	struct pollfd pollfd = {.fd = inotify_init(), .events = POLLIN};
	int watched = inotify_add_watch(pollfd.fd, argv[0], IN_DELETE_SELF | IN_MODIFY);

	REQUIRE(pollfd.fd >= 0 && watched >= 0);
	puts("ready");
	fflush(stdout);
	while (poll(&pollfd, 1, atoi(argv[1]) * 1000) > 0) {
		REQUIRE(read(pollfd.fd, buffer, sizeof(buffer)) > 0);
		if (event->mask & IN_MODIFY)
			puts("modify");
		if (event->mask & IN_DELETE_SELF)
			puts("delete_self");
		if (event->mask & (IN_DELETE_SELF | IN_IGNORED))
			return 0;
	}
	return 1;
}

const struct command coherence_commands[] = {
	{"direct", direct}, {"stale", stale}, {"watch", watch_file}, {"whole", whole}, {NULL, NULL},
};
