/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage_room.h - private to stage.c: memory and disk that feox_reserve() has promised to a stage.
 *
 * A promise has place for a value and for 20 KiB of key and attributes; what these take beyond that
 * is promised apart. It ends when the stage is published, but for fallocate(2)'s.
 */
#ifndef FX_STAGE_ROOM_H
#define FX_STAGE_ROOM_H

#include "stage.h"

#define FX_STAGE_GROW_FROM ((uint64_t)64 * 1024) /* bytes: from here on by halves and doubles */

/* How much to have for a content of size bytes, so that not every write has to ask. */
uint64_t fx_stage_room_for(const struct fx_fs *fs, uint64_t size);

/* Have at least size bytes promised, and the attributes. -ENOSPC, -ENOMEM, -EAGAIN (nowait). */
int fx_stage_reserve(struct fx_fs *fs, struct fx_node *node, uint64_t size, unsigned int nowait);

/* Give all of it back. */
void fx_stage_release_room(struct fx_fs *fs, struct fx_stage *stage);

#endif
