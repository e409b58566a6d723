/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.c - /.feox/metrics, Prometheus's text format (its "exposition formats" page): names
 * feoxfs_THING_UNIT, base units (bytes, seconds), counters end with _total.
 */
#include <inttypes.h>
#include <stdio.h>

#include "control_file.h"
#include "stat_fields.h"

#define NS_PER_S UINT64_C(1000000000)

/* HELP, TYPE and the metric's full name. */
static void print_head(FILE *out, const struct fx_stat_field *field, const char *suffix)
{
	bool counts = field->kind == FX_STAT_COUNTER;
	const char *total = counts ? "_total" : "";

	fprintf(out, "# HELP feoxfs_%s%s%s %s\n", field->metric, suffix, total, field->help);
	fprintf(out, "# TYPE feoxfs_%s%s%s %s\n", field->metric, suffix, total,
		counts ? "counter" : "gauge");
	fprintf(out, "feoxfs_%s%s%s ", field->metric, suffix, total);
}

static void print_seconds(FILE *out, uint64_t ns)
{
	fprintf(out, "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S, ns % NS_PER_S);
}

static void print_field(FILE *out, const struct fx_stat_field *field, uint64_t value)
{
	static const char *const suffixes[] = {
		[FX_STAT_NUMBER] = "", [FX_STAT_BYTES] = "_bytes", [FX_STAT_NS] = "_seconds"};

	print_head(out, field, suffixes[field->unit]);
	if (field->unit == FX_STAT_NS)
		print_seconds(out, value);
	else
		fprintf(out, "%" PRIu64, value);
	fputc('\n', out);
}

static void print_gauge(FILE *out, const char *name, const char *help, bool value)
{
	fprintf(out, "# HELP feoxfs_%s %s\n# TYPE feoxfs_%s gauge\nfeoxfs_%s %d\n", name, help,
		name, name, value);
}

/* All kinds from the start: a series that appears with its first request has no rate before. */
static void print_messages(FILE *out, const struct fx_messages *messages)
{
	fputs("# HELP feoxfs_fuse_messages_total Requests of the kernel.\n"
	      "# TYPE feoxfs_fuse_messages_total counter\n",
	      out);
	for (uint32_t opcode = 0; opcode < FX_OPCODES; opcode++)
		if (fx_messages_name(opcode))
			fprintf(out, "feoxfs_fuse_messages_total{opcode=\"%s\"} %" PRIu64 "\n",
				fx_messages_name(opcode), fx_messages_of(messages, opcode));
}

#define FX_BOUND_MIN_NS ((uint64_t)1 << 8)  /* of the first bucket shown: 256 ns */
#define FX_BOUND_MAX_NS ((uint64_t)1 << 34) /* of the last one before +Inf: 17 s */

/* The engine has 16 buckets for each power of two; here they are one. */
static void print_buckets(FILE *out, const char *op, const struct feox_histogram *histogram)
{
	uint64_t bound_ns = FX_BOUND_MIN_NS, count = 0;

	for (size_t i = 0; bound_ns <= FX_BOUND_MAX_NS; bound_ns *= 2) {
		while (i < FEOX_HISTOGRAM_BUCKETS && feox_histogram_limit(i) < bound_ns)
			count += histogram->buckets[i++];
		fprintf(out, "feoxfs_operation_duration_seconds_bucket{op=\"%s\",le=\"", op);
		print_seconds(out, bound_ns);
		fprintf(out, "\"} %" PRIu64 "\n", count);
	}
	fprintf(out,
		"feoxfs_operation_duration_seconds_bucket{op=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", op,
		histogram->count);
	fprintf(out, "feoxfs_operation_duration_seconds_sum{op=\"%s\"} ", op);
	print_seconds(out, histogram->sum_ns);
	fprintf(out, "\nfeoxfs_operation_duration_seconds_count{op=\"%s\"} %" PRIu64 "\n", op,
		histogram->count);
}

static void print_latencies(FILE *out, struct feox_store *store)
{
	struct feox_histogram histogram;

	fputs("# HELP feoxfs_operation_duration_seconds Latency of the engine's operations; of "
	      "get, "
	      "put, delete, update and next 1 of 64 is timed.\n"
	      "# TYPE feoxfs_operation_duration_seconds histogram\n",
	      out);
	for (enum feox_op op = 0; op < FEOX_OP_COUNT; op++)
		if (feox_histogram(store, op, &histogram) == 0)
			print_buckets(out, fx_op_name(op), &histogram);
}

static void print_build(FILE *out)
{
	fprintf(out,
		"# HELP feoxfs_build_info The version that runs.\n"
		"# TYPE feoxfs_build_info gauge\n"
		"feoxfs_build_info{version=\"%s\"} 1\n",
		feox_version());
}

char *fx_control_metrics(struct fx_fs *fs)
{
	struct feox_stats stats;
	char *text = NULL;
	size_t size;
	FILE *out;

	if (feox_stats(fs->store, &stats) || !(out = open_memstream(&text, &size)))
		return NULL;
	print_build(out);
	for (size_t i = 0; i < fx_stat_field_count; i++)
		print_field(out, &fx_stat_fields[i], fx_stat_value(&stats, &fx_stat_fields[i]));
	print_gauge(out, "read_only", "Whether the store is read-only.", stats.read_only);
	print_gauge(out, "failed", "Whether the device has failed.", stats.failed);
	print_messages(out, &fs->messages);
	print_latencies(out, fs->store);
	fclose(out);
	return text;
}
