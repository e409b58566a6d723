/* SPDX-License-Identifier: Apache-2.0 */
/* control_stats.c - /.feox/stats, for people. */
#include <inttypes.h>
#include <stdio.h>

#include "control_file.h"
#include "stat_fields.h"

static void print_messages(FILE *out, const struct fx_messages *messages)
{
	for (uint32_t opcode = 0; opcode < FX_OPCODES; opcode++)
		if (fx_messages_of(messages, opcode))
			fprintf(out, "fuse_%-15s %" PRIu64 "\n", fx_messages_name(opcode),
				fx_messages_of(messages, opcode));
}

/* "0.84", us: as short as people want it. */
static void print_us(FILE *out, uint64_t ns)
{
	fprintf(out, " %9" PRIu64 ".%02" PRIu64, ns / 1000, ns % 1000 / 10);
}

static void print_latencies(FILE *out, struct feox_store *store)
{
	struct feox_latency latency;

	fprintf(out, "%-20s %12s %12s %12s %12s %12s\n", "latency, us", "timed", "mean", "p50",
		"p99", "max");
	for (enum feox_op op = 0; op < FEOX_OP_COUNT; op++) {
		if (feox_latency(store, op, &latency) || !latency.count)
			continue;
		fprintf(out, "%-20s %12" PRIu64, fx_op_name(op), latency.count);
		print_us(out, latency.mean_ns);
		print_us(out, latency.p50_ns);
		print_us(out, latency.p99_ns);
		print_us(out, latency.max_ns);
		fputc('\n', out);
	}
}

char *fx_control_stats(struct fx_fs *fs)
{
	struct feox_stats stats;
	char *text = NULL;
	size_t size;
	FILE *out;

	if (feox_stats(fs->store, &stats) || !(out = open_memstream(&text, &size)))
		return NULL;
	for (size_t i = 0; i < fx_stat_field_count; i++)
		fprintf(out, "%-20s %" PRIu64 "\n", fx_stat_fields[i].name,
			fx_stat_value(&stats, &fx_stat_fields[i]));
	fprintf(out, "%-20s %s\n", "state",
		stats.failed	  ? "failed: read-only since the device failed"
		: stats.read_only ? "read-only"
				  : "read-write");
	print_messages(out, &fs->messages);
	print_latencies(out, fs->store);
	fclose(out);
	return text;
}
