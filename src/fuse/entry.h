/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry.h - the answer to a name: the node that the kernel gets to know, its attributes, and how
 * long the kernel may believe them. names_lock is held.
 */
#ifndef FX_ENTRY_H
#define FX_ENTRY_H

#include "call.h"

/*
 * The node of what was found as name in parent, with a reference. What the kernel knew under this
 * name is detached when it is something else, or in any case with fresh: a thing just being made is
 * never an old node. -EAGAIN, -ENOMEM.
 */
int fx_entry_node(struct fx_call *call, struct fx_node *parent, const char *name,
		  const struct fx_found *found, bool fresh, struct fx_node **ret_node);

/* Fill in an entry for it, which counts as a lookup. -EAGAIN: not counted. */
int fx_entry_fill(struct fx_call *call, struct fx_node *node, const struct fx_found *found,
		  struct fuse_entry_param *ret_entry);

/* "There is no such name", believed until somebody makes it through the mount. */
void fx_entry_negative(struct fx_fs *fs, struct fuse_entry_param *ret_entry);

#endif
