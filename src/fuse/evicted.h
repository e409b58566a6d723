/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evicted.h - keys that the store has evicted (-o evict=clock): what the kernel knows of them is
 * taken back, as if they had been removed by ctl.
 *
 * They are noted inside the engine's changes, whatever locks the caller holds, and told from the
 * pool, which may take names_lock. Beyond FX_EVICTED_MAX that wait, keys are not told: the kernel
 * then finds out when it asks.
 */
#ifndef FX_EVICTED_H
#define FX_EVICTED_H

#include "fs.h"

#define FX_EVICTED_MAX ((size_t)65536)

struct fx_evicted;

int fx_evicted_create(struct fx_fs *fs, struct fx_evicted **ret_evicted);
void fx_evicted_destroy(struct fx_evicted *evicted); /* NULL is allowed */

/* Any thread. Its mutex is a leaf. */
void fx_evicted_note(struct fx_evicted *evicted, const void *key, size_t key_size);

/* The mount ends: nobody is told any more. A job that is under way ends with the pool's. */
void fx_evicted_stop(struct fx_evicted *evicted);

#endif
