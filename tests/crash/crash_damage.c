/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash_damage.c - images with damage that no crash leaves: flipped bits, and blocks that are
 * zeroed, swapped, stale, another store's or cut off. Such a store is refused, or it shows right
 * values only: each that can be read is the one of the state that was on disk, none is missing. One
 * exception is no damage to see: what spoils the last commit record of a store that was not closed
 * in order looks like a crash in it, and shows the state before; where several blocks are spoilt
 * these may be the last few records, and it is an older state, but one, and whole.
 *
 * Images that lie: fields of superblocks, journal records and extents are changed and the checksums
 * over them made good. What they show may be anything; but it ends, and takes no more memory than
 * the image gives reason to.
 *
 * Each seed makes one store and IMAGES images of it.
 */
#include "crash_main.h"

#include "bytes.h"
#include "lies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGES	       40u
#define MAX_SIZE       ((uint64_t)2 << 20)
#define ALLOCATION_MAX ((size_t)64 << 20) /* bytes at once, whatever an image of 2 MiB says */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static void bound(size_t size)
{
	if (size <= ALLOCATION_MAX)
		return;
	printf("FAILED: %zu bytes are allocated at once\n", size);
	fflush(stdout);
	abort();
}

void *__wrap_malloc(size_t size)
{
	bound(size);
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	bound(count * size);
	return __real_calloc(count, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	bound(size);
	return __real_aligned_alloc(alignment, size);
}

/* ---- Damage -----------------------------------------------------------------------------------
 */

struct images {
	uint8_t *whole, *old, *other, *image;
	uint64_t size, blocks; /* of the whole one; blocks that are worth damaging */
	bool closed;	       /* in order */
	const char *what;      /* is done to it */
	uint64_t touched[4];   /* the blocks it was done to */
	unsigned int touched_count;
	uint64_t random;
};

static uint8_t *block_of(struct images *i, uint8_t *image)
{
	uint64_t block = recorder_random(&i->random, i->blocks);

	i->touched[i->touched_count++ % 4] = block;
	return image + block * FX_BLOCK;
}

static void flip_bits(struct images *i)
{
	uint64_t count = 1 + recorder_random(&i->random, 8);
	uint8_t *block = block_of(i, i->image);

	while (count--)
		block[recorder_random(&i->random, FX_BLOCK)] ^=
			(uint8_t)(1u << recorder_random(&i->random, 8));
}

static void zero_blocks(struct images *i)
{
	uint64_t count = 1 + recorder_random(&i->random, 4);

	while (count--)
		memset(block_of(i, i->image), 0, FX_BLOCK);
}

static void swap_blocks(struct images *i)
{
	uint8_t *a = block_of(i, i->image), *b = block_of(i, i->image), block[FX_BLOCK];

	memcpy(block, a, FX_BLOCK);
	memmove(a, b, FX_BLOCK);
	memcpy(b, block, FX_BLOCK);
}

static void take_block(struct images *i, const uint8_t *from)
{
	uint8_t *block = block_of(i, i->image);

	memcpy(block, from + (block - i->image), FX_BLOCK);
}

static void take_sectors(struct images *i, const uint8_t *from)
{
	uint8_t *at = block_of(i, i->image) +
		      recorder_random(&i->random, FX_BLOCK / RECORDER_SECTOR) * RECORDER_SECTOR;

	memcpy(at, from + (at - i->image), RECORDER_SECTOR);
}

/* The new size. */
static uint64_t damage(struct images *i)
{
	static const char *const names[] = {
		"zeroed blocks", "swapped blocks", "an old block", "another store's block",
		"an old sector", "cut off",	   "flipped bits", "flipped bits"};
	uint64_t what = recorder_random(&i->random, 8);

	i->what = names[what];
	switch (what) {
	case 0:
		zero_blocks(i);
		break;
	case 1:
		swap_blocks(i);
		break;
	case 2:
		take_block(i, i->old);
		break;
	case 3:
		take_block(i, i->other);
		break;
	case 4:
		take_sectors(i, i->old);
		break;
	case 5:
		return recorder_random(&i->random, i->size / FX_BLOCK) * FX_BLOCK;
	default:
		flip_bits(i);
	}
	return i->size;
}

/* ---- Lies -------------------------------------------------------------------------------------
 */

static const uint64_t odd_numbers[] = {
	0,	   1,	      2,	  7,	      255,	  4095,	      4096,
	65535,	   65536,     0x7fffffff, 0x80000000, 0xffffffff, 1ull << 40, UINT64_MAX - 4095,
	INT64_MAX, UINT64_MAX};

static void change_number(struct images *i, uint8_t *at)
{
	static const size_t sizes[] = {1, 2, 4, 8};
	size_t size = sizes[recorder_random(&i->random, 4)];
	uint64_t number = fx_get_u64(at);

	if (recorder_random(&i->random, 2))
		number = odd_numbers[recorder_random(&i->random,
						     sizeof(odd_numbers) / sizeof(*odd_numbers))];
	else
		number += recorder_random(&i->random, 17) - 8;
	number = htole64(number);
	memcpy(at, &number, size);
}

/* Some numbers near the beginning of one structure, and its checksum. */
static void lie(struct images *i)
{
	for (unsigned int tries = 0; tries < 1000; tries++) {
		uint8_t *block = block_of(i, i->image);
		uint64_t number = (uint64_t)(block - i->image) / FX_BLOCK;
		uint64_t reach = image_reach(i->image, number);

		if (!reach)
			continue;
		for (uint64_t n = 1 + recorder_random(&i->random, 3); n; n--)
			change_number(i, block + recorder_random(&i->random, reach));
		image_mend(i->image, i->size, number);
		return;
	}
}

/* ---- Judging ----------------------------------------------------------------------------------
 */

static int refused(int err)
{
	return err == -EUCLEAN || err == -ENOTSUP || err == -EIO || err == -EINVAL;
}

static void keep(const struct crash_run *run, const uint8_t *image, uint64_t size, const char *name)
{
	char path[512];
	FILE *file;

	if (!run->plan.keep)
		return;
	snprintf(path, sizeof(path), "%s/damage-%llu-%s.img", run->plan.keep,
		 (unsigned long long)run->seed, name);
	file = fopen(path, "w");
	if (!file)
		return;
	fwrite(image, 1, size, file);
	fclose(file);
	printf("kept as %s\n", path);
}

static int failed(const struct crash_run *run, const struct images *i, const char *why)
{
	printf("FAILED seed %llu, image %llu: %s (block", (unsigned long long)run->seed,
	       (unsigned long long)run->states, i->what);
	for (unsigned int n = 0; n < i->touched_count && n < 4; n++)
		printf(" %llu", (unsigned long long)i->touched[n]);
	printf("): %s\n", why);
	fflush(stdout);
	keep(run, i->image, i->size, "damaged");
	keep(run, i->whole, i->size, "whole");
	return -1;
}

/* first 0: what it shows does not matter. */
static int judge(struct crash_run *run, struct images *i, uint64_t size, size_t first)
{
	struct recorder *medium = run->scratch[0];
	struct feox_options options = crash_options(&run->model);
	bool write = recorder_random(&i->random, 3) == 0;
	struct feox_store *store;
	struct feox_diag diag = {""};
	const char *why = "";
	int err;

	options.flags = write ? FEOX_OPEN_NO_SWEEPER : FEOX_OPEN_READ_ONLY;
	recorder_load(medium, i->image, size);
	recorder_medium = medium;
	run->states++;
	err = feox_open(&options, &store, &diag);
	if (err && refused(err) && diag.text[0])
		return 0;
	if (err)
		return failed(run, i, strerror(-err));
	if (first && !crash_model_find(&run->model, store, first, run->model.count, &why))
		err = failed(run, i, why);
	if (write)
		image_use(store);
	feox_close(store);
	return err;
}

static int live(struct crash_run *run, struct images *i, size_t *ret_before)
{
	unsigned int steps = 30 + (unsigned int)recorder_random(&run->random, 40);
	int err = crash_run_open(run);

	for (unsigned int n = 0; n < steps && !err; n++) {
		err = crash_apply(run, crash_choose(run));
		if (!err && n == steps / 2)
			memcpy(i->old, run->medium->view, run->medium->size);
	}
	if (!err)
		err = crash_apply(run, CRASH_SYNC);
	*ret_before = run->model.count;
	if (!err)
		err = crash_apply(run, CRASH_OVERWRITE);
	if (!err && run->model.count == *ret_before) /* there is no key */
		err = crash_apply(run, CRASH_PUT);
	if (!err)
		err = crash_apply(run, CRASH_SYNC);
	i->size = run->medium->size;
	memcpy(i->whole, run->medium->view, i->size);
	if (run->store) {
		int end = crash_run_close(run);

		err = err ? err : end;
	}
	if (i->closed)
		memcpy(i->whole, run->medium->view, i->size);
	return err;
}

static int damage_all(struct crash_run *run, struct images *i, size_t before)
{
	int err = 0;

	while (i->blocks > 3 && !i->whole[(i->blocks - 1) * FX_BLOCK])
		i->blocks--; /* what follows is empty */
	run->model.damaged = true;
	for (unsigned int n = 0; n < IMAGES && !err; n++) {
		bool lies = n % 4 == 0;
		uint64_t size = i->size;
		size_t first = 0;

		memcpy(i->image, i->whole, i->size);
		i->touched_count = 0;
		i->what = "lies";
		if (lies)
			lie(i);
		else
			size = damage(i);
		/* The record of an orderly end vouches for the one before. */
		if (!lies)
			first = i->closed ? run->model.count : before;
		if (!lies && i->touched_count > 1)
			first = 1;
		err = judge(run, i, size, first);
	}
	return err;
}

static int workload(struct crash_run *run)
{
	struct crash_plan plan = run->plan;
	struct images i = {.closed = run->seed % 2, .random = run->seed ^ 0x5eed};
	uint8_t **all[] = {&i.whole, &i.old, &i.other, &i.image};
	size_t before = 0;
	int err;

	for (unsigned int n = 0; n < 4; n++) {
		*all[n] = calloc(1, MAX_SIZE);
		if (!*all[n])
			abort();
	}
	/* Another store, made in the same way. */
	crash_run_begin(run, run->seed, &plan, NULL, 0, MAX_SIZE);
	err = live(run, &i, &before);
	memcpy(i.other, i.whole, MAX_SIZE);
	crash_run_end(run);
	crash_run_begin(run, run->seed, &plan, NULL, 0, MAX_SIZE);
	atomic_fetch_add(&recorder_seed, 1u << 19);
	if (!err)
		err = live(run, &i, &before);
	i.blocks = i.size / FX_BLOCK;
	if (!err)
		err = damage_all(run, &i, before);
	crash_run_end(run);
	for (unsigned int n = 0; n < 4; n++)
		free(*all[n]);
	return err;
}

int main(int argc, char **argv)
{
	static const struct crash_suite suite = {
		.name = "crash_damage",
		.workload = workload,
		.states = 10000,
	};

	return crash_main(argc, argv, &suite);
}
