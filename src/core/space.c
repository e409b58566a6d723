/* SPDX-License-Identifier: Apache-2.0 */
/*
 * space.c - one node per free run, in two red-black trees at once.
 *
 * Invariants: runs do not overlap and do not touch (touching ones are merged), both trees hold the
 * same nodes, free_blocks is their sum.
 */
#include "space.h"

#include "patience.h"

#include <sys/tree.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

struct node {
	RB_ENTRY(node) by_start;
	RB_ENTRY(node) by_size;
	struct fx_run run;
};

static int compare_start(const struct node *a, const struct node *b)
{
	return (a->run.start > b->run.start) - (a->run.start < b->run.start);
}

static int compare_size(const struct node *a, const struct node *b)
{
	if (a->run.blocks != b->run.blocks)
		return a->run.blocks < b->run.blocks ? -1 : 1;
	return compare_start(a, b);
}

RB_HEAD(starts, node);
RB_HEAD(sizes, node);
RB_PROTOTYPE_INTERNAL(starts, node, by_start, compare_start, static __attribute__((unused)));
RB_GENERATE_INTERNAL(starts, node, by_start, compare_start, static __attribute__((unused)))
RB_PROTOTYPE_INTERNAL(sizes, node, by_size, compare_size, static __attribute__((unused)));
RB_GENERATE_INTERNAL(sizes, node, by_size, compare_size, static __attribute__((unused)))

struct fx_space {
	struct starts starts;
	struct sizes sizes;
	_Atomic uint64_t free_blocks;
	size_t run_count;
};

int fx_space_create(struct fx_space **ret_space)
{
	struct fx_space *space = calloc(1, sizeof(*space));

	if (!space)
		return -ENOMEM;
	RB_INIT(&space->starts);
	RB_INIT(&space->sizes);
	*ret_space = space;
	return 0;
}

static void add(struct fx_space *space, struct node *node)
{
	RB_INSERT(starts, &space->starts, node);
	RB_INSERT(sizes, &space->sizes, node);
	space->run_count++;
	atomic_fetch_add_explicit(&space->free_blocks, node->run.blocks, memory_order_relaxed);
}

static void take_out(struct fx_space *space, struct node *node)
{
	RB_REMOVE(starts, &space->starts, node);
	RB_REMOVE(sizes, &space->sizes, node);
	space->run_count--;
	atomic_fetch_sub_explicit(&space->free_blocks, node->run.blocks, memory_order_relaxed);
}

void fx_space_destroy(struct fx_space *space)
{
	struct node *node;

	if (!space)
		return;
	while ((node = RB_ROOT(&space->starts))) {
		take_out(space, node);
		free(node);
	}
	free(space);
}

/* The last run that begins at or before start. */
static struct node *find_before(const struct fx_space *space, uint64_t start)
{
	struct node *at = RB_ROOT(&space->starts), *best = NULL;

	while (at) {
		if (at->run.start <= start) {
			best = at;
			at = RB_RIGHT(at, by_start);
		} else {
			at = RB_LEFT(at, by_start);
		}
	}
	return best;
}

int fx_space_free(struct fx_space *space, struct fx_run run)
{
	struct node *before, *after, *node;

	if (!run.blocks || run.start > UINT64_MAX - run.blocks)
		return -EINVAL;
	before = find_before(space, run.start);
	after = before ? RB_NEXT(starts, &space->starts, before) : RB_MIN(starts, &space->starts);
	if ((before && before->run.start + before->run.blocks > run.start) ||
	    (after && run.start + run.blocks > after->run.start))
		return -EEXIST;
	node = FX_PATIENTLY((struct node *)malloc(sizeof(*node))); /* before anything is changed */
	if (!node)
		return -ENOMEM;
	if (before && before->run.start + before->run.blocks == run.start) {
		take_out(space, before);
		run.start = before->run.start;
		run.blocks += before->run.blocks;
		free(before);
	}
	if (after && run.start + run.blocks == after->run.start) {
		take_out(space, after);
		run.blocks += after->run.blocks;
		free(after);
	}
	node->run = run;
	add(space, node);
	return 0;
}

int fx_space_take(struct fx_space *space, struct fx_run run)
{
	struct node *node = find_before(space, run.start);
	struct node *tail = NULL;
	uint64_t end, node_end;

	if (!run.blocks || run.start > UINT64_MAX - run.blocks)
		return -EINVAL;
	end = run.start + run.blocks;
	if (!node || node->run.start + node->run.blocks < end)
		return -ENOENT;
	node_end = node->run.start + node->run.blocks;
	if (node->run.start < run.start && end < node_end) {
		tail = FX_PATIENTLY((struct node *)malloc(sizeof(*tail)));
		if (!tail)
			return -ENOMEM;
		tail->run = (struct fx_run){.start = end, .blocks = node_end - end};
	}
	take_out(space, node);
	if (node->run.start < run.start) {
		node->run.blocks = run.start - node->run.start;
		add(space, node);
	} else if (end < node_end) {
		node->run = (struct fx_run){.start = end, .blocks = node_end - end};
		add(space, node);
	} else {
		free(node);
	}
	if (tail)
		add(space, tail);
	return 0;
}

int fx_space_alloc(struct fx_space *space, uint64_t blocks, uint64_t *ret_start)
{
	struct node probe = {.run = {.start = 0, .blocks = blocks}};
	struct node *node;

	if (!blocks)
		return -EINVAL;
	node = RB_NFIND(sizes, &space->sizes, &probe);
	if (!node)
		return -ENOSPC;
	take_out(space, node);
	*ret_start = node->run.start;
	node->run.start += blocks;
	node->run.blocks -= blocks;
	if (node->run.blocks)
		add(space, node);
	else
		free(node);
	return 0;
}

struct fx_run fx_space_longest(const struct fx_space *space)
{
	struct node *node = RB_MAX(sizes, (struct sizes *)&space->sizes);

	return node ? node->run : (struct fx_run){0};
}

struct fx_run fx_space_last(const struct fx_space *space, uint64_t end)
{
	struct node *node = RB_MAX(starts, (struct starts *)&space->starts);

	if (!node || node->run.start + node->run.blocks != end)
		return (struct fx_run){0};
	return node->run;
}

uint64_t fx_space_free_blocks(const struct fx_space *space)
{
	return atomic_load_explicit(&space->free_blocks, memory_order_relaxed);
}

size_t fx_space_run_count(const struct fx_space *space)
{
	return space->run_count;
}
