/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack.h - records -> extents: small ones together, large ones each in an extent of its own,
 * written to free space only (I1). The flusher's thread.
 */
#ifndef FX_PACK_H
#define FX_PACK_H

#include "disk_write.h"

#define FX_PACK_BYTES	  ((uint64_t)256 * 1024) /* a packed extent, less in a small store */
#define FX_PACK_VALUE_MAX ((uint64_t)32 * 1024)	 /* larger values get an extent of their own */

/* A record on its way: what is new, or one that is moved. */
struct fx_pack_item {
	struct fx_record *record;
	const uint8_t *value;  /* NULL: the record has it */
	fx_location *location; /* where it goes is written there */
};

struct fx_pack {
	struct feox_store *store;
	struct fx_write_queue *writes;
	uint64_t next_sequence;
	uint64_t limit; /* bytes of a packed extent */
	/* The extent being collected. */
	struct fx_pack_item *items;
	uint32_t count, capacity;
	uint64_t directory_bytes, value_bytes;
	/* Where it is to be written. */
	struct fx_run *runs;
	uint32_t run_count, run_capacity;
	/* Extents made so far. */
	struct fx_extent **extents;
	uint32_t extent_count, extent_capacity;
};

void fx_pack_begin(struct fx_pack *pack, struct feox_store *store, struct fx_write_queue *writes,
		   uint64_t next_sequence);

/*
 * Add a record; starts a write when an extent is full. What item points to stays until
 * fx_pack_end().
 */
int fx_pack_add(struct fx_pack *pack, const struct fx_pack_item *item);

/* Bytes a record takes in an extent, its directory entry included. */
uint64_t fx_pack_room(const struct fx_record *record);

/* Write what is collected. */
int fx_pack_end(struct fx_pack *pack);

void fx_pack_free(struct fx_pack *pack);

#endif
