/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oi_build.c - a leaf's beginning and end: built from slots of others and from keys, retired with
 * what only it has.
 *
 * A slot's key is taken over as it is kept: a long key by its pointer, another one cut anew when
 * the new leaf's prefix has another size. While both leaves can be seen they share the long keys.
 * Those of dead slots stay with the old leaf, where a search may still compare with them, and are
 * freed with it.
 */
#include "oi_inner.h"
#include "oi_leaf.h"

#include <errno.h>

/* ---- Long keys --------------------------------------------------------------------------------
 */

struct fx_oi_long *fx_oi_long_new(struct fx_ordered_index *index, struct fx_oi_key key)
{
	struct fx_oi_long *whole = fx_slab_alloc(index->slab, sizeof(*whole) + key.size);

	if (!whole)
		return NULL;
	whole->size = (uint32_t)key.size;
	memcpy(whole->bytes, key.bytes, key.size);
	fx_oi_count(index, (int64_t)(sizeof(*whole) + key.size));
	return whole;
}

static void long_free(struct fx_slab *slab, struct fx_oi_long *whole)
{
	fx_slab_free(slab, whole, sizeof(*whole) + whole->size);
}

void fx_oi_long_drop(struct fx_ordered_index *index, struct fx_oi_long *whole)
{
	if (!whole)
		return;
	fx_oi_count(index, -(int64_t)(sizeof(*whole) + whole->size));
	long_free(index->slab, whole);
}

/* ---- Building ---------------------------------------------------------------------------------
 */
/* ---- Building ---------------------------------------------------------------------------------
 */

unsigned int fx_oi_leaf_items(const struct fx_oi_leaf *leaf, struct fx_oi_item *items)
{
	uint64_t check = atomic_load_explicit(&leaf->check, memory_order_relaxed);
	unsigned int n = 0;

	for (unsigned int slot = fx_oi_next(leaf, 0); slot; slot = fx_oi_next(leaf, slot))
		items[n++] = (struct fx_oi_item){
			.leaf = leaf, .slot = (uint8_t)slot, .check = check >> slot & 1};
	return n;
}

unsigned int fx_oi_slack(unsigned int count)
{
	if (count < FX_OI_SLACK_MIN)
		return FX_OI_SLACK_FEW;
	return count / 2 > FX_OI_SLACK_MIN ? count / 2 : FX_OI_SLACK_MIN;
}

static struct fx_oi_long *whole_of(const struct fx_oi_item *item)
{
	if (!item->leaf)
		return item->whole;
	if (item->leaf->entries[item->slot].size != FX_OI_LONG)
		return NULL;
	return fx_oi_whole(item->leaf, &item->leaf->entries[item->slot]);
}

/* Bytes of the heap that item takes behind a prefix of this size. -E2BIG: see fx_oi_leaf_new(). */
static int heap_need(const struct fx_oi_item *item, size_t prefix)
{
	size_t size;

	if (whole_of(item))
		return (int)sizeof(struct fx_oi_long *);
	size = item->leaf ? item->leaf->entries[item->slot].size + item->leaf->prefix_size
			  : item->key.size;
	return size - prefix > FX_OI_INLINE_MAX ? -E2BIG : (int)fx_oi_tail_size(size - prefix);
}

static int heap_needs(const struct fx_oi_item *items, unsigned int count, size_t prefix)
{
	int sum = 0;

	for (unsigned int i = 0; i < count; i++) {
		int need = heap_need(&items[i], prefix);

		if (need < 0)
			return need;
		sum += need;
	}
	return sum;
}

static struct fx_oi_leaf *leaf_alloc(struct fx_ordered_index *index, unsigned int capacity,
				     size_t heap_size)
{
	size_t fixed = sizeof(struct fx_oi_leaf) + (capacity + 1) * sizeof(struct fx_oi_entry);
	size_t bytes = fx_align_up(fixed + heap_size, 16);
	struct fx_oi_leaf *leaf = fx_slab_alloc(index->slab, bytes);

	if (!leaf)
		return NULL;
	memset(leaf, 0, sizeof(*leaf) + sizeof(*leaf->entries));
	leaf->bytes = (uint32_t)bytes;
	leaf->capacity = (uint8_t)capacity;
	leaf->heap_size = (uint16_t)(bytes - fixed);
	fx_oi_count(index, (int64_t)bytes);
	return leaf;
}

/*
 * The suffix of a slot's inline key behind a prefix of another size, put together in buffer from
 * what the old leaf's fence, the head and the tail hold.
 */
static const uint8_t *recut(const struct fx_oi_item *item, size_t prefix, uint8_t *buffer,
			    size_t *ret_size)
{
	const struct fx_oi_leaf *leaf = item->leaf;
	const struct fx_oi_entry *entry = &leaf->entries[item->slot];
	size_t more = leaf->prefix_size > prefix ? leaf->prefix_size - prefix : 0;
	size_t less = prefix > leaf->prefix_size ? prefix - leaf->prefix_size : 0;
	uint32_t head = htobe32(entry->head);

	if (more)
		memcpy(buffer, leaf->low->bytes + prefix, more);
	memcpy(buffer + more, &head, sizeof(head));
	fx_oi_copy(buffer + more + sizeof(head), fx_oi_heap(leaf) + entry->offset,
		   fx_oi_tail_size(entry->size));
	*ret_size = entry->size + more - less;
	return buffer + less;
}

static void write_item(struct fx_oi_leaf *leaf, unsigned int slot, const struct fx_oi_item *item)
{
	uint8_t buffer[FX_OI_INLINE_MAX + sizeof(uint32_t)];
	struct fx_oi_long *whole = whole_of(item);
	struct fx_oi_probe probe;

	if (whole) {
		probe = fx_oi_probe(leaf, (struct fx_oi_key){whole->bytes, whole->size});
	} else if (!item->leaf) {
		probe = fx_oi_probe(leaf, item->key);
	} else {
		probe.suffix = recut(item, leaf->prefix_size, buffer, &probe.size);
		probe.head = fx_oi_head(probe.suffix, probe.size);
	}
	fx_oi_write_slot(leaf, slot, &probe, whole);
}

int fx_oi_leaf_new(struct fx_ordered_index *index, const struct fx_oi_fence *low,
		   const struct fx_oi_fence *high, const struct fx_oi_item *items,
		   unsigned int count, unsigned int slack, struct fx_oi_leaf **ret_leaf)
{
	uint16_t prefix = fx_oi_shared(low, high);
	int need = heap_needs(items, count, prefix);
	unsigned int capacity = count + slack < FX_OI_SLOTS_MAX ? count + slack : FX_OI_SLOTS_MAX;
	struct fx_oi_leaf *leaf;
	uint64_t check = 0;
	size_t heap_size;

	if (need < 0)
		return need;
	heap_size = (size_t)need;
	if (count) /* room for as many more of the average size */
		heap_size += (heap_size + count - 1) / count * (capacity - count);
	else
		heap_size += 16 * (size_t)capacity;
	leaf = leaf_alloc(index, capacity, heap_size);
	if (!leaf)
		return -ENOMEM;
	leaf->prefix_size = prefix;
	leaf->low = low;
	leaf->high = high;
	leaf->sorted = leaf->used = leaf->live = (uint8_t)count;
	for (unsigned int i = 0; i < count; i++) {
		write_item(leaf, i + 1, &items[i]);
		atomic_init(&leaf->entries[i + 1].next, i + 1 < count ? (uint8_t)(i + 2) : 0);
		check |= (uint64_t)items[i].check << (i + 1);
	}
	atomic_init(&leaf->entries[0].next, count ? 1 : 0);
	atomic_init(&leaf->check, check);
	*ret_leaf = leaf;
	return 0;
}

/* ---- The end of a leaf ------------------------------------------------------------------------
 */

void fx_oi_leaf_free(struct fx_ordered_index *index, struct fx_oi_leaf *leaf)
{
	if (!leaf)
		return;
	fx_oi_count(index, -(int64_t)leaf->bytes);
	fx_slab_free(index->slab, leaf, leaf->bytes);
}

/* Bytes of the long keys of dead slots: those of others have gone over to the new leaf. */
static size_t dead_long_bytes(const struct fx_oi_leaf *leaf, bool free_them)
{
	uint64_t dead = atomic_load_explicit(&leaf->dead, memory_order_relaxed);
	size_t bytes = 0;

	for (; dead; dead &= dead - 1) {
		const struct fx_oi_entry *entry = &leaf->entries[__builtin_ctzll(dead)];
		struct fx_oi_long *whole;

		if (entry->size != FX_OI_LONG)
			continue;
		whole = fx_oi_whole(leaf, entry);
		bytes += sizeof(*whole) + whole->size;
		if (free_them)
			long_free(leaf->slab, whole);
	}
	return bytes;
}

static void leaf_retired(struct fx_retired *retired, void *ctx)
{
	struct fx_oi_leaf *leaf =
		(struct fx_oi_leaf *)((char *)retired - offsetof(struct fx_oi_leaf, retired));

	dead_long_bytes(leaf, true);
	if (leaf->frees_low)
		fx_slab_free(leaf->slab, (void *)leaf->low, fx_oi_fence_bytes(leaf->low));
	fx_slab_free(leaf->slab, leaf, leaf->bytes);
}

void fx_oi_leaf_retire(struct fx_ordered_index *index, struct fx_oi_leaf *leaf, bool frees_low)
{
	size_t bytes = leaf->bytes + dead_long_bytes(leaf, false) +
		       (frees_low ? fx_oi_fence_bytes(leaf->low) : 0);

	fx_oi_count(index, -(int64_t)bytes);
	leaf->frees_low = frees_low;
	leaf->slab = index->slab;
	/* Nobody locks it again, so what the lock guarded may now hold what it is retired with. */
	atomic_store_explicit(&leaf->lock, FX_OI_GONE, memory_order_release);
	fx_epoch_retire(index->epoch, &leaf->retired, leaf_retired, bytes);
}
