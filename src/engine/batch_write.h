/* SPDX-License-Identifier: Apache-2.0 */
/* batch_write.h - one cut of the queue becomes durable. The flusher's thread. */
#ifndef FX_BATCH_WRITE_H
#define FX_BATCH_WRITE_H

#include "journal_chain.h"

struct fx_compaction;

/*
 * Write everything in cut (from fx_queue_cut(); empty: raise the ceilings only), and what moving
 * (may be NULL) moves, and make it durable; then its records are DURABLE, what they replaced is
 * retired, and their room in the queue and on disk is given back. On failure nothing of that has
 * happened: the records stay dirty, and the store has to fail.
 */
int fx_batch_write(struct feox_store *store, struct fx_pending *cut, struct fx_compaction *moving);

/*
 * The changes of a cut have been made durable: readers find their records where they are, what they
 * replaced is retired, and the changes are no more. Nothing in it fails. settle.c
 */
void fx_changes_settle(struct feox_store *store, struct fx_pending *changes);

/* Recompute store->disk_free: free blocks less what deletes, checkpoints and links need. */
void fx_disk_free_update(struct feox_store *store);

#endif
