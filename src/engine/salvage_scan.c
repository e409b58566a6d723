/* SPDX-License-Identifier: Apache-2.0 */
/*
 * salvage_scan.c - every block of a device is looked at: does an extent or a journal record begin
 * here? Their own block number, the store's UUID and their checksums say so.
 *
 * What the journal's records say of extents is kept as evidence. Where an extent lies may be taken
 * from any whole record. That a record died, or an extent was freed, only from one of whom it is
 * certain that it took effect: a later commit record of the same chain exists, which was not
 * submitted before the sync of all before it (format.md, "Order of writes"). The last commit of a
 * chain may be torn, and a checkpoint without a commit behind it may never have been named by a
 * superblock: what those call dead may be all that there is.
 *
 * The device is not trusted. What is remembered is bounded by its size.
 */
#include "salvage.h"

#include "bytes.h"
#include "cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PIECE	      ((size_t)1 << 20)
#define MAGIC_SIZE    4u
#define UUID_AT	      8u  /* in extents and journal records alike */
#define SEQUENCE_AT   32u /* the same */
#define GENERATION_AT 24u /* in journal records */
#define STORES_MAX    64u /* whose remains are told apart */

/* A journal record that is whole. */
struct testimony {
	uint64_t block;
	struct fx_journal_header header;
	bool certain;
};

struct scan {
	struct fx_search *search;
	int (*extent)(struct scan *scan, const uint8_t *first, uint64_t block);
	int (*journal)(struct scan *scan, const struct fx_journal_header *header,
		       const uint8_t *uuid);
	struct testimony *testimonies;
	size_t count, capacity;
	struct candidate {
		uint8_t uuid[FX_UUID_SIZE];
		uint64_t extents, records, wall_ns;
	} stores[STORES_MAX];
	unsigned int store_count;
};

static int compare_witnesses(const struct fx_witness *a, const struct fx_witness *b)
{
	return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

RB_PROTOTYPE_INTERNAL(fx_witnesses, fx_witness, by_sequence, compare_witnesses,
		      static __attribute__((unused)));
RB_GENERATE_INTERNAL(fx_witnesses, fx_witness, by_sequence, compare_witnesses,
		     static __attribute__((unused)))

/* The array, with room for one more behind count; NULL: memory is short, and it is as it was. */
static void *grow(void *array, size_t *capacity, size_t count, size_t size)
{
	size_t wanted = *capacity ? 2 * *capacity : 64;
	void *new;

	if (count < *capacity)
		return array;
	new = realloc(array, wanted * size);
	if (new)
		*capacity = wanted;
	return new;
}

/* ---- Reading blocks ----------------------------------------------------------------------------
 */

/* The whole record whose header is known, verified. NULL: it is not whole, or memory is short. */
static uint8_t *read_whole(struct feox_store *store, const struct fx_journal_header *header,
			   const uint8_t *uuid)
{
	FX_AUTO_FREE uint8_t *bytes = malloc(header->bytes);

	if (!bytes ||
	    fx_device_read(store->device, bytes, header->bytes, header->block * FX_BLOCK) ||
	    fx_journal_verify(bytes, header, uuid))
		return NULL;
	return FX_STEAL(bytes);
}

static int look_at_journal(struct scan *scan, const uint8_t *first, uint64_t block)
{
	struct feox_store *store = scan->search->check->store;
	uint64_t left = store->device->size - block * FX_BLOCK;
	const uint8_t *uuid = first + UUID_AT;
	struct fx_journal_header header;
	FX_AUTO_FREE uint8_t *bytes = NULL;
	const char *why;

	if (fx_journal_header_decode(first, uuid, fx_get_u64(first + GENERATION_AT),
				     fx_get_u64(first + SEQUENCE_AT), block, left, &header, &why))
		return 0;
	bytes = read_whole(store, &header, uuid);
	return bytes ? scan->journal(scan, &header, uuid) : 0;
}

static int look_at(struct scan *scan, const uint8_t *first, uint64_t block)
{
	if (!memcmp(first, "FXEX", MAGIC_SIZE))
		return scan->extent(scan, first, block);
	if (!memcmp(first, "FXJR", MAGIC_SIZE))
		return look_at_journal(scan, first, block);
	return 0;
}

/* Block by block, when a piece cannot be read as a whole. */
static int scan_piece(struct scan *scan, uint8_t *piece, uint64_t block, size_t blocks)
{
	struct fx_device *device = scan->search->check->store->device;
	bool whole = !fx_device_read(device, piece, blocks * FX_BLOCK, block * FX_BLOCK);
	int err = 0;

	for (size_t i = 0; i < blocks && !err; i++) {
		uint8_t *at = piece + i * FX_BLOCK;

		if (whole || !fx_device_read(device, at, FX_BLOCK, (block + i) * FX_BLOCK))
			err = look_at(scan, at, block + i);
	}
	return err;
}

static int scan_device(struct scan *scan)
{
	struct fx_check *check = scan->search->check;
	uint64_t blocks = check->store->device->size / FX_BLOCK;
	FX_AUTO_FREE uint8_t *piece = malloc(PIECE);
	int err = piece ? 0 : -ENOMEM;

	for (uint64_t block = FX_DATA_START; block < blocks && !err; block += PIECE / FX_BLOCK) {
		err = fx_check_progress(check, FEOX_CHECK_SEARCH, block, blocks);
		if (!err)
			err = scan_piece(scan, piece, block,
					 (size_t)FX_MIN(blocks - block, PIECE / FX_BLOCK));
	}
	return err ? err : fx_check_progress(check, FEOX_CHECK_SEARCH, blocks, blocks);
}

/* ---- Whose store it was ------------------------------------------------------------------------
 */

static struct candidate *candidate(struct scan *scan, const uint8_t *uuid)
{
	for (unsigned int i = 0; i < scan->store_count; i++)
		if (!memcmp(scan->stores[i].uuid, uuid, FX_UUID_SIZE))
			return &scan->stores[i];
	if (scan->store_count == STORES_MAX)
		return NULL;
	memcpy(scan->stores[scan->store_count].uuid, uuid, FX_UUID_SIZE);
	return &scan->stores[scan->store_count++];
}

static int claim_extent(struct scan *scan, const uint8_t *first, uint64_t block)
{
	struct fx_extent_header header;
	const char *why;
	struct candidate *c = candidate(scan, first + UUID_AT);

	if (c &&
	    !fx_extent_header_decode(first, first + UUID_AT, block, fx_get_u64(first + SEQUENCE_AT),
				     FX_EXTENT_BYTES_MAX, &header, &why))
		c->extents++;
	return 0;
}

static int claim_journal(struct scan *scan, const struct fx_journal_header *header,
			 const uint8_t *uuid)
{
	struct candidate *c = candidate(scan, uuid);

	if (c) {
		c->records++;
		c->wall_ns = FX_MAX(c->wall_ns, header->wall_ns);
	}
	return 0;
}

static bool is_better(const struct candidate *a, const struct candidate *b)
{
	if (!a->records != !b->records)
		return a->records;
	if (a->wall_ns != b->wall_ns)
		return a->wall_ns > b->wall_ns;
	return a->extents > b->extents;
}

int fx_search_identify(struct fx_search *search)
{
	struct scan scan = {.search = search, .extent = claim_extent, .journal = claim_journal};
	const struct candidate *best = NULL;
	int err = scan_device(&scan);

	for (unsigned int i = 0; i < scan.store_count && !err; i++) {
		const struct candidate *c = &scan.stores[i];

		if ((c->extents || c->records) && (!best || is_better(c, best)))
			best = c;
	}
	if (err || !best)
		return err ? err : -EUCLEAN;
	memcpy(search->uuid, best->uuid, FX_UUID_SIZE);
	return 0;
}

/* ---- Extents and evidence ----------------------------------------------------------------------
 */

static int find_extent(struct scan *scan, const uint8_t *first, uint64_t block)
{
	struct fx_search *search = scan->search;
	uint64_t size = search->check->store->device->size;
	struct fx_find find = {.block = block};
	const char *why;
	struct fx_find *finds;

	if (fx_extent_header_decode(first, search->uuid, block, fx_get_u64(first + SEQUENCE_AT),
				    FX_MIN(size, FX_EXTENT_BYTES_MAX), &find.header, &why) ||
	    !find.header.records || find.header.records > FX_EXTENT_RECORDS_MAX)
		return 0;
	finds = grow(search->finds, &search->find_capacity, search->find_count, sizeof(find));
	if (!finds)
		return -ENOMEM;
	search->finds = finds;
	finds[search->find_count++] = find;
	return 0;
}

static int find_journal(struct scan *scan, const struct fx_journal_header *header,
			const uint8_t *uuid)
{
	struct fx_search *search = scan->search;
	struct testimony *testimonies;
	struct fx_run *journal;

	if (memcmp(uuid, search->uuid, FX_UUID_SIZE) != 0 ||
	    header->version_ceiling > FX_VERSION_MAX || header->id_ceiling > FX_ID_MAX)
		return 0;
	testimonies = grow(scan->testimonies, &scan->capacity, scan->count, sizeof(*testimonies));
	if (testimonies)
		scan->testimonies = testimonies;
	journal = grow(search->journal, &search->journal_capacity, search->journal_count,
		       sizeof(*journal));
	if (journal)
		search->journal = journal;
	if (!testimonies || !journal)
		return -ENOMEM;
	scan->testimonies[scan->count++] =
		(struct testimony){.block = header->block, .header = *header};
	search->journal[search->journal_count++] =
		(struct fx_run){header->block, header->bytes / FX_BLOCK};
	search->version_ceiling = FX_MAX(search->version_ceiling, header->version_ceiling);
	search->id_ceiling = FX_MAX(search->id_ceiling, header->id_ceiling);
	search->wall_ns = FX_MAX(search->wall_ns, header->wall_ns);
	search->generation_count =
		FX_MAX(search->generation_count, header->generation & UINT32_MAX);
	return 0;
}

/* The chains one behind another, each from its last record to its first. */
static int compare_testimonies(const void *a, const void *b)
{
	const struct fx_journal_header *x = &((const struct testimony *)a)->header;
	const struct fx_journal_header *y = &((const struct testimony *)b)->header;

	if (x->generation != y->generation)
		return x->generation < y->generation ? -1 : 1;
	return (x->sequence < y->sequence) - (x->sequence > y->sequence);
}

/* Links are written with a checkpoint too: they prove nothing. */
static bool is_commit(const struct fx_journal_header *header)
{
	return header->type == FX_JOURNAL_COMMIT && !header->next_block;
}

static void find_certain(struct scan *scan)
{
	bool proven = false;

	qsort(scan->testimonies, scan->count, sizeof(struct testimony), compare_testimonies);
	for (size_t i = 0; i < scan->count; i++) {
		struct testimony *t = &scan->testimonies[i];

		if (!i || t[-1].header.generation != t->header.generation)
			proven = false;
		t->certain = proven;
		proven = proven || is_commit(&t->header);
	}
}

static struct fx_witness *witness(struct fx_search *search, uint64_t sequence)
{
	struct fx_witness *w = fx_search_witness(search, sequence);

	if (w)
		return w;
	w = calloc(1, sizeof(*w));
	if (w) {
		w->sequence = sequence;
		RB_INSERT(fx_witnesses, &search->witnesses, w);
	}
	return w;
}

/* Where an extent lies. The first record that says so is as good as any. */
static int hear_place(struct fx_witness *w, const struct fx_journal_extent *e)
{
	if (w->runs)
		return 0;
	w->runs = malloc(e->run_count * sizeof(*w->runs));
	if (!w->runs)
		return -ENOMEM;
	for (uint32_t i = 0; i < e->run_count; i++) {
		struct fx_journal_run run = fx_journal_run_decode(e->runs, i);

		w->runs[i] = (struct fx_run){run.start, run.blocks};
	}
	w->run_count = e->run_count;
	w->records = e->records;
	w->bytes = e->bytes;
	return 0;
}

static int hear_dead(struct fx_witness *w, uint32_t index)
{
	if (!w->dead)
		w->dead = calloc((FX_EXTENT_RECORDS_MAX + 64) / 64, sizeof(*w->dead));
	if (!w->dead)
		return -ENOMEM;
	if (index <= FX_EXTENT_RECORDS_MAX)
		w->dead[index / 64] |= UINT64_C(1) << index % 64;
	return 0;
}

static int hear_extent(struct fx_search *search, const struct fx_journal_extent *e, bool certain)
{
	struct fx_witness *w = witness(search, e->sequence);
	int err = w ? hear_place(w, e) : -ENOMEM;

	for (uint32_t i = 0; e->live_bitmap && certain && i < e->records && !err; i++)
		if (!(fx_get_u64(e->live_bitmap + (size_t)i / 64 * 8) >> i % 64 & 1))
			err = hear_dead(w, i);
	return err;
}

/* One entry of the open section: 1, 0 when there is none, or an error. */
static int hear_entry(struct fx_search *search, struct fx_journal_reader *r, bool certain)
{
	struct fx_journal_extent extent;
	const uint8_t *indexes;
	struct fx_witness *w;
	uint64_t sequence;
	uint32_t count;
	int more, err = 0;

	switch (r->type) {
	case FX_SECTION_EXTENTS:
	case FX_SECTION_STATE:
		more = fx_journal_next_extent(r, &extent);
		if (more == 1)
			err = hear_extent(search, &extent, certain);
		break;
	case FX_SECTION_FREED:
		more = fx_journal_next_freed(r, &sequence);
		w = more == 1 && certain ? witness(search, sequence) : NULL;
		if (w)
			w->freed = true;
		break;
	case FX_SECTION_DEAD:
		more = fx_journal_next_dead(r, &sequence, &indexes, &count);
		w = more == 1 && certain ? witness(search, sequence) : NULL;
		for (uint32_t i = 0; w && i < count && !err; i++)
			err = hear_dead(w, fx_get_u16(indexes + (size_t)i * 2));
		break;
	default: /* what was changed in place may be undone */
		more = 0;
	}
	return err ? err : more;
}

/* -ENOMEM only: a record that makes no sense says nothing more. */
static int hear(struct fx_search *search, const struct testimony *t)
{
	FX_AUTO_FREE uint8_t *bytes = read_whole(search->check->store, &t->header, search->uuid);
	struct fx_journal_reader r;
	int more = 1;

	if (!bytes)
		return 0;
	fx_journal_read(&r, bytes, &t->header);
	while (more > 0 && fx_journal_next_section(&r) > 0)
		while ((more = hear_entry(search, &r, t->certain)) > 0)
			;
	return more == -ENOMEM ? more : 0;
}

struct fx_witness *fx_search_witness(struct fx_search *search, uint64_t sequence)
{
	struct fx_witness probe = {.sequence = sequence};

	return RB_FIND(fx_witnesses, &search->witnesses, &probe);
}

int fx_search_device(struct fx_search *search)
{
	struct scan scan = {.search = search, .extent = find_extent, .journal = find_journal};
	int err = scan_device(&scan);

	if (!err && scan.count)
		find_certain(&scan);
	for (size_t i = 0; i < scan.count && !err; i++)
		err = hear(search, &scan.testimonies[i]);
	for (size_t i = 0; i < search->find_count && !err; i++)
		search->finds[i].witness =
			fx_search_witness(search, search->finds[i].header.sequence);
	search->check->result.journal_records = scan.count;
	free(scan.testimonies);
	return err;
}

void fx_search_free(struct fx_search *search)
{
	struct fx_witness *w;

	while ((w = RB_ROOT(&search->witnesses))) {
		RB_REMOVE(fx_witnesses, &search->witnesses, w);
		free(w->runs);
		free(w->dead);
		free(w);
	}
	free(search->finds);
	free(search->journal);
}
