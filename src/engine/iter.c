/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iter.c - ranges: keys come from the ordered index in batches that are copied out, each is then
 * looked up in the hash index, which alone knows whether it lives. Nothing is held between calls
 * but the position (a key) and the pinned value of the last item.
 */
#include "commit.h"

#include "bytes.h"
#include "histogram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_BYTES ((size_t)32 * 1024)
#define BATCH_FIRST 8u /* keys of the first batch: most iterators only look at a few */
#define BATCH_MAX   512u

static_assert(BATCH_BYTES >= FEOX_KEY_MAX && FEOX_KEY_MAX == FX_ORDERED_KEY_MAX, "any key fits");

#define ITER_FLAGS                                                                                 \
	(FEOX_NOWAIT | FEOX_ITER_REVERSE | FEOX_ITER_KEYS_ONLY | FEOX_ITER_FROM_EXCLUSIVE |        \
	 FEOX_ITER_TO_EXCLUSIVE)

/* A side of the range. */
struct bound {
	uint8_t *key; /* malloc(3)ed, NULL: none */
	size_t size;
	bool inclusive;
};

struct feox_iter {
	struct feox_store *store;
	unsigned int flags;
	bool reverse;
	struct bound low, high;
	uint64_t left;	/* items that may still be given; UINT64_MAX: no limit */
	uint32_t given; /* items, not yet added to the store's counter */
	uint32_t turn;	/* calls, see histogram.h */
	/* Where the next batch begins; key NULL: at the range's end on that side. */
	struct bound position;
	size_t position_capacity;
	struct fx_key_batch batch;
	size_t taken;		 /* of batch.count */
	struct feox_value value; /* of the last item */
};

static int bound_set(struct bound *bound, const void *key, size_t size, bool inclusive)
{
	uint8_t *copy = malloc(size + 1);

	if (!copy)
		return -ENOMEM;
	if (size)
		memcpy(copy, key, size);
	free(bound->key);
	*bound = (struct bound){.key = copy, .size = size, .inclusive = inclusive};
	return 0;
}

/* The first byte string behind everything that begins with prefix; none for all 0xff. */
static int bound_after_prefix(struct bound *bound, const uint8_t *prefix, size_t size)
{
	int err;

	while (size && prefix[size - 1] == 0xff)
		size--;
	if (!size)
		return 0;
	err = bound_set(bound, prefix, size, false);
	if (!err)
		bound->key[size - 1]++;
	return err;
}

/* Is the candidate bound tighter than the one that stands? */
static bool tighter(const struct bound *stands, const void *key, size_t size, bool inclusive,
		    bool low)
{
	int c;

	if (!stands->key)
		return true;
	c = fx_bytes_cmp(key, size, stands->key, stands->size);
	return low ? c > 0 || (c == 0 && !inclusive) : c < 0 || (c == 0 && !inclusive);
}

static int set_range(struct feox_iter *iter, const struct feox_iter_options *o)
{
	int err = 0;

	if (o->prefix) {
		err = bound_set(&iter->low, o->prefix, o->prefix_size, true);
		if (!err)
			err = bound_after_prefix(&iter->high, o->prefix, o->prefix_size);
	}
	if (!err && o->from) {
		bool inclusive = !(o->flags & FEOX_ITER_FROM_EXCLUSIVE);

		if (tighter(&iter->low, o->from, o->from_size, inclusive, true))
			err = bound_set(&iter->low, o->from, o->from_size, inclusive);
	}
	if (!err && o->to) {
		bool inclusive = !(o->flags & FEOX_ITER_TO_EXCLUSIVE);

		if (tighter(&iter->high, o->to, o->to_size, inclusive, false))
			err = bound_set(&iter->high, o->to, o->to_size, inclusive);
	}
	return err;
}

static bool inside(const struct bound *bound, const uint8_t *key, size_t size, bool low)
{
	int c;

	if (!bound->key)
		return true;
	c = fx_bytes_cmp(key, size, bound->key, bound->size);
	if (c == 0)
		return bound->inclusive;
	return low ? c > 0 : c < 0;
}

static int position_set(struct feox_iter *iter, const void *key, size_t size, bool inclusive)
{
	if (size + 1 > iter->position_capacity) {
		uint8_t *bytes = realloc(iter->position.key, size + 1);

		if (!bytes)
			return -ENOMEM;
		iter->position.key = bytes;
		iter->position_capacity = size + 1;
	}
	if (size)
		memmove(iter->position.key, key, size);
	iter->position.size = size;
	iter->position.inclusive = inclusive;
	return 0;
}

int fx_iter_open(struct feox_store *store, const struct feox_iter_options *options,
		 struct feox_iter **ret_iter)
{
	static const struct feox_iter_options everything = {0};
	const struct feox_iter_options *o = options ? options : &everything;
	struct feox_iter *iter;
	const struct bound *start;
	int err;

	if (!store || !ret_iter || (o->flags & ~(unsigned int)ITER_FLAGS) ||
	    o->from_size > FEOX_KEY_MAX || o->to_size > FEOX_KEY_MAX ||
	    o->prefix_size > FEOX_KEY_MAX)
		return -EINVAL;
	iter = calloc(1, sizeof(*iter));
	if (!iter)
		return -ENOMEM;
	iter->store = store;
	iter->flags = o->flags;
	iter->reverse = o->flags & FEOX_ITER_REVERSE;
	iter->left = o->limit ? o->limit : UINT64_MAX;
	iter->batch.max = BATCH_FIRST;
	iter->batch.capacity = BATCH_BYTES;
	iter->batch.keys = malloc(BATCH_BYTES);
	iter->batch.refs = malloc(BATCH_MAX * sizeof(*iter->batch.refs));
	err = iter->batch.keys && iter->batch.refs ? set_range(iter, o) : -ENOMEM;
	start = iter->reverse ? &iter->high : &iter->low;
	if (!err && start->key)
		err = position_set(iter, start->key, start->size, start->inclusive);
	if (err) {
		feox_iter_close(iter);
		return err;
	}
	*ret_iter = iter;
	return 0;
}

FEOX_API int feox_iter_open(struct feox_store *store, const struct feox_iter_options *options,
			    struct feox_iter **ret_iter)
{
	int err = fx_iter_open(store, options, ret_iter);

	if (!err)
		fx_count(&fx_counters(store)->iterations, 1);
	return err;
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
	count_given(iter);
	feox_value_release(iter->store, &iter->value);
	free(iter->low.key);
	free(iter->high.key);
	free(iter->position.key);
	free(iter->batch.keys);
	free(iter->batch.refs);
	free(iter);
}

/* 1: *ret_key is the next key of the range in the order's sense, dead or alive. */
static int next_key(struct feox_iter *iter, const uint8_t **ret_key, size_t *ret_size)
{
	const struct fx_key_ref *ref;
	size_t size;
	int err;

	while (iter->taken == iter->batch.count) {
		count_given(iter);
		if (iter->batch.end)
			return 0;
		fx_ordered_index_scan(iter->store->order, iter->position.key, iter->position.size,
				      iter->position.inclusive, iter->reverse, &iter->batch);
		iter->taken = 0;
		iter->batch.max = iter->batch.max < BATCH_MAX ? 2 * iter->batch.max : BATCH_MAX;
	}
	ref = &iter->batch.refs[iter->taken++];
	size = ref->size;
	*ret_key = iter->batch.keys + ref->offset;
	*ret_size = size;
	err = position_set(iter, *ret_key, size, false);
	if (err)
		return err;
	return inside(&iter->low, *ret_key, size, true) &&
	       inside(&iter->high, *ret_key, size, false);
}

/* Fill item for key: 0, -ENOENT: it is dead, -EAGAIN, -EIO. */
static int resolve(struct feox_iter *iter, const uint8_t *key, size_t size, struct feox_item *item)
{
	uint64_t hash = fx_hash_key(iter->store->hash_seed, key, size);
	int err;

	*item = (struct feox_item){.key = key, .key_size = size};
	if (iter->flags & FEOX_ITER_KEYS_ONLY) {
		struct fx_record *record;

		fx_epoch_enter();
		record = fx_find_live(iter->store, hash, key, size);
		if (record) {
			item->value_size = record->value_size;
			item->version = record->version;
			item->expiry_ns = record->expiry_ns;
		}
		fx_epoch_leave();
		return record ? 0 : -ENOENT;
	}
	feox_value_release(iter->store, &iter->value);
	err = fx_value_get(iter->store, hash, key, size, iter->flags & FEOX_NOWAIT, &iter->value);
	if (err)
		return err;
	item->value = iter->value.data;
	item->value_size = iter->value.size;
	item->version = iter->value.version;
	item->expiry_ns = iter->value.expiry_ns;
	return 0;
}

int fx_iter_next(struct feox_iter *iter, struct feox_item *ret_item)
{
	struct feox_item item;
	const uint8_t *key;
	size_t size;
	int more;

	if (!iter->left)
		return 0;
	while ((more = next_key(iter, &key, &size)) == 1) {
		int err = resolve(iter, key, size, &item);

		if (err == -ENOENT)
			continue;
		if (err == -EAGAIN)
			iter->taken--; /* this key again at the next call */
		if (err)
			return err;
		if (iter->left != UINT64_MAX)
			iter->left--;
		*ret_item = item;
		return 1;
	}
	return more;
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

FEOX_API int feox_iter_seek(struct feox_iter *iter, const void *key, size_t key_size)
{
	const struct bound *start;
	bool inclusive = true;
	int err;

	if (!iter || (!key && key_size) || key_size > FEOX_KEY_MAX)
		return -EINVAL;
	start = iter->reverse ? &iter->high : &iter->low;
	if (!inside(start, key, key_size, !iter->reverse)) { /* never outside of the range */
		key = start->key;
		key_size = start->size;
		inclusive = start->inclusive;
	}
	err = position_set(iter, key, key_size, inclusive);
	if (err)
		return err;
	iter->batch.count = 0;
	iter->batch.end = false;
	iter->taken = 0;
	iter->batch.max = BATCH_FIRST;
	return 0;
}
