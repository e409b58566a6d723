/* SPDX-License-Identifier: Apache-2.0 */
/*
 * amended.h - the records of an extent that are not what its directory says: their amendments.
 *
 * An extent is never changed. When a record's key, version, expiry or metadata change and its value
 * does not, an amendment in the journal says so, and the record stays where it is. An extent's list
 * knows which of its records have one, by index, and leads to the record in memory, which has what
 * a checkpoint writes: the durable record of that place. It lives until the flusher has settled
 * what replaces it, and then the list has its successor, or nothing.
 *
 * A key may be amended whole, or by its beginning: strip bytes of the directory's key taken off,
 * prefix_size bytes of the record's own key put in front of the rest. One renamed prefix after
 * another is one such change again. So the keys of a renamed directory are told by one prefix and a
 * bitmap an extent (PREFIX), not one by one (AMEND), wherever that is shorter.
 *
 * The flusher's thread; before it runs, recovery.
 */
#ifndef FX_AMENDED_H
#define FX_AMENDED_H

#include "journal.h"
#include "record.h"

#define FX_STRIP_ALL	   UINT16_MAX /* strip: the whole key */
#define FX_AMEND_GROUP_MAX 63u	      /* PREFIX entries of one extent */

struct fx_amended {
	const struct fx_record *record; /* NULL: it has died */
	uint16_t index;
	uint8_t flags;	/* enum fx_amend_flag */
	uint8_t group;	/* the list's: the PREFIX entry that tells its key; 0: none does */
	uint16_t strip; /* with KEY */
	uint16_t prefix_size;
};

struct fx_amend_list {
	struct fx_amended *at; /* in order of index */
	uint32_t count, capacity, dead;
	uint32_t groups; /* the highest one */
	uint64_t bytes;	 /* that AMEND and PREFIX entries of all of it take, at most */
};

/*
 * What two changes of one record, first and then next, make together, into *first: flags, strip and
 * prefix_size; the record is next's.
 */
void fx_amended_compose(struct fx_amended *first, const struct fx_amended *next);

/*
 * Set the bytes of a list, of an extent of so many records, and the groups of its entries: those
 * that a PREFIX entry tells in fewer bytes.
 */
void fx_amend_list_measure(struct fx_amend_list *list, uint32_t extent_records);

/* Merge count changes, in order of index, into the list. -ENOMEM: it is as it was. */
int fx_amend_list_add(struct fx_slab *slab, struct fx_amend_list *list,
		      const struct fx_amended *changes, uint32_t count, uint32_t extent_records);

/* The record of index dies: it is in the list no more. */
void fx_amend_list_kill(struct fx_amend_list *list, uint32_t index, uint32_t extent_records);

/* NULL: what its directory says is all of it. */
const struct fx_amended *fx_amend_list_find(const struct fx_amend_list *list, uint32_t index);

/* The record of index is another one in memory now, which says the same. */
void fx_amend_list_replace(struct fx_amend_list *list, uint32_t index,
			   const struct fx_record *record);

void fx_amend_list_free(struct fx_slab *slab, struct fx_amend_list *list);

/* The next AMEND entry of a list; *cursor 0 starts. False: there is no more. */
bool fx_amend_list_next(const struct fx_amend_list *list, uint64_t sequence, uint32_t *cursor,
			struct fx_journal_amend *ret_amend);

/* The next PREFIX entry of a list, that of group *group; 0 starts. False: there is no more. */
bool fx_amend_list_next_prefix(const struct fx_amend_list *list, uint32_t *group,
			       struct fx_journal_prefix *ret_prefix);

/* Set the bits of its only list of records. */
void fx_amend_list_mark(const struct fx_amend_list *list, uint32_t group, uint8_t *bitmap);

#endif
