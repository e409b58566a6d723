/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compact.c - which extents are compacted when, and what is moved out of them.
 *
 * An extent whose last record has died is freed by the batch that killed it. One that still has a
 * few keeps all its blocks; so what lives in it is written again elsewhere, as a part of a batch,
 * and its old places die with that batch.
 *
 *   begin    chooses victims by the share of them that lives (live_share.h), reads each as a whole
 *            and verifies it
 *   find     after the batch's own dead are out: of each record that still lives in a victim, asks
 *            the hash for it. It is moved only if the slot has that very record, LIVE and DURABLE,
 *            at that very place. What is being replaced (a newer version, a tombstone or an intent
 *            is in the slot) is left alone: it dies there soon, or is moved by a later step
 *   settle   the batch is durable: record->place becomes the new one
 *
 * Invariants
 *  M1 Only the flusher changes the place of a record, and only here and in settle(): between find
 *     and settle no other batch is written, so a record that was at its place in find is there, and
 *     is still in memory, in settle. A writer who replaces it meanwhile has it as prev, and the
 *     batch that makes that durable kills it at its place as it is then.
 *  M2 What is moved is written from the record in memory (key, version, expiry, metadata: its
 *     amendments end with that) and, for the value, from the verified bytes of the victim: nothing
 *     becomes resident. A record that the batch amends is not durable yet, so it is not moved.
 *  M3 A reader that loaded the old place is in a section, or has pinned the victim: its blocks are
 *     not reused before both are over (extent_table.c).
 *  M4 A move takes no block that was promised to a writer: what it may take beyond the reserve is
 *     reserved as a writer's is, until the batch is durable.
 *
 * When
 *   In the background, extents of which less than a half lives, as soon as that gives back enough
 *   to be worth it; at most as many bytes as writers write, and IDLE_BYTES_S when they do not. So
 *   allocated extents stay below twice what lives in them.
 *   When less than the low water mark is free: the emptiest ones, whatever their share below
 *   TIGHT_SHARE, until that is free again. Writers wait for room meanwhile (reserve.c), so that
 *   they cannot outrun it.
 *
 * A victim that cannot be read or does not verify is left where it is, and said in the log: reads
 * of its values fail one by one, or do not.
 */
#include "compact.h"

#include "bytes.h"
#include "cleanup.h"
#include "disk_read.h"
#include "extent.h"
#include "journal_chain.h"
#include "pack.h"

#include <errno.h>
#include <stdlib.h>

#define STEP_BYTES                                                                                 \
	((uint64_t)8 << 20) /* moved in one batch at most: so long it may take longer              \
			     */
#define STEP_VICTIMS 256u
#define LOOKS	     1024u /* at extents that turn out to be of no use, in one step */
#define REST_STEPS   8u	   /* before a victim is chosen again: what kept its records may be over */
#define IDLE_BYTES_S ((uint64_t)16 << 20)
#define CREDIT_LEAST ((uint64_t)1 << 20) /* a step in the background is worth this */
#define WORTH_BLOCKS ((uint64_t)64)	 /* freed by a step in the background */
#define HALF_SHARE   (FX_SHARES / 2)
#define TIGHT_SHARE  (FX_SHARES - 3)
#define LOW_DIVISOR                                                                                \
	((uint64_t)64) /* of the store: kept free, and as much for compaction itself               \
			*/
#define LOW_MAX	    ((uint64_t)4096)
#define RESERVE_MAX ((uint64_t)1024)
#define GROUP	    32u /* lookups at once */
#define NS_PER_S    UINT64_C(1000000000)

/* ---- When --------------------------------------------------------------------------------------
 */

struct plan {
	unsigned int share;   /* victims have less than this */
	uint64_t gain_blocks; /* wanted */
	uint64_t bytes;	      /* to be moved at most */
};

uint64_t fx_compact_reserve_blocks(const struct feox_store *store)
{
	return FX_MIN(store->super.blocks / LOW_DIVISOR, RESERVE_MAX);
}

static uint64_t low_water(const struct feox_store *store)
{
	return FX_MIN(store->super.blocks / LOW_DIVISOR, LOW_MAX);
}

uint64_t fx_compact_gain_blocks(struct feox_store *store)
{
	return fx_shares_gain(fx_extent_table_shares(store->extents), TIGHT_SHARE);
}

/* Blocks beyond what is promised or kept for others; those that are leaving count when asked. */
static uint64_t unclaimed(struct feox_store *store, uint64_t asked, bool leaving)
{
	uint64_t blocks = fx_space_free_blocks(store->space);
	uint64_t claimed = fx_chain_hidden_blocks(store) - fx_compact_reserve_blocks(store);

	claimed += fx_div_up(atomic_load(&store->disk_reserved) + asked, FX_BLOCK);
	if (leaving)
		blocks += fx_extent_table_leaving_blocks(store->extents);
	return blocks > claimed ? blocks - claimed : 0;
}

static void give_credit(struct feox_store *store, uint64_t pace_bytes)
{
	uint64_t now = fx_monotonic_ns(), credit = store->compact.credit + pace_bytes;
	uint64_t elapsed = FX_MIN(now - store->compact.last_ns, NS_PER_S);

	credit += elapsed * (IDLE_BYTES_S / 1000000) / (NS_PER_S / 1000000);
	store->compact.credit = FX_MIN(credit, STEP_BYTES);
	store->compact.last_ns = now;
}

static bool make_plan(struct feox_store *store, uint64_t asked, struct plan *plan)
{
	struct fx_live_shares *shares = fx_extent_table_shares(store->extents);
	uint64_t wanted = low_water(store) + fx_compact_reserve_blocks(store);
	uint64_t free_blocks = unclaimed(store, asked, true);

	if (free_blocks < wanted) {
		*plan = (struct plan){.share = TIGHT_SHARE,
				      .gain_blocks = wanted - free_blocks,
				      .bytes = STEP_BYTES};
		return fx_shares_gain(shares, TIGHT_SHARE) > 0;
	}
	*plan = (struct plan){
		.share = HALF_SHARE, .gain_blocks = UINT64_MAX, .bytes = store->compact.credit};
	return store->compact.credit >= CREDIT_LEAST &&
	       fx_shares_gain(shares, HALF_SHARE) >=
		       FX_MIN(WORTH_BLOCKS, store->super.blocks / LOW_DIVISOR);
}

/* ---- Choosing ----------------------------------------------------------------------------------
 */

static bool read_victim(struct feox_store *store, struct fx_extent *extent, uint8_t *bytes)
{
	if (!fx_extent_read(store, extent, 0, bytes, extent->bytes) &&
	    fx_checksum(store->store_seed, bytes, extent->bytes) == extent->checksum)
		return true;
	extent->rest = UINT64_MAX;
	fx_store_log(store, FEOX_LOG_ERROR,
		     "extent %llu at block %llu cannot be read or is damaged: it is not compacted",
		     (unsigned long long)extent->sequence,
		     (unsigned long long)extent->runs[0].start);
	return false;
}

static int add_victim(struct fx_compaction *c, struct fx_extent *extent)
{
	uint8_t *bytes;

	if (c->victim_count == c->victim_capacity) {
		size_t capacity = c->victim_capacity ? 2 * c->victim_capacity : 16;
		struct fx_victim *victims = realloc(c->victims, capacity * sizeof(*victims));

		if (!victims)
			return -ENOMEM;
		c->victims = victims;
		c->victim_capacity = capacity;
	}
	bytes = malloc(extent->bytes);
	if (!bytes)
		return -ENOMEM;
	if (!read_victim(c->store, extent, bytes)) {
		free(bytes);
		return -EIO;
	}
	extent->rest = c->store->compact.step + REST_STEPS;
	c->victims[c->victim_count++] = (struct fx_victim){.extent = extent, .bytes = bytes};
	return 0;
}

struct choice {
	uint64_t live_bytes, blocks;
	unsigned int looks;
};

static uint64_t gain(const struct choice *choice)
{
	uint64_t needed = fx_div_up(choice->live_bytes, FX_BLOCK);

	return choice->blocks > needed ? choice->blocks - needed : 0;
}

/* Take victims of one share. False: that is enough. */
static bool choose_of_share(struct fx_compaction *c, unsigned int share, const struct plan *plan,
			    struct choice *choice)
{
	struct fx_live_shares *shares = fx_extent_table_shares(c->store->extents);
	struct fx_extent *extent = TAILQ_FIRST(&shares->lists[share]);
	struct fx_extent *last = TAILQ_LAST(&shares->lists[share], fx_extent_list);

	while (extent) {
		struct fx_extent *next = extent == last ? NULL : TAILQ_NEXT(extent, by_share);
		bool fits = choice->live_bytes + extent->live_bytes <= c->room_bytes;

		if (extent->rest > c->store->compact.step || !fits || add_victim(c, extent)) {
			fx_shares_postpone(shares, extent);
			if (++choice->looks >= LOOKS)
				return false;
		} else {
			choice->live_bytes += extent->live_bytes;
			choice->blocks += extent->blocks;
			if (c->victim_count >= STEP_VICTIMS || gain(choice) >= plan->gain_blocks)
				return false;
		}
		extent = next;
	}
	return true;
}

/*
 * Room for so many bytes of records, and what rounds them up to blocks: from the reserve, as far as
 * it is there, and from what nobody has been promised.
 */
static void take_room(struct fx_compaction *c, uint64_t bytes)
{
	struct feox_store *store = c->store;
	uint64_t wanted = bytes + bytes / 8 + 2 * FX_BLOCK;
	uint64_t own = FX_MIN(unclaimed(store, 0, false), fx_compact_reserve_blocks(store));

	own *= FX_BLOCK;
	if (wanted > own)
		c->reserved_bytes = fx_disk_take_spare(store, wanted - own);
	own += c->reserved_bytes;
	own -= FX_MIN(own, 2 * FX_BLOCK);
	c->room_bytes = FX_MIN(bytes, own - own / 8);
}

bool fx_compact_begin(struct feox_store *store, uint64_t pace_bytes, uint64_t asked_bytes,
		      struct fx_compaction *ret_compaction)
{
	struct fx_compaction c = {.store = store};
	struct choice choice = {0};
	struct plan plan;

	give_credit(store, pace_bytes);
	if (!make_plan(store, asked_bytes, &plan))
		return false;
	take_room(&c, plan.bytes);
	store->compact.step++;
	for (unsigned int share = 0; share < plan.share; share++)
		if (!choose_of_share(&c, share, &plan, &choice))
			break;
	if (!gain(&choice)) {
		fx_compact_end(&c);
		return false;
	}
	store->compact.credit -= FX_MIN(store->compact.credit, choice.live_bytes);
	*ret_compaction = c;
	return true;
}

/* ---- Finding what lives ------------------------------------------------------------------------
 */

struct candidate {
	const uint8_t *key;
	uint64_t hash;
	struct fx_bucket *home;
	fx_slot *near;
	uint64_t value_at;
	uint32_t index;
	uint32_t value_size;
	uint16_t key_size;
};

struct group {
	const struct fx_victim *victim;
	struct candidate candidates[GROUP];
	size_t count;
};

/* False: memory is short; what is not moved now is later. */
static bool add_move(struct fx_compaction *c, const struct fx_move *move)
{
	if (c->move_count == c->move_capacity) {
		size_t capacity = c->move_capacity ? 2 * c->move_capacity : 1024;
		struct fx_move *moves = realloc(c->moves, capacity * sizeof(*moves));

		if (!moves)
			return false;
		c->moves = moves;
		c->move_capacity = capacity;
	}
	c->moves[c->move_count++] = *move;
	return true;
}

/* Is it in its slot, durable and at this place? */
static struct fx_record *settled_record(struct feox_store *store, const struct candidate *candidate,
					fx_location location)
{
	fx_word word = fx_hash_index_find_near(store->hash, candidate->near, candidate->hash,
					       candidate->key, candidate->key_size);
	struct fx_record *record = fx_word_record(word);

	if (!word || fx_word_state(word) != FX_SLOT_LIVE || !fx_record_is(record, FX_DURABLE) ||
	    fx_record_location(record) != location || record->value_size != candidate->value_size)
		return NULL;
	return record;
}

static void prefetch(struct feox_store *store, struct group *g)
{
	for (size_t i = 0; i < g->count; i++) {
		struct candidate *candidate = &g->candidates[i];

		candidate->hash =
			fx_hash_key(store->hash_seed, candidate->key, candidate->key_size);
		candidate->home = fx_hash_index_prefetch(store->hash, candidate->hash);
	}
	for (size_t i = 0; i < g->count; i++) {
		struct candidate *candidate = &g->candidates[i];

		fx_hash_index_prefetch_record(store->hash, candidate->home, candidate->hash,
					      &candidate->near);
	}
}

/* False: no more can be moved. */
static bool find_group(struct fx_compaction *c, struct group *g)
{
	bool more = true;

	fx_epoch_enter();
	prefetch(c->store, g);
	for (size_t i = 0; i < g->count && more; i++) {
		const struct candidate *candidate = &g->candidates[i];
		struct fx_move move = {
			.from = fx_location_make(g->victim->extent->number, candidate->index,
						 (uint32_t)(candidate->value_at / FX_VALUE_UNIT)),
			.value = g->victim->bytes + candidate->value_at +
				 fx_value_checksums_size(candidate->value_size),
		};
		uint64_t bytes;

		move.record = settled_record(c->store, candidate, move.from);
		if (!move.record)
			continue;
		bytes = fx_pack_room(move.record);
		more = c->moved_bytes + bytes <= c->room_bytes && add_move(c, &move);
		if (more)
			c->moved_bytes += bytes;
	}
	fx_epoch_leave();
	g->count = 0;
	return more;
}

/* A renamed record is found by the key that it has now. */
static void use_amended_key(const struct fx_extent *extent, uint32_t index,
			    struct fx_extent_entry *entry)
{
	const struct fx_amended *amended = fx_amend_list_find(&extent->amended, index);

	if (!amended)
		return;
	entry->key = fx_record_key(amended->record);
	entry->key_size = amended->record->key_size;
}

static bool find_in_victim(struct fx_compaction *c, const struct fx_victim *victim)
{
	const struct fx_extent *extent = victim->extent;
	const uint8_t *directory = victim->bytes + FX_EXTENT_HEADER;
	uint64_t value_at =
		fx_align_up(FX_EXTENT_HEADER + (uint64_t)extent->directory_bytes, FX_VALUE_ALIGN);
	struct group g = {.victim = victim};
	uint32_t at = 0;
	bool more = true;

	for (uint32_t i = 0; i < extent->record_count && more; i++) {
		struct fx_extent_entry entry;
		int64_t n = fx_extent_entry_decode(directory + at, extent->directory_bytes - at,
						   &entry);

		if (n < 0 || value_at > extent->bytes ||
		    fx_value_area_size(entry.value_size) > extent->bytes - value_at)
			return true; /* its checksum was right: somebody wrote that */
		use_amended_key(extent, i, &entry);
		if (fx_extent_is_live(extent, i))
			g.candidates[g.count++] =
				(struct candidate){.key = entry.key,
						   .key_size = entry.key_size,
						   .index = i,
						   .value_at = value_at,
						   .value_size = entry.value_size};
		if (g.count == GROUP)
			more = find_group(c, &g);
		at += (uint32_t)n;
		value_at += fx_align_up(fx_value_area_size(entry.value_size), FX_VALUE_ALIGN);
	}
	return more && (!g.count || find_group(c, &g));
}

void fx_compact_find(struct fx_compaction *c)
{
	for (size_t i = 0; i < c->victim_count; i++)
		if (!find_in_victim(c, &c->victims[i]))
			return;
}

/* ---- The end of a step -------------------------------------------------------------------------
 */

void fx_compact_settle(struct fx_compaction *c)
{
	for (size_t i = 0; i < c->move_count; i++)
		fx_record_moved(c->moves[i].record, c->moves[i].to);
	fx_count(&c->store->io.compacted_bytes, c->moved_bytes);
}

void fx_compact_end(struct fx_compaction *c)
{
	for (size_t i = 0; i < c->victim_count; i++)
		free(c->victims[i].bytes);
	free(c->victims);
	free(c->moves);
	if (c->reserved_bytes)
		fx_disk_unreserve(c->store, c->reserved_bytes);
	*c = (struct fx_compaction){0};
}

void fx_compact_stats_update(struct feox_store *store)
{
	const struct fx_live_shares *shares = fx_extent_table_shares(store->extents);

	atomic_store_explicit(&store->io.allocated_bytes, fx_shares_blocks(shares) * FX_BLOCK,
			      memory_order_relaxed);
	atomic_store_explicit(&store->io.live_bytes, fx_shares_live_bytes(shares),
			      memory_order_relaxed);
	atomic_store_explicit(&store->io.gain_blocks,
			      fx_shares_gain(shares, TIGHT_SHARE) + fx_chain_gain_blocks(store),
			      memory_order_relaxed);
}
