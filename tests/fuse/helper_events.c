/* SPDX-License-Identifier: Apache-2.0 */
/* helper_events.c - readers of /.feox/events that the shell cannot be. */
#include "helper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define PARKED_MAX 64 /* FX_EVENTS_PARKED_MAX */
#define TOO_MANY   6
#define KEYS	   30000 /* events of more than FX_EVENTS_QUEUE_MAX */

static void on_alarm(int number)
{
}

/* events-interrupt EVENTS: a signal ends a read that waits */
static int interrupt(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */
	struct itimerval soon = {.it_value.tv_usec = 100000};
	int fd = open(argv[0], O_RDONLY);
	char buffer[256];

	REQUIRE(fd >= 0);
	REQUIRE(!sigaction(SIGALRM, &action, NULL));
	REQUIRE(!setitimer(ITIMER_REAL, &soon, NULL));
	REQUIRE(read(fd, buffer, sizeof(buffer)) == -1);
	REQUIRE(errno == EINTR);
	return 0;
}

/* events-parked EVENTS: so many may wait, the next get EAGAIN; killed ones make room */
static int parked(int argc, char **argv)
{
	pid_t children[PARKED_MAX + TOO_MANY];
	char buffer[256];
	int status;

	for (int i = 0; i < PARKED_MAX + TOO_MANY; i++) {
		children[i] = fork();
		REQUIRE(children[i] >= 0);
		if (!children[i]) {
			int fd = open(argv[0], O_RDONLY);

			_exit(fd >= 0 && read(fd, buffer, sizeof(buffer)) < 0 && errno == EAGAIN
				      ? 11
				      : 1);
		}
	}
	for (int i = 0; i < TOO_MANY; i++) {
		REQUIRE(wait(&status) > 0);
		REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 11);
	}
	for (int i = 0; i < PARKED_MAX + TOO_MANY; i++)
		kill(children[i], SIGTERM); /* of those that have ended no number is used again */
	for (int i = 0; i < PARKED_MAX; i++) {
		REQUIRE(wait(&status) > 0);
		REQUIRE(WIFSIGNALED(status));
	}
	return interrupt(argc, argv);
}

/* events-poll EVENTS FILE: ready when the file is made, not before */
static int poll_events(int argc, char **argv)
{
	struct pollfd ready = {.fd = open(argv[0], O_RDONLY | O_NONBLOCK), .events = POLLIN};
	char buffer[256];
	pid_t child;

	REQUIRE(ready.fd >= 0);
	REQUIRE(read(ready.fd, buffer, sizeof(buffer)) == -1);
	REQUIRE(errno == EAGAIN);
	REQUIRE(poll(&ready, 1, 0) == 0);
	child = fork();
	if (!child) {
		usleep(50000);
		_exit(close(creat(argv[1], 0600)) ? 1 : 0);
	}
	REQUIRE(poll(&ready, 1, 10000) == 1);
	REQUIRE(ready.revents & POLLIN);
	REQUIRE(read(ready.fd, buffer, sizeof(buffer)) > 0);
	REQUIRE(waitpid(child, NULL, 0) == child);
	return 0;
}

static void put_keys(const char *ctl, int count)
{
	FILE *out = fopen(ctl, "w");

	REQUIRE(out);
	setvbuf(out, NULL, _IOFBF, 1 << 20);
	fputs("{\"op\":\"batch\",\"ops\":[", out);
	for (int i = 0; i < count; i++)
		fprintf(out, "%s{\"op\":\"put\",\"key\":\"slow%06d\",\"value\":\"\"}", i ? "," : "",
			i);
	fputs("]}\n", out);
	REQUIRE(!fclose(out));
}

/* Read until there is no more. Lines are whole; lost ones count as many as they say. */
static void drain(int fd, long *ret_sets, long *ret_lost)
{
	static char buffer[65536];
	ssize_t size;

	*ret_sets = *ret_lost = 0;
	while ((size = read(fd, buffer, sizeof(buffer) - 1)) > 0) {
		char *line = buffer, *end;
		long count;

		buffer[size] = '\0';
		for (; (end = strchr(line, '\n')); line = end + 1) {
			if (sscanf(line, "{\"event\":\"lost\",\"count\":%ld}", &count) == 1)
				*ret_lost += count;
			else if (!strncmp(line, "{\"event\":\"set\"", 14))
				++*ret_sets;
		}
		REQUIRE(!*line);
	}
	REQUIRE(errno == EAGAIN);
}

/* events-slow EVENTS CTL: who does not read is told how much he has missed */
static int slow(int argc, char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_NONBLOCK);
	long sets, lost;

	REQUIRE(fd >= 0);
	put_keys(argv[1], KEYS);
	drain(fd, &sets, &lost);
	REQUIRE(lost > 0 && sets > 0);
	REQUIRE(sets + lost == KEYS);
	put_keys(argv[1], 10);
	drain(fd, &sets, &lost);
	REQUIRE(sets == 10 && lost == 0);
	return 0;
}

const struct command events_commands[] = {
	{"events-interrupt", interrupt},
	{"events-parked", parked},
	{"events-poll", poll_events},
	{"events-slow", slow},
	{NULL, NULL},
};
