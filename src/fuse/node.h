/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.h - the inodes that the kernel knows.
 *
 * A node is one (parent, name); its address is the kernel's node id (the root's is FUSE_ROOT_ID).
 * Its key is put together from the chain of its parents whenever it is needed, so that renaming a
 * directory moves everything below by moving one node.
 *
 * States: attached (found by its name) -> detached (unlinked, replaced, expired: only handles
 * and the kernel's lookups still reach it; it never gets a name again).
 *
 * A node lives while something refers to it: the kernel's lookups (together one reference), open
 * handles, children, jobs. Reading the chain (fx_node_key) needs fs->names_lock, shared or
 * exclusive; moving a node needs it exclusively.
 */
#ifndef FX_NODE_H
#define FX_NODE_H

#include "fs.h"

struct fx_stage;    /* stage.h */
struct fx_kept;	    /* kept.h */
struct fx_expiring; /* expiring.h */

enum fx_node_kind {
	FX_NODE_DIRECTORY,
	FX_NODE_CONTINUATION, /* a directory %=+...: has no key */
	FX_NODE_FILE	      /* anything else that a leaf can be */
};

/* Where a node stands: parent, name, and what the name adds to the parent's base. */
struct fx_spot {
	struct fx_node *parent;
	const char *name;
	size_t name_size;
	const uint8_t *piece; /* bytes; a directory's ends with the separator */
	size_t piece_size;
	enum fx_node_kind kind;
	bool self;   /* `%=.`: the key is the parent's base without its separator */
	bool marker; /* a file whose key is some directory's marker */
};

struct fx_node {
	/* Under the table's mutex. */
	struct fx_node *next; /* in its bucket, attached or not */
	uint64_t hash;
	uint64_t lookups, refs;
	bool attached;

	/* Under names_lock: written when it is held exclusively (or before anybody sees the node).
	 * parent is a reference. */
	struct fx_node *parent;
	char *text; /* name, then what of the piece is not in it; owned */
	uint16_t name_size, piece_offset, piece_size;
	uint8_t kind; /* enum fx_node_kind */
	bool self, marker;

	uint64_t generation; /* never changes */

	/*
	 * Set once, by fx_node_detach(), whose caller holds mutex (of a directory: names_lock);
	 * relaxed: who must not miss it holds the same lock.
	 */
	_Atomic bool detached;
	_Atomic uint64_t ino; /* st_ino last told; relaxed, a hint */

	pthread_mutex_t mutex;
	/* Under mutex. */
	uint32_t opens, writers; /* handles, those of them that may write */
	bool direct;		 /* they all go past the page cache; of a file that is open */
	bool replaced;		 /* by a rename over it; set with names_lock held exclusively */
	bool overwritten;	 /* opened with O_TRUNC since its attributes were last told */
	bool has_no_setid;	 /* looked at since the last chmod(2) */
	uint64_t cache_version;	 /* the version that the kernel's pages are of; 0: none */
	bool cache_clean;	 /* it has dropped older pages, and is not only about to */
	struct fx_stage *stage;
	struct fx_kept *kept;
	uint64_t changed_ns;	      /* by fx_kv_...(), CLOCK_MONOTONIC; 0: never */
	struct fx_expiring *expiring; /* its timer, which keeps the node */

	/* Under later's mutex. */
	struct fx_node *later_next;
	uint64_t later_round;
	bool later_linked, touched;
	struct timespec touch_time; /* mtime and ctime of a directory, not yet in its marker */
};

/* A key of its own storage. */
struct fx_key {
	size_t size;
	uint8_t data[FEOX_KEY_MAX + 1]; /* one more, for a separator behind a longest key */
};

int fx_nodes_create(struct fx_fs *fs, struct fx_nodes **ret_nodes);
/* Frees every node, whatever still refers to it. NULL is allowed. */
void fx_nodes_destroy(struct fx_nodes *nodes);

/* The kernel's number <-> the node. The number must be one that the kernel was given. */
struct fx_node *fx_node_of(const struct fx_fs *fs, fuse_ino_t ino);
fuse_ino_t fx_node_id(const struct fx_fs *fs, const struct fx_node *node);

void fx_node_ref(struct fx_fs *fs, struct fx_node *node);
void fx_node_unref(struct fx_fs *fs, struct fx_node *node); /* NULL is allowed */

/* The attached node of that name, with a reference; NULL when the kernel knows none. */
struct fx_node *fx_node_find(struct fx_fs *fs, const struct fx_node *parent, const char *name,
			     size_t name_size);

/* The same, or a new one. -ENOMEM. *ret_node is a reference. */
int fx_node_enter(struct fx_fs *fs, const struct fx_spot *spot, struct fx_node **ret_node);

/* Count a lookup that a reply hands to the kernel; take count of them back. */
void fx_node_count(struct fx_fs *fs, struct fx_node *node);
void fx_node_forget(struct fx_fs *fs, struct fx_node *node, uint64_t count);

/* attached -> detached. The caller holds node->mutex, or names_lock exclusively. */
void fx_node_detach(struct fx_fs *fs, struct fx_node *node);

/*
 * The node stands elsewhere from now on; what is attached there is detached by the caller first.
 * names_lock is held exclusively. -ENOMEM: nothing has changed. fx_node_move() cannot fail after
 * fx_node_prepare_move() of the same spot has succeeded.
 */
struct fx_move {
	struct fx_node *node;
	struct fx_spot spot;
	char *text;
	size_t piece_offset;
};
int fx_node_prepare_move(struct fx_node *node, const struct fx_spot *spot,
			 struct fx_move *ret_move);
void fx_node_move(struct fx_fs *fs, struct fx_move *move);
void fx_move_clear(struct fx_move *move); /* of a move that is not made */

/*
 * Keys have been made below a file's: its name is a directory's, which gets a node, and the file is
 * `%=.` in there from now on. names_lock is held exclusively. -ENOMEM: nothing has changed.
 */
int fx_node_demote(struct fx_fs *fs, struct fx_node *file);

static inline bool fx_node_is_directory(const struct fx_node *node)
{
	return node->kind != FX_NODE_FILE;
}

static inline bool fx_node_is_detached(const struct fx_node *node)
{
	return atomic_load_explicit(&node->detached, memory_order_relaxed);
}

/*
 * The key of a file; of a directory its base, which is also its marker's key. -ESTALE: the node or
 * a directory above it is detached. -ENAMETOOLONG: over FEOX_KEY_MAX.
 */
int fx_node_key(const struct fx_fs *fs, const struct fx_node *node, struct fx_key *ret_key);

/* The place that a directory node with that base is. */
struct fx_place fx_node_place(const struct fx_node *node, const struct fx_key *base);

/* Call visit for every attached node; it must not call back into this module. */
void fx_nodes_each(struct fx_fs *fs, void (*visit)(void *ctx, struct fx_node *node), void *ctx);

/* A reference inside fx_nodes_each(), where the table's mutex is held. */
void fx_node_ref_locked(struct fx_node *node);

#endif
