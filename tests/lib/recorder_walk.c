/* SPDX-License-Identifier: Apache-2.0 */
/* recorder_walk.c - from a recording to the states that a power loss may leave. */
#include "recorder.h"

#include <stdlib.h>
#include <string.h>

void recorder_walk_begin(struct recorder_walk *walk, struct recorder *recorder)
{
	*walk = (struct recorder_walk){.recorder = recorder, .size = recorder->base_size};
	walk->durable = calloc(1, recorder->max_size);
	walk->open = calloc(recorder->write_count + 1, sizeof(*walk->open));
	if (!walk->durable || !walk->open)
		abort();
	memcpy(walk->durable, recorder->base, recorder->base_size);
	for (size_t i = 0; i < recorder->write_count; i++)
		recorder->writes[i].done = recorder->writes[i].covered = false;
}

void recorder_walk_end(struct recorder_walk *walk)
{
	free(walk->durable);
	free(walk->open);
}

/* Of the first kept open writes: one that failed, of blocks that w has written safely since. */
static size_t drop_older(struct recorder_walk *walk, size_t kept, const struct recorder_write *w)
{
	size_t left = 0;

	for (size_t i = 0; i < kept; i++) {
		const struct recorder_write *old = &walk->recorder->writes[walk->open[i]];

		if (old->offset >= w->offset + w->size || w->offset >= old->offset + old->size)
			walk->open[left++] = walk->open[i];
	}
	return left;
}

/* What a sync has covered is safe, or, when it failed, never will be. */
static void finish_sync(struct recorder_walk *walk, bool failed)
{
	size_t kept = 0;

	for (size_t i = 0; i < walk->open_count; i++) {
		struct recorder_write *w = &walk->recorder->writes[walk->open[i]];

		if (w->covered && !failed) {
			memcpy(walk->durable + w->offset, w->bytes, w->size);
			kept = drop_older(walk, kept, w);
			continue;
		}
		if (w->covered)
			w->done = false; /* no later sync takes it along */
		w->covered = false;
		walk->open[kept++] = walk->open[i];
	}
	walk->open_count = kept;
}

bool recorder_walk_step(struct recorder_walk *walk)
{
	const struct recorder *r = walk->recorder;
	const struct recorder_event *event = &r->events[walk->at];

	if (walk->at == r->event_count)
		return false;
	walk->at++;
	switch (event->kind) {
	case RECORDER_SUBMITTED:
		walk->open[walk->open_count++] = event->write;
		break;
	case RECORDER_DONE:
		r->writes[event->write].done = true;
		break;
	case RECORDER_SYNCING:
		for (size_t i = 0; i < walk->open_count; i++)
			r->writes[walk->open[i]].covered = r->writes[walk->open[i]].done;
		break;
	case RECORDER_SYNCED:
		finish_sync(walk, event->failed);
		break;
	case RECORDER_RESIZED:
		if (event->size < walk->size)
			memset(walk->durable + event->size, 0, walk->size - event->size);
		walk->size = event->size;
		break;
	}
	return true;
}

void recorder_walk_seen(const struct recorder_walk *walk, uint64_t *ret_acknowledged,
			uint64_t *ret_begun, uint64_t *ret_told)
{
	const struct recorder *r = walk->recorder;

	if (walk->at < r->event_count) {
		*ret_acknowledged = r->events[walk->at].acknowledged;
		*ret_begun = r->events[walk->at].begun;
		*ret_told = r->events[walk->at].told;
	} else {
		*ret_acknowledged = atomic_load(&r->acknowledged);
		*ret_begun = atomic_load(&r->begun);
		*ret_told = atomic_load(&r->told);
	}
}

/* Does write number i of count that are open arrive, as a whole? */
static bool arrives(enum recorder_mode mode, size_t i, size_t chosen, uint64_t *random)
{
	switch (mode) {
	case RECORDER_NONE:
		return false;
	case RECORDER_PREFIX:
		return i < chosen;
	case RECORDER_DROP:
		return i != chosen;
	case RECORDER_ONE:
		return i == chosen;
	case RECORDER_ANY:
		return recorder_random(random, 2);
	default:
		return true;
	}
}

/* Any sectors of it, in one of the ways in which a write is torn: a part, every other, any. */
static void tear(const struct recorder_write *w, uint64_t *random, uint8_t *image)
{
	size_t sectors = w->size / RECORDER_SECTOR, cut = recorder_random(random, sectors + 1);
	uint64_t way = recorder_random(random, 3);

	for (size_t s = 0; s < sectors; s++) {
		bool arrived = way == 0	  ? s < cut
			       : way == 1 ? s >= cut
					  : recorder_random(random, 2);

		if (arrived)
			memcpy(image + w->offset + s * RECORDER_SECTOR,
			       w->bytes + s * RECORDER_SECTOR, RECORDER_SECTOR);
	}
}

static void spoil(const struct recorder_write *w, uint64_t *random, uint8_t *image)
{
	size_t sector = recorder_random(random, w->size / RECORDER_SECTOR);
	uint8_t *at = image + w->offset + sector * RECORDER_SECTOR;

	for (size_t i = 0; i < RECORDER_SECTOR; i++)
		at[i] = (uint8_t)recorder_random(random, 256);
}

uint64_t recorder_state(const struct recorder_walk *walk, enum recorder_mode mode, uint64_t *random,
			uint8_t *image)
{
	size_t chosen = walk->open_count ? recorder_random(random, walk->open_count) : 0;

	memcpy(image, walk->durable, walk->size);
	for (size_t i = 0; i < walk->open_count; i++) {
		const struct recorder_write *w = &walk->recorder->writes[walk->open[i]];

		if (w->offset + w->size > walk->size)
			continue; /* of a part that has been cut off since */
		if (mode == RECORDER_TORN || mode == RECORDER_GARBAGE)
			tear(w, random, image);
		else if (arrives(mode, i, chosen, random))
			memcpy(image + w->offset, w->bytes, w->size);
		if (mode == RECORDER_GARBAGE && i == chosen)
			spoil(w, random, image);
	}
	return walk->size;
}
