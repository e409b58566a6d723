/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op.h - the handlers, one for each request of the kernel; fuse_lowlevel.h says what each is asked
 * and may answer, docs/filesystem.md what each does. All are called on the transport's thread.
 */
#ifndef FX_OP_H
#define FX_OP_H

#include "call.h"
#include "lookup.h"

/* op_attr.c */
void fx_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fx_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		   struct fuse_file_info *fi);
void fx_op_statfs(fuse_req_t req, fuse_ino_t ino);

/*
 * A change of call->node's attributes: begin finds them, with all times set and ctime now; commit
 * stores found's, making a directory's marker when it has none. names_lock and the node's mutex are
 * held. -EPERM: what the node stands for has no attributes of its own.
 */
int fx_attr_change_begin(struct fx_call *call, struct fx_found *ret_found, mode_t *ret_type);
int fx_attr_change_commit(struct fx_call *call, const struct fx_found *found);

/*
 * The content has been changed by a caller who may not keep set-id bits: clear them, as the kernel
 * does on local disks. names_lock and the node's mutex are held; -EAGAIN with nowait.
 */
int fx_clear_setid(struct fx_call *call);

/* op_dir.c */
void fx_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fx_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		   struct fuse_file_info *fi);
void fx_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		       struct fuse_file_info *fi);
void fx_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fx_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);

/* op_file.c */
void fx_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		  struct fuse_file_info *fi);
void fx_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fx_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fx_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);

void fx_op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		struct fuse_pollhandle *handle);

/* Put call->node's stage into the store and answer when it is durable; a work of its own. */
int fx_publish_durably(struct fx_call *call);

/* A request by that handle has come: the kernel has taken the answer to its open. node is locked.
 */
void fx_handle_used(struct fx_node *node, const struct fuse_file_info *fi);

/* op_data.c */
void fx_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi);
void fx_op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
		 struct fuse_file_info *fi);
void fx_op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
		     struct fuse_file_info *fi);
void fx_op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
		 struct fuse_file_info *fi);

/* op_name.c */
void fx_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void fx_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count);
void fx_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void fx_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void fx_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void fx_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void fx_op_readlink(fuse_req_t req, fuse_ino_t ino);

/* -ENOTEMPTY: something live is in the directory that was found. */
int fx_directory_is_empty(struct fx_fs *fs, const struct fx_found *found, unsigned int nowait);

/* op_make.c */
void fx_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void fx_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void fx_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);

/* Make what call names in call->node: mode, rdev, data; its entry is then in call->entry. */
int fx_make(struct fx_call *call);

/* op_rename.c */
void fx_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		  const char *new_name, unsigned int flags);

/* op_xattr.c */
void fx_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void fx_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void fx_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
		    size_t size, int flags);
void fx_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

#endif
