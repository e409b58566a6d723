/* SPDX-License-Identifier: Apache-2.0 */
/* iter_range.c - from, to and prefix become two bounds. */
#include "iter.h"

#include "bytes.h"
#include "cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_KEYS 128u /* most keys of the first room: many iterators look at a few only */
#define FIRST_SIZE 32u	/* bytes of each, expected */
#define FIRST_MIN  512u /* bytes of the first room at least */

#define ITER_FLAGS                                                                                 \
	(FEOX_NOWAIT | FEOX_ITER_REVERSE | FEOX_ITER_KEYS_ONLY | FEOX_ITER_STAT |                  \
	 FEOX_ITER_FROM_EXCLUSIVE | FEOX_ITER_TO_EXCLUSIVE)

/* ---- Comparing ---------------------------------------------------------------------------------
 */

static bool inside(const struct fx_bound *bound, const void *key, size_t size, bool low)
{
	int c;

	if (!bound->key)
		return true;
	c = fx_bytes_cmp(key, size, bound->key, bound->size);
	if (c == 0)
		return bound->inclusive;
	return low ? c > 0 : c < 0;
}

bool fx_iter_is_beyond(const struct feox_iter *iter, const void *key, size_t key_size)
{
	return !inside(iter->reverse ? &iter->low : &iter->high, key, key_size, iter->reverse);
}

bool fx_iter_is_before(const struct feox_iter *iter, const void *key, size_t key_size)
{
	return !inside(fx_iter_start(iter), key, key_size, !iter->reverse);
}

int fx_iter_compare(const struct feox_iter *iter, const void *a, size_t a_size, const void *b,
		    size_t b_size)
{
	int c = fx_bytes_cmp(a, a_size, b, b_size);

	return iter->reverse ? -c : c;
}

/* ---- Bounds ------------------------------------------------------------------------------------
 */

static void bound_set(struct fx_bound *bound, uint8_t *room, const void *key, size_t size,
		      bool inclusive)
{
	if (size)
		memcpy(room, key, size);
	*bound = (struct fx_bound){.key = room, .size = size, .inclusive = inclusive};
}

/* Let the bound be this one when it is tighter than the one that stands. */
static void bound_tighten(struct fx_bound *bound, uint8_t *room, const void *key, size_t size,
			  bool inclusive, bool low)
{
	int c;

	if (bound->key) {
		c = fx_bytes_cmp(key, size, bound->key, bound->size);
		if (low ? c < 0 : c > 0)
			return;
		if (c == 0)
			inclusive = inclusive && bound->inclusive;
	}
	bound_set(bound, room, key, size, inclusive);
}

/* The first byte string behind everything that begins with prefix; none for all 0xff. */
static void bound_after_prefix(struct fx_bound *bound, uint8_t *room, const uint8_t *prefix,
			       size_t size)
{
	while (size && prefix[size - 1] == 0xff)
		size--;
	if (!size)
		return;
	bound_set(bound, room, prefix, size, false);
	room[size - 1]++;
}

static void range_set(struct feox_iter *iter, const struct feox_iter_options *o, uint8_t *low,
		      uint8_t *high)
{
	if (o->prefix) {
		bound_set(&iter->low, low, o->prefix, o->prefix_size, true);
		bound_after_prefix(&iter->high, high, o->prefix, o->prefix_size);
	}
	if (o->from)
		bound_tighten(&iter->low, low, o->from, o->from_size,
			      !(o->flags & FEOX_ITER_FROM_EXCLUSIVE), true);
	if (o->to)
		bound_tighten(&iter->high, high, o->to, o->to_size,
			      !(o->flags & FEOX_ITER_TO_EXCLUSIVE), false);
}

/* ---- A new iterator ----------------------------------------------------------------------------
 */

static bool is_misuse(const struct feox_iter_options *o)
{
	return (o->flags & ~(unsigned int)ITER_FLAGS) || o->from_size > FEOX_KEY_MAX ||
	       o->to_size > FEOX_KEY_MAX || o->prefix_size > FEOX_KEY_MAX ||
	       ((o->flags & FEOX_ITER_KEYS_ONLY) && (o->flags & FEOX_ITER_STAT));
}

static bool gives_values(unsigned int flags)
{
	return !(flags & (FEOX_ITER_KEYS_ONLY | FEOX_ITER_STAT));
}

/* Keys that the first room holds. */
static size_t first_keys(uint64_t limit)
{
	if (!limit || limit > FIRST_KEYS)
		return FIRST_KEYS;
	return FX_MAX((size_t)limit, FX_ITER_FIRST);
}

int fx_iter_new(struct feox_store *store, const struct feox_iter_options *o,
		struct feox_iter **ret_iter)
{
	size_t max = first_keys(o->limit);
	size_t keys = FX_MAX(max * FIRST_SIZE, FIRST_MIN);
	size_t values = gives_values(o->flags) ? FX_ITER_VALUES : 0;
	size_t low = FX_MAX(o->from_size, o->prefix_size);
	size_t high = FX_MAX(o->to_size, o->prefix_size);
	struct feox_iter *iter;
	uint8_t *room;

	if (is_misuse(o))
		return -EINVAL;
	iter = malloc(sizeof(*iter) + max * sizeof(struct fx_key_ref) + keys + values + low + high);
	if (!iter)
		return -ENOMEM;
	memset(iter, 0, offsetof(struct feox_iter, hashes));
	iter->store = store;
	iter->flags = o->flags;
	iter->reverse = o->flags & FEOX_ITER_REVERSE;
	iter->left = o->limit ? o->limit : UINT64_MAX;
	iter->next_max = o->limit ? (unsigned int)FX_MIN(o->limit, max) : FX_ITER_FIRST;
	iter->batch.refs = (struct fx_key_ref *)(iter + 1);
	room = (uint8_t *)(iter->batch.refs + max);
	iter->batch.keys = room;
	iter->batch.capacity = keys;
	iter->batch.max = max;
	iter->values = room + keys;
	range_set(iter, o, room + keys + values, room + keys + values + low);
	*ret_iter = iter;
	return 0;
}
