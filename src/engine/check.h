/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h - what the rooms of feox_check() share. One thread.
 *
 *   check.c         the order of things; superblocks, journal, map, records
 *   check_values.c  what the extents hold
 *   check_mend.c    what is written
 *   salvage.c       when the journal is lost: which extents and records are kept
 *   salvage_extent.c  one extent that was found
 *   salvage_scan.c  finding them on the device
 */
#ifndef FX_CHECK_H
#define FX_CHECK_H

#include "recovery.h"

/* A record that does not stay. */
struct fx_check_dead {
	uint32_t extent; /* its number */
	uint32_t index;
};

struct fx_check {
	const struct feox_check_options *options;
	struct feox_diag *diag; /* not NULL */
	struct feox_store *store;
	struct feox_check_result result;
	struct fx_recovery recovery;
	struct feox_diag recovery_diag;
	enum feox_check_stage stage;
	bool cancelled;	      /* progress() said so */
	bool superblock_lost; /* both copies */
	bool journal_lost;    /* the superblocks or the chain: only a search finds what there is */
	bool overlaps;	      /* extents want the same block */
	uint64_t stale;	      /* notes that a new chain does away with */
	/* By the numbers of extents: 1 is not to stay. */
	uint8_t *dropped;
	uint32_t dropped_capacity;
	struct fx_check_dead *dead;
	size_t dead_count, dead_capacity;
};

/* Tell the caller, and count. key NULL: no key, or not known. */
void fx_check_find(struct fx_check *check, enum feox_severity severity, uint64_t block,
		   const void *key, size_t key_size, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* -ECANCELED when the caller does not want to go on. */
int fx_check_progress(struct fx_check *check, enum feox_check_stage stage, uint64_t done,
		      uint64_t total);

/* The extent does not stay. -ENOMEM. */
int fx_check_drop(struct fx_check *check, const struct fx_extent *extent);
bool fx_check_is_dropped(const struct fx_check *check, uint32_t number);
/* The record does not stay. -ENOMEM. */
int fx_check_kill(struct fx_check *check, uint32_t extent, uint32_t index);

/* Tell the names that the directory of an extent to be dropped gives, as far as it can be read. */
void fx_check_guess_names(struct fx_check *check, const struct fx_extent *extent);

/* Read all extents and values. -ENOMEM, -ECANCELED. check_values.c */
int fx_check_values(struct fx_check *check);

/*
 * The free space is what neither the chain nor an extent that stays has. Extents that want what
 * another one has are told to found (and are not part of the map). check.c
 */
int fx_check_map(struct fx_check *check,
		 int (*found)(struct fx_check *check, struct fx_extent *extent, uint64_t block));

/* Write what is to be mended. check_mend.c */
int fx_check_mend(struct fx_check *check);

/* The store in memory anew, of the same device, with nothing in it. check.c */
int fx_check_reset(struct fx_check *check);

/* Fill the store with what is found on its device, ready for a new chain. salvage.c */
int fx_salvage(struct fx_check *check);

#endif
