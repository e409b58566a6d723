/* SPDX-License-Identifier: Apache-2.0 */
/*
 * range.h - /.feox/range/START..END@LIMIT/: virtual directories of the keys in a range, flat and
 * read-only. A node id is the address of a struct fx_range_node with the top bit set.
 */
#ifndef FX_RANGE_H
#define FX_RANGE_H

#include "fs.h"
#include "range_name.h"

#define FX_INO_RANGE_BIT ((fuse_ino_t)1 << 63)

struct fx_ranges;

struct fx_range_node {
	const struct fx_range_node *parent; /* of a key: its range, a lookup of which it holds */
	uint64_t lookups;		    /* under ranges' mutex */
	struct fx_range *range;		    /* of a directory */
	uint8_t *key;			    /* of a key */
	size_t key_size;
	char name[FX_NAME_MAX + 1];
};

static inline bool fx_range_is(fuse_ino_t ino)
{
	return ino & FX_INO_RANGE_BIT;
}

static inline struct fx_range_node *fx_range_node_of(fuse_ino_t ino)
{
	return (struct fx_range_node *)(uintptr_t)(ino & ~FX_INO_RANGE_BIT);
}

int fx_ranges_create(struct fx_ranges **ret_ranges);
/* Gives back what handles hold that were not released. NULL is allowed. */
void fx_ranges_destroy(struct fx_fs *fs, struct fx_ranges *ranges);

/* Handlers, each answers req. range.c: parent is FX_INO_RANGES or a range's. */
void fx_range_lookup(struct fx_fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name);
void fx_range_forget(struct fx_fs *fs, fuse_ino_t ino, uint64_t count);
void fx_range_getattr(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino);
/* range_handle.c */
void fx_range_open(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fx_range_read(fuse_req_t req, size_t size, off_t offset, struct fuse_file_info *fi);
void fx_range_opendir(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fx_range_readdir(struct fx_fs *fs, fuse_req_t req, size_t size, off_t offset,
		      struct fuse_file_info *fi, bool plus);
void fx_range_release(struct fx_fs *fs, fuse_req_t req, struct fuse_file_info *fi);

/* ---- Between the two files ------------------------------------------------------------------- */

struct fx_range_handle;

struct fx_ranges {
	pthread_mutex_t mutex; /* guards all; a leaf */
	void *nodes;	       /* tree of tsearch(3): by parent and name */
	struct fx_range_handle *handles;
};

void fx_range_handles_clear(struct fx_fs *fs, struct fx_ranges *ranges);

/* The keys of a range that are mounted, keys only; points into node. */
void fx_range_options(const struct fx_fs *fs, const struct fx_range_node *node,
		      struct feox_iter_options *ret_options);

#endif
