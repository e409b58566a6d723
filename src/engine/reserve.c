/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reserve.c - room promised before publication, so that a full store is an error at put and not a
 * loss at flush.
 *
 * disk_reserved counts what queued records will take, disk_promised what feox_reserve() has
 * promised. Together they do not pass disk_free (what the flusher last saw free, its own reserve
 * for checkpoints taken off). A put that has a promise need only fit beside what is queued: the
 * promise is not counted against it, and stays for the caller to give back. The flusher gives a
 * record's share back when the record is durable, that is after disk_free has lost what the record
 * took.
 *
 * What does not fit waits for the flusher once: a round makes queued deletes durable and collects
 * the blocks of extents that have died, then the file grows, or what is mostly dead is compacted
 * (room.c). Only then it is -ENOSPC.
 */
#include "commit.h"

#include "journal.h"

#include "bytes.h"
#include "cleanup.h"
#include "device.h"
#include "extent.h"

#include <errno.h>

#define ENTRY_MAX	 28u /* fixed bytes of a directory entry */
#define AMEND_MAX	 64u /* fixed bytes of an amendment, padding included */
#define SHARE_EXTRA	 16u
#define RESERVED_KEY_MAX ((size_t)20 * 1024) /* key and metadata of a reservation */
#define PACKED_MAX	 ((uint64_t)32 * 1024)

uint64_t fx_disk_cost(size_t key_size, size_t metadata_size, uint64_t value_size)
{
	uint64_t bytes = ENTRY_MAX + key_size + metadata_size;

	bytes += fx_align_up(fx_value_area_size(value_size), FX_VALUE_ALIGN) + FX_VALUE_ALIGN;
	/* Its share of what rounds extents up to blocks and of the commit record: in packed extents
	 * below 1/32; an extent of its own ends in a block of its own. */
	return bytes + bytes / 32 + (value_size > PACKED_MAX ? 2 * FX_BLOCK : 64);
}

/* Of an amendment; what the value takes has been paid for by the record that it was written with.
 */
static uint64_t amend_cost(size_t key_size, size_t metadata_size)
{
	/* In the commit record, and in the two checkpoints that room is kept for. */
	return 3 * (AMEND_MAX + key_size + metadata_size);
}

uint32_t fx_disk_share(const struct fx_extent *extent, const struct fx_record *first,
		       uint32_t count)
{
	uint64_t alone = amend_cost(first->key_size, 0);
	uint64_t together = amend_cost(fx_journal_prefix_size(fx_pending_of(first)->prefix_size) +
					       fx_journal_list_size(extent->record_count),
				       0);

	/* Some for those of them that get other amendments as well, and stand alone in the end. */
	return (uint32_t)FX_MIN(alone, together / count + SHARE_EXTRA);
}

uint64_t fx_disk_cost_of(const struct fx_record *r)
{
	if (r->flags & FX_RECORD_TOMBSTONE)
		return 0;
	if (fx_pending_of(r)->disk)
		return fx_pending_of(r)->disk;
	if (fx_pending_of(r)->basis)
		return amend_cost(r->key_size, r->metadata_size);
	return fx_disk_cost(r->key_size, r->metadata_size, r->value_size);
}

static bool can_grow(struct feox_store *store)
{
	uint64_t bytes = atomic_load_explicit(&store->io.device_bytes, memory_order_relaxed);

	return !store->device->fixed && (!store->max_size || bytes + FX_BLOCK <= store->max_size);
}

/* Might a round of the flusher make room? */
static bool may_get_room(struct feox_store *store)
{
	return can_grow(store) || atomic_load(&store->queue.records) ||
	       atomic_load_explicit(&store->io.leaving, memory_order_relaxed) ||
	       atomic_load_explicit(&store->io.gain_blocks, memory_order_relaxed);
}

/* Add bytes to counter if it and beside (may be NULL) fit the device then. */
static bool try_reserve(struct feox_store *store, _Atomic uint64_t *counter,
			_Atomic uint64_t *beside, uint64_t bytes)
{
	/* Sequentially consistent, both ways round: of two that do not fit together one sees the
	 * other. */
	uint64_t total = atomic_fetch_add(counter, bytes) + bytes;

	if (beside)
		total += atomic_load(beside);
	if (total <= atomic_load_explicit(&store->disk_free, memory_order_acquire))
		return true;
	atomic_fetch_sub(counter, bytes);
	return false;
}

static int reserve(struct feox_store *store, _Atomic uint64_t *counter, _Atomic uint64_t *beside,
		   uint64_t bytes, bool nowait)
{
	while (!try_reserve(store, counter, beside, bytes)) {
		uint64_t promised = counter == &store->disk_promised || beside
					    ? atomic_load(&store->disk_promised)
					    : 0;
		int err;

		if (!may_get_room(store))
			return -ENOSPC;
		if (nowait)
			return -EAGAIN;
		err = fx_flusher_make_room(store, promised + bytes);
		if (err == -ENOSPC && try_reserve(store, counter, beside, bytes))
			return 0; /* another one had asked for more */
		if (err)
			return err;
	}
	return 0;
}

int fx_disk_reserve(struct feox_store *store, uint64_t bytes, bool promised, bool nowait)
{
	return reserve(store, &store->disk_reserved, promised ? NULL : &store->disk_promised, bytes,
		       nowait);
}

void fx_disk_unreserve(struct feox_store *store, uint64_t bytes)
{
	atomic_fetch_sub(&store->disk_reserved, bytes);
}

uint64_t fx_disk_take_spare(struct feox_store *store, uint64_t wanted)
{
	uint64_t claimed = atomic_load(&store->disk_reserved) + atomic_load(&store->disk_promised);
	uint64_t free_bytes = atomic_load_explicit(&store->disk_free, memory_order_acquire);
	uint64_t spare = free_bytes > claimed ? free_bytes - claimed : 0;

	wanted = wanted < spare ? wanted : spare;
	return wanted && try_reserve(store, &store->disk_reserved, &store->disk_promised, wanted)
		       ? wanted
		       : 0;
}

/* What a reservation costs on disk. */
static uint64_t promise_cost(uint64_t value_size)
{
	return fx_disk_cost(RESERVED_KEY_MAX, 0, value_size);
}

static int promise(struct feox_store *store, uint64_t memory, uint64_t disk, unsigned int flags)
{
	uint64_t taken;
	int err = fx_store_writable(store);

	if (!err)
		err = fx_memory_take(store, memory, flags & FEOX_NOWAIT, &taken);
	if (err)
		return err;
	if (store->persistent)
		err = reserve(store, &store->disk_promised, &store->disk_reserved, disk,
			      flags & FEOX_NOWAIT);
	if (err)
		fx_budget_give(&store->budget, taken);
	else
		fx_budget_promise(&store->budget, memory, taken);
	return err;
}

FEOX_API int feox_reserve(struct feox_store *store, uint64_t value_size, unsigned int flags)
{
	if (!store || (flags & ~(unsigned int)FEOX_NOWAIT))
		return -EINVAL;
	if (value_size > store->max_value)
		return -EFBIG;
	return promise(store, value_size + RESERVED_KEY_MAX, promise_cost(value_size), flags);
}

FEOX_API int feox_reserve_more(struct feox_store *store, uint64_t from_size, uint64_t to_size,
			       unsigned int flags)
{
	if (!store || (flags & ~(unsigned int)FEOX_NOWAIT) || to_size < from_size)
		return -EINVAL;
	if (to_size > store->max_value)
		return -EFBIG;
	return promise(store, to_size - from_size, promise_cost(to_size) - promise_cost(from_size),
		       flags);
}

FEOX_API void feox_unreserve(struct feox_store *store, uint64_t value_size)
{
	fx_budget_forgo(&store->budget, value_size + RESERVED_KEY_MAX);
	if (store->persistent)
		atomic_fetch_sub(&store->disk_promised, promise_cost(value_size));
}
