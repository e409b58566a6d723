/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.c - one thread reads /dev/fuse and runs the handlers; one waits for signals.
 *
 *   mounted -> serving -> unmounted (by umount, which makes read(2) say ENODEV, or by a signal,
 * after which the signal thread unmounts and the reader sees the same)
 *
 * libfuse 3.14 cannot negotiate FUSE_PARALLEL_DIROPS: the reply to INIT passes through the writev
 * hook of fuse_session_custom_io(3), which adds the flag when the kernel has offered it.
 */
#include "session.h"

#include <errno.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

struct fx_session {
	struct fx_fs *fs;
	struct fuse_session *fuse;
	char *mountpoint;
	pthread_t signal_thread;
	bool has_signal_thread;
	uint64_t init_unique; /* of the INIT request that is being answered; 0: none */
	uint32_t init_flags;  /* that the kernel offered */
};

/* ---- INIT --------------------------------------------------------------------------------------
 */

static ssize_t write_reply(int fd, struct iovec *iov, int count, void *userdata)
{
	struct fx_fs *fs = userdata;
	struct fx_session *session = fs->transport;
	const struct fuse_out_header *header = iov[0].iov_base;

	if (session->init_unique && header->unique == session->init_unique && count == 2) {
		struct fuse_init_out *init = iov[1].iov_base;

		init->flags |= session->init_flags & FUSE_PARALLEL_DIROPS;
		session->init_unique = 0;
	}
	return writev(fd, iov, count);
}

static ssize_t read_request(int fd, void *buffer, size_t size, void *userdata)
{
	return read(fd, buffer, size);
}

static void note_init(struct fx_session *session, const struct fuse_buf *buffer)
{
	const struct fuse_in_header *header = buffer->mem;
	const struct fuse_init_in *init = (const void *)(header + 1);

	if (buffer->size < sizeof(*header) + sizeof(*init) || header->opcode != FUSE_INIT)
		return;
	session->init_unique = header->unique;
	session->init_flags = init->flags;
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

int fx_session_mount(struct fx_fs *fs, struct fx_session **ret_session, const char **ret_why)
{
	static const struct fuse_custom_io io = {.read = read_request, .writev = write_reply};
	struct fx_session *session = calloc(1, sizeof(*session));
	int err;

	*ret_why = "out of memory";
	if (!session)
		return -ENOMEM;
	session->fs = fs;
	fs->transport = session;
	session->mountpoint = strdup(fs->options->mountpoint);
	err = session->mountpoint ? new_session(session) : -ENOMEM;
	if (err == -EINVAL)
		*ret_why = "libfuse refuses the mount options";
	if (!err && fuse_session_mount(session->fuse, session->mountpoint)) {
		err = -EIO;
		*ret_why = "cannot mount";
	} else if (!err) {
		err = fuse_session_custom_io(session->fuse, &io, fuse_session_fd(session->fuse));
		if (err) {
			*ret_why = "libfuse refuses the transport";
			fuse_session_unmount(session->fuse);
		}
	}
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

/* Unmounting makes the reader's read(2) fail with ENODEV. */
static void *wait_for_signal(void *arg)
{
	struct fx_session *session = arg;
	sigset_t set = ending_signals();
	int number;

	while (sigwait(&set, &number))
		;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	fuse_session_exit(session->fuse);
	fuse_session_unmount(session->fuse);
	return NULL;
}

/* ---- Serving -----------------------------------------------------------------------------------
 */

int fx_session_serve(struct fx_session *session)
{
	struct fuse_buf buffer = {.mem = NULL};
	bool asked_to_end;
	int n = 0;

	session->has_signal_thread =
		!pthread_create(&session->signal_thread, NULL, wait_for_signal, session);
	for (;;) {
		n = fuse_session_receive_buf(session->fuse, &buffer);
		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n <= 0)
			break; /* 0: unmounted */
		note_init(session, &buffer);
		fuse_session_process_buf(session->fuse, &buffer);
	}
	free(buffer.mem);
	asked_to_end = fuse_session_exited(session->fuse);
	if (session->has_signal_thread) {
		pthread_cancel(session->signal_thread);
		pthread_join(session->signal_thread, NULL);
	}
	fuse_session_unmount(session->fuse);
	return n < 0 && n != -ENODEV && !asked_to_end ? -EIO : 0;
}
