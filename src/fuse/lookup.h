/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup.h - what a name, or a node, stands for in the store at this moment.
 *
 * The engine's keys are the only truth; nodes merely remember what the kernel was told. Callers
 * hold names_lock, and a file node's mutex when they examine it.
 */
#ifndef FX_LOOKUP_H
#define FX_LOOKUP_H

#include <errno.h>

#include "meta.h"
#include "node.h"

enum fx_found_what { FX_ABSENT, FX_FILE, FX_DIRECTORY };

struct fx_found {
	enum fx_found_what what;
	enum fx_name_kind kind; /* of the name */
	bool marker;		/* a file whose key is a directory's marker */
	bool recorded;		/* key is in the store: meta is filled in */
	bool detached;		/* of a node: its name is gone, meta is what was kept */
	struct fx_key key;	/* of a file; of a directory its base, which is its marker's key */
	size_t base_size;	/* of the parent's base */
	struct fx_meta meta;
	/* Of the key that proves the thing is there: its own, or one below a directory. */
	uint64_t expiry_ns, version;
};
#define FX_AUTO_FOUND __attribute__((cleanup(fx_found_clear)))

/*
 * Its key may go without anybody asking, by expiry or eviction. What handles keep of it is pinned,
 * so that the store does not evict it while it is open.
 */
static inline bool fx_may_vanish(const struct fx_fs *fs, const struct fx_found *found)
{
	return !found->detached && (found->expiry_ns || fs->options->evict);
}

/* The cleanup of a found that was not filled in is harmless when it was started with this. */
void fx_found_init(struct fx_found *found);
void fx_found_clear(struct fx_found *found);

/*
 * What name means in the directory parent. 0 also when nothing is there (FX_ABSENT: key is then
 * the one a file of that name would have). -ENOENT: no key can have this name; a create answers
 * EINVAL. -ENAMETOOLONG; -ESTALE: parent is gone; -EAGAIN (nowait, 0 or FEOX_NOWAIT).
 */
int fx_resolve(struct fx_fs *fs, const struct fx_node *parent, const char *name,
	       unsigned int nowait, struct fx_found *ret_found);

/* Turn an absent file's key into the base of a directory of the same name. -ENAMETOOLONG. */
int fx_found_as_directory(struct fx_fs *fs, struct fx_found *found);

/* Whether a key below the mount's prefix is the marker of some directory. */
bool fx_key_is_marker(const struct fx_fs *fs, const uint8_t *key, size_t size);

/* Where a node for what was found stands; points into found and name. */
struct fx_spot fx_found_spot(const struct fx_found *found, struct fx_node *parent,
			     const char *name);

/*
 * What a node stands for. -ENOENT: its key, or all below a directory, is gone (the caller may
 * detach the node). -ESTALE: detached, and nothing of it was kept.
 */
int fx_examine(struct fx_fs *fs, struct fx_node *node, unsigned int nowait,
	       struct fx_found *ret_found);

/*
 * The same of a file, its mutex held. A key that is gone takes the name along: the node is
 * detached, and what its handles keep is found. -ENOENT: nothing is kept; -ESTALE: nor is it of
 * what a rename has replaced.
 */
int fx_examine_file(struct fx_fs *fs, struct fx_node *node, unsigned int nowait,
		    struct fx_found *ret_found);

/*
 * What a change of a file says that has lost its name: -ENOENT; -ESTALE when a rename has replaced
 * it. The name was never not there then, and the kernel looks it up again for who came by it.
 */
static inline int fx_lost_errno(const struct fx_node *node)
{
	return node->replaced ? -ESTALE : -ENOENT;
}

/* Whether a live key lies below base (its marker does not count when below_marker is set). */
int fx_any_below(struct fx_fs *fs, const uint8_t *base, size_t base_size, bool below_marker,
		 unsigned int nowait, uint64_t *ret_expiry_ns, uint64_t *ret_version);

/* The smallest byte string above everything that begins with the size bytes of data; 0: none. */
size_t fx_prefix_end(uint8_t *data, size_t size);

/*
 * struct stat of what was found, with the node's staged state over it (node may be NULL: a thing
 * that has none). A directory's link count is found by at most 64 seeks; *ret_expiry_ns is when
 * the answer ends to be true. -EAGAIN.
 */
int fx_found_stat(struct fx_fs *fs, struct fx_node *node, const struct fx_found *found,
		  unsigned int nowait, struct stat *ret_stat, uint64_t *ret_expiry_ns);

#endif
