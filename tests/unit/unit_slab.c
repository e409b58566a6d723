/* SPDX-License-Identifier: Apache-2.0 */
/* unit_slab.c - the slab against a model, and short of memory. */
#include "slab_blocks.h"

#include "chunk.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS 4000
#define STEPS  200000
#define CACHED ((uint64_t)32 << 10) /* what a thread may keep of a class */

static void test_sizes(void **state)
{
	size_t before = 0;

	for (size_t size = 1; size <= FX_SLAB_BLOCK_MAX + 100; size++) {
		size_t rounded = fx_slab_rounded(size);

		assert_true(rounded >= size && rounded >= before && rounded % 16 == 0);
		assert_true(rounded - size < 16 || rounded - size <= size / 16);
		assert_int_equal(fx_slab_rounded(rounded), rounded);
		if (size % 64 == 0)
			assert_int_equal(rounded % 64, 0);
		before = rounded;
	}
}

static void run_model(enum fx_slab_source source)
{
	struct fx_slab *slab = make(source);
	struct block *blocks = calloc(BLOCKS, sizeof(*blocks));
	uint64_t seed = 1, used = 0;

	for (unsigned int step = 0; step < STEPS; step++) {
		struct block *b = &blocks[rng(&seed) % BLOCKS];

		if (b->bytes) {
			used -= fx_slab_rounded(b->size);
			check_and_free(b, slab);
		} else {
			fill(b, slab, random_size(&seed), (uint8_t)step);
			used += fx_slab_rounded(b->size);
		}
		assert_int_equal(fx_slab_used(slab), used);
		assert_true(fx_slab_claimed(slab) >= used);
	}
	for (unsigned int i = 0; i < BLOCKS; i++)
		if (blocks[i].bytes)
			check_and_free(&blocks[i], slab);
	assert_int_equal(fx_slab_used(slab), 0);
	fx_slab_free(slab, NULL, 10);
	fx_slab_destroy(slab);
	fx_slab_destroy(NULL);
	free(blocks);
}

static void test_model(void **state)
{
	run_model(FX_SLAB_CHUNKS);
	run_model(FX_SLAB_MALLOC);
	run_model(FX_SLAB_AUTO);
}

/* Every block of every class, so that spans of all shapes are filled to their end. */
static void test_full_spans(void **state)
{
	struct fx_slab *slab = make(FX_SLAB_CHUNKS);
	struct block *blocks = calloc(BLOCKS, sizeof(*blocks));

	for (size_t size = 16; size <= FX_SLAB_BLOCK_MAX; size += size < 1024 ? 176 : 3333) {
		size_t count = ((size_t)3 << 20) / size;

		if (count > BLOCKS)
			count = BLOCKS;
		for (size_t i = 0; i < count; i++)
			fill(&blocks[i], slab, size, (uint8_t)i);
		for (size_t i = 0; i < count; i++)
			check_and_free(&blocks[i], slab);
		assert_int_equal(fx_slab_used(slab), 0);
	}
	fx_slab_destroy(slab);
	free(blocks);
}

static void test_claimed_follows_used(void **state)
{
	struct fx_slab *slab = make(FX_SLAB_CHUNKS);
	struct block *blocks = calloc(BLOCKS, sizeof(*blocks));

	for (size_t i = 0; i < BLOCKS; i++) {
		fill(&blocks[i], slab, 152, (uint8_t)i);
		assert_true(fx_slab_claimed(slab) >= fx_slab_used(slab));
		assert_true(fx_slab_claimed(slab) <= fx_slab_used(slab) + CACHED);
	}
	for (size_t i = 0; i < BLOCKS; i++)
		check_and_free(&blocks[i], slab);
	assert_true(fx_slab_claimed(slab) <= CACHED);
	fx_slab_destroy(slab);
	free(blocks);
}

/* Without a trim: what is freed in order empties one chunk after the other. */
static void test_empty_chunks_go_at_once(void **state)
{
	struct fx_slab *slab = make(FX_SLAB_CHUNKS);
	const size_t count = 100000, size = 160;
	uint8_t **blocks = calloc(count, sizeof(*blocks));

	for (size_t i = 0; i < count; i++)
		assert_non_null(blocks[i] = fx_slab_alloc(slab, size));
	for (size_t i = 0; i < count; i++)
		fx_slab_free(slab, blocks[i], size);
	assert_true(fx_slab_resident(slab) <= count * size * 3 / 4);
	fx_slab_destroy(slab);
	free(blocks);
}

static void test_memory_comes_back(void **state)
{
	struct fx_slab *slab = make(FX_SLAB_CHUNKS);
	const size_t count = 400000, size = 160;
	uint8_t **blocks = calloc(count, sizeof(*blocks));

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < count; i++) {
			blocks[i] = fx_slab_alloc(slab, size);
			assert_non_null(blocks[i]);
			*blocks[i] = 1;
		}
		/* Little is lost to headers and rounding. */
		assert_true(fx_slab_resident(slab) < count * size * 102 / 100 + FX_CHUNK_BYTES);
		for (size_t i = 0; i < count; i++) /* all, in another order */
			fx_slab_free(slab, blocks[i * 7919 % count], size);
		assert_int_equal(fx_slab_used(slab), 0);
		for (int i = 0; i < 16; i++)
			fx_slab_trim(slab);
		/* This thread's last blocks keep some spans. */
		assert_true(fx_slab_resident(slab) <= count * size / 3);
	}
	fx_slab_destroy(slab);
	free(blocks);
}

/* ---- Short of memory ------------------------------------------------------------------------- */

static bool fail_large(void *ctx, size_t size)
{
	++*(unsigned int *)ctx;
	return size >= 1000;
}

static void test_fail_seam(void **state)
{
	unsigned int calls = 0;
	struct fx_slab_options options = {
		.fail = fail_large, .fail_ctx = &calls, .no_huge_pages = true};
	struct fx_slab *slab;
	void *block;

	assert_int_equal(fx_slab_create(&options, &slab), 0);
	assert_null(fx_slab_alloc(slab, 1000));
	assert_null(fx_slab_alloc(slab, 100000));
	assert_int_equal(fx_slab_used(slab), 0);
	block = fx_slab_alloc(slab, 999);
	assert_non_null(block);
	assert_int_equal(calls, 3);
	fx_slab_free(slab, block, 999);
	assert_null(fx_slab_alloc(slab, SIZE_MAX));
	fx_slab_destroy(slab);
}

/* The kernel gives no more: allocations fail, what is there stays usable, and comes back. */
static void run_short_of_memory(void)
{
	struct fx_slab *slab = make(FX_SLAB_CHUNKS);
	void **list = NULL, **block;
	size_t count = 0, again = 0;
	struct rlimit limit;
	unsigned long pages = 0;
	FILE *statm = fopen("/proc/self/statm", "r");

	if (!statm || fscanf(statm, "%lu", &pages) != 1)
		_exit(1);
	fclose(statm);
	limit.rlim_cur = limit.rlim_max = pages * (rlim_t)getpagesize() + ((rlim_t)64 << 20);
	if (setrlimit(RLIMIT_AS, &limit))
		_exit(2);
	while ((block = fx_slab_alloc(slab, 4096)) != NULL) {
		*block = list;
		list = block;
		count++;
	}
	if (fx_slab_used(slab) != count * 4096 || count < 1000 || fx_slab_alloc(slab, 4096))
		_exit(3);
	while (list) {
		block = *list;
		fx_slab_free(slab, list, 4096);
		list = block;
	}
	if (fx_slab_used(slab))
		_exit(4);
	for (; again < count / 2; again++) /* of another class: the chunks have come back */
		if (!fx_slab_alloc(slab, 2048))
			_exit(5);
	_exit(0);
}

static void test_short_of_memory(void **state)
{
	pid_t child;
	int status;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip(); /* they need more address space than the limit */
#endif
	child = fork();
	if (child == 0)
		run_short_of_memory();
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_full_spans),
		cmocka_unit_test(test_claimed_follows_used),
		cmocka_unit_test(test_empty_chunks_go_at_once),
		cmocka_unit_test(test_memory_comes_back),
		cmocka_unit_test(test_fail_seam),
		cmocka_unit_test(test_short_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
