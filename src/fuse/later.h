/* SPDX-License-Identifier: Apache-2.0 */
/*
 * later.h - what is written to the store after a while: dirty stages (publish_interval after the
 * last write, 60 s after the first), and times of directories (one second after the change).
 */
#ifndef FX_LATER_H
#define FX_LATER_H

#include "node.h"

int fx_later_create(struct fx_fs *fs, struct fx_later **ret_later);

/* No timer any more: what comes now waits for fx_later_publish_all(). */
void fx_later_stop(struct fx_fs *fs);
void fx_later_destroy(struct fx_later *later); /* NULL is allowed */

/* node's stage is dirty; node->mutex is held. */
void fx_later_add(struct fx_fs *fs, struct fx_node *node);

/* Something was made, removed or renamed in directory: its mtime and ctime are now. */
void fx_later_touch(struct fx_fs *fs, struct fx_node *directory);
/* Its times that are not in its marker yet; false: none. */
bool fx_later_touched(struct fx_fs *fs, struct fx_node *directory, struct timespec *ret_time);
/* The caller writes them (or others) itself. */
void fx_later_untouch(struct fx_fs *fs, struct fx_node *directory);

/*
 * Publish every dirty stage now. locked: the caller holds names_lock exclusively, else none of
 * the locks. Waits. The first error is returned, the rest is published all the same.
 */
int fx_later_publish_all(struct fx_fs *fs, bool locked);

/* Whether any stage or time waits: a hint, right when no other thread writes. */
bool fx_later_pending(struct fx_fs *fs);

#endif
