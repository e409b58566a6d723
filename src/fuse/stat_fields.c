/* SPDX-License-Identifier: Apache-2.0 */
/* stat_fields.c - see stat_fields.h. */
#include "stat_fields.h"

#include <string.h>

#define FIELD(name, kind, unit, metric, help)                                                      \
	{                                                                                          \
#name, offsetof(struct feox_stats, name), FX_STAT_##kind, FX_STAT_##unit, metric,  \
			help                                                                       \
	}

const struct fx_stat_field fx_stat_fields[] = {
	FIELD(keys, GAUGE, NUMBER, "keys",
	      "Live keys, expired ones that are not swept yet included."),
	FIELD(gets, COUNTER, NUMBER, "gets", "Reads of a key that was there."),
	FIELD(misses, COUNTER, NUMBER, "misses", "Reads of a key that was absent."),
	FIELD(puts, COUNTER, NUMBER, "puts", "Values written."),
	FIELD(deletes, COUNTER, NUMBER, "deletes", "Keys deleted."),
	FIELD(touches, COUNTER, NUMBER, "touches", "Changes of an expiry or of attributes."),
	FIELD(renames, COUNTER, NUMBER, "renames", "Renames."),
	FIELD(batches, COUNTER, NUMBER, "batches", "Changes of several keys at once."),
	FIELD(expiries, COUNTER, NUMBER, "expiries", "Expired keys that the sweeper has removed."),
	FIELD(evictions, COUNTER, NUMBER, "evictions", "Keys evicted to make room for others."),
	FIELD(iterations, COUNTER, NUMBER, "iterations", "Ranges opened."),
	FIELD(items, COUNTER, NUMBER, "items", "Keys that ranges have given."),
	FIELD(syncs, COUNTER, NUMBER, "syncs", "Requests for durability."),
	FIELD(memory_bytes, GAUGE, BYTES, "memory", "Memory taken by records, values and indexes."),
	FIELD(memory_record_bytes, GAUGE, BYTES, "memory_record", "Of it: records and values."),
	FIELD(memory_hash_bytes, GAUGE, BYTES, "memory_hash", "Of it: the hash index."),
	FIELD(memory_order_bytes, GAUGE, BYTES, "memory_order", "Of it: the ordered index."),
	FIELD(memory_deferred_bytes, GAUGE, BYTES, "memory_deferred",
	      "Of it: what is about to be freed."),
	FIELD(memory_overhead_bytes, GAUGE, BYTES, "memory_overhead",
	      "Memory beside it: free blocks and partly free pages."),
	FIELD(memory_reserved_bytes, GAUGE, BYTES, "memory_reserved",
	      "Memory promised to writes to come."),
	FIELD(memory_limit_bytes, FIXED, BYTES, "memory_limit", "Limit of that memory."),
	FIELD(cooled_values, COUNTER, NUMBER, "cooled_values",
	      "Values that have left memory, and are on disk."),
	FIELD(cooled_bytes, COUNTER, BYTES, "cooled", "Bytes of these."),
	FIELD(device_bytes, GAUGE, BYTES, "device", "Size of the store."),
	FIELD(free_bytes, GAUGE, BYTES, "free",
	      "Bytes of the store that are neither taken nor promised."),
	FIELD(max_bytes, FIXED, BYTES, "max", "Limit of the size of the store; 0: none."),
	FIELD(extents, GAUGE, NUMBER, "extents", "Extents on disk."),
	FIELD(commits, COUNTER, NUMBER, "commits", "Batches made durable."),
	FIELD(written_bytes, COUNTER, BYTES, "written", "Bytes written to the device."),
	FIELD(read_bytes, COUNTER, BYTES, "read", "Bytes read from the device."),
	FIELD(grow_count, COUNTER, NUMBER, "grows", "Times that the store has grown."),
	FIELD(shrink_count, COUNTER, NUMBER, "shrinks",
	      "Times that the store has given its tail back."),
	FIELD(changed_bytes, COUNTER, BYTES, "changed",
	      "Keys, attributes and values of the changes made durable."),
	FIELD(allocated_bytes, GAUGE, BYTES, "allocated", "Blocks of the extents."),
	FIELD(live_bytes, GAUGE, BYTES, "live", "What live records take of them."),
	FIELD(compacted_bytes, COUNTER, BYTES, "compacted",
	      "Records moved to free the extents that they were in."),
	FIELD(queued_records, GAUGE, NUMBER, "queued_records", "Changes that are not durable yet."),
	FIELD(queued_bytes, GAUGE, BYTES, "queued", "Bytes of these."),
	FIELD(flush_ns_last, GAUGE, NS, "flush_last",
	      "Time that the last batch took to be written."),
	FIELD(flush_ns_max, GAUGE, NS, "flush_max", "Longest time that a batch took."),
	FIELD(recovered_keys, FIXED, NUMBER, "recovered_keys",
	      "Keys found when the store was opened."),
	FIELD(recovery_ns, FIXED, NS, "recovery", "Time that opening the store took."),
};

const size_t fx_stat_field_count = sizeof(fx_stat_fields) / sizeof(*fx_stat_fields);

uint64_t fx_stat_value(const struct feox_stats *stats, const struct fx_stat_field *field)
{
	uint64_t value;

	memcpy(&value, (const char *)stats + field->offset, sizeof(value));
	return value;
}

const char *fx_op_name(enum feox_op op)
{
	static const char *const names[FEOX_OP_COUNT] = {
		[FEOX_OP_GET] = "get",	     [FEOX_OP_PUT] = "put",	[FEOX_OP_DELETE] = "delete",
		[FEOX_OP_UPDATE] = "update", [FEOX_OP_NEXT] = "next",	[FEOX_OP_BATCH] = "batch",
		[FEOX_OP_SYNC] = "sync",     [FEOX_OP_FLUSH] = "flush",
	};

	return names[op];
}
