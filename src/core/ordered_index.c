/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ordered_index.c - the calls that change one key. The structure, its invariants, and why readers
 * need nothing but loads: oi.h.
 */
#include "oi_inner.h"
#include "oi_leaf.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#define TURNS_SPIN  8u	   /* waits that only let the processor breathe */
#define TURNS_YIELD 64u	   /* and then those that let other threads run, before it sleeps */
#define SLEEP_NS    50000L /* the holder was preempted or is stopped */

/* ---- Life -------------------------------------------------------------------------------------
 */

/* A root of one empty leaf. */
static struct fx_oi_inner *root_new(struct fx_ordered_index *index)
{
	struct fx_oi_image image = {.prefix_size = UINT16_MAX};
	struct fx_oi_inner *root;
	struct fx_oi_leaf *leaf;

	if (fx_oi_leaf_new(index, NULL, NULL, NULL, 0, FX_OI_SLACK_MIN, &leaf))
		return NULL;
	image.children[0] = leaf;
	root = fx_oi_inner_new(index, 1, NULL, NULL, &image, 0, 0);
	if (!root)
		fx_oi_leaf_free(index, leaf);
	return root;
}

int fx_ordered_index_create(struct fx_slab *slab, struct fx_epoch *epoch,
			    struct fx_ordered_index **ret_index)
{
	struct fx_ordered_index *index = calloc(1, sizeof(*index));
	struct fx_oi_inner *root;

	if (!index)
		return -ENOMEM;
	index->slab = slab;
	index->epoch = epoch;
	root = root_new(index);
	if (!root) {
		free(index);
		return -ENOMEM;
	}
	atomic_init(&index->root, root);
	*ret_index = index;
	return 0;
}

void fx_ordered_index_destroy(struct fx_ordered_index *index)
{
	struct fx_oi_inner *root;

	if (!index)
		return;
	root = fx_oi_root(index);
	fx_oi_destroy(index, root, root->level);
	assert(!atomic_load_explicit(&index->bytes, memory_order_relaxed));
	free(index);
}

uint64_t fx_ordered_index_bytes(const struct fx_ordered_index *index)
{
	return atomic_load_explicit(&index->bytes, memory_order_relaxed);
}

/* ---- Waiting ----------------------------------------------------------------------------------
 */

static void breathe(void)
{
	for (unsigned int i = 0; i < 32; i++) {
#if defined(__x86_64__)
		__builtin_ia32_pause();
#elif defined(__aarch64__)
		__asm__ volatile("yield");
#endif
	}
}

void fx_oi_wait(unsigned int *turns)
{
	struct timespec pause = {.tv_nsec = SLEEP_NS};
	unsigned int turn = (*turns)++;

	fx_epoch_leave();
	if (turn < TURNS_SPIN)
		breathe();
	else if (turn < TURNS_YIELD)
		sched_yield();
	else
		nanosleep(&pause, NULL);
	fx_epoch_enter();
}

/* ---- One key ----------------------------------------------------------------------------------
 */

static struct fx_oi_leaf *find_leaf(const struct fx_ordered_index *index, struct fx_oi_key key)
{
	unsigned int child;
	const struct fx_oi_inner *node = fx_oi_descend(index, key, 1, &child);
	struct fx_oi_leaf *leaf = fx_oi_child(node, child);

	fx_oi_prefetch_leaf(leaf);
	return leaf;
}

/* The leaf of key, locked, in a section; NULL: somebody has it. */
static struct fx_oi_leaf *try_lock_leaf(const struct fx_ordered_index *index, struct fx_oi_key key)
{
	struct fx_oi_leaf *leaf = find_leaf(index, key);

	return fx_oi_try_lock(&leaf->lock) ? leaf : NULL;
}

void fx_ordered_index_locate(struct fx_ordered_index *index, const void *key, size_t key_size,
			     struct fx_order_hint *ret_hint)
{
	ret_hint->leaf = find_leaf(index, (struct fx_oi_key){key, key_size});
}

/*
 * The same, trying for a moment: what is held is given back soon, unless its holder was preempted.
 * The leaf of a hint is gone, or still the key's: its range never changes.
 */
static struct fx_oi_leaf *try_lock_hinted(const struct fx_ordered_index *index,
					  struct fx_oi_key key, const struct fx_order_hint *hint)
{
	struct fx_oi_leaf *leaf = hint->leaf;

	if (leaf && fx_oi_try_lock(&leaf->lock))
		return leaf;
	for (unsigned int turn = 0; turn < TURNS_SPIN; turn++) {
		leaf = try_lock_leaf(index, key);
		if (leaf)
			return leaf;
		breathe();
	}
	return NULL;
}

/* The same, waiting: the section is left and entered meanwhile. */
static struct fx_oi_leaf *lock_leaf(const struct fx_ordered_index *index, struct fx_oi_key key)
{
	struct fx_oi_leaf *leaf;
	unsigned int turns = 0;

	while (!(leaf = try_lock_leaf(index, key)))
		fx_oi_wait(&turns);
	FX_PAUSE(FX_OI_PAUSE_LOCKED);
	return leaf;
}

/* Is key there? Then it has its check bit. Else place is where it belongs. */
static bool is_there(struct fx_oi_leaf *leaf, const struct fx_oi_probe *probe,
		     struct fx_oi_place *ret_place)
{
	*ret_place = fx_oi_find(leaf, probe, true);
	if (ret_place->found)
		fx_oi_set_check(leaf, ret_place->at);
	return ret_place->found;
}

/* Add key to its locked leaf, and unlock that. */
static int insert_locked(struct fx_ordered_index *index, struct fx_oi_leaf *leaf,
			 struct fx_oi_key key)
{
	struct fx_oi_probe probe = fx_oi_probe(leaf, key);
	struct fx_oi_long *whole = NULL;
	struct fx_oi_place place;
	int err = 0;

	if (is_there(leaf, &probe, &place)) {
		fx_oi_unlock(&leaf->lock);
		return 0;
	}
	if (probe.size > FX_OI_INLINE_MAX) {
		whole = fx_oi_long_new(index, key);
		if (!whole)
			err = -ENOMEM;
	}
	if (err || fx_oi_append(leaf, &place, &probe, whole))
		fx_oi_unlock(&leaf->lock);
	else
		err = fx_oi_grow(index, leaf, &place, key, whole);
	if (err)
		fx_oi_long_drop(index, whole);
	return err;
}

int fx_ordered_index_insert(struct fx_ordered_index *index, const void *key, size_t key_size)
{
	struct fx_oi_key k = {key, key_size};
	int err;

	fx_epoch_enter();
	err = insert_locked(index, lock_leaf(index, k), k);
	fx_epoch_leave();
	return err;
}

bool fx_ordered_index_remove(struct fx_ordered_index *index, const void *key, size_t key_size,
			     bool (*dead)(void *ctx), void *ctx)
{
	struct fx_oi_key k = {key, key_size};
	struct fx_oi_leaf *leaf;
	bool removed;

	fx_epoch_enter();
	leaf = lock_leaf(index, k);
	removed = dead(ctx);
	if (removed) {
		struct fx_oi_probe probe = fx_oi_probe(leaf, k);
		struct fx_oi_place place = fx_oi_find(leaf, &probe, true);

		if (place.found)
			fx_oi_unlink(leaf, &place);
		fx_oi_shrink(index, leaf, k);
	} else {
		fx_oi_unlock(&leaf->lock);
	}
	fx_epoch_leave();
	return removed;
}

/* ---- Check bits -------------------------------------------------------------------------------
 */

static struct fx_order_lock hold(struct fx_ordered_index *index, struct fx_oi_leaf *leaf,
				 struct fx_oi_key key, const struct fx_oi_place *place)
{
	return (struct fx_order_lock){.index = index,
				      .leaf = leaf,
				      .key = key.bytes,
				      .key_size = key.size,
				      .before = place->before,
				      .at = place->at};
}

int fx_ordered_index_lock(struct fx_ordered_index *index, const void *key, size_t key_size,
			  const struct fx_order_hint *hint, struct fx_order_lock *ret_lock)
{
	struct fx_oi_key k = {key, key_size};
	struct fx_oi_leaf *leaf = try_lock_hinted(index, k, hint);
	struct fx_oi_place place;
	struct fx_oi_probe probe;

	if (!leaf)
		return -EAGAIN;
	probe = fx_oi_probe(leaf, k);
	place = fx_oi_find(leaf, &probe, true);
	if (!place.found) {
		fx_oi_unlock(&leaf->lock);
		return -ENOENT;
	}
	fx_oi_set_check(leaf, place.at);
	FX_PAUSE(FX_OI_PAUSE_CHECKED);
	*ret_lock = hold(index, leaf, k, &place);
	return 0;
}

int fx_ordered_index_try_insert(struct fx_ordered_index *index, const void *key, size_t key_size,
				const struct fx_order_hint *hint, struct fx_order_lock *ret_lock)
{
	struct fx_oi_key k = {key, key_size};
	struct fx_oi_leaf *leaf = try_lock_hinted(index, k, hint);
	struct fx_oi_probe probe;
	struct fx_oi_place place;

	if (!leaf)
		return -EAGAIN;
	probe = fx_oi_probe(leaf, k);
	if (!is_there(leaf, &probe, &place)) {
		if (probe.size > FX_OI_INLINE_MAX || !fx_oi_append(leaf, &place, &probe, NULL)) {
			fx_oi_unlock(&leaf->lock);
			return -EAGAIN;
		}
		place.at = leaf->used;
	}
	*ret_lock = hold(index, leaf, k, &place);
	return 0;
}

void fx_ordered_index_unlock(struct fx_order_lock *lock)
{
	struct fx_oi_leaf *leaf = lock->leaf;

	fx_oi_unlock(&leaf->lock);
}

void fx_ordered_index_unlock_plain(struct fx_order_lock *lock)
{
	struct fx_oi_leaf *leaf = lock->leaf;
	uint64_t check = atomic_load_explicit(&leaf->check, memory_order_relaxed);

	/* Release: pairs with the load in a scan; who sees the bit clear sees its key alive. */
	atomic_store_explicit(&leaf->check, check & ~(UINT64_C(1) << lock->at),
			      memory_order_release);
	fx_oi_unlock(&leaf->lock);
}

void fx_ordered_index_drop(struct fx_order_lock *lock)
{
	struct fx_oi_place place = {.before = lock->before, .at = lock->at, .found = true};

	fx_oi_unlink(lock->leaf, &place);
	fx_oi_shrink(lock->index, lock->leaf, (struct fx_oi_key){lock->key, lock->key_size});
}

/* Clear the bits of a locked leaf's plain keys in [first, last]. */
static void settle_leaf(struct fx_oi_leaf *leaf, struct fx_oi_key first, struct fx_oi_key last,
			bool (*plain)(void *ctx, const void *key, size_t key_size), void *ctx)
{
	uint64_t check = atomic_load_explicit(&leaf->check, memory_order_relaxed);
	uint8_t key[FX_ORDERED_KEY_MAX];

	for (unsigned int slot = fx_oi_next(leaf, 0); slot; slot = fx_oi_next(leaf, slot)) {
		size_t size;

		if (!(check >> slot & 1))
			continue;
		size = fx_oi_slot_key(leaf, slot, key);
		if (fx_bytes_cmp(key, size, first.bytes, first.size) < 0)
			continue;
		if (fx_bytes_cmp(key, size, last.bytes, last.size) > 0)
			break;
		if (plain(ctx, key, size))
			check &= ~(UINT64_C(1) << slot);
	}
	/* Release: pairs with the load in a scan; who sees a bit clear sees its key alive. */
	atomic_store_explicit(&leaf->check, check, memory_order_release);
}

void fx_ordered_index_settle(struct fx_ordered_index *index, const void *first, size_t first_size,
			     const void *last, size_t last_size,
			     bool (*plain)(void *ctx, const void *key, size_t key_size), void *ctx)
{
	struct fx_oi_key from = {first, first_size}, to = {last, last_size};

	fx_epoch_enter();
	for (;;) {
		unsigned int child;
		const struct fx_oi_inner *node = fx_oi_descend(index, from, 1, &child);
		struct fx_oi_leaf *leaf = fx_oi_child(node, child);
		const struct fx_oi_fence *high =
			child < node->count ? fx_oi_fences(node)[child] : node->high;

		if (fx_oi_try_lock(&leaf->lock)) {
			settle_leaf(leaf, from, to, plain, ctx);
			fx_oi_unlock(&leaf->lock);
		}
		if (!high || fx_bytes_cmp(high->bytes, high->size, to.bytes, to.size) > 0)
			break;
		from = fx_oi_fence_key(high);
	}
	fx_epoch_leave();
}
