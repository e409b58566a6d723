/* SPDX-License-Identifier: Apache-2.0 */
/*
 * amend_found.c - amendments on their way from the journal to the records.
 *
 * The journal is read before the directories. So of each amended record a slot keeps what it has in
 * the end: whole fields, and of a key that is not told whole its new beginning and how much of the
 * directory's key it takes the place of (amended.h). Amendments of one record in several journal
 * records: the later wins, field by field. Of one journal record, two for one field of a record are
 * refused.
 *
 * Bytes are copied into chunks that go all at once. What is taken for it is bounded by the file:
 * slots by directory entries, bytes by journal records; beginnings that many records share are kept
 * once.
 */
#include "amend_found.h"

#include "bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)256 * 1024)

struct slot {
	const uint8_t *key; /* whole, or its beginning */
	const uint8_t *metadata;
	uint64_t version, expiry_ns;
	uint64_t sequence; /* of the journal record that amended it last, */
	uint32_t metadata_size;
	uint16_t key_size, strip;
	uint8_t flags, last_flags; /* and what that said */
};

/* By number of the extent. */
struct found_extent {
	struct slot **slots; /* NULL: none of its records is amended */
	uint64_t added;	     /* sequence of the journal record that added it */
};

struct chunk {
	struct chunk *next;
	size_t used, size;
	uint8_t bytes[];
};

struct fx_found {
	struct feox_store *store;
	struct found_extent *extents;
	size_t extent_count;
	struct chunk *chunks;
	/* The last beginning put together: of tail, the end of an older one, behind head. */
	const uint8_t *head, *tail, *joined;
	uint16_t head_size, tail_size;
};

int fx_found_create(struct feox_store *store, struct fx_found **ret_found)
{
	struct fx_found *found = calloc(1, sizeof(*found));

	if (!found)
		return -ENOMEM;
	found->store = store;
	*ret_found = found;
	return 0;
}

void fx_found_free(struct fx_found *found)
{
	struct chunk *chunk;

	if (!found)
		return;
	for (size_t i = 0; i < found->extent_count; i++)
		free(found->extents[i].slots);
	while ((chunk = found->chunks)) {
		found->chunks = chunk->next;
		free(chunk);
	}
	free(found->extents);
	free(found);
}

/* Memory until fx_found_free(), aligned for a slot. NULL. */
static void *take(struct fx_found *found, size_t size)
{
	struct chunk *chunk = found->chunks;
	uint8_t *at;

	size = fx_align_up(size, _Alignof(struct slot));
	if (!chunk || chunk->size - chunk->used < size) {
		size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;

		chunk = malloc(sizeof(*chunk) + room);
		if (!chunk)
			return NULL;
		*chunk = (struct chunk){.next = found->chunks, .size = room};
		found->chunks = chunk;
	}
	at = chunk->bytes + chunk->used;
	chunk->used += size;
	return at;
}

static const uint8_t *copy(struct fx_found *found, const uint8_t *bytes, size_t size)
{
	uint8_t *to = take(found, size + 1);

	if (to && size)
		memcpy(to, bytes, size);
	return to;
}

/* ---- Slots -------------------------------------------------------------------------------------
 */

static int extent_of(struct fx_found *found, const struct fx_extent *extent,
		     struct found_extent **ret_extent)
{
	if (extent->number >= found->extent_count) {
		size_t count = 2 * (size_t)extent->number + 64;
		struct found_extent *extents =
			realloc(found->extents, count * sizeof(*found->extents));

		if (!extents)
			return -ENOMEM;
		memset(extents + found->extent_count, 0,
		       (count - found->extent_count) * sizeof(*extents));
		found->extents = extents;
		found->extent_count = count;
	}
	*ret_extent = &found->extents[extent->number];
	return 0;
}

int fx_found_added(struct fx_found *found, const struct fx_extent *extent, uint64_t sequence)
{
	struct found_extent *e;
	int err = extent_of(found, extent, &e);

	if (!err)
		e->added = sequence;
	return err;
}

/*
 * The slot of a live record, which flags of this journal record are to change. -EUCLEAN, -ENOMEM.
 */
static int slot_of(struct fx_found *found, const struct fx_extent *extent, uint32_t index,
		   uint64_t sequence, uint32_t flags, struct slot **ret_slot)
{
	struct found_extent *e;
	struct slot *slot;
	int err = fx_extent_is_live(extent, index) ? extent_of(found, extent, &e) : -EUCLEAN;

	if (err)
		return err;
	if (e->added == sequence)
		return -EUCLEAN;
	if (!e->slots)
		e->slots = calloc(extent->record_count, sizeof(struct slot *));
	if (e->slots && !e->slots[index]) {
		e->slots[index] = take(found, sizeof(struct slot));
		if (e->slots[index])
			*e->slots[index] = (struct slot){0};
	}
	slot = e->slots ? e->slots[index] : NULL;
	if (!slot)
		return -ENOMEM;
	if (slot->sequence != sequence)
		slot->last_flags = 0;
	if (slot->last_flags & flags)
		return -EUCLEAN;
	slot->sequence = sequence;
	slot->last_flags |= (uint8_t)flags;
	*ret_slot = slot;
	return 0;
}

/* ---- AMEND -------------------------------------------------------------------------------------
 */

static int amend(struct fx_found *found, const struct fx_journal_amend *a, uint64_t sequence)
{
	const struct fx_extent *extent =
		fx_extent_table_by_sequence(found->store->extents, a->sequence);
	struct slot *slot = NULL;
	int err = extent ? slot_of(found, extent, a->index, sequence, a->flags, &slot) : -EUCLEAN;

	if (err)
		return err;
	slot->flags |= (uint8_t)a->flags;
	if (a->flags & FX_AMEND_VERSION)
		slot->version = a->version;
	if (a->flags & FX_AMEND_EXPIRY)
		slot->expiry_ns = a->expiry_ns;
	if (a->flags & FX_AMEND_KEY) {
		slot->key = copy(found, a->key, a->key_size);
		slot->key_size = a->key_size;
		slot->strip = FX_STRIP_ALL;
	}
	if (a->flags & FX_AMEND_METADATA) {
		slot->metadata = copy(found, a->metadata, a->metadata_size);
		slot->metadata_size = a->metadata_size;
	}
	return ((a->flags & FX_AMEND_KEY) && !slot->key) ||
			       ((a->flags & FX_AMEND_METADATA) && !slot->metadata)
		       ? -ENOMEM
		       : 0;
}

/* ---- PREFIX ------------------------------------------------------------------------------------
 */

/* head and then tail, in one piece. */
static const uint8_t *join(struct fx_found *found, const uint8_t *head, uint16_t head_size,
			   const uint8_t *tail, uint16_t tail_size)
{
	uint8_t *joined;

	if (!tail_size)
		return head;
	if (found->joined && found->head == head && found->tail == tail &&
	    found->head_size == head_size && found->tail_size == tail_size)
		return found->joined;
	joined = take(found, (size_t)head_size + tail_size);
	if (!joined)
		return NULL;
	memcpy(joined, head, head_size);
	memcpy(joined + head_size, tail, tail_size);
	found->head = head;
	found->head_size = head_size;
	found->tail = tail;
	found->tail_size = tail_size;
	found->joined = joined;
	return joined;
}

/* p takes strip bytes off, and puts its beginning (which is copied) in front. */
static int change_key(struct fx_found *found, struct slot *slot, const struct fx_journal_prefix *p)
{
	uint16_t had = slot->flags & FX_AMEND_KEY ? slot->key_size : 0;
	uint16_t strip = slot->flags & FX_AMEND_KEY ? slot->strip : 0;
	uint16_t left = had > p->strip ? (uint16_t)(had - p->strip) : 0;
	uint32_t deeper =
		strip == FX_STRIP_ALL || had > p->strip ? strip : (uint32_t)strip + p->strip - had;

	if ((strip == FX_STRIP_ALL && had < p->strip) || (uint32_t)p->size + left > FEOX_KEY_MAX ||
	    (strip != FX_STRIP_ALL && deeper > FEOX_KEY_MAX))
		return -EUCLEAN;
	slot->key = join(found, p->bytes, p->size, left ? slot->key + p->strip : NULL, left);
	slot->key_size = (uint16_t)(p->size + left);
	slot->strip = (uint16_t)deeper;
	return slot->key ? 0 : -ENOMEM;
}

static int amend_list(struct fx_found *found, const struct fx_journal_prefix *p,
		      const struct fx_journal_list *list, uint64_t sequence)
{
	const struct fx_extent *extent =
		fx_extent_table_by_sequence(found->store->extents, list->sequence);
	int err = extent && extent->record_count == list->records ? 0 : -EUCLEAN;

	for (uint32_t i = 0; i < list->records && !err; i++) {
		struct slot *slot = NULL;

		if (!fx_journal_bit(list->bitmap, i))
			continue;
		err = slot_of(found, extent, i, sequence, FX_AMEND_KEY | FX_AMEND_VERSION, &slot);
		if (!err)
			err = change_key(found, slot, p);
		if (err)
			break;
		slot->version = p->version;
		slot->flags |= FX_AMEND_KEY | FX_AMEND_VERSION;
	}
	return err;
}

static int read_prefix(struct fx_found *found, struct fx_journal_reader *r,
		       struct fx_journal_prefix *p, uint64_t sequence)
{
	struct fx_journal_list list;
	int more, err = 0;

	p->bytes = copy(found, p->bytes, p->size);
	if (!p->bytes)
		return -ENOMEM;
	while (!err && (more = fx_journal_next_list(r, p, &list)) != 0)
		err = more < 0 ? more : amend_list(found, p, &list, sequence);
	return err;
}

int fx_found_read(struct fx_found *found, struct fx_journal_reader *r, uint64_t sequence)
{
	bool prefixes = r->type == FX_SECTION_PREFIX;
	struct fx_journal_prefix p;
	struct fx_journal_amend a;
	int more = 1, err = 0;

	while (!err && more) {
		more = prefixes ? fx_journal_next_prefix(r, &p) : fx_journal_next_amend(r, &a);
		if (more == 1)
			err = prefixes ? read_prefix(found, r, &p, sequence)
				       : amend(found, &a, sequence);
		else
			err = more;
	}
	return err;
}

/* ---- Records -----------------------------------------------------------------------------------
 */

static int make_key(const struct slot *slot, struct fx_extent_entry *entry, uint8_t *key)
{
	size_t strip = slot->strip == FX_STRIP_ALL ? entry->key_size : slot->strip;
	size_t rest;

	if (strip > entry->key_size)
		return -EUCLEAN;
	rest = entry->key_size - strip;
	if (slot->key_size + rest > FEOX_KEY_MAX)
		return -EUCLEAN;
	memcpy(key, slot->key, slot->key_size);
	memcpy(key + slot->key_size, entry->key + strip, rest);
	entry->key = key;
	entry->key_size = (uint16_t)(slot->key_size + rest);
	return 0;
}

int fx_found_apply(const struct fx_found *found, const struct fx_extent *extent, uint32_t index,
		   struct fx_extent_entry *entry, uint8_t *key, struct fx_amended *ret_change)
{
	struct slot *const *slots =
		extent->number < found->extent_count ? found->extents[extent->number].slots : NULL;
	const struct slot *slot = slots ? slots[index] : NULL;

	if (!slot)
		return 0;
	if ((slot->flags & FX_AMEND_KEY) && make_key(slot, entry, key))
		return -EUCLEAN;
	if (slot->flags & FX_AMEND_VERSION)
		entry->version = slot->version;
	if (slot->flags & FX_AMEND_EXPIRY)
		entry->expiry_ns = slot->expiry_ns;
	if (slot->flags & FX_AMEND_METADATA) {
		entry->metadata = slot->metadata;
		entry->metadata_size = slot->metadata_size;
	}
	*ret_change = (struct fx_amended){.index = (uint16_t)index,
					  .flags = slot->flags,
					  .strip = slot->strip,
					  .prefix_size = slot->key_size};
	return 1;
}
