/* SPDX-License-Identifier: Apache-2.0 */
/* posix_lock.c - fcntl(2)'s locks of processes and of open files, flock(2), leases. */
#include "posix.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>

static int lock(int fd, int command, short type, off_t start, off_t length)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};

	return fcntl(fd, command, &l);
}

/* What another process gets: 0, or the errno. */
static int elsewhere(int (*attempt)(short type, off_t start, off_t length), short type, off_t start,
		     off_t length)
{
	pid_t child = fork();
	int status = 0;

	if (!child)
		_exit(attempt(type, start, length) ? errno : 0);
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int attempt_lock(short type, off_t start, off_t length)
{
	return lock(open("f", O_RDWR), F_SETLK, type, start, length);
}

static int attempt_ofd(short type, off_t start, off_t length)
{
	return lock(open("f", O_RDWR), F_OFD_SETLK, type, start, length);
}

static int attempt_flock(short type, off_t start, off_t length)
{
	return flock(open("f", O_RDWR), type | LOCK_NB);
}

/* Each kind of lock on 10..19 against each on a range that meets it or does not. */
static void ranges(const char *name, int command, int (*attempt)(short, off_t, off_t))
{
	static const struct {
		off_t start, length;
		bool meets;
	} others[] = {{0, 10, false}, {0, 11, true},  {19, 1, true}, {20, 1, false},
		      {12, 2, true},  {20, 0, false}, {0, 0, true}};
	static const short types[] = {F_RDLCK, F_WRLCK};
	int fd = (int)WORKS(open("f", O_RDWR));

	for (size_t mine = 0; mine < 2; mine++)
		for (size_t theirs = 0; theirs < 2; theirs++)
			for (size_t i = 0; i < COUNT(others); i++) {
				bool clash = others[i].meets && (mine || theirs);

				fx_about("%s, %zu against %zu, range %zu", name, mine, theirs, i);
				WORKS(lock(fd, command, types[mine], 10, 10));
				SAME(clash ? EAGAIN : 0,
				     elsewhere(attempt, types[theirs], others[i].start,
					       others[i].length));
				WORKS(lock(fd, command, F_UNLCK, 0, 0));
			}
	close(fd);
}

/* A process' locks go when it closes any handle of the file; an open file's with its last one. */
static void ends(void)
{
	int one, two, copy;

	fx_about("locks of a process end with a close");
	one = (int)WORKS(open("f", O_RDWR));
	two = (int)WORKS(open("f", O_RDWR));
	WORKS(lock(one, F_SETLK, F_WRLCK, 0, 0));
	SAME(EAGAIN, elsewhere(attempt_lock, F_WRLCK, 0, 1));
	WORKS(lock(two, F_SETLK, F_WRLCK, 0, 0));
	close(two);
	SAME(0, elsewhere(attempt_lock, F_WRLCK, 0, 1));
	fx_about("locks of an open file do not");
	two = (int)WORKS(open("f", O_RDWR));
	copy = (int)WORKS(dup(one));
	WORKS(lock(one, F_OFD_SETLK, F_WRLCK, 0, 0));
	FAILS(EAGAIN, lock(two, F_OFD_SETLK, F_WRLCK, 0, 0));
	close(two);
	close(one);
	SAME(EAGAIN, elsewhere(attempt_ofd, F_WRLCK, 0, 1));
	close(copy);
	SAME(0, elsewhere(attempt_ofd, F_WRLCK, 0, 1));
	fx_about("a lock needs a handle of its direction");
	one = (int)WORKS(open("f", O_RDONLY));
	FAILS(EBADF, lock(one, F_SETLK, F_WRLCK, 0, 1));
	WORKS(lock(one, F_SETLK, F_RDLCK, 0, 1));
	close(one);
	one = (int)WORKS(open("f", O_WRONLY));
	FAILS(EBADF, lock(one, F_SETLK, F_RDLCK, 0, 1));
	WORKS(lock(one, F_SETLK, F_WRLCK, 0, 1));
	close(one);
}

/* F_GETLK tells who is in the way. */
static void tells(void)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 100};
	int fd = (int)WORKS(open("f", O_RDWR)), ready[2], status;
	pid_t child;
	char byte;

	fx_about("F_GETLK");
	WORKS(fcntl(fd, F_GETLK, &l));
	SAME(F_UNLCK, l.l_type);
	WORKS(pipe(ready));
	child = fork();
	if (!child) {
		int own = open("f", O_RDWR);

		lock(own, F_SETLK, F_RDLCK, 5, 7);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	SAME(1, read(ready[0], &byte, 1));
	l = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 100};
	WORKS(fcntl(fd, F_GETLK, &l));
	SAME(F_RDLCK, l.l_type);
	SAME(5, l.l_start);
	SAME(7, l.l_len);
	SAME(child, l.l_pid);
	FAILS(EAGAIN, lock(fd, F_SETLK, F_WRLCK, 0, 0));
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	fx_about("a lock whose holder was killed");
	WORKS(lock(fd, F_SETLKW, F_WRLCK, 0, 0));
	close(fd);
	close(ready[0]);
	close(ready[1]);
}

static void whole_files(void)
{
	int fd = (int)WORKS(open("f", O_RDWR)), other = (int)WORKS(open("f", O_RDONLY));

	fx_about("flock");
	WORKS(flock(fd, LOCK_SH));
	SAME(0, elsewhere(attempt_flock, LOCK_SH, 0, 0));
	SAME(EAGAIN, elsewhere(attempt_flock, LOCK_EX, 0, 0));
	WORKS(flock(other, LOCK_SH | LOCK_NB));
	FAILS(EAGAIN, flock(other, LOCK_EX | LOCK_NB));
	WORKS(flock(other, LOCK_UN));
	WORKS(flock(fd, LOCK_EX));
	SAME(EAGAIN, elsewhere(attempt_flock, LOCK_SH, 0, 0));
	FAILS(EAGAIN, flock(other, LOCK_SH | LOCK_NB));
	SAME(0, elsewhere(attempt_lock, F_WRLCK, 0, 0)); /* another kind of lock */
	WORKS(unlink("f"));
	FAILS(EAGAIN, flock(other, LOCK_SH | LOCK_NB));
	close(fd);
	WORKS(flock(other, LOCK_EX | LOCK_NB));
	close(other);
	FAILS(EBADF, flock(other, LOCK_SH));
	fx_make(FX_REG, "f");
	fx_about("flock of a directory");
	fd = (int)WORKS(open(".", O_RDONLY));
	other = (int)WORKS(open(".", O_RDONLY));
	WORKS(flock(fd, LOCK_EX));
	FAILS(EAGAIN, flock(other, LOCK_SH | LOCK_NB));
	close(fd);
	close(other);
}

void posix_lock(void)
{
	fx_make(FX_REG, "f");
	ranges("fcntl", F_SETLK, attempt_lock);
	ranges("open file", F_OFD_SETLK, attempt_ofd);
	ends();
	tells();
	whole_files();
	fx_remove("f");
}
