/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iter_cold.c - a scan that meets a value which is on disk only reads those of the next keys with
 * it, at once. They stay in memory until they are given, so it does so only where there is room:
 * else they would be read twice.
 */
#include "iter.h"

#define AHEAD_VALUE_MAX ((uint64_t)64 * 1024) /* a larger one is worth a read of its own */

/* Is key number i one that was cold when it was looked up? Once. */
static bool is_due(struct feox_iter *iter, size_t i)
{
	struct fx_iter_seen *seen = &iter->seen[i - iter->seen_from];
	bool due = fx_iter_is_looked_up(iter, &iter->batch.refs[i]) && seen->alive && seen->cold &&
		   seen->value_size <= AHEAD_VALUE_MAX;

	if (due)
		seen->cold = false;
	return due;
}

/* Pin the cold ones among the keys that were looked up, from the next one on. */
static size_t pin_ahead(struct feox_iter *iter, struct fx_cold *colds, uint64_t *ret_bytes)
{
	size_t n = 0;

	*ret_bytes = 0;
	fx_epoch_enter();
	for (size_t i = iter->taken; i < iter->seen_to && n < FX_COLD_MANY; i++) {
		const struct fx_key_ref *ref = &iter->batch.refs[i];
		struct fx_record *record;

		if (!is_due(iter, i))
			continue;
		record = fx_find_live(iter->store, iter->hashes[i - iter->seen_from],
				      iter->batch.keys + ref->offset, ref->size);
		if (!record || !fx_record_is_cold(record))
			continue;
		*ret_bytes += record->value_size;
		fx_cold_pin(iter->store, record, &colds[n++]);
	}
	fx_epoch_leave();
	return n;
}

void fx_iter_load_ahead(struct feox_iter *iter)
{
	struct feox_store *store = iter->store;
	struct fx_cold colds[FX_COLD_MANY];
	struct feox_value values[FX_COLD_MANY];
	int errors[FX_COLD_MANY];
	uint64_t bytes;
	size_t n = pin_ahead(iter, colds, &bytes);
	bool loads = n > 1 && fx_memory_is_spare(store, bytes);

	if (loads)
		fx_value_pin_cold_many(store, colds, n, values, errors);
	for (size_t i = 0; i < n; i++) {
		if (loads && !errors[i])
			fx_value_unpin(store, &values[i]);
		fx_cold_unpin(store, &colds[i]);
	}
}
