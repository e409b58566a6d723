/* SPDX-License-Identifier: Apache-2.0 */
/* lies.h - structures in the image of a store, for those who make them lie. */
#ifndef FX_LIES_H
#define FX_LIES_H

#include <stdint.h>

struct feox_store;

/*
 * Which bytes of this block, from its first, are the header and the first entries of a superblock,
 * a journal record or an extent. 0: it begins with none.
 */
uint64_t image_reach(const uint8_t *image, uint64_t block);

/* Make the checksum of the structure that begins there good again, if its size can be. */
void image_mend(uint8_t *image, uint64_t size, uint64_t block);

/* Scan, put, delete and sync, whatever the store shows. */
void image_use(struct feox_store *store);

#endif
