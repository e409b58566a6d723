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
	json_object_set_new(object, "fuse_messages", messages_json(&fs->messages));
	return object;
}

char *fx_control_stats_json(struct fx_fs *fs)
{
	return fx_json_dump(fx_stats_json(fs));
}
