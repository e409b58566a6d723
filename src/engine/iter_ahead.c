/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iter_ahead.c - what an iterator knows about keys that it has not given yet. As in many.c, keys go
 * through stages together, each of which only asks for the line that the next one reads:
 *
 *   hash -> bucket line -> record's lines -> alive? the value copied
 *
 * some keys apart, for a group of keys inside one epoch section, in which the slot found by the
 * second stage is good for the last. An item is what its key was at one moment of that section, but
 * for FEOX_ITER_STAT: who caches what he is told needs it as it is when it is given, so that is
 * looked up then.
 */
#include "iter.h"

#include "cleanup.h"

#include <string.h>

/* A stage asks for memory so many keys before the next one reads it. */
#define RECORD_AT  12u
#define LOOK_UP_AT 12u
#define AGAIN_AT   6u

/* Keys on their way, by their number in the batch. */
struct ahead {
	struct feox_iter *iter;
	size_t from, to;
	struct fx_bucket *homes[FX_ITER_AHEAD];
	fx_slot *near[FX_ITER_AHEAD];
	bool far[FX_ITER_AHEAD]; /* its word is not in its home */
};

static bool is_asked(const struct ahead *a, size_t i)
{
	return i < a->to && fx_iter_is_looked_up(a->iter, &a->iter->batch.refs[i]);
}

static void ask_for_bucket(struct ahead *a, size_t i)
{
	struct feox_iter *iter = a->iter;
	const struct fx_key_ref *ref = &iter->batch.refs[i];
	uint64_t hash;

	if (!is_asked(a, i))
		return;
	hash = fx_hash_key(iter->store->hash_seed, iter->batch.keys + ref->offset, ref->size);
	iter->hashes[i - a->from] = hash;
	a->homes[i - a->from] = fx_hash_index_prefetch(iter->store->hash, hash);
}

static void ask_for_record(struct ahead *a, size_t i)
{
	struct feox_iter *iter = a->iter;
	size_t k = i - a->from;

	if (is_asked(a, i))
		a->far[k] = !fx_hash_index_prefetch_record(iter->store->hash, a->homes[k],
							   iter->hashes[k], &a->near[k]);
}

static void ask_again(struct ahead *a, size_t i)
{
	if (is_asked(a, i) && a->far[i - a->from])
		fx_hash_index_prefetch_stashed(a->iter->store->hash, a->iter->hashes[i - a->from]);
}

/* False: there is no room for its value behind those copied before. */
static bool see(struct feox_iter *iter, struct fx_record *record, struct fx_iter_seen *seen)
{
	seen->alive = record;
	if (!record || (iter->flags & FEOX_ITER_KEYS_ONLY))
		return true;
	seen->value = NULL;
	seen->cold = fx_record_is_cold(record);
	seen->value_size = record->value_size;
	seen->version = record->version;
	seen->expiry_ns = fx_record_expiry(record);
	if (record->flags & FX_RECORD_APART)
		return true;
	if (record->value_size > FX_ITER_VALUES - iter->values_used)
		return false;
	seen->value = memcpy(iter->values + iter->values_used, fx_record_inline_value(record),
			     record->value_size);
	iter->values_used += record->value_size;
	return true;
}

/* Look key number i up. False: as see(). */
static bool look_up(struct ahead *a, size_t i)
{
	struct feox_iter *iter = a->iter;
	const struct fx_key_ref *ref = &iter->batch.refs[i];
	struct fx_record *record;
	size_t k = i - a->from;

	if (!is_asked(a, i) || (iter->flags & FEOX_ITER_STAT))
		return true;
	record = fx_find_live_near(iter->store, a->near[k], iter->hashes[k],
				   iter->batch.keys + ref->offset, ref->size);
	if (!see(iter, record, &iter->seen[k]))
		return false;
	iter->plain += ref->check && record && !(record->flags & FX_RECORD_EXPIRES);
	return true;
}

void fx_iter_look_ahead(struct feox_iter *iter)
{
	struct ahead a;
	size_t i;

	a.iter = iter;
	a.from = iter->taken;
	a.to = FX_MIN(iter->inside, a.from + FX_ITER_AHEAD);
	if (iter->left < a.to - a.from)
		a.to = a.from + (size_t)iter->left;
	iter->values_used = 0;
	fx_epoch_enter();
	for (i = a.from; i < a.from + RECORD_AT + LOOK_UP_AT; i++) {
		ask_for_bucket(&a, i);
		if (i >= a.from + RECORD_AT)
			ask_for_record(&a, i - RECORD_AT);
	}
	for (i = a.from; i < a.to; i++) {
		ask_for_bucket(&a, i + RECORD_AT + LOOK_UP_AT);
		ask_for_record(&a, i + LOOK_UP_AT);
		ask_again(&a, i + AGAIN_AT);
		if (!look_up(&a, i))
			break;
	}
	fx_epoch_leave();
	iter->seen_from = a.from;
	iter->seen_to = i;
}
