/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash_replace.c - a segment that is full, or in somebody's hands, gives way to new ones.
 *
 *   choose a shape -> allocate -> freeze and copy -> set next -> correct the directory
 *                         ^              | does not fit: the next larger shape
 *                         '--------------'
 *
 * Any number of threads may do this for the same segment at once, from any point of it: invariants
 * H3, H5 and H6 of hash_index.c.
 */
#include "hash_replace.h"

#include <errno.h>
#include <sched.h>

#define SPINS	     64u  /* turns before a waiting thread yields */
#define PATIENCE     512u /* turns before it helps itself; a copy takes some 100 us */
#define KEEP_PERCENT 60u  /* with less of its slots in use, a full stash is no reason to grow */

/* ---- Replacing ---------------------------------------------------------------------------------
 */

enum shape {
	SHAPE_SAME,	   /* a fresh arrangement; always fits */
	SHAPE_GROWN,	   /* small -> large */
	SHAPE_SPLIT_SMALL, /* two small ones; always fit when this is small */
	SHAPE_SPLIT_LARGE  /* two large ones; always fit */
};

static enum shape first_shape(struct fx_segment *segment, uint64_t seed)
{
	uint32_t slots = fx_segment_buckets(segment->kind) * FX_BUCKET_SLOTS;
	uint32_t stash_slots = fx_segment_stash(segment->kind) * FX_BUCKET_SLOTS;

	/* Few words: removals left gaps in homes, or a lock is to be overtaken. Will it help? */
	if (fx_segment_words(segment) < slots / 100 * KEEP_PERCENT &&
	    fx_segment_stuck(segment, seed) < stash_slots / 2)
		return SHAPE_SAME;
	return segment->kind == FX_SEGMENT_SMALL ? SHAPE_GROWN : SHAPE_SPLIT_SMALL;
}

static void successors_free(struct fx_slab *slab, struct fx_successors *to)
{
	if (!to)
		return;
	if (to->half[1] != to->half[0])
		fx_segment_free(to->half[1]);
	fx_segment_free(to->half[0]);
	fx_slab_free(slab, to, sizeof(*to));
}

static struct fx_successors *successors_new(struct fx_slab *slab, struct fx_segment *from,
					    enum shape shape)
{
	struct fx_successors *to = fx_slab_alloc(slab, sizeof(*to));
	bool split = shape == SHAPE_SPLIT_SMALL || shape == SHAPE_SPLIT_LARGE;
	bool large = shape == SHAPE_GROWN || shape == SHAPE_SPLIT_LARGE ||
		     (shape == SHAPE_SAME && from->kind == FX_SEGMENT_LARGE);
	unsigned int kind = large ? FX_SEGMENT_LARGE : FX_SEGMENT_SMALL;
	unsigned int depth = from->depth + split;

	if (!to)
		return NULL;
	to->half[0] = fx_segment_new(slab, kind, from->first_hash, depth, from->generation + 1);
	to->half[1] =
		!split ? to->half[0]
		       : fx_segment_new(slab, kind, from->first_hash | UINT64_C(1) << (64 - depth),
					depth, from->generation + 1);
	if (to->half[0] && to->half[1])
		return to;
	successors_free(slab, to);
	return NULL;
}

/* A complete copy of segment in this shape: -ENOSPC: it does not fit. */
static int copy_segment(struct fx_directory *directory, uint64_t seed, struct fx_segment *segment,
			enum shape shape, struct fx_successors **ret_to)
{
	struct fx_successors *to;
	int err = 0;

	if (shape >= SHAPE_SPLIT_SMALL)
		err = fx_directory_reserve(directory, segment->depth + 1u);
	if (err)
		return err;
	to = successors_new(directory->slab, segment, shape);
	if (!to)
		return -ENOMEM;
	if (!fx_segment_copy(segment, seed, to)) {
		successors_free(directory->slab, to);
		return -ENOSPC;
	}
	*ret_to = to;
	return 0;
}

static void publish(struct fx_directory *directory, struct fx_segment *segment,
		    struct fx_successors *to)
{
	struct fx_successors *none = NULL;
	uint64_t bytes = fx_segment_bytes(to->half[0]->kind);

	if (to->half[1] != to->half[0])
		bytes += fx_segment_bytes(to->half[1]->kind);
	/* Release: pairs with fx_segment_next(); the copy is complete. */
	if (!atomic_compare_exchange_strong_explicit(&segment->next, &none, to,
						     memory_order_release, memory_order_relaxed)) {
		successors_free(directory->slab, to); /* somebody was faster; it is the same */
		return;
	}
	FX_PAUSE(FX_PAUSE_HASH_PUBLISHED);
	atomic_fetch_add_explicit(&directory->bytes, bytes - fx_segment_bytes(segment->kind),
				  memory_order_relaxed);
	fx_directory_replaced(directory, segment);
}

int fx_segment_replace(struct fx_directory *directory, uint64_t seed, struct fx_segment *segment)
{
	enum shape shape = first_shape(segment, seed);
	struct fx_successors *to;
	int err;

	while ((err = copy_segment(directory, seed, segment, shape, &to)) == -ENOSPC)
		shape = shape == SHAPE_GROWN ? SHAPE_SPLIT_SMALL : SHAPE_SPLIT_LARGE;
	if (!err)
		publish(directory, segment, to);
	else if (atomic_load_explicit(&segment->next, memory_order_acquire))
		err = 0;
	return err;
}

/* ---- Waiting for others, but not for long (H5) -------------------------------------------------
 */

static void turn(unsigned int turns)
{
	if (turns >= SPINS) {
		sched_yield();
		return;
	}
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

int fx_segment_await_next(struct fx_directory *directory, uint64_t seed, struct fx_segment *segment)
{
	for (unsigned int turns = 0; turns < PATIENCE; turns++) {
		if (atomic_load_explicit(&segment->next, memory_order_acquire))
			return 0;
		turn(turns);
	}
	return fx_segment_replace(directory, seed, segment);
}

int fx_home_await(struct fx_directory *directory, uint64_t seed, struct fx_segment *segment,
		  struct fx_bucket *home)
{
	for (unsigned int turns = 0; turns < PATIENCE; turns++) {
		if (!(atomic_load_explicit(&home->header, memory_order_relaxed) & FX_HEADER_LOCKED))
			return 0;
		turn(turns);
	}
	return fx_segment_replace(directory, seed, segment);
}
