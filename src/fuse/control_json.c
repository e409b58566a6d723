/* SPDX-License-Identifier: Apache-2.0 */
/* control_json.c - /.feox/stats.json. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "control_file.h"
#include "control_json.h"
#include "stat_fields.h"

char *fx_json_dump(json_t *object)
{
	char *json = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
	char *text = NULL;

	json_decref(object);
	if (json && asprintf(&text, "%s\n", json) < 0)
		text = NULL;
	free(json);
	return text;
}

static json_t *messages_json(const struct fx_messages *messages)
{
	json_t *object = json_object();

	for (uint32_t opcode = 0; opcode < FX_OPCODES; opcode++)
		if (fx_messages_of(messages, opcode))
			json_object_set_new(
				object, fx_messages_name(opcode),
				json_integer((json_int_t)fx_messages_of(messages, opcode)));
	return object;
}

static json_t *latency_json(const struct feox_latency *latency)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{"count", latency->count}, {"mean", latency->mean_ns}, {"p50", latency->p50_ns},
		{"p90", latency->p90_ns},  {"p99", latency->p99_ns},   {"p999", latency->p999_ns},
		{"max", latency->max_ns},
	};
	json_t *object = json_object();

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		json_object_set_new(object, numbers[i].name,
				    json_integer((json_int_t)numbers[i].value));
	return object;
}

static json_t *latencies_json(struct feox_store *store)
{
	json_t *object = json_object();
	struct feox_latency latency;

	for (enum feox_op op = 0; op < FEOX_OP_COUNT; op++)
		if (feox_latency(store, op, &latency) == 0)
			json_object_set_new(object, fx_op_name(op), latency_json(&latency));
	return object;
}

json_t *fx_stats_json(struct fx_fs *fs)
{
	struct feox_stats stats;
	json_t *object;

	if (feox_stats(fs->store, &stats))
		return NULL;
	object = json_object();
	for (size_t i = 0; i < fx_stat_field_count; i++)
		json_object_set_new(
			object, fx_stat_fields[i].name,
			json_integer((json_int_t)fx_stat_value(&stats, &fx_stat_fields[i])));
	json_object_set_new(object, "read_only", json_boolean(stats.read_only));
	json_object_set_new(object, "failed", json_boolean(stats.failed));
	json_object_set_new(object, "latency_ns", latencies_json(fs->store));
	json_object_set_new(object, "fuse_messages", messages_json(&fs->messages));
	return object;
}

char *fx_control_stats_json(struct fx_fs *fs)
{
	return fx_json_dump(fx_stats_json(fs));
}
