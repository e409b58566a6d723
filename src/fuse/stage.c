/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage.c - the life of a staged value.
 *
 *	none --begin--> clean --change--> dirty --publish--> clean --no writer left--> none
 *	                  \________________/ \
 *	                    name gone: orphan, kept until the last handle closes, never published
 *
 * 1. dirty implies reserved >= size (but for orphans, which need no room in the store), and
 *    reserved_more >= what described is beyond FX_DESCRIBED_MAX.
 * 2. dirty implies that the node is on later's list, so that it is published in time and at
 *unmount.
 * 3. A stage is published whole, by one feox_put that needs the key to be there (FEOX_REPLACE): a
 *    key that was deleted or has expired is not brought back. The record's attributes go along,
 *    with the times of the last change.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "kept.h"
#include "later.h"
#include "notify.h"
#include "stage.h"
#include "stage_room.h"

uint64_t fx_monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t fx_stage_size_max(const struct fx_fs *fs)
{
	return fs->options->max_value ? fs->options->max_value : FEOX_VALUE_MAX_DEFAULT;
}

void fx_stage_free(struct fx_fs *fs, struct fx_stage *stage)
{
	if (!stage)
		return;
	fx_stage_release_room(fs, stage);
	free(stage->data);
	free(stage);
}

void fx_stage_lose_name(struct fx_fs *fs, struct fx_node *node)
{
	if (!fx_node_is_detached(node))
		fx_node_detach(fs, node);
	if (node->stage)
		fx_stage_release_room(fs, node->stage);
}

void fx_stage_expire(struct fx_fs *fs, struct fx_node *node)
{
	if (!fs->ending && !fx_node_is_detached(node) && fx_notify_has_room(fs, 0))
		fx_notify_deleted(fs, node);
	fx_stage_lose_name(fs, node);
}

/* ---- Room ------------------------------------------------------------------------------------ */

static int stage_hold(struct fx_fs *fs, struct fx_stage *stage, uint64_t size)
{
	uint64_t capacity = stage->capacity;
	uint8_t *data;

	if (size <= capacity)
		return 0;
	capacity = capacity < FX_STAGE_GROW_FROM
			   ? fx_stage_room_for(fs, size)
			   : FX_MAX(capacity * 2, fx_stage_room_for(fs, size));
	capacity = FX_MAX(FX_MIN(capacity, fx_stage_size_max(fs)), size);
	data = realloc(stage->data, capacity); /* of large blocks by mremap(2): no copy */
	if (!data)
		return -ENOMEM;
	stage->data = data;
	stage->capacity = capacity;
	return 0;
}

int fx_stage_promise(struct fx_fs *fs, struct fx_node *node, uint64_t size, unsigned int nowait)
{
	int rc;

	size = FX_MAX(size, node->stage->size);
	if (size > fx_stage_size_max(fs))
		return -EFBIG;
	rc = stage_hold(fs, node->stage, size);
	return rc < 0 ? rc : fx_stage_reserve(fs, node, size, nowait);
}

/* ---- Begin ----------------------------------------------------------------------------------- */

static int stage_fill(struct fx_fs *fs, struct fx_stage *stage, const struct feox_value *value)
{
	int rc = stage_hold(fs, stage, value->size);

	if (rc < 0)
		return rc;
	if (value->size)
		memcpy(stage->data, value->data, value->size);
	stage->size = value->size;
	return 0;
}

static int stage_load(struct fx_fs *fs, struct fx_node *node, struct fx_stage *stage,
		      unsigned int nowait)
{
	struct feox_value value = {0};
	struct fx_key key;
	int rc = fx_node_key(fs, node, &key);

	if (rc == 0)
		rc = feox_get(fs->store, key.data, key.size, nowait, &value);
	if (rc == -ENOENT)
		fx_stage_expire(fs, node);
	if (rc == -ENOENT || rc == -ESTALE) {
		if (node->kept && node->kept->has_value)
			return stage_fill(fs, stage, &node->kept->value);
		return -ENOENT;
	}
	if (rc < 0)
		return rc;
	rc = stage_fill(fs, stage, &value);
	feox_value_release(fs->store, &value);
	return rc;
}

int fx_stage_begin(struct fx_fs *fs, struct fx_node *node, bool discard, unsigned int nowait)
{
	struct fx_stage *stage;
	int rc;

	if (node->stage)
		return 0;
	stage = calloc(1, sizeof(*stage));
	if (!stage)
		return -ENOMEM;
	rc = discard ? 0 : stage_load(fs, node, stage, nowait);
	if (rc < 0) {
		fx_stage_free(fs, stage);
		return rc;
	}
	node->stage = stage;
	return 0;
}

/* ---- Change ---------------------------------------------------------------------------------- */

static void stage_changed(struct fx_fs *fs, struct fx_node *node)
{
	struct fx_stage *stage = node->stage;

	stage->mtime = stage->ctime = fx_now();
	stage->last_ns = fx_monotonic();
	if (stage->dirty)
		return;
	stage->dirty = true;
	stage->first_ns = stage->last_ns;
	if (!fx_node_is_detached(node))
		fx_later_add(fs, node);
}

/* A gap between the end and offset reads as zeros. */
static void stage_fill_gap(struct fx_stage *stage, uint64_t offset)
{
	if (offset > stage->size)
		memset(stage->data + stage->size, 0, offset - stage->size);
}

int fx_stage_write(struct fx_fs *fs, struct fx_node *node, const void *data, size_t size,
		   uint64_t offset, unsigned int nowait)
{
	struct fx_stage *stage = node->stage;
	int rc;

	if (offset > fx_stage_size_max(fs) || size > fx_stage_size_max(fs) - offset)
		return -EFBIG;
	rc = fx_stage_promise(fs, node, offset + size, nowait);
	if (rc < 0)
		return rc;
	stage_fill_gap(stage, offset);
	if (size)
		memcpy(stage->data + offset, data, size);
	stage->size = FX_MAX(stage->size, offset + size);
	stage_changed(fs, node);
	return 0;
}

int fx_stage_resize(struct fx_fs *fs, struct fx_node *node, uint64_t size, unsigned int nowait)
{
	struct fx_stage *stage = node->stage;
	int rc;

	if (size > fx_stage_size_max(fs))
		return -EFBIG;
	rc = size > stage->size ? fx_stage_promise(fs, node, size, nowait)
				: fx_stage_reserve(fs, node, size, nowait);
	if (rc < 0)
		return rc;
	stage_fill_gap(stage, size);
	stage->size = size;
	stage_changed(fs, node);
	return 0;
}

int fx_stage_zero(struct fx_fs *fs, struct fx_node *node, uint64_t offset, uint64_t size,
		  bool extend, unsigned int nowait)
{
	struct fx_stage *stage = node->stage;
	uint64_t end = offset + size;
	int rc;

	if (extend && end > stage->size) {
		rc = fx_stage_resize(fs, node, end, nowait);
		if (rc < 0)
			return rc;
	}
	end = FX_MIN(end, stage->size);
	if (offset >= end)
		return 0;
	rc = fx_stage_promise(fs, node, stage->size, nowait);
	if (rc < 0)
		return rc;
	memset(stage->data + offset, 0, end - offset);
	stage_changed(fs, node);
	return 0;
}

/* ---- Publish --------------------------------------------------------------------------------- */

/* expiry_ns NULL: the key keeps the one it has. */
static int stage_put(struct fx_fs *fs, struct fx_node *node, struct fx_found *found,
		     const uint64_t *expiry_ns, unsigned int nowait,
		     struct feox_write_result *ret_result)
{
	struct fx_stage *stage = node->stage;
	struct feox_write_options options = {
		.flags = FEOX_REPLACE | FEOX_RESERVED | nowait |
			 (expiry_ns ? 0u : (unsigned int)FEOX_KEEP_EXPIRY),
		.expiry_ns = expiry_ns ? *expiry_ns : 0,
	};
	FX_AUTO_BLOB struct fx_blob blob = {.data = NULL};
	int rc;

	if (node->marker) {
		options.flags |= FEOX_KEEP_METADATA;
	} else {
		fx_attr_set_times(&found->meta.attr, stage->mtime, stage->ctime);
		rc = fx_blob_make(&found->meta.attr, &blob);
		if (rc < 0)
			return rc;
		options.metadata = blob.data;
		options.metadata_size = blob.size;
	}
	return feox_put(fs->store, found->key.data, found->key.size, stage->data, stage->size,
			&options, ret_result);
}

/* The handles of a file with a TTL keep what they see when it expires: also what they wrote. */
static int refresh_kept(struct fx_fs *fs, struct fx_node *node, unsigned int nowait)
{
	FX_AUTO_FOUND struct fx_found found;
	int rc;

	fx_found_init(&found);
	rc = fx_examine(fs, node, nowait, &found);
	if (rc < 0 || found.detached || (!found.expiry_ns && !node->kept))
		return rc;
	return fx_keep(fs, node, &found, true, nowait);
}

static int publish(struct fx_fs *fs, struct fx_node *node, const uint64_t *expiry_ns,
		   unsigned int nowait)
{
	struct fx_stage *stage = node->stage;
	struct feox_write_result result = {0};
	FX_AUTO_FOUND struct fx_found found;
	int rc;

	fx_found_init(&found);
	if (!stage || !stage->dirty || fx_node_is_detached(node))
		return 0;
	rc = fx_examine(fs, node, nowait, &found);
	if (rc == 0 && found.detached)
		rc = -ENOENT;
	if (rc == 0)
		rc = stage_put(fs, node, &found, expiry_ns, nowait, &result);
	if (rc == -ENOENT || rc == -ESTALE) {
		fx_stage_expire(fs, node);
		return 0;
	}
	if (rc < 0)
		return rc;
	/* The kernel's pages have every write that this version has. */
	if (node->cache_version == found.version)
		node->cache_version = result.version;
	stage->dirty = false;
	if (!stage->allocated)
		fx_stage_release_room(fs, stage);
	return 0;
}

int fx_stage_publish(struct fx_fs *fs, struct fx_node *node, unsigned int nowait)
{
	return publish(fs, node, NULL, nowait);
}

int fx_stage_publish_until(struct fx_fs *fs, struct fx_node *node, uint64_t expiry_ns,
			   unsigned int nowait)
{
	return publish(fs, node, &expiry_ns, nowait);
}

/* A marker's file that is empty exists by its stage only, so that one stays. */
static void stage_restart(struct fx_fs *fs, struct fx_node *node)
{
	bool stays = node->marker && node->stage;

	fx_stage_free(fs, FX_STEAL(node->stage));
	if (stays)
		fx_stage_begin(fs, node, false, 0);
}

void fx_stage_follow(struct fx_fs *fs, struct fx_node *node)
{
	if (fx_node_is_detached(node))
		return;
	stage_restart(fs, node);
	if (node->opens && !node->stage)
		refresh_kept(fs, node, 0); /* else they keep, at expiry, what they saw before */
}

int fx_stage_settle(struct fx_fs *fs, struct fx_node *node, unsigned int nowait)
{
	int rc = fx_stage_publish(fs, node, nowait);
	uint32_t users;

	if (rc < 0)
		return rc;
	users = fx_node_is_detached(node) ? node->opens : node->writers;
	if (users || !node->stage)
		return 0;
	if (node->opens)
		rc = refresh_kept(fs, node, nowait);
	if (rc == -ENOENT) /* it has expired just now */
		fx_stage_expire(fs, node);
	if (rc < 0) /* the stage is what the handles keep */
		return rc == -EAGAIN ? rc : 0;
	fx_stage_free(fs, FX_STEAL(node->stage));
	return 0;
}
