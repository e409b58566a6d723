/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_sort.c - sorting keys by eight bytes at a time.
 *
 * Comparing keys means two cache misses a comparison, some twenty comparisons a key. So each key
 * is looked at once: what all have in common at the beginning is skipped, the next eight bytes
 * become a number that compares as they do, and the numbers are sorted beside the pointers, by
 * their digits, without looking at the keys again. Runs of equal numbers are ranges to be sorted by
 * what follows, in the same way.
 *
 * Missing bytes count as 0: of equal numbers those keys come first that end within the eight bytes,
 * the shorter before the longer; they are a prefix of all others.
 */
#include "load_sort.h"

#include "bytes.h"

#include <errno.h>
#include <stdlib.h>

#define HEAD	 8u    /* bytes looked at in one go */
#define DIGITS	 256u  /* values of one byte of a head */
#define SMALL	 1024u /* items that are sorted by comparing */
#define AHEAD	 16u   /* items whose keys are asked for before they are looked at */
#define PASS(at) ((at)*8u)

struct range {
	size_t begin, count;
	size_t offset; /* bytes that all keys have in common */
};

struct sort {
	struct fx_sort_item *items, *spare; /* two of the same size */
	struct range *ranges;		    /* to be sorted */
	size_t count, capacity;
};

static void prefetch(const struct fx_sort_item *items, size_t i, size_t n)
{
	if (i + AHEAD < n)
		__builtin_prefetch(items[i + AHEAD].record);
}

/* How many bytes from offset on are the same in all keys. */
static size_t shared(const struct fx_sort_item *items, size_t n, size_t offset)
{
	const struct fx_record *first = items[0].record;
	const uint8_t *model = fx_record_key(first) + offset;
	size_t same = first->key_size - offset;

	for (size_t i = 1; i < n && same; i++) {
		const struct fx_record *record = items[i].record;
		const uint8_t *key = fx_record_key(record) + offset;
		size_t at = 0;

		prefetch(items, i, n);
		if (record->key_size - offset < same)
			same = record->key_size - offset;
		while (at < same && key[at] == model[at])
			at++;
		same = at;
	}
	return same;
}

static uint64_t head_of(const struct fx_record *record, size_t offset)
{
	size_t left = record->key_size - offset;
	uint64_t head = 0;

	memcpy(&head, fx_record_key(record) + offset, left < HEAD ? left : HEAD);
	return be64toh(head);
}

static void set_heads(struct fx_sort_item *items, size_t n, size_t offset)
{
	for (size_t i = 0; i < n; i++) {
		prefetch(items, i, n);
		items[i].head = head_of(items[i].record, offset);
	}
}

static int compare(const void *a, const void *b)
{
	const struct fx_sort_item *x = a, *y = b;

	if (x->head != y->head)
		return x->head < y->head ? -1 : 1;
	return fx_bytes_cmp(fx_record_key(x->record), x->record->key_size, fx_record_key(y->record),
			    y->record->key_size);
}

/* By the digits of the heads, from the last to the first; digits that all share are left out. */
static void sort_heads(struct sort *sort, struct fx_sort_item *items, size_t n)
{
	static const unsigned int last = HEAD - 1;
	struct fx_sort_item *from = items, *to = sort->spare;
	size_t counts[HEAD][DIGITS] = {{0}};

	for (size_t i = 0; i < n; i++)
		for (unsigned int d = 0; d <= last; d++)
			counts[d][items[i].head >> PASS(d) & (DIGITS - 1)]++;
	for (unsigned int d = 0; d <= last; d++) {
		struct fx_sort_item *other = from;
		size_t sum = 0;

		if (counts[d][from[0].head >> PASS(d) & (DIGITS - 1)] == n)
			continue;
		for (unsigned int v = 0; v < DIGITS; v++) {
			size_t count = counts[d][v];

			counts[d][v] = sum;
			sum += count;
		}
		for (size_t i = 0; i < n; i++)
			to[counts[d][from[i].head >> PASS(d) & (DIGITS - 1)]++] = from[i];
		from = to;
		to = other;
	}
	if (from != items)
		memcpy(items, from, n * sizeof(*items));
}

static int push(struct sort *sort, struct range range)
{
	if (sort->count == sort->capacity) {
		size_t capacity = sort->capacity ? 2 * sort->capacity : 64;
		struct range *ranges = realloc(sort->ranges, capacity * sizeof(*ranges));

		if (!ranges)
			return -ENOMEM;
		sort->ranges = ranges;
		sort->capacity = capacity;
	}
	sort->ranges[sort->count++] = range;
	return 0;
}

/* Of a run of equal heads: those whose keys end come first. How many they are: few, keys differ. */
static size_t sort_ended(struct fx_sort_item *items, size_t n, size_t offset)
{
	size_t ended = 0;

	for (size_t i = 0; i < n; i++) {
		struct fx_sort_item item = items[i];
		size_t at = ended;

		if (item.record->key_size > offset + HEAD)
			continue;
		items[i] = items[ended++];
		for (; at && items[at - 1].record->key_size > item.record->key_size; at--)
			items[at] = items[at - 1];
		items[at] = item;
	}
	return ended;
}

/* The heads of a range are in order: what has the same is to be sorted by what follows. */
static int push_runs(struct sort *sort, struct range range)
{
	struct fx_sort_item *items = sort->items + range.begin;
	size_t end;
	int err = 0;

	for (size_t i = 0; i < range.count && !err; i = end) {
		size_t ended;

		for (end = i + 1; end < range.count && items[end].head == items[i].head;)
			end++;
		if (end - i == 1)
			continue;
		ended = sort_ended(items + i, end - i, range.offset);
		if (end - i - ended > 1)
			err = push(sort, (struct range){range.begin + i + ended, end - i - ended,
							range.offset + HEAD});
	}
	return err;
}

static int sort_range(struct sort *sort, struct range range)
{
	struct fx_sort_item *items = sort->items + range.begin;

	range.offset += shared(items, range.count, range.offset);
	set_heads(items, range.count, range.offset);
	if (range.count <= SMALL) {
		qsort(items, range.count, sizeof(*items), compare);
		return 0;
	}
	sort_heads(sort, items, range.count);
	return push_runs(sort, range);
}

int fx_sort_records(struct fx_sort_item *items, size_t n)
{
	struct sort sort = {.items = items};
	int err = 0;

	if (n < 2)
		return 0;
	if (n > SMALL) {
		sort.spare = malloc(n * sizeof(*items));
		err = sort.spare ? 0 : -ENOMEM;
	}
	if (!err)
		err = push(&sort, (struct range){0, n, 0});
	while (!err && sort.count)
		err = sort_range(&sort, sort.ranges[--sort.count]);
	free(sort.spare);
	free(sort.ranges);
	return err;
}
