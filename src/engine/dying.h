/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dying.h - the records on disk that die with a batch, and the extents that have none left then.
 * The flusher's thread.
 */
#ifndef FX_DYING_H
#define FX_DYING_H

#include "amend.h"

/* A record that is alive in an extent until the batch is durable, and its bytes there. */
struct fx_dying_record {
	fx_location location;
	uint64_t bytes;
};

struct fx_dying {
	struct feox_store *store;
	struct fx_dying_record *records; /* those up to killed are sorted by location */
	size_t count, capacity, killed;
	struct fx_extent **freed; /* without a live record */
	size_t freed_count;
};

/* Note that record, which is at location, dies. -ENOMEM. */
int fx_dying_add(struct fx_dying *dying, fx_location location, const struct fx_record *record);

/*
 * Those that amend, which is sorted, keeps at their places do not die. -EUCLEAN: one of them was
 * not going to: a bug (A2).
 */
int fx_dying_spare(struct fx_dying *dying, const struct fx_amend *amend);

/*
 * Take what was added since the last call out of its extents. -EUCLEAN: something was not alive, a
 * bug; -ENOMEM.
 */
int fx_dying_kill(struct fx_dying *dying);

/* Bytes of the sections that fx_dying_put() writes, at most. Then: FREED and DEAD. -ENOMEM. */
size_t fx_dying_size(const struct fx_dying *dying);
int fx_dying_put(const struct fx_dying *dying, struct fx_journal_writer *w);

/* The batch is durable: the freed extents leave the table. */
void fx_dying_settle(struct fx_dying *dying);
void fx_dying_free(struct fx_dying *dying);

#endif
