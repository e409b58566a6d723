/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - feoxfs: options -> store -> mount -> serve -> flush.
 *
 * In the background the program forks first, since threads do not survive a fork: the child opens
 * and mounts, and tells the parent by a pipe when the mount serves, or what went wrong. The parent
 * prints it and exits with mount(8)'s exit code.
 */
#include "session.h"

#include "bar.h"
#include "cleanup.h"
#include "events.h"
#include "remount.h"
#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

/* mount(8), section "EXIT STATUS" */
enum exit_code {
	EXIT_OK = 0,
	EXIT_USAGE = 1,
	EXIT_SYSTEM = 2,
	EXIT_INTERRUPT = 8,
	EXIT_MOUNT = 32
};

#define MESSAGE_MAX 512u

/* umount(2) returns before the daemon hears of it, and so before it says that it is closing. */
#define UNMOUNTED_GRACE_NS UINT64_C(5000000000)
#define UNMOUNTED_POLL_NS  10000000L

/* What the child tells the parent: one of these, then end of file. */
struct report {
	int code;
	char text[MESSAGE_MAX];
};

struct daemon {
	struct fx_options options;
	int report_fd; /* -1: in the foreground */
	struct report report;
	struct fx_events *events;
	struct fx_bar bar;
};

static int set_report(struct daemon *d, int code, const char *format, ...)
{
	va_list args;

	d->report.code = code;
	va_start(args, format);
	vsnprintf(d->report.text, sizeof(d->report.text), format, args);
	va_end(args);
	return code;
}

/* The result of starting up, to the parent or to standard error. */
static void send_report(struct daemon *d)
{
	if (d->report_fd < 0) {
		if (d->report.code)
			fprintf(stderr, "feoxfs: %s\n", d->report.text);
		return;
	}
	if (write(d->report_fd, &d->report, sizeof(d->report)) != (ssize_t)sizeof(d->report))
		syslog(LOG_ERR, "%s", d->report.text);
	close(d->report_fd);
	d->report_fd = -1;
}

/* ---- Callbacks of the store ---------------------------------------------------------------------
 */

static void log_to_stderr(void *ctx, enum feox_log_level level, const char *text)
{
	fprintf(stderr, "feoxfs: %s\n", text);
}

static void log_to_syslog(void *ctx, enum feox_log_level level, const char *text)
{
	static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO};

	syslog(priorities[level], "%s", text);
}

/* A bar on a terminal when recovery takes longer than a second. */
static void show_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct daemon *d = ctx;

	fx_bar_show(&d->bar, "recovering", done, total, fx_monotonic());
	if (done == total)
		fx_bar_hide(&d->bar);
}

/* ---- Starting ----------------------------------------------------------------------------------
 */

static int check_surroundings(struct daemon *d)
{
	const char *mountpoint = d->options.mountpoint;
	struct stat st;

	if (stat(mountpoint, &st))
		return set_report(d, EXIT_MOUNT, "%s: %s", mountpoint, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return set_report(d, EXIT_MOUNT, "%s: not a directory", mountpoint);
	if (access("/dev/fuse", F_OK) || stat("/dev/fuse", &st) || !S_ISCHR(st.st_mode))
		return set_report(d, EXIT_SYSTEM, "/dev/fuse: missing; is the fuse module loaded?");
	return 0;
}

/* A device that is missing must not become a file in memory, which is gone at the next boot. */
static bool is_missing_device(const char *path)
{
	return !strncmp(path, "/dev/", 5) && strncmp(path, "/dev/shm/", 9) != 0 &&
	       access(path, F_OK);
}

/* Does a mount show the store? A daemon that holds it and shows it no more is about to close it. */
static bool is_mounted(const char *store)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	struct mntent entry;
	char line[2 * PATH_MAX];
	bool found = false;

	if (!mounts)
		return true;
	while (!found && getmntent_r(mounts, &entry, line, sizeof(line)))
		found = strncmp(entry.mnt_type, "fuse.", 5) == 0 &&
			strcmp(entry.mnt_fsname, store) == 0;
	endmntent(mounts);
	return found;
}

static int open_unmounted(const struct feox_options *options, struct feox_store **ret_store,
			  struct feox_diag *diag)
{
	uint64_t until_ns = fx_monotonic() + UNMOUNTED_GRACE_NS;
	struct timespec pause = {.tv_nsec = UNMOUNTED_POLL_NS};
	int err;

	while ((err = feox_open(options, ret_store, diag)) == -EBUSY) {
		if (fx_monotonic() >= until_ns || is_mounted(options->path))
			break;
		nanosleep(&pause, NULL);
	}
	return err;
}

static int open_store(struct daemon *d, struct feox_store **ret_store)
{
	const struct fx_options *o = &d->options;
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_diag diag = {""};
	int err;

	options.path = strcmp(o->store, ":memory:") ? o->store : NULL;
	options.flags = o->read_only		      ? (options.path ? FEOX_OPEN_READ_ONLY : 0u)
			: is_missing_device(o->store) ? 0u
						      : FEOX_OPEN_CREATE;
	options.flags |= o->evict ? FEOX_OPEN_CACHE : 0u;
	options.separator = o->separator;
	options.memory_limit_bytes = o->memory;
	options.max_value_bytes = o->max_value;
	options.initial_size_bytes = o->size;
	options.grow_max_bytes = o->grow_max;
	options.max_size_bytes = o->max_size;
	options.flush_interval_ns = o->flush_interval_ns;
	options.log = o->foreground ? log_to_stderr : log_to_syslog;
	options.changed = fx_events_changed;
	options.changed_ctx = d->events;
	options.progress = show_progress;
	options.progress_ctx = d;
	fx_bar_begin(&d->bar, isatty(STDERR_FILENO) ? STDERR_FILENO : -1, fx_monotonic());
	err = open_unmounted(&options, ret_store, &diag);
	fx_bar_hide(&d->bar);
	if (!err)
		return 0;
	return set_report(d, err == -EINVAL ? EXIT_USAGE : EXIT_MOUNT, "%s: %s", o->store,
			  diag.text[0] ? diag.text : strerror(-err));
}

/* The prefix must end with the separator, which only the open store knows for sure. */
static int check_prefix(struct daemon *d, struct feox_store *store)
{
	size_t n = strlen(d->options.prefix);

	if (n && d->options.prefix[n - 1] != feox_separator(store))
		return set_report(d, EXIT_USAGE, "prefix '%s' does not end with the separator '%c'",
				  d->options.prefix, feox_separator(store));
	return 0;
}

static void log_fuse_to_syslog(enum fuse_log_level level, const char *format, va_list args)
{
	vsyslog((int)level, format, args); /* libfuse numbers them as syslog(3) does */
}

/* The terminal and the directory we came from are not ours to hold. */
static void detach(void)
{
	int fd = open("/dev/null", O_RDWR);

	fuse_set_log_func(log_fuse_to_syslog);
	if (chdir("/"))
		syslog(LOG_WARNING, "chdir /: %s", strerror(errno));
	if (fd < 0)
		return;
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static int serve(struct daemon *d, struct feox_store *store, struct fx_fs *fs)
{
	struct fx_session *session;
	struct fx_text why;
	int err = fx_session_mount(fs, &session, &why);

	if (err)
		return set_report(d, EXIT_MOUNT, "%s: %s", d->options.mountpoint, why.text);
	send_report(d);
	if (!d->options.foreground)
		detach();
	err = fx_session_serve(session);
	feox_announce_close(store);
	fx_fs_stop(fs);
	fx_session_unmount(session);
	if (fx_fs_destroy(fs))
		err = -EIO;
	fx_session_destroy(session);
	return err ? EXIT_SYSTEM : EXIT_OK;
}

static int start(struct daemon *d, struct feox_store *store)
{
	struct fx_fs *fs;
	int code = check_prefix(d, store);

	if (code)
		return code;
	if (fx_fs_create(store, d->events, &d->options, &fs))
		return set_report(d, EXIT_SYSTEM, "out of memory");
	code = serve(d, store, fs);
	if (d->report.code) /* it was never mounted */
		fx_fs_destroy(fs);
	return code;
}

static int run(struct daemon *d)
{
	struct feox_store *store = NULL;
	int code = fx_events_create(&d->events) ? set_report(d, EXIT_SYSTEM, "out of memory")
						: open_store(d, &store);

	if (!code) {
		code = start(d, store);
		if (feox_close(store)) {
			log_to_syslog(NULL, FEOX_LOG_ERROR,
				      "closing the store failed: recent changes may be lost");
			code = code ? code : EXIT_SYSTEM;
		}
	}
	fx_events_destroy(d->events);
	if (d->report.code)
		send_report(d);
	return code;
}

/* ---- Background --------------------------------------------------------------------------------
 */

/* Paths of the command line are the caller's; the child changes to / later. */
static int make_absolute(struct daemon *d, char **store, char **mountpoint)
{
	*mountpoint = realpath(d->options.mountpoint, NULL);
	if (!*mountpoint)
		return set_report(d, EXIT_MOUNT, "%s: %s", d->options.mountpoint, strerror(errno));
	d->options.mountpoint = *mountpoint;
	if (strcmp(d->options.store, ":memory:") != 0 && d->options.store[0] != '/') {
		FX_AUTO_FREE char *cwd = getcwd(NULL, 0);

		if (!cwd || asprintf(store, "%s/%s", cwd, d->options.store) < 0)
			return set_report(d, EXIT_SYSTEM, "out of memory");
		if (strcmp(d->options.fsname, d->options.store) == 0) { /* it was not given */
			free(d->options.fsname);
			d->options.fsname = strdup(*store);
		}
		d->options.store = *store;
	}
	if (!d->options.fsname)
		return set_report(d, EXIT_SYSTEM, "out of memory");
	return 0;
}

/* Until the child has something to tell, or a signal comes, which are all blocked: false then. */
static bool wait_for_report(int fd)
{
	struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
	sigset_t blocked;

	sigprocmask(SIG_BLOCK, NULL, &blocked);
	fds[1].fd = signalfd(-1, &blocked, SFD_CLOEXEC);
	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	close(fds[1].fd);
	return fds[0].revents || !fds[1].revents;
}

static int wait_for_child(pid_t child, int fd)
{
	struct report report = {0};
	ssize_t n;
	int status;

	if (!wait_for_report(fd)) {
		kill(child, SIGTERM); /* it ends at once when it has mounted, or has failed to */
		fprintf(stderr, "feoxfs: interrupted\n");
		return EXIT_INTERRUPT;
	}
	do
		n = read(fd, &report, sizeof(report));
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(report)) {
		if (report.code)
			fprintf(stderr, "feoxfs: %s\n", report.text);
		return report.code;
	}
	waitpid(child, &status, 0);
	fprintf(stderr, "feoxfs: the daemon died while starting\n");
	return EXIT_SYSTEM;
}

static int run_in_background(struct daemon *d)
{
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC))
		return set_report(d, EXIT_SYSTEM, "pipe: %s", strerror(errno));
	child = fork();
	if (child < 0)
		return set_report(d, EXIT_SYSTEM, "fork: %s", strerror(errno));
	if (child > 0) {
		close(fds[1]);
		return wait_for_child(child, fds[0]);
	}
	close(fds[0]);
	setsid();
	d->report_fd = fds[1];
	_exit(run(d));
}

static int remount(struct daemon *d)
{
	struct fx_text why = {""};

	if (fx_remount(&d->options, &why) == 0)
		return EXIT_OK;
	set_report(d, EXIT_MOUNT, "%s: %s", d->options.mountpoint, why.text);
	send_report(d);
	return EXIT_MOUNT;
}

/* A store opened as descriptor 0, 1 or 2 would be lost to detach(), or read by a careless printf.
 */
static int open_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return -1;
	return 0;
}

int main(int argc, char **argv)
{
	struct daemon d = {.report_fd = -1};
	FX_AUTO_FREE char *store = NULL;
	FX_AUTO_FREE char *mountpoint = NULL;
	char error[MESSAGE_MAX];
	int code;

	if (open_standard_streams()) {
		fprintf(stderr, "feoxfs: /dev/null: %s\n", strerror(errno));
		return EXIT_SYSTEM;
	}
	code = fx_options_parse(argc, argv, &d.options, error, sizeof(error));
	if (code < 0) {
		fprintf(stderr, "feoxfs: %s\n", error);
		fx_options_free(&d.options);
		return EXIT_USAGE;
	}
	if (code > 0) {
		fx_options_free(&d.options);
		return code - 1;
	}
	openlog("feoxfs", LOG_PID, LOG_DAEMON);
	fx_session_block_signals();
	code = check_surroundings(&d);
	if (!code)
		code = make_absolute(&d, &store, &mountpoint);
	if (code) {
		send_report(&d);
	} else if (d.options.remount) {
		code = remount(&d);
	} else if (d.options.foreground) {
		code = run(&d);
	} else {
		code = run_in_background(&d);
	}
	fx_options_free(&d.options);
	return code;
}
