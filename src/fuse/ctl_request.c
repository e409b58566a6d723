/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_request.c - a line of JSON to its operation, and the answer back to a line. */
#include "ctl_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define FX_INLINE_LINE_MAX ((size_t)64 * 1024) /* longer ones are read in the pool */

static const struct {
	const char *name;
	const char *members; /* that it may have */
	int (*run)(struct fx_ctl_request *request);
} operations[] = {
	{"get", "key key_b64", fx_ctl_get},
	{"put", "key key_b64 value value_b64 ttl if_version if_absent if_present", fx_ctl_put},
	{"del", "key key_b64 if_version", fx_ctl_del},
	{"ttl", "key key_b64 ttl if_version", fx_ctl_ttl},
	{"cas", "key key_b64 value value_b64 expected expected_b64 ttl if_version", fx_ctl_cas},
	{"incr", "key key_b64 by ttl if_version if_absent if_present", fx_ctl_incr},
	{"patch", "key key_b64 patch ttl if_version", fx_ctl_patch},
	{"batch", "ops", fx_ctl_batch},
	{"range", "from from_b64 to to_b64 prefix prefix_b64 limit reverse keys_only",
	 fx_ctl_range},
	{"sync", "", fx_ctl_sync},
	{"stats", "", fx_ctl_stats},
};

#define OPERATIONS (sizeof(operations) / sizeof(*operations))

/* ---- The text of "patch" --------------------------------------------------------------------- */

/*
 * jansson would round the numbers in a patch. So its text is cut out of the line before, and goes
 * to the engine as it is, which checks it. What is no JSON here is found out by jansson later.
 */
struct cursor {
	const char *at, *end;
};

static void skip_space(struct cursor *c)
{
	while (c->at < c->end && strchr(" \t\r\n", *c->at) && *c->at)
		c->at++;
}

static bool skip_char(struct cursor *c, char wanted)
{
	skip_space(c);
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

/* Behind a string whose opening quote is at c->at. */
static void skip_string(struct cursor *c)
{
	for (c->at++; c->at < c->end && *c->at != '"'; c->at++)
		if (*c->at == '\\')
			c->at++;
	c->at = c->at < c->end ? c->at + 1 : c->end;
}

/* Behind a value: to the comma or bracket that ends it. */
static void skip_value(struct cursor *c)
{
	size_t depth = 0;

	while (c->at < c->end) {
		char byte = *c->at;

		if (byte == '"') {
			skip_string(c);
			continue;
		}
		if (!depth && (byte == ',' || byte == '}' || byte == ']'))
			return;
		if (byte == '[' || byte == '{')
			depth++;
		if (byte == ']' || byte == '}')
			depth--;
		c->at++;
	}
}

/* The text of the member "patch" of the object that line is. */
static bool find_patch(const char *line, size_t size, const char **ret_text, size_t *ret_size)
{
	static const char wanted[] = "\"patch\"";
	struct cursor c = {line, line + size};

	if (!skip_char(&c, '{'))
		return false;
	do {
		const char *name, *value;
		bool found;

		skip_space(&c);
		name = c.at;
		if (c.at == c.end || *name != '"')
			return false;
		skip_string(&c);
		found = (size_t)(c.at - name) == sizeof(wanted) - 1 &&
			memcmp(name, wanted, sizeof(wanted) - 1) == 0;
		if (!skip_char(&c, ':'))
			return false;
		skip_space(&c);
		value = c.at;
		skip_value(&c);
		if (found) {
			*ret_text = value;
			*ret_size = (size_t)(c.at - value);
			return *ret_size > 0;
		}
	} while (skip_char(&c, ','));
	return false;
}

/* ---- Parsing --------------------------------------------------------------------------------- */

static int load(struct fx_ctl_request *request, const char *line, size_t size)
{
	FX_AUTO_FREE char *copy = NULL;
	json_error_t error;

	if (find_patch(line, size, &request->patch, &request->patch_size)) {
		size_t offset = (size_t)(request->patch - line);

		copy = malloc(size);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, line, size);
		memset(copy + offset, ' ', request->patch_size);
		copy[offset] = '0';
	}
	request->members = json_loadb(copy ? copy : line, size,
				      JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (!request->members)
		return fx_ctl_fail(request, -EINVAL, "not a JSON object: byte %d: %s",
				   error.position, error.text);
	if (!json_is_object(request->members))
		return fx_ctl_fail(request, -EINVAL, "not a JSON object");
	return 0;
}

static int run(struct fx_ctl_request *request)
{
	const json_t *op = json_object_get(request->members, "op");
	int rc;

	if (!json_is_string(op))
		return fx_ctl_fail(request, -EINVAL, op ? "op: not a string" : "op is missing");
	for (size_t i = 0; i < OPERATIONS; i++) {
		if (strcmp(operations[i].name, json_string_value(op)) != 0)
			continue;
		json_object_del(request->members, "op");
		rc = fx_ctl_allow(request, request->members, operations[i].members);
		return rc < 0 ? rc : operations[i].run(request);
	}
	return fx_ctl_fail(request, -EINVAL, "op: \"%.100s\" is unknown", json_string_value(op));
}

/* ---- Answers --------------------------------------------------------------------------------- */

static json_t *failure(const struct fx_ctl_request *request, int rc)
{
	const char *name = strerrorname_np(-rc);
	json_t *answer = json_object(), *error = NULL;

	json_object_set_new(answer, "ok", json_false());
	json_object_set_new(answer, "errno", json_string(name ? name : "EIO"));
	if (request->error[0])
		error = json_string(request->error); /* NULL: a key in it is no UTF-8 */
	json_object_set_new(answer, "error", error ? error : json_string(strerror(-rc)));
	if (request->failed >= 0)
		json_object_set_new(answer, "failed", json_integer(request->failed));
	return answer;
}

static int print(json_t *answer, struct fx_ctl_outcome *outcome)
{
	size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(15);
	char *text = json_dumps(answer, flags);

	if (!text)
		return -ENOMEM;
	outcome->answer_size = strlen(text) + 1;
	text[outcome->answer_size - 1] = '\n'; /* instead of the NUL */
	outcome->answer = text;
	return 0;
}

static void clear(struct fx_ctl_request *request)
{
	json_decref(request->members);
	json_decref(request->answer);
}

int fx_ctl_run(struct fx_fs *fs, unsigned int nowait, const char *line, size_t size,
	       struct fx_ctl_outcome *ret_outcome)
{
	struct fx_ctl_request request = {
		.fs = fs, .nowait = nowait, .answer = json_object(), .failed = -1};
	int rc;

	if (!request.answer)
		return -ENOMEM;
	if (nowait && size > FX_INLINE_LINE_MAX) {
		clear(&request);
		return -EAGAIN;
	}
	json_object_set_new(request.answer, "ok", json_true());
	rc = load(&request, line, size);
	if (rc == 0)
		rc = run(&request);
	if (rc < 0 && rc != -EAGAIN) {
		json_decref(request.answer);
		request.answer = failure(&request, rc);
		rc = 0;
	}
	if (rc == 0)
		rc = print(request.answer, ret_outcome);
	ret_outcome->changed = request.changed;
	ret_outcome->noticed = request.noticed;
	clear(&request);
	return rc;
}
