/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.h - /.feox, the control directory at the mount's root: stat-able, not listed.
 * Inode numbers of it and of its files are fixed: FX_INO_CONTROL and following; they are also their
 * node ids (no node of the tree has one of these addresses). What is in range/ has others, see
 * range.h. op_*.c ask fx_control_is() first and
 * pass the request on.
 */
#ifndef FX_CONTROL_H
#define FX_CONTROL_H

#include "range.h"

#define FX_INO_CONTROL	    ((fuse_ino_t)2)
#define FX_INO_RANGES	    ((fuse_ino_t)62) /* the directory range */
#define FX_INO_CONTROL_LAST ((fuse_ino_t)63)

static inline bool fx_control_is(fuse_ino_t ino)
{
	return (ino >= FX_INO_CONTROL && ino <= FX_INO_CONTROL_LAST) || fx_range_is(ino);
}

int fx_control_create(struct fx_fs *fs, struct fx_control **ret_control);
void fx_control_destroy(struct fx_control *control);

/* Handlers for control inodes; each answers req. */
void fx_control_lookup_root(struct fx_fs *fs, fuse_req_t req); /* ".feox" in the root */
void fx_control_lookup(struct fx_fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name);
void fx_control_getattr(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino);
void fx_control_open(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fx_control_read(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		     struct fuse_file_info *fi);
void fx_control_write(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, const char *data,
		      size_t size, struct fuse_file_info *fi);
void fx_control_release(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino,
			struct fuse_file_info *fi);
void fx_control_poll(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		     struct fuse_pollhandle *handle);
void fx_control_opendir(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino,
			struct fuse_file_info *fi);
void fx_control_readdir(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
			struct fuse_file_info *fi, bool plus);
void fx_control_releasedir(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino,
			   struct fuse_file_info *fi);

#endif
