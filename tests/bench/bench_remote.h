/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_remote.h - an engine in a process of its own, seen from the program that measures.
 *
 * A process, so that its resident memory is its own and that allocators, signal handlers and
 * threads of one engine do not meet another's. Stopped (SIGSTOP) whenever it is not its turn, so
 * that what an engine does in the background falls into its own time. It ends with its parent.
 */
#ifndef BENCH_REMOTE_H
#define BENCH_REMOTE_H

#include "bench_engine.h"
#include "bench_sequence.h"
#include "bench_worker.h"

#include <stdio.h>
#include <sys/types.h>

/* An engine to measure: an adapter of this program, or a program that speaks bench_worker.h. */
struct bench_peer {
	const char *name;
	const struct bench_engine *engine; /* NULL: program */
	const char *program;
};

struct bench_remote {
	pid_t pid; /* 0: there is none */
	FILE *requests, *replies;
	char error[BENCH_LINE_MAX]; /* after -EPROTO: what it said, or how it ended */
};

struct bench_reply {
	uint64_t ns, operations, check, resident_bytes;
};

/* Start the process, stopped. A failed start leaves nothing behind. */
int bench_remote_start(struct bench_remote *remote, const struct bench_peer *peer,
		       const struct bench_setup *setup, const struct bench_sequence *sequence);

/*
 * Send one request (without its newline) and wait for the reply. -EPROTO: the process answered with
 * an error or ended; -EINTR: a signal asks this program to end. Only bench_remote_end() may follow.
 */
int bench_remote_ask(struct bench_remote *remote, const char *request,
		     struct bench_reply *ret_reply);

/* End the process, whatever it is doing, and wait for it. Nothing happens when there is none. */
void bench_remote_end(struct bench_remote *remote);

/* Catch SIGINT and SIGTERM, so that bench_remote_ask() gives up and the caller can clean up. */
void bench_remote_catch_signals(void);

#endif
