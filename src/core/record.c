/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c - memory of records and values.
 *
 * One allocation each. Its size is not stored: it follows from the sizes and flags in the header,
 * of which those that matter here (EXPIRES, APART) are set once, here.
 */
#include "record.h"

static uint8_t flags_of(const struct fx_record_parts *parts)
{
	bool apart = parts->value_size && (parts->cold || parts->value_size > FX_INLINE_MAX);

	return (uint8_t)((parts->expiry_ns ? FX_RECORD_EXPIRES : 0) |
			 (apart ? FX_RECORD_APART : 0));
}

struct fx_record *fx_record_new(struct fx_slab *slab, const struct fx_record_parts *parts)
{
	struct fx_record sizes = {
		.value_size = (uint32_t)parts->value_size,
		.metadata_size = (uint32_t)parts->metadata_size,
		.key_size = (uint16_t)parts->key_size,
		.flags = flags_of(parts),
	};
	struct fx_record *record;

	assert(parts->key_size == sizes.key_size && parts->metadata_size == sizes.metadata_size &&
	       parts->value_size == sizes.value_size);
	atomic_init(&sizes.refs, 1);
	record = fx_slab_alloc(slab, fx_record_own_bytes(&sizes));
	if (!record)
		return NULL;
	memcpy(record, &sizes, sizeof(sizes));
	if (parts->expiry_ns)
		memcpy(record->bytes, &parts->expiry_ns, sizeof(parts->expiry_ns));
	if (record->flags & FX_RECORD_APART)
		atomic_init(fx_record_value_field(record), NULL);
	if (parts->key_size)
		memcpy((uint8_t *)(uintptr_t)fx_record_key(record), parts->key, parts->key_size);
	if (parts->metadata_size)
		memcpy((uint8_t *)(uintptr_t)fx_record_metadata(record), parts->metadata,
		       parts->metadata_size);
	return record;
}

/* True: that was the last reference. acq_rel: every use of the others is over before the free. */
static bool drop(_Atomic uint32_t *refs)
{
	uint32_t before;

	/* Nobody else has one, and only who has one can make more: no need to write it. */
	if (atomic_load_explicit(refs, memory_order_acquire) == 1)
		return true;
	before = atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel);
	assert(before > 0);
	return before == 1;
}

void fx_record_unref(struct fx_slab *slab, struct fx_record *record)
{
	assert(!(record->flags & FX_RECORD_INTENT)); /* not a record: its size is the engine's */
	if (!drop(&record->refs))
		return;
	fx_value_unref(slab, fx_record_value(record));
	fx_slab_free(slab, record, fx_record_own_bytes(record));
}

struct fx_value *fx_value_new(struct fx_slab *slab, size_t size)
{
	struct fx_value *value;

	assert(size <= UINT32_MAX);
	value = fx_slab_alloc(slab, sizeof(*value) + size);
	if (!value)
		return NULL;
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
