/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iter.h - an iterator's inside. iter_range.c says which keys, iter_ahead.c what they are, iter.c
 * gives them.
 */
#ifndef FX_ITER_H
#define FX_ITER_H

#include "commit.h"

#define FX_ITER_FIRST 8u   /* keys of the first batch when nobody says how many are wanted */
#define FX_ITER_AHEAD 128u /* keys that are looked up together */
#define FX_ITER_VALUES                                                                             \
	((size_t)16 * FX_INLINE_MAX) /* bytes of their values that are copied together */

/* A side of the range. */
struct fx_bound {
	const uint8_t *key; /* NULL: none */
	size_t size;
	bool inclusive;
};

/* What a key that is looked up was at one moment. */
struct fx_iter_seen {
	bool alive, cold;
	const void *value; /* NULL: it is not in its record */
	uint64_t value_size, version, expiry_ns;
};

struct feox_iter {
	struct feox_store *store;
	unsigned int flags; /* enum feox_iter_flag, FEOX_NOWAIT */
	bool reverse;
	struct fx_bound low, high;
	uint64_t left;	/* items that may still be given; UINT64_MAX: no limit */
	uint32_t given; /* items, not yet added to the store's counter */
	uint32_t turn;	/* calls, see histogram.h */

	/*
	 * Keys copied out of the ordered index. Of count, inside are in the range, taken have been
	 * given (or were dead), and those from seen_from to seen_to have been looked up: what they
	 * are is in seen, their hashes are in hashes. The last of count is where the next batch
	 * begins.
	 */
	struct fx_key_batch batch;
	void *large; /* what the batch lives in when the first room was too small; malloc(3)ed */
	size_t inside, taken, seen_from, seen_to;
	unsigned int next_max; /* keys of the next batch */
	unsigned int plain;    /* keys of the batch that had to be looked up for nothing */

	struct feox_value value; /* of the last item, when it is not in values */
	uint8_t *values;	 /* FX_ITER_VALUES bytes */
	size_t values_used;

	/* Not initialised. */
	uint64_t hashes[FX_ITER_AHEAD];
	struct fx_iter_seen seen[FX_ITER_AHEAD];
};

/*
 * An iterator with bounds and first room for keys, in one piece of malloc(3); the bounds point
 * behind it. -ENOMEM, -EINVAL.
 */
int fx_iter_new(struct feox_store *store, const struct feox_iter_options *options,
		struct feox_iter **ret_iter);

/* The side on which it begins, and the one where it ends. */
static inline const struct fx_bound *fx_iter_start(const struct feox_iter *iter)
{
	return iter->reverse ? &iter->high : &iter->low;
}

/* Is key beyond the side where the iterator ends? */
bool fx_iter_is_beyond(const struct feox_iter *iter, const void *key, size_t key_size);

/* Is key before the side where it begins? */
bool fx_iter_is_before(const struct feox_iter *iter, const void *key, size_t key_size);

/* Must the hash index be asked about it? */
static inline bool fx_iter_is_looked_up(const struct feox_iter *iter, const struct fx_key_ref *ref)
{
	return !(iter->flags & FEOX_ITER_KEYS_ONLY) || ref->check;
}

/* Look up the keys from number taken on, at least one. */
void fx_iter_look_ahead(struct feox_iter *iter);

/* Keys in the order's sense of the iterator: <0: a comes first. */
int fx_iter_compare(const struct feox_iter *iter, const void *a, size_t a_size, const void *b,
		    size_t b_size);

/* The next value is on disk only: read those behind it with it. iter_cold.c */
void fx_iter_load_ahead(struct feox_iter *iter);

#endif
