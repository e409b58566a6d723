/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kept.h - what is left of a file whose name is gone: its attributes, and its content when
 * somebody has it open. A file with a TTL gets one when it is opened: its handles keep what they
 * saw when the key expires. Everything is under the node's mutex.
 */
#ifndef FX_KEPT_H
#define FX_KEPT_H

#include "lookup.h"

struct fx_kept {
	struct feox_value value; /* pinned when has_value */
	bool has_value;
	uint64_t size, version;
	uint8_t *blob; /* attributes; owned */
	size_t blob_size;
};

/*
 * Keep what was found under node's key, the value too when with_value. Replaces what was kept
 * before. -EAGAIN: the value is on disk (nowait). -ENOENT: gone meanwhile.
 */
int fx_keep(struct fx_fs *fs, struct fx_node *node, const struct fx_found *found, bool with_value,
	    unsigned int nowait);

/* The same of what loses its name now: its ctime is this moment. */
int fx_keep_removed(struct fx_fs *fs, struct fx_node *node, const struct fx_found *found,
		    bool with_value, unsigned int nowait);

/*
 * A rename replaces a file that nobody has open. Who has looked its name up just before may still
 * open what it was, as on other file systems: the name is never not there. When the value would
 * have to be read for that, nothing is kept and the kernel is told to look again, see
 * fx_examine_file().
 */
void fx_keep_replaced(struct fx_fs *fs, struct fx_node *node, const struct fx_found *found);

/* The attributes have changed. */
int fx_kept_set_blob(struct fx_kept *kept, const struct fx_blob *blob);

void fx_kept_free(struct fx_fs *fs, struct fx_kept *kept); /* NULL is allowed */

#endif
