/* SPDX-License-Identifier: Apache-2.0 */
/* posix_lib.c - assertions, users and files for the table; see posix.h. */
#include "posix.h"
#include "posix_main.h"

#include <grp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>

bool local;
struct fx_counts counts;

static char about[200];

/* ---- Assertions ------------------------------------------------------------------------------ */

void fx_about(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(about, sizeof(about), format, args);
	va_end(args);
}

static void failed(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void failed(const char *file, int line, const char *format, ...)
{
	va_list args;

	counts.failures++;
	fprintf(stderr, "%s:%d: [%s] ", file, line, about);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

long fx_works(const char *file, int line, const char *call, long result)
{
	int error = errno;

	counts.assertions++;
	if (result < 0)
		failed(file, line, "%s: %s", call, strerror(error));
	return result;
}

void fx_fails(const char *file, int line, const char *call, long result, int expected)
{
	int error = errno;

	counts.assertions++;
	if (result >= 0)
		failed(file, line, "%s: succeeded, should be %s", call, strerrorname_np(expected));
	else if (error != expected)
		failed(file, line, "%s: %s, should be %s", call, strerrorname_np(error),
		       strerrorname_np(expected));
}

void fx_same(const char *file, int line, const char *what, long long expected, long long value)
{
	counts.assertions++;
	if (expected != value)
		failed(file, line, "%s: %lld (0%llo), should be %lld (0%llo)", what, value, value,
		       expected, expected);
}

/* What a test needs and is no row. */
static void must(bool condition, const char *what, const char *name)
{
	if (condition)
		return;
	fprintf(stderr, "[%s] cannot %s %s: %s\n", about, what, name, strerror(errno));
	exit(2);
}

/* ---- Users ----------------------------------------------------------------------------------- */

static void become(uid_t uid, gid_t gid, gid_t extra)
{
	gid_t groups[] = {gid, extra};

	must(!setresuid(0, 0, 0) && !setgroups(extra == gid ? 1 : 2, groups), "leave", "a user");
	must(!setresgid(gid, gid, 0) && !setresuid(uid, uid, 0), "become", "a user");
}

void fx_as(uid_t uid, gid_t gid)
{
	become(uid, gid, gid);
}

void fx_as_member(uid_t uid, gid_t gid, gid_t extra)
{
	become(uid, gid, extra);
}

void fx_as_root(void)
{
	become(0, 0, 0);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	mode_t bits;
} types[FX_TYPES] = {
	[FX_REG] = {"file", S_IFREG},	     [FX_DIR] = {"directory", S_IFDIR},
	[FX_FIFO] = {"fifo", S_IFIFO},	     [FX_SOCK] = {"socket", S_IFSOCK},
	[FX_CHR] = {"char device", S_IFCHR}, [FX_BLK] = {"block device", S_IFBLK},
	[FX_LNK] = {"symlink", S_IFLNK},
};

const char *fx_type_name(enum fx_type type)
{
	return types[type].name;
}

mode_t fx_type_bits(enum fx_type type)
{
	return types[type].bits;
}

static int make_socket(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), rc;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	rc = bind(fd, (struct sockaddr *)&address, sizeof(address));
	close(fd);
	return rc ? rc : chmod(name, 0644);
}

static int make_regular(const char *name)
{
	int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);

	return fd < 0 ? fd : close(fd);
}

void fx_make(enum fx_type type, const char *name)
{
	int rc = -1;

	switch (type) {
	case FX_REG:
		rc = make_regular(name);
		break;
	case FX_DIR:
		rc = mkdir(name, 0755);
		break;
	case FX_FIFO:
		rc = mkfifo(name, 0644);
		break;
	case FX_SOCK:
		rc = make_socket(name);
		break;
	case FX_CHR:
	case FX_BLK: /* numbers of no device: none is opened */
		rc = mknod(name, types[type].bits | 0644, makedev(240, 7));
		break;
	case FX_LNK:
		rc = symlink("target", name);
		break;
	case FX_TYPES:
		break;
	}
	must(!rc, "make", name);
}

void fx_make_for(enum fx_type type, const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	fx_make(type, name);
	must(!lchown(name, uid, gid), "chown", name);
	must(type == FX_LNK || !chmod(name, mode), "chmod", name);
}

void fx_remove(const char *name)
{
	must(!unlink(name) || errno == ENOENT || !rmdir(name), "remove", name);
}

void fx_fill(const char *name, const char *content)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644);

	must(fd >= 0 && write(fd, content, strlen(content)) == (ssize_t)strlen(content), "fill",
	     name);
	close(fd);
}

void fx_content_is(const char *file, int line, const char *name, const char *content)
{
	char buffer[4096];
	int fd = open(name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buffer, sizeof(buffer));

	counts.assertions++;
	if (n < 0)
		failed(file, line, "reading %s: %s", name, strerror(errno));
	else if ((size_t)n != strlen(content) || memcmp(buffer, content, (size_t)n) != 0)
		failed(file, line, "%s holds '%.*s', should be '%s'", name, (int)n, buffer,
		       content);
	if (fd >= 0)
		close(fd);
}

/* ---- Attributes ------------------------------------------------------------------------------ */

struct stat fx_lstat(const char *name)
{
	struct stat st;

	if (lstat(name, &st))
		memset(&st, 0, sizeof(st));
	return st;
}

struct stat fx_fstat(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		memset(&st, 0, sizeof(st));
	return st;
}

bool fx_exists(const char *name)
{
	struct stat st;

	return !lstat(name, &st);
}

bool fx_time_equal(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool fx_time_later(struct timespec a, struct timespec than)
{
	return a.tv_sec > than.tv_sec || (a.tv_sec == than.tv_sec && a.tv_nsec > than.tv_nsec);
}

/* Kernels take a file's times from the coarse clock, which lags behind the exact one that they take
 * when a time has been looked at. */
void fx_tick(void)
{
	struct timespec start, now;

	clock_gettime(CLOCK_REALTIME, &start);
	do
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
	while (!fx_time_later(now, start));
}

struct fx_watch fx_watch(const char *name)
{
	struct fx_watch watch = {.name = name, .before = fx_lstat(name)};

	fx_tick();
	return watch;
}

void fx_moved(const char *file, int line, const struct fx_watch *watch, bool mtime, bool ctime)
{
	struct stat now = fx_lstat(watch->name);
	char what[64];

	snprintf(what, sizeof(what), "mtime of %s has moved", watch->name);
	fx_same(file, line, what, mtime, fx_time_later(now.st_mtim, watch->before.st_mtim));
	snprintf(what, sizeof(what), "ctime of %s has moved", watch->name);
	fx_same(file, line, what, ctime, fx_time_later(now.st_ctim, watch->before.st_ctim));
}
