/* SPDX-License-Identifier: Apache-2.0 */
/* dir_change.c - see dir_change.h. */
#include <errno.h>
#include <string.h>

#include "dir_change.h"
#include "later.h"

void fx_dir_change_init(struct fx_dir_change *change)
{
	change->directory = NULL;
	fx_found_init(&change->found);
}

void fx_dir_change_clear(struct fx_dir_change *change)
{
	fx_found_clear(&change->found);
}

int fx_dir_change_begin(struct fx_fs *fs, struct fx_node *directory, unsigned int nowait,
			struct fx_dir_change *ret_change)
{
	struct fx_node *keyed = directory;
	int rc;

	while (keyed->kind == FX_NODE_CONTINUATION)
		keyed = keyed->parent;
	rc = fx_examine(fs, keyed, nowait, &ret_change->found);
	if (rc < 0 || ret_change->found.detached)
		return rc < 0 ? rc : -ENOENT;
	ret_change->fs = fs;
	ret_change->directory = directory;
	ret_change->nowait = nowait;
	ret_change->marked = ret_change->found.recorded;
	return 0;
}

int fx_dir_change_add_marker(struct fx_dir_change *change, struct feox_batch *batch)
{
	struct feox_write_options options = {.flags = FEOX_IF_ABSENT};
	FX_AUTO_BLOB struct fx_blob blob = {.data = NULL};
	struct timespec now = fx_now();
	struct fx_attr attr = {0};
	int rc;

	if (change->marked)
		return 0;
	fx_attr_set_times(&attr, now, now);
	rc = fx_blob_make(&attr, &blob);
	if (rc < 0)
		return rc;
	options.metadata = blob.data;
	options.metadata_size = blob.size;
	return feox_batch_put(batch, change->found.key.data, change->found.key.size, NULL, 0,
			      &options);
}

void fx_dir_change_done(struct fx_dir_change *change)
{
	/* A marker that has just been made has these times; a continuation keeps them in memory. */
	if (change->marked || change->directory->kind == FX_NODE_CONTINUATION)
		fx_later_touch(change->fs, change->directory);
}

void fx_batch_cleanup(struct feox_batch **batch)
{
	feox_batch_free(*batch);
}

static int commit_with_marker(struct fx_dir_change *change, struct feox_batch *batch)
{
	int rc = fx_dir_change_add_marker(change, batch);

	return rc < 0 ? rc : feox_batch_commit(batch, change->nowait, NULL);
}

int fx_dir_change_put(struct fx_dir_change *change, const struct fx_key *key, const void *value,
		      size_t size, const struct feox_write_options *options)
{
	struct feox_write_options own = *options;
	FX_AUTO_BATCH struct feox_batch *batch = NULL;
	int rc;

	if (change->marked) {
		own.flags |= change->nowait;
		rc = feox_put(change->fs->store, key->data, key->size, value, size, &own, NULL);
	} else {
		rc = feox_batch_create(change->fs->store, &batch);
		if (rc == 0)
			rc = feox_batch_put(batch, key->data, key->size, value, size, &own);
		if (rc == 0)
			rc = commit_with_marker(change, batch);
	}
	if (rc == 0)
		fx_dir_change_done(change);
	return rc;
}

int fx_dir_change_delete(struct fx_dir_change *change, const struct fx_key *key)
{
	struct feox_write_options options = {.flags = change->nowait};
	FX_AUTO_BATCH struct feox_batch *batch = NULL;
	int rc;

	if (change->marked) {
		rc = feox_delete(change->fs->store, key->data, key->size, &options);
	} else {
		rc = feox_batch_create(change->fs->store, &batch);
		if (rc == 0)
			rc = feox_batch_delete(batch, key->data, key->size, NULL);
		if (rc == 0)
			rc = commit_with_marker(change, batch);
	}
	if (rc == 0)
		fx_dir_change_done(change);
	return rc;
}
