/* SPDX-License-Identifier: Apache-2.0 */
/* helper_room.c - what was promised room is stored, however full the store has become. */
#include "helper.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FILES	    64
#define XATTR_SIZE  60000
#define ALLOCATED   ((off_t)1 << 20)
#define FILLER_SIZE 100000

/* Make files with large attributes until the store is full; how many. */
static int make_described(void)
{
	static char value[XATTR_SIZE];
	char name[32];
	int made = 0, fd;

	for (; made < FILES; made++) {
		snprintf(name, sizeof(name), "f%d", made);
		fd = open(name, O_CREAT | O_WRONLY, 0644);
		if (fd < 0)
			break;
		close(fd);
		if (setxattr(name, "user.large", value, sizeof(value), 0)) {
			REQUIRE(errno == ENOSPC);
			REQUIRE(!unlink(name));
			break;
		}
	}
	return made;
}

/*
 * ARGV: a directory. Then, with every other one gone, write a byte to each that is left, all open
 * at a time; close them, and print the names of those that took it: none, if no room has become
 * free.
 */
static int describe(int argc, char **argv)
{
	char name[32];
	int made, fds[FILES];

	REQUIRE(!chdir(argv[0]));
	made = make_described();
	REQUIRE(made > 8);
	for (int i = 0; i < made; i += 2) {
		snprintf(name, sizeof(name), "f%d", i);
		REQUIRE(!unlink(name));
	}
	for (int i = 1; i < made; i += 2) {
		snprintf(name, sizeof(name), "f%d", i);
		fds[i] = open(name, O_WRONLY);
		REQUIRE(fds[i] >= 0);
		if (write(fds[i], "x", 1) == 1)
			puts(name);
		else
			REQUIRE(errno == ENOSPC);
	}
	for (int i = 1; i < made; i += 2)
		close(fds[i]);
	return 0;
}

static void fill(void)
{
	static char bytes[FILLER_SIZE];
	char name[32];
	ssize_t n = 1;
	int fd;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * i >> 7 ^ i);
	for (int i = 0; n > 0; i++) {
		snprintf(name, sizeof(name), "filler%d", i);
		fd = open(name, O_CREAT | O_WRONLY, 0644);
		if (fd < 0)
			break;
		n = write(fd, bytes, sizeof(bytes));
		close(fd);
	}
	REQUIRE(errno == ENOSPC);
}

static void overwrite(int fd, char byte)
{
	static char bytes[65536];

	memset(bytes, byte, sizeof(bytes));
	for (off_t at = 0; at < ALLOCATED; at += (off_t)sizeof(bytes))
		REQUIRE(pwrite(fd, bytes, sizeof(bytes), at) == (ssize_t)sizeof(bytes));
	REQUIRE(!fsync(fd));
}

/* ARGV: a directory. fallocate of what is there already: each later write has room. */
static int allocate(int argc, char **argv)
{
	int fd;

	REQUIRE(!chdir(argv[0]));
	fd = open("f", O_CREAT | O_RDWR, 0644);
	REQUIRE(fd >= 0);
	overwrite(fd, 'a');
	close(fd);
	fd = open("f", O_RDWR);
	REQUIRE(!fallocate(fd, 0, 0, ALLOCATED));
	fill();
	overwrite(fd, 'b');
	fill();
	overwrite(fd, 'c');
	close(fd);
	return 0;
}

const struct command room_commands[] = {
	{"room-described", describe},
	{"room-allocated", allocate},
	{NULL, NULL},
};
