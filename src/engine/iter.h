/* SPDX-License-Identifier: Apache-2.0 */
/* iter.h - an iterator's inside. iter_range.c says which keys, iter.c gives them. */
#ifndef FX_ITER_H
#define FX_ITER_H

#include "commit.h"

#define FX_ITER_FIRST 8u  /* keys of the first batch when nobody says how many are wanted */
#define FX_ITER_AHEAD 32u /* keys whose memory is on its way */

/* A side of the range. */
struct fx_bound {
	const uint8_t *key; /* NULL: none */
	size_t size;
	bool inclusive;
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
	 * given (or were dead). The records of those up to asked are on their way, but for those
	 * far away, which are up to asked_again; the buckets of those up to hashed, whose hashes
	 * are in hashes. The last of count is where the next batch begins.
	 */
	struct fx_key_batch batch;
	void *large; /* what the batch lives in when the first room was too small; malloc(3)ed */
	size_t inside, taken, asked_again, asked, hashed;
	unsigned int next_max; /* keys of the next batch */
	unsigned int plain;    /* keys of the batch that had to be looked up for nothing */
	uint64_t hashes[FX_ITER_AHEAD];
	bool far[FX_ITER_AHEAD];

	struct feox_value value; /* of the last item, when it is not in copy */
	uint8_t *copy;		 /* FX_INLINE_MAX bytes */
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

/* Keys in the order's sense of the iterator: <0: a comes first. */
int fx_iter_compare(const struct feox_iter *iter, const void *a, size_t a_size, const void *b,
		    size_t b_size);

#endif
