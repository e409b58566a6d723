/* SPDX-License-Identifier: Apache-2.0 */
/* kv_target.c - see kv_target.h. */
#include "kv_target.h"

#include <errno.h>
#include <string.h>

#include "lookup.h"
#include "notify.h"
#include "stage.h"

int fx_kv_target_begin(struct fx_fs *fs, const void *key, size_t key_size, unsigned int nowait,
		       struct fx_kv_target *ret_target)
{
	struct fx_kv_target *target = ret_target;
	struct feox_stat stat;
	struct fx_node *file;
	int rc;

	memset(&target->kv, 0, sizeof(target->kv));
	target->noticed = false;
	fx_known_find(fs, key, key_size, &target->known);
	rc = feox_stat(fs->store, key, key_size, NULL, 0, &stat);
	target->existed = rc == 0;
	file = fx_known_file(&target->known);
	/* An expired file does not come back by this name; a marker's may be there by its stage. */
	if (file && rc == -ENOENT && !file->marker) {
		fx_stage_expire(fs, file);
		file = NULL;
	}
	target->kv.fs = fs;
	target->kv.node = file;
	target->kv.key = key;
	target->kv.key_size = key_size;
	target->kv.nowait = nowait;
	return rc == -ENOENT ? 0 : rc;
}

void fx_kv_target_clear(struct fx_kv_target *target)
{
	fx_known_clear(target->kv.fs, &target->known);
}

/* What the kernel has of the file; with pages its content too. */
static int drop_file(struct fx_kv_target *target, bool pages)
{
	if (!target->kv.node)
		return 0;
	target->noticed = true;
	return fx_notify_inode(target->kv.fs, target->kv.node, pages, NULL, NULL);
}

int fx_kv_target_set(struct fx_kv_target *target)
{
	int rc = drop_file(target, true);

	/* A marker is a file while it has a value. */
	if (rc < 0 || (target->existed &&
		       !fx_key_is_marker(target->kv.fs, target->kv.key, target->kv.key_size)))
		return rc;
	target->noticed = true;
	return fx_known_made(target->kv.fs, &target->known);
}

int fx_kv_target_deleted(struct fx_kv_target *target)
{
	int rc = drop_file(target, false);

	target->noticed = true;
	return rc < 0 ? rc : fx_known_gone(target->kv.fs, &target->known);
}

int fx_kv_target_expires(struct fx_kv_target *target)
{
	if (target->kv.expiry_ns) {
		fx_known_shortened(target->kv.fs, &target->known, target->kv.expiry_ns);
		target->noticed = true;
	}
	return drop_file(target, false);
}

static int publish_file(struct fx_fs *fs, struct fx_node *file, unsigned int nowait)
{
	int rc;

	if (nowait && pthread_mutex_trylock(&file->mutex))
		return -EAGAIN;
	if (!nowait)
		pthread_mutex_lock(&file->mutex);
	rc = fx_stage_publish(fs, file, nowait);
	pthread_mutex_unlock(&file->mutex);
	return rc;
}

int fx_kv_publish(struct fx_fs *fs, const void *key, size_t key_size, unsigned int nowait)
{
	struct fx_known known;
	struct fx_node *file;
	int rc = 0;

	fx_known_find(fs, key, key_size, &known);
	file = fx_known_file(&known);
	if (file)
		rc = publish_file(fs, file, nowait);
	fx_known_clear(fs, &known);
	return rc;
}
