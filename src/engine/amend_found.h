/* SPDX-License-Identifier: Apache-2.0 */
/*
 * amend_found.h - the amendments that recovery finds in the journal, until the directories of the
 * extents have been read: what their records are in the end.
 */
#ifndef FX_AMEND_FOUND_H
#define FX_AMEND_FOUND_H

#include "extent.h"
#include "journal.h"
#include "store.h"

struct fx_found;

int fx_found_create(struct feox_store *store, struct fx_found **ret_found);
void fx_found_free(struct fx_found *found); /* NULL is allowed */

/* The journal record of this sequence adds an extent: it must not amend it too. -ENOMEM. */
int fx_found_added(struct fx_found *found, const struct fx_extent *extent, uint64_t sequence);

/*
 * Read the open section of r, AMEND or PREFIX, of the journal record of this sequence. -EUCLEAN: it
 * makes no sense: an extent that is not there, a record that is dead, was added by the same record
 * or is amended twice in it, a key that cannot be; -ENOMEM.
 */
int fx_found_read(struct fx_found *found, struct fx_journal_reader *r, uint64_t sequence);

/*
 * Is record index of extent amended (found may be NULL: nothing is)? 1: entry, which its directory
 * has, is now what it is, its key in key (of FEOX_KEY_MAX bytes), and *ret_change says what
 * differs, but for the record. 0: it is not. -EUCLEAN: its key is too short, or becomes too long.
 */
int fx_found_apply(const struct fx_found *found, const struct fx_extent *extent, uint32_t index,
		   struct fx_extent_entry *entry, uint8_t *key, struct fx_amended *ret_change);

#endif
