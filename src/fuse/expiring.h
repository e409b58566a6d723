/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expiring.h - files that expire sooner than the kernel has been told: at that moment their names
 * are taken from it.
 *
 * The kernel is asked to look a name up again before it believes in it (its entry is expired, not
 * dropped: who watches the file with inotify would lose it with the entry). A lookup that is
 * answered at the same moment can undo that; the moment itself ends it in any case. Of a bounded
 * number of files only, since each keeps its node.
 */
#ifndef FX_EXPIRING_H
#define FX_EXPIRING_H

#include "node.h"

#define FX_EXPIRING_MAX 8192u /* files */

/*
 * node's key expires at expiry_ns; names_lock and either the node's mutex or names_lock exclusively
 * are held. False: it cannot be waited for.
 */
bool fx_expiring_add(struct fx_fs *fs, struct fx_node *node, uint64_t expiry_ns);

#endif
