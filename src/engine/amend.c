/* SPDX-License-Identifier: Apache-2.0 */
/*
 * amend.c - records whose value is on disk already: what is new goes into the commit record.
 *
 * A change of expiry or metadata, and a rename, makes a record with the value of another one, its
 * basis. When the flusher takes it, the basis is one of
 *
 *   durable                            the record stays where its basis is; the commit record says
 *                                      what is new (AMEND, PREFIX)
 *   not durable, has a basis itself    both are in this cut: the basis' basis counts, and so on
 *   not durable, has none              value and record are written together, now
 *
 *  A1 At most one record of a cut stays at a place: content goes from a record to one other, since
 *     the key of the first has another record, or none, from then on.
 *  A2 Who held the place before has been replaced in the same cut. So it would die, were it not
 *     amended; and no commit record amends a place that dies, or kills one that it amends.
 *  A3 The list of an extent (amended.h) has what the directory does not say, before the commit
 *     record is written: a checkpoint that stands in for it says the same.
 *  A4 A record that is cold and not durable has a durable one at the end of its bases. Readers
 *     follow them (fx_value_location()); nothing on that way is freed before a grace period that
 *     began after the record's place was set (batch_write.c).
 */
#include "amend.h"

#include "pack.h"
#include "patience.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PART_BYTES ((size_t)64 * 1024) /* of a checkpoint part, unless one entry has more */

void fx_amend_begin(struct fx_amend *amend, struct feox_store *store)
{
	*amend = (struct fx_amend){.store = store};
}

void fx_amend_free(struct fx_amend *amend)
{
	free(amend->steps);
	free(amend->changes);
	free(amend->parts);
}

/* ---- Taking ------------------------------------------------------------------------------------
 */

/* The durable record whose value change has, or NULL; *ret_direct: it is the basis itself. */
static const struct fx_record *durable_basis(const struct fx_pending *change, bool *ret_direct)
{
	const struct fx_record *basis = change->basis;

	*ret_direct = true;
	while (basis && !fx_record_is(basis, FX_DURABLE)) {
		basis = fx_pending_of(basis)->basis;
		*ret_direct = false;
	}
	return basis;
}

static bool is_other(const void *a, size_t a_size, const void *b, size_t b_size)
{
	return a_size != b_size || (a_size && memcmp(a, b, a_size) != 0);
}

static uint8_t difference(const struct fx_record *old, const struct fx_record *new)
{
	uint8_t flags = 0;

	if (is_other(fx_record_key(old), old->key_size, fx_record_key(new), new->key_size))
		flags |= FX_AMEND_KEY;
	if (old->version != new->version)
		flags |= FX_AMEND_VERSION;
	if (fx_record_expiry(old) != fx_record_expiry(new))
		flags |= FX_AMEND_EXPIRY;
	if (is_other(fx_record_metadata(old), old->metadata_size, fx_record_metadata(new),
		     new->metadata_size))
		flags |= FX_AMEND_METADATA;
	return flags;
}

int fx_amend_take(struct fx_amend *amend, struct fx_pending *change)
{
	bool direct;
	const struct fx_record *old = durable_basis(change, &direct);
	struct fx_amend_step step = {0};

	if (!old)
		return 0;
	if (amend->count == amend->capacity) {
		size_t capacity = amend->capacity ? 2 * amend->capacity : 256;
		struct fx_amend_step *steps =
			FX_PATIENTLY(realloc(amend->steps, capacity * sizeof(*steps)));

		if (!steps)
			return -ENOMEM;
		amend->steps = steps;
		amend->capacity = capacity;
	}
	step.location = change->location = fx_record_location(old);
	step.growth = (int64_t)fx_pack_room(change->record) - (int64_t)fx_pack_room(old);
	step.change = (struct fx_amended){
		.record = change->record,
		.index = (uint16_t)fx_location_index(step.location),
		.flags = difference(old, change->record),
		.strip = direct ? change->strip : FX_STRIP_ALL,
		.prefix_size = direct ? change->prefix_size : 0,
	};
	amend->steps[amend->count++] = step;
	return 1;
}

static int compare_steps(const void *a, const void *b)
{
	fx_location x = ((const struct fx_amend_step *)a)->location;
	fx_location y = ((const struct fx_amend_step *)b)->location;

	return (x > y) - (x < y);
}

void fx_amend_sort(struct fx_amend *amend)
{
	if (amend->count)
		qsort(amend->steps, amend->count, sizeof(*amend->steps), compare_steps);
}

bool fx_amend_has(const struct fx_amend *amend, size_t *cursor, fx_location location)
{
	while (*cursor < amend->count && amend->steps[*cursor].location < location)
		++*cursor;
	return *cursor < amend->count && amend->steps[*cursor].location == location;
}

/* ---- The extents' lists ------------------------------------------------------------------------
 */

/* The next part: steps from begin on, of one extent. Where the next one begins; -EUCLEAN: a bug. */
static int add_part(struct fx_amend *amend, size_t *begin)
{
	struct fx_amend_part *part = &amend->parts[amend->part_count++];
	uint32_t number = fx_location_extent(amend->steps[*begin].location);
	size_t end = *begin;
	int64_t growth = 0;

	part->extent = fx_extent_table_get(amend->store->extents, number);
	if (!part->extent)
		return -EUCLEAN;
	part->list = (struct fx_amend_list){.at = amend->changes + *begin};
	for (; end < amend->count && fx_location_extent(amend->steps[end].location) == number;
	     end++) {
		if (!fx_extent_is_live(part->extent, amend->steps[end].change.index))
			return -EUCLEAN;
		amend->changes[end] = amend->steps[end].change;
		growth += amend->steps[end].growth;
	}
	growth += (int64_t)part->extent->live_bytes;
	fx_extent_table_weigh(amend->store->extents, part->extent,
			      growth > 0 ? (uint64_t)growth : 0);
	part->list.count = (uint32_t)(end - *begin);
	fx_amend_list_measure(&part->list, part->extent->record_count);
	*begin = end;
	return FX_PATIENTLY_TRY(fx_extent_amend(amend->store->extents, part->extent, part->list.at,
						part->list.count));
}

int fx_amend_apply(struct fx_amend *amend)
{
	size_t begin = 0;
	int err = 0;

	if (!amend->count)
		return 0;
	amend->changes = FX_PATIENTLY(malloc(amend->count * sizeof(*amend->changes)));
	amend->parts = FX_PATIENTLY(malloc(amend->count * sizeof(*amend->parts)));
	if (!amend->changes || !amend->parts)
		return -ENOMEM;
	while (begin < amend->count && !err)
		err = add_part(amend, &begin);
	return err;
}

/* ---- Commit records ----------------------------------------------------------------------------
 */

size_t fx_amend_size(const struct fx_amend *amend)
{
	size_t size = 2 * (FX_SECTION_HEADER + 8);

	for (size_t i = 0; i < amend->part_count; i++)
		size += amend->parts[i].list.bytes;
	return size;
}

/* One PREFIX entry with its list. */
static void put_prefix(struct fx_journal_writer *w, const struct fx_extent *extent,
		       const struct fx_amend_list *list, const struct fx_journal_prefix *prefix,
		       uint32_t group)
{
	fx_journal_put_prefix(w, prefix);
	fx_amend_list_mark(list, group,
			   fx_journal_put_list(w, extent->sequence, extent->record_count));
}

/* Begin a section with its first entry. */
static void open_section(struct fx_journal_writer *w, enum fx_section_type type)
{
	if (!w->section)
		fx_journal_section(w, type);
}

static void close_section(struct fx_journal_writer *w)
{
	if (w->section)
		fx_journal_section_end(w);
}

void fx_amend_put(const struct fx_amend *amend, struct fx_journal_writer *w)
{
	struct fx_journal_prefix prefix;
	struct fx_journal_amend entry;
	uint32_t cursor, group;

	for (size_t i = 0; i < amend->part_count; i++) {
		const struct fx_amend_part *part = &amend->parts[i];

		cursor = 0;
		while (fx_amend_list_next(&part->list, part->extent->sequence, &cursor, &entry)) {
			open_section(w, FX_SECTION_AMEND);
			fx_journal_put_amend(w, &entry);
		}
	}
	close_section(w);
	for (size_t i = 0; i < amend->part_count; i++) {
		const struct fx_amend_part *part = &amend->parts[i];

		group = 0;
		while (fx_amend_list_next_prefix(&part->list, &group, &prefix)) {
			open_section(w, FX_SECTION_PREFIX);
			put_prefix(w, part->extent, &part->list, &prefix, group);
		}
	}
	close_section(w);
}

/* ---- Checkpoints -------------------------------------------------------------------------------
 */

/* A walk over the entries of all extents, and the part being filled: no buffer, no part. */
struct walk {
	struct feox_store *store;
	struct fx_chain *chain;
	struct fx_write_queue *writes;
	struct fx_journal_writer w;
};

static int end_part(struct walk *walk)
{
	struct fx_journal_header header = {.type = FX_JOURNAL_PART};
	int err;

	if (!walk->w.buffer)
		return 0;
	fx_journal_section_end(&walk->w);
	fx_ceilings_set(walk->store, &header);
	err = fx_chain_append(walk->store, walk->chain, walk->writes, &walk->w, &header, false);
	if (err)
		free(walk->w.buffer);
	walk->w.buffer = NULL;
	return err;
}

/* Room for an entry of size bytes in a part with a section of type. */
static int need_part(struct walk *walk, enum fx_section_type type, size_t size)
{
	size_t capacity = FX_BLOCK + (size > PART_BYTES ? size : PART_BYTES);
	uint8_t *buffer;
	int err;

	/* The rest of the block is for header, padding and checksum. */
	if (walk->w.buffer && walk->w.used + size + FX_SECTION_HEADER + 8 <= walk->w.capacity)
		return 0;
	err = end_part(walk);
	if (err)
		return err;
	capacity = (capacity + FX_BLOCK - 1) / FX_BLOCK * FX_BLOCK;
	buffer = fx_write_buffer(capacity);
	if (!buffer)
		return -ENOMEM;
	fx_journal_begin(&walk->w, buffer, capacity);
	fx_journal_section(&walk->w, type);
	return 0;
}

static int write_singles(struct walk *walk, const struct fx_extent *extent)
{
	struct fx_journal_amend entry;
	uint32_t cursor = 0;
	int err = 0;

	while (!err && fx_amend_list_next(&extent->amended, extent->sequence, &cursor, &entry)) {
		err = need_part(walk, FX_SECTION_AMEND, fx_journal_amend_size(&entry));
		if (!err)
			fx_journal_put_amend(&walk->w, &entry);
	}
	return err;
}

static int write_prefixes(struct walk *walk, const struct fx_extent *extent)
{
	struct fx_journal_prefix prefix;
	uint32_t group = 0;
	int err = 0;

	while (!err && fx_amend_list_next_prefix(&extent->amended, &group, &prefix)) {
		err = need_part(walk, FX_SECTION_PREFIX,
				fx_journal_prefix_size(prefix.size) +
					fx_journal_list_size(extent->record_count));
		if (!err)
			put_prefix(&walk->w, extent, &extent->amended, &prefix, group);
	}
	return err;
}

static int write_lists(struct walk *walk, int (*write)(struct walk *, const struct fx_extent *))
{
	struct fx_extent *extent;
	uint32_t cursor = 0;
	int err = 0;

	while (!err && (extent = fx_extent_table_next(walk->store->extents, &cursor)))
		if (extent->live_count)
			err = write(walk, extent);
	if (!err)
		return end_part(walk);
	free(walk->w.buffer);
	return err;
}

int fx_amend_checkpoint(struct feox_store *store, struct fx_chain *chain,
			struct fx_write_queue *writes)
{
	struct walk walk = {.store = store, .chain = chain, .writes = writes};
	int err = write_lists(&walk, write_singles);

	return err ? err : write_lists(&walk, write_prefixes);
}
