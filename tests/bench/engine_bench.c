/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_bench - measures feox beside the stores a program could link instead, and beside what the
 * machine's memory allows. docs/benchmarks.md says what the numbers mean.
 *
 *	bench_options	what is asked for
 *	bench_peers	which engines are here
 *	bench_case	one size measured, repetitions interleaved over the engines
 *	bench_sequence	which keys, the same for all
 *	bench_remote	an engine's process, seen from here    feoxdb/: the same in Rust
 *	bench_worker	that process's inside
 *	bench_pool	its threads
 *	bench_workload	what they do
 *	bench_engine.h	by which calls: engine_*.c
 *	bench_memory	how much memory that took
 *	bench_report	the result
 */
#include "bench_pool.h"
#include "bench_report.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SKIPPED	      77
#define SHARED_MEMORY "/dev/shm"

#define CASES_MAX (BENCH_LIST_MAX * BENCH_LIST_MAX * BENCH_LIST_MAX)

struct planned {
	size_t keys, value_bytes;
	unsigned int threads;
	bool sweep; /* it has nothing to do with threads: once is enough */
};

static bool is_tmpfs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == TMPFS_MAGIC && !access(path, W_OK);
}

static int make_dir(const char *wanted, char *dir, size_t size)
{
	const char *parent = wanted;

	if (!parent && is_tmpfs(SHARED_MEMORY))
		parent = SHARED_MEMORY;
	if (!parent)
		parent = getenv("TMPDIR");
	snprintf(dir, size, "%s/engine-bench-XXXXXX", parent ? parent : "/tmp");
	return mkdtemp(dir) ? 0 : -errno;
}

/* How many engines there are. Those that are not to be had are struck off the options. */
static unsigned int prepare_peers(struct bench_options *options, struct bench_peer *peers)
{
	unsigned int count = 0;

	for (unsigned int peer = 0; peer < BENCH_PEERS; peer++) {
		if (options->engines[peer])
			options->engines[peer] = bench_peer_prepare(peer, &peers[peer]);
		count += options->engines[peer];
	}
	return count;
}

/* How much of the time a case gets: 1 for ten thousand keys, 3 for a million. */
static unsigned int weight_of(size_t keys)
{
	unsigned int weight = 1;

	while ((keys /= 10) >= 10000)
		weight++;
	return weight;
}

/* All cases in the order they are measured in; how many. */
static size_t plan(const struct bench_options *options, struct planned cases[CASES_MAX])
{
	size_t count = 0;

	for (size_t k = 0; k < options->keys.count; k++)
		for (size_t v = 0; v < options->value_bytes.count; v++) {
			size_t keys = options->keys.numbers[k];
			size_t value_bytes = options->value_bytes.numbers[v];

			if (!bench_options_wants(options, keys, value_bytes))
				continue;
			for (size_t t = 0; t < options->threads.count; t++)
				cases[count++] = (struct planned){
					.keys = keys,
					.value_bytes = value_bytes,
					.threads = (unsigned int)options->threads.numbers[t],
					.sweep = t == 0,
				};
		}
	return count;
}

/* What is left of the time is shared by the cases that are left. */
static uint64_t share_of_budget(const struct bench_options *options, uint64_t from_ns,
				const struct planned *cases, size_t count)
{
	uint64_t used_ns = bench_now_ns() - from_ns;
	unsigned int weight = 0;

	if (!options->budget_ns)
		return 0;
	if (used_ns >= options->budget_ns)
		return 1;
	for (size_t i = 0; i < count; i++)
		weight += weight_of(cases[i].keys);
	return (options->budget_ns - used_ns) * weight_of(cases[0].keys) / weight;
}

static int run_case(struct bench_case *c, const struct bench_options *options,
		    const struct bench_peer *peers, const char *dir)
{
	int err = bench_case_run(c, options, peers, dir);

	/* It had to be run, but is not asked for. */
	if (!options->workloads[BENCH_INSERT])
		for (unsigned int peer = 0; peer < BENCH_PEERS; peer++)
			c->samples[peer][BENCH_INSERT].count = 0;
	if (options->json)
		bench_report_json(stdout, c);
	else if (c->reps)
		bench_report_table(stdout, c);
	return err;
}

/* All cases; *ret_failures counts engines that failed in one. */
static int run_cases(const struct bench_options *options, const struct bench_peer *peers,
		     const char *dir, unsigned int *ret_failures)
{
	static struct bench_case c; /* large */
	struct planned cases[CASES_MAX];
	size_t count = plan(options, cases);
	uint64_t from_ns = bench_now_ns();
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		c = (struct bench_case){
			.keys = cases[i].keys,
			.value_bytes = cases[i].value_bytes,
			.threads = cases[i].threads,
			.sweep = cases[i].sweep,
			.budget_ns = share_of_budget(options, from_ns, cases + i, count - i),
		};
		err = run_case(&c, options, peers, dir);
		*ret_failures += c.failures;
	}
	return err;
}

int main(int argc, char **argv)
{
	struct bench_options options;
	struct bench_peer peers[BENCH_PEERS] = {0};
	char dir[PATH_MAX];
	unsigned int failures = 0;
	int err;

	bench_options_parse(&options, argc, argv);
	if (!prepare_peers(&options, peers))
		return SKIPPED;
	err = make_dir(options.dir, dir, sizeof(dir));
	if (err) {
		fprintf(stderr, "engine_bench: %s: %s\n", dir, strerror(-err));
		return 1;
	}
	bench_remote_catch_signals();
	if (!options.json)
		bench_report_machine(stdout, dir);
	err = run_cases(&options, peers, dir, &failures);
	if (rmdir(dir))
		fprintf(stderr, "engine_bench: %s is left behind: %s\n", dir, strerror(errno));
	if (err)
		fprintf(stderr, "engine_bench: %s\n",
			err == -EINTR ? "interrupted" : strerror(-err));
	return err || failures ? 1 : 0;
}
