/* SPDX-License-Identifier: Apache-2.0 */
/* helper_storm.c - everything at once, on few names: nothing may wait for ever. */
#include "helper.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS 8
#define NAMES	4
#define GRACE_S 20 /* after the end of the time, for the slowest machine */

struct client {
	unsigned int seed;
	int ctl, notify;
	char name[16], other[16];
};

static unsigned int draw(struct client *client, unsigned int count)
{
	return (unsigned int)rand_r(&client->seed) % count;
}

static void use_file(const struct client *client, int flags)
{
	char buffer[64];
	int fd = open(client->name, flags, 0644);

	if (fd < 0)
		return;
	if ((flags & O_ACCMODE) == O_RDONLY)
		REQUIRE(read(fd, buffer, sizeof(buffer)) >= 0);
	else
		REQUIRE(write(fd, "1\n", 2) == 2);
	close(fd);
}

static void list(const char *name)
{
	DIR *dir = opendir(name);

	while (dir && readdir(dir))
		;
	if (dir)
		closedir(dir);
}

static void set(const struct client *client, const char *name, const char *value)
{
	setxattr(client->name, name, value, strlen(value), 0);
}

/* Any answer will do. */
static void ask(const struct client *client, const char *op, const char *rest)
{
	char text[256];
	int size = snprintf(text, sizeof(text), "{\"op\":\"%s\",\"key\":\"%s\"%s}\n", op,
			    client->name, rest);

	REQUIRE(write(client->ctl, text, (size_t)size) == size);
	REQUIRE(read(client->ctl, text, sizeof(text)) > 0);
}

static void act(struct client *client)
{
	struct stat st;

	snprintf(client->name, sizeof(client->name), "d/%u", draw(client, NAMES));
	snprintf(client->other, sizeof(client->other), "d/%u", draw(client, NAMES));
	switch (draw(client, 18)) {
	case 0:
		return use_file(client, O_RDONLY);
	case 1:
		return use_file(client, O_WRONLY | O_CREAT | O_TRUNC);
	case 2:
		return use_file(client, O_RDWR | O_CREAT);
	case 3:
		return use_file(client, O_WRONLY | O_CREAT | O_EXCL);
	case 4:
		unlink(client->name);
		return;
	case 5:
		rename(client->name, client->other);
		return;
	case 6:
		set(client, "user.feox.ttl", "0.01");
		return;
	case 7:
		set(client, "user.feox.incr", "1");
		return;
	case 8:
		set(client, "user.feox.json_patch", "[]");
		return;
	case 9:
		return ask(client, "put", ",\"value\":\"1\",\"ttl\":0.02");
	case 10:
		return ask(client, "del", "");
	case 11:
		return ask(client, "incr", "");
	case 12:
		return ask(client, "ttl", ",\"ttl\":0.01");
	case 13:
		list("d");
		return;
	case 14:
		list(".feox/range/d%2F..");
		return;
	case 15:
		inotify_add_watch(client->notify, client->name, IN_DELETE_SELF | IN_MODIFY);
		return;
	case 16:
		rename("d", "e");
		rename("e", "d");
		return;
	default:
		stat(client->name, &st);
		truncate(client->name, 1);
	}
}

static int run_client(unsigned int seed, int seconds)
{
	struct client client = {.seed = seed,
				.ctl = open(".feox/ctl", O_RDWR),
				.notify = inotify_init1(IN_NONBLOCK)};
	time_t end = time(NULL) + seconds;

	REQUIRE(client.ctl >= 0);
	while (time(NULL) < end)
		act(&client);
	return 0;
}

/* storm DIRECTORY SECONDS SEED: the root of a mount */
static int storm(int argc, char **argv)
{
	int seconds = atoi(argv[1]), status;
	pid_t children[CLIENTS];

	REQUIRE(!chdir(argv[0]) && (!mkdir("d", 0755) || errno == EEXIST));
	for (unsigned int i = 0; i < CLIENTS; i++) {
		children[i] = fork();
		REQUIRE(children[i] >= 0);
		if (!children[i])
			_exit(run_client((unsigned int)atoi(argv[2]) + i, seconds));
	}
	alarm((unsigned int)seconds + GRACE_S); /* which ends this test as failed */
	for (int i = 0; i < CLIENTS; i++) {
		REQUIRE(waitpid(children[i], &status, 0) == children[i]);
		REQUIRE(WIFEXITED(status) && !WEXITSTATUS(status));
	}
	return 0;
}

const struct command storm_commands[] = {
	{"storm", storm},
	{NULL, NULL},
};
