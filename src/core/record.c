/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c - memory of records and large values.
 *
 * One allocation each. Its size is not stored: it follows from the sizes in the header and from
 * FX_RECORD_INLINE, which is set once, here, and says whether the value is behind the metadata.
 */
#include "record.h"

#include <string.h>

static size_t allocated_bytes(const struct fx_record *r)
{
	return sizeof(*r) + r->key_size + r->metadata_size +
	       (r->flags & FX_RECORD_INLINE ? r->value_size : 0);
}

struct fx_record *fx_record_new(struct fx_slab *slab, const void *key, size_t key_size,
				const void *metadata, size_t metadata_size, size_t value_size,
				bool inline_value)
{
	struct fx_record sizes = {
		.key_size = (uint16_t)key_size,
		.metadata_size = (uint32_t)metadata_size,
		.value_size = (uint32_t)value_size,
		.flags = inline_value && value_size <= FX_INLINE_MAX ? FX_RECORD_INLINE : 0,
	};
	struct fx_record *record;

	assert(key_size == sizes.key_size && metadata_size == sizes.metadata_size &&
	       value_size == sizes.value_size);
	record = fx_slab_alloc(slab, allocated_bytes(&sizes));
	if (!record)
		return NULL;
	memcpy(record, &sizes, sizeof(sizes));
	atomic_init(&record->location, 0);
	atomic_init(&record->value, NULL);
	atomic_init(&record->refs, 1);
	atomic_init(&record->state, FX_DIRTY);
	atomic_init(&record->done, 0);
	if (key_size)
		memcpy(record->bytes, key, key_size);
	if (metadata_size)
		memcpy(record->bytes + key_size, metadata, metadata_size);
	return record;
}

/* True: that was the last reference. acq_rel: every use of the others is over before the free. */
static bool drop(_Atomic uint32_t *refs)
{
	uint32_t before = atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel);

	assert(before > 0);
	return before == 1;
}

void fx_record_unref(struct fx_slab *slab, struct fx_record *record)
{
	struct fx_value *value;

	assert(!(record->flags & FX_RECORD_INTENT)); /* not a record: its size is the engine's */
	if (!drop(&record->refs))
		return;
	value = atomic_load_explicit(&record->value, memory_order_relaxed);
	if (value)
		fx_value_unref(slab, value);
	fx_slab_free(slab, record, allocated_bytes(record));
}

struct fx_value *fx_value_new(struct fx_slab *slab, size_t size)
{
	struct fx_value *value;

	assert(size <= UINT32_MAX);
	value = fx_slab_alloc(slab, sizeof(*value) + size);
	if (!value)
		return NULL;
	value->retired = (struct fx_retired){0};
	atomic_init(&value->refs, 1);
	value->size = (uint32_t)size;
	return value;
}

void fx_value_unref(struct fx_slab *slab, struct fx_value *value)
{
	if (!value)
		return;
	if (drop(&value->refs))
		fx_slab_free(slab, value, sizeof(*value) + value->size);
}
