/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_many.c - operations of ctl on several keys, or on all. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "call.h"
#include "cleanup.h"
#include "control_json.h"
#include "ctl_request.h"
#include "default_ttl.h"
#include "dir_change.h"
#include "kv_target.h"
#include "later.h"

#define FX_CTL_BATCH_MAX       ((size_t)65536)		  /* operations in a batch */
#define FX_CTL_RANGE_LIMIT     ((json_int_t)1000)	  /* items, when nothing is said */
#define FX_CTL_RANGE_LIMIT_MAX ((json_int_t)1000000)	  /* items */
#define FX_CTL_RANGE_BYTES_MAX ((size_t)16 * 1024 * 1024) /* keys and values in an answer */

/* ---- batch ----------------------------------------------------------------------------------- */

struct part {
	struct fx_bytes key, value;
	struct fx_ctl_terms terms;
	bool deletes, begun; /* begun: target is there to be cleared */
	struct fx_kv_target target;
};

struct parts {
	struct fx_ctl_request *request;
	struct part *items;
	size_t count;
};
#define FX_AUTO_PARTS __attribute__((cleanup(parts_clear)))

static void parts_clear(struct parts *parts)
{
	for (size_t i = 0; i < parts->count; i++) {
		fx_bytes_clear(&parts->items[i].key);
		fx_bytes_clear(&parts->items[i].value);
		if (parts->items[i].begun)
			fx_kv_target_clear(&parts->items[i].target);
	}
	free(parts->items);
}

/* An error of one part says which. */
static int part_failed(struct parts *parts, size_t index, int rc)
{
	struct fx_ctl_request *request = parts->request;
	char why[FX_CTL_ERROR_MAX];

	memcpy(why, request->error, sizeof(why));
	request->failed = (json_int_t)index;
	return fx_ctl_fail(request, rc, "ops[%zu]: %.900s", index, why[0] ? why : strerror(-rc));
}

static int read_part(struct fx_ctl_request *request, json_t *members, struct part *part)
{
	const char *op = json_string_value(json_object_get(members, "op"));
	int rc;

	if (!json_is_object(members) || !op)
		return fx_ctl_fail(request, -EINVAL, "not an object with an op");
	part->deletes = strcmp(op, "del") == 0;
	if (!part->deletes && strcmp(op, "put") != 0)
		return fx_ctl_fail(request, -EINVAL, "op: \"%.100s\" is neither put nor del", op);
	rc = fx_ctl_allow(request, members,
			  part->deletes ? "op key key_b64 if_version"
					: "op key key_b64 value value_b64 ttl if_version "
					  "if_absent if_present");
	if (rc == 0)
		rc = fx_ctl_key(request, members, &part->key);
	if (rc == 0)
		rc = fx_ctl_terms(request, members, &part->terms);
	if (rc == 0 && !part->deletes)
		rc = fx_ctl_bytes(request, members, "value", true, &part->value);
	return rc;
}

static int read_parts(struct fx_ctl_request *request, struct parts *parts)
{
	json_t *ops = json_object_get(request->members, "ops"), *members;
	size_t i;

	if (!json_is_array(ops))
		return fx_ctl_fail(request, -EINVAL, ops ? "ops: not an array" : "ops is missing");
	if (json_array_size(ops) > FX_CTL_BATCH_MAX)
		return fx_ctl_fail(request, -E2BIG, "ops: more than %zu", FX_CTL_BATCH_MAX);
	parts->items = calloc(json_array_size(ops) + 1, sizeof(*parts->items));
	if (!parts->items)
		return -ENOMEM;
	parts->count = json_array_size(ops);
	json_array_foreach(ops, i, members)
	{
		int rc = read_part(request, members, &parts->items[i]);

		if (rc < 0)
			return part_failed(parts, i, rc);
	}
	return 0;
}

static int add_part(struct fx_ctl_request *request, struct part *part, struct feox_batch *batch)
{
	struct fx_kv *kv = &part->target.kv;
	int rc = fx_kv_target_begin(request->fs, part->key.data, part->key.size, request->nowait,
				    &part->target);

	part->begun = true;
	kv->flags = part->terms.flags;
	kv->if_version = part->terms.if_version;
	kv->expiry_ns = part->terms.expiry_ns;
	if (rc == 0 && !part->target.existed && !(part->terms.flags & FEOX_SET_EXPIRY))
		rc = fx_default_expiry(request->fs, kv->key, kv->key_size, &kv->expiry_ns);
	if (rc < 0)
		return rc;
	return part->deletes ? fx_kv_batch_delete(kv, batch)
			     : fx_kv_batch_put(kv, batch, part->value.data, part->value.size);
}

static void part_done(struct fx_ctl_request *request, struct part *part)
{
	fx_kv_batch_done(&part->target.kv, part->deletes);
	if (part->deletes)
		fx_kv_target_deleted(&part->target);
	else
		fx_kv_target_set(&part->target);
	if (!part->deletes && (part->terms.flags & FEOX_SET_EXPIRY))
		fx_kv_target_expires(&part->target);
	request->noticed = request->noticed || part->target.noticed;
}

static int explain_part(struct parts *parts, size_t index, int rc)
{
	struct fx_ctl_request *request = parts->request;
	const struct part *part = &parts->items[index];
	struct feox_stat stat;

	if (rc == -ECANCELED &&
	    feox_stat(request->fs->store, part->key.data, part->key.size, NULL, 0, &stat) == 0)
		fx_ctl_fail(request, rc, "version is %" PRIu64 ", not %" PRIu64, stat.version,
			    part->terms.if_version);
	else if (rc == -ECANCELED)
		fx_ctl_fail(request, rc, "no such key");
	else if (rc == -EINVAL)
		fx_ctl_fail(request, rc, "the key is named twice");
	fx_ctl_fail_key(request, rc, &part->key);
	return part_failed(parts, index, rc);
}

/* names_lock is held exclusively. */
static int commit_parts(struct parts *parts, struct feox_batch *batch)
{
	size_t failed = 0;
	int rc = 0;

	for (; rc == 0 && failed < parts->count; failed++)
		rc = add_part(parts->request, &parts->items[failed], batch);
	if (rc < 0)
		return rc == -EAGAIN ? rc : explain_part(parts, failed - 1, rc);
	rc = feox_batch_commit(batch, parts->request->nowait, &failed);
	if (rc < 0 && rc != -EAGAIN && failed < parts->count)
		return explain_part(parts, failed, rc);
	if (rc < 0)
		return rc;
	parts->request->changed = true;
	for (size_t i = 0; i < parts->count; i++)
		part_done(parts->request, &parts->items[i]);
	return 0;
}

int fx_ctl_batch(struct fx_ctl_request *request)
{
	FX_AUTO_PARTS struct parts parts = {.request = request};
	FX_AUTO_BATCH struct feox_batch *batch = NULL;
	int rc = read_parts(request, &parts);

	if (rc == 0)
		rc = feox_batch_create(request->fs->store, &batch);
	if (rc == 0)
		rc = fx_names_lock(request->fs, FX_NAMES_EXCLUSIVE, request->nowait);
	if (rc < 0)
		return rc;
	rc = commit_parts(&parts, batch);
	fx_names_unlock(request->fs);
	return rc;
}

/* ---- sync, stats ----------------------------------------------------------------------------- */

/* Put everything that is staged into the store: the pool's work, when there is any. */
static int publish_all(struct fx_ctl_request *request)
{
	if (!fx_later_pending(request->fs))
		return 0;
	return request->nowait ? -EAGAIN : fx_later_publish_all(request->fs, false);
}

int fx_ctl_sync(struct fx_ctl_request *request)
{
	int rc;

	if (request->nowait)
		return -EAGAIN;
	rc = publish_all(request);
	return rc < 0 ? rc : feox_sync(request->fs->store);
}

int fx_ctl_stats(struct fx_ctl_request *request)
{
	json_t *stats = fx_stats_json(request->fs);

	return json_object_set_new(request->answer, "stats", stats) ? -ENOMEM : 0;
}

/* ---- range ----------------------------------------------------------------------------------- */

struct range {
	struct fx_ctl_request *request;
	struct fx_bytes from, to, prefix;
	struct feox_iter_options options;
	json_int_t limit;
	json_t *items;
	size_t bytes;
};
#define FX_AUTO_RANGE __attribute__((cleanup(range_clear)))

static void range_clear(struct range *range)
{
	fx_bytes_clear(&range->from);
	fx_bytes_clear(&range->to);
	fx_bytes_clear(&range->prefix);
	json_decref(range->items);
}

static int read_flag(struct range *range, const char *name, unsigned int flag)
{
	const json_t *value = json_object_get(range->request->members, name);

	if (value && !json_is_boolean(value))
		return fx_ctl_fail(range->request, -EINVAL, "%s: neither true nor false", name);
	if (json_is_true(value))
		range->options.flags |= flag;
	return 0;
}

static int read_limit(struct range *range)
{
	const json_t *limit = json_object_get(range->request->members, "limit");

	range->limit = FX_CTL_RANGE_LIMIT;
	if (!limit)
		return 0;
	if (!json_is_integer(limit) || json_integer_value(limit) < 1)
		return fx_ctl_fail(range->request, -EINVAL, "limit: not a positive integer");
	range->limit = FX_MIN(json_integer_value(limit), FX_CTL_RANGE_LIMIT_MAX);
	return 0;
}

/* Only keys that are mounted: the longer one of the two prefixes, if one begins with the other. */
static bool set_prefix(struct range *range)
{
	const struct fx_path_rules *rules = &range->request->fs->rules;
	size_t common = FX_MIN(range->prefix.size, rules->prefix_size);

	if (common && memcmp(range->prefix.data, rules->prefix, common) != 0)
		return false;
	if (range->prefix.size > rules->prefix_size) {
		range->options.prefix = range->prefix.data;
		range->options.prefix_size = range->prefix.size;
	} else {
		range->options.prefix = rules->prefix;
		range->options.prefix_size = rules->prefix_size;
	}
	return true;
}

static int read_bound(struct range *range, const char *name, struct fx_bytes *bytes,
		      const void **ret_data, size_t *ret_size)
{
	int rc = fx_ctl_bytes(range->request, range->request->members, name, false, bytes);

	if (rc <= 0)
		return rc;
	if (bytes->size > FEOX_KEY_MAX)
		return fx_ctl_fail(range->request, -ENAMETOOLONG, "%s: more than %zu bytes", name,
				   FEOX_KEY_MAX);
	*ret_data = bytes->size ? bytes->data : (const uint8_t *)"";
	*ret_size = bytes->size;
	return 0;
}

static int read_range(struct range *range)
{
	struct feox_iter_options *options = &range->options;
	int rc = read_bound(range, "from", &range->from, &options->from, &options->from_size);

	if (rc == 0)
		rc = read_bound(range, "to", &range->to, &options->to, &options->to_size);
	if (rc == 0)
		rc = read_bound(range, "prefix", &range->prefix, &options->prefix,
				&options->prefix_size);
	if (rc == 0)
		rc = read_flag(range, "reverse", FEOX_ITER_REVERSE);
	if (rc == 0)
		rc = read_flag(range, "keys_only", FEOX_ITER_KEYS_ONLY);
	return rc < 0 ? rc : read_limit(range);
}

static int add_item(struct range *range, const struct feox_item *item)
{
	json_t *object = json_object();
	int rc = fx_ctl_set_bytes(object, "key", item->key, item->key_size);

	if (rc == 0 && !(range->options.flags & FEOX_ITER_KEYS_ONLY))
		rc = fx_ctl_set_bytes(object, "value", item->value, item->value_size);
	if (rc == 0)
		rc = fx_ctl_set_version(object, "version", item->version);
	if (rc == 0)
		rc = fx_ctl_set_ttl(range->request->fs, object, item->expiry_ns);
	if (rc == 0 && json_array_append(range->items, object))
		rc = -ENOMEM;
	json_decref(object);
	range->bytes += item->key_size;
	if (!(range->options.flags & FEOX_ITER_KEYS_ONLY))
		range->bytes += item->value_size;
	return rc;
}

static bool is_full(const struct range *range, const struct feox_item *item)
{
	size_t count = json_array_size(range->items);

	return count >= (size_t)range->limit ||
	       (count && range->bytes + item->key_size + item->value_size > FX_CTL_RANGE_BYTES_MAX);
}

static int add_items(struct range *range)
{
	struct feox_iter *iter;
	struct feox_item item;
	int rc;

	range->options.flags |= range->request->nowait;
	range->options.limit = (uint64_t)range->limit + 1;
	rc = feox_iter_open(range->request->fs->store, &range->options, &iter);
	if (rc < 0)
		return rc;
	while ((rc = feox_iter_next(iter, &item)) > 0) {
		if (is_full(range, &item)) {
			rc = fx_ctl_set_bytes(range->request->answer, "next", item.key,
					      item.key_size);
			break;
		}
		rc = add_item(range, &item);
		if (rc < 0)
			break;
	}
	feox_iter_close(iter);
	return rc;
}

int fx_ctl_range(struct fx_ctl_request *request)
{
	FX_AUTO_RANGE struct range range = {.request = request, .items = json_array()};
	int rc = read_range(&range);

	if (rc == 0)
		rc = publish_all(request);
	if (rc == 0 && set_prefix(&range))
		rc = add_items(&range);
	if (rc < 0)
		return rc;
	return json_object_set(request->answer, "items", range.items) ? -ENOMEM : 0;
}
