/* SPDX-License-Identifier: Apache-2.0 */
/* helper_kv.c - the key-value controls, many clients at once. */
#include "helper.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CLIENTS_MAX 64

/* Run count processes; each gets its number, and its exit status is added up. */
static int run_clients(int count, int (*client)(int number, char **argv), char **argv)
{
	pid_t children[CLIENTS_MAX];
	int sum = 0, status;

	REQUIRE(count <= CLIENTS_MAX);
	for (int i = 0; i < count; i++) {
		children[i] = fork();
		REQUIRE(children[i] >= 0);
		if (!children[i])
			_exit(client(i, argv));
	}
	for (int i = 0; i < count; i++) {
		REQUIRE(waitpid(children[i], &status, 0) == children[i]);
		REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) != 255);
		sum += WEXITSTATUS(status);
	}
	return sum;
}

/* ---- Counters -------------------------------------------------------------------------------- */

/* Every second client has the file open for writing meanwhile. */
static int increment(int number, char **argv)
{
	int fd = number % 2 ? open(argv[0], O_RDWR) : -1;

	for (int i = 0; i < atoi(argv[2]); i++)
		if (setxattr(argv[0], "user.feox.incr", "1", 1, 0))
			return 255;
	return fd >= 0 && close(fd) ? 255 : 0;
}

/* incr-many FILE CLIENTS ROUNDS */
static int incr_many(int argc, char **argv)
{
	return run_clients(atoi(argv[1]), increment, argv);
}

/* ---- Compare and swap ------------------------------------------------------------------------ */

/* Exit status: how many rounds this client has won. */
static int swap(int number, char **argv)
{
	char argument[64], *tokens = argv[2];
	int won = 0;

	while (*tokens) {
		int size = (int)strcspn(tokens, " "), n;

		n = snprintf(argument, sizeof(argument), "%.*s winner %d", size, tokens, number);
		if (!setxattr(argv[0], "user.feox.cas", argument, (size_t)n, 0))
			won++;
		else if (errno != ECANCELED)
			return 255;
		tokens += size + (tokens[size] == ' ');
	}
	return won;
}

/* cas-race FILE CLIENTS TOKEN: how many of the clients have won with this token */
static int cas_race(int argc, char **argv)
{
	printf("%d\n", run_clients(atoi(argv[1]), swap, argv));
	return 0;
}

/* Read the number and swap in the next one, until it worked as often as asked. */
static int count_by_cas(int number, char **argv)
{
	char token[32], argument[96], text[32];
	ssize_t n, size;

	for (int i = 0; i < atoi(argv[2]);) {
		int fd;

		n = getxattr(argv[0], "user.feox.version", token, sizeof(token));
		fd = open(argv[0], O_RDONLY);
		size = read(fd, text, sizeof(text) - 1);
		if (n < 0 || fd < 0 || size < 0 || close(fd))
			return 255;
		text[size] = '\0';
		n = snprintf(argument, sizeof(argument), "%.*s %d", (int)n, token, atoi(text) + 1);
		if (!setxattr(argv[0], "user.feox.cas", argument, (size_t)n, 0))
			i++;
		else if (errno != ECANCELED)
			return 255;
	}
	return 0;
}

/* cas-count FILE CLIENTS ROUNDS */
static int cas_count(int argc, char **argv)
{
	return run_clients(atoi(argv[1]), count_by_cas, argv);
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* One request and its answer on a handle that is open; NULL: it failed. */
static const char *request(int fd, const char *text)
{
	static char answer[4096];
	ssize_t size = (ssize_t)strlen(text);

	if (write(fd, text, (size_t)size) != size)
		return NULL;
	size = read(fd, answer, sizeof(answer) - 1);
	if (size <= 0)
		return NULL;
	answer[size] = '\0';
	return answer;
}

static int increment_by_ctl(int number, char **argv)
{
	int fd = open(argv[0], O_RDWR);

	if (fd < 0)
		return 255;
	for (int i = 0; i < atoi(argv[2]); i++) {
		const char *answer = request(fd, "{\"op\":\"incr\",\"key\":\"n\"}\n");

		if (!answer || !strstr(answer, "\"ok\":true"))
			return 255;
	}
	return close(fd) ? 255 : 0;
}

/* ctl-incr CTL CLIENTS ROUNDS: the key n */
static int ctl_incr(int argc, char **argv)
{
	return run_clients(atoi(argv[1]), increment_by_ctl, argv);
}

static int swap_by_ctl(int number, char **argv)
{
	char text[256];
	const char *answer;
	int fd = open(argv[0], O_RDWR);

	snprintf(text, sizeof(text),
		 "{\"op\":\"cas\",\"key\":\"k\",\"if_version\":\"%s\",\"value\":\"%d\"}\n", argv[2],
		 number);
	answer = fd < 0 ? NULL : request(fd, text);
	if (!answer || close(fd))
		return 255;
	if (strstr(answer, "\"ok\":true"))
		return 1;
	return strstr(answer, "ECANCELED") ? 0 : 255;
}

/* ctl-cas CTL CLIENTS VERSION: how many have won the key k */
static int ctl_cas(int argc, char **argv)
{
	printf("%d\n", run_clients(atoi(argv[1]), swap_by_ctl, argv));
	return 0;
}

/* ---- Errors the shell cannot tell ------------------------------------------------------------ */

/* setxattr-errno FILE NAME VALUE create|replace|any: the errno's name, or OK */
static int setxattr_errno(int argc, char **argv)
{
	int flags = !strcmp(argv[3], "create")	  ? XATTR_CREATE
		    : !strcmp(argv[3], "replace") ? XATTR_REPLACE
						  : 0;

	if (!setxattr(argv[0], argv[1], argv[2], strlen(argv[2]), flags))
		puts("OK");
	else
		puts(strerrorname_np(errno));
	return 0;
}

/* getxattr-errno FILE NAME: the errno's name, or OK */
static int getxattr_errno(int argc, char **argv)
{
	puts(getxattr(argv[0], argv[1], NULL, 0) >= 0 ? "OK" : strerrorname_np(errno));
	return 0;
}

/* removexattr-errno FILE NAME */
static int removexattr_errno(int argc, char **argv)
{
	puts(!removexattr(argv[0], argv[1]) ? "OK" : strerrorname_np(errno));
	return 0;
}

/* rename-errno FROM TO */
static int rename_errno(int argc, char **argv)
{
	puts(!rename(argv[0], argv[1]) ? "OK" : strerrorname_np(errno));
	return 0;
}

const struct command kv_commands[] = {
	{"incr-many", incr_many},
	{"cas-race", cas_race},
	{"cas-count", cas_count},
	{"ctl-incr", ctl_incr},
	{"ctl-cas", ctl_cas},
	{"setxattr-errno", setxattr_errno},
	{"getxattr-errno", getxattr_errno},
	{"removexattr-errno", removexattr_errno},
	{"rename-errno", rename_errno},
	{NULL, NULL},
};
