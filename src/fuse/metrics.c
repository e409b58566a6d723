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
	fclose(out);
	return text;
}
