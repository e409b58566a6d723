/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_report.h"

#include "feox/feox.h"

#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#define CELL 16 /* columns of "123456.7 +-12%" */

/* ---- Statistics ------------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *numbers, unsigned int count)
{
	if (!count)
		return 0;
	qsort(numbers, count, sizeof(*numbers), compare);
	return (numbers[(count - 1) / 2] + numbers[count / 2]) / 2;
}

double bench_spread(double *numbers, unsigned int count)
{
	double median = bench_median(numbers, count);

	return median > 0 ? (numbers[count - 1] - numbers[0]) / median : 0;
}

struct summary {
	double ns, spread, bytes;
};

static struct summary summarize(const struct bench_case *c, unsigned int peer,
				enum bench_workload workload)
{
	struct bench_samples samples = c->samples[peer][workload];

	return (struct summary){
		.ns = bench_median(samples.ns, samples.count),
		.spread = bench_spread(samples.ns, samples.count),
		.bytes = bench_median(samples.bytes, samples.count),
	};
}

/* ---- For programs ---------------------------------------------------------------------------- */

static void print_json(FILE *out, const struct bench_case *c, unsigned int peer,
		       enum bench_workload workload)
{
	struct summary s = summarize(c, peer, workload);
	unsigned int threads = workload == BENCH_SWEEP ? 1 : c->threads;

	fprintf(out,
		"{\"engine\":\"%s\",\"workload\":\"%s\",\"keys\":%zu,\"threads\":%u,"
		"\"value_bytes\":%zu,\"ns_per_op\":%.1f,\"mops\":%.3f,\"spread\":%.3f,"
		"\"bytes_per_key\":%.1f}\n",
		bench_peer_name(peer), bench_workload_name(workload), c->keys, c->threads,
		c->value_bytes, s.ns, threads * 1e3 / s.ns, s.spread, s.bytes);
}

void bench_report_json(FILE *out, const struct bench_case *c)
{
	for (unsigned int peer = 0; peer < BENCH_PEERS; peer++)
		for (enum bench_workload w = 0; w < BENCH_WORKLOADS; w++)
			if (c->samples[peer][w].count && w != BENCH_TWO_LOADS_4K)
				print_json(out, c, peer, w);
	fflush(out);
}

/* ---- For people ------------------------------------------------------------------------------ */

static enum bench_workload first_row(const struct bench_case *c, unsigned int peer)
{
	enum bench_workload workload = 0;

	while (workload < BENCH_WORKLOADS && !c->samples[peer][workload].count)
		workload++;
	return workload;
}

static bool has_rows(const struct bench_case *c, unsigned int peer)
{
	return first_row(c, peer) < BENCH_WORKLOADS;
}

static void print_cell(FILE *out, const struct bench_case *c, unsigned int peer,
		       enum bench_workload workload)
{
	struct summary s = summarize(c, peer, workload);
	char text[64] = "-";

	if (c->samples[peer][workload].count)
		snprintf(text, sizeof(text), "%.1f +-%.0f%%", s.ns, s.spread * 100);
	fprintf(out, " %*s", CELL, text);
}

/* The other stores' best, 0 when none was measured. */
static double best_other(const struct bench_case *c, enum bench_workload workload)
{
	double best = 0;

	for (unsigned int peer = BENCH_FEOX + 1; peer < BENCH_LIMIT; peer++) {
		double ns = summarize(c, peer, workload).ns;

		if (ns > 0 && (!best || ns < best))
			best = ns;
	}
	return best;
}

static void print_ratio(FILE *out, double numerator, double denominator)
{
	if (numerator > 0 && denominator > 0)
		fprintf(out, " %11.2fx", numerator / denominator);
	else
		fprintf(out, " %12s", "-");
}

static void print_row(FILE *out, const struct bench_case *c, enum bench_workload workload)
{
	double feox = summarize(c, BENCH_FEOX, workload).ns;
	bool any = false;

	for (unsigned int peer = 0; peer < BENCH_LIMIT; peer++)
		any |= c->samples[peer][workload].count > 0;
	if (!any)
		return;
	fprintf(out, "%-10s", bench_workload_name(workload));
	for (unsigned int peer = 0; peer < BENCH_LIMIT; peer++)
		if (has_rows(c, peer))
			print_cell(out, c, peer, workload);
	print_ratio(out, feox, summarize(c, BENCH_LIMIT, BENCH_TWO_LOADS).ns);
	print_ratio(out, best_other(c, workload), feox);
	fprintf(out, "\n");
}

static void print_memory(FILE *out, const struct bench_case *c)
{
	fprintf(out, "%-10s", "bytes/key");
	for (unsigned int peer = 0; peer < BENCH_LIMIT; peer++)
		if (has_rows(c, peer))
			fprintf(out, " %*.1f", CELL, summarize(c, peer, first_row(c, peer)).bytes);
	fprintf(out, "\n");
}

static void print_limit(FILE *out, const struct bench_case *c)
{
	struct summary huge = summarize(c, BENCH_LIMIT, BENCH_TWO_LOADS);
	struct summary small = summarize(c, BENCH_LIMIT, BENCH_TWO_LOADS_4K);

	if (!has_rows(c, BENCH_LIMIT))
		return;
	fprintf(out,
		"two dependent loads, table of %zu MiB: %.1f ns +-%.0f%% in huge pages, "
		"%.1f ns +-%.0f%% in 4 KiB pages\n",
		c->table_bytes >> 20, huge.ns, huge.spread * 100, small.ns, small.spread * 100);
}

void bench_report_table(FILE *out, const struct bench_case *c)
{
	fprintf(out, "\n%zu keys, values of %zu bytes, %u thread%s, %u repetition%s\n", c->keys,
		c->value_bytes, c->threads, c->threads == 1 ? "" : "s", c->reps,
		c->reps == 1 ? "" : "s");
	print_limit(out, c);
	fprintf(out, "%-10s", "ns");
	for (unsigned int peer = 0; peer < BENCH_LIMIT; peer++)
		if (has_rows(c, peer))
			fprintf(out, " %*s", CELL, bench_peer_name(peer));
	fprintf(out, " %12s %12s\n", "feox/limit", "best other");
	for (enum bench_workload w = 0; w < BENCH_WORKLOADS; w++)
		print_row(out, c, w);
	print_memory(out, c);
	fflush(out);
}

static void print_load(FILE *out)
{
	double load[1];

	if (getloadavg(load, 1) == 1)
		fprintf(out, "%-12s%.2f before the start%s\n", "load", load[0],
			load[0] > 0.5 ? ": OTHER WORK DISTURBS WHAT IS MEASURED" : "");
}

/* The value after ": " of the first line of path that begins with name. */
static void print_proc(FILE *out, const char *path, const char *name, const char *label)
{
	FILE *file = fopen(path, "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		char *value = strchr(line, name[0] ? ':' : line[0]);

		if (!value || strncmp(line, name, strlen(name)) != 0)
			continue;
		value += name[0] ? 2 : 0;
		value[strcspn(value, "\n")] = '\0';
		fprintf(out, "%-12s%s\n", label, value);
		break;
	}
	if (file)
		fclose(file);
}

void bench_report_machine(FILE *out, const char *dir)
{
	struct utsname name;

	print_proc(out, "/proc/cpuinfo", "model name", "processor");
	fprintf(out, "%-12s%ld\n", "cores", sysconf(_SC_NPROCESSORS_ONLN));
	print_load(out);
	print_proc(out, "/proc/meminfo", "MemTotal", "memory");
	print_proc(out, "/sys/kernel/mm/transparent_hugepage/enabled", "", "huge pages");
	if (!uname(&name))
		fprintf(out, "%-12s%s %s\n", "kernel", name.sysname, name.release);
	fprintf(out, "%-12s%s\n", "feox", feox_version());
	fprintf(out, "%-12s%s\n", "files in", dir);
	fprintf(out, "Numbers: median nanoseconds per operation and thread, +- spread (smallest to "
		     "largest "
		     "of the\nrepetitions). feox/limit: feox in units of two dependent loads. best "
		     "other: "
		     "how many times\nlonger the fastest other store takes.\n");
}
