/* SPDX-License-Identifier: Apache-2.0 */
#include "superblock.h"

#include "bytes.h"
#include "hash.h"

#include <errno.h>

#define CHECKSUM_AT (FX_SUPER_SIZE - 8)

static const uint8_t magic[8] = {'F', 'E', 'O', 'X', 'S', 'T', 'O', 'R'};
static const uint8_t mark_magic[8] = {'F', 'E', 'O', 'X', 'M', 'A', 'K', 'E'};

enum {
	AT_MAGIC = 0,
	AT_VERSION = 8,
	AT_FEATURES = 12,
	AT_UUID = 16,
	AT_GENERATION = 32,
	AT_BLOCKS = 40,
	AT_CHAIN_GENERATION = 48,
	AT_CHAIN_BLOCK = 56,
	AT_CHAIN_BLOCKS = 64,
	AT_HASH_SEED = 72,
	AT_CREATED = 80,
	AT_SEPARATOR = 88,
	AT_COPY = 89,
	AT_CHAIN_RECORDS = 96
};

void fx_superblock_encode(const struct fx_superblock *super, unsigned int copy, uint8_t *block)
{
	memset(block, 0, FX_SUPER_SIZE);
	memcpy(block + AT_MAGIC, magic, sizeof(magic));
	fx_put_u32(block + AT_VERSION, FX_FORMAT_VERSION);
	memcpy(block + AT_UUID, super->uuid, FX_UUID_SIZE);
	fx_put_u64(block + AT_GENERATION, super->generation);
	fx_put_u64(block + AT_BLOCKS, super->blocks);
	fx_put_u64(block + AT_CHAIN_GENERATION, super->chain_generation);
	fx_put_u64(block + AT_CHAIN_BLOCK, super->chain_block);
	fx_put_u64(block + AT_CHAIN_BLOCKS, super->chain_blocks);
	fx_put_u64(block + AT_HASH_SEED, super->hash_seed);
	fx_put_u64(block + AT_CREATED, super->created_ns);
	block[AT_SEPARATOR] = (uint8_t)super->separator;
	block[AT_COPY] = (uint8_t)copy;
	fx_put_u64(block + AT_CHAIN_RECORDS, super->chain_records);
	fx_put_u64(block + CHECKSUM_AT, fx_checksum(FX_SUPER_SEED + copy, block, CHECKSUM_AT));
}

/* A run of at least one block that lies inside the data area. */
static bool run_fits(uint64_t start, uint64_t blocks, uint64_t total)
{
	return blocks && start >= FX_DATA_START && start < total && blocks <= total - start;
}

static const char *check_fields(const struct fx_superblock *s)
{
	if (s->blocks <= FX_DATA_START || s->blocks > UINT64_MAX / 4096)
		return "bad geometry";
	if (!run_fits(s->chain_block, s->chain_blocks, s->blocks))
		return "journal outside of the store";
	if (s->separator < '!' || s->separator > '~')
		return "bad separator";
	return NULL;
}

int fx_superblock_decode(const uint8_t *block, unsigned int copy, struct fx_superblock *ret_super,
			 const char **ret_why)
{
	struct fx_superblock s;

	*ret_why = NULL;
	if (memcmp(block + AT_MAGIC, magic, sizeof(magic)) != 0)
		*ret_why = FX_BAD_MAGIC;
	else if (fx_get_u64(block + CHECKSUM_AT) !=
			 fx_checksum(FX_SUPER_SEED + copy, block, CHECKSUM_AT) ||
		 block[AT_COPY] != copy)
		*ret_why = "bad superblock checksum";
	if (*ret_why)
		return -EUCLEAN;
	if (fx_get_u32(block + AT_VERSION) != FX_FORMAT_VERSION ||
	    fx_get_u32(block + AT_FEATURES)) {
		*ret_why = "written by a newer version";
		return -ENOTSUP;
	}
	memcpy(s.uuid, block + AT_UUID, FX_UUID_SIZE);
	s.generation = fx_get_u64(block + AT_GENERATION);
	s.blocks = fx_get_u64(block + AT_BLOCKS);
	s.chain_generation = fx_get_u64(block + AT_CHAIN_GENERATION);
	s.chain_block = fx_get_u64(block + AT_CHAIN_BLOCK);
	s.chain_blocks = fx_get_u64(block + AT_CHAIN_BLOCKS);
	s.hash_seed = fx_get_u64(block + AT_HASH_SEED);
	s.created_ns = fx_get_u64(block + AT_CREATED);
	s.separator = (char)block[AT_SEPARATOR];
	s.chain_records = fx_get_u64(block + AT_CHAIN_RECORDS);
	*ret_why = check_fields(&s);
	if (*ret_why)
		return -EUCLEAN;
	*ret_super = s;
	return 0;
}

/* ---- The mark of a store in the making --------------------------------------------------------
 */

enum { MARK_UUID = 8, MARK_CHECKSUM = 24 };

void fx_mark_encode(const uint8_t uuid[FX_UUID_SIZE], uint8_t *block)
{
	memset(block, 0, FX_SUPER_SIZE);
	memcpy(block, mark_magic, sizeof(mark_magic));
	memcpy(block + MARK_UUID, uuid, FX_UUID_SIZE);
	fx_put_u64(block + MARK_CHECKSUM, fx_checksum(FX_SUPER_SEED, block, MARK_CHECKSUM));
}

bool fx_mark_is_valid(const uint8_t *block)
{
	return !memcmp(block, mark_magic, sizeof(mark_magic)) &&
	       fx_get_u64(block + MARK_CHECKSUM) ==
		       fx_checksum(FX_SUPER_SEED, block, MARK_CHECKSUM);
}
