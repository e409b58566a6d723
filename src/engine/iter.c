/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iter.c - ranges: keys come from the ordered index in batches that are copied out; then groups of
 * them are looked up in the hash index, which alone knows whether they live. A scan for keys only
 * looks up those with a check bit (ordered_index.h): the others were live when the batch was made.
 * When it has looked up many that turned out to be plain, it asks the ordered index to clear their
 * bits, so that the next scan need not.
 *
 * Nothing is held between calls but copies, and the pin on a large value.
 *
 *   batch   |given, or dead|looked up|             |beyond the range|
 *           0            taken     seen_to       inside           count
 */
#include "iter.h"

#include "cleanup.h"
#include "histogram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LARGE_BYTES ((size_t)32 * 1024)
#define LARGE_KEYS  512u
#define SETTLE_MIN  8u /* keys found plain before their bits are worth clearing */

static_assert(LARGE_BYTES >= FEOX_KEY_MAX && FEOX_KEY_MAX == FX_ORDERED_KEY_MAX, "any key fits");

/* ---- Life --------------------------------------------------------------------------------------
 */

int fx_iter_open(struct feox_store *store, const struct feox_iter_options *options,
		 struct feox_iter **ret_iter)
{
	static const struct feox_iter_options everything = {0};

	if (!store || !ret_iter)
		return -EINVAL;
	return fx_iter_new(store, options ? options : &everything, ret_iter);
}

FEOX_API int feox_iter_open(struct feox_store *store, const struct feox_iter_options *options,
			    struct feox_iter **ret_iter)
{
	int err = fx_iter_open(store, options, ret_iter);

	if (!err)
		fx_count(&fx_counters(store)->iterations, 1);
	return err;
}

/* The batch is left: let the order know what was found out about it. */
static void settle(struct feox_iter *iter)
{
	const struct fx_key_ref *refs = iter->batch.refs;
	const uint8_t *keys = iter->batch.keys;
	size_t first = iter->reverse ? iter->taken - 1 : 0, last = iter->taken - 1 - first;

	if (iter->plain >= SETTLE_MIN)
		fx_order_settle(iter->store, keys + refs[first].offset, refs[first].size,
				keys + refs[last].offset, refs[last].size);
	iter->plain = 0;
}

/* Not with every item: that would cost a keys-only scan a third of its speed. */
static void count_given(struct feox_iter *iter)
{
	if (iter->given)
		fx_count(&fx_counters(iter->store)->items, iter->given);
	iter->given = 0;
}

FEOX_API void feox_iter_close(struct feox_iter *iter)
{
	if (!iter)
		return;
	settle(iter);
	count_given(iter);
	feox_value_release(iter->store, &iter->value);
	free(iter->large);
	free(iter);
}

/* ---- Batches -----------------------------------------------------------------------------------
 */

/* How many keys of the batch are in the range. */
static size_t count_inside(const struct feox_iter *iter)
{
	const struct fx_key_batch *batch = &iter->batch;
	size_t low = 0, n = batch->count;

	if (!n || !fx_iter_is_beyond(iter, batch->keys + batch->refs[n - 1].offset,
				     batch->refs[n - 1].size))
		return n;
	while (n) {
		const struct fx_key_ref *middle = &batch->refs[low + n / 2];

		if (!fx_iter_is_beyond(iter, batch->keys + middle->offset, middle->size)) {
			low += n / 2 + 1;
			n -= n / 2 + 1;
		} else {
			n /= 2;
		}
	}
	return low;
}

/* Room for a large batch. Keys in the old room stay where they are. */
static int enlarge(struct feox_iter *iter)
{
	size_t refs = LARGE_KEYS * sizeof(struct fx_key_ref);

	if (!iter->large)
		iter->large = malloc(refs + LARGE_BYTES);
	if (!iter->large)
		return -ENOMEM;
	iter->batch.refs = iter->large;
	iter->batch.keys = (uint8_t *)iter->large + refs;
	iter->batch.capacity = LARGE_BYTES;
	iter->batch.max = LARGE_KEYS;
	return 0;
}

/* Keys to fetch: not many more than may still be given, but some of them will be dead. */
static size_t wanted_keys(const struct feox_iter *iter)
{
	return iter->left < iter->next_max ? (size_t)iter->left + FX_ITER_FIRST : iter->next_max;
}

static void scan(struct feox_iter *iter, const void *key, size_t key_size, bool inclusive)
{
	struct fx_key_batch *batch = &iter->batch;
	size_t room = batch->max;

	batch->max = FX_MIN(room, wanted_keys(iter));
	fx_ordered_index_scan(iter->store->order, key, key_size, inclusive, iter->reverse, batch);
	batch->max = room;
}

/* The next batch, from key on; NULL: from the end of the order. -ENOMEM: nothing has changed. */
static int fetch(struct feox_iter *iter, const void *key, size_t key_size, bool inclusive)
{
	struct fx_key_batch *batch = &iter->batch, before = *batch;
	int err;

	scan(iter, key, key_size, inclusive);
	if (!batch->count && !batch->end) { /* the first key does not fit: nothing was written */
		err = enlarge(iter);
		if (err) {
			*batch = before;
			return err;
		}
		scan(iter, key, key_size, inclusive);
	}
	iter->inside = count_inside(iter);
	iter->taken = iter->seen_from = iter->seen_to = 0;
	return 0;
}

/* Go on behind the last key of the batch, or begin. */
static int fetch_next(struct feox_iter *iter)
{
	const struct fx_bound *start = fx_iter_start(iter);
	const struct fx_key_batch *batch = &iter->batch;
	const struct fx_key_ref *last = batch->count ? &batch->refs[batch->count - 1] : NULL;
	const uint8_t *key = last ? batch->keys + last->offset : start->key;
	size_t key_size = last ? last->size : start->size;
	int err;

	settle(iter);
	count_given(iter);
	if (wanted_keys(iter) > batch->max)
		enlarge(iter); /* it does without, too */
	err = fetch(iter, key, key_size, !last && start->inclusive);
	if (!err)
		iter->next_max = FX_MIN(2 * iter->next_max, LARGE_KEYS);
	return err;
}

/* ---- Looking up --------------------------------------------------------------------------------
 */

/* A value that is not in its record: pinned, after it was read if need be. */
static int pin_value(struct feox_iter *iter, uint64_t hash, struct feox_item *item)
{
	int err = fx_value_get(iter->store, hash, item->key, item->key_size,
			       iter->flags & FEOX_NOWAIT, &iter->value);

	if (err)
		return err;
	item->value = iter->value.data;
	item->value_size = iter->value.size;
	item->version = iter->value.version;
	item->expiry_ns = iter->value.expiry_ns;
	return 0;
}

/* Fill item, whose key has this hash, with what it is now: 0, -ENOENT: it is dead. */
static int stat_now(struct feox_iter *iter, uint64_t hash, struct feox_item *item)
{
	struct fx_record *record;

	fx_epoch_enter();
	record = fx_find_live(iter->store, hash, item->key, item->key_size);
	if (record) {
		item->value_size = record->value_size;
		item->version = record->version;
		item->expiry_ns = fx_record_expiry(record);
	}
	fx_epoch_leave();
	return record ? 0 : -ENOENT;
}

static bool has_expired(const struct feox_iter *iter, const struct fx_iter_seen *seen)
{
	return seen->expiry_ns && seen->expiry_ns <= fx_clock_now(&iter->store->clock);
}

/*
 * Fill item, which has the key to be taken next: 0, -ENOENT: it is dead, -EAGAIN, -EIO. iter->value
 * is free.
 */
static int look_up(struct feox_iter *iter, struct feox_item *item)
{
	struct fx_iter_seen *seen;
	size_t i;

	if (iter->taken >= iter->seen_to)
		fx_iter_look_ahead(iter);
	i = iter->taken - iter->seen_from;
	if (iter->flags & FEOX_ITER_STAT)
		return stat_now(iter, iter->hashes[i], item);
	seen = &iter->seen[i];
	if (!seen->alive)
		return -ENOENT;
	if (iter->flags & FEOX_ITER_KEYS_ONLY)
		return 0;
	if (has_expired(iter, seen))
		return -ENOENT;
	if (!seen->value && seen->cold && !(iter->flags & FEOX_NOWAIT))
		fx_iter_load_ahead(iter);
	if (!seen->value)
		return pin_value(iter, iter->hashes[i], item);
	item->value = seen->value;
	item->value_size = seen->value_size;
	item->version = seen->version;
	item->expiry_ns = seen->expiry_ns;
	return 0;
}

/* ---- Next, seek --------------------------------------------------------------------------------
 */

/* Take the next key of the batch, which has one: 1, -ENOENT: it is dead, -EAGAIN, -EIO. */
static inline int take(struct feox_iter *iter, struct feox_item *ret_item)
{
	const struct fx_key_ref *ref = &iter->batch.refs[iter->taken];
	struct feox_item item = {.key = iter->batch.keys + ref->offset, .key_size = ref->size};
	int err;

	if (iter->value.pin)
		feox_value_release(iter->store, &iter->value);
	if (fx_iter_is_looked_up(iter, ref)) {
		err = look_up(iter, &item);
		if (err != -EAGAIN) /* else this key again at the next call */
			iter->taken++;
		if (err)
			return err;
	} else {
		iter->taken++;
	}
	iter->left--;
	*ret_item = item;
	return 1;
}

int fx_iter_next(struct feox_iter *iter, struct feox_item *ret_item)
{
	int result;

	while (iter->left) {
		if (iter->taken < iter->inside) {
			result = take(iter, ret_item);
			if (result != -ENOENT)
				return result;
			continue;
		}
		if (iter->inside < iter->batch.count || iter->batch.end)
			return 0;
		result = fetch_next(iter);
		if (result)
			return result;
	}
	return 0;
}

FEOX_API int feox_iter_next(struct feox_iter *iter, struct feox_item *ret_item)
{
	uint64_t begin_ns;
	int more;

	if (!iter || !ret_item)
		return -EINVAL;
	begin_ns = fx_timer_is_due(iter->turn++) ? fx_monotonic_ns() : 0;
	more = fx_iter_next(iter, ret_item);
	if (more == 1) {
		iter->given++;
		fx_timer_end(iter->store, FEOX_OP_NEXT, begin_ns);
	}
	return more;
}

/* Go on within the batch, when key is between the next one of it and the last. */
static bool skip_to(struct feox_iter *iter, const void *key, size_t key_size)
{
	const struct fx_key_batch *batch = &iter->batch;
	size_t low = iter->taken, n = iter->inside - iter->taken;

	if (!n ||
	    fx_iter_compare(iter, batch->keys + batch->refs[low].offset, batch->refs[low].size, key,
			    key_size) > 0 ||
	    fx_iter_compare(iter, batch->keys + batch->refs[low + n - 1].offset,
			    batch->refs[low + n - 1].size, key, key_size) < 0)
		return false;
	while (n) {
		const struct fx_key_ref *middle = &batch->refs[low + n / 2];

		if (fx_iter_compare(iter, batch->keys + middle->offset, middle->size, key,
				    key_size) < 0) {
			low += n / 2 + 1;
			n -= n / 2 + 1;
		} else {
			n /= 2;
		}
	}
	iter->taken = low;
	return true;
}

FEOX_API int feox_iter_seek(struct feox_iter *iter, const void *key, size_t key_size)
{
	const struct fx_bound *start;
	bool inclusive = true;

	if (!iter || (!key && key_size) || key_size > FEOX_KEY_MAX)
		return -EINVAL;
	if (!key)
		key = "";
	start = fx_iter_start(iter);
	if (fx_iter_is_before(iter, key, key_size)) { /* never outside of the range */
		key = start->key;
		key_size = start->size;
		inclusive = start->inclusive;
	} else if (skip_to(iter, key, key_size)) {
		return 0;
	}
	if (!iter->left)
		return 0;
	settle(iter);
	iter->next_max = FX_MIN(iter->next_max, FX_ITER_FIRST);
	return fetch(iter, key, key_size, inclusive);
}
