/* SPDX-License-Identifier: Apache-2.0 */
#include "amended.h"

#include <errno.h>

#define DEAD_DIVISOR 2u /* a list is cleaned up when this part of it has died */

/* ---- What a change is --------------------------------------------------------------------------
 */

void fx_amended_compose(struct fx_amended *first, const struct fx_amended *next)
{
	bool had_key = first->flags & FX_AMEND_KEY;

	first->record = next->record;
	first->flags |= next->flags;
	if (!(next->flags & FX_AMEND_KEY))
		return;
	if (!had_key) {
		first->strip = next->strip;
		first->prefix_size = next->prefix_size;
	} else if (first->strip == FX_STRIP_ALL || next->strip == FX_STRIP_ALL) {
		first->strip = FX_STRIP_ALL;
	} else if (next->strip <= first->prefix_size) {
		first->prefix_size =
			(uint16_t)(next->prefix_size + first->prefix_size - next->strip);
	} else {
		first->strip = (uint16_t)(first->strip + next->strip - first->prefix_size);
		first->prefix_size = next->prefix_size;
	}
}

/* Is it alive, and is its key told by its beginning? */
static bool has_prefix(const struct fx_amended *a)
{
	return a->record && (a->flags & FX_AMEND_KEY) && a->strip != FX_STRIP_ALL;
}

/* Can one PREFIX entry tell both? */
static bool is_same_prefix(const struct fx_amended *a, const struct fx_amended *b)
{
	return a->record->version == b->record->version && a->strip == b->strip &&
	       a->prefix_size == b->prefix_size &&
	       !memcmp(fx_record_key(a->record), fx_record_key(b->record), a->prefix_size);
}

static struct fx_journal_amend amend_of(const struct fx_amended *a, uint64_t sequence,
					uint32_t flags)
{
	const struct fx_record *r = a->record;
	struct fx_journal_amend amend = {.sequence = sequence, .index = a->index, .flags = flags};

	if (flags & FX_AMEND_KEY) {
		amend.key = fx_record_key(r);
		amend.key_size = r->key_size;
	}
	if (flags & FX_AMEND_VERSION)
		amend.version = r->version;
	if (flags & FX_AMEND_EXPIRY)
		amend.expiry_ns = fx_record_expiry(r);
	if (flags & FX_AMEND_METADATA) {
		amend.metadata = fx_record_metadata(r);
		amend.metadata_size = r->metadata_size;
	}
	return amend;
}

static uint64_t single_size(const struct fx_amended *a, uint32_t flags)
{
	struct fx_journal_amend amend = amend_of(a, 0, flags);

	return flags ? fx_journal_amend_size(&amend) : 0;
}

/* What a PREFIX entry leaves to an AMEND entry. */
static uint32_t rest_of(const struct fx_amended *a)
{
	return a->flags & ~(uint32_t)(FX_AMEND_KEY | FX_AMEND_VERSION);
}

/* ---- Lists -------------------------------------------------------------------------------------
 */

struct group {
	const struct fx_amended *first;
	uint64_t singles, prefixed; /* bytes: one by one, and by a PREFIX entry */
};

/* The group of an entry whose key is told by its beginning, perhaps a new one; 0: too many. */
static uint8_t group_of(struct group *groups, uint32_t *count, const struct fx_amended *a,
			uint8_t guess)
{
	if (guess && is_same_prefix(groups[guess].first, a))
		return guess;
	for (uint32_t i = 1; i <= *count; i++)
		if (is_same_prefix(groups[i].first, a))
			return (uint8_t)i;
	if (*count == FX_AMEND_GROUP_MAX)
		return 0;
	groups[++*count] = (struct group){.first = a};
	return (uint8_t)*count;
}

/* Assign groups; how many there are. */
static uint32_t find_groups(struct fx_amend_list *list, struct group *groups)
{
	uint32_t count = 0;
	uint8_t last = 0;

	for (uint32_t i = 0; i < list->count; i++) {
		struct fx_amended *a = &list->at[i];
		struct group *group;

		a->group = has_prefix(a) ? group_of(groups, &count, a, last) : 0;
		if (!a->group)
			continue;
		last = a->group;
		group = &groups[last];
		group->singles += single_size(a, a->flags);
		group->prefixed += single_size(a, rest_of(a));
	}
	return count;
}

void fx_amend_list_measure(struct fx_amend_list *list, uint32_t extent_records)
{
	struct group groups[FX_AMEND_GROUP_MAX + 1];
	uint32_t count = find_groups(list, groups);

	list->bytes = 0;
	list->groups = count;
	for (uint32_t i = 1; i <= count; i++) {
		struct group *group = &groups[i];

		group->prefixed += fx_journal_prefix_size(group->first->prefix_size) +
				   fx_journal_list_size(extent_records);
		if (group->prefixed < group->singles)
			list->bytes += group->prefixed;
		else
			group->first = NULL; /* one by one */
	}
	for (uint32_t i = 0; i < list->count; i++) {
		struct fx_amended *a = &list->at[i];

		if (a->group && !groups[a->group].first)
			a->group = 0;
		if (a->record && !a->group)
			list->bytes += single_size(a, a->flags);
	}
}

static void clean_up(struct fx_amend_list *list, uint32_t extent_records)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < list->count; i++)
		if (list->at[i].record)
			list->at[count++] = list->at[i];
	list->count = count;
	list->dead = 0;
	fx_amend_list_measure(list, extent_records);
}

int fx_amend_list_add(struct fx_slab *slab, struct fx_amend_list *list,
		      const struct fx_amended *changes, uint32_t count, uint32_t extent_records)
{
	uint32_t capacity = list->count + count, old = 0, n = 0;
	struct fx_amended *merged = fx_slab_alloc(slab, capacity * sizeof(*merged));

	if (!merged)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		while (old < list->count && list->at[old].index < changes[i].index) {
			if (list->at[old].record)
				merged[n++] = list->at[old];
			old++;
		}
		merged[n] = changes[i];
		if (old < list->count && list->at[old].index == changes[i].index) {
			merged[n] = list->at[old++];
			fx_amended_compose(&merged[n], &changes[i]);
		}
		n++;
	}
	for (; old < list->count; old++)
		if (list->at[old].record)
			merged[n++] = list->at[old];
	fx_amend_list_free(slab, list);
	*list = (struct fx_amend_list){.at = merged, .count = n, .capacity = capacity};
	fx_amend_list_measure(list, extent_records);
	return 0;
}

void fx_amend_list_free(struct fx_slab *slab, struct fx_amend_list *list)
{
	if (list->at)
		fx_slab_free(slab, list->at, list->capacity * sizeof(*list->at));
	*list = (struct fx_amend_list){0};
}

const struct fx_amended *fx_amend_list_find(const struct fx_amend_list *list, uint32_t index)
{
	uint32_t low = 0, high = list->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (list->at[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low < list->count && list->at[low].index == index && list->at[low].record
		       ? &list->at[low]
		       : NULL;
}

void fx_amend_list_kill(struct fx_amend_list *list, uint32_t index, uint32_t extent_records)
{
	const struct fx_amended *found = fx_amend_list_find(list, index);

	if (!found)
		return;
	list->at[found - list->at].record = NULL;
	if (++list->dead > list->count / DEAD_DIVISOR)
		clean_up(list, extent_records);
}

void fx_amend_list_replace(struct fx_amend_list *list, uint32_t index,
			   const struct fx_record *record)
{
	const struct fx_amended *found = fx_amend_list_find(list, index);

	if (found)
		list->at[found - list->at].record = record;
}

/* ---- Writing -----------------------------------------------------------------------------------
 */

bool fx_amend_list_next(const struct fx_amend_list *list, uint64_t sequence, uint32_t *cursor,
			struct fx_journal_amend *ret_amend)
{
	while (*cursor < list->count) {
		const struct fx_amended *a = &list->at[(*cursor)++];
		uint32_t flags = a->group ? rest_of(a) : a->flags;

		if (!a->record || !flags)
			continue;
		*ret_amend = amend_of(a, sequence, flags);
		return true;
	}
	return false;
}

static const struct fx_amended *first_of_group(const struct fx_amend_list *list, uint32_t group)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->at[i].group == group && list->at[i].record)
			return &list->at[i];
	return NULL;
}

bool fx_amend_list_next_prefix(const struct fx_amend_list *list, uint32_t *group,
			       struct fx_journal_prefix *ret_prefix)
{
	const struct fx_amended *first = NULL;

	/* One may be empty: of those that have died, or are told one by one. */
	while (!first && *group < list->groups)
		first = first_of_group(list, ++*group);
	if (!first)
		return false;
	*ret_prefix = (struct fx_journal_prefix){
		.version = first->record->version,
		.strip = first->strip,
		.size = first->prefix_size,
		.lists = 1,
		.bytes = fx_record_key(first->record),
	};
	return true;
}

void fx_amend_list_mark(const struct fx_amend_list *list, uint32_t group, uint8_t *bitmap)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->at[i].group == group && list->at[i].record)
			fx_journal_bit_set(bitmap, list->at[i].index);
}
