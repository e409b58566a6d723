/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash_directory.c - the directory: entries that only move forward.
 *
 * Invariants
 *  D1 An entry's segment covers the entry's range, and is the one in use or leads to it by
 *     next.
 *
 *  D2 Only who has set busy changes table and entries, and an entry is only ever replaced by a
 *     segment that its own leads to.
 *
 *  D3 A segment is retired once every entry that covers a part of its range is past it. Then
 *     nobody who enters later can reach it: entries for other ranges never lead there (a
 *     replaced segment keeps the addresses of both its successors itself), and tables that were
 *     replaced before are known only to those who entered before.
 *
 *  D4 A replaced segment is on the list, or in the hands of who has set busy, until it is
 *     retired. Who puts one there then tries busy, and who clears busy then looks at the list
 *     (sequentially consistent both): nothing stays there unless somebody stands still with
 *     busy set, or memory for a larger table is short. Then finds take a step more, and the
 *     next replacement tries again.
 */
#include "hash_directory.h"

#include <errno.h>

/* ---- Tables ------------------------------------------------------------------------------------
 */

static uintptr_t table_new(struct fx_slab *slab, unsigned int bits)
{
	size_t bytes = sizeof(struct fx_directory_table) + (sizeof(uintptr_t) << bits);
	struct fx_directory_table *table;

	bytes = fx_slab_rounded((bytes + 63) / 64 * 64);
	table = fx_slab_alloc(slab, bytes);
	if (!table)
		return 0;
	table->slab = slab;
	table->bytes = bytes;
	return (uintptr_t)table | bits;
}

static void table_free(struct fx_directory_table *table)
{
	fx_slab_free(table->slab, table, table->bytes);
}

static void table_retired(struct fx_retired *retired, void *ctx)
{
	table_free((struct fx_directory_table *)retired);
}

static uintptr_t table_now(const struct fx_directory *directory)
{
	return atomic_load_explicit(&directory->table, memory_order_relaxed);
}

/* Under busy, or before anybody reads: table is complete; the one before is retired. */
static void table_publish(struct fx_directory *directory, uintptr_t table)
{
	uintptr_t before = table_now(directory);

	atomic_fetch_add_explicit(&directory->bytes, fx_table_of(table)->bytes,
				  memory_order_relaxed);
	/* Release: pairs with fx_directory_entry(). */
	atomic_store_explicit(&directory->table, table, memory_order_release);
	if (!before)
		return;
	atomic_fetch_sub_explicit(&directory->bytes, fx_table_of(before)->bytes,
				  memory_order_relaxed);
	fx_epoch_retire(directory->epoch, &fx_table_of(before)->retired, table_retired,
			fx_table_of(before)->bytes);
}

/* Under busy: a table of bits, more than there are. */
static int table_grow(struct fx_directory *directory, unsigned int bits)
{
	uintptr_t before = table_now(directory);
	unsigned int more = bits - fx_table_bits(before);
	uintptr_t table = table_new(directory->slab, bits);

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < (size_t)1 << bits; i++)
		atomic_init(&fx_table_of(table)->entries[i],
			    atomic_load_explicit(&fx_table_of(before)->entries[i >> more],
						 memory_order_relaxed));
	table_publish(directory, table);
	return 0;
}

/* ---- Replaced segments -------------------------------------------------------------------------
 */

static uintptr_t entry_of(struct fx_segment *segment)
{
	return (uintptr_t)segment | segment->kind;
}

static void segment_retired(struct fx_retired *retired, void *ctx)
{
	fx_segment_free((struct fx_segment *)retired);
}

/* Where entry number i leads, as far as bits can tell. */
static uintptr_t entry_resolve(uintptr_t entry, size_t i, unsigned int bits)
{
	uint64_t hash = bits ? (uint64_t)i << (64 - bits) : 0;
	struct fx_segment *segment = fx_entry_segment(entry);
	struct fx_segment *next;

	while ((next = fx_segment_next(segment, hash)) && next->depth <= bits)
		segment = next;
	return entry_of(segment);
}

/* Under busy: move all entries of segment's range past it. False: no memory for a larger table. */
static bool point_past(struct fx_directory *directory, struct fx_segment *segment)
{
	/* Its successors may be gone, but for entries that still lead to them. */
	const struct fx_successors *next =
		atomic_load_explicit(&segment->next, memory_order_relaxed);
	unsigned int depth = segment->depth + (next->half[0] != next->half[1]);
	unsigned int bits = fx_table_bits(table_now(directory));
	struct fx_directory_table *table;
	size_t first, count;

	if (depth > bits) {
		if (table_grow(directory, depth))
			return false;
		bits = depth;
	}
	table = fx_table_of(table_now(directory));
	first = fx_table_index(segment->first_hash, bits);
	count = (size_t)1 << (bits - segment->depth);
	for (size_t i = first; i < first + count; i++) {
		if (i == first + count / 2)
			FX_PAUSE(FX_PAUSE_HASH_DIRECTORY);
		/* Release: pairs with fx_directory_entry(). */
		atomic_store_explicit(&table->entries[i],
				      entry_resolve(atomic_load_explicit(&table->entries[i],
									 memory_order_relaxed),
						    i, bits),
				      memory_order_release);
	}
	return true;
}

static void list_push(struct fx_directory *directory, struct fx_segment *segment)
{
	struct fx_segment *top = atomic_load_explicit(&directory->replaced, memory_order_relaxed);

	do
		segment->retired.next = (struct fx_retired *)top;
	/* Release: pairs with the exchange in work_off(); sequentially consistent for D4. */
	while (!atomic_compare_exchange_weak(&directory->replaced, &top, segment));
}

/* Under busy: retire what is on the list. False: some had to stay there. */
static bool work_off(struct fx_directory *directory)
{
	struct fx_segment *segment = atomic_exchange(&directory->replaced, NULL);
	bool all = true;

	while (segment) {
		struct fx_segment *after = (struct fx_segment *)segment->retired.next;

		if (point_past(directory, segment)) {
			fx_epoch_retire(directory->epoch, &segment->retired, segment_retired,
					fx_segment_bytes(segment->kind));
		} else {
			list_push(directory, segment);
			all = false;
		}
		segment = after;
	}
	return all;
}

/* Set busy. False: somebody else has. Sequentially consistent (D4), acquire: pairs with clearing.
 */
static bool take(struct fx_directory *directory)
{
	return !atomic_exchange(&directory->busy, true);
}

static void settle(struct fx_directory *directory)
{
	bool all = true;

	while (all && atomic_load(&directory->replaced) && take(directory)) {
		all = work_off(directory);
		atomic_store(&directory->busy, false);
	}
}

int fx_directory_reserve(struct fx_directory *directory, unsigned int bits)
{
	int err = 0;

	if (bits > FX_DIRECTORY_BITS_MAX)
		return -ENOMEM;
	if (bits <= fx_table_bits(table_now(directory)) || !take(directory))
		return 0;
	if (bits > fx_table_bits(table_now(directory)))
		err = table_grow(directory, bits);
	atomic_store(&directory->busy, false);
	settle(directory); /* who found it busy meanwhile has left */
	return err;
}

void fx_directory_replaced(struct fx_directory *directory, struct fx_segment *segment)
{
	list_push(directory, segment);
	settle(directory);
}

/* ---- Life --------------------------------------------------------------------------------------
 */

int fx_directory_init(struct fx_directory *directory, struct fx_slab *slab, struct fx_epoch *epoch)
{
	*directory = (struct fx_directory){.slab = slab, .epoch = epoch};
	return fx_directory_expand(directory, 0, FX_SEGMENT_SMALL);
}

/* Its first count entries' segments are gone, and it is too. */
static void table_undo(uintptr_t table, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fx_segment_free(fx_entry_segment(fx_table_of(table)->entries[i]));
	table_free(fx_table_of(table));
}

int fx_directory_expand(struct fx_directory *directory, unsigned int bits, unsigned int kind)
{
	uintptr_t before = table_now(directory);
	uintptr_t table = table_new(directory->slab, bits);

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < (size_t)1 << bits; i++) {
		struct fx_segment *segment = fx_segment_new(
			directory->slab, kind, bits ? (uint64_t)i << (64 - bits) : 0, bits, 0);

		if (!segment) {
			table_undo(table, i);
			return -ENOMEM;
		}
		atomic_init(&fx_table_of(table)->entries[i], entry_of(segment));
	}
	if (before) {
		struct fx_segment *old = fx_entry_segment(fx_table_of(before)->entries[0]);

		directory->bytes -= fx_segment_bytes(old->kind);
		fx_segment_free(old);
	}
	directory->bytes += fx_segment_bytes(kind) << bits;
	table_publish(directory, table);
	return 0;
}

void fx_directory_release(struct fx_directory *directory)
{
	uintptr_t table = table_now(directory);
	struct fx_segment *replaced = directory->replaced;
	uint64_t hash = 0;

	if (!table)
		return;
	do {
		struct fx_segment *leaf = fx_directory_leaf(directory, hash);

		hash += leaf->depth ? UINT64_C(1) << (64 - leaf->depth) : 0;
		fx_segment_free(leaf);
	} while (hash);
	while (replaced) {
		struct fx_segment *segment = replaced;

		replaced = (struct fx_segment *)segment->retired.next;
		fx_segment_free(segment);
	}
	table_free(fx_table_of(table));
}
