/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_bench - measures feox on disk beside LMDB and RocksDB, both synced, and beside what the
 * device does by itself. docs/benchmarks.md says what the numbers mean.
 *
 *	store_workload	what is done, and reported
 *	store_engine.h	by which calls: store_*.c
 *	store_report	a number, and what it is computed from
 *
 * Every measurement is made by a process of its own: what it has written is counted by process.
 */
#include "store_report.h"
#include "store_workload.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKLOADS 4u

static const struct store_engine *const engines[] = {
	NULL, /* the device */
	&store_feox,
#ifdef BENCH_LMDB
	&store_lmdb,
#endif
#ifdef BENCH_ROCKSDB
	&store_rocksdb,
#endif
};

struct arguments {
	struct store_run run;
	const char *dir;
};

static const struct argp_option options[] = {
	{"json", 'j', NULL, 0, "One JSON object a line", 0},
	{"quick", 'q', NULL, 0, "Within a minute", 0},
	{"dir", 'd', "DIR", 0, "Where the stores are made (default: $TMPDIR or /tmp)", 0},
	{"keys", 'k', "N", 0, "Keys (default: 1000000, quick: 200000)", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;
	char *end;

	switch (key) {
	case 'j':
		a->run.json = true;
		return 0;
	case 'q':
		a->run.keys = 200000;
		a->run.syncs = 300;
		a->run.cold_gets = 2000;
		a->run.overwrites = 2;
		return 0;
	case 'd':
		a->dir = arg;
		return 0;
	case 'k':
		a->run.keys = (uint32_t)strtoul(arg, &end, 10);
		if (*end || a->run.keys < 1000 || a->run.keys > 100000000)
			argp_error(state, "--keys: '%s' is not a number from 1000 to 100000000",
				   arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int measure(const struct store_run *run, unsigned int workload)
{
	if (!run->engine)
		return workload ? 0 : store_run_device(run);
	switch (workload) {
	case 0:
		return store_run_insert(run);
	case 1:
		return store_run_overwrite(run);
	case 2:
		return store_run_sync(run, 1);
	default:
		return store_run_sync(run, 8);
	}
}

/* In a directory and a process of its own. */
static int measure_apart(const struct arguments *a, const struct store_engine *engine,
			 unsigned int workload)
{
	struct store_run run = a->run;
	char dir[4096];
	int status = -1;
	pid_t pid;

	snprintf(dir, sizeof(dir), "%s/store-bench-XXXXXX", a->dir);
	if (!mkdtemp(dir)) {
		fprintf(stderr, "store_bench: %s: %s\n", a->dir, strerror(errno));
		return -errno;
	}
	run.engine = engine;
	run.dir = dir;
	pid = fork();
	if (!pid)
		exit(measure(&run, workload) ? EXIT_FAILURE : EXIT_SUCCESS);
	if (pid > 0)
		waitpid(pid, &status, 0);
	store_remove_dir(dir);
	return status ? -EIO : 0;
}

int main(int argc, char **argv)
{
	const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Measure durable writes, overwriting, syncs, cold reads and recovery.",
	};
	const char *tmp = getenv("TMPDIR");
	struct arguments a = {
		.run = {.keys = 1000000, .syncs = 2000, .cold_gets = 10000, .overwrites = 5},
		.dir = tmp ? tmp : "/tmp",
	};
	int err = argp_parse(&argp, argc, argv, 0, NULL, &a);

	for (unsigned int workload = 0; workload < WORKLOADS && !err; workload++)
		for (size_t i = 0; i < sizeof(engines) / sizeof(*engines) && !err; i++)
			err = measure_apart(&a, engines[i], workload);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
