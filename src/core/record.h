/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - one version of one key: what a slot of the hash index points to.
 *
 * A record is immutable once published, except
 *   refs, value   by anybody, atomically;
 *   location, state, prev, next   by the flusher alone (state is read by anybody).
 *
 * Memory: a record holds one reference on itself for "the index or the flusher still needs it"; it
 * is given up through fx_epoch_retire(), so whoever finds a record inside an epoch section may pin
 * it with a plain increment. The value is inline behind the metadata when it is small, else a
 * counted fx_value of its own, shared by the records that differ in metadata or expiry only; NULL
 * while it is cold, that is on disk only.
 *
 * A slot word is  tag (16 bits) | pointer | state (4 bits), see hash_index.h.
 */
#ifndef FX_RECORD_H
#define FX_RECORD_H

#include "epoch.h"
#include "slab.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FX_INLINE_MAX 1024u /* values up to this many bytes live in the record */

enum fx_record_flag {
	FX_RECORD_TOMBSTONE = 1 << 0, /* a delete: no value, no metadata */
	FX_RECORD_INTENT = 1 << 1, /* really a struct fx_intent (engine/batch.h), key behind it */
	FX_RECORD_INLINE = 1 << 2  /* the value is in bytes[] */
};

enum fx_record_state {
	FX_DIRTY,      /* not durable; location is 0 or borrowed from the record it replaced */
	FX_SUPERSEDED, /* replaced within the same cut: never written */
	FX_DURABLE     /* on disk at location; a tombstone: its delete is durable */
};

/* Where a record is on disk: extent (index into the extent table) 32 | index 16 | value offset 16.
 */
typedef uint64_t fx_location; /* 0: nowhere (extent 0 is never used) */

#define FX_VALUE_UNIT 8u /* value offsets in an extent count these bytes */

static inline fx_location fx_location_make(uint32_t extent, uint32_t index, uint32_t value_units)
{
	return (uint64_t)extent << 32 | (uint64_t)(index & 0xffff) << 16 | (value_units & 0xffff);
}

static inline uint32_t fx_location_extent(fx_location l)
{
	return (uint32_t)(l >> 32);
}

static inline uint32_t fx_location_index(fx_location l)
{
	return (uint32_t)(l >> 16) & 0xffff;
}

static inline uint64_t fx_location_value_offset(fx_location l)
{
	return (l & 0xffff) * FX_VALUE_UNIT;
}

/* A value too large to be inline. Freed by whoever drops the last reference. */
struct fx_value {
	struct fx_retired retired;
	_Atomic uint32_t refs;
	uint32_t size;
	uint8_t bytes[];
};

struct fx_record {
	union {
		struct {
			struct fx_record
				*prev; /* replaced by this one; until this one is durable */
			struct fx_record *next; /* in the flush queue */
		};
		struct fx_retired retired;
	};
	uint64_t version;
	uint64_t expiry_ns; /* 0: never */
	_Atomic fx_location location;
	struct fx_value *_Atomic value; /* NULL when inline, empty or cold */
	_Atomic uint32_t refs;
	uint32_t value_size;
	uint32_t metadata_size;
	uint16_t key_size;
	uint8_t flags;	       /* enum fx_record_flag */
	_Atomic uint8_t state; /* enum fx_record_state */
	_Atomic uint8_t done;  /* tombstones: FX_DONE_*, who comes second frees the slot */
	uint8_t pad[7];
	uint8_t bytes[]; /* key, metadata, inline value */
};

static_assert(sizeof(struct fx_record) == 72, "a record's header");

#define FX_DONE_UNLINKED 1u /* the ordered index has dropped the key */
#define FX_DONE_DURABLE	 2u /* the delete is durable */

static inline const uint8_t *fx_record_key(const struct fx_record *r)
{
	return r->bytes;
}

static inline const uint8_t *fx_record_metadata(const struct fx_record *r)
{
	return r->bytes + r->key_size;
}

static inline uint8_t *fx_record_inline_value(struct fx_record *r)
{
	return r->bytes + r->key_size + r->metadata_size;
}

/* Bytes a record of these sizes occupies, its inline value included. */
static inline size_t fx_record_bytes(size_t key_size, size_t metadata_size, size_t value_size)
{
	return sizeof(struct fx_record) + key_size + metadata_size +
	       (value_size <= FX_INLINE_MAX ? value_size : 0);
}

static inline bool fx_record_expired(const struct fx_record *r, uint64_t now_ns)
{
	return r->expiry_ns && r->expiry_ns <= now_ns;
}

static inline bool fx_record_is_cold(const struct fx_record *r)
{
	return !(r->flags & (FX_RECORD_INLINE | FX_RECORD_TOMBSTONE)) && r->value_size &&
	       !atomic_load_explicit(&r->value, memory_order_acquire);
}

/*
 * A record with room for its key, metadata and (value_size <= FX_INLINE_MAX and inline_value) its
 * value; key and metadata are copied in, the value is the caller's to fill. refs 1, state DIRTY.
 * NULL when memory is short.
 */
struct fx_record *fx_record_new(struct fx_slab *slab, const void *key, size_t key_size,
				const void *metadata, size_t metadata_size, size_t value_size,
				bool inline_value);

/* Drop one reference; at the last the record, and its reference on its value, are gone. */
void fx_record_unref(struct fx_slab *slab, struct fx_record *record);

/* Pin, inside an epoch section. */
static inline void fx_record_ref(struct fx_record *record)
{
	atomic_fetch_add_explicit(&record->refs, 1, memory_order_relaxed);
}

/* An fx_value of size bytes, refs 1. */
struct fx_value *fx_value_new(struct fx_slab *slab, size_t size);
void fx_value_unref(struct fx_slab *slab, struct fx_value *value); /* NULL is allowed */

static inline void fx_value_ref(struct fx_value *value)
{
	atomic_fetch_add_explicit(&value->refs, 1, memory_order_relaxed);
}

#endif
