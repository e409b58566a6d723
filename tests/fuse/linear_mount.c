/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linear_mount.c - processes that change and read a few keys by every door of a mount, checked for
 * linearisability (see ../model/linear.h).
 *
 *	linear_mount DIRECTORY HISTORIES SEED strict|cached
 *
 * DIRECTORY is the root of a mount; cached: whose names the kernel caches, and may believe for as
 *long as ctl has not returned that a key which it makes is not there. Registers are written by
 *write(2), by rename(2) over the file and by ctl; counters by xattr and ctl; compared by bytes and
 *by version; read by read(2), ctl and a range. Another process makes keys that expire, lists ranges
 *and reads numbers meanwhile.
 *
 * What failed because the file that a path had led to lost its name meanwhile is left out: it has
 * done nothing, and says nothing of the key.
 */
#include "../model/linear.h"

#include "helper.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CLIENTS 4u
#define OPS	80u /* of a client in a history */
#define DOORS	13u

static bool cached;

struct shared {
	_Atomic uint64_t ticket;
	_Atomic unsigned int ready;
	unsigned int counts[CLIENTS];
	struct linear_op ops[CLIENTS][OPS];
};

struct client {
	struct shared *shared;
	unsigned int index, history, seed;
	int ctl;
	uint64_t seen[LINEAR_KEYS]; /* versions that ctl has told */
	char key[32], path[32];
	char answer[512];
};

static unsigned int draw(struct client *c, unsigned int count)
{
	return (unsigned int)rand_r(&c->seed) % count;
}

/*
 * All values are of one size: write(2) and read(2) at the same time may otherwise find new bytes at
 * the old size, as on other file systems.
 */
static int64_t draw_value(struct client *c)
{
	return 10000000 + draw(c, 1000000);
}

/* ---- ctl ------------------------------------------------------------------------------------- */

static const char *member(const struct client *c, const char *name)
{
	const char *at = strstr(c->answer, name);

	return at ? at + strlen(name) : NULL;
}

static int result_of(const struct client *c)
{
	static const struct {
		const char *name;
		int number;
	} known[] = {{"\"ENOENT\"", ENOENT}, {"\"ECANCELED\"", ECANCELED}, {"\"EEXIST\"", EEXIST}};

	if (strstr(c->answer, "\"ok\":true"))
		return 0;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strstr(c->answer, known[i].name))
			return -known[i].number;
	fprintf(stderr, "%s", c->answer);
	return -EIO;
}

static uint64_t version_of(const struct client *c)
{
	const char *text = member(c, "\"version\":\"");

	return text ? strtoull(text, NULL, 10) : 0;
}

static void ask(struct client *c, struct linear_op *op, const char *name, const char *rest)
{
	char text[256];
	int size = snprintf(text, sizeof(text), "{\"op\":\"%s\",\"key\":\"%s\"%s}\n", name, c->key,
			    rest);
	ssize_t got;

	REQUIRE(write(c->ctl, text, (size_t)size) == size);
	got = read(c->ctl, c->answer, sizeof(c->answer) - 1);
	REQUIRE(got > 0);
	c->answer[got] = '\0';
	op->result = result_of(c);
	REQUIRE(op->result != -EIO);
	if (op->result == 0)
		op->version = version_of(c);
}

/* ---- Doors: false: leave the operation out --------------------------------------------------- */

static int64_t number_in(const char *text, size_t size)
{
	char *end;
	int64_t number = strtoll(text, &end, 10);

	if (!size || end != text + size)
		fprintf(stderr, "read %zu bytes: '%.*s'\n", size, (int)size, text);
	REQUIRE(size && end == text + size);
	return number;
}

static bool read_path(struct client *c, struct linear_op *op, const char *path)
{
	char text[64];
	int fd = open(path, O_RDONLY);
	ssize_t size;

	op->kind = LINEAR_GET;
	if (fd < 0) {
		REQUIRE(errno == ENOENT);
		op->result = -ENOENT;
		return true;
	}
	size = read(fd, text, sizeof(text) - 1);
	REQUIRE(size >= 0);
	text[size] = '\0';
	op->value = number_in(text, (size_t)size);
	return close(fd) == 0;
}

static bool get_file(struct client *c, struct linear_op *op)
{
	return read_path(c, op, c->path) && !(cached && op->result);
}

static bool get_range(struct client *c, struct linear_op *op)
{
	char path[128];

	snprintf(path, sizeof(path), ".feox/range/h%%2F%u%%2F%u..h%%2F%u%%2F%u/h%%2F%u%%2F%u",
		 c->history, op->key, c->history, op->key, c->history, op->key);
	return read_path(c, op, path);
}

static bool get_ctl(struct client *c, struct linear_op *op)
{
	op->kind = LINEAR_GET;
	ask(c, op, "get", "");
	if (op->result == 0) {
		const char *text = member(c, "\"value\":\"");

		op->value = number_in(text, strcspn(text, "\""));
		c->seen[op->key] = op->version;
	}
	return true;
}

static bool put_with(struct client *c, struct linear_op *op, const char *name, const char *terms)
{
	char rest[128];

	op->value = draw_value(c);
	snprintf(rest, sizeof(rest), ",\"value\":\"%lld\"%s", (long long)op->value, terms);
	ask(c, op, name, rest);
	if (op->result == 0)
		c->seen[op->key] = op->version;
	return true;
}

static bool put_ctl(struct client *c, struct linear_op *op)
{
	op->kind = LINEAR_PUT;
	return put_with(c, op, "put", "");
}

static bool create_ctl(struct client *c, struct linear_op *op)
{
	op->kind = LINEAR_CREATE;
	return put_with(c, op, "put", ",\"if_absent\":true");
}

static bool if_ctl(struct client *c, struct linear_op *op)
{
	char terms[64];

	op->kind = LINEAR_IF;
	op->if_version = c->seen[op->key];
	snprintf(terms, sizeof(terms), ",\"if_version\":\"%llu\"",
		 (unsigned long long)op->if_version);
	return op->if_version ? put_with(c, op, "cas", terms) : false;
}

static bool cas_ctl(struct client *c, struct linear_op *op)
{
	char terms[64];
	struct linear_op now = *op;

	get_file(c, &now);
	op->kind = LINEAR_CAS;
	op->expected = now.result ? 1 : now.value;
	snprintf(terms, sizeof(terms), ",\"expected\":\"%lld\"", (long long)op->expected);
	return put_with(c, op, "cas", terms);
}

static bool add_ctl(struct client *c, struct linear_op *op)
{
	const char *text;

	op->kind = LINEAR_ADD;
	op->value = 1;
	ask(c, op, "incr", ",\"if_present\":true");
	if (op->result) {
		op->kind = LINEAR_GET;
		return true;
	}
	text = member(c, "\"value\":");
	REQUIRE(text);
	op->number = strtoll(text, NULL, 10);
	return true;
}

static bool delete_ctl(struct client *c, struct linear_op *op)
{
	op->kind = LINEAR_DELETE;
	ask(c, op, "del", "");
	op->version = 0;
	return true;
}

static bool unlink_file(struct client *c, struct linear_op *op)
{
	op->kind = LINEAR_DELETE;
	op->result = unlink(c->path) ? -errno : 0;
	return !(cached && op->result == -ENOENT);
}

static bool set(const struct client *c, struct linear_op *op, const char *name, const char *value)
{
	op->result = setxattr(c->path, name, value, strlen(value), 0) ? -errno : 0;
	REQUIRE(!op->result || op->result == -ENOENT || op->result == -ECANCELED ||
		op->result == -ESTALE); /* replaced twice while it was looked up */
	return op->result != -ENOENT && op->result != -ESTALE;
}

static bool add_xattr(struct client *c, struct linear_op *op)
{
	op->kind = LINEAR_ADD;
	op->value = 1;
	op->number = LINEAR_UNTOLD;
	return set(c, op, "user.feox.incr", "1");
}

static bool if_xattr(struct client *c, struct linear_op *op)
{
	char text[64];

	op->kind = LINEAR_IF;
	op->if_version = c->seen[op->key];
	op->value = draw_value(c);
	snprintf(text, sizeof(text), "%llu %lld", (unsigned long long)op->if_version,
		 (long long)op->value);
	return op->if_version ? set(c, op, "user.feox.cas", text) : false;
}

static bool write_file(struct client *c, struct linear_op *op)
{
	char text[16];
	int fd = open(c->path, O_WRONLY);

	op->kind = LINEAR_PUT;
	op->value = draw_value(c);
	snprintf(text, sizeof(text), "%lld", (long long)op->value);
	if (fd < 0)
		return false;
	REQUIRE(pwrite(fd, text, 8, 0) == 8);
	REQUIRE(!close(fd));
	return true;
}

static bool replace_file(struct client *c, struct linear_op *op)
{
	char text[16], name[32];
	int fd, size;

	op->kind = LINEAR_PUT;
	op->value = draw_value(c);
	snprintf(name, sizeof(name), "h/tmp.%u", c->index);
	size = snprintf(text, sizeof(text), "%lld", (long long)op->value);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
	REQUIRE(fd >= 0 && write(fd, text, (size_t)size) == size && !close(fd));
	REQUIRE(!rename(name, c->path));
	return true;
}

/* ---- Histories ------------------------------------------------------------------------------- */

static void run_op(struct client *c)
{
	static bool (*const doors[DOORS])(struct client * c, struct linear_op * op) = {
		get_file, get_range,  get_ctl,	   put_ctl,   create_ctl, if_ctl,    cas_ctl,
		add_ctl,  delete_ctl, unlink_file, add_xattr, if_xattr,	  write_file};
	struct linear_op op = {.key = draw(c, LINEAR_KEYS)};
	unsigned int door = draw(c, DOORS + 1);
	bool counts;

	snprintf(c->key, sizeof(c->key), "h/%u/%u", c->history, op.key);
	snprintf(c->path, sizeof(c->path), "h/%u/%u", c->history, op.key);
	op.called = atomic_fetch_add(&c->shared->ticket, 1);
	counts = door < DOORS ? doors[door](c, &op) : replace_file(c, &op);
	op.returned = atomic_fetch_add(&c->shared->ticket, 1);
	if (counts)
		c->shared->ops[c->index][c->shared->counts[c->index]++] = op;
}

static void run_client(struct shared *shared, unsigned int index, unsigned int history,
		       unsigned int seed)
{
	struct client c = {.shared = shared,
			   .index = index,
			   .history = history,
			   .seed = seed,
			   .ctl = open(".feox/ctl", O_RDWR)};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	REQUIRE(c.ctl >= 0);
	atomic_fetch_add(&shared->ready, 1);
	while (atomic_load(&shared->ready) < CLIENTS)
		;
	for (unsigned int i = 0; i < OPS; i++)
		run_op(&c);
	exit(0);
}

/* What goes on beside: keys that expire, ranges, numbers. Until it is killed. */
static void make_noise(void)
{
	int ctl = open(".feox/ctl", O_RDWR);
	char text[4096];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	REQUIRE(ctl >= 0);
	for (unsigned int i = 0;; i++) {
		int size = snprintf(text, sizeof(text),
				    "{\"op\":\"put\",\"key\":\"h/noise/%u\",\"value\":\"1\","
				    "\"ttl\":0.01}\n{\"op\":\"range\",\"prefix\":\"h/\"}\n",
				    i % 100);
		int fd = open(".feox/stats.json", O_RDONLY);

		REQUIRE(write(ctl, text, (size_t)size) == size);
		while (read(ctl, text, sizeof(text)) > 0)
			;
		REQUIRE(fd >= 0 && read(fd, text, sizeof(text)) > 0 && !close(fd));
	}
}

/* No operation here is of two keys, so that each has a history of its own. */
static void check(const struct shared *shared, unsigned int history, unsigned int key)
{
	static struct linear_op ops[CLIENTS * OPS];
	enum linear_verdict verdict;
	size_t count = 0;

	for (unsigned int i = 0; i < CLIENTS; i++)
		for (unsigned int k = 0; k < shared->counts[i]; k++)
			if (shared->ops[i][k].key == key)
				ops[count++] = shared->ops[i][k];
	verdict = linear_check(ops, count, 1);
	if (verdict == LINEAR_UNDECIDED)
		printf("history %u, key %u: undecided\n", history, key);
	if (verdict != LINEAR_NO)
		return;
	for (size_t i = 0; i < count; i++)
		linear_print(&ops[i]);
	fflush(stdout);
	fprintf(stderr, "history %u, key %u is not linearisable\n", history, key);
	exit(1);
}

static void run_history(struct shared *shared, unsigned int history, unsigned int seed)
{
	char name[32];
	int status;

	memset(shared, 0, sizeof(*shared));
	atomic_store(&shared->ticket, 1);
	snprintf(name, sizeof(name), "h/%u", history);
	REQUIRE(!mkdir(name, 0755));
	for (unsigned int i = 0; i < CLIENTS; i++)
		if (fork() == 0)
			run_client(shared, i, history, seed * 1000 + history * CLIENTS + i);
	for (unsigned int i = 0; i < CLIENTS; i++)
		REQUIRE(wait(&status) > 0 && WIFEXITED(status) && !WEXITSTATUS(status));
	for (unsigned int key = 0; key < LINEAR_KEYS; key++)
		check(shared, history, key);
}

int main(int argc, char **argv)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t noise;

	REQUIRE(argc == 5 && shared != MAP_FAILED);
	REQUIRE(!chdir(argv[1]) && !mkdir("h", 0755));
	cached = !strcmp(argv[4], "cached");
	noise = fork();
	if (!noise)
		make_noise();
	for (unsigned int i = 0; i < (unsigned int)atoi(argv[2]); i++)
		run_history(shared, i, (unsigned int)atoi(argv[3]));
	REQUIRE(!kill(noise, SIGKILL));
	return waitpid(noise, NULL, 0) == noise ? 0 : 1;
}
