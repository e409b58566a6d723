/* SPDX-License-Identifier: Apache-2.0 */
/* stage_room.c - room in the store, promised to staged values. See stage_room.h. */
#include <errno.h>

#include "cleanup.h"
#include "stage_room.h"

#define FX_STAGE_STEP	 ((uint64_t)4096)      /* smallest buffer and reservation */
#define FX_DESCRIBED_MAX ((uint64_t)20 * 1024) /* of key and attributes, in each feox_reserve() */

void fx_stage_release_room(struct fx_fs *fs, struct fx_stage *stage)
{
	if (stage->reserved)
		feox_unreserve(fs->store, stage->reserved);
	if (stage->reserved_more)
		feox_unreserve(fs->store, stage->reserved_more);
	stage->reserved = stage->reserved_more = 0;
}

uint64_t fx_stage_room_for(const struct fx_fs *fs, uint64_t size)
{
	uint64_t room = (size + FX_STAGE_STEP - 1) / FX_STAGE_STEP * FX_STAGE_STEP;

	if (size >= FX_STAGE_GROW_FROM)
		room = size + size / 2;
	if (room < FX_STAGE_STEP)
		room = FX_STAGE_STEP;
	return FX_MIN(room, fx_stage_size_max(fs));
}

static int promise(struct fx_fs *fs, struct fx_stage *stage, uint64_t size, unsigned int nowait)
{
	int rc = stage->reserved ? feox_reserve_more(fs->store, stage->reserved, size, nowait)
				 : feox_reserve(fs->store, size, nowait);

	if (rc == 0)
		stage->reserved = size;
	return rc;
}

/* How many bytes the record has besides its value; whatever has no record needs no room. */
static int measure(struct fx_fs *fs, struct fx_node *node, struct fx_stage *stage)
{
	struct feox_stat stat;
	struct fx_key key;
	int rc = fx_node_key(fs, node, &key);

	if (rc == 0)
		rc = feox_stat(fs->store, key.data, key.size, NULL, 0, &stat);
	if (rc == 0)
		stage->described = key.size + stat.metadata_size;
	return rc == -ENOENT || rc == -ESTALE ? 0 : rc;
}

/* Large attributes: what they take beyond what every promise has for them. */
static int promise_more(struct fx_fs *fs, struct fx_stage *stage, unsigned int nowait)
{
	uint64_t more = stage->described - FX_MIN(stage->described, FX_DESCRIBED_MAX);
	int rc;

	more = FX_MIN(more, fx_stage_size_max(fs));
	if (more <= stage->reserved_more)
		return 0;
	rc = stage->reserved_more ? feox_reserve_more(fs->store, stage->reserved_more, more, nowait)
				  : feox_reserve(fs->store, more, nowait);
	if (rc == 0)
		stage->reserved_more = more;
	return rc;
}

/* Preferably more is promised, so that not every write has to ask. */
int fx_stage_reserve(struct fx_fs *fs, struct fx_node *node, uint64_t size, unsigned int nowait)
{
	struct fx_stage *stage = node->stage;
	uint64_t want = fx_stage_room_for(fs, size);
	int rc = 0;

	if (fx_node_is_detached(node))
		return 0;
	if (!stage->reserved)
		rc = measure(fs, node, stage);
	if (rc == 0)
		rc = promise_more(fs, stage, nowait);
	if (rc < 0 || (stage->reserved && stage->reserved >= size))
		return rc;
	rc = promise(fs, stage, want, nowait);
	if ((rc == -ENOSPC || rc == -ENOMEM) && want > size)
		rc = promise(fs, stage, FX_MAX(size, 1), nowait);
	return rc;
}

int fx_stage_allocate(struct fx_fs *fs, struct fx_node *node, uint64_t size, unsigned int nowait)
{
	int rc = fx_stage_promise(fs, node, size, nowait);

	if (rc == 0)
		node->stage->allocated = FX_MAX(node->stage->allocated, size);
	return rc;
}

int fx_stage_describe(struct fx_fs *fs, struct fx_node *node, uint64_t size, unsigned int nowait)
{
	struct fx_stage *stage = node->stage;
	uint64_t before;
	int rc = 0;

	if (!stage)
		return 0;
	before = stage->described;
	stage->described = size;
	if (stage->reserved && !fx_node_is_detached(node))
		rc = promise_more(fs, stage, nowait);
	if (rc < 0)
		stage->described = before;
	return rc;
}
