/* SPDX-License-Identifier: Apache-2.0 */
/*
 * range.c - names and attributes in /.feox/range.
 *
 * A node is found again by its parent and name while the kernel knows it, so that a directory stays
 * the same for whoever works in it. Every timeout is 0: the kernel asks each time, and the engine
 * answers. LIMIT ends a listing; names behind it can be looked up all the same, which would cost a
 * walk over all before them.
 */
#include "range.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "call.h"
#include "cleanup.h"
#include "control.h"
#include "kv_target.h"
#include "meta.h"

int fx_ranges_create(struct fx_ranges **ret_ranges)
{
	struct fx_ranges *ranges = calloc(1, sizeof(*ranges));

	if (!ranges)
		return -ENOMEM;
	pthread_mutex_init(&ranges->mutex, NULL);
	*ret_ranges = ranges;
	return 0;
}

static void node_free(void *data)
{
	struct fx_range_node *node = data;

	free(node->range);
	free(node->key);
	free(node);
}

void fx_ranges_destroy(struct fx_fs *fs, struct fx_ranges *ranges)
{
	if (!ranges)
		return;
	fx_range_handles_clear(fs, ranges);
	tdestroy(ranges->nodes, node_free);
	pthread_mutex_destroy(&ranges->mutex);
	free(ranges);
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static int compare_nodes(const void *a, const void *b)
{
	const struct fx_range_node *x = a, *y = b;

	if (x->parent != y->parent)
		return (uintptr_t)x->parent < (uintptr_t)y->parent ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Take count lookups back; a key's last one takes that of its range along. The mutex is held. */
static void forget_locked(struct fx_ranges *ranges, struct fx_range_node *node, uint64_t count)
{
	while (node) {
		struct fx_range_node *parent = (struct fx_range_node *)node->parent;

		node->lookups -= count;
		if (node->lookups)
			return;
		tdelete(node, &ranges->nodes, compare_nodes);
		node_free(node);
		node = parent;
		count = 1;
	}
}

/* Count a lookup of node, or of the one that is there already: then node is freed. */
static int enter(struct fx_ranges *ranges, struct fx_range_node *node,
		 struct fx_range_node **ret_node)
{
	FX_LOCKED(&ranges->mutex);
	struct fx_range_node **slot = tsearch(node, &ranges->nodes, compare_nodes);

	if (!slot) {
		node_free(node);
		return -ENOMEM;
	}
	if (*slot != node)
		node_free(node);
	else if (node->parent)
		((struct fx_range_node *)node->parent)->lookups++;
	*ret_node = *slot;
	(*slot)->lookups++;
	return 0;
}

void fx_range_forget(struct fx_fs *fs, fuse_ino_t ino, uint64_t count)
{
	FX_LOCKED(&fs->ranges->mutex);

	forget_locked(fs->ranges, fx_range_node_of(ino), count);
}

static struct fx_range_node *node_new(const struct fx_range_node *parent, const char *name,
				      size_t key_size)
{
	struct fx_range_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->parent = parent;
	strcpy(node->name, name); /* the kernel's names are not longer */
	if (parent)
		node->key = malloc(key_size + 1);
	else
		node->range = calloc(1, sizeof(*node->range));
	if (node->key || node->range)
		return node;
	node_free(node);
	return NULL;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

void fx_range_options(const struct fx_fs *fs, const struct fx_range_node *node,
		      struct feox_iter_options *ret_options)
{
	const struct fx_range *range = node->range;

	*ret_options = (struct feox_iter_options){.flags = FEOX_ITER_KEYS_ONLY,
						  .from = range->has_from ? range->from : NULL,
						  .from_size = range->from_size,
						  .to = range->has_to ? range->to : NULL,
						  .to_size = range->to_size,
						  .prefix = fs->rules.prefix,
						  .prefix_size = fs->rules.prefix_size};
}

static bool is_inside(const struct fx_fs *fs, const struct fx_range *range, const uint8_t *key,
		      size_t key_size)
{
	const struct fx_path_rules *rules = &fs->rules;

	if (key_size < rules->prefix_size ||
	    (rules->prefix_size && memcmp(key, rules->prefix, rules->prefix_size) != 0))
		return false;
	return (!range->has_from ||
		fx_bytes_cmp(key, key_size, range->from, range->from_size) >= 0) &&
	       (!range->has_to || fx_bytes_cmp(key, key_size, range->to, range->to_size) <= 0);
}

/* The key whose shortened name that is: of those that begin as it does. -ENOENT. */
static int find_short(struct fx_fs *fs, struct fx_range_node *node, const uint8_t *prefix,
		      size_t prefix_size)
{
	struct feox_iter_options options = {
		.flags = FEOX_ITER_KEYS_ONLY, .prefix = prefix, .prefix_size = prefix_size};
	char name[FX_NAME_MAX + 1];
	struct feox_iter *iter;
	struct feox_item item;
	int rc = feox_iter_open(fs->store, &options, &iter);

	if (rc < 0)
		return rc;
	while ((rc = feox_iter_next(iter, &item)) > 0) {
		fx_range_encode(item.key, item.key_size, name);
		if (strcmp(name, node->name) == 0)
			break;
	}
	if (rc > 0) {
		uint8_t *key = realloc(node->key, item.key_size + 1);

		rc = key ? 0 : -ENOMEM;
		if (key) {
			memcpy(key, item.key, item.key_size);
			node->key = key;
			node->key_size = item.key_size;
		}
	} else if (rc == 0) {
		rc = -ENOENT;
	}
	feox_iter_close(iter);
	return rc;
}

/* The key of node's name, which is in its range and there. -ENOENT. */
static int find_key(struct fx_call *call, struct fx_range_node *node)
{
	struct fx_fs *fs = call->fs;
	uint8_t prefix[FX_NAME_MAX];
	size_t size = strlen(node->name), prefix_size;
	struct feox_stat stat;
	int rc = fx_range_decode(node->name, size, node->key, &node->key_size);

	if (rc == 0)
		rc = feox_stat(fs->store, node->key, node->key_size, NULL, 0, &stat);
	if (rc == -ENOENT && fx_range_is_short(node->name, size, prefix, &prefix_size))
		rc = call->nowait ? -EAGAIN : find_short(fs, node, prefix, prefix_size);
	if (rc == 0 && !is_inside(fs, node->parent->range, node->key, node->key_size))
		rc = -ENOENT;
	return rc;
}

/* ---- LOOKUP, GETATTR ------------------------------------------------------------------------- */

static void directory_stat(struct fx_fs *fs, const struct fx_range_node *node,
			   struct stat *ret_stat)
{
	*ret_stat = (struct stat){
		.st_ino = fx_ino_hash(node->name, strlen(node->name), true),
		.st_mode = S_IFDIR | 0500,
		.st_nlink = 2,
		.st_uid = fs->options->uid,
		.st_gid = fs->options->gid,
		.st_blksize = 4096,
	};
	ret_stat->st_atim = ret_stat->st_mtim = ret_stat->st_ctim = fx_now();
}

static int key_stat(struct fx_call *call, const struct fx_range_node *node, struct stat *ret_stat)
{
	struct fx_fs *fs = call->fs;
	FX_AUTO_META struct fx_meta meta = {.blob = NULL};
	uint64_t ino = fx_ino_hash(node->key, node->key_size, false);
	int rc = fx_kv_publish(fs, node->key, node->key_size, call->nowait);

	if (rc == 0)
		rc = fx_meta_load(fs->store, node->key, node->key_size, &meta);
	if (rc < 0)
		return rc;
	fx_meta_stat(fs, &meta.attr, meta.stat.version, meta.stat.size, ino, false, ret_stat);
	ret_stat->st_mode = S_IFREG | 0400;
	ret_stat->st_uid = fs->options->uid;
	ret_stat->st_gid = fs->options->gid;
	ret_stat->st_rdev = 0;
	return 0;
}

static int node_stat(struct fx_call *call, const struct fx_range_node *node, struct stat *ret_stat)
{
	if (!node->range)
		return key_stat(call, node, ret_stat);
	directory_stat(call->fs, node, ret_stat);
	return 0;
}

static int fill_entry(struct fx_call *call, struct fx_range_node *node)
{
	struct fuse_entry_param entry = {.generation = 1};
	int rc;

	if (node->range)
		rc = fx_range_parse(node->name, strlen(node->name), node->range);
	else
		rc = find_key(call, node);
	if (rc == 0)
		rc = node_stat(call, node, &entry.attr);
	if (rc < 0) {
		node_free(node);
		return rc;
	}
	rc = enter(call->fs->ranges, node, &node);
	if (rc < 0)
		return rc;
	entry.ino = FX_INO_RANGE_BIT | (fuse_ino_t)(uintptr_t)node;
	call->entry = entry;
	return 0;
}

static int lookup_work(struct fx_call *call)
{
	struct fx_range_node *node;

	node = node_new(call->handle, call->name, strlen(call->name));
	return node ? fill_entry(call, node) : -ENOMEM;
}

static void answer_lookup(struct fx_call *call)
{
	fuse_ino_t ino = call->entry.ino;

	if (fuse_reply_entry(call->req, &call->entry) < 0)
		fx_range_forget(call->fs, ino, 1);
}

void fx_range_lookup(struct fx_fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	static const struct fx_op op = {
		.names = FX_NAMES_SHARED, .work = lookup_work, .answer = answer_lookup};
	struct fx_call call;

	fx_call_init(&call, req, 0);
	call.handle = fx_range_is(parent) ? fx_range_node_of(parent) : NULL;
	call.name = name;
	fx_call_run(&call, &op);
}

static int getattr_work(struct fx_call *call)
{
	return node_stat(call, call->handle, &call->attr);
}

void fx_range_getattr(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino)
{
	static const struct fx_op op = {
		.names = FX_NAMES_SHARED, .work = getattr_work, .answer = fx_answer_attr};
	struct fx_call call;

	fx_call_init(&call, req, 0);
	call.handle = fx_range_node_of(ino);
	fx_call_run(&call, &op);
}
