/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known.h - what the kernel knows on the way to a key: for changes that come by the key and not by
 * a path, whose names the kernel must be told to forget. names_lock is
 * held by whoever calls, unless it says otherwise.
 */
#ifndef FX_KNOWN_H
#define FX_KNOWN_H

#include "node.h"

struct fx_known {
	struct fx_node *directory; /* a reference: the deepest one on the way that has a node */
	struct fx_name name;	   /* in it, of what comes next */
	struct fx_node *child;	   /* a reference: the node of that name; NULL: none */
	bool leaf;		   /* name is that of the key's own file */
};

/* The way to key, which begins with the mount's prefix. */
void fx_known_find(struct fx_fs *fs, const void *key, size_t key_size, struct fx_known *ret_known);
void fx_known_clear(struct fx_fs *fs, struct fx_known *known); /* zeroed ones too */

/* The file of the key itself, or NULL. */
static inline struct fx_node *fx_known_file(const struct fx_known *known)
{
	return known->leaf ? known->child : NULL;
}

/*
 * The key has been made: that there is no such name is not true any more; a file whose name is a
 * directory's now is `%=.` in it. names_lock is held exclusively.
 */
int fx_known_made(struct fx_fs *fs, struct fx_known *known);
/* It is gone, and with it the directories that only it has proved. Likewise. */
int fx_known_gone(struct fx_fs *fs, struct fx_known *known);
/* It will be gone at expiry_ns, sooner than the kernel may have been told. */
void fx_known_shortened(struct fx_fs *fs, const struct fx_known *known, uint64_t expiry_ns);

/*
 * The sweeper has removed a key, by whose name the kernel may know a file. Takes names_lock and the
 * node's mutex; waits for room among the notices, 100 ms at most.
 */
void fx_known_expired(struct fx_fs *fs, const void *key, size_t key_size);

/* The same of a file's node; its mutex is held, or names_lock exclusively. */
void fx_known_shorten(struct fx_fs *fs, struct fx_node *node, uint64_t expiry_ns);
/* The node's key has expired, and with it the directories that only it has proved. Likewise. */
void fx_known_lost(struct fx_fs *fs, struct fx_node *node);

#endif
