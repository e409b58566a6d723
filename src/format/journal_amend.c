/* SPDX-License-Identifier: Apache-2.0 */
/* journal_amend.c - the sections AMEND and PREFIX: bytes <-> struct. Tables in docs/format.md. */
#include "journal_parts.h"

#include "bytes.h"

#include <errno.h>

#define AMEND_FIXED  16u
#define PREFIX_FIXED 16u
#define LIST_FIXED   16u
#define KEY_MAX	     16384u
#define METADATA_MAX 98304u
#define FIELD	     8u
#define TIME_MAX     ((uint64_t)INT64_MAX) /* of expiries and of versions */

/* ---- AMEND -------------------------------------------------------------------------------------
 */

static size_t fields_size(uint32_t flags)
{
	return (flags & FX_AMEND_VERSION ? FIELD : 0) + (flags & FX_AMEND_EXPIRY ? FIELD : 0) +
	       (flags & FX_AMEND_METADATA ? FIELD : 0);
}

size_t fx_journal_amend_size(const struct fx_journal_amend *a)
{
	size_t bytes = (a->flags & FX_AMEND_KEY ? a->key_size : 0) +
		       (a->flags & FX_AMEND_METADATA ? (size_t)a->metadata_size : 0);

	return AMEND_FIXED + fields_size(a->flags) + fx_align_up(bytes, 8);
}

static uint8_t *put_field(uint8_t *at, uint32_t flags, enum fx_amend_flag flag, uint64_t field)
{
	if (!(flags & flag))
		return at;
	fx_put_u64(at, field);
	return at + FIELD;
}

void fx_journal_put_amend(struct fx_journal_writer *w, const struct fx_journal_amend *a)
{
	size_t size = fx_journal_amend_size(a);
	uint8_t *at = fx_journal_take(w, size);
	uint16_t key_size = a->flags & FX_AMEND_KEY ? a->key_size : 0;

	memset(at, 0, size);
	fx_put_u64(at, a->sequence);
	fx_put_u16(at + 8, a->index);
	fx_put_u16(at + 10, key_size);
	fx_put_u32(at + 12, a->flags);
	at = put_field(at + AMEND_FIXED, a->flags, FX_AMEND_VERSION, a->version);
	at = put_field(at, a->flags, FX_AMEND_EXPIRY, a->expiry_ns);
	at = put_field(at, a->flags, FX_AMEND_METADATA, a->metadata_size);
	if (key_size)
		memcpy(at, a->key, key_size);
	if ((a->flags & FX_AMEND_METADATA) && a->metadata_size)
		memcpy(at + key_size, a->metadata, a->metadata_size);
	w->entries++;
}

static uint64_t get_field(const uint8_t **at, uint32_t flags, enum fx_amend_flag flag)
{
	uint64_t field;

	if (!(flags & flag))
		return 0;
	field = fx_get_u64(*at);
	*at += FIELD;
	return field;
}

/* The fields behind the fixed part. -EUCLEAN: one is beyond the limits. */
static int get_fields(struct fx_journal_reader *r, struct fx_journal_amend *a)
{
	const uint8_t *at = fx_journal_get(r, fields_size(a->flags));
	uint64_t metadata_size;

	if (!at)
		return -EUCLEAN;
	a->version = get_field(&at, a->flags, FX_AMEND_VERSION);
	a->expiry_ns = get_field(&at, a->flags, FX_AMEND_EXPIRY);
	metadata_size = get_field(&at, a->flags, FX_AMEND_METADATA);
	if (a->version > TIME_MAX || a->expiry_ns > TIME_MAX || metadata_size > METADATA_MAX)
		return -EUCLEAN;
	a->metadata_size = (uint32_t)metadata_size;
	return 0;
}

int fx_journal_next_amend(struct fx_journal_reader *r, struct fx_journal_amend *ret_amend)
{
	struct fx_journal_amend a = {0};
	const uint8_t *at;
	int result = fx_journal_more(r);

	if (result != 1)
		return result;
	at = fx_journal_get(r, AMEND_FIXED);
	if (!at)
		return -EUCLEAN;
	a.sequence = fx_get_u64(at);
	a.index = fx_get_u16(at + 8);
	a.key_size = fx_get_u16(at + 10);
	a.flags = fx_get_u32(at + 12);
	if (!a.flags || (a.flags & ~(uint32_t)FX_AMEND_ALL) || a.key_size > KEY_MAX ||
	    (a.key_size && !(a.flags & FX_AMEND_KEY)) || get_fields(r, &a))
		return -EUCLEAN;
	a.key = fx_journal_get(r, fx_align_up((size_t)a.key_size + a.metadata_size, 8));
	if (!a.key)
		return -EUCLEAN;
	a.metadata = a.key + a.key_size;
	*ret_amend = a;
	return 1;
}

/* ---- PREFIX ------------------------------------------------------------------------------------
 */

static size_t bitmap_size(uint32_t records)
{
	return (size_t)(records + 63) / 64 * 8;
}

size_t fx_journal_prefix_size(uint16_t size)
{
	return PREFIX_FIXED + fx_align_up((size_t)size, 8);
}

size_t fx_journal_list_size(uint32_t records)
{
	return LIST_FIXED + bitmap_size(records);
}

void fx_journal_put_prefix(struct fx_journal_writer *w, const struct fx_journal_prefix *p)
{
	size_t size = fx_journal_prefix_size(p->size);
	uint8_t *at = fx_journal_take(w, size);

	memset(at, 0, size);
	fx_put_u64(at, p->version);
	fx_put_u16(at + 8, p->strip);
	fx_put_u16(at + 10, p->size);
	fx_put_u32(at + 12, p->lists);
	if (p->size)
		memcpy(at + PREFIX_FIXED, p->bytes, p->size);
	w->entries++;
}

uint8_t *fx_journal_put_list(struct fx_journal_writer *w, uint64_t sequence, uint32_t records)
{
	size_t size = fx_journal_list_size(records);
	uint8_t *at = fx_journal_take(w, size);

	memset(at, 0, size);
	fx_put_u64(at, sequence);
	fx_put_u32(at + 8, records);
	return at + LIST_FIXED;
}

int fx_journal_next_prefix(struct fx_journal_reader *r, struct fx_journal_prefix *ret_prefix)
{
	struct fx_journal_prefix p;
	const uint8_t *at;
	int result = fx_journal_more(r);

	if (result != 1)
		return result;
	at = fx_journal_get(r, PREFIX_FIXED);
	if (!at)
		return -EUCLEAN;
	p.version = fx_get_u64(at);
	p.strip = fx_get_u16(at + 8);
	p.size = fx_get_u16(at + 10);
	p.lists = fx_get_u32(at + 12);
	if (p.version > TIME_MAX || p.strip > KEY_MAX || p.size > KEY_MAX || !p.lists)
		return -EUCLEAN;
	p.bytes = fx_journal_get(r, fx_align_up((size_t)p.size, 8));
	if (!p.bytes)
		return -EUCLEAN;
	*ret_prefix = p;
	return 1;
}

int fx_journal_next_list(struct fx_journal_reader *r, struct fx_journal_prefix *prefix,
			 struct fx_journal_list *ret_list)
{
	struct fx_journal_list list;
	const uint8_t *at;

	if (!prefix->lists)
		return 0;
	at = fx_journal_get(r, LIST_FIXED);
	if (!at)
		return -EUCLEAN;
	list.sequence = fx_get_u64(at);
	list.records = fx_get_u32(at + 8);
	if (!list.records || list.records > FX_JOURNAL_RECORDS_MAX)
		return -EUCLEAN;
	list.bitmap = fx_journal_get(r, bitmap_size(list.records));
	if (!list.bitmap)
		return -EUCLEAN;
	prefix->lists--;
	*ret_list = list;
	return 1;
}
