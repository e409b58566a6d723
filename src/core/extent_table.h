/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extent_table.h - the extents of a store in memory: number -> place, and which of its records
 * live.
 *
 * Numbers are small, dense and reused; 0 is never one. Add, kill and remove belong to the flusher's
 * thread (recovery before it). Any thread may look an extent up inside an epoch section, and keep
 * it from being reused beyond that section by a pin.
 *
 *   LIVE --last record dies--> EMPTY --remove--> LEAVING --durable, grace period, no pin--> free
 */
#ifndef FX_EXTENT_TABLE_H
#define FX_EXTENT_TABLE_H

#include "amended.h"
#include "epoch.h"
#include "live_share.h"
#include "slab.h"
#include "space.h"

#include <stdatomic.h>

#define FX_EXTENT_RUNS_MAX    (1u << 19) /* runs of blocks of one extent */
#define FX_EXTENT_RECORDS_MAX 65535u

struct fx_extent {
	uint64_t sequence;   /* never reused; the extent's name on disk */
	uint64_t bytes;	     /* used, header included; the runs hold it */
	uint64_t checksum;   /* over all of these bytes */
	uint64_t blocks;     /* of its runs */
	uint64_t live_bytes; /* of its live records and their directory entries; an estimate */
	uint64_t rest;	     /* compact.c: no use before this step */
	TAILQ_ENTRY(fx_extent) by_share;
	uint32_t number;
	uint32_t directory_bytes;
	uint32_t record_count;
	uint32_t live_count;
	uint32_t run_count;
	_Atomic uint32_t pins;
	uint8_t share;		      /* live_share.h */
	uint64_t *live;		      /* bitmap of record_count bits, host order words */
	struct fx_amend_list amended; /* the flusher's; change it through this table only */
	struct fx_run runs[];
};

struct fx_extent_table;

int fx_extent_table_create(struct fx_slab *slab, struct fx_epoch *epoch,
			   struct fx_extent_table **ret_table);
void fx_extent_table_destroy(struct fx_extent_table *table); /* NULL is allowed */

/*
 * A new extent with all records live, or those of live_bitmap (may be NULL). runs are copied.
 * -ENOMEM, -EINVAL (a count is out of range).
 */
int fx_extent_table_add(struct fx_extent_table *table, uint64_t sequence, uint64_t bytes,
			uint32_t directory_bytes, uint32_t record_count, uint64_t checksum,
			const struct fx_run *runs, uint32_t run_count, const uint64_t *live_bitmap,
			struct fx_extent **ret_extent);

/*
 * A new extent, which no one has read yet, is elsewhere: in runs, of which there are not more than
 * it has now. The flusher.
 */
void fx_extent_table_move(struct fx_extent_table *table, struct fx_extent *extent,
			  const struct fx_run *runs, uint32_t run_count);

/*
 * NULL when there is none of this number / sequence. Any thread / the flusher. A removed extent is
 * still found by its number, by who was inside an epoch section when it was removed.
 */
struct fx_extent *fx_extent_table_get(struct fx_extent_table *table, uint32_t number);
struct fx_extent *fx_extent_table_by_sequence(struct fx_extent_table *table, uint64_t sequence);

/*
 * Record index is dead, and its amendment with it. -ENOENT: it was not alive (a corrupt journal, or
 * a bug). The records that the extent's amendments lead to are still there. Recovery, which does
 * not know its size, calls the first, and fx_extent_table_weigh() with what is left later.
 */
int fx_extent_kill(struct fx_extent_table *table, struct fx_extent *extent, uint32_t index);
int fx_extent_table_kill(struct fx_extent_table *table, struct fx_extent *extent, uint32_t index,
			 uint64_t bytes);
void fx_extent_table_weigh(struct fx_extent_table *table, struct fx_extent *extent,
			   uint64_t live_bytes);
bool fx_extent_is_live(const struct fx_extent *extent, uint32_t index);

/* Amend count live records, in order of index. -ENOMEM. The flusher. */
int fx_extent_amend(struct fx_extent_table *table, struct fx_extent *extent,
		    const struct fx_amended *changes, uint32_t count);

/* Take an extent out of the table. Its runs stay taken until fx_extent_table_reap() gives it. */
void fx_extent_table_remove(struct fx_extent_table *table, struct fx_extent *extent);

/*
 * Removed extents whose grace period has passed and that nobody pins: calls free_run for each of
 * their runs and forgets them. The caller removes extents only when that is durable.
 */
void fx_extent_table_reap(struct fx_extent_table *table,
			  void (*free_run)(void *ctx, struct fx_run run), void *ctx);

/* Wait until a grace period has passed for all that have been removed. Outside of sections. */
void fx_extent_table_wait_grace(struct fx_extent_table *table);

/* Inside the section that found it. Unpin anywhere. */
void fx_extent_pin(struct fx_extent *extent);
void fx_extent_unpin(struct fx_extent *extent);

/* In order of number; *cursor 0 starts; NULL at the end. The flusher's thread. */
struct fx_extent *fx_extent_table_next(struct fx_extent_table *table, uint32_t *cursor);

/* Removed ones that have not been reaped, and their blocks. The flusher. */
uint32_t fx_extent_table_leaving(const struct fx_extent_table *table);
uint64_t fx_extent_table_leaving_blocks(const struct fx_extent_table *table);

/* Extents by how much of them lives. The flusher. */
struct fx_live_shares *fx_extent_table_shares(struct fx_extent_table *table);
uint32_t fx_extent_table_count(const struct fx_extent_table *table);
/* Runs and bitmap words of all extents together: what a checkpoint has to write. The flusher. */
void fx_extent_table_totals(const struct fx_extent_table *table, uint64_t *ret_runs,
			    uint64_t *ret_words);
/* Bytes that the amendments of all extents take in a checkpoint at most. The flusher. */
uint64_t fx_extent_table_amend_bytes(const struct fx_extent_table *table);
uint64_t fx_extent_table_live_records(const struct fx_extent_table *table);

/*
 * Byte offset on the device of byte at of the extent; *ret_contiguous says how many bytes follow
 * there without a gap. at < extent->bytes.
 */
uint64_t fx_extent_place(const struct fx_extent *extent, uint64_t at, uint64_t *ret_contiguous);

#endif
