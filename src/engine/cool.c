/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cool.c - values that are safely on disk leave memory, the least recently used ones first
 * (clock_cache.h); keys, metadata and everything a stat needs stay.
 *
 * A value apart is taken out of its record and given up after a grace period. For an inline one the
 * record is made anew without it, and changes places with the old one in the slot by one
 * compare-and-swap: to everybody else it is the same version. Only the flusher does that, because
 * the new record has the old one's place on disk, and only the flusher changes places.
 *
 * E1 Only a DURABLE record in a LIVE word is touched. A writer who has built a successor on the old
 *    record loses its compare-and-swap and builds on the new one; one who has won it before us has
 *    made ours fail. So the old record is nobody's prev.
 * E2 What a caller has pinned is not given up, it would free nothing.
 * E3 The new record of a key that expires counts as published: its expiry is announced to the
 *    sweeper, which knows records by their address.
 * E4 An extent's list of amendments leads to the records in memory: it is told of the new one.
 *
 * Memory is kept below the limit by a sixteenth, in the background; a writer who finds none all the
 * same waits for a round of the flusher, in which what is queued becomes clean and leaves.
 */
#include "cool.h"

#include "cleanup.h"

#include <errno.h>

#define HOPELESS_NS UINT64_C(100000000) /* so long a search that found nothing counts: pins end */
#define TURN_WORDS  ((uint64_t)1 << 18) /* passed at the end of one round at most: some 20 ms */

static uint64_t evict_apart(struct feox_store *store, struct fx_record *record)
{
	struct fx_value *value = fx_record_value(record);

	if (!value || fx_epoch_prepare(store->epoch, 1))
		return 0;
	/* Only the flusher takes a value out: it is still there. A reader that has loaded it is in
	 * its section. */
	atomic_store_explicit(fx_record_value_field(record), NULL, memory_order_release);
	fx_value_retire(store, value);
	return value->size;
}

/* E4 */
static void tell_extent(struct feox_store *store, const struct fx_record *cold)
{
	fx_location location = fx_record_location(cold);
	struct fx_extent *extent =
		fx_extent_table_get(store->extents, fx_location_extent(location));

	if (extent)
		fx_amend_list_replace(&extent->amended, fx_location_index(location), cold);
}

static uint64_t evict_inline(struct feox_store *store, fx_slot *slot, fx_word word,
			     struct fx_record *record)
{
	const struct fx_record_parts parts = {
		.key = fx_record_key(record),
		.key_size = record->key_size,
		.metadata = fx_record_metadata(record),
		.metadata_size = record->metadata_size,
		.expiry_ns = fx_record_expiry(record),
		.value_size = record->value_size,
		.cold = true,
	};
	struct fx_record *cold = fx_record_new(store->slab, &parts);

	if (!cold)
		return 0;
	cold->version = record->version;
	atomic_init(&cold->place, fx_record_location(record));
	atomic_init(&cold->state, FX_DURABLE);
	if (fx_epoch_prepare(store->epoch, 1) ||
	    !fx_hash_index_cas(store->hash, slot, word,
			       (word & ~FX_SLOT_PTR_MASK) | (uint64_t)(uintptr_t)cold)) {
		fx_record_unref(store->slab, cold);
		return 0;
	}
	tell_extent(store, cold);
	fx_record_retire(store, record);
	if (parts.expiry_ns)
		fx_expiry_lower(store, parts.expiry_ns); /* E3 */
	return record->value_size;
}

static uint64_t evict(void *ctx, fx_slot *slot, fx_word word)
{
	struct feox_store *store = ctx;
	struct fx_record *record = fx_word_record(word);
	uint64_t bytes = record->flags & FX_RECORD_APART ? evict_apart(store, record)
							 : evict_inline(store, slot, word, record);

	if (bytes) {
		fx_count(&store->io.cooled_bytes, bytes);
		fx_count(&store->io.cooled_values, 1);
	}
	return bytes;
}

static uint64_t run(struct feox_store *store, uint64_t wanted, uint64_t max_words)
{
	uint64_t words;

	store->cool.clock.hash = store->hash;
	store->cool.clock.evict = evict;
	store->cool.clock.ctx = store;
	return fx_clock_evict(&store->cool.clock, wanted, max_words, &words);
}

void fx_cool_ahead(struct feox_store *store)
{
	uint64_t used = fx_budget_used(&store->budget), limit = store->memory_limit;
	uint64_t deferred = fx_epoch_deferred(store->epoch);

	atomic_store_explicit(&store->cool.tracks, used > limit / 2, memory_order_relaxed);
	/* What has been given up already is on its way: not once more for it. */
	used -= FX_MIN(used, deferred);
	if (used <= fx_memory_high(store))
		return;
	if (run(store, used - (limit - limit / 8), TURN_WORDS))
		fx_epoch_flush(store->epoch);
}

/* Has anything happened since a search that found nothing? */
static bool is_hopeless(struct feox_store *store)
{
	return store->cool.found_nothing &&
	       fx_monotonic_ns() - store->cool.searched_ns < HOPELESS_NS &&
	       store->cool.commits == atomic_load(&store->io.commits) &&
	       store->cool.kept == atomic_load(&store->cool.keeps);
}

int fx_cool_make_room(struct feox_store *store, uint64_t bytes)
{
	uint64_t limit = store->memory_limit, used = fx_budget_used(&store->budget), given;

	if (used + bytes <= limit)
		return 0;
	if (bytes > limit || is_hopeless(store))
		return -ENOMEM;
	store->cool.commits = atomic_load(&store->io.commits);
	store->cool.kept = atomic_load(&store->cool.keeps);
	given = run(store, used + bytes - limit + limit / 16, UINT64_MAX);
	store->cool.found_nothing = !given;
	store->cool.searched_ns = fx_monotonic_ns();
	/* Not freed before its grace period. */
	fx_epoch_drain(store->epoch);
	if (fx_budget_used(&store->budget) + bytes <= limit)
		return 0;
	return given || fx_budget_used(&store->budget) < used ? -EAGAIN : -ENOMEM;
}
