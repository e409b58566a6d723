/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.c - one thread reads /dev/fuse and runs the handlers; one waits for signals.
 *
 *   mounted -> serving -> left -> unmounted
 *
 * The reader leaves when umount(8) makes read(2) say ENODEV, or when the signal thread interrupts
 * it. The device stays open until fx_session_unmount(), so that what was asked before can be
 * answered; closing it then ends the connection also when somebody still has files open below
 * (umount(2) alone would wait for them).
 *
 * The hooks of fuse_session_custom_io(3) let protocol.c see what passes.
 */
#include "session.h"

#include <errno.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S     1000000000
#define INTERRUPT_NS 10000000 /* between two attempts to interrupt the reader */

struct fx_session {
	struct fx_fs *fs;
	struct fuse_session *fuse;
	char *mountpoint;
	pthread_t reader, signal_thread;
	bool has_signal_thread;
	pthread_mutex_t mutex; /* guards left */
	pthread_cond_t leaving;
	bool left; /* the reader reads no more */
};

/* ---- Hooks ------------------------------------------------------------------------------------
 */

static ssize_t write_reply(int fd, struct iovec *iov, int count, void *userdata)
{
	struct fx_fs *fs = userdata;

	fx_protocol_reply(&fs->protocol, iov, count);
	return writev(fd, iov, count);
}

static ssize_t read_request(int fd, void *buffer, size_t size, void *userdata)
{
	return read(fd, buffer, size);
}

void fx_session_feed(struct fx_fs *fs, struct fuse_session *fuse, const struct fuse_buf *buffer)
{
	const struct fuse_in_header *header = buffer->mem;

	fx_messages_count(&fs->messages, header->opcode);
	fx_protocol_request(&fs->protocol, buffer->mem, buffer->size);
	fuse_session_process_buf(fuse, buffer);
}

/* ---- Mounting ----------------------------------------------------------------------------------
 */

/* "fsname=...,subtype=...": commas and backslashes in a store's name are escaped for libfuse. */
static void append_escaped(FILE *text, const char *value)
{
	for (; *value; value++) {
		if (*value == ',' || *value == '\\')
			fputc('\\', text);
		fputc(*value, text);
	}
}

static char *mount_options(const struct fx_options *o)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs("-ofsname=", out);
	append_escaped(out, o->fsname);
	fputs(",subtype=", out);
	append_escaped(out, o->subtype);
	if (o->allow_other)
		fputs(",allow_other", out);
	fputs(",default_permissions", out);
	if (o->read_only)
		fputs(",ro", out);
	if (o->kernel)
		fprintf(out, ",%s", o->kernel);
	fclose(out);
	return text;
}

static int new_session(struct fx_session *session)
{
	char *argv[] = {(char *)"feoxfs", mount_options(session->fs->options), NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, argv);

	if (!argv[1])
		return -ENOMEM;
	session->fuse = fuse_session_new(&args, &fx_fs_ops, sizeof(fx_fs_ops), session->fs);
	free(argv[1]);
	fuse_opt_free_args(&args);
	return session->fuse ? 0 : -EINVAL;
}

/* What stands in file, as one line, without the name of the program that wrote it. */
static void read_complaint(int file, char *ret_text, size_t size)
{
	ssize_t n = pread(file, ret_text, size - 1, 0);
	char *end, *start;

	ret_text[n > 0 ? n : 0] = '\0';
	end = strchr(ret_text, '\n');
	if (end)
		*end = '\0';
	start = strstr(ret_text, ": ");
	if (start)
		memmove(ret_text, start + 2, strlen(start + 2) + 1);
}

/*
 * fuse_session_mount(3). libfuse and fusermount3 say on standard error what is wrong: that becomes
 * *ret_why, so that the caller can say it in one line.
 */
static int mount_quietly(struct fx_session *session, struct fx_text *ret_why)
{
	int saved = dup(STDERR_FILENO), file = memfd_create("complaint", 0), failed;
	char complaint[sizeof(ret_why->text) / 2] = "";

	if (saved >= 0 && file >= 0)
		dup2(file, STDERR_FILENO);
	failed = fuse_session_mount(session->fuse, session->mountpoint);
	if (saved >= 0 && file >= 0) {
		dup2(saved, STDERR_FILENO);
		read_complaint(file, complaint, sizeof(complaint));
	}
	if (saved >= 0)
		close(saved);
	if (file >= 0)
		close(file);
	if (failed)
		snprintf(ret_why->text, sizeof(ret_why->text), "cannot mount%s%s",
			 complaint[0] ? ": " : "", complaint);
	return failed ? -EIO : 0;
}

static int use_transport(struct fx_session *session, struct fx_text *ret_why)
{
	static const struct fuse_custom_io io = {.read = read_request, .writev = write_reply};
	int err = fuse_session_custom_io(session->fuse, &io, fuse_session_fd(session->fuse));

	if (err) {
		snprintf(ret_why->text, sizeof(ret_why->text), "libfuse refuses the transport");
		fuse_session_unmount(session->fuse);
	}
	return err;
}

int fx_session_mount(struct fx_fs *fs, struct fx_session **ret_session, struct fx_text *ret_why)
{
	struct fx_session *session = calloc(1, sizeof(*session));
	int err;

	snprintf(ret_why->text, sizeof(ret_why->text), "out of memory");
	if (!session)
		return -ENOMEM;
	session->fs = fs;
	fs->transport = session;
	pthread_mutex_init(&session->mutex, NULL);
	pthread_cond_init(&session->leaving, NULL);
	session->mountpoint = strdup(fs->options->mountpoint);
	err = session->mountpoint ? new_session(session) : -ENOMEM;
	if (err == -EINVAL)
		snprintf(ret_why->text, sizeof(ret_why->text), "libfuse refuses the mount options");
	if (!err)
		err = mount_quietly(session, ret_why);
	if (!err)
		err = use_transport(session, ret_why);
	if (err) {
		fx_session_destroy(session);
		return err;
	}
	fs->session = session->fuse;
	*ret_session = session;
	return 0;
}

void fx_session_destroy(struct fx_session *session)
{
	if (!session)
		return;
	if (session->fuse)
		fuse_session_destroy(session->fuse);
	pthread_cond_destroy(&session->leaving);
	pthread_mutex_destroy(&session->mutex);
	free(session->mountpoint);
	free(session);
}

/* ---- Signals -----------------------------------------------------------------------------------
 */

static sigset_t ending_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return set;
}

void fx_session_block_signals(void)
{
	sigset_t set = ending_signals();

	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Interrupts read(2), by being handled at all. */
static void interrupt(int number)
{
}

static void catch_interrupt(void)
{
	struct sigaction action = {.sa_handler = interrupt}; /* without SA_RESTART */

	sigemptyset(&action.sa_mask);
	sigaction(SIGUSR1, &action, NULL);
}

/* The reader may be just before its read(2), which the signal then does not reach: until it left.
 */
static void interrupt_reader(struct fx_session *session)
{
	struct timespec until;

	pthread_mutex_lock(&session->mutex);
	while (!session->left) {
		pthread_kill(session->reader, SIGUSR1);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += INTERRUPT_NS;
		if (until.tv_nsec >= NS_PER_S) {
			until.tv_nsec -= NS_PER_S;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&session->leaving, &session->mutex, &until);
	}
	pthread_mutex_unlock(&session->mutex);
}

static void *wait_for_signal(void *arg)
{
	struct fx_session *session = arg;
	sigset_t set = ending_signals();
	int number;

	while (sigwait(&set, &number))
		;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	fuse_session_exit(session->fuse);
	interrupt_reader(session);
	return NULL;
}

static void end_signal_thread(struct fx_session *session)
{
	if (!session->has_signal_thread)
		return;
	pthread_mutex_lock(&session->mutex);
	session->left = true;
	pthread_cond_signal(&session->leaving);
	pthread_mutex_unlock(&session->mutex);
	pthread_cancel(session->signal_thread);
	pthread_join(session->signal_thread, NULL);
}

/* ---- Serving -----------------------------------------------------------------------------------
 */

int fx_session_serve(struct fx_session *session)
{
	struct fuse_buf buffer = {.mem = NULL};
	bool asked_to_end;
	int n = 0;

	catch_interrupt();
	session->reader = pthread_self();
	session->has_signal_thread =
		!pthread_create(&session->signal_thread, NULL, wait_for_signal, session);
	while (!fuse_session_exited(session->fuse)) {
		n = fuse_session_receive_buf(session->fuse, &buffer);
		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n <= 0)
			break; /* 0: unmounted */
		fx_session_feed(session->fs, session->fuse, &buffer);
	}
	free(buffer.mem);
	asked_to_end = fuse_session_exited(session->fuse);
	end_signal_thread(session);
	return n < 0 && n != -ENODEV && !asked_to_end ? -EIO : 0;
}

void fx_session_unmount(struct fx_session *session)
{
	fuse_session_unmount(session->fuse);
}
