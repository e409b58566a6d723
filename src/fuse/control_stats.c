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
	fclose(out);
	return text;
}
