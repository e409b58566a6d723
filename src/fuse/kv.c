/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv.c - see kv.h.
 *
 * A dirty stage has a version that nobody has been told: whoever compares with one loses, after the
 * stage was published (so that he can be told the version it has now). Everything else starts from
 * the staged bytes (FEOX_BASE) and replaces them.
 */
#include "kv.h"

#include <errno.h>
#include <string.h>

#include "kept.h"
#include "stage.h"

static struct fx_stage *dirty_stage(const struct fx_kv *kv)
{
	struct fx_node *node = kv->node;

	if (!node || !node->stage || !node->stage->dirty || fx_node_is_detached(node))
		return NULL;
	return node->stage;
}

/* Whether the version compared with may still be the key's. */
static int check_stage(const struct fx_kv *kv)
{
	int rc;

	if (!(kv->flags & FEOX_IF_VERSION) || !dirty_stage(kv))
		return 0;
	rc = fx_stage_publish(kv->fs, kv->node, kv->nowait);
	return rc < 0 ? rc : -ECANCELED;
}

/* ---- Options of a write ---------------------------------------------------------------------- */

struct write {
	struct feox_write_options options;
	struct fx_meta meta; /* of the key before */
	struct fx_blob blob; /* its attributes after */
};
#define FX_AUTO_WRITE __attribute__((cleanup(write_clear)))

static void write_clear(struct write *write)
{
	fx_blob_clear(&write->blob);
	fx_meta_clear(&write->meta);
}

/* The attributes that the key has, with its times now; one without any has its version's time. */
static int write_attributes(const struct fx_kv *kv, struct write *write)
{
	struct fx_attr *attr = &write->meta.attr;
	struct timespec now = fx_now();
	int rc = fx_meta_load(kv->fs->store, kv->key, kv->key_size, &write->meta);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (!write->meta.stat.metadata_size)
		return 0;
	if ((attr->set & (FX_ATTR_MTIME | FX_ATTR_CTIME)) &&
	    !fx_key_is_marker(kv->fs, kv->key, kv->key_size))
		fx_attr_set_times(attr, now, now);
	rc = fx_blob_make(attr, &write->blob);
	write->options.metadata = write->blob.data;
	write->options.metadata_size = write->blob.size;
	return rc;
}

static int write_begin(const struct fx_kv *kv, struct write *ret_write)
{
	memset(&ret_write->options, 0, sizeof(ret_write->options));
	ret_write->meta.blob = NULL;
	ret_write->blob.data = NULL;
	ret_write->options.flags = kv->nowait | kv->flags;
	ret_write->options.if_version = kv->if_version;
	ret_write->options.expiry_ns = kv->expiry_ns;
	return write_attributes(kv, ret_write);
}

/* For feox_put() and feox_cas(), which replace everything unless told otherwise. */
static void write_keeps_expiry(struct write *write)
{
	if (!(write->options.flags & FEOX_SET_EXPIRY))
		write->options.flags |= FEOX_KEEP_EXPIRY;
	write->options.flags &= ~(unsigned int)FEOX_SET_EXPIRY;
}

/* For feox_add() and feox_patch(), which start from what is staged. */
static void write_starts_from_stage(const struct fx_kv *kv, struct write *write)
{
	const struct fx_stage *stage = dirty_stage(kv);

	write->options.flags |= FEOX_SET_METADATA;
	if (!stage)
		return;
	write->options.flags |= FEOX_BASE;
	write->options.base = stage->data ? stage->data : (const uint8_t *)"";
	write->options.base_size = stage->size;
}

/* ---- After a change -------------------------------------------------------------------------- */

/* The key is gone although it was staged: so is the file's name. */
static int lost(const struct fx_kv *kv, int rc)
{
	if (rc == -ENOENT && kv->node && !fx_node_is_detached(kv->node))
		fx_stage_expire(kv->fs, kv->node);
	return rc;
}

/* The new value is committed: handles go on from it. Waits, for memory only: it is new. */
static void handles_follow(const struct fx_kv *kv)
{
	struct fx_node *node = kv->node;

	if (!node)
		return;
	fx_stage_follow(kv->fs, node);
	node->cache_version = 0;
	node->changed_ns = fx_monotonic();
}

int fx_kv_put(const struct fx_kv *kv, const void *value, size_t size,
	      struct feox_write_result *ret_result)
{
	FX_AUTO_WRITE struct write write;
	int rc = write_begin(kv, &write);

	if (rc == 0)
		rc = check_stage(kv);
	if (rc < 0)
		return rc;
	write_keeps_expiry(&write);
	rc = feox_put(kv->fs->store, kv->key, kv->key_size, value, size, &write.options,
		      ret_result);
	if (rc == 0)
		handles_follow(kv);
	return lost(kv, rc);
}

/* The same of what is staged: there the comparison is ours. */
static int swap_staged(const struct fx_kv *kv, const struct fx_stage *stage, const void *expected,
		       size_t expected_size, const void *value, size_t size,
		       struct feox_write_result *ret_result)
{
	struct fx_kv replace = *kv;

	if (stage->size != expected_size ||
	    (expected_size && memcmp(stage->data, expected, expected_size) != 0))
		return -ECANCELED;
	replace.flags |= FEOX_REPLACE;
	return fx_kv_put(&replace, value, size, ret_result);
}

static int swap_stored(const struct fx_kv *kv, const void *expected, size_t expected_size,
		       const void *value, size_t size, struct feox_write_result *ret_result)
{
	FX_AUTO_WRITE struct write write;
	int rc = write_begin(kv, &write);

	if (rc < 0)
		return rc;
	write_keeps_expiry(&write);
	rc = feox_cas(kv->fs->store, kv->key, kv->key_size, expected, expected_size, value, size,
		      &write.options, ret_result);
	if (rc == 0)
		handles_follow(kv);
	return lost(kv, rc);
}

int fx_kv_swap(const struct fx_kv *kv, const void *expected, size_t expected_size,
	       const void *value, size_t size, struct feox_write_result *ret_result)
{
	const struct fx_stage *stage = dirty_stage(kv);

	return stage ? swap_staged(kv, stage, expected, expected_size, value, size, ret_result)
		     : swap_stored(kv, expected, expected_size, value, size, ret_result);
}

int fx_kv_add(const struct fx_kv *kv, int64_t delta, int64_t *ret_number,
	      struct feox_write_result *ret_result)
{
	FX_AUTO_WRITE struct write write;
	int rc = write_begin(kv, &write);

	if (rc == 0)
		rc = check_stage(kv);
	if (rc < 0)
		return rc;
	write_starts_from_stage(kv, &write);
	rc = feox_add(kv->fs->store, kv->key, kv->key_size, delta, &write.options, ret_number,
		      ret_result);
	if (rc == 0)
		handles_follow(kv);
	return lost(kv, rc);
}

int fx_kv_patch(const struct fx_kv *kv, const void *patch, size_t size,
		struct feox_write_result *ret_result, struct feox_diag *diag)
{
	FX_AUTO_WRITE struct write write;
	int rc = write_begin(kv, &write);

	if (rc == 0)
		rc = check_stage(kv);
	if (rc < 0)
		return rc;
	write_starts_from_stage(kv, &write);
	rc = feox_patch(kv->fs->store, kv->key, kv->key_size, patch, size, &write.options,
			ret_result, diag);
	if (rc == 0)
		handles_follow(kv);
	return lost(kv, rc);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

/* What the handles see now is theirs when the name is gone. */
static int keep_for_handles(const struct fx_kv *kv)
{
	struct fx_node *node = kv->node;
	FX_AUTO_FOUND struct fx_found found;
	int rc;

	fx_found_init(&found);
	if (!node || !node->opens)
		return 0;
	rc = fx_examine(kv->fs, node, kv->nowait, &found);
	if (rc < 0 || found.detached)
		return rc;
	return fx_keep(kv->fs, node, &found, !node->stage, kv->nowait);
}

int fx_kv_delete(const struct fx_kv *kv)
{
	struct feox_write_options options = {.flags = kv->nowait | kv->flags,
					     .if_version = kv->if_version};
	int rc = check_stage(kv);

	if (rc == 0)
		rc = keep_for_handles(kv);
	if (rc == 0)
		rc = feox_delete(kv->fs->store, kv->key, kv->key_size, &options);
	if (rc == 0 && kv->node)
		fx_stage_lose_name(kv->fs, kv->node);
	return lost(kv, rc);
}

int fx_kv_expire(const struct fx_kv *kv)
{
	struct feox_write_options options = {.flags = kv->nowait | kv->flags,
					     .if_version = kv->if_version};
	int rc = check_stage(kv);

	if (rc == 0 && kv->expiry_ns)
		rc = keep_for_handles(kv);
	if (rc < 0)
		return lost(kv, rc);
	if (!dirty_stage(kv)) {
		rc = feox_set_expiry(kv->fs->store, kv->key, kv->key_size, kv->expiry_ns, &options);
		return lost(kv, rc);
	}
	rc = fx_stage_publish_until(kv->fs, kv->node, kv->expiry_ns, kv->nowait);
	return rc == 0 && fx_node_is_detached(kv->node) ? -ENOENT : rc;
}

/* ---- Batches --------------------------------------------------------------------------------- */

int fx_kv_batch_put(const struct fx_kv *kv, struct feox_batch *batch, const void *value,
		    size_t size)
{
	FX_AUTO_WRITE struct write write;
	int rc = write_begin(kv, &write);

	if (rc == 0)
		rc = check_stage(kv);
	if (rc < 0)
		return rc;
	write_keeps_expiry(&write);
	write.options.flags &= ~(unsigned int)FEOX_NOWAIT;
	return feox_batch_put(batch, kv->key, kv->key_size, value, size, &write.options);
}

int fx_kv_batch_delete(const struct fx_kv *kv, struct feox_batch *batch)
{
	struct feox_write_options options = {.flags = kv->flags & FEOX_IF_VERSION,
					     .if_version = kv->if_version};
	int rc = check_stage(kv);

	if (rc == 0)
		rc = keep_for_handles(kv);
	return rc < 0 ? rc : feox_batch_delete(batch, kv->key, kv->key_size, &options);
}

void fx_kv_batch_done(const struct fx_kv *kv, bool deleted)
{
	if (!deleted)
		handles_follow(kv);
	else if (kv->node)
		fx_stage_lose_name(kv->fs, kv->node);
}
