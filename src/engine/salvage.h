/* SPDX-License-Identifier: Apache-2.0 */
/* salvage.h - what a search of the device has found, and what is made of it. One thread. */
#ifndef FX_SALVAGE_H
#define FX_SALVAGE_H

#include "check.h"

#include <sys/tree.h>

/* What the journal's records that are left say of an extent. */
struct fx_witness {
	RB_ENTRY(fx_witness) by_sequence;
	uint64_t sequence;
	struct fx_run *runs; /* NULL: not told */
	uint32_t run_count;
	uint32_t records;
	uint64_t bytes;
	bool freed;	/* for certain: none of its records lives */
	uint64_t *dead; /* those that do not live for certain; NULL: none is known */
};

RB_HEAD(fx_witnesses, fx_witness);

/* An extent whose header and directory are whole. */
struct fx_find {
	uint64_t block;
	struct fx_extent_header header;
	const struct fx_witness *witness; /* NULL: none */
};

struct fx_search {
	struct fx_check *check;
	uint8_t uuid[FX_UUID_SIZE];
	struct fx_find *finds;
	size_t find_count, find_capacity;
	struct fx_witnesses witnesses;
	struct fx_run *journal; /* places of the journal's records that are whole */
	size_t journal_count, journal_capacity;
	uint64_t version_ceiling, id_ceiling, wall_ns; /* the highest found */
	uint64_t generation_count, sequence_max;
};

/*
 * Find out whose store it was, when no superblock says so: that of the latest journal record, else
 * of the most extents. -EUCLEAN: there is nothing of a store.
 */
int fx_search_identify(struct fx_search *search);

/* Read every block: extents and journal records of search->uuid. -ENOMEM, -ECANCELED. */
int fx_search_device(struct fx_search *search);

struct fx_witness *fx_search_witness(struct fx_search *search, uint64_t sequence);

void fx_search_free(struct fx_search *search);

/* ---- Extents: salvage_extent.c ------------------------------------------------------------------
 */

struct fx_lost; /* salvage.c */

struct fx_salvage {
	struct fx_check *check;
	struct feox_store *store;
	struct fx_search search;
	uint8_t *scratch; /* a slice */
	struct fx_lost *lost;
	size_t lost_count;
	uint64_t version_max;
};

/* An extent being looked at. */
struct fx_look {
	const struct fx_find *find;
	struct fx_extent *extent; /* ours, until it has its place in the table */
	struct fx_extent *own;
	uint8_t *directory;
	uint8_t *good; /* by record: its value is right */
	bool whole;    /* all are */
};

/* What is needed to read look->find. 1; 0: it cannot be; -ENOMEM. */
int fx_look_begin(struct fx_salvage *s, struct fx_look *look);
void fx_look_end(struct fx_look *look);

/* Read the directory. 1; 0: it is not whole; -ENOMEM. */
int fx_look_directory(struct fx_salvage *s, struct fx_look *look);

/* Read all values: look->good, look->whole. -ENOMEM. */
int fx_look_values(struct fx_salvage *s, struct fx_look *look);

/* Into the map and the table, with no record living. 1; 0: it has no place; -ENOMEM. */
int fx_look_place(struct fx_salvage *s, struct fx_look *look);

/* Call visit for each record, inside a section, until the directory makes no sense. */
int fx_look_each(struct fx_salvage *s, struct fx_look *look,
		 int (*visit)(struct fx_salvage *s, struct fx_look *look, uint32_t index,
			      const struct fx_extent_entry *entry, uint64_t value_at));

/* For fx_extent_table_reap(): ctx is the store. */
void fx_salvage_free_run(void *ctx, struct fx_run run);

#endif
