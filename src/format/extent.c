/* SPDX-License-Identifier: Apache-2.0 */
#include "extent.h"

#include "bytes.h"
#include "hash.h"

#include <assert.h>
#include <errno.h>

#define MAGIC	      UINT32_C(0x58455846) /* "FXEX" */
#define HEADER_SUM_AT 56u
#define ENTRY_FIXED   16u
#define FLAG_EXPIRY   1u
#define FLAG_METADATA 2u
#define KEY_MAX	      (16u * 1024)
#define METADATA_MAX  (96u * 1024)
#define VALUE_MAX     (UINT32_C(1) << 30)

static_assert(FX_EXTENT_HEADER + ENTRY_FIXED + 8 + 4 + KEY_MAX + METADATA_MAX + FX_VALUE_ALIGN +
			      VALUE_MAX / FX_SLICE * 8 + VALUE_MAX <=
		      FX_EXTENT_BYTES_MAX,
	      "the largest extent");

enum {
	AT_MAGIC = 0,
	AT_RECORDS = 4,
	AT_UUID = 8,
	AT_BLOCK = 24,
	AT_SEQUENCE = 32,
	AT_BYTES = 40,
	AT_DIRECTORY = 48
};

uint64_t fx_extent_store_seed(const uint8_t uuid[FX_UUID_SIZE])
{
	return fx_checksum(FX_SUPER_SEED, uuid, FX_UUID_SIZE);
}

/* Over the header's fields, then the directory. */
static uint64_t header_checksum(const uint8_t *header, const uint8_t *directory, size_t size)
{
	return fx_checksum(fx_checksum(0, header, HEADER_SUM_AT), directory, size);
}

void fx_extent_header_encode(const struct fx_extent_header *header,
			     const uint8_t uuid[FX_UUID_SIZE], const uint8_t *directory,
			     uint8_t *out)
{
	memset(out, 0, FX_EXTENT_HEADER);
	fx_put_u32(out + AT_MAGIC, MAGIC);
	fx_put_u32(out + AT_RECORDS, header->records);
	memcpy(out + AT_UUID, uuid, FX_UUID_SIZE);
	fx_put_u64(out + AT_BLOCK, header->block);
	fx_put_u64(out + AT_SEQUENCE, header->sequence);
	fx_put_u64(out + AT_BYTES, header->bytes);
	fx_put_u32(out + AT_DIRECTORY, header->directory_bytes);
	fx_put_u64(out + HEADER_SUM_AT, header_checksum(out, directory, header->directory_bytes));
}

int fx_extent_header_decode(const uint8_t *in, const uint8_t uuid[FX_UUID_SIZE], uint64_t block,
			    uint64_t sequence, uint64_t max_bytes,
			    struct fx_extent_header *ret_header, const char **ret_why)
{
	struct fx_extent_header h = {
		.block = fx_get_u64(in + AT_BLOCK),
		.sequence = fx_get_u64(in + AT_SEQUENCE),
		.bytes = fx_get_u64(in + AT_BYTES),
		.records = fx_get_u32(in + AT_RECORDS),
		.directory_bytes = fx_get_u32(in + AT_DIRECTORY),
	};

	*ret_why = NULL;
	if (fx_get_u32(in + AT_MAGIC) != MAGIC)
		*ret_why = "bad extent magic";
	else if (memcmp(in + AT_UUID, uuid, FX_UUID_SIZE) != 0)
		*ret_why = "an extent of another store";
	else if (h.block != block || h.sequence != sequence)
		*ret_why = "a misplaced or stale extent";
	else if (h.bytes > max_bytes || h.bytes < FX_EXTENT_HEADER ||
		 h.directory_bytes > h.bytes - FX_EXTENT_HEADER ||
		 h.records > h.directory_bytes / ENTRY_FIXED)
		*ret_why = "bad extent size";
	if (*ret_why)
		return -EUCLEAN;
	*ret_header = h;
	return 0;
}

int fx_extent_directory_verify(const uint8_t *header, const uint8_t *directory,
			       uint32_t directory_bytes)
{
	return fx_get_u64(header + HEADER_SUM_AT) ==
			       header_checksum(header, directory, directory_bytes)
		       ? 0
		       : -EUCLEAN;
}

size_t fx_extent_entry_size(const struct fx_extent_entry *entry)
{
	return ENTRY_FIXED + (entry->expiry_ns ? 8u : 0u) + (entry->metadata_size ? 4u : 0u) +
	       entry->key_size + entry->metadata_size;
}

size_t fx_extent_entry_encode(const struct fx_extent_entry *entry, uint8_t *out)
{
	uint8_t *at = out + ENTRY_FIXED;

	fx_put_u16(out, entry->key_size);
	out[2] = (uint8_t)((entry->expiry_ns ? FLAG_EXPIRY : 0u) |
			   (entry->metadata_size ? FLAG_METADATA : 0u));
	out[3] = 0;
	fx_put_u32(out + 4, entry->value_size);
	fx_put_u64(out + 8, entry->version);
	if (entry->expiry_ns) {
		fx_put_u64(at, entry->expiry_ns);
		at += 8;
	}
	if (entry->metadata_size) {
		fx_put_u32(at, entry->metadata_size);
		at += 4;
	}
	if (entry->key_size)
		memcpy(at, entry->key, entry->key_size);
	at += entry->key_size;
	if (entry->metadata_size)
		memcpy(at, entry->metadata, entry->metadata_size);
	return (size_t)(at - out) + entry->metadata_size;
}

int64_t fx_extent_entry_decode(const uint8_t *in, size_t size, struct fx_extent_entry *ret_entry)
{
	struct fx_extent_entry e = {0};
	size_t need = ENTRY_FIXED;
	const uint8_t *at = in + ENTRY_FIXED;
	uint8_t flags;

	if (size < need)
		return -EUCLEAN;
	flags = in[2];
	if ((flags & ~(FLAG_EXPIRY | FLAG_METADATA)) || in[3])
		return -EUCLEAN;
	e.key_size = fx_get_u16(in);
	e.value_size = fx_get_u32(in + 4);
	e.version = fx_get_u64(in + 8);
	need += (flags & FLAG_EXPIRY ? 8u : 0u) + (flags & FLAG_METADATA ? 4u : 0u);
	if (size < need || e.key_size > KEY_MAX || e.value_size > VALUE_MAX ||
	    e.version > INT64_MAX)
		return -EUCLEAN;
	if (flags & FLAG_EXPIRY) {
		e.expiry_ns = fx_get_u64(at);
		at += 8;
		if (!e.expiry_ns || e.expiry_ns > INT64_MAX)
			return -EUCLEAN;
	}
	if (flags & FLAG_METADATA) {
		e.metadata_size = fx_get_u32(at);
		at += 4;
		if (!e.metadata_size || e.metadata_size > METADATA_MAX)
			return -EUCLEAN;
	}
	if (size - need < (size_t)e.key_size + e.metadata_size)
		return -EUCLEAN;
	e.key = at;
	e.metadata = at + e.key_size;
	*ret_entry = e;
	return (int64_t)(need + e.key_size + e.metadata_size);
}

uint64_t fx_value_checksum(uint64_t store_seed, uint64_t sequence, uint64_t at, const void *slice,
			   size_t size)
{
	uint64_t place[3] = {htole64(store_seed), htole64(sequence), htole64(at)};

	return fx_checksum(fx_checksum(0, place, sizeof(place)), slice, size);
}
