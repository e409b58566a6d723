/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_parts.h"

#include "bytes.h"
#include "hash.h"

#include <assert.h>
#include <errno.h>

#define MAGIC	      UINT32_C(0x524a5846) /* "FXJR" */
#define BLOCK	      4096u
#define CHECKSUM_SIZE 8u
#define EXTENT_FIXED  40u
#define RUN_SIZE      16u
#define DEAD_FIXED    16u

enum {
	AT_MAGIC = 0,
	AT_TYPE = 4,
	AT_UUID = 8,
	AT_GENERATION = 24,
	AT_SEQUENCE = 32,
	AT_BLOCK = 40,
	AT_BYTES = 48,
	AT_NEXT = 56,
	AT_NEXT_BLOCKS = 64,
	AT_VERSIONS = 72,
	AT_IDS = 80,
	AT_WALL = 88,
	AT_FLAGS = 96,
	AT_SECTIONS = 100
};

static_assert(AT_SECTIONS + 4 == FX_JOURNAL_HEADER, "journal header");

/* ---- Writing -----------------------------------------------------------------------------------
 */

/* The caller has sized the buffer by fx_journal_extent_size() and its like: a programmer's error.
 */
uint8_t *fx_journal_take(struct fx_journal_writer *w, size_t size)
{
	uint8_t *at = w->buffer + w->used;

	assert(size <= w->capacity - w->used);
	w->used += size;
	return at;
}

void fx_journal_begin(struct fx_journal_writer *w, uint8_t *buffer, size_t capacity)
{
	*w = (struct fx_journal_writer){.buffer = buffer, .capacity = capacity};
	memset(fx_journal_take(w, FX_JOURNAL_HEADER), 0, FX_JOURNAL_HEADER);
}

void fx_journal_section(struct fx_journal_writer *w, enum fx_section_type type)
{
	uint8_t *header;

	assert(!w->section);
	w->section = w->used;
	w->entries = 0;
	w->sections++;
	header = fx_journal_take(w, FX_SECTION_HEADER);
	memset(header, 0, FX_SECTION_HEADER);
	fx_put_u16(header, (uint16_t)type);
}

void fx_journal_section_end(struct fx_journal_writer *w)
{
	uint8_t *header = w->buffer + w->section;
	size_t body = w->used - w->section - FX_SECTION_HEADER;
	size_t pad = fx_align_up(body, 8) - body;

	assert(w->section);
	fx_put_u32(header + 4, w->entries);
	fx_put_u64(header + 8, body);
	memset(fx_journal_take(w, pad), 0, pad);
	w->section = 0;
}

size_t fx_journal_extent_size(uint32_t run_count, uint32_t records, bool with_live)
{
	return EXTENT_FIXED + (size_t)run_count * RUN_SIZE +
	       (with_live ? (size_t)(records + 63) / 64 * 8 : 0);
}

size_t fx_journal_dead_size(uint32_t count)
{
	return DEAD_FIXED + fx_align_up((size_t)count * 2, 8);
}

uint8_t *fx_journal_put_extent(struct fx_journal_writer *w, const struct fx_journal_extent *extent,
			       const uint64_t *live)
{
	uint8_t *at = fx_journal_take(
		w, fx_journal_extent_size(extent->run_count, extent->records, live));
	uint8_t *runs = at + EXTENT_FIXED;

	fx_put_u64(at, extent->sequence);
	fx_put_u64(at + 8, extent->bytes);
	fx_put_u64(at + 16, extent->checksum);
	fx_put_u32(at + 24, extent->directory_bytes);
	fx_put_u32(at + 28, extent->records);
	fx_put_u32(at + 32, extent->run_count);
	fx_put_u32(at + 36, 0);
	at = runs + (size_t)extent->run_count * RUN_SIZE;
	for (uint32_t i = 0; live && i < (extent->records + 63) / 64; i++, at += 8)
		fx_put_u64(at, live[i]);
	w->entries++;
	return runs;
}

void fx_journal_run_encode(uint8_t *runs, uint32_t index, struct fx_journal_run run)
{
	uint8_t *at = runs + (size_t)index * RUN_SIZE;

	fx_put_u64(at, run.start);
	fx_put_u64(at + 8, run.blocks);
}

void fx_journal_put_freed(struct fx_journal_writer *w, uint64_t sequence)
{
	fx_put_u64(fx_journal_take(w, 8), sequence);
	w->entries++;
}

void fx_journal_put_dead(struct fx_journal_writer *w, uint64_t sequence, const uint16_t *indexes,
			 uint32_t count)
{
	size_t size = fx_journal_dead_size(count);
	uint8_t *at = fx_journal_take(w, size);

	memset(at, 0, size);
	fx_put_u64(at, sequence);
	fx_put_u32(at + 8, count);
	for (uint32_t i = 0; i < count; i++)
		fx_put_u16(at + DEAD_FIXED + (size_t)i * 2, indexes[i]);
	w->entries++;
}

static uint64_t record_seed(const uint8_t uuid[FX_UUID_SIZE])
{
	return fx_checksum(MAGIC, uuid, FX_UUID_SIZE);
}

size_t fx_journal_finish(struct fx_journal_writer *w, struct fx_journal_header *header,
			 const uint8_t uuid[FX_UUID_SIZE])
{
	size_t total = fx_align_up(w->used + CHECKSUM_SIZE, BLOCK);
	size_t pad = total - w->used;
	uint8_t *at = w->buffer;

	memset(fx_journal_take(w, pad), 0, pad);
	header->bytes = total;
	header->sections = w->sections;
	fx_put_u32(at + AT_MAGIC, MAGIC);
	fx_put_u32(at + AT_TYPE, (uint32_t)header->type);
	memcpy(at + AT_UUID, uuid, FX_UUID_SIZE);
	fx_put_u64(at + AT_GENERATION, header->generation);
	fx_put_u64(at + AT_SEQUENCE, header->sequence);
	fx_put_u64(at + AT_BLOCK, header->block);
	fx_put_u64(at + AT_BYTES, header->bytes);
	fx_put_u64(at + AT_NEXT, header->next_block);
	fx_put_u64(at + AT_NEXT_BLOCKS, header->next_blocks);
	fx_put_u64(at + AT_VERSIONS, header->version_ceiling);
	fx_put_u64(at + AT_IDS, header->id_ceiling);
	fx_put_u64(at + AT_WALL, header->wall_ns);
	fx_put_u32(at + AT_FLAGS, header->flags);
	fx_put_u32(at + AT_SECTIONS, header->sections);
	fx_put_u64(at + total - CHECKSUM_SIZE,
		   fx_checksum(record_seed(uuid), at, total - CHECKSUM_SIZE));
	return total;
}

/* ---- Reading -----------------------------------------------------------------------------------
 */

static const char *check_header(const uint8_t *in, const struct fx_journal_header *h,
				const uint8_t uuid[FX_UUID_SIZE], uint64_t generation,
				uint64_t sequence, uint64_t block, uint64_t max_bytes)
{
	if (fx_get_u32(in + AT_MAGIC) != MAGIC)
		return "no journal record";
	if (memcmp(in + AT_UUID, uuid, FX_UUID_SIZE) != 0)
		return "a journal record of another store";
	if (h->generation != generation || h->sequence != sequence || h->block != block)
		return "a stale or misplaced journal record";
	if (h->bytes < BLOCK || h->bytes % BLOCK || h->bytes > max_bytes ||
	    h->bytes > FX_JOURNAL_RECORD_MAX)
		return "bad size of a journal record";
	if (h->type < FX_JOURNAL_PART || h->type > FX_JOURNAL_COMMIT)
		return "unknown type of journal record";
	return NULL;
}

int fx_journal_header_decode(const uint8_t *in, const uint8_t uuid[FX_UUID_SIZE],
			     uint64_t generation, uint64_t sequence, uint64_t block,
			     uint64_t max_bytes, struct fx_journal_header *ret_header,
			     const char **ret_why)
{
	struct fx_journal_header h = {
		.type = (enum fx_journal_type)fx_get_u32(in + AT_TYPE),
		.flags = fx_get_u32(in + AT_FLAGS),
		.sections = fx_get_u32(in + AT_SECTIONS),
		.generation = fx_get_u64(in + AT_GENERATION),
		.sequence = fx_get_u64(in + AT_SEQUENCE),
		.block = fx_get_u64(in + AT_BLOCK),
		.bytes = fx_get_u64(in + AT_BYTES),
		.next_block = fx_get_u64(in + AT_NEXT),
		.next_blocks = fx_get_u64(in + AT_NEXT_BLOCKS),
		.version_ceiling = fx_get_u64(in + AT_VERSIONS),
		.id_ceiling = fx_get_u64(in + AT_IDS),
		.wall_ns = fx_get_u64(in + AT_WALL),
	};

	*ret_why = check_header(in, &h, uuid, generation, sequence, block, max_bytes);
	if (*ret_why)
		return -EUCLEAN;
	*ret_header = h;
	return 0;
}

int fx_journal_verify(const uint8_t *in, const struct fx_journal_header *header,
		      const uint8_t uuid[FX_UUID_SIZE])
{
	uint64_t covered = header->bytes - CHECKSUM_SIZE;

	return fx_get_u64(in + covered) == fx_checksum(record_seed(uuid), in, covered) ? 0
										       : -EUCLEAN;
}

void fx_journal_read(struct fx_journal_reader *r, const uint8_t *record,
		     const struct fx_journal_header *header)
{
	*r = (struct fx_journal_reader){
		.at = record + FX_JOURNAL_HEADER,
		.end = record + header->bytes - CHECKSUM_SIZE,
		.sections = header->sections,
	};
}

int fx_journal_next_section(struct fx_journal_reader *r)
{
	uint64_t body;
	uint16_t type;

	if (!r->sections)
		return 0;
	if ((size_t)(r->end - r->at) < FX_SECTION_HEADER)
		return -EUCLEAN;
	type = fx_get_u16(r->at);
	r->flags = fx_get_u16(r->at + 2);
	r->entries = fx_get_u32(r->at + 4);
	body = fx_get_u64(r->at + 8);
	r->at += FX_SECTION_HEADER;
	if (body > (uint64_t)(r->end - r->at) || fx_align_up(body, 8) > (uint64_t)(r->end - r->at))
		return -EUCLEAN;
	r->entry = r->at;
	r->section_end = r->at + body;
	r->at += fx_align_up(body, 8);
	r->sections--;
	r->type = (enum fx_section_type)type;
	if (type >= FX_SECTION_EXTENTS && type <= FX_SECTION_PREFIX)
		return 1;
	return r->flags & 1 ? 2 : -ENOTSUP;
}

const uint8_t *fx_journal_get(struct fx_journal_reader *r, size_t size)
{
	const uint8_t *at = r->entry;

	if ((size_t)(r->section_end - at) < size)
		return NULL;
	r->entry += size;
	return at;
}

int fx_journal_more(struct fx_journal_reader *r)
{
	if (!r->entries)
		return r->entry == r->section_end ? 0 : -EUCLEAN;
	r->entries--;
	return 1;
}

int fx_journal_next_extent(struct fx_journal_reader *r, struct fx_journal_extent *ret_extent)
{
	struct fx_journal_extent e;
	const uint8_t *at;
	int result = fx_journal_more(r);

	if (result != 1)
		return result;
	at = fx_journal_get(r, EXTENT_FIXED);
	if (!at)
		return -EUCLEAN;
	e.sequence = fx_get_u64(at);
	e.bytes = fx_get_u64(at + 8);
	e.checksum = fx_get_u64(at + 16);
	e.directory_bytes = fx_get_u32(at + 24);
	e.records = fx_get_u32(at + 28);
	e.run_count = fx_get_u32(at + 32);
	if (!e.run_count || e.run_count > FX_JOURNAL_RUNS_MAX || !e.records ||
	    e.records > FX_JOURNAL_RECORDS_MAX)
		return -EUCLEAN;
	e.runs = fx_journal_get(r, (size_t)e.run_count * RUN_SIZE);
	if (!e.runs)
		return -EUCLEAN;
	e.live_bitmap = NULL;
	if (r->type == FX_SECTION_STATE) {
		e.live_bitmap = fx_journal_get(r, (size_t)(e.records + 63) / 64 * 8);
		if (!e.live_bitmap)
			return -EUCLEAN;
	}
	*ret_extent = e;
	return 1;
}

int fx_journal_next_freed(struct fx_journal_reader *r, uint64_t *ret_sequence)
{
	const uint8_t *at;
	int result = fx_journal_more(r);

	if (result != 1)
		return result;
	at = fx_journal_get(r, 8);
	if (!at)
		return -EUCLEAN;
	*ret_sequence = fx_get_u64(at);
	return 1;
}

int fx_journal_next_dead(struct fx_journal_reader *r, uint64_t *ret_sequence,
			 const uint8_t **ret_indexes, uint32_t *ret_count)
{
	const uint8_t *at, *indexes;
	uint32_t count;
	int result = fx_journal_more(r);

	if (result != 1)
		return result;
	at = fx_journal_get(r, DEAD_FIXED);
	if (!at)
		return -EUCLEAN;
	count = fx_get_u32(at + 8);
	if (!count || count > FX_JOURNAL_RECORDS_MAX)
		return -EUCLEAN;
	indexes = fx_journal_get(r, fx_align_up((size_t)count * 2, 8));
	if (!indexes)
		return -EUCLEAN;
	*ret_sequence = fx_get_u64(at);
	*ret_indexes = indexes;
	*ret_count = count;
	return 1;
}

struct fx_journal_run fx_journal_run_decode(const uint8_t *runs, uint32_t index)
{
	const uint8_t *at = runs + (size_t)index * RUN_SIZE;

	return (struct fx_journal_run){.start = fx_get_u64(at), .blocks = fx_get_u64(at + 8)};
}
