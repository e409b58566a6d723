/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - one version of one key: what a slot of the hash index points to.
 *
 *    0  version        8   compared and swapped with; set before publication
 *    8  place          8   DURABLE: where it is on disk; else its struct fx_pending, or 0
 *   16  refs           4
 *   20  value_size     4
 *   24  metadata_size  4
 *   28  key_size       2
 *   30  flags          1   which of the following there are
 *   31  state          1
 *   32  expiry         8   FX_RECORD_EXPIRES
 *       value          8   FX_RECORD_APART: the value has memory of its own, or none: it is cold
 *       key, metadata, the value unless it is APART
 *
 * Small on purpose: with a key of 20 bytes everything a get compares, and the beginning of a small
 * value, is in the first cache line or two, and a key costs 32 bytes beyond key and value.
 *
 * A record is immutable once published, except
 *   refs, value   by anybody, atomically;
 *   state         by the flusher, and of a tombstone by its deleter, atomically;
 *   place         by the flusher alone, before it says DURABLE and when it moves what is there.
 *
 * Memory: a record holds one reference on itself for "the index or the flusher still needs it"; it
 * is given up through fx_epoch_retire_plain(), so whoever finds a record inside an epoch section
 * may pin it with a plain increment. A value apart is a counted fx_value, shared by the records
 * that differ in metadata or expiry only.
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
#include <string.h>

#define FX_INLINE_MAX 1024u /* values up to this many bytes live in the record */

enum fx_record_flag {
	FX_RECORD_TOMBSTONE = 1 << 0, /* a delete: no value, no metadata */
	FX_RECORD_INTENT = 1 << 1,    /* really a struct intent (engine/intent.h), key behind it */
	FX_RECORD_EXPIRES = 1 << 2,   /* it has an expiry field */
	FX_RECORD_APART = 1 << 3      /* it has a value field, and no value behind the metadata */
};

/* Bits of a record's state. None: it is not durable, and place may be a struct fx_pending. */
enum fx_record_state {
	FX_SUPERSEDED = 1 << 0, /* replaced within the same cut: never written */
	FX_DURABLE = 1 << 1,	/* on disk at its place; a tombstone: its delete is durable */
	FX_UNLINKED = 1 << 2	/* a tombstone: the ordered index has dropped the key */
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

/* A value apart from its records. Freed by whoever drops the last reference. */
struct fx_value {
	_Atomic uint32_t refs;
	uint32_t size;
	uint8_t bytes[];
};

struct fx_record {
	uint64_t version;
	_Atomic uint64_t place; /* fx_record_location(), fx_pending_of() (engine/queue.h) */
	_Atomic uint32_t refs;
	uint32_t value_size;
	uint32_t metadata_size;
	uint16_t key_size;
	uint8_t flags;	       /* enum fx_record_flag */
	_Atomic uint8_t state; /* enum fx_record_state */
	uint8_t bytes[];       /* see above */
};

static_assert(sizeof(struct fx_record) == 32, "a record's header");
static_assert(offsetof(struct fx_record, bytes) % 8 == 0, "the alignment of the optional fields");

/* ---- Where things are
 * ---------------------------------------------------------------------------- */

/* Bytes of the optional fields. */
static inline size_t fx_record_fields(uint8_t flags)
{
	return (flags & FX_RECORD_EXPIRES ? 8u : 0u) + (flags & FX_RECORD_APART ? 8u : 0u);
}

static inline uint64_t fx_record_expiry(const struct fx_record *r)
{
	uint64_t expiry_ns = 0; /* never */

	if (r->flags & FX_RECORD_EXPIRES)
		memcpy(&expiry_ns, r->bytes, sizeof(expiry_ns));
	return expiry_ns;
}

/* The value field of a record that is APART. */
static inline struct fx_value *_Atomic *fx_record_value_field(struct fx_record *r)
{
	return (struct fx_value * _Atomic *)(r->bytes + fx_record_fields(r->flags) - 8);
}

static inline const uint8_t *fx_record_key(const struct fx_record *r)
{
	return r->bytes + fx_record_fields(r->flags);
}

static inline const uint8_t *fx_record_metadata(const struct fx_record *r)
{
	return fx_record_key(r) + r->key_size;
}

static inline uint8_t *fx_record_inline_value(struct fx_record *r)
{
	return r->bytes + fx_record_fields(r->flags) + r->key_size + r->metadata_size;
}

/* The value of a record that has it apart and in memory, else NULL. */
static inline struct fx_value *fx_record_value(const struct fx_record *r)
{
	if (!(r->flags & FX_RECORD_APART))
		return NULL;
	/* Acquire: pairs with the release of who put the value there. */
	return atomic_load_explicit(fx_record_value_field((struct fx_record *)(uintptr_t)r),
				    memory_order_acquire);
}

static inline bool fx_record_is_cold(const struct fx_record *r)
{
	return (r->flags & FX_RECORD_APART) && !fx_record_value(r);
}

static inline bool fx_record_expired(const struct fx_record *r, uint64_t now_ns)
{
	return (r->flags & FX_RECORD_EXPIRES) && fx_record_expiry(r) <= now_ns;
}

static inline bool fx_record_is(const struct fx_record *r, enum fx_record_state bit)
{
	/* Acquire: pairs with the flusher's release; the place comes with DURABLE. */
	return atomic_load_explicit(&r->state, memory_order_acquire) & bit;
}

/* Where a DURABLE record is now: compaction moves it. */
static inline fx_location fx_record_location(const struct fx_record *r)
{
	/* Acquire: pairs with fx_record_moved(); the extent it names is in the table. */
	return atomic_load_explicit(&r->place, memory_order_acquire);
}

/* A DURABLE record is there from now on. The flusher. */
static inline void fx_record_moved(struct fx_record *r, fx_location location)
{
	atomic_store_explicit(&r->place, location, memory_order_release);
}

/* ---- Making and freeing
 * -------------------------------------------------------------------------- */

struct fx_record_parts {
	const void *key;
	size_t key_size;
	const void *metadata;
	size_t metadata_size;
	uint64_t expiry_ns; /* 0: never */
	size_t value_size;
	bool cold; /* its value is on disk only, if it has one */
};

/* Bytes a record of these sizes occupies, its value included. */
static inline size_t fx_record_bytes(size_t key_size, size_t metadata_size, size_t value_size)
{
	return sizeof(struct fx_record) + 8 + key_size + metadata_size + value_size +
	       (value_size <= FX_INLINE_MAX ? 0 : 8 + sizeof(struct fx_value));
}

/* Bytes of the record itself, without a value apart. */
static inline size_t fx_record_own_bytes(const struct fx_record *r)
{
	return sizeof(*r) + fx_record_fields(r->flags) + r->key_size + r->metadata_size +
	       (r->flags & FX_RECORD_APART ? 0 : r->value_size);
}

/*
 * A record with key and metadata, and room for its value where that is inline; filling it, and
 * setting the version, is the caller's. A value beyond FX_INLINE_MAX, and a cold one, is APART; its
 * field is NULL. refs 1, state 0. NULL when memory is short.
 */
struct fx_record *fx_record_new(struct fx_slab *slab, const struct fx_record_parts *parts);

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
