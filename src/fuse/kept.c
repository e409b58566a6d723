/* SPDX-License-Identifier: Apache-2.0 */
/* kept.c - see kept.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kept.h"
#include "stage.h"

void fx_kept_free(struct fx_fs *fs, struct fx_kept *kept)
{
	if (!kept)
		return;
	if (kept->has_value)
		feox_value_release(fs->store, &kept->value);
	free(kept->blob);
	free(kept);
}

static int kept_copy_blob(struct fx_kept *kept, const void *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		return -ENOMEM;
	if (size)
		memcpy(copy, data, size);
	free(kept->blob);
	kept->blob = copy;
	kept->blob_size = size;
	return 0;
}

int fx_kept_set_blob(struct fx_kept *kept, const struct fx_blob *blob)
{
	return kept_copy_blob(kept, blob->data, blob->size);
}

static int kept_fill(struct fx_fs *fs, const struct fx_found *found, bool with_value,
		     unsigned int nowait, struct fx_kept *kept)
{
	const struct fx_meta *meta = &found->meta;
	int rc;

	kept->size = found->recorded ? meta->stat.size : 0;
	kept->version = found->version;
	/* A directory's marker has the directory's attributes, not the file's that it is too. */
	if (found->marker || !found->recorded)
		rc = kept_copy_blob(kept, NULL, 0);
	else
		rc = kept_copy_blob(kept, meta->blob ? meta->blob : meta->small,
				    meta->stat.metadata_size);
	if (rc < 0 || !with_value)
		return rc;
	rc = feox_get(fs->store, found->key.data, found->key.size, nowait, &kept->value);
	if (rc < 0)
		return rc;
	kept->has_value = true;
	kept->size = kept->value.size;
	kept->version = kept->value.version;
	return 0;
}

int fx_keep(struct fx_fs *fs, struct fx_node *node, const struct fx_found *found, bool with_value,
	    unsigned int nowait)
{
	struct fx_kept *kept = calloc(1, sizeof(*kept));
	int rc;

	if (!kept)
		return -ENOMEM;
	rc = kept_fill(fs, found, with_value, nowait, kept);
	if (rc < 0) {
		fx_kept_free(fs, kept);
		return rc;
	}
	fx_kept_free(fs, node->kept);
	node->kept = kept;
	return 0;
}

int fx_keep_removed(struct fx_fs *fs, struct fx_node *node, const struct fx_found *found,
		    bool with_value, unsigned int nowait)
{
	struct fx_attr attr = found->meta.attr;
	FX_AUTO_BLOB struct fx_blob blob = {.data = NULL};
	int rc = fx_keep(fs, node, found, with_value, nowait);

	if (rc < 0 || found->marker || !found->recorded)
		return rc;
	attr.ctime = fx_now();
	attr.set |= FX_ATTR_CTIME;
	if (node->stage && node->stage->dirty)
		node->stage->ctime = attr.ctime;
	rc = fx_blob_make(&attr, &blob);
	return rc < 0 ? rc : fx_kept_set_blob(node->kept, &blob);
}

void fx_keep_replaced(struct fx_fs *fs, struct fx_node *node, const struct fx_found *found)
{
	if (!fx_node_is_directory(node) && !node->opens && !node->stage && found->recorded)
		fx_keep(fs, node, found, true, FEOX_NOWAIT);
}
