/* SPDX-License-Identifier: Apache-2.0 */
/* evict.h - what a cache does to make room. */
#ifndef FX_EVICT_H
#define FX_EVICT_H

#include <pthread.h>
#include <stdint.h>

struct feox_store;

#define FX_CACHE_LIMIT_MIN ((uint64_t)4 << 20) /* bytes of memory limit */

/* The hand of the clock. */
struct fx_hand {
	pthread_mutex_t mutex; /* a leaf */
	uint64_t cursor;       /* of fx_hash_index_walk(); under mutex */
};

void fx_hand_init(struct fx_hand *hand);
void fx_hand_destroy(struct fx_hand *hand);

/*
 * Remove keys that take about so many bytes together, one at least. How many bytes they took; 0:
 * nothing can go. Outside of epoch sections; waits for nobody but others that evict.
 */
uint64_t fx_evict(struct feox_store *store, uint64_t bytes);

#endif
