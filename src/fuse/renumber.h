/* SPDX-License-Identifier: Apache-2.0 */
/*
 * renumber.h - inode numbers that change with a directory's name.
 *
 * A key without a stored number shows a hash of its key (meta.h). Below a renamed directory the
 * keys are others, so these numbers are others too, and the kernel must not keep the old ones.
 */
#ifndef FX_RENUMBER_H
#define FX_RENUMBER_H

#include "fs.h"
#include "node.h"

/*
 * Have the kernel forget the attributes of the nodes below a and b (either may be NULL) whose
 * number is a hash. Queues notifications, waits for nothing; called after the nodes have moved.
 */
void fx_renumber(struct fx_fs *fs, const struct fx_node *a, const struct fx_node *b);

#endif
