/* SPDX-License-Identifier: Apache-2.0 */
#include "dying.h"

#include "pack.h"
#include "patience.h"

#include <errno.h>
#include <stdlib.h>

int fx_dying_add(struct fx_dying *dying, fx_location location, const struct fx_record *record)
{
	if (dying->count == dying->capacity) {
		size_t capacity = dying->capacity ? 2 * dying->capacity : 1024;
		struct fx_dying_record *records = FX_PATIENTLY((struct fx_dying_record *)realloc(
			dying->records, capacity * sizeof(*records)));

		if (!records)
			return -ENOMEM;
		dying->records = records;
		dying->capacity = capacity;
	}
	dying->records[dying->count++] =
		(struct fx_dying_record){.location = location, .bytes = fx_pack_room(record)};
	return 0;
}

static int compare(const void *a, const void *b)
{
	fx_location x = ((const struct fx_dying_record *)a)->location;
	fx_location y = ((const struct fx_dying_record *)b)->location;

	return (x > y) - (x < y);
}

static int add_freed(struct fx_dying *dying, struct fx_extent *extent)
{
	struct fx_extent **freed;

	/* Room doubles whenever the count is a power of two. */
	if (!(dying->freed_count & (dying->freed_count - 1))) {
		size_t capacity = dying->freed_count ? 2 * dying->freed_count : 1;

		freed = FX_PATIENTLY((struct fx_extent **)realloc(
			dying->freed, capacity * sizeof(struct fx_extent *)));
		if (!freed)
			return -ENOMEM;
		dying->freed = freed;
	}
	dying->freed[dying->freed_count++] = extent;
	return 0;
}

int fx_dying_spare(struct fx_dying *dying, const struct fx_amend *amend)
{
	size_t kept = 0, cursor = 0;

	if (dying->count)
		qsort(dying->records, dying->count, sizeof(*dying->records), compare);
	for (size_t i = 0; i < dying->count; i++)
		if (!fx_amend_has(amend, &cursor, dying->records[i].location))
			dying->records[kept++] = dying->records[i];
	if (dying->count - kept != amend->count)
		return -EUCLEAN;
	dying->count = kept;
	return 0;
}

int fx_dying_kill(struct fx_dying *dying)
{
	struct fx_extent_table *table = dying->store->extents;
	struct fx_extent *extent = NULL;
	size_t first = dying->killed;

	if (dying->count == first)
		return 0;
	qsort(dying->records + first, dying->count - first, sizeof(*dying->records), compare);
	for (; dying->killed < dying->count; dying->killed++) {
		const struct fx_dying_record *r = &dying->records[dying->killed];

		if (!extent || extent->number != fx_location_extent(r->location))
			extent = fx_extent_table_get(table, fx_location_extent(r->location));
		if (!extent ||
		    fx_extent_table_kill(table, extent, fx_location_index(r->location), r->bytes))
			return -EUCLEAN; /* never continue */
		if (!extent->live_count && add_freed(dying, extent))
			return -ENOMEM;
	}
	if (first)
		qsort(dying->records, dying->count, sizeof(*dying->records), compare);
	return 0;
}

/* ---- In the commit record ----------------------------------------------------------------------
 */

size_t fx_dying_size(const struct fx_dying *dying)
{
	/* At most one DEAD entry for each record. */
	return 2 * (FX_SECTION_HEADER + 8) + dying->freed_count * 8 +
	       dying->count * fx_journal_dead_size(1);
}

static void put_freed(const struct fx_dying *dying, struct fx_journal_writer *w)
{
	fx_journal_section(w, FX_SECTION_FREED);
	for (size_t i = 0; i < dying->freed_count; i++)
		fx_journal_put_freed(w, dying->freed[i]->sequence);
	fx_journal_section_end(w);
}

/* The dead records of extents that live on; those of freed extents need no mention. */
static int put_dead(const struct fx_dying *dying, struct fx_journal_writer *w)
{
	const struct fx_dying_record *records = dying->records;
	uint16_t *indexes = FX_PATIENTLY(malloc(FX_EXTENT_RECORDS_MAX * sizeof(*indexes)));
	size_t i = 0;

	if (!indexes)
		return -ENOMEM;
	fx_journal_section(w, FX_SECTION_DEAD);
	while (i < dying->count) {
		uint32_t number = fx_location_extent(records[i].location), count = 0;
		const struct fx_extent *extent = fx_extent_table_get(dying->store->extents, number);

		for (; i < dying->count && fx_location_extent(records[i].location) == number; i++)
			indexes[count++] = (uint16_t)fx_location_index(records[i].location);
		if (extent->live_count)
			fx_journal_put_dead(w, extent->sequence, indexes, count);
	}
	fx_journal_section_end(w);
	free(indexes);
	return 0;
}

int fx_dying_put(const struct fx_dying *dying, struct fx_journal_writer *w)
{
	if (dying->freed_count)
		put_freed(dying, w);
	return dying->count ? put_dead(dying, w) : 0;
}

/* ---- The end -----------------------------------------------------------------------------------
 */

void fx_dying_settle(struct fx_dying *dying)
{
	for (size_t i = 0; i < dying->freed_count; i++)
		fx_extent_table_remove(dying->store->extents, dying->freed[i]);
}

void fx_dying_free(struct fx_dying *dying)
{
	free(dying->records);
	free(dying->freed);
}
