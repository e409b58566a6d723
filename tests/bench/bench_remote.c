/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_remote.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEQUENCE_FD  3 /* where a program finds the sequence */
#define NUMBER_BYTES 24

/* Set by the handler, read by the main thread. */
static volatile sig_atomic_t interrupted;

static void note_signal(int number)
{
	interrupted = number;
}

void bench_remote_catch_signals(void)
{
	/* No SA_RESTART: a read is to return. */
	struct sigaction action = {.sa_handler = note_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* ---- The child's side ------------------------------------------------------------------------ */

static void exec_program(const struct bench_peer *peer, const struct bench_setup *setup,
			 const struct bench_sequence *sequence, int requests, int replies)
{
	char keys[NUMBER_BYTES], value_bytes[NUMBER_BYTES], threads[NUMBER_BYTES];
	int fd = fcntl(sequence->fd, F_DUPFD, SEQUENCE_FD + 1);

	snprintf(keys, sizeof(keys), "%zu", setup->keys);
	snprintf(value_bytes, sizeof(value_bytes), "%zu", setup->value_bytes);
	snprintf(threads, sizeof(threads), "%u", setup->threads);
	if (dup2(requests, STDIN_FILENO) < 0 || dup2(replies, STDOUT_FILENO) < 0 ||
	    dup2(fd, SEQUENCE_FD) < 0)
		return;
	execl(peer->program, peer->program, keys, value_bytes, threads, (char *)NULL);
	fprintf(stderr, "engine_bench: %s: %s\n", peer->program, strerror(errno));
}

static _Noreturn void be_child(const struct bench_peer *peer, const struct bench_setup *setup,
			       const struct bench_sequence *sequence, int requests, int replies,
			       pid_t parent)
{
	FILE *in, *out;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A parent that ended before that call sends nothing any more. */
	if (getppid() != parent)
		_exit(1);
	/* The terminal's interrupt reaches all; it is the parent who cleans up. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	if (!peer->engine) {
		exec_program(peer, setup, sequence, requests, replies);
		_exit(1);
	}
	in = fdopen(requests, "r");
	out = fdopen(replies, "w");
	_exit(in && out ? bench_worker(peer->engine, setup, sequence, in, out) : 1);
}

/* ---- The parent's side ----------------------------------------------------------------------- */

/* Stop the process and see that it is. It may have ended instead: the next question tells. */
static void stop(const struct bench_remote *remote)
{
	siginfo_t info;

	kill(remote->pid, SIGSTOP);
	while (waitid(P_PID, (id_t)remote->pid, &info, WSTOPPED | WEXITED | WNOWAIT) &&
	       errno == EINTR)
		;
}

static int open_streams(struct bench_remote *remote, int requests, int replies)
{
	remote->requests = fdopen(requests, "w");
	remote->replies = fdopen(replies, "r");
	return remote->requests && remote->replies ? 0 : -ENOMEM;
}

static int fork_child(struct bench_remote *remote, const struct bench_peer *peer,
		      const struct bench_setup *setup, const struct bench_sequence *sequence,
		      const int requests[2], const int replies[2])
{
	pid_t parent = getpid();
	int err;

	remote->pid = fork();
	if (remote->pid < 0) {
		err = -errno;
		remote->pid = 0;
		return err;
	}
	if (remote->pid == 0)
		be_child(peer, setup, sequence, requests[0], replies[1], parent);
	err = open_streams(remote, requests[1], replies[0]);
	stop(remote);
	return err;
}

int bench_remote_start(struct bench_remote *remote, const struct bench_peer *peer,
		       const struct bench_setup *setup, const struct bench_sequence *sequence)
{
	int requests[2], replies[2];
	int err;

	*remote = (struct bench_remote){0};
	if (pipe2(requests, O_CLOEXEC))
		return -errno;
	if (pipe2(replies, O_CLOEXEC)) {
		err = -errno;
		close(requests[0]);
		close(requests[1]);
		return err;
	}
	fflush(NULL);
	err = fork_child(remote, peer, setup, sequence, requests, replies);
	close(requests[0]);
	close(replies[1]);
	if (err) {
		if (!remote->requests)
			close(requests[1]);
		if (!remote->replies)
			close(replies[0]);
		bench_remote_end(remote);
	}
	return err;
}

/* Say in remote->error why there is no reply. */
static int explain_silence(struct bench_remote *remote)
{
	siginfo_t info = {0};

	if (interrupted)
		return -EINTR;
	if (waitid(P_PID, (id_t)remote->pid, &info, WEXITED | WNOWAIT))
		info.si_code = CLD_EXITED;
	if (info.si_code == CLD_EXITED)
		snprintf(remote->error, sizeof(remote->error), "ended with status %d",
			 info.si_status);
	else
		snprintf(remote->error, sizeof(remote->error), "killed by signal %d (%s)",
			 info.si_status, strsignal(info.si_status));
	return -EPROTO;
}

static int parse_reply(struct bench_remote *remote, char *line, struct bench_reply *ret_reply)
{
	struct bench_reply reply;

	if (sscanf(line, "ok %lu %lu %lu %lu", &reply.ns, &reply.operations, &reply.check,
		   &reply.resident_bytes) == 4) {
		*ret_reply = reply;
		return 0;
	}
	line[strcspn(line, "\n")] = '\0';
	snprintf(remote->error, sizeof(remote->error), "%s",
		 strncmp(line, "error ", 6) ? line : line + 6);
	return -EPROTO;
}

int bench_remote_ask(struct bench_remote *remote, const char *request,
		     struct bench_reply *ret_reply)
{
	char line[BENCH_LINE_MAX];

	if (interrupted)
		return -EINTR;
	kill(remote->pid, SIGCONT);
	fprintf(remote->requests, "%s\n", request);
	if (fflush(remote->requests) || !fgets(line, sizeof(line), remote->replies))
		return explain_silence(remote);
	stop(remote);
	return parse_reply(remote, line, ret_reply);
}

void bench_remote_end(struct bench_remote *remote)
{
	if (remote->requests)
		fclose(remote->requests);
	if (remote->replies)
		fclose(remote->replies);
	if (remote->pid > 0) {
		kill(remote->pid, SIGKILL);
		while (waitpid(remote->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	*remote = (struct bench_remote){0};
}
