/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oi_leaf.c - leaves: search, append, unlink.
 *
 * A search bisects the sorted base by heads, steps back over dead slots to a live one, and follows
 * the chain over what was appended behind it: at most a leaf's free slots. A writer may begin at
 * the newest slot instead, when that is nearer: ascending keys then cost one step.
 */
#include "oi_leaf.h"

/* ---- Keys -------------------------------------------------------------------------------------
 */

static int compare_tails(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
	size_t n = fx_oi_tail_size(a_size < b_size ? a_size : b_size);
	int c = n ? memcmp(a, b, n) : 0;

	/* Equal heads with padding: then the shorter one is the smaller one, too. */
	return c ? c : (a_size > b_size) - (a_size < b_size);
}

int fx_oi_compare(const struct fx_oi_leaf *leaf, unsigned int slot, const struct fx_oi_probe *probe)
{
	const struct fx_oi_entry *entry = &leaf->entries[slot];
	const uint8_t *tail;
	size_t size;

	if (entry->head != probe->head)
		return entry->head < probe->head ? -1 : 1;
	tail = fx_oi_tail(leaf, entry, &size);
	return compare_tails(tail, size, probe->suffix + sizeof(probe->head), probe->size);
}

/* Is slot a's key greater than slot b's? */
static bool is_greater(const struct fx_oi_leaf *leaf, unsigned int a, unsigned int b)
{
	const struct fx_oi_entry *x = &leaf->entries[a], *y = &leaf->entries[b];
	const uint8_t *x_tail, *y_tail;
	size_t x_size, y_size;

	if (x->head != y->head)
		return x->head > y->head;
	x_tail = fx_oi_tail(leaf, x, &x_size);
	y_tail = fx_oi_tail(leaf, y, &y_size);
	return compare_tails(x_tail, x_size, y_tail, y_size) > 0;
}

/* ---- Search -----------------------------------------------------------------------------------
 */

/* How many of the sorted slots have a head below this one. Without branches that depend on keys. */
static unsigned int heads_below(const struct fx_oi_leaf *leaf, uint32_t head)
{
	const struct fx_oi_entry *entries = leaf->entries + 1;
	unsigned int low = 0, n = leaf->sorted;

	if (!n)
		return 0;
	while (n > 1) {
		unsigned int half = n / 2;

		low += entries[low + half - 1].head < head ? half : 0;
		n -= half;
	}
	return low + (entries[low].head < head);
}

/* The last sorted slot, dead or alive, whose key is less than probe's; 0: none. */
static unsigned int bisect(const struct fx_oi_leaf *leaf, const struct fx_oi_probe *probe)
{
	unsigned int low = heads_below(leaf, probe->head), n;

	if (low == leaf->sorted || leaf->entries[low + 1].head != probe->head)
		return low;
	n = (probe->head == UINT32_MAX ? leaf->sorted : heads_below(leaf, probe->head + 1)) - low;
	while (n) {
		unsigned int middle = low + n / 2 + 1;

		if (fx_oi_compare(leaf, middle, probe) < 0) {
			low = middle;
			n -= n / 2 + 1;
		} else {
			n /= 2;
		}
	}
	return low;
}

static bool is_dead(uint64_t dead, unsigned int slot)
{
	return dead >> slot & 1;
}

/* The newest slot, when it was appended, lives, and lies between start and the probe; or start. */
static unsigned int nearer_start(const struct fx_oi_leaf *leaf, const struct fx_oi_probe *probe,
				 uint64_t dead, unsigned int start)
{
	unsigned int newest = leaf->used;

	if (newest > leaf->sorted && !is_dead(dead, newest) &&
	    fx_oi_compare(leaf, newest, probe) < 0 && (!start || is_greater(leaf, newest, start)))
		return newest;
	return start;
}

struct fx_oi_place fx_oi_find(const struct fx_oi_leaf *leaf, const struct fx_oi_probe *probe,
			      bool locked)
{
	unsigned int before = bisect(leaf, probe);
	/* Acquire: pairs with fx_oi_unlink(). A slot that is not dead now is linked now. */
	uint64_t dead = atomic_load_explicit(&leaf->dead, memory_order_acquire);
	unsigned int at;
	int c = 1;

	while (before && is_dead(dead, before))
		before--;
	if (locked)
		before = nearer_start(leaf, probe, dead, before);
	while ((at = fx_oi_next(leaf, before))) {
		c = fx_oi_compare(leaf, at, probe);
		if (c >= 0)
			break;
		before = at;
	}
	return (struct fx_oi_place){.before = (uint8_t)before, .at = (uint8_t)at, .found = c == 0};
}

/* ---- Changes in place -------------------------------------------------------------------------
 */

static void link_slot(struct fx_oi_leaf *leaf, unsigned int before, unsigned int slot)
{
	/* Release: pairs with fx_oi_next(); who follows the link sees the slot whole (N3). */
	atomic_store_explicit(&leaf->entries[before].next, (uint8_t)slot, memory_order_release);
}

static void set_bit(_Atomic uint64_t *bits, unsigned int slot)
{
	uint64_t now = atomic_load_explicit(bits, memory_order_relaxed);

	atomic_store_explicit(bits, now | UINT64_C(1) << slot, memory_order_release);
}

void fx_oi_set_check(struct fx_oi_leaf *leaf, unsigned int slot)
{
	set_bit(&leaf->check, slot);
}

void fx_oi_write_slot(struct fx_oi_leaf *leaf, unsigned int slot, const struct fx_oi_probe *probe,
		      struct fx_oi_long *whole)
{
	struct fx_oi_entry *entry = &leaf->entries[slot];
	size_t tail = fx_oi_tail_size(probe->size);

	entry->head = probe->head;
	entry->offset = leaf->heap_used;
	if (whole) {
		entry->size = FX_OI_LONG;
		tail = sizeof(whole);
		memcpy(fx_oi_heap(leaf) + leaf->heap_used, &whole, sizeof(whole));
	} else {
		entry->size = (uint8_t)probe->size;
		fx_oi_copy(fx_oi_heap(leaf) + leaf->heap_used, probe->suffix + sizeof(probe->head),
			   tail);
	}
	leaf->heap_used = (uint16_t)(leaf->heap_used + tail);
}

bool fx_oi_append(struct fx_oi_leaf *leaf, const struct fx_oi_place *place,
		  const struct fx_oi_probe *probe, struct fx_oi_long *whole)
{
	size_t room = whole ? sizeof(whole) : fx_oi_tail_size(probe->size);
	unsigned int slot = leaf->used + 1u;

	if (slot > leaf->capacity || leaf->heap_used + room > leaf->heap_size)
		return false;
	fx_oi_write_slot(leaf, slot, probe, whole);
	atomic_store_explicit(&leaf->entries[slot].next, place->at, memory_order_relaxed);
	fx_oi_set_check(leaf, slot);
	leaf->used++;
	leaf->live++;
	FX_PAUSE(FX_OI_PAUSE_WRITTEN);
	link_slot(leaf, place->before, slot);
	FX_PAUSE(FX_OI_PAUSE_LINKED);
	return true;
}

void fx_oi_unlink(struct fx_oi_leaf *leaf, const struct fx_oi_place *place)
{
	set_bit(&leaf->dead, place->at);
	FX_PAUSE(FX_OI_PAUSE_DEAD);
	link_slot(leaf, place->before, fx_oi_next(leaf, place->at));
	FX_PAUSE(FX_OI_PAUSE_UNLINKED);
	leaf->live--;
	leaf->dead_longs += leaf->entries[place->at].size == FX_OI_LONG;
}
