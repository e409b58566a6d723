/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_write.c - how one cut becomes durable.
 *
 *   sort out    a record that another one of the same cut replaced is never written (coalescing)
 *   kill        what the others replaced dies where it is now: the first durable record on the
 *               prev chain
 *   pack        the new records go into extents on free space (I1)
 *   commit      one journal record names the new extents, the dead records and the extents that
 *               are gone; extents and record are written together, then one fdatasync (I4). If the
 *               crash comes before its end, the record is not valid unless its extents are (I2).
 *               Where the journal has no room for it or cannot be written, a checkpoint stands in.
 *               An extent that cannot be written goes elsewhere, and the record is written again
 *   settle      records are DURABLE; prev chains are retired; tombstones leave their slots
 *
 * Everything a cut holds is in one commit record: batches are all or nothing (I9).
 */
#include "batch_write.h"

#include "commit.h"
#include "pack.h"
#include "patience.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct cut {
	struct feox_store *store;
	struct fx_pending *changes;  /* without the superseded ones */
	uint64_t count, bytes, disk; /* admitted, all of them */
	/* Locations that died, sorted by extent. */
	fx_location *dead;
	size_t dead_count, dead_capacity;
	/* Extents without a live record. */
	struct fx_extent **freed;
	size_t freed_count;
	struct fx_write_queue writes;
	struct fx_pack pack;
	struct fx_journal_header header;
};

/* ---- Sorting out, killing ----------------------------------------------------------------------
 */

static void mark_superseded(struct fx_pending *list)
{
	for (struct fx_pending *p = list; p; p = p->next)
		if (p->prev && !fx_record_is(p->prev, FX_DURABLE))
			atomic_fetch_or_explicit(&p->prev->state, FX_SUPERSEDED,
						 memory_order_relaxed);
}

/* Count what was admitted for all, keep those that are to be written or deleted. */
static void sort_out(struct cut *cut, struct fx_pending *list)
{
	mark_superseded(list);
	while (list) {
		struct fx_pending *next = list->next;
		const struct fx_record *r = list->record;

		cut->count++;
		cut->bytes += fx_queue_cost(r);
		if (!(r->flags & FX_RECORD_TOMBSTONE))
			cut->disk += fx_disk_cost(r->key_size, r->metadata_size, r->value_size);
		if (!fx_record_is(r, FX_SUPERSEDED)) {
			list->next = cut->changes;
			cut->changes = list;
		}
		list = next;
	}
}

static int add_dead(struct cut *cut, fx_location location)
{
	if (cut->dead_count == cut->dead_capacity) {
		size_t capacity = cut->dead_capacity ? 2 * cut->dead_capacity : 1024;
		fx_location *dead = FX_PATIENTLY(realloc(cut->dead, capacity * sizeof(*dead)));

		if (!dead)
			return -ENOMEM;
		cut->dead = dead;
		cut->dead_capacity = capacity;
	}
	cut->dead[cut->dead_count++] = location;
	return 0;
}

/* The record on disk that a record of the cut replaces, if there is one, dies as it is now. */
static int collect_dead(struct cut *cut)
{
	for (struct fx_pending *p = cut->changes; p; p = p->next) {
		struct fx_record *old = p->prev;
		int err = 0;

		while (old && !fx_record_is(old, FX_DURABLE))
			old = fx_pending_of(old)->prev;
		if (old && !(old->flags & FX_RECORD_TOMBSTONE))
			err = add_dead(cut, fx_record_location(old));
		if (err)
			return err;
	}
	return 0;
}

static int compare_locations(const void *a, const void *b)
{
	fx_location x = *(const fx_location *)a, y = *(const fx_location *)b;

	return (x > y) - (x < y);
}

static int kill_dead(struct cut *cut)
{
	struct fx_extent *extent = NULL;

	if (!cut->dead_count)
		return 0;
	qsort(cut->dead, cut->dead_count, sizeof(*cut->dead), compare_locations);
	cut->freed = FX_PATIENTLY(malloc(cut->dead_count * sizeof(struct fx_extent *)));
	if (!cut->freed)
		return -ENOMEM;
	for (size_t i = 0; i < cut->dead_count; i++) {
		uint32_t number = fx_location_extent(cut->dead[i]);

		if (!extent || extent->number != number)
			extent = fx_extent_table_get(cut->store->extents, number);
		if (!extent || fx_extent_kill(extent, fx_location_index(cut->dead[i])))
			return -EUCLEAN; /* a location that is not alive: a bug, never continue */
		if (!extent->live_count)
			cut->freed[cut->freed_count++] = extent;
	}
	return 0;
}

static int pack_records(struct cut *cut)
{
	int err = 0;

	for (struct fx_pending *p = cut->changes; p && !err; p = p->next)
		if (!(p->record->flags & FX_RECORD_TOMBSTONE))
			err = fx_pack_add(&cut->pack, p->record);
	return err ? err : fx_pack_end(&cut->pack);
}

/* ---- The commit record -------------------------------------------------------------------------
 */

static size_t record_capacity(const struct cut *cut)
{
	size_t size = FX_JOURNAL_HEADER + 3 * (FX_SECTION_HEADER + 8) + 8;

	for (uint32_t i = 0; i < cut->pack.extent_count; i++)
		size += fx_journal_extent_size(cut->pack.extents[i]->run_count, 0, false);
	size += cut->freed_count * 8;
	/* At most one DEAD entry for each dead record. */
	size += cut->dead_count * fx_journal_dead_size(1);
	return size;
}

static void put_extents(const struct cut *cut, struct fx_journal_writer *w)
{
	if (!cut->pack.extent_count)
		return;
	fx_journal_section(w, FX_SECTION_EXTENTS);
	for (uint32_t i = 0; i < cut->pack.extent_count; i++) {
		const struct fx_extent *extent = cut->pack.extents[i];

		fx_chain_put_extent(w, extent, NULL);
	}
	fx_journal_section_end(w);
}

/* The dead records of extents that live on; those of freed extents need no mention. */
static int put_dead(const struct cut *cut, struct fx_journal_writer *w)
{
	uint16_t *indexes = FX_PATIENTLY(malloc(FX_EXTENT_RECORDS_MAX * sizeof(*indexes)));
	size_t i = 0;

	if (!indexes)
		return -ENOMEM;
	fx_journal_section(w, FX_SECTION_DEAD);
	while (i < cut->dead_count) {
		uint32_t number = fx_location_extent(cut->dead[i]), count = 0;
		const struct fx_extent *extent = fx_extent_table_get(cut->store->extents, number);

		for (; i < cut->dead_count && fx_location_extent(cut->dead[i]) == number; i++)
			indexes[count++] = (uint16_t)fx_location_index(cut->dead[i]);
		if (extent->live_count)
			fx_journal_put_dead(w, extent->sequence, indexes, count);
	}
	fx_journal_section_end(w);
	free(indexes);
	return 0;
}

static int write_commit(struct cut *cut)
{
	struct feox_store *store = cut->store;
	size_t capacity = record_capacity(cut) + FX_BLOCK;
	struct fx_journal_writer w;
	uint8_t *buffer = fx_write_buffer(capacity);
	int err = 0;

	if (!buffer)
		return -ENOMEM;
	fx_journal_begin(&w, buffer, capacity);
	put_extents(cut, &w);
	if (cut->freed_count) {
		fx_journal_section(&w, FX_SECTION_FREED);
		for (size_t i = 0; i < cut->freed_count; i++)
			fx_journal_put_freed(&w, cut->freed[i]->sequence);
		fx_journal_section_end(&w);
	}
	if (cut->dead_count)
		err = put_dead(cut, &w);
	cut->header = (struct fx_journal_header){.type = FX_JOURNAL_COMMIT};
	fx_ceilings_set(store, &cut->header);
	if (!err)
		err = fx_chain_append(store, store->chain, &cut->writes, &w, &cut->header, true);
	if (err)
		free(w.buffer);
	return err;
}

/* ---- Settling ----------------------------------------------------------------------------------
 */

/* Settling cannot fail: it waits for the little memory that retiring takes. */
static void prepare(struct feox_store *store)
{
	unsigned int turns = 0;

	while (fx_epoch_prepare(store->epoch, 1))
		fx_backoff(&turns);
}

/* What a record that is durable now has replaced: back to one that was durable before. */
static void retire_chain(struct feox_store *store, struct fx_record *record)
{
	while (record) {
		struct fx_record *prev = NULL;

		if (!fx_record_is(record, FX_DURABLE)) {
			prev = fx_pending_of(record)->prev;
			fx_pending_free(store->slab, record);
		}
		prepare(store);
		fx_record_retire(store, record);
		record = prev;
	}
}

static void settle_change(struct feox_store *store, struct fx_pending *change)
{
	struct fx_record *record = change->record;
	bool tombstone = record->flags & FX_RECORD_TOMBSTONE;
	uint8_t before;

	retire_chain(store, change->prev);
	prepare(store); /* for the tombstone */
	atomic_store_explicit(&record->place, change->location, memory_order_relaxed);
	/*
	 * Release: who sees DURABLE sees the place. A tombstone may be gone from here on, unless
	 * its deleter has been there before: then finishing it is up to us.
	 */
	before = atomic_fetch_or_explicit(&record->state, FX_DURABLE, memory_order_acq_rel);
	if (tombstone && (before & FX_UNLINKED))
		fx_tombstone_finish(store, record);
	fx_slab_free(store->slab, change, sizeof(*change));
}

static void settle(struct cut *cut)
{
	struct feox_store *store = cut->store;
	struct fx_pending *change = cut->changes;

	while (change) {
		struct fx_pending *next = change->next;

		settle_change(store, change);
		change = next;
	}
	for (size_t i = 0; i < cut->freed_count; i++)
		fx_extent_table_remove(store->extents, cut->freed[i]);
	fx_chain_keep_spare(store);
	fx_disk_free_update(store);
	fx_queue_release(&store->queue, cut->count, cut->bytes);
	fx_disk_unreserve(store, cut->disk);
}

void fx_disk_free_update(struct feox_store *store)
{
	uint64_t free_blocks = fx_space_free_blocks(store->space);
	uint64_t hidden = fx_chain_hidden_blocks(store);

	atomic_store_explicit(&store->disk_free,
			      free_blocks > hidden ? (free_blocks - hidden) * FX_BLOCK : 0,
			      memory_order_release);
	atomic_store_explicit(&store->io.extents, fx_extent_table_count(store->extents),
			      memory_order_relaxed);
	atomic_store_explicit(&store->io.leaving, fx_extent_table_leaving(store->extents),
			      memory_order_relaxed);
	atomic_store_explicit(&store->io.device_bytes, store->super.blocks * FX_BLOCK,
			      memory_order_relaxed);
}

/*
 * A new chain instead of a commit record: its checkpoint has the state the cut leads to, and takes
 * effect with the superblock, after the sync that makes the extents durable too.
 */
static int commit_by_checkpoint(struct cut *cut)
{
	return fx_chain_checkpoint(cut->store, cut->store->chain);
}

/* Extents have moved: the commit record again, in its place; what it was is overwritten. */
static int rewrite_commit(struct cut *cut)
{
	int err;

	fx_chain_take_back(cut->store->chain, &cut->header);
	err = write_commit(cut);
	return err ? err : fx_write_finish(&cut->writes);
}

/*
 * Extents and commit record are written together. Where an extent had to go elsewhere, the commit
 * record is written again after it. Where there is no room for the record, or it cannot be written,
 * a new chain stands in. Until the one fdatasync at the end nothing of the cut counts.
 */
static int commit(struct cut *cut)
{
	int err = write_commit(cut);
	int moved = fx_write_extents(&cut->writes);

	if (!err)
		err = cut->writes.err;
	cut->writes.err = 0; /* a journal record's: it is dealt with here */
	if (moved < 0)
		return moved;
	if (!err && moved)
		err = rewrite_commit(cut);
	if (atomic_load(&cut->store->failed))
		return -EIO;
	if (err == -ENOSPC || err == -EIO)
		return commit_by_checkpoint(cut);
	if (!err)
		err = fx_write_sync(cut->store);
	if (!err)
		fx_ceilings_publish(cut->store, &cut->header);
	return err;
}

static int write_all(struct cut *cut)
{
	int err = collect_dead(cut);

	if (!err)
		err = pack_records(cut);
	if (!err)
		err = kill_dead(cut);
	if (!err &&
	    (cut->pack.extent_count || cut->dead_count || fx_ceilings_are_short(cut->store))) {
		err = commit(cut);
		if (!err)
			atomic_fetch_add_explicit(&cut->store->io.commits, 1, memory_order_relaxed);
	}
	/* Whatever has gone wrong: no buffer may be in flight any more. */
	fx_write_forget(&cut->writes);
	return err;
}

int fx_batch_write(struct feox_store *store, struct fx_pending *list, uint64_t *next_sequence)
{
	struct cut cut = {.store = store, .writes = {.store = store}};
	int err;

	sort_out(&cut, list);
	fx_pack_begin(&cut.pack, store, &cut.writes, *next_sequence);
	err = write_all(&cut);
	*next_sequence = cut.pack.next_sequence;
	if (!err)
		settle(&cut);
	fx_pack_free(&cut.pack);
	free(cut.dead);
	free(cut.freed);
	return err;
}
