/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram.c - log-linear histograms of latencies: 16 buckets for every power of two, so a number
 * read from one is at most 1/16 too high.
 *
 *   bucket      0 .. 15       0, 1, 2 .. 15 ns
 *   bucket     16 .. 31      16, 17 .. 31 ns
 *   bucket     32 .. 47      32-33, 34-35 .. 62-63 ns
 *   ...
 *   the last                 from 2^41 - 2^36 ns on (about 36 minutes)
 */
#include "histogram.h"

#include <errno.h>

#define SUB_BITS 4u
#define SUBS	 (1u << SUB_BITS)

static_assert(FEOX_HISTOGRAM_BUCKETS == 38 * SUBS, "buckets to 2^41 ns");

static size_t bucket_of(uint64_t ns)
{
	unsigned int shift;
	size_t bucket;

	if (ns < SUBS)
		return ns;
	shift = 63u - (unsigned int)__builtin_clzll(ns) - SUB_BITS;
	bucket = (size_t)(shift + 1) * SUBS + (ns >> shift & (SUBS - 1));
	return bucket < FEOX_HISTOGRAM_BUCKETS ? bucket : FEOX_HISTOGRAM_BUCKETS - 1;
}

void fx_histogram_add(struct fx_histogram *histogram, uint64_t ns)
{
	uint64_t max = atomic_load_explicit(&histogram->max_ns, memory_order_relaxed);

	atomic_fetch_add_explicit(&histogram->buckets[bucket_of(ns)], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&histogram->sum_ns, ns, memory_order_relaxed);
	while (max < ns &&
	       !atomic_compare_exchange_weak_explicit(&histogram->max_ns, &max, ns,
						      memory_order_relaxed, memory_order_relaxed))
		;
}

FEOX_API int feox_histogram(struct feox_store *store, enum feox_op op,
			    struct feox_histogram *ret_histogram)
{
	const struct fx_histogram *from;
	struct feox_histogram *to = ret_histogram;

	if (!store || !ret_histogram || (unsigned int)op >= FEOX_OP_COUNT)
		return -EINVAL;
	from = &store->latency[op];
	to->count = 0;
	to->sum_ns = atomic_load_explicit(&from->sum_ns, memory_order_relaxed);
	to->max_ns = atomic_load_explicit(&from->max_ns, memory_order_relaxed);
	for (size_t i = 0; i < FEOX_HISTOGRAM_BUCKETS; i++) {
		to->buckets[i] = atomic_load_explicit(&from->buckets[i], memory_order_relaxed);
		to->count += to->buckets[i];
	}
	return 0;
}

FEOX_API uint64_t feox_histogram_limit(size_t bucket)
{
	unsigned int shift;

	if (bucket < SUBS)
		return bucket;
	if (bucket >= FEOX_HISTOGRAM_BUCKETS - 1)
		return UINT64_MAX;
	shift = (unsigned int)(bucket / SUBS) - 1;
	return ((SUBS + bucket % SUBS + 1) << shift) - 1;
}

FEOX_API uint64_t feox_histogram_percentile(const struct feox_histogram *histogram, double percent)
{
	double wanted;
	uint64_t seen = 0;

	if (!histogram || !histogram->count || !(percent >= 0))
		return 0;
	wanted = (double)histogram->count * (percent > 100 ? 100 : percent) / 100;
	for (size_t i = 0; i < FEOX_HISTOGRAM_BUCKETS; i++) {
		seen += histogram->buckets[i];
		if (seen && (double)seen >= wanted) {
			uint64_t limit = feox_histogram_limit(i);

			return limit < histogram->max_ns ? limit : histogram->max_ns;
		}
	}
	return histogram->max_ns;
}

FEOX_API int feox_latency(struct feox_store *store, enum feox_op op,
			  struct feox_latency *ret_latency)
{
	struct feox_histogram h;
	int err = ret_latency ? feox_histogram(store, op, &h) : -EINVAL;

	if (err)
		return err;
	*ret_latency = (struct feox_latency){
		.count = h.count,
		.mean_ns = h.count ? h.sum_ns / h.count : 0,
		.p50_ns = feox_histogram_percentile(&h, 50),
		.p90_ns = feox_histogram_percentile(&h, 90),
		.p99_ns = feox_histogram_percentile(&h, 99),
		.p999_ns = feox_histogram_percentile(&h, 99.9),
		.max_ns = h.max_ns,
	};
	return 0;
}
