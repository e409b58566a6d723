/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dir_change.h - a name is made or removed in a directory, together with the directory's marker:
 * one that has none (its keys were made elsewhere) gets it in the same batch, so that it stays when
 * its last key goes; one that has it gets its new times later. names_lock is held.
 */
#ifndef FX_DIR_CHANGE_H
#define FX_DIR_CHANGE_H

#include "lookup.h"

struct fx_dir_change {
	struct fx_fs *fs;
	struct fx_node *directory;
	unsigned int nowait;
	bool marked;	       /* the marker is there */
	struct fx_found found; /* the directory; above a continuation: the one that has a key */
};
#define FX_AUTO_DIR_CHANGE __attribute__((cleanup(fx_dir_change_clear)))

/* -ENOENT, -ESTALE: the directory is gone. */
int fx_dir_change_begin(struct fx_fs *fs, struct fx_node *directory, unsigned int nowait,
			struct fx_dir_change *ret_change);
void fx_dir_change_init(struct fx_dir_change *change); /* so that clear is harmless */
void fx_dir_change_clear(struct fx_dir_change *change);

/* As feox_put() and feox_delete(), and the marker with it. */
int fx_dir_change_put(struct fx_dir_change *change, const struct fx_key *key, const void *value,
		      size_t size, const struct feox_write_options *options);
int fx_dir_change_delete(struct fx_dir_change *change, const struct fx_key *key);

/* For changes that are batches of their own: add a missing marker; after the commit, the times. */
int fx_dir_change_add_marker(struct fx_dir_change *change, struct feox_batch *batch);
void fx_dir_change_done(struct fx_dir_change *change);

/* feox_batch_create() and its scope cleanup. */
void fx_batch_cleanup(struct feox_batch **batch);
#define FX_AUTO_BATCH __attribute__((cleanup(fx_batch_cleanup)))

#endif
