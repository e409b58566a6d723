/* SPDX-License-Identifier: Apache-2.0 */
/*
 * superblock.h - bytes <-> struct of the superblock. Pure: no I/O, no memory, no locks.
 * Two copies, in block 0 (A) and block 1 (B); the data area begins at block FX_DATA_START.
 *
 * offset size
 *      0    8  magic "FEOXSTOR"
 *      8    4  format version (1)
 *     12    4  incompatible features, 0: a reader that does not know one refuses the store
 *     16   16  UUID (RFC 4122, version 4)
 *     32    8  generation of this superblock, grows with every write of one
 *     40    8  blocks of the store (geometry)
 *     48    8  journal: generation of the chain
 *     56    8  journal: first block of the chain
 *     64    8  journal: blocks of its first segment
 *     72    8  seed of the key hash
 *     80    8  time of creation, ns since 1970
 *     88    1  separator
 *     89    1  number of the copy this is, 0 or 1
 *     90    6  0
 *     96    8  journal: records that the chain has at least
 *   4088    8  checksum (XXH3-64, seed FX_SUPER_SEED + copy) of bytes 0..4087
 */
#ifndef FX_SUPERBLOCK_H
#define FX_SUPERBLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FX_SUPER_SIZE	  4096u
#define FX_SUPER_SEED	  UINT64_C(0x666f785355504552)
#define FX_DATA_START	  ((uint64_t)2)
#define FX_FORMAT_VERSION 1u
#define FX_UUID_SIZE	  16u
#define FX_BAD_MAGIC	  "bad magic" /* why, of what never was a superblock */

struct fx_superblock {
	uint8_t uuid[FX_UUID_SIZE];
	uint64_t generation;
	uint64_t blocks;
	uint64_t chain_generation;
	uint64_t chain_block;
	uint64_t chain_blocks;
	uint64_t chain_records; /* at least so many: fewer is damage */
	uint64_t hash_seed;
	uint64_t created_ns;
	char separator;
};

/* Fill FX_SUPER_SIZE bytes of block as copy 0 or 1. */
void fx_superblock_encode(const struct fx_superblock *super, unsigned int copy, uint8_t *block);

/*
 * -EUCLEAN: *ret_why (a constant text: "bad magic", "bad checksum", ...) says why this is not a
 * valid copy; -ENOTSUP: newer format or unknown feature. Every field is checked for sense.
 */
int fx_superblock_decode(const uint8_t *block, unsigned int copy, struct fx_superblock *ret_super,
			 const char **ret_why);

/*
 * The mark of a store in the making, in block FX_MARK_BLOCK, where superblock B will be: written
 * first, and only to what was blank. Until superblock A is whole it says that nobody can miss what
 * is there. All of it stands in one sector, so that it cannot be torn.
 *
 *      0    8  magic "FEOXMAKE"
 *      8   16  UUID of the store to be
 *     24    8  checksum (XXH3-64, seed FX_SUPER_SEED) of bytes 0..23
 */
#define FX_MARK_BLOCK ((uint64_t)1)
void fx_mark_encode(const uint8_t uuid[FX_UUID_SIZE], uint8_t *block);
bool fx_mark_is_valid(const uint8_t *block);

#endif
