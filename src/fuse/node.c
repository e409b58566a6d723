/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.c - a chained hash table of nodes, keyed by (parent, name), under one mutex that is never
 * held across an engine call.
 *
 * Invariants: every node but the root is in exactly one bucket until it is freed, a detached one
 * too (so that destroy finds all), but only attached ones are found by name, one per name; a node
 * whose references reach 0 leaves the table in the same critical section, so that a find never
 * revives a dying node; a child's reference keeps its parent, so that every chain ends at the root.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "hash.h"
#include "kept.h"
#include "node.h"
#include "stage.h"

#define FX_NODES_BUCKETS_MIN ((size_t)256)

struct fx_nodes {
	struct fx_fs *fs;
	pthread_mutex_t mutex; /* guards all below, and the nodes' fields said to be under it */
	struct fx_node **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
	uint64_t generation;
	struct fx_node root;
};

int fx_nodes_create(struct fx_fs *fs, struct fx_nodes **ret_nodes)
{
	struct fx_nodes *nodes = calloc(1, sizeof(*nodes));

	if (!nodes)
		return -ENOMEM;
	nodes->bucket_count = FX_NODES_BUCKETS_MIN;
	nodes->buckets = calloc(nodes->bucket_count, sizeof(struct fx_node *));
	if (!nodes->buckets) {
		free(nodes);
		return -ENOMEM;
	}
	nodes->fs = fs;
	pthread_mutex_init(&nodes->mutex, NULL);
	pthread_mutex_init(&nodes->root.mutex, NULL);
	nodes->root.kind = FX_NODE_DIRECTORY;
	nodes->root.refs = 1;
	nodes->root.attached = true;
	nodes->root.generation = 1;
	nodes->generation = 1;
	*ret_nodes = nodes;
	return 0;
}

static void node_free(struct fx_fs *fs, struct fx_node *node)
{
	fx_stage_free(fs, node->stage);
	fx_kept_free(fs, node->kept);
	pthread_mutex_destroy(&node->mutex);
	free(node->text);
	free(node);
}

void fx_nodes_destroy(struct fx_nodes *nodes)
{
	if (!nodes)
		return;
	for (size_t i = 0; i < nodes->bucket_count; i++) {
		struct fx_node *node = nodes->buckets[i];

		while (node) {
			struct fx_node *next = node->next;

			node_free(nodes->fs, node);
			node = next;
		}
	}
	pthread_mutex_destroy(&nodes->root.mutex);
	pthread_mutex_destroy(&nodes->mutex);
	free(nodes->buckets);
	free(nodes);
}

struct fx_node *fx_node_of(const struct fx_fs *fs, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &fs->nodes->root : (struct fx_node *)(uintptr_t)ino;
}

fuse_ino_t fx_node_id(const struct fx_fs *fs, const struct fx_node *node)
{
	return node == &fs->nodes->root ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)node;
}

/* ---- The table; nodes->mutex is held --------------------------------------------------------- */

static struct fx_node **bucket_of(struct fx_nodes *nodes, uint64_t hash)
{
	return &nodes->buckets[hash & (nodes->bucket_count - 1)];
}

static uint64_t name_hash(const struct fx_node *parent, const char *name, size_t size)
{
	return fx_hash_key((uint64_t)(uintptr_t)parent, name, size);
}

static struct fx_node *table_find(struct fx_nodes *nodes, uint64_t hash,
				  const struct fx_node *parent, const char *name, size_t size)
{
	for (struct fx_node *node = *bucket_of(nodes, hash); node; node = node->next)
		if (node->hash == hash && node->attached && node->parent == parent &&
		    node->name_size == size && memcmp(node->text, name, size) == 0)
			return node;
	return NULL;
}

/* Twice the buckets; when memory is short the chains grow longer instead. */
static void table_grow(struct fx_nodes *nodes)
{
	size_t count = nodes->bucket_count * 2;
	struct fx_node **buckets = calloc(count, sizeof(*buckets));

	if (!buckets)
		return;
	for (size_t i = 0; i < nodes->bucket_count; i++) {
		struct fx_node *node = nodes->buckets[i];

		while (node) {
			struct fx_node *next = node->next;
			struct fx_node **bucket = &buckets[node->hash & (count - 1)];

			node->next = *bucket;
			*bucket = node;
			node = next;
		}
	}
	free(nodes->buckets);
	nodes->buckets = buckets;
	nodes->bucket_count = count;
}

static void table_insert(struct fx_nodes *nodes, struct fx_node *node)
{
	struct fx_node **bucket;

	if (nodes->count >= nodes->bucket_count)
		table_grow(nodes);
	bucket = bucket_of(nodes, node->hash);
	node->next = *bucket;
	*bucket = node;
	nodes->count++;
}

static void table_remove(struct fx_nodes *nodes, struct fx_node *node)
{
	struct fx_node **link = bucket_of(nodes, node->hash);

	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	nodes->count--;
}

/* ---- References ------------------------------------------------------------------------------ */

void fx_node_ref_locked(struct fx_node *node)
{
	node->refs++;
}

void fx_node_ref(struct fx_fs *fs, struct fx_node *node)
{
	FX_LOCKED(&fs->nodes->mutex);

	fx_node_ref_locked(node);
}

/* Give one reference back; frees up the chain as far as it was held by this node only. */
static void node_unref_locked(struct fx_nodes *nodes, struct fx_node *node, struct fx_node **dead)
{
	while (node) {
		struct fx_node *parent = node->parent;

		assert(node->refs > 0);
		if (--node->refs > 0)
			return;
		table_remove(nodes, node);
		node->next = *dead;
		*dead = node;
		node = parent;
	}
}

static void free_dead(struct fx_fs *fs, struct fx_node *dead)
{
	while (dead) {
		struct fx_node *next = dead->next;

		node_free(fs, dead);
		dead = next;
	}
}

void fx_node_unref(struct fx_fs *fs, struct fx_node *node)
{
	struct fx_node *dead = NULL;

	if (!node)
		return;
	pthread_mutex_lock(&fs->nodes->mutex);
	node_unref_locked(fs->nodes, node, &dead);
	pthread_mutex_unlock(&fs->nodes->mutex);
	free_dead(fs, dead);
}

void fx_node_count(struct fx_fs *fs, struct fx_node *node)
{
	FX_LOCKED(&fs->nodes->mutex);

	if (node->lookups++ == 0)
		node->refs++;
}

void fx_node_forget(struct fx_fs *fs, struct fx_node *node, uint64_t count)
{
	struct fx_node *dead = NULL;

	if (node == &fs->nodes->root)
		return;
	pthread_mutex_lock(&fs->nodes->mutex);
	assert(node->lookups >= count);
	node->lookups -= count;
	if (count && !node->lookups)
		node_unref_locked(fs->nodes, node, &dead);
	pthread_mutex_unlock(&fs->nodes->mutex);
	free_dead(fs, dead);
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* The name and the piece in one buffer; usually one is the beginning of the other. */
static char *spot_text(const struct fx_spot *spot, size_t *ret_piece_offset)
{
	bool shared = fx_bytes_begin(spot->piece, spot->piece_size, spot->name, spot->name_size);
	size_t offset = shared ? 0 : spot->name_size;
	char *text = malloc(offset + spot->piece_size + spot->name_size + 1);

	if (!text)
		return NULL;
	memcpy(text, spot->name, spot->name_size);
	if (spot->piece_size)
		memcpy(text + offset, spot->piece, spot->piece_size);
	*ret_piece_offset = offset;
	return text;
}

static void node_place(struct fx_node *node, const struct fx_spot *spot, char *text,
		       size_t piece_offset)
{
	node->parent = spot->parent;
	node->text = text;
	node->name_size = (uint16_t)spot->name_size;
	node->piece_offset = (uint16_t)piece_offset;
	node->piece_size = (uint16_t)spot->piece_size;
	node->kind = (uint8_t)spot->kind;
	node->self = spot->self;
	node->marker = spot->marker;
	node->hash = name_hash(spot->parent, spot->name, spot->name_size);
}

static struct fx_node *node_new(const struct fx_spot *spot)
{
	size_t piece_offset;
	char *text = spot_text(spot, &piece_offset);
	struct fx_node *node = text ? calloc(1, sizeof(*node)) : NULL;

	if (!node) {
		free(text);
		return NULL;
	}
	pthread_mutex_init(&node->mutex, NULL);
	node_place(node, spot, text, piece_offset);
	node->refs = 1;
	node->attached = true;
	return node;
}

struct fx_node *fx_node_find(struct fx_fs *fs, const struct fx_node *parent, const char *name,
			     size_t name_size)
{
	uint64_t hash = name_hash(parent, name, name_size);
	FX_LOCKED(&fs->nodes->mutex);
	struct fx_node *node = table_find(fs->nodes, hash, parent, name, name_size);

	if (node)
		node->refs++;
	return node;
}

int fx_node_enter(struct fx_fs *fs, const struct fx_spot *spot, struct fx_node **ret_node)
{
	struct fx_nodes *nodes = fs->nodes;
	uint64_t hash = name_hash(spot->parent, spot->name, spot->name_size);
	FX_LOCKED(&nodes->mutex);
	struct fx_node *node = table_find(nodes, hash, spot->parent, spot->name, spot->name_size);

	if (!node) {
		node = node_new(spot);
		if (!node)
			return -ENOMEM;
		node->generation = ++nodes->generation;
		spot->parent->refs++;
		table_insert(nodes, node);
	} else {
		node->refs++;
	}
	*ret_node = node;
	return 0;
}

void fx_node_detach(struct fx_fs *fs, struct fx_node *node)
{
	FX_LOCKED(&fs->nodes->mutex);

	assert(node != &fs->nodes->root);
	node->attached = false;
	atomic_store_explicit(&node->detached, true, memory_order_relaxed);
}

int fx_node_prepare_move(struct fx_node *node, const struct fx_spot *spot, struct fx_move *ret_move)
{
	struct fx_move move = {.node = node, .spot = *spot};

	move.text = spot_text(spot, &move.piece_offset);
	if (!move.text)
		return -ENOMEM;
	*ret_move = move;
	return 0;
}

void fx_move_clear(struct fx_move *move)
{
	free(FX_STEAL(move->text));
}

void fx_node_move(struct fx_fs *fs, struct fx_move *move)
{
	struct fx_nodes *nodes = fs->nodes;
	struct fx_node *node = move->node, *old_parent = node->parent, *dead = NULL;

	pthread_mutex_lock(&nodes->mutex);
	table_remove(nodes, node);
	free(node->text);
	node_place(node, &move->spot, FX_STEAL(move->text), move->piece_offset);
	move->spot.parent->refs++;
	table_insert(nodes, node);
	node_unref_locked(nodes, old_parent, &dead);
	pthread_mutex_unlock(&nodes->mutex);
	free_dead(fs, dead);
}

/* A node, not in the table yet, for the directory that has file's name now. */
static struct fx_node *directory_of_name(struct fx_fs *fs, const struct fx_node *file)
{
	uint8_t piece[FX_NAME_MAX + 1]; /* a component is not longer than its name */
	struct fx_spot spot = {.parent = file->parent,
			       .name = file->text,
			       .name_size = file->name_size,
			       .piece = piece,
			       .piece_size = file->piece_size + 1u,
			       .kind = FX_NODE_DIRECTORY};

	if (file->piece_size)
		memcpy(piece, file->text + file->piece_offset, file->piece_size);
	piece[file->piece_size] = (uint8_t)fs->rules.separator;
	return node_new(&spot);
}

int fx_node_demote(struct fx_fs *fs, struct fx_node *file)
{
	struct fx_node *directory = directory_of_name(fs, file);
	struct fx_spot spot = {.parent = directory,
			       .name = "%=.",
			       .name_size = 3,
			       .kind = FX_NODE_FILE,
			       .self = true,
			       .marker = file->marker};
	size_t piece_offset;
	char *text = directory ? spot_text(&spot, &piece_offset) : NULL;

	if (!text) {
		if (directory)
			node_free(fs, directory);
		return -ENOMEM;
	}
	FX_LOCKED(&fs->nodes->mutex);
	directory->generation = ++fs->nodes->generation;
	table_remove(fs->nodes, file);
	free(file->text);
	/* The file's reference to its parent is the directory's now, whose only one is the file. */
	node_place(file, &spot, text, piece_offset);
	table_insert(fs->nodes, directory);
	table_insert(fs->nodes, file);
	return 0;
}

void fx_nodes_each(struct fx_fs *fs, void (*visit)(void *ctx, struct fx_node *node), void *ctx)
{
	FX_LOCKED(&fs->nodes->mutex);

	for (size_t i = 0; i < fs->nodes->bucket_count; i++)
		for (struct fx_node *node = fs->nodes->buckets[i]; node; node = node->next)
			if (node->attached)
				visit(ctx, node);
}
