/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_worker.h"

#include "bench_memory.h"
#include "bench_pool.h"

#include <errno.h>
#include <inttypes.h>

struct worker {
	const struct bench_engine *engine;
	const struct bench_setup *setup;
	struct bench_pool pool;
	void *db;
	uint64_t baseline_bytes;
	FILE *replies;
};

static int say_error(struct worker *worker, const char *what, int err)
{
	fprintf(worker->replies, "error %s: %s\n", what, strerror(-err));
	fflush(worker->replies);
	return 1;
}

static int say_ok(struct worker *worker, const struct bench_run *run)
{
	struct bench_memory memory;
	uint64_t bytes;
	int err;

	if (worker->engine->settle)
		worker->engine->settle(worker->db);
	err = bench_memory_read(&memory);
	if (err)
		return say_error(worker, "reading the resident memory", err);
	bytes = memory.anonymous_bytes > worker->baseline_bytes
			? memory.anonymous_bytes - worker->baseline_bytes
			: 0;
	if (worker->engine->file_bytes)
		bytes += worker->engine->file_bytes(worker->db);
	fprintf(worker->replies, "ok %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", run->ns,
		run->operations, run->check, bytes);
	fflush(worker->replies);
	return 0;
}

static int open_store(struct worker *worker)
{
	struct bench_memory memory;
	struct bench_run nothing = {0};
	int err = bench_memory_read(&memory);

	if (err)
		return say_error(worker, "reading the resident memory", err);
	worker->baseline_bytes = memory.anonymous_bytes;
	err = worker->engine->open(worker->setup, &worker->db);
	if (err)
		return say_error(worker, "opening a store", err);
	err = bench_pool_begin(&worker->pool, worker->db);
	if (err)
		return say_error(worker, "starting a thread", err);
	return say_ok(worker, &nothing);
}

static int say_failures(struct worker *worker, enum bench_workload workload,
			const struct bench_run *run)
{
	const char *reason =
		run->first_failure ? strerror((int)-run->first_failure) : "a wrong value";

	fprintf(worker->replies, "error %s: %" PRIu64 " of %" PRIu64 " operations failed: %s\n",
		bench_workload_name(workload), run->failures, run->operations, reason);
	fflush(worker->replies);
	return 1;
}

static int run_sweep(struct worker *worker, size_t count)
{
	struct bench_run run = {0};
	int err = worker->engine->sweep(worker->setup, count, &run.operations, &run.ns);

	if (err)
		return say_error(worker, "sweep", err);
	return say_ok(worker, &run);
}

static int run_workload(struct worker *worker, const char *name, size_t count)
{
	enum bench_workload workload = bench_workload_find(name);
	struct bench_run run = {0};

	if (workload == BENCH_WORKLOADS || !bench_workload_possible(workload, worker->engine))
		return say_error(worker, name, -ENOTSUP);
	if (workload == BENCH_SWEEP)
		return run_sweep(worker, count);
	if (worker->engine->make_table) {
		int err = worker->engine->make_table(worker->db, workload == BENCH_TWO_LOADS);

		if (err)
			return say_error(worker, name, err);
	}
	if (bench_workload_prepare(workload))
		bench_pool_run(&worker->pool, bench_workload_prepare(workload), count, &run);
	if (!run.failures)
		bench_pool_run(&worker->pool, bench_workload_loop(workload), count, &run);
	return run.failures ? say_failures(worker, workload, &run) : say_ok(worker, &run);
}

static int answer(struct worker *worker, const char *line)
{
	char name[32];
	size_t count;

	if (!strcmp(line, "open\n"))
		return open_store(worker);
	if (sscanf(line, "run %31s %zu", name, &count) == 2)
		return run_workload(worker, name, count);
	return say_error(worker, "reading a request", -EINVAL);
}

int bench_worker(const struct bench_engine *engine, const struct bench_setup *setup,
		 const struct bench_sequence *sequence, FILE *requests, FILE *replies)
{
	struct worker worker = {.engine = engine, .setup = setup, .replies = replies};
	char line[BENCH_LINE_MAX];
	int result = 0;
	int err = bench_pool_start(&worker.pool, engine, setup, sequence);

	if (err)
		return say_error(&worker, "starting threads", err);
	while (!result && fgets(line, sizeof(line), requests))
		result = answer(&worker, line);
	return result;
}
