/* SPDX-License-Identifier: Apache-2.0 */
/* stats.c - numbers: counters by processor, summed when asked. */
#include "store.h"

#include "cleanup.h"

#include <errno.h>
#include <sched.h>

struct fx_counters *fx_counters(struct feox_store *store)
{
	int cpu = sched_getcpu();

	return &store->counters[(cpu < 0 ? 0u : (unsigned int)cpu) % FX_STAT_SHARDS];
}

#define SUM(field)                                                                                 \
	do {                                                                                       \
		for (unsigned int i_ = 0; i_ < FX_STAT_SHARDS; i_++)                               \
			s.field += atomic_load_explicit(&store->counters[i_].field,                \
							memory_order_relaxed);                     \
	} while (0)

#define IO(field) s.field = atomic_load_explicit(&store->io.field, memory_order_relaxed)

int64_t fx_sum_keys(struct feox_store *store)
{
	int64_t keys = 0;

	for (unsigned int i = 0; i < FX_STAT_SHARDS; i++)
		keys += atomic_load_explicit(&store->counters[i].keys, memory_order_relaxed);
	return keys;
}

static uint64_t less(uint64_t from, uint64_t bytes)
{
	return from > bytes ? from - bytes : 0; /* they are not of one moment */
}

static void count_memory(struct feox_store *store, struct feox_stats *s)
{
	uint64_t beside;

	s->memory_limit_bytes = store->budget.limit;
	s->memory_hash_bytes = fx_hash_index_bytes(store->hash);
	s->memory_order_bytes = fx_ordered_index_bytes(store->order);
	s->memory_deferred_bytes = fx_epoch_deferred(store->epoch);
	beside = s->memory_hash_bytes + s->memory_order_bytes + s->memory_deferred_bytes;
	/* They are not of one moment: something may have been freed in between. */
	s->memory_bytes = FX_MAX(fx_slab_used(store->slab), beside);
	s->memory_record_bytes = s->memory_bytes - beside;
	s->memory_overhead_bytes = less(fx_slab_held(store->slab), s->memory_bytes);
	s->memory_reserved_bytes =
		atomic_load_explicit(&store->budget.promised, memory_order_relaxed) +
		atomic_load_explicit(&store->budget.taken, memory_order_relaxed);
}

FEOX_API int feox_stats(struct feox_store *store, struct feox_stats *ret_stats)
{
	struct feox_stats s = {0};
	int64_t keys;

	if (!store || !ret_stats)
		return -EINVAL;
	keys = fx_sum_keys(store);
	s.keys = keys > 0 ? (uint64_t)keys : 0; /* a delete may be counted before its put */
	SUM(gets);
	SUM(misses);
	SUM(puts);
	SUM(deletes);
	SUM(touches);
	SUM(renames);
	SUM(batches);
	SUM(expiries);
	SUM(evictions);
	SUM(iterations);
	SUM(items);
	SUM(syncs);
	count_memory(store, &s);
	s.read_only = store->read_only || atomic_load(&store->failed);
	s.failed = atomic_load(&store->failed);
	if (store->persistent) {
		uint64_t reserved =
			atomic_load(&store->disk_reserved) + atomic_load(&store->disk_promised);

		s.free_bytes = atomic_load(&store->disk_free);
		s.free_bytes -= s.free_bytes < reserved ? s.free_bytes : reserved;
		s.max_bytes = store->max_size;
		s.queued_records = atomic_load(&store->queue.records);
		s.queued_bytes = atomic_load(&store->queue.bytes);
		IO(device_bytes);
		IO(extents);
		IO(commits);
		IO(written_bytes);
		IO(read_bytes);
		IO(grow_count);
		IO(shrink_count);
		IO(cooled_values);
		IO(cooled_bytes);
		IO(changed_bytes);
		IO(allocated_bytes);
		IO(live_bytes);
		IO(compacted_bytes);
		IO(flush_ns_last);
		IO(flush_ns_max);
		s.recovered_keys = store->io.recovered_keys;
		s.recovery_ns = store->io.recovery_ns;
	}
	*ret_stats = s;
	return 0;
}

FEOX_API const char *feox_version(void)
{
	return FEOX_VERSION;
}
