/* SPDX-License-Identifier: Apache-2.0 */
/*
 * salvage.c - the journal is lost: what can be had without it.
 *
 * Every extent that is whole is taken for what it says, and of each key the newest version stays
 * whose checksum holds. An extent that was freed and not yet written over looks like any other: so
 * what was deleted may be back, unless a record of the journal that is left says for certain that
 * it died (salvage_scan.c). What the journal has changed in place (names, expiries, metadata) is as
 * it was when the record was written.
 *
 *  - Of a key the newest version counts, and of one version the latest place. When that is known to
 *    be dead, so are all older ones: a delete does not bring back what it had replaced (I8).
 *  - Blocks have one owner. Extents are placed from the newest to the oldest: blocks are written
 *    anew only after the extent that had them was freed (I1), so one that meets a newer one in its
 *    blocks is dead as a whole.
 *  - Where an extent lies is known from the journal, or supposed to be one run. The latter is
 *    proven when all its values are right; those that are not wait until all others have their
 *    blocks, so that a wrong guess takes away nobody's.
 *  - Nothing is written here. The new chain goes to blocks that neither an extent that stays nor a
 *    record of the old journal has: a crash leaves all there is to be found again.
 */
#include "salvage.h"

#include "bytes.h"
#include "cleanup.h"
#include "disk_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Numbers given out after the last journal record that is left: no store lives to see so many. */
#define ID_MARGIN (UINT64_C(1) << 40)

/* A version that was found damaged. */
struct fx_lost {
	struct fx_lost *next;
	bool supposed; /* it may as well have been deleted */
	uint64_t version, block;
	size_t key_size;
	uint8_t key[];
};

/* ---- Records -----------------------------------------------------------------------------------
 */

static bool is_known_dead(const struct fx_find *find, uint32_t index)
{
	const struct fx_witness *w = find->witness;

	return w && (w->freed || (w->dead && (w->dead[index / 64] >> index % 64 & 1)));
}

static int remember_lost(struct fx_salvage *s, const struct fx_look *look,
			 const struct fx_extent_entry *entry, bool supposed)
{
	struct fx_lost *lost = malloc(sizeof(*lost) + entry->key_size);

	if (!lost)
		return -ENOMEM;
	*lost = (struct fx_lost){.next = s->lost,
				 .supposed = supposed,
				 .version = entry->version,
				 .block = look->find->block,
				 .key_size = entry->key_size};
	if (entry->key_size)
		memcpy(lost->key, entry->key, entry->key_size);
	s->lost = lost;
	s->lost_count++;
	return 0;
}

/* A record of the index says where its key's newest version lives, or that it is dead. */
static bool is_dead(const struct fx_record *record)
{
	return record->flags & FX_RECORD_TOMBSTONE;
}

static struct fx_extent *extent_of(struct fx_salvage *s, const struct fx_record *record)
{
	return fx_extent_table_get(s->store->extents,
				   fx_location_extent(fx_record_location(record)));
}

/* Of one version in two places the later place counts: it was moved there. */
static bool is_newer(struct fx_salvage *s, const struct fx_record *there,
		     const struct fx_extent_entry *entry, uint64_t sequence)
{
	if (there->version != entry->version)
		return there->version > entry->version;
	return (is_dead(there) ? fx_record_location(there) : extent_of(s, there)->sequence) >=
	       sequence;
}

static struct fx_record *new_record(struct fx_salvage *s, const struct fx_look *look,
				    uint32_t index, const struct fx_extent_entry *entry, bool dead)
{
	const struct fx_record_parts parts = {
		.key = entry->key, .key_size = entry->key_size, .cold = true};
	struct fx_record *record = fx_record_new(s->store->slab, &parts);

	if (!record)
		return NULL;
	record->version = entry->version;
	atomic_init(&record->state, FX_DURABLE);
	if (dead)
		record->flags |= FX_RECORD_TOMBSTONE;
	atomic_init(&record->place, dead ? look->find->header.sequence
					 : fx_location_make(look->extent->number, index, 0));
	return record;
}

static void revive(struct fx_extent *extent, uint32_t index)
{
	extent->live[index / 64] |= UINT64_C(1) << index % 64;
	extent->live_count++;
}

/* The record that was the newest one so far is not. */
static void supersede(struct fx_salvage *s, struct fx_record *there)
{
	if (!is_dead(there))
		(void)fx_extent_kill(s->store->extents, extent_of(s, there),
				     fx_location_index(fx_record_location(there)));
	fx_record_unref(s->store->slab, there);
}

static int put_record(struct fx_salvage *s, struct fx_look *look, uint32_t index,
		      const struct fx_extent_entry *entry, bool dead)
{
	struct feox_store *store = s->store;
	uint64_t hash = fx_hash_key(store->hash_seed, entry->key, entry->key_size);
	struct fx_record *record;
	fx_slot *slot;
	fx_word old = fx_hash_index_find(store->hash, hash, entry->key, entry->key_size, &slot),
		word;
	int err = 0;

	s->version_max = FX_MAX(s->version_max, entry->version);
	if (old && is_newer(s, fx_word_record(old), entry, look->find->header.sequence))
		return 0;
	record = new_record(s, look, index, entry, dead);
	if (!record)
		return -ENOMEM;
	word = fx_word_make(hash, record, FX_SLOT_LIVE);
	if (!old)
		err = fx_hash_index_insert(store->hash, hash, word, &slot, &old);
	else if (fx_hash_index_cas(store->hash, slot, old, word))
		supersede(s, fx_word_record(old));
	else
		err = -EAGAIN; /* cannot be: nobody else is here */
	if (err)
		fx_record_unref(store->slab, record);
	else if (!dead)
		revive(look->extent, index);
	return err;
}

static int keep_record(struct fx_salvage *s, struct fx_look *look, uint32_t index,
		       const struct fx_extent_entry *entry, uint64_t value_at)
{
	if (is_known_dead(look->find, index))
		return put_record(s, look, index, entry, true);
	if (!look->good[index])
		return remember_lost(s, look, entry, false);
	return put_record(s, look, index, entry, false);
}

/* ---- One extent after another ------------------------------------------------------------------
 */

/* Its blocks have another owner: it was freed, or is in several parts that nobody names. */
static int suppose_lost(struct fx_salvage *s, struct fx_look *look, uint32_t index,
			const struct fx_extent_entry *entry, uint64_t value_at)
{
	return is_known_dead(look->find, index) ? 0 : remember_lost(s, look, entry, true);
}

/*
 * Take what find has. With whole, only if all of it is right: *ret_waits says that it may have
 * something all the same.
 */
static int keep_extent(struct fx_salvage *s, const struct fx_find *find, bool whole,
		       bool *ret_waits)
{
	struct fx_look look = {.find = find};
	bool freed = find->witness && find->witness->freed;
	int more = fx_look_begin(s, &look), err = 0;

	if (more > 0)
		more = fx_look_directory(s, &look);
	if (more > 0 && !freed) {
		err = fx_look_values(s, &look);
		if (!err && whole && !look.whole) {
			*ret_waits = true;
			more = 0;
		}
		/* Who does not find its blocks free was freed before they were written anew. */
		if (!err && more)
			more = fx_look_place(s, &look);
	}
	if (!err && more > 0)
		err = fx_look_each(s, &look, keep_record);
	else if (!err && !more && look.directory && !whole)
		err = fx_look_each(s, &look, suppose_lost);
	fx_look_end(&look);
	return more < 0 ? more : err;
}

static int compare_finds(const void *a, const void *b)
{
	const struct fx_find *x = a, *y = b;

	return (x->header.sequence < y->header.sequence) -
	       (x->header.sequence > y->header.sequence);
}

static int keep_extents(struct fx_salvage *s)
{
	struct fx_search *search = &s->search;
	size_t count = search->find_count;
	FX_AUTO_FREE bool *waits = calloc(count + 1, sizeof(*waits));
	int err = waits ? 0 : -ENOMEM;

	if (!err && count) {
		qsort(search->finds, count, sizeof(*search->finds), compare_finds);
		search->sequence_max = search->finds[0].header.sequence;
	}
	for (unsigned int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < count && !err; i++) {
			if (pass && !waits[i])
				continue;
			err = keep_extent(s, &search->finds[i], !pass, &waits[i]);
			if (!err)
				err = fx_check_progress(s->check, FEOX_CHECK_VALUES,
							pass * count + i, 2 * count);
		}
	return err;
}

/* All of whose keys have newer versions, that are whole. */
static void forget_superseded(struct fx_salvage *s)
{
	struct fx_extent *extent;
	uint32_t cursor = 0;

	while ((extent = fx_extent_table_next(s->store->extents, &cursor)))
		if (!extent->live_count)
			fx_extent_table_remove(s->store->extents, extent);
	fx_epoch_drain(s->store->epoch);
	fx_extent_table_reap(s->store->extents, fx_salvage_free_run, s->store);
}

/* ---- What is lost ------------------------------------------------------------------------------
 */

/* By key, the newest version first. */
static int compare_lost(const void *a, const void *b)
{
	const struct fx_lost *x = *(struct fx_lost *const *)a, *y = *(struct fx_lost *const *)b;
	int order = fx_bytes_cmp(x->key, x->key_size, y->key, y->key_size);

	return order ? order : (x->version < y->version) - (x->version > y->version);
}

/* The newest version of this key that was found is damaged: did a newer one turn up elsewhere? */
static void report_key(struct fx_salvage *s, const struct fx_lost *lost)
{
	struct feox_store *store = s->store;
	fx_word word = fx_hash_index_find(store->hash,
					  fx_hash_key(store->hash_seed, lost->key, lost->key_size),
					  lost->key, lost->key_size, NULL);
	const struct fx_record *there = word ? fx_word_record(word) : NULL;
	bool older = there && !is_dead(there);

	if (there && there->version >= lost->version)
		return;
	if (lost->supposed) {
		fx_check_find(s->check, FEOX_NOTE, lost->block, lost->key, lost->key_size,
			      "a version of this key was deleted, or cannot be put together any "
			      "more");
		return;
	}
	s->check->result.lost_keys += !older;
	fx_check_find(s->check, FEOX_LOSS, lost->block, lost->key, lost->key_size,
		      older ? "a value is damaged: an older version is kept"
			    : "a value is damaged");
}

static int report_lost(struct fx_salvage *s)
{
	FX_AUTO_FREE struct fx_lost **sorted =
		malloc((s->lost_count + 1) * sizeof(struct fx_lost *));
	size_t count = 0;

	if (!sorted)
		return -ENOMEM;
	for (struct fx_lost *lost = s->lost; lost; lost = lost->next)
		sorted[count++] = lost;
	qsort(sorted, count, sizeof(*sorted), compare_lost);
	fx_epoch_enter();
	for (size_t i = 0; i < count; i++)
		if (!i || fx_bytes_cmp(sorted[i]->key, sorted[i]->key_size, sorted[i - 1]->key,
				       sorted[i - 1]->key_size))
			report_key(s, sorted[i]);
	fx_epoch_leave();
	return 0;
}

/* ---- The store ---------------------------------------------------------------------------------
 */

/* What both superblocks said, and nothing else says. */
static int invent_superblock(struct fx_salvage *s)
{
	struct fx_superblock *super = &s->store->super;

	*super = (struct fx_superblock){.created_ns = fx_clock_now(&s->store->clock),
					.separator = s->store->separator};
	memcpy(super->uuid, s->search.uuid, FX_UUID_SIZE);
	s->store->super_first = 0;
	if (getrandom(&super->hash_seed, sizeof(super->hash_seed), 0) !=
	    (ssize_t)sizeof(super->hash_seed))
		return -EIO;
	fx_check_find(s->check, FEOX_NOTE, 0, NULL, 0,
		      "both superblocks are made anew, with the separator '%c'", super->separator);
	return 0;
}

static int prepare(struct fx_salvage *s)
{
	struct feox_store *store = s->store;
	uint64_t blocks = store->device->size / FX_BLOCK;
	int err = 0;

	if (blocks <= FX_DATA_START)
		return fx_diag(s->check->diag, -ENOSPC, "cut off: nothing is left of it");
	if (s->check->superblock_lost) {
		err = fx_search_identify(&s->search);
		if (err == -EUCLEAN)
			return fx_diag(s->check->diag, err,
				       "not a feox store: nothing of one was found");
		if (!err)
			err = invent_superblock(s);
	} else {
		memcpy(s->search.uuid, store->super.uuid, FX_UUID_SIZE);
	}
	if (err)
		return err;
	store->super.blocks = blocks; /* a superblock that is left may be older than a growth */
	err = fx_search_device(&s->search);
	if (!err)
		err = fx_map_create(store);
	if (!err)
		err = fx_space_free(store->space,
				    (struct fx_run){FX_DATA_START, blocks - FX_DATA_START});
	return err;
}

/* The new chain begins above all that there was. */
static void raise_all(struct fx_salvage *s)
{
	struct fx_search *search = &s->search;
	struct fx_recovery *recovery = &s->check->recovery;
	struct fx_superblock *super = &s->store->super;
	uint64_t count = FX_MAX(super->chain_generation & UINT32_MAX, search->generation_count);

	super->chain_generation = FX_MAX(count, search->sequence_max >> 32);
	recovery->version_ceiling = FX_MAX(search->version_ceiling, s->version_max);
	recovery->id_ceiling = FX_MIN(search->id_ceiling + ID_MARGIN, FX_ID_MAX);
	fx_clock_raise(&s->store->clock, search->wall_ns);
}

/* What the old journal says stays readable until it is not needed any more. */
static void keep_journal(struct fx_salvage *s)
{
	for (size_t i = 0; i < s->search.journal_count; i++)
		for (uint64_t b = 0; b < s->search.journal[i].blocks; b++)
			(void)fx_space_take(s->store->space,
					    (struct fx_run){s->search.journal[i].start + b, 1});
}

int fx_salvage(struct fx_check *check)
{
	struct fx_salvage s = {.check = check, .search = {.check = check}};
	int err = fx_check_reset(check);

	RB_INIT(&s.search.witnesses);
	s.store = check->store;
	s.scratch = malloc(FX_SLICE);
	if (!err)
		err = s.scratch ? prepare(&s) : -ENOMEM;
	if (!err)
		err = keep_extents(&s);
	if (!err)
		err = report_lost(&s);
	if (!err) {
		forget_superseded(&s);
		raise_all(&s);
		keep_journal(&s);
		check->result.salvaged = true;
	}
	while (s.lost) {
		struct fx_lost *next = s.lost->next;

		free(s.lost);
		s.lost = next;
	}
	fx_search_free(&s.search);
	free(s.scratch);
	return err;
}
