/* SPDX-License-Identifier: Apache-2.0 */
/* cool.h - values that are safely on disk leave memory. The flusher's thread. */
#ifndef FX_COOL_H
#define FX_COOL_H

#include "store.h"

/* At the end of a round: keep some memory free below the limit. */
void fx_cool_ahead(struct feox_store *store);

/* Bytes for somebody who waits. 0, or -ENOMEM: nothing more can leave. */
int fx_cool_make_room(struct feox_store *store, uint64_t bytes);

#endif
