/* SPDX-License-Identifier: Apache-2.0 */
/* amend.h - changes that leave the value where it is: the flusher's side, and recovery's. */
#ifndef FX_AMEND_H
#define FX_AMEND_H

#include "journal_chain.h"

/* The amendments of one cut. */
struct fx_amend_step {
	fx_location location; /* of the amended record */
	int64_t growth;	      /* bytes that it would take more in an extent than before */
	struct fx_amended change;
};

struct fx_amend_part { /* those of one extent, as one list */
	struct fx_extent *extent;
	struct fx_amend_list list; /* in changes */
};

struct fx_amend {
	struct feox_store *store;
	struct fx_amend_step *steps;
	size_t count, capacity;
	struct fx_amended *changes; /* of steps, in order of location */
	struct fx_amend_part *parts;
	size_t part_count;
};

void fx_amend_begin(struct fx_amend *amend, struct feox_store *store);
void fx_amend_free(struct fx_amend *amend);

/*
 * Is the value of a change on disk already? Then 1, its location is set, and what is new goes into
 * an amendment, if anything is. 0: the record is to be written. -ENOMEM.
 */
int fx_amend_take(struct fx_amend *amend, struct fx_pending *change);

/* All have been taken: sort them. */
void fx_amend_sort(struct fx_amend *amend);

/* Is the record of location amended? *cursor 0 starts; locations are asked for in order. */
bool fx_amend_has(const struct fx_amend *amend, size_t *cursor, fx_location location);

/* Tell the extents, after the dead records: from then on checkpoints have them. -ENOMEM. */
int fx_amend_apply(struct fx_amend *amend);

/* For the commit record: bytes that its sections take at most, and these. */
size_t fx_amend_size(const struct fx_amend *amend);
void fx_amend_put(const struct fx_amend *amend, struct fx_journal_writer *w);

/* The amendments of all extents, as parts of a checkpoint. */
int fx_amend_checkpoint(struct feox_store *store, struct fx_chain *chain,
			struct fx_write_queue *writes);

#endif
