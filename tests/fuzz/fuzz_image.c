/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_image.c - a store whose numbers lie, under good checksums: it is refused or shows something,
 * but it ends, and no byte outside of what was allocated is touched.
 *
 * The input is a list of changes to the image of a small store, 12 bytes each: which of its blocks
 * that begin with a structure (1), reserved (1), where in that structure (2), the number (8), of
 * which as many bytes are written as the place is long: 1, 2, 4 or 8, by the two highest bits of
 * "where". The first byte of all says how it is opened.
 */
#include "crash_run.h"

#include "bytes.h"
#include "lies.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SIZE  ((uint64_t)2 << 20)
#define CHANGE	  12u
#define BLOCK_MAX 64u

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct crash_run run;
static uint8_t *base, *image;
static uint64_t base_size;
static uint64_t blocks[BLOCK_MAX]; /* that begin with a structure */
static unsigned int block_count;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct crash_plan plan = {.percent = 0};

	crash_run_begin(&run, 3, &plan, NULL, 0, MAX_SIZE);
	if (crash_run_open(&run))
		abort();
	for (unsigned int i = 0; i < 60; i++)
		if (crash_apply(&run, crash_choose(&run)))
			abort();
	if (crash_apply(&run, CRASH_SYNC))
		abort();
	base = malloc(MAX_SIZE);
	image = malloc(MAX_SIZE);
	base_size = run.medium->size;
	memcpy(base, run.medium->view, base_size);
	feox_close(run.store);
	for (uint64_t b = 0; b < base_size / FX_BLOCK && block_count < BLOCK_MAX; b++)
		if (image_reach(base, b))
			blocks[block_count++] = b;
	return 0;
}

static void change(const uint8_t *c)
{
	uint64_t block = blocks[c[0] % block_count];
	uint16_t where = fx_get_u16(c + 2);
	uint8_t *at = image + block * FX_BLOCK + (where & 0x3fff) % image_reach(base, block);

	memcpy(at, c + 4, (size_t)1 << (where >> 14));
}

static void mend_all(void)
{
	for (unsigned int i = 0; i < block_count; i++)
		if (memcmp(image + blocks[i] * FX_BLOCK, base + blocks[i] * FX_BLOCK, FX_BLOCK) !=
		    0)
			image_mend(image, base_size, blocks[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feox_options options = crash_options(&run.model);
	bool write = size && data[0] % 8 == 0; /* slower */
	struct feox_store *store;

	memcpy(image, base, base_size);
	for (size_t at = 1; at + CHANGE <= size; at += CHANGE)
		change(data + at);
	mend_all();
	recorder_load(run.scratch[0], image, base_size);
	recorder_medium = run.scratch[0];
	options.flags = write ? FEOX_OPEN_NO_SWEEPER : FEOX_OPEN_READ_ONLY;
	if (feox_open(&options, &store, NULL))
		return 0;
	image_use(store);
	feox_close(store);
	return 0;
}
