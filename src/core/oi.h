/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oi.h - inside the ordered index: the nodes of its tree and what its files share.
 *
 *   ordered_index.c  the calls of ordered_index.h that change one key
 *   oi_leaf.c        leaves: search, append, unlink
 *   oi_build.c       leaves: building, long keys, retiring
 *   oi_inner.c       inner nodes and fences: search, build, locks
 *   oi_grow.c        a leaf that is full becomes a larger one, or two
 *   oi_merge.c       small neighbours become one, the tree gets lower again
 *   oi_scan.c        batches of keys, forward and in reverse
 *   oi_load.c        building from sorted keys, tearing down
 *
 * A B+-tree for readers that only load. An inner node never changes but for its child pointers; a
 * leaf only ever gains slots and links. Any other change is a new node, published by one store.
 *
 *   root -> inner (level 2) -> inner (level 1) -> leaf -> entries[0] -> slot -> slot -> 0
 *
 * Inner node: count fences in order, count + 1 children. Child i has the keys in
 * [fence i-1, fence i), the node as a whole those in [low, high).
 * Leaf: slots 1..sorted are sorted for binary search; later ones are appended. All are chained in
 * key order through entries[].next, from entries[0] on. A key is kept as what follows the prefix
 * that low and high share (the suffix): its first four bytes as a number in the entry (the head),
 * the rest (the tail) in the leaf's heap; a suffix of more than FX_OI_INLINE_MAX bytes as a pointer
 * to the whole key.
 *
 * Invariants
 *  N1 Tiling. The children of an inner node partition its range without gap or overlap, also after
 *     it has left the tree: fences never change, and a child is replaced by one of the same range.
 *  N2 Slots and heap bytes are written once in a leaf's life and never reused, so what a reader
 *     found once stays what it was.
 *  N3 A slot is linked by the store of its predecessor's next (release), when all of it is written.
 *  N4 A removed slot keeps its next: who stands on it goes on. What it leads to was linked when it
 *     was removed, or has been removed later itself.
 *  N5 Every change of the tree's shape is visible by one store (release): of a child pointer, or of
 *     the root. Replaced nodes are marked GONE and retired after it.
 *  N6 A fence is in the array of exactly one inner node of the tree. It goes with the merge of the
 *     two leaves it parts: then no node of the tree knows it any more.
 *  N7 Check bits (ordered_index.h) change under the leaf's lock, and are copied with their slots
 *     under it.
 *
 * Why a scan gives each key that is there throughout exactly once and in order, though it only
 * loads: it walks the leaves of a level-1 node from left to right. Their ranges tile the node's
 * (N1), so no key is met in two leaves and none lies between two. The node may be dead: it died
 * after the scan had found it, its leaves hold every key that was there then. At its end the scan
 * descends again to its high, which is where the next node of any later tree begins or goes on.
 * Within a leaf links ascend strictly, and the first slot is either reached from entries[0] or is a
 * sorted one that was not dead when looked at; so each slot visited was linked at some moment after
 * the scan began, and its chain leads past every key that stays (N4). A slot that was dead before
 * must not be a start: its link may jump over keys inserted since. In reverse the leaf's chain is
 * walked forward first, and given backwards.
 *
 * Locks: writers only, one word in every node. Who waits holds locks of lower levels only (leaf,
 * then parent, then grandparent), at most one in each, so there is no circle; everything else only
 * tries and gives up (merges, who hold two neighbours). Nobody waits inside an epoch section: it is
 * left, entered again, and the way descended anew. A locked node cannot be replaced or freed by
 * others, so it may be kept across that.
 *
 * Failure: everything is allocated before the store that publishes; until then nothing that others
 * see has changed, and what was built is freed. Merges that find no memory are not made.
 */
#ifndef FX_OI_H
#define FX_OI_H

#include "ordered_index.h"

#include "oi_bytes.h"
#include "pause.h"

#include <assert.h>
#include <stdatomic.h>

#define FX_OI_SLOTS_MAX	     56u /* of a leaf; with slot 0 at most 64, a bit each in dead and check */
#define FX_OI_SPLIT_ABOVE    48u /* a new leaf of more keys becomes two */
#define FX_OI_SLACK_MIN	     8u	 /* free slots of a new leaf, but for the sealed half of a split */
#define FX_OI_SLACK_FEW	     4u	 /* the same for leaves of few keys */
#define FX_OI_MERGE_BELOW    20u /* a leaf of so few keys looks for a neighbour ... */
#define FX_OI_MERGE_MAX	     40u /* ... with which it has at most so many */
#define FX_OI_DEAD_LONGS_MAX 4u
#define FX_OI_FENCES_MAX     40u /* of an inner node */
#define FX_OI_FENCES_FEW     8u	 /* an inner node of fewer looks for a neighbour ... */
#define FX_OI_FENCES_JOIN    28u /* ... with which it has at most so many */
#define FX_OI_LEVELS_MAX     16u /* growing by a level takes 20 times the splits of the level below */
#define FX_OI_INLINE_MAX     254u /* bytes of a suffix in the leaf itself */
#define FX_OI_LONG	     255u /* entry.size: the heap has a pointer to the key */
#define FX_OI_LEAF_LINES     12u  /* cache lines of a leaf of usual size, to prefetch */

/* Where threads can be stopped by tests: writers, up to END, and scans. */
enum fx_oi_pause {
	FX_OI_PAUSE_LOCKED = FX_PAUSE_ORDERED_INDEX, /* the leaf, nothing done yet */
	FX_OI_PAUSE_WRITTEN,			     /* a slot, not linked yet */
	FX_OI_PAUSE_LINKED,
	FX_OI_PAUSE_DEAD, /* marked, still linked */
	FX_OI_PAUSE_UNLINKED,
	FX_OI_PAUSE_BUILT,   /* new leaves, the parent not locked yet */
	FX_OI_PAUSE_PARENT,  /* locked */
	FX_OI_PAUSE_SPLIT,   /* the parent is replaced too, the grandparent not locked yet */
	FX_OI_PAUSE_STORED,  /* published, everything still locked */
	FX_OI_PAUSE_RETIRED, /* gone, the lock of the level above still held */
	FX_OI_PAUSE_COMPACTED,
	FX_OI_PAUSE_MERGED,  /* built, not published */
	FX_OI_PAUSE_JOINED,  /* the same of inner nodes */
	FX_OI_PAUSE_LOWERED, /* the root goes, not published */
	FX_OI_PAUSE_CHECKED, /* a check bit is set, the key's word not changed yet */
	FX_OI_PAUSE_END,
	FX_OI_PAUSE_SCAN /* a scan is at the end of a level-1 node: what it sees may be old */
};

enum fx_oi_lock_state {
	FX_OI_UNLOCKED,
	FX_OI_LOCKED,
	FX_OI_GONE /* replaced: never unlocked again */
};

/* Keys to its left are less, it is the least key that may be to its right. Immutable. */
struct fx_oi_fence {
	uint32_t size;
	uint8_t bytes[];
};

/* A key whose suffix does not fit into a leaf. Freed with the leaf in which its slot is dead. */
struct fx_oi_long {
	uint32_t size;
	uint8_t bytes[];
};

/* A slot of a leaf. Written before it is linked; then only next changes. */
struct fx_oi_entry {
	uint32_t head;	 /* the suffix's first four bytes, big-endian, padded with zeros */
	uint16_t offset; /* in the heap: its further bytes, or the pointer to the whole key */
	uint8_t size;	 /* of the suffix, or FX_OI_LONG */
	/* Stored release, under the leaf's lock; loaded acquire (N3). */
	_Atomic uint8_t next;
};

struct fx_oi_leaf {
	_Atomic uint32_t lock;	       /* enum fx_oi_lock_state */
	uint16_t prefix_size;	       /* bytes that low and high share */
	uint8_t sorted;		       /* slots 1..sorted are the sorted base */
	uint8_t capacity;	       /* slots */
	const struct fx_oi_fence *low; /* NULL: from the very first key on */
	/*
	 * A bit a slot; stored under the lock. dead is stored (release) before the slot is
	 * unlinked, and loaded (acquire) by who starts in the sorted base. check is stored before
	 * the slot is linked or its key's word changes, which orders it for who has seen that.
	 */
	_Atomic uint64_t dead, check;
	union {
		struct {				/* under the lock */
			const struct fx_oi_fence *high; /* NULL: to the very last key */
			uint16_t heap_used;
			uint8_t used;	    /* slots */
			uint8_t live;	    /* of them not dead */
			uint8_t dead_longs; /* dead ones of size FX_OI_LONG */
		};
		struct { /* once it is gone */
			struct fx_retired retired;
			struct fx_slab *slab;
		};
	};
	uint32_t bytes; /* of the allocation */
	uint16_t heap_size;
	bool frees_low;		      /* set when it is gone: a merge took the fence out (N6) */
	struct fx_oi_entry entries[]; /* 0: the chain's head; then capacity slots; then the heap */
};

static_assert(sizeof(struct fx_oi_entry) == 8, "eight slots a cache line");
static_assert(sizeof(struct fx_oi_leaf) == 64, "a leaf's header");

/* Immutable, but for lock and children. */
struct fx_oi_inner {
	struct fx_retired retired;
	struct fx_slab *slab;
	_Atomic uint32_t lock;
	uint16_t prefix_size; /* bytes all fences share; heads begin behind them */
	uint16_t range_size;  /* bytes low and high share: no key that gets here has others */
	uint8_t level;	      /* 1: the children are leaves */
	uint8_t count;	      /* of fences */
	const struct fx_oi_fence *low, *high;
	uint64_t cells[]; /* heads[count], fences[count], children[count + 1] */
};

struct fx_ordered_index {
	struct fx_slab *slab;
	struct fx_epoch *epoch;
	/* Stored release under the lock of the root that it replaces; loaded acquire (N5). */
	struct fx_oi_inner *_Atomic root;
	_Atomic uint64_t bytes; /* a count, orders nothing */
};

/* A key as a leaf compares it: without the leaf's prefix. */
struct fx_oi_probe {
	const uint8_t *suffix;
	size_t size;
	uint32_t head;
};

/* Where a key is, or would be, in a leaf's chain. */
struct fx_oi_place {
	uint8_t before; /* the last live slot with a smaller key; 0: the chain's head */
	uint8_t at;	/* the one it leads to; 0: none */
	bool found;	/* that one has the key */
};

/* A key for a new leaf: a slot of an old one, or bytes. */
struct fx_oi_item {
	const struct fx_oi_leaf *leaf; /* NULL: bytes */
	struct fx_oi_key key;
	struct fx_oi_long *whole; /* of bytes whose suffix is too large */
	uint8_t slot;
	bool check;
};

/* An inner node that is being changed. */
struct fx_oi_image {
	unsigned int count;
	uint16_t prefix_size;
	uint64_t heads[FX_OI_FENCES_MAX + 1];
	const struct fx_oi_fence *fences[FX_OI_FENCES_MAX + 1];
	void *children[FX_OI_FENCES_MAX + 2];
};

/* ---- Locks ------------------------------------------------------------------------------------
 */

static inline bool fx_oi_try_lock(_Atomic uint32_t *lock)
{
	uint32_t expected = FX_OI_UNLOCKED;

	/* Acquire: pairs with the release in fx_oi_unlock(). */
	return atomic_load_explicit(lock, memory_order_relaxed) == FX_OI_UNLOCKED &&
	       atomic_compare_exchange_strong_explicit(lock, &expected, FX_OI_LOCKED,
						       memory_order_acquire, memory_order_relaxed);
}

static inline void fx_oi_unlock(_Atomic uint32_t *lock)
{
	atomic_store_explicit(lock, FX_OI_UNLOCKED, memory_order_release);
}

/* Wait a moment for the holder of a lock, outside of the section, which is left and entered. */
void fx_oi_wait(unsigned int *turns);

/* Count memory; bytes may be negative. */
static inline void fx_oi_count(struct fx_ordered_index *index, int64_t bytes)
{
	atomic_fetch_add_explicit(&index->bytes, (uint64_t)bytes, memory_order_relaxed);
}

/* ---- Changes of shape -------------------------------------------------------------------------
 */

/*
 * Add key, at place, to a locked leaf that has no room: by a larger leaf or two. Unlocks or
 * retires the leaf. May leave the section to wait, and enter it again. -ENOMEM: as it was.
 */
int fx_oi_grow(struct fx_ordered_index *index, struct fx_oi_leaf *leaf,
	       const struct fx_oi_place *place, struct fx_oi_key key, struct fx_oi_long *whole);

/* A key was taken out of a locked leaf: merge it with a neighbour if that pays. Unlocks it. */
void fx_oi_shrink(struct fx_ordered_index *index, struct fx_oi_leaf *leaf, struct fx_oi_key key);

/* Free a tree, or a leaf (level 0), with all keys and fences. Nobody else sees it. */
void fx_oi_destroy(struct fx_ordered_index *index, void *top, unsigned int level);

#endif
