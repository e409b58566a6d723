/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_file.h - what a file in /.feox is: a text that is made when it is opened (make), or
 * handlers of its own, which answer req and keep their handle in fi->fh.
 */
#ifndef FX_CONTROL_FILE_H
#define FX_CONTROL_FILE_H

#include "fs.h"

struct fx_control_file {
	const char *name;
	mode_t mode;
	char *(*make)(struct fx_fs *fs); /* malloc(3)ed; NULL: out of memory */

	void (*open)(struct fx_fs *fs, fuse_req_t req, struct fuse_file_info *fi);
	void (*read)(struct fx_fs *fs, fuse_req_t req, size_t size, struct fuse_file_info *fi);
	void (*write)(struct fx_fs *fs, fuse_req_t req, const char *data, size_t size,
		      struct fuse_file_info *fi);
	void (*release)(struct fx_fs *fs, struct fuse_file_info *fi); /* control.c answers */
	/* NULL: always ready. handle (may be NULL) is whom to tell, and the handler's to destroy.
	 */
	void (*poll)(struct fx_fs *fs, fuse_req_t req, struct fuse_file_info *fi,
		     struct fuse_pollhandle *handle);
};

/* Texts. */
char *fx_control_stats(struct fx_fs *fs);      /* control_stats.c */
char *fx_control_stats_json(struct fx_fs *fs); /* control_json.c */
char *fx_control_config(struct fx_fs *fs);     /* control_config.c */
char *fx_control_metrics(struct fx_fs *fs);    /* metrics.c */

/* ctl.c */
void fx_ctl_open(struct fx_fs *fs, fuse_req_t req, struct fuse_file_info *fi);
void fx_ctl_read(struct fx_fs *fs, fuse_req_t req, size_t size, struct fuse_file_info *fi);
void fx_ctl_write(struct fx_fs *fs, fuse_req_t req, const char *data, size_t size,
		  struct fuse_file_info *fi);
void fx_ctl_release(struct fx_fs *fs, struct fuse_file_info *fi);

#endif
