/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_event.c - an event as a line of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "ctl_request.h"
#include "events.h"

static bool is_mounted(const struct fx_path_rules *rules, const void *key, size_t key_size)
{
	return key_size >= rules->prefix_size &&
	       (!rules->prefix_size || memcmp(key, rules->prefix, rules->prefix_size) == 0);
}

static const char *name_of(enum feox_event_kind kind)
{
	switch (kind) {
	case FEOX_EVENT_SET:
		return "set";
	case FEOX_EVENT_DELETE:
		return "del";
	case FEOX_EVENT_EXPIRE:
		return "expire";
	case FEOX_EVENT_EVICT:
		return "evict";
	case FEOX_EVENT_RENAME:
		return "rename";
	case FEOX_EVENT_TOUCH:
		break;
	}
	return NULL;
}

/* What of a rename is seen when only one of the names is mounted. */
static struct feox_event seen(const struct fx_path_rules *rules, const struct feox_event *event)
{
	struct feox_event e = *event;

	if (e.kind != FEOX_EVENT_RENAME)
		return e;
	if (!is_mounted(rules, e.from, e.from_size)) {
		e.kind = FEOX_EVENT_SET;
	} else if (!is_mounted(rules, e.key, e.key_size)) {
		e.kind = FEOX_EVENT_DELETE;
		e.key = e.from;
		e.key_size = e.from_size;
		e.version = e.from_version;
	}
	return e;
}

char *fx_event_line(const struct fx_path_rules *rules, const struct feox_event *event)
{
	struct feox_event e = seen(rules, event);
	const char *name = name_of(e.kind);
	char *line = NULL, *text;
	json_t *object;
	int rc;

	if (!name || !is_mounted(rules, e.key, e.key_size))
		return NULL;
	object = json_object();
	rc = json_object_set_new(object, "event", json_string(name));
	if (rc == 0 && e.kind == FEOX_EVENT_RENAME)
		rc = fx_ctl_set_bytes(object, "from", e.from, e.from_size);
	if (rc == 0)
		rc = fx_ctl_set_bytes(object, "key", e.key, e.key_size);
	if (rc == 0)
		rc = fx_ctl_set_version(object, "version", e.version);
	text = rc == 0 ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (text && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	return line;
}
