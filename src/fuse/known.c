/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known.c - see known.h.
 *
 * What has no node the kernel does not know, but for one thing: that a name in a directory it knows
 * is not there. So the way ends at the first name without a node, and that name is invalidated all
 * the same.
 */
#include "known.h"

#include <errno.h>
#include <string.h>

#include "call.h"
#include "cleanup.h"
#include "expiring.h"
#include "lookup.h"
#include "notify.h"
#include "stage.h"

/* ---- The way --------------------------------------------------------------------------------- */

static struct fx_node *find_child(struct fx_fs *fs, const struct fx_known *known)
{
	return fx_node_find(fs, known->directory, known->name.text, known->name.size);
}

static void step_into(struct fx_fs *fs, struct fx_known *known)
{
	fx_node_unref(fs, known->directory);
	known->directory = known->child;
	known->child = NULL;
}

/* A key whose name is a directory's too is `%=.` in it. */
static void step_to_self(struct fx_fs *fs, struct fx_known *known)
{
	step_into(fs, known);
	memcpy(known->name.text, "%=.", 4);
	known->name.size = 3;
	known->child = find_child(fs, known);
}

void fx_known_find(struct fx_fs *fs, const void *key, size_t key_size, struct fx_known *ret_known)
{
	struct fx_known *known = ret_known;
	struct fx_place place = {.base = key, .size = fs->rules.prefix_size};

	*known = (struct fx_known){.directory = fx_node_of(fs, FUSE_ROOT_ID)};
	fx_node_ref(fs, known->directory);
	for (;;) {
		fx_name_encode(&fs->rules, place, key, key_size, &known->name);
		known->child = find_child(fs, known);
		known->leaf = !known->name.directory;
		if (!known->child || !fx_node_is_directory(known->child))
			return;
		if (known->leaf) {
			step_to_self(fs, known);
			return;
		}
		place.size = known->name.base_size;
		place.partial = known->name.kind == FX_NAME_CONTINUATION;
		step_into(fs, known);
	}
}

void fx_known_clear(struct fx_fs *fs, struct fx_known *known)
{
	fx_node_unref(fs, known->directory);
	fx_node_unref(fs, known->child);
	*known = (struct fx_known){.directory = NULL};
}

/* ---- Changes --------------------------------------------------------------------------------- */

static int drop_name(struct fx_fs *fs, const struct fx_known *known)
{
	return fx_notify_name(fs, known->directory, known->name.text, known->name.size);
}

/* It counts its subdirectories, and a marker has its attributes. */
static int drop_attributes(struct fx_fs *fs, struct fx_node *directory)
{
	return fx_notify_inode(fs, directory, false, NULL, NULL);
}

int fx_known_made(struct fx_fs *fs, struct fx_known *known)
{
	int rc = 0;

	if (!known->leaf && known->child) {
		rc = fx_node_demote(fs, known->child);
		if (rc < 0)
			return rc;
	}
	rc = drop_name(fs, known);
	return rc < 0 ? rc : drop_attributes(fs, known->directory);
}

/* 1: no key proves any more that the directory is there. */
static int has_vanished(struct fx_fs *fs, struct fx_node *directory)
{
	struct feox_stat stat;
	uint64_t expiry_ns, version;
	struct fx_key key;
	int rc = fx_node_key(fs, directory, &key);

	if (rc < 0 || !directory->parent)
		return rc;
	if (directory->kind == FX_NODE_DIRECTORY) {
		rc = feox_stat(fs->store, key.data, key.size, NULL, 0, &stat);
		if (rc != -ENOENT)
			return rc;
	}
	rc = fx_any_below(fs, key.data, key.size, false, 0, &expiry_ns, &version);
	return rc < 0 ? rc : rc == 0;
}

/* The file that was `%=.` in a directory has its name now. */
static int promote_self(struct fx_fs *fs, struct fx_node *directory)
{
	struct fx_node *self = fx_node_find(fs, directory, "%=.", 3);
	struct fx_move move = {.text = NULL};
	struct fx_spot spot = {.parent = directory->parent,
			       .name = directory->text,
			       .name_size = directory->name_size,
			       .piece = (uint8_t *)directory->text + directory->piece_offset,
			       .piece_size = directory->piece_size - 1u,
			       .kind = FX_NODE_FILE};
	int rc;

	if (!self)
		return 0;
	spot.marker = self->marker;
	rc = fx_node_prepare_move(self, &spot, &move);
	if (rc == 0) {
		fx_node_detach(fs, directory);
		fx_node_move(fs, &move);
	}
	fx_node_unref(fs, self);
	return rc;
}

int fx_known_gone(struct fx_fs *fs, struct fx_known *known)
{
	struct fx_node *directory = known->directory;
	int rc = drop_name(fs, known), vanished = 0;

	while (rc == 0 && (vanished = has_vanished(fs, directory)) > 0) {
		struct fx_node *above = directory->parent;

		rc = fx_notify_entry(fs, directory);
		if (rc == 0 && directory->kind == FX_NODE_DIRECTORY)
			rc = promote_self(fs, directory);
		directory = above;
	}
	if (rc == 0)
		rc = drop_attributes(fs, directory);
	return rc < 0 ? rc : FX_MIN(vanished, 0);
}

/*
 * The kernel believed in the name, and in directories above that only this key may prove, for
 * longer than is true now. Notices of names are queued, not awaited: who removes a file holds the
 * directory's lock in the kernel while he waits for the file's, which setxattr(2) holds. watched:
 * their end will be told.
 */
static void shorten_from(struct fx_fs *fs, struct fx_node *directory, bool watched)
{
	struct feox_stat stat;
	struct fx_key key;

	for (struct fx_node *node = directory; node; node = node->parent) {
		drop_attributes(fs, node);
		if (node->kind == FX_NODE_DIRECTORY &&
		    (fx_node_key(fs, node, &key) < 0 ||
		     feox_stat(fs->store, key.data, key.size, NULL, 0, &stat) == 0))
			return; /* it has a marker, which proves all above as well */
		if (watched)
			fx_notify_expire(fs, node);
		else
			fx_notify_entry(fs, node);
	}
}

void fx_known_shortened(struct fx_fs *fs, const struct fx_known *known, uint64_t expiry_ns)
{
	struct fx_node *file = fx_known_file(known);

	if (file && !file->marker) {
		fx_known_shorten(fs, file, expiry_ns);
		return;
	}
	drop_name(fs, known);
	shorten_from(fs, known->directory, false);
}

void fx_known_shorten(struct fx_fs *fs, struct fx_node *node, uint64_t expiry_ns)
{
	bool watched = fx_expiring_add(fs, node, expiry_ns);

	if (watched)
		fx_notify_expire(fs, node);
	else
		fx_notify_entry(fs, node);
	shorten_from(fs, node->parent, watched);
}

/* ---- Expiry ---------------------------------------------------------------------------------- */

void fx_known_lost(struct fx_fs *fs, struct fx_node *node)
{
	struct fx_node *directory = node->parent;

	fx_stage_expire(fs, node);
	for (; has_vanished(fs, directory) > 0; directory = directory->parent)
		fx_notify_entry(fs, directory);
	drop_attributes(fs, directory);
}

/* Unless it has been made again: then it has a new node, or none. */
static void expire_file(struct fx_fs *fs, struct fx_node *file, const void *key, size_t key_size)
{
	struct feox_stat stat;
	FX_LOCKED(&file->mutex);

	if (feox_stat(fs->store, key, key_size, NULL, 0, &stat) == -ENOENT)
		fx_known_lost(fs, file);
}

static bool is_mounted(const struct fx_fs *fs, const void *key, size_t key_size)
{
	const struct fx_path_rules *rules = &fs->rules;

	return key_size >= rules->prefix_size &&
	       (!rules->prefix_size || memcmp(key, rules->prefix, rules->prefix_size) == 0);
}

/* -EAGAIN: the kernel may know the file, and there is no room to tell it; only if it waits. */
static int expire_key(struct fx_fs *fs, const void *key, size_t key_size, bool waits)
{
	struct fx_known known;
	int rc = 0;

	fx_names_lock(fs, FX_NAMES_SHARED, 0);
	fx_known_find(fs, key, key_size, &known);
	/* The file that a marker is may be there by its stage. */
	if (fx_known_file(&known) && !known.child->marker) {
		if (waits && !fx_notify_has_room(fs, 0))
			rc = -EAGAIN;
		else
			expire_file(fs, known.child, key, key_size);
	}
	fx_known_clear(fs, &known);
	fx_names_unlock(fs);
	return rc;
}

void fx_known_expired(struct fx_fs *fs, const void *key, size_t key_size)
{
	if (!is_mounted(fs, key, key_size) || expire_key(fs, key, key_size, true) == 0)
		return;
	fx_notify_has_room(fs, FX_NOTIFY_WAIT_NS);
	expire_key(fs, key, key_size, false);
}
