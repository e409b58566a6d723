/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup.c - names against the store.
 *
 * An ordinary name foo in directory D is
 *   a directory	when the marker D/foo/ or any live key below it is there,
 *   else a file	when the key D/foo is there (an empty marker is no file).
 * A continuation directory (%=+...) is there while a key lies below it, or while the kernel knows
 * its node: mkdir and rmdir of one live in memory only.
 */
#include <errno.h>
#include <string.h>

#include "kept.h"
#include "later.h"
#include "lookup.h"
#include "scan.h"
#include "stage.h"
#include "ttl.h"

void fx_found_init(struct fx_found *found)
{
	found->what = FX_ABSENT;
	found->kind = FX_NAME_ORDINARY;
	found->marker = found->recorded = found->detached = false;
	found->key.size = found->base_size = 0;
	found->meta.blob = NULL;
	memset(&found->meta.attr, 0, sizeof(found->meta.attr));
	memset(&found->meta.stat, 0, sizeof(found->meta.stat));
	found->expiry_ns = found->version = 0;
}

void fx_found_clear(struct fx_found *found)
{
	fx_meta_clear(&found->meta);
}

size_t fx_prefix_end(uint8_t *data, size_t size)
{
	while (size && data[size - 1] == 0xff)
		size--;
	if (size)
		data[size - 1]++;
	return size;
}

int fx_any_below(struct fx_fs *fs, const uint8_t *base, size_t base_size, bool below_marker,
		 unsigned int nowait, uint64_t *ret_expiry_ns, uint64_t *ret_version)
{
	struct feox_iter_options options = {.flags = FEOX_ITER_STAT | nowait,
					    .prefix = base,
					    .prefix_size = base_size,
					    .limit = 1};
	struct feox_iter *iter;
	struct feox_item item;
	int rc;

	if (below_marker) {
		options.flags |= FEOX_ITER_FROM_EXCLUSIVE;
		options.from = base;
		options.from_size = base_size;
	}
	rc = feox_iter_open(fs->store, &options, &iter);
	if (rc < 0)
		return rc;
	rc = feox_iter_next(iter, &item);
	if (rc > 0) {
		*ret_expiry_ns = item.expiry_ns;
		*ret_version = item.version;
	}
	feox_iter_close(iter);
	return rc;
}

/* The record of found->key. 0 also when it is absent. */
static int found_load(struct fx_fs *fs, struct fx_found *found)
{
	int rc = fx_meta_load(fs->store, found->key.data, found->key.size, &found->meta);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	found->recorded = true;
	found->expiry_ns = found->meta.stat.expiry_ns;
	found->version = found->meta.stat.version;
	return 0;
}

/* found->key is a base: is there such a directory? */
static int found_directory(struct fx_fs *fs, struct fx_found *found, bool has_marker,
			   unsigned int nowait)
{
	int rc = has_marker ? found_load(fs, found) : 0;

	if (rc < 0)
		return rc;
	if (!found->recorded) {
		rc = fx_any_below(fs, found->key.data, found->key.size, false, nowait,
				  &found->expiry_ns, &found->version);
		if (rc <= 0)
			return rc;
	}
	found->what = FX_DIRECTORY;
	return 0;
}

bool fx_key_is_marker(const struct fx_fs *fs, const uint8_t *key, size_t size)
{
	return size == fs->rules.prefix_size || key[size - 1] == (uint8_t)fs->rules.separator;
}

int fx_found_as_directory(struct fx_fs *fs, struct fx_found *found)
{
	if (found->kind != FX_NAME_ORDINARY)
		return 0;
	if (found->key.size >= FEOX_KEY_MAX)
		return -ENAMETOOLONG;
	found->key.data[found->key.size++] = (uint8_t)fs->rules.separator;
	found->marker = false;
	return 0;
}

static int resolve_ordinary(struct fx_fs *fs, unsigned int nowait, struct fx_found *found)
{
	bool marker = found->marker;
	int rc;

	if (fx_found_as_directory(fs, found) == 0) {
		rc = found_directory(fs, found, true, nowait);
		if (rc < 0 || found->what == FX_DIRECTORY)
			return rc;
		found->key.size--;
	}
	found->marker = marker;
	rc = found_load(fs, found);
	if (rc == 0 && found->recorded && !(marker && !found->meta.stat.size))
		found->what = FX_FILE;
	return rc;
}

static int resolve_continuation(struct fx_fs *fs, const struct fx_node *parent, const char *name,
				size_t name_size, unsigned int nowait, struct fx_found *found)
{
	struct fx_node *node;
	int rc = found_directory(fs, found, false, nowait);

	if (rc < 0 || found->what == FX_DIRECTORY)
		return rc;
	node = fx_node_find(fs, parent, name, name_size);
	if (node) {
		found->what = FX_DIRECTORY;
		found->version = fs->mounted_ns;
	}
	fx_node_unref(fs, node);
	return 0;
}

int fx_resolve(struct fx_fs *fs, const struct fx_node *parent, const char *name,
	       unsigned int nowait, struct fx_found *ret_found)
{
	struct fx_found *found = ret_found;
	size_t name_size = strlen(name);
	struct fx_key base;
	int rc;

	fx_found_init(found);
	rc = fx_node_key(fs, parent, &base);
	if (rc < 0)
		return rc;
	found->base_size = base.size;
	rc = fx_name_decode(&fs->rules, fx_node_place(parent, &base), name, name_size,
			    found->key.data, FEOX_KEY_MAX, &found->key.size, &found->kind,
			    &found->marker);
	if (rc < 0 || found->kind == FX_NAME_CONTROL)
		return rc;
	if (found->kind == FX_NAME_CONTINUATION)
		return resolve_continuation(fs, parent, name, name_size, nowait, found);
	found->marker = fx_key_is_marker(fs, found->key.data, found->key.size);
	if (found->kind == FX_NAME_ORDINARY)
		return resolve_ordinary(fs, nowait, found);
	rc = found_load(fs, found);
	if (rc == 0 && found->recorded && !(found->marker && !found->meta.stat.size))
		found->what = FX_FILE;
	return rc;
}

struct fx_spot fx_found_spot(const struct fx_found *found, struct fx_node *parent, const char *name)
{
	struct fx_spot spot = {.parent = parent,
			       .name = name,
			       .name_size = strlen(name),
			       .kind = FX_NODE_FILE,
			       .self = found->kind == FX_NAME_SELF,
			       .marker = found->marker};

	if (found->what == FX_DIRECTORY)
		spot.kind = found->kind == FX_NAME_CONTINUATION ? FX_NODE_CONTINUATION
								: FX_NODE_DIRECTORY;
	if (!spot.self) {
		spot.piece = found->key.data + found->base_size;
		spot.piece_size = found->key.size - found->base_size;
	}
	return spot;
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

/* What was kept in memory: of a detached node, or of a continuation directory. */
static int examine_kept(struct fx_node *node, struct fx_found *found)
{
	const struct fx_kept *kept = node->kept;
	int rc;

	if (!kept)
		return 0;
	rc = fx_meta_from_blob(kept->blob, kept->blob_size, &found->meta);
	found->meta.stat.size = kept->size;
	found->meta.stat.version = found->version = kept->version;
	return rc;
}

static int examine_directory(struct fx_fs *fs, struct fx_node *node, unsigned int nowait,
			     struct fx_found *found)
{
	int rc = found_directory(fs, found, node->kind == FX_NODE_DIRECTORY, nowait);

	if (rc < 0 || found->what == FX_DIRECTORY)
		return rc;
	if (node->kind == FX_NODE_DIRECTORY && node->parent)
		return -ENOENT;
	found->what = FX_DIRECTORY;
	found->expiry_ns = 0;
	found->version = fs->mounted_ns;
	return 0;
}

int fx_examine(struct fx_fs *fs, struct fx_node *node, unsigned int nowait,
	       struct fx_found *ret_found)
{
	struct fx_found *found = ret_found;
	int rc;

	fx_found_init(found);
	found->marker = node->marker;
	if (node->self)
		found->kind = FX_NAME_SELF;
	else if (node->kind == FX_NODE_CONTINUATION)
		found->kind = FX_NAME_CONTINUATION;
	rc = fx_node_key(fs, node, &found->key);
	if (rc == -ESTALE) {
		found->what = fx_node_is_directory(node) ? FX_DIRECTORY : FX_FILE;
		found->detached = true;
		found->key.size = 0;
		return node->kept || node->stage ? examine_kept(node, found) : -ESTALE;
	}
	if (rc < 0)
		return rc;
	if (fx_node_is_directory(node)) {
		rc = examine_directory(fs, node, nowait, found);
		if (rc == 0 && node->kind == FX_NODE_CONTINUATION)
			rc = examine_kept(node, found);
		return rc;
	}
	rc = found_load(fs, found);
	if (rc < 0)
		return rc;
	if (!found->recorded && !(node->marker && node->stage))
		return -ENOENT;
	found->what = FX_FILE;
	return 0;
}

int fx_examine_file(struct fx_fs *fs, struct fx_node *node, unsigned int nowait,
		    struct fx_found *ret_found)
{
	int rc = fx_examine(fs, node, nowait, ret_found);

	if (rc == -ENOENT) {
		fx_stage_expire(fs, node);
		rc = fx_examine(fs, node, nowait, ret_found);
	}
	return rc == -ESTALE ? fx_lost_errno(node) : rc;
}

/* ---- struct stat ----------------------------------------------------------------------------- */

static void stat_stage(const struct fx_stage *stage, struct stat *st)
{
	st->st_size = (off_t)stage->size;
	st->st_blocks = (st->st_size + 511) / 512;
	if (!stage->dirty)
		return;
	st->st_mtim = stage->mtime;
	st->st_ctim = stage->ctime;
}

static int stat_directory(struct fx_fs *fs, struct fx_node *node, const struct fx_found *found,
			  unsigned int nowait, struct stat *st, uint64_t *expiry_ns)
{
	struct timespec touched;
	uint64_t earliest_ns;
	int rc;

	if (node && fx_later_touched(fs, node, &touched) && fx_time_after(touched, st->st_ctim))
		st->st_mtim = st->st_ctim = touched;
	if (found->detached)
		return 0;
	rc = fx_scan_count_directories(fs, &found->key, found->kind == FX_NAME_CONTINUATION, nowait,
				       &st->st_nlink, &earliest_ns);
	if (rc == 0)
		*expiry_ns = fx_ttl_earlier(*expiry_ns, earliest_ns);
	return rc;
}

int fx_found_stat(struct fx_fs *fs, struct fx_node *node, const struct fx_found *found,
		  unsigned int nowait, struct stat *ret_stat, uint64_t *ret_expiry_ns)
{
	static const struct fx_attr none;
	bool directory = found->what == FX_DIRECTORY;
	uint64_t expiry_ns = found->expiry_ns, ino;
	struct stat st;
	int rc = 0;

	ino = fx_ino_hash(found->key.data, found->key.size, directory);
	if (found->detached)
		ino = atomic_load_explicit(&node->ino, memory_order_relaxed);
	fx_meta_stat(fs, found->marker ? &none : &found->meta.attr, found->version,
		     found->meta.stat.size, ino, directory, &st);
	if (directory)
		rc = stat_directory(fs, node, found, nowait, &st, &expiry_ns);
	else if (node && node->stage)
		stat_stage(node->stage, &st);
	if (rc < 0)
		return rc;
	if (node && !directory)
		node->overwritten = false;
	if (found->detached)
		st.st_nlink = 0;
	else if (node)
		atomic_store_explicit(&node->ino, st.st_ino, memory_order_relaxed);
	*ret_stat = st;
	*ret_expiry_ns = expiry_ns;
	return 0;
}
