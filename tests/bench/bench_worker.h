/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_worker.h - the inside of an engine's process: answers one request line with one reply line.
 *
 *	open			make the store; its threads exist already
 *	run WORKLOAD COUNT	over the first COUNT entries of the shared sequence
 *
 *	ok NS OPERATIONS CHECK RESIDENT		of the run; RESIDENT: bytes since before open
 *	error TEXT				the store is of no further use
 *
 * feoxdb/src/main.rs speaks the same over its standard input and output.
 */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include "bench_engine.h"
#include "bench_sequence.h"

#include <stdio.h>

#define BENCH_LINE_MAX 512

/* Serve requests until their end. 0, or 1 after an error; the store is left as it is. */
int bench_worker(const struct bench_engine *engine, const struct bench_setup *setup,
		 const struct bench_sequence *sequence, FILE *requests, FILE *replies);

#endif
