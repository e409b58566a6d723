/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.h - bytes <-> struct of the records of the journal chain. Pure: no I/O.
 *
 * The journal is a chain of segments (runs of blocks). Records follow one another, each from a
 *block boundary on; the first records of a chain are its checkpoint. A record belongs to the chain
 *only with the chain's generation and the next sequence number; it may name the next segment, where
 *its successor then stands.
 *
 * Record header, 104 bytes:
 *      0    4  magic "FXJR"
 *      4    4  type: 1 checkpoint part, 2 checkpoint end, 3 commit
 *      8   16  UUID
 *     24    8  generation of the chain
 *     32    8  sequence, from 1 in each chain
 *     40    8  own first block
 *     48    8  bytes of the record, header included (padded with 0 to a block)
 *     56    8  next segment: first block, 0: the next record follows behind this one
 *     64    8  next segment: blocks
 *     72    8  version ceiling: no automatic version above it has been given out
 *     80    8  id ceiling: no feox_next_id() above it has been given out
 *     88    8  wall time, ns since 1970: latest seen
 *     96    4  flags: 1 clean (nothing was written after it)
 *    100    4  number of sections
 * then sections, each 16 bytes of header and a body padded with 0 to 8:
 *      0    2  type
 *      2    2  flags: 1 a reader that does not know the type may skip it
 *      4    4  entries
 *      8    8  bytes of the body
 * and last 8 bytes: checksum (XXH3-64, seeded with the store) of all before.
 *
 * Sections
 *   1 EXTENTS  extents added: sequence 8, bytes 8, checksum 8, directory 4, records 4, runs 4, 0 4,
 *	       then per run start 8, blocks 8
 *   2 FREED    extents that are gone: sequence 8
 *   3 DEAD     records that died: sequence 8, count 4, 0 4, then index 2 each, padded to 8
 *   4 STATE    extents of a checkpoint: as EXTENTS, then the live bitmap in 8-byte words
 *   5 AMEND    what a record has instead of what its directory entry says: sequence 8, index 2,
 *	       key size 2, flags 4 (enum fx_amend_flag), [version 8], [expiry 8], [metadata size 8],
 *	       [key], [metadata], padded to 8
 *   6 PREFIX   keys with another beginning, and one version: version 8, bytes taken off 2, bytes of
 *	       the new beginning 2, lists 4, the new beginning, padded to 8; then per list sequence
 *	       8, records 4, 0 4, bitmap of the records concerned in 8-byte words
 * A reader that does not know types 5 and 6 refuses the store.
 */
#ifndef FX_FORMAT_JOURNAL_H
#define FX_FORMAT_JOURNAL_H

#include "superblock.h"

#include <stdbool.h>

#define FX_JOURNAL_HEADER     104u
#define FX_SECTION_HEADER     16u
#define FX_JOURNAL_RECORD_MAX ((uint64_t)1 << 30)
#define FX_JOURNAL_RUNS_MAX   (1u << 19) /* of an extent: the largest value in single blocks */

enum fx_journal_type { FX_JOURNAL_PART = 1, FX_JOURNAL_END = 2, FX_JOURNAL_COMMIT = 3 };
enum fx_journal_flag { FX_JOURNAL_CLEAN = 1 };
enum fx_section_type {
	FX_SECTION_EXTENTS = 1,
	FX_SECTION_FREED = 2,
	FX_SECTION_DEAD = 3,
	FX_SECTION_STATE = 4,
	FX_SECTION_AMEND = 5,
	FX_SECTION_PREFIX = 6
};

/* What an amendment says anew. */
enum fx_amend_flag {
	FX_AMEND_KEY = 1,
	FX_AMEND_VERSION = 2,
	FX_AMEND_EXPIRY = 4,
	FX_AMEND_METADATA = 8,
	FX_AMEND_ALL = 15
};

struct fx_journal_header {
	enum fx_journal_type type;
	uint32_t flags;
	uint32_t sections;
	uint64_t generation;
	uint64_t sequence;
	uint64_t block;
	uint64_t bytes;
	uint64_t next_block;
	uint64_t next_blocks;
	uint64_t version_ceiling;
	uint64_t id_ceiling;
	uint64_t wall_ns;
};

/*
 * Building a record in a buffer that the caller grows: call begin, then for each section begin,
 * entries, end, then finish. Sizes are known before, see the *_size functions; nothing allocates.
 */
struct fx_journal_writer {
	uint8_t *buffer;
	size_t capacity;
	size_t used;
	size_t section; /* offset of the open section's header, 0: none */
	uint32_t sections;
	uint32_t entries;
};

void fx_journal_begin(struct fx_journal_writer *w, uint8_t *buffer, size_t capacity);
void fx_journal_section(struct fx_journal_writer *w, enum fx_section_type type);
void fx_journal_section_end(struct fx_journal_writer *w);

struct fx_journal_extent {
	uint64_t sequence;
	uint64_t bytes;
	uint64_t checksum;
	uint32_t directory_bytes;
	uint32_t records;
	uint32_t run_count;
	const uint8_t *runs; /* decoded: run_count pairs (start 8, blocks 8), little-endian */
	const uint8_t *live_bitmap; /* decoded, STATE only: records bits in 8-byte words */
};

struct fx_journal_run {
	uint64_t start;
	uint64_t blocks;
};

/*
 * live NULL: for EXTENTS; else host-order words of a bitmap, for STATE. The place of its runs, for
 * fx_journal_run_encode().
 */
uint8_t *fx_journal_put_extent(struct fx_journal_writer *w, const struct fx_journal_extent *extent,
			       const uint64_t *live);
void fx_journal_run_encode(uint8_t *runs, uint32_t index, struct fx_journal_run run);
void fx_journal_put_freed(struct fx_journal_writer *w, uint64_t sequence);
void fx_journal_put_dead(struct fx_journal_writer *w, uint64_t sequence, const uint16_t *indexes,
			 uint32_t count);

size_t fx_journal_extent_size(uint32_t run_count, uint32_t records, bool with_live);
size_t fx_journal_dead_size(uint32_t count);

/* Header and checksum; pads with zeros to a block. Returns the padded size. header->bytes and
 * header->sections are set by it. */
size_t fx_journal_finish(struct fx_journal_writer *w, struct fx_journal_header *header,
			 const uint8_t uuid[FX_UUID_SIZE]);

/*
 * Look at the header in the first block only: -EUCLEAN when it is not record (generation, sequence)
 * of this store at this block, or its size is beyond max_bytes. *ret_why as elsewhere.
 */
int fx_journal_header_decode(const uint8_t *in, const uint8_t uuid[FX_UUID_SIZE],
			     uint64_t generation, uint64_t sequence, uint64_t block,
			     uint64_t max_bytes, struct fx_journal_header *ret_header,
			     const char **ret_why);

/* The checksum over the whole record, header->bytes long. */
int fx_journal_verify(const uint8_t *in, const struct fx_journal_header *header,
		      const uint8_t uuid[FX_UUID_SIZE]);

/* Walking the sections and entries of a verified record. All lengths are checked: -EUCLEAN. */
struct fx_journal_reader {
	const uint8_t *at;
	const uint8_t *end;
	uint32_t sections; /* still to come */
	/* the section being read */
	enum fx_section_type type;
	uint16_t flags;
	uint32_t entries; /* still to come */
	const uint8_t *entry;
	const uint8_t *section_end;
};

void fx_journal_read(struct fx_journal_reader *r, const uint8_t *record,
		     const struct fx_journal_header *header);
/* 1: the next section is open; 2: it is unknown and may be skipped; 0: no more; -EUCLEAN; -ENOTSUP:
 * unknown and may not be skipped. */
int fx_journal_next_section(struct fx_journal_reader *r);
/* 1: an entry; 0: the section has no more; -EUCLEAN. For the type of the open section only. */
int fx_journal_next_extent(struct fx_journal_reader *r, struct fx_journal_extent *ret_extent);
int fx_journal_next_freed(struct fx_journal_reader *r, uint64_t *ret_sequence);
int fx_journal_next_dead(struct fx_journal_reader *r, uint64_t *ret_sequence,
			 const uint8_t **ret_indexes, uint32_t *ret_count);

struct fx_journal_run fx_journal_run_decode(const uint8_t *runs, uint32_t index);

/* ---- Amendments: journal_amend.c --------------------------------------------------------------
 */

struct fx_journal_amend {
	uint64_t sequence; /* of the extent */
	uint32_t flags;	   /* enum fx_amend_flag, at least one; fields without theirs are 0 */
	uint16_t index;
	uint16_t key_size;
	uint32_t metadata_size;
	uint64_t version, expiry_ns;
	const uint8_t *key, *metadata; /* decoded: in the record */
};

size_t fx_journal_amend_size(const struct fx_journal_amend *amend);
void fx_journal_put_amend(struct fx_journal_writer *w, const struct fx_journal_amend *amend);
/* As the other next functions. Sizes, times and versions are within the limits of the format. */
int fx_journal_next_amend(struct fx_journal_reader *r, struct fx_journal_amend *ret_amend);

struct fx_journal_prefix {
	uint64_t version;
	uint16_t strip; /* bytes to take off */
	uint16_t size;	/* bytes of the new beginning */
	uint32_t lists; /* decoded: still to come */
	const uint8_t *bytes;
};

struct fx_journal_list {
	uint64_t sequence; /* of the extent */
	uint32_t records;  /* of the extent */
	const uint8_t *bitmap;
};

/* An entry of size bytes of beginning, and one of its lists. */
size_t fx_journal_prefix_size(uint16_t size);
size_t fx_journal_list_size(uint32_t records);
void fx_journal_put_prefix(struct fx_journal_writer *w, const struct fx_journal_prefix *prefix);
/* lists of these have to follow. The place of its bitmap, which is zeros. */
uint8_t *fx_journal_put_list(struct fx_journal_writer *w, uint64_t sequence, uint32_t records);

/* Between two entries all lists of the first have to be read: 0: there is no more. */
int fx_journal_next_prefix(struct fx_journal_reader *r, struct fx_journal_prefix *ret_prefix);
int fx_journal_next_list(struct fx_journal_reader *r, struct fx_journal_prefix *prefix,
			 struct fx_journal_list *ret_list);

static inline void fx_journal_bit_set(uint8_t *bitmap, uint32_t index)
{
	bitmap[index / 8] |= (uint8_t)(1u << index % 8); /* little-endian words: byte by byte */
}

static inline bool fx_journal_bit(const uint8_t *bitmap, uint32_t index)
{
	return bitmap[index / 8] >> index % 8 & 1;
}

#endif
