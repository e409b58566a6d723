/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_write.c - how one cut becomes durable.
 *
 *   sort out    a record that another one of the same cut replaced is never written (coalescing)
 *   pack        the new records go into extents on free space (I1), but for those whose value is
 *               on disk: they stay at their basis' place (amend.c)
 *   kill        what the others replaced dies where it is now: the first durable record on the
 *               prev chain, unless another record stays there
 *   move        what compaction takes out of extents that are mostly dead dies there too, and is
 *               packed with the rest, amendments included (compact.h)
 *   commit      one journal record names the new extents, the dead records, the extents that are
 *               gone and the amendments; extents and record are written together, then one
 *               fdatasync (I4). If the
 *               crash comes before its end, the record is not valid unless its extents are (I2).
 *               Where the journal has no room for it or cannot be written, a checkpoint stands in.
 *               An extent that cannot be written goes elsewhere, and the record is written again
 *   settle      records are DURABLE; prev chains are retired; tombstones leave their slots
 * (settle.c)
 *
 * Everything a cut holds is in one commit record: batches are all or nothing (I9).
 */
#include "batch_write.h"

#include "amend.h"
#include "compact.h"
#include "dying.h"
#include "pack.h"
#include "patience.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct cut {
	struct feox_store *store;
	struct fx_compaction *moving; /* or NULL */
	struct fx_pending *changes;   /* without the superseded ones */
	uint64_t count, bytes, disk;  /* admitted, all of them */
	uint64_t changed_bytes;	      /* keys, metadata and values */
	struct fx_dying dying;
	struct fx_write_queue writes;
	struct fx_pack pack;
	struct fx_amend amend;
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
		cut->changed_bytes += fx_queue_cost(r) - sizeof(*r);
		cut->disk += fx_disk_cost_of(r);
		if (!fx_record_is(r, FX_SUPERSEDED)) {
			list->next = cut->changes;
			cut->changes = list;
		}
		list = next;
	}
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
			err = fx_dying_add(&cut->dying, fx_record_location(old), old);
		if (err)
			return err;
	}
	return 0;
}

static int write_or_amend(struct cut *cut, struct fx_pending *change)
{
	const struct fx_pack_item item = {.record = change->record, .location = &change->location};
	int err;

	if (change->record->flags & FX_RECORD_TOMBSTONE)
		return 0;
	err = fx_amend_take(&cut->amend, change);
	if (err)
		return err < 0 ? err : 0;
	/* What is not on disk is in memory (A4). */
	return fx_record_is_cold(change->record) ? -EUCLEAN : fx_pack_add(&cut->pack, &item);
}

/* What is amended stays alive. */
static int kill_dead(struct cut *cut)
{
	int err;

	fx_amend_sort(&cut->amend);
	err = fx_dying_spare(&cut->dying, &cut->amend);
	return err ? err : fx_dying_kill(&cut->dying);
}

static int pack_records(struct cut *cut)
{
	int err = 0;

	for (struct fx_pending *p = cut->changes; p && !err; p = p->next)
		err = write_or_amend(cut, p);
	return err ? err : fx_pack_end(&cut->pack);
}

/* What is moved goes into extents of its own: it lives longer than what is new. */
static int move_records(struct cut *cut)
{
	struct fx_compaction *moving = cut->moving;
	int err = 0;

	fx_compact_find(moving);
	for (size_t i = 0; i < moving->move_count && !err; i++) {
		struct fx_move *move = &moving->moves[i];
		const struct fx_pack_item item = {
			.record = move->record, .value = move->value, .location = &move->to};

		err = fx_pack_add(&cut->pack, &item);
		if (!err)
			err = fx_dying_add(&cut->dying, move->from, move->record);
	}
	if (!err)
		err = fx_pack_end(&cut->pack);
	return err ? err : fx_dying_kill(&cut->dying);
}

/* ---- The commit record -------------------------------------------------------------------------
 */

static size_t record_capacity(const struct cut *cut)
{
	size_t size = FX_JOURNAL_HEADER + FX_SECTION_HEADER + 8 + 8 + fx_amend_size(&cut->amend);

	for (uint32_t i = 0; i < cut->pack.extent_count; i++)
		size += fx_journal_extent_size(cut->pack.extents[i]->run_count, 0, false);
	return size + fx_dying_size(&cut->dying);
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

static int write_commit(struct cut *cut)
{
	struct feox_store *store = cut->store;
	size_t capacity = record_capacity(cut) + FX_BLOCK;
	struct fx_journal_writer w;
	uint8_t *buffer = fx_write_buffer(capacity);
	int err;

	if (!buffer)
		return -ENOMEM;
	fx_journal_begin(&w, buffer, capacity);
	put_extents(cut, &w);
	err = fx_dying_put(&cut->dying, &w);
	if (!err)
		fx_amend_put(&cut->amend, &w);
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

static void settle(struct cut *cut)
{
	struct feox_store *store = cut->store;

	fx_changes_settle(store, cut->changes);
	if (cut->moving)
		fx_compact_settle(cut->moving);
	fx_dying_settle(&cut->dying);
	fx_chain_keep_spare(store);
	fx_disk_free_update(store);
	fx_count(&store->io.changed_bytes, cut->changed_bytes);
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
	fx_compact_stats_update(store);
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
	if (!err)
		err = fx_amend_apply(&cut->amend);
	if (!err && cut->moving)
		err = move_records(cut);
	if (!err && (cut->pack.extent_count || cut->dying.count || cut->amend.count ||
		     fx_ceilings_are_short(cut->store))) {
		err = commit(cut);
		if (!err)
			atomic_fetch_add_explicit(&cut->store->io.commits, 1, memory_order_relaxed);
	}
	/* Whatever has gone wrong: no buffer may be in flight any more. */
	fx_write_forget(&cut->writes);
	return err;
}

int fx_batch_write(struct feox_store *store, struct fx_pending *list, struct fx_compaction *moving)
{
	struct cut cut = {.store = store,
			  .moving = moving,
			  .dying = {.store = store},
			  .writes = {.store = store}};
	int err;

	sort_out(&cut, list);
	fx_pack_begin(&cut.pack, store, &cut.writes, store->next_sequence);
	fx_amend_begin(&cut.amend, store);
	err = write_all(&cut);
	store->next_sequence = cut.pack.next_sequence;
	if (!err)
		settle(&cut);
	fx_pack_free(&cut.pack);
	fx_dying_free(&cut.dying);
	fx_amend_free(&cut.amend);
	return err;
}
