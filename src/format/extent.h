/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extent.h - bytes <-> struct of an extent: header, directory, values. Pure: no I/O, no malloc.
 *
 * Header, 64 bytes:
 *      0    4  magic "FXEX"
 *      4    4  records
 *      8   16  UUID of the store
 *     24    8  own first block
 *     32    8  sequence
 *     40    8  bytes used, header included
 *     48    4  bytes of the directory
 *     52    4  0
 *     56    8  checksum of bytes 0..55 and the directory
 *
 * Directory: the records one after another, each
 *      0    2  key size
 *      2    1  flags: 1 expiry follows, 2 metadata follows
 *      3    1  0
 *      4    4  value size
 *      8    8  version
 *    [16    8  expiry]
 *    [ +    4  metadata size]
 *      +       key, metadata
 *
 * Values, from the first multiple of 8 behind the directory on, in the order of the directory, each
 * at a multiple of 8: one 8-byte checksum per FX_SLICE bytes of value (none when it is empty), then
 * the value. They stand beside the value, not in the directory as in the first design, so that a
 * cold get of a small value is one read. A checksum is XXH3-64 of its slice, seeded with the store,
 * the extent's sequence, and the slice's own byte offset in the extent: content is bound to its
 * place.
 */
#ifndef FX_FORMAT_EXTENT_H
#define FX_FORMAT_EXTENT_H

#include "superblock.h"

#include <stdbool.h>

#define FX_EXTENT_HEADER    64u
#define FX_SLICE	    ((uint64_t)64 * 1024) /* bytes of value per checksum */
#define FX_VALUE_ALIGN	    8u
#define FX_EXTENT_ENTRY_MIN 16u /* bytes of the smallest directory entry */

/* Bytes of an extent: that of the largest value, its checksums, its key and its metadata. */
#define FX_EXTENT_BYTES_MAX (((uint64_t)1 << 30) + ((uint64_t)256 << 10))

struct fx_extent_header {
	uint64_t block;
	uint64_t sequence;
	uint64_t bytes;
	uint32_t records;
	uint32_t directory_bytes;
};

struct fx_extent_entry {
	const uint8_t *key;
	const uint8_t *metadata;
	uint64_t version;
	uint64_t expiry_ns; /* 0: never */
	uint32_t value_size;
	uint32_t metadata_size;
	uint16_t key_size;
};

/* Seed of all checksums of a store, from its UUID. */
uint64_t fx_extent_store_seed(const uint8_t uuid[FX_UUID_SIZE]);

/* The header for a finished directory (directory_bytes at directory) into FX_EXTENT_HEADER bytes.
 */
void fx_extent_header_encode(const struct fx_extent_header *header,
			     const uint8_t uuid[FX_UUID_SIZE], const uint8_t *directory,
			     uint8_t *out);

/*
 * -EUCLEAN: not this store's extent of that block and sequence, or lengths that do not fit
 * max_bytes. Only the first FX_EXTENT_HEADER bytes are looked at; *ret_why as elsewhere.
 */
int fx_extent_header_decode(const uint8_t *in, const uint8_t uuid[FX_UUID_SIZE], uint64_t block,
			    uint64_t sequence, uint64_t max_bytes,
			    struct fx_extent_header *ret_header, const char **ret_why);

/* The checksum over header and directory; directory holds header->directory_bytes. */
int fx_extent_directory_verify(const uint8_t *header, const uint8_t *directory,
			       uint32_t directory_bytes);

/* Bytes of one directory entry. */
size_t fx_extent_entry_size(const struct fx_extent_entry *entry);
/* Write one entry; returns its size. */
size_t fx_extent_entry_encode(const struct fx_extent_entry *entry, uint8_t *out);
/*
 * Read the entry at in, of at most size bytes: its size, or -EUCLEAN. key and metadata point into
 * in. Sizes are checked against the limits of feox.h's format (key 16 KiB, metadata 96 KiB, value
 * 1 GiB).
 */
int64_t fx_extent_entry_decode(const uint8_t *in, size_t size, struct fx_extent_entry *ret_entry);

/* Bytes of a value's area: checksums and value, without alignment. */
static inline uint64_t fx_value_checksums_size(uint64_t value_size)
{
	return (value_size + FX_SLICE - 1) / FX_SLICE * 8;
}

static inline uint64_t fx_value_area_size(uint64_t value_size)
{
	return fx_value_checksums_size(value_size) + value_size;
}

/* Checksum of the slice that stands at byte offset at of the extent. */
uint64_t fx_value_checksum(uint64_t store_seed, uint64_t sequence, uint64_t at, const void *slice,
			   size_t size);

#endif
