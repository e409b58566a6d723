/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bookmarks.c - see bookmarks.h.
 *
 * What a scan remembers between two requests is scan->at, three flags, and names that may come
 * again (scan->seen), each of which is a beginning of at - or will be dropped with the next key. A
 * record is that: struct record, then at, then seen's sizes and flags.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bookmarks.h"
#include "bytes.h"
#include "cleanup.h"
#include "hash.h"

#define FX_CAPACITY_MIN ((size_t)256)
#define FX_SEEN_MAX	UINT8_MAX

struct record {
	int64_t cookie;
	uint16_t at_size;
	uint8_t flags; /* EXCLUSIVE, ... */
	uint8_t seen_count;
};

struct seen_record {
	uint16_t size;
	uint8_t continuation;
};

enum { EXCLUSIVE = 1, SELF_DONE = 2, FINISHED = 4 };

static uint8_t flags_of(const struct fx_scan *scan)
{
	return (uint8_t)((scan->at_exclusive ? EXCLUSIVE : 0) | (scan->self_done ? SELF_DONE : 0) |
			 (scan->finished ? FINISHED : 0));
}

static size_t record_size(const struct record *record)
{
	return sizeof(*record) + record->at_size + record->seen_count * sizeof(struct seen_record);
}

/* The record at that place in marks->data. */
static struct record record_at(const struct fx_bookmarks *marks, size_t place)
{
	struct record record;

	memcpy(&record, marks->data + place, sizeof(record));
	return record;
}

void fx_bookmarks_init(struct fx_bookmarks *marks, _Atomic size_t *total)
{
	*marks = (struct fx_bookmarks){.total = total};
}

void fx_bookmarks_clear(struct fx_bookmarks *marks)
{
	free(FX_STEAL(marks->data));
	if (marks->total)
		atomic_fetch_sub_explicit(marks->total, marks->capacity, memory_order_relaxed);
	marks->size = marks->capacity = marks->next = 0;
}

off_t fx_scan_cookie(const struct fx_scan *scan)
{
	uint64_t hash = fx_hash_key(flags_of(scan), scan->at.data, scan->at.size) >> 1;

	return hash > (uint64_t)FX_COOKIE_START ? (off_t)hash : (off_t)hash + FX_COOKIE_START + 1;
}

static bool is_beginning(const struct fx_scan *scan, const struct fx_seen *seen)
{
	return fx_bytes_begin(scan->at.data, scan->at.size, seen->raw, seen->size);
}

/* Count more bytes among all handles'; false: too many. Relaxed: a number and nothing else. */
static bool count(struct fx_bookmarks *marks, size_t more)
{
	if (!marks->total)
		return true;
	if (atomic_fetch_add_explicit(marks->total, more, memory_order_relaxed) + more <=
	    FX_BOOKMARKS_TOTAL_MAX)
		return true;
	atomic_fetch_sub_explicit(marks->total, more, memory_order_relaxed);
	return false;
}

static bool make_room(struct fx_bookmarks *marks, size_t size)
{
	size_t capacity = FX_MAX(marks->capacity * 2, FX_CAPACITY_MIN);
	uint8_t *data;

	if (marks->size + size <= marks->capacity)
		return true;
	if (marks->size + size > FX_BOOKMARKS_MAX)
		return false;
	while (capacity < marks->size + size)
		capacity *= 2;
	if (!count(marks, capacity - marks->capacity))
		return false;
	data = realloc(marks->data, capacity);
	if (!data) {
		if (marks->total)
			atomic_fetch_sub_explicit(marks->total, capacity - marks->capacity,
						  memory_order_relaxed);
		return false;
	}
	marks->data = data;
	marks->capacity = capacity;
	return true;
}

static void put(struct fx_bookmarks *marks, const void *data, size_t size)
{
	if (size)
		memcpy(marks->data + marks->size, data, size);
	marks->size += size;
}

int fx_bookmarks_add(struct fx_bookmarks *marks, const struct fx_scan *scan, off_t cookie)
{
	struct record record = {.cookie = cookie, .at_size = (uint16_t)scan->at.size};

	if (marks->next < marks->size && record_at(marks, marks->next).cookie == cookie) {
		record = record_at(marks, marks->next);
		marks->next += record_size(&record); /* it comes by again */
		return 0;
	}
	record.flags = flags_of(scan);
	for (size_t i = 0; i < scan->seen_count; i++)
		record.seen_count += is_beginning(scan, &scan->seen[i]);
	if (scan->seen_count > FX_SEEN_MAX || !make_room(marks, record_size(&record)))
		return -ENOMEM;
	put(marks, &record, sizeof(record));
	put(marks, scan->at.data, scan->at.size);
	for (size_t i = 0; i < scan->seen_count; i++) {
		struct seen_record seen = {.size = (uint16_t)scan->seen[i].size,
					   .continuation = scan->seen[i].continuation};

		if (is_beginning(scan, &scan->seen[i]))
			put(marks, &seen, sizeof(seen));
	}
	marks->next = marks->size;
	return 0;
}

int fx_bookmarks_replace(struct fx_bookmarks *marks, const struct fx_scan *scan, off_t cookie)
{
	marks->size = marks->next = 0;
	return fx_bookmarks_add(marks, scan, cookie);
}

void fx_bookmarks_rewind(struct fx_bookmarks *marks, struct fx_scan *scan)
{
	fx_scan_clear(scan);
	fx_scan_init(scan);
	marks->next = 0;
}

static int restore_seen(struct fx_scan *scan, const uint8_t *from, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct seen_record seen;
		int rc;

		memcpy(&seen, from + i * sizeof(seen), sizeof(seen));
		rc = fx_scan_add_seen(scan, scan->at.data, seen.size, seen.continuation);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int fx_bookmarks_return(struct fx_bookmarks *marks, struct fx_scan *scan, off_t cookie)
{
	size_t place = 0;

	while (place < marks->size) {
		struct record record = record_at(marks, place);

		if (record.cookie == cookie) {
			const uint8_t *at = marks->data + place + sizeof(record);

			fx_bookmarks_rewind(marks, scan);
			memcpy(scan->at.data, at, record.at_size);
			scan->at.size = record.at_size;
			scan->at_exclusive = record.flags & EXCLUSIVE;
			scan->self_done = record.flags & SELF_DONE;
			scan->finished = record.flags & FINISHED;
			marks->next = place + record_size(&record);
			return restore_seen(scan, at + record.at_size, record.seen_count);
		}
		place += record_size(&record);
	}
	return -ENOENT;
}
