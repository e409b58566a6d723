/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash_directory.h - top bits of a hash -> its segment. Private to the hash index.
 *
 * A table of 2^bits entries, each a segment's address | its kind: one load each for the table, the
 * entry and the bucket. It is a hint that may lag: a replaced segment leads on to its successors.
 * Nobody ever waits for it: who replaced a segment puts it on a list, and whoever finds the
 * directory free works the list off.
 */
#ifndef FX_HASH_DIRECTORY_H
#define FX_HASH_DIRECTORY_H

#include "hash_segment.h"

#define FX_DIRECTORY_BITS_MAX 30u

struct fx_directory_table {
	struct fx_retired retired;
	struct fx_slab *slab;
	size_t bytes;
	_Atomic uintptr_t entries[] __attribute__((aligned(64)));
};

struct fx_directory {
	_Atomic uintptr_t table; /* address | bits */
	struct fx_slab *slab;
	struct fx_epoch *epoch;
	_Atomic uint64_t bytes; /* of the table, and of the segments that are not replaced */
	/* Replaced segments that entries may still have, linked through retired.next. */
	struct fx_segment *_Atomic replaced;
	_Atomic bool busy; /* somebody is changing table or entries */
};

#define FX_TABLE_BITS  ((uintptr_t)63)
#define FX_ENTRY_KIND  ((uintptr_t)1)
#define FX_ENTRY_FLAGS ((uintptr_t)63)

static inline unsigned int fx_table_bits(uintptr_t table)
{
	return (unsigned int)(table & FX_TABLE_BITS);
}

static inline struct fx_directory_table *fx_table_of(uintptr_t table)
{
	return (struct fx_directory_table *)(table & ~FX_TABLE_BITS);
}

/* The entry's number for hash; bits may be 0. */
static inline size_t fx_table_index(uint64_t hash, unsigned int bits)
{
	return (size_t)(hash >> 1 >> (63 - bits));
}

static inline struct fx_segment *fx_entry_segment(uintptr_t entry)
{
	return (struct fx_segment *)(entry & ~FX_ENTRY_FLAGS);
}

static inline unsigned int fx_entry_kind(uintptr_t entry)
{
	return (unsigned int)(entry & FX_ENTRY_KIND);
}

/* A segment for hash, and its kind: the one in use, or one it stems from. Wait-free. */
static inline uintptr_t fx_directory_entry(const struct fx_directory *directory, uint64_t hash)
{
	/* Acquire: pairs with the release in table_publish(). */
	uintptr_t table = atomic_load_explicit(&directory->table, memory_order_acquire);

	/* Acquire: pairs with the release in point_past(); the segment is complete. */
	return atomic_load_explicit(
		&fx_table_of(table)->entries[fx_table_index(hash, fx_table_bits(table))],
		memory_order_acquire);
}

/* The segment in use for hash, when nobody replaces it just now. Wait-free. */
static inline struct fx_segment *fx_directory_leaf(const struct fx_directory *directory,
						   uint64_t hash)
{
	struct fx_segment *segment = fx_entry_segment(fx_directory_entry(directory, hash));
	struct fx_segment *next;

	while ((next = fx_segment_next(segment, hash)))
		segment = next;
	return segment;
}

/* One small segment. -ENOMEM. */
int fx_directory_init(struct fx_directory *directory, struct fx_slab *slab, struct fx_epoch *epoch);

/* All segments are gone with it. Nobody reads any more. Also after a failed init. */
void fx_directory_release(struct fx_directory *directory);

/* Make 2^bits segments of this kind instead of the one there is. Nobody else is there. -ENOMEM. */
int fx_directory_expand(struct fx_directory *directory, unsigned int bits, unsigned int kind);

/* Try to have as many bits, so that a segment of that depth gets its entry. -ENOMEM. */
int fx_directory_reserve(struct fx_directory *directory, unsigned int bits);

/* fx_hash_index_walk(). hash_walk.c */
void fx_directory_walk(const struct fx_directory *directory, uint64_t *cursor, size_t max_words,
		       void (*visit)(void *ctx, fx_slot *slot, fx_word word), void *ctx);

/* segment, never said before, has been replaced: correct the entries, then retire it. */
void fx_directory_replaced(struct fx_directory *directory, struct fx_segment *segment);

#endif
