/* SPDX-License-Identifier: Apache-2.0 */
/* posix_map.c - mmap(2): private and shared, next to reads, writes, truncates and renames. */
#include "posix.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE 4096
#define SIZE ((size_t)4 * PAGE)

static char *map(int fd, int protection, int flags)
{
	char *at = mmap(NULL, SIZE, protection, flags, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

static int make(const char *name)
{
	int fd = (int)WORKS(open(name, O_CREAT | O_TRUNC | O_RDWR, 0644));

	WORKS(ftruncate(fd, (off_t)SIZE - 100));
	return fd;
}

/* A shared map, read(2) and write(2) see one another at once. */
static void coherent(void)
{
	char buffer[8];
	int fd = make("a"), other = (int)WORKS(open("a", O_RDWR));
	char *one, *two;

	fx_about("a shared map");
	one = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	two = map(other, PROT_READ, MAP_SHARED);
	HOLDS(one && two);
	memcpy(one + 10, "map", 3);
	SAME(0, memcmp(two + 10, "map", 3));
	SAME(3, pread(other, buffer, 3, 10));
	SAME(0, memcmp(buffer, "map", 3));
	SAME(5, pwrite(other, "write", 5, PAGE - 2));
	SAME(0, memcmp(one + PAGE - 2, "write", 5));
	WORKS(msync(one, SIZE, MS_ASYNC));
	WORKS(msync(one, SIZE, MS_SYNC));
	memcpy(one + 2 * PAGE, "late", 4);
	close(fd);
	close(other);
	memcpy(one + 3 * PAGE, "later", 5);
	SAME(0, memcmp(two + 3 * PAGE, "later", 5));
	munmap(one, SIZE);
	munmap(two, SIZE);
	fd = (int)WORKS(open("a", O_RDONLY));
	SAME(4, pread(fd, buffer, 4, 2 * PAGE));
	SAME(0, memcmp(buffer, "late", 4));
	SAME(5, pread(fd, buffer, 5, 3 * PAGE));
	SAME(0, memcmp(buffer, "later", 5));
	SAME(SIZE - 100, fx_fstat(fd).st_size);
	close(fd);
	fx_remove("a");
}

static void private(void)
{
	char buffer[8];
	int fd = make("a");
	char *at;

	fx_about("a private map");
	SAME(4, pwrite(fd, "file", 4, 0));
	at = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	HOLDS(at);
	SAME(0, memcmp(at, "file", 4));
	memcpy(at, "mine", 4);
	SAME(4, pread(fd, buffer, 4, 0));
	SAME(0, memcmp(buffer, "file", 4));
	munmap(at, SIZE);
	close(fd);
	fx_about("a private map of a handle that reads");
	fd = (int)WORKS(open("a", O_RDONLY));
	at = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	HOLDS(at);
	at[0] = 'x';
	munmap(at, SIZE);
	FAILS(EACCES, map(fd, PROT_READ | PROT_WRITE, MAP_SHARED) ? 0 : -1);
	close(fd);
	fd = (int)WORKS(open("a", O_WRONLY));
	FAILS(EACCES, map(fd, PROT_READ, MAP_SHARED) ? 0 : -1);
	close(fd);
	fx_remove("a");
}

static sigjmp_buf escape;

static void on_bus(int number)
{
	siglongjmp(escape, 1);
}

static bool faults(volatile const char *at)
{
	char byte;

	if (sigsetjmp(escape, 1))
		return true;
	byte = *at;
	(void)byte;
	return false;
}

/* The last page is filled up with zeros; behind it is nothing; a truncate takes pages away. */
static void ends(void)
{
	struct sigaction action = {.sa_handler = on_bus}, before;
	int fd = make("a");
	char *at = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	fx_about("the end of a mapped file");
	HOLDS(at);
	sigaction(SIGBUS, &action, &before);
	at[SIZE - 200] = 'x';
	SAME(0, at[SIZE - 50]);
	at[SIZE - 50] = 'y'; /* behind the end: goes nowhere */
	SAME(SIZE - 100, fx_fstat(fd).st_size);
	WORKS(ftruncate(fd, 2 * PAGE + 5));
	HOLDS(!faults(at + 2 * PAGE + 4));
	HOLDS(faults(at + 3 * PAGE));
	WORKS(ftruncate(fd, (off_t)SIZE));
	HOLDS(!faults(at + 3 * PAGE));
	SAME(0, at[SIZE - 200]);
	SAME(0, at[SIZE - 50]);
	sigaction(SIGBUS, &before, NULL);
	munmap(at, SIZE);
	close(fd);
	fx_remove("a");
}

/* A map is the file's, whatever becomes of its name. */
static void names(void)
{
	char buffer[8];
	int fd = make("a");
	char *at = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	fx_about("a mapped file that is renamed");
	HOLDS(at);
	memcpy(at, "one", 3);
	WORKS(rename("a", "b"));
	memcpy(at + PAGE, "two", 3);
	WORKS(msync(at, SIZE, MS_SYNC));
	close(fd);
	fd = (int)WORKS(open("b", O_RDWR));
	SAME(3, pread(fd, buffer, 3, 0));
	SAME(0, memcmp(buffer, "one", 3));
	SAME(3, pread(fd, buffer, 3, PAGE));
	SAME(0, memcmp(buffer, "two", 3));
	fx_about("a mapped file that is removed");
	WORKS(unlink("b"));
	memcpy(at + 2 * PAGE, "three", 5);
	SAME(5, pread(fd, buffer, 5, 2 * PAGE));
	SAME(0, memcmp(buffer, "three", 5));
	close(fd);
	SAME(0, memcmp(at + 2 * PAGE, "three", 5));
	munmap(at, SIZE);
	HOLDS(!fx_exists("b"));
}

/* Times: a write to a shared map is a write to the file, at the latest when it is synced. */
static void times(void)
{
	struct fx_watch watch;
	int fd = make("a");
	char *at = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	fx_about("times of a mapped file");
	HOLDS(at);
	watch = fx_watch("a");
	SAME(0, at[5]);
	UNMOVED(&watch);
	at[5] = 'x';
	WORKS(msync(at, SIZE, MS_SYNC));
	if (!local) /* tmpfs does not */
		MOVED(&watch);
	munmap(at, SIZE);
	close(fd);
	fx_remove("a");
}

/* Another process writes through its map, and ends without unmapping. */
static void processes(void)
{
	int fd = make("a"), status;
	char *at = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	pid_t child;

	fx_about("a map of two processes");
	HOLDS(at);
	child = fork();
	if (!child) {
		memcpy(at + 100, "child", 5);
		_exit(0);
	}
	waitpid(child, &status, 0);
	SAME(0, memcmp(at + 100, "child", 5));
	munmap(at, SIZE);
	close(fd);
	fd = (int)WORKS(open("a", O_RDONLY));
	at = map(fd, PROT_READ, MAP_SHARED);
	SAME(0, at ? memcmp(at + 100, "child", 5) : 1);
	munmap(at, SIZE);
	close(fd);
	fx_remove("a");
}

void posix_map(void)
{
	coherent();
	private();
	ends();
	names();
	times();
	processes();
}
