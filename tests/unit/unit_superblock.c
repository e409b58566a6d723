/* SPDX-License-Identifier: Apache-2.0 */
/* The superblock: round trip, every byte guarded, what is refused and why. */
#include "fixture.h"

#include "bytes.h"
#include "hash.h"
#include "superblock.h"

static struct fx_superblock sample(void)
{
	struct fx_superblock s = {.generation = 7,
				  .blocks = 5000,
				  .chain_generation = 3,
				  .chain_block = 17,
				  .chain_blocks = 64,
				  .chain_records = 77,
				  .hash_seed = 0x123456789abcdef0,
				  .created_ns = 42,
				  .separator = '/'};

	memset(s.uuid, 0x5a, sizeof(s.uuid));
	return s;
}

static void round_trip(void **state)
{
	struct fx_superblock s = sample(), back;
	uint8_t block[FX_SUPER_SIZE];
	const char *why;

	for (unsigned int copy = 0; copy < 2; copy++) {
		fx_superblock_encode(&s, copy, block);
		assert_memory_equal(block, "FEOXSTOR", 8);
		assert_int_equal(fx_superblock_decode(block, copy, &back, &why), 0);
		assert_memory_equal(back.uuid, s.uuid, sizeof(s.uuid));
		assert_int_equal(back.generation, s.generation);
		assert_int_equal(back.blocks, s.blocks);
		assert_int_equal(back.chain_generation, s.chain_generation);
		assert_int_equal(back.chain_block, s.chain_block);
		assert_int_equal(back.chain_blocks, s.chain_blocks);
		assert_int_equal(back.chain_records, s.chain_records);
		assert_int_equal(back.hash_seed, s.hash_seed);
		assert_int_equal(back.created_ns, s.created_ns);
		assert_int_equal(back.separator, s.separator);
	}
}

/* I7: one copy in the other's place is not valid, nor is any flipped bit. */
static void every_bit_counts(void **state)
{
	struct fx_superblock s = sample(), back;
	uint8_t block[FX_SUPER_SIZE];
	const char *why;

	fx_superblock_encode(&s, 0, block);
	assert_int_equal(fx_superblock_decode(block, 1, &back, &why), -EUCLEAN);
	for (size_t i = 0; i < FX_SUPER_SIZE; i++) {
		block[i] ^= 1 << i % 8;
		assert_int_equal(fx_superblock_decode(block, 0, &back, &why), -EUCLEAN);
		assert_non_null(why);
		block[i] ^= 1 << i % 8;
	}
	assert_int_equal(fx_superblock_decode(block, 0, &back, &why), 0);
}

/* A field that lies, with a checksum that is right. */
static int decode_with(size_t at, uint64_t value, size_t size)
{
	struct fx_superblock s = sample(), back;
	uint8_t block[FX_SUPER_SIZE];
	const char *why;

	fx_superblock_encode(&s, 0, block);
	memcpy(block + at, &value, size);
	fx_put_u64(block + FX_SUPER_SIZE - 8, fx_checksum(FX_SUPER_SEED, block, FX_SUPER_SIZE - 8));
	return fx_superblock_decode(block, 0, &back, &why);
}

static void lies_are_refused(void **state)
{
	assert_int_equal(decode_with(32, 8, 8), 0); /* another generation is no lie */
	assert_int_equal(decode_with(8, 2, 4), -ENOTSUP);
	assert_int_equal(decode_with(12, 1, 4), -ENOTSUP);
	assert_int_equal(decode_with(40, 0, 8), -EUCLEAN);
	assert_int_equal(decode_with(40, UINT64_MAX, 8), -EUCLEAN);
	assert_int_equal(decode_with(56, 1, 8), -EUCLEAN);
	assert_int_equal(decode_with(56, 5000, 8), -EUCLEAN);
	assert_int_equal(decode_with(64, 0, 8), -EUCLEAN);
	assert_int_equal(decode_with(64, UINT64_MAX, 8), -EUCLEAN);
	assert_int_equal(decode_with(88, 0, 1), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(lies_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
