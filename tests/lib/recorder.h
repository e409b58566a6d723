/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorder.h - a device in memory that records what is done to it, fails where it is told to, and
 * can then show every state a power loss may have left behind.
 *
 * It is stricter than any disk: writes become readable only when they are reaped, operations are
 * reaped in any order, a sync covers only what had been reaped when it was submitted, and after a
 * failed sync nothing ever covers those writes again (the contract of src/device/device.h). What
 * breaks the contract ends the program: a write of a block that another one is in flight to, a
 * buffer that changes while it is written, a write beyond the end or out of line.
 *
 * A medium outlives the devices that are opened on it, as a disk does. The programs that use it are
 * linked with --wrap, so that feox_open() comes here: see recorder_open.c.
 *
 * States.  A crash may come between any two events. On disk is then what was durable, and of the
 * other writes whatever a disk may make of them: each sector of 512 bytes old, or as after any
 * write to it, or (in a write that was under way) garbage. recorder_walk() goes through the events,
 * recorder_state() makes images.
 */
#ifndef FX_RECORDER_H
#define FX_RECORDER_H

#include "device.h"

#include <pthread.h>
#include <stdatomic.h>

#define RECORDER_SECTOR 512u

enum recorder_call {
	RECORDER_READ,
	RECORDER_WRITE,
	RECORDER_SYNC,
	RECORDER_RESIZE,
	RECORDER_CALLS
};

enum recorder_event_kind {
	RECORDER_SUBMITTED, /* a write */
	RECORDER_DONE,	    /* it was reaped without an error */
	RECORDER_SYNCING,   /* a sync was submitted */
	RECORDER_SYNCED,    /* it was reaped */
	RECORDER_RESIZED
};

struct recorder_write {
	uint64_t offset;
	size_t size;
	uint8_t *bytes;
	bool done;    /* for who walks: reaped */
	bool covered; /* by the sync that is under way */
};

struct recorder_event {
	enum recorder_event_kind kind;
	size_t write;  /* number of it, for SUBMITTED and DONE */
	uint64_t size; /* RESIZED */
	bool failed;
	/* What the test had seen acknowledged, begun and told the result of, when this happened. */
	uint64_t acknowledged, begun, told;
};

/* Fail calls of a kind: from the one numbered at (from 1; 0: none) on, as many as count. */
struct recorder_fault {
	uint64_t at, count;
	int err; /* negative errno */
};

struct recorder {
	/* The medium. */
	pthread_mutex_t mutex; /* guards view: reads come from any thread */
	uint8_t *view;
	uint64_t size, max_size;
	/* What a test sets, and may read. */
	struct recorder_fault faults[RECORDER_CALLS];
	_Atomic uint64_t calls[RECORDER_CALLS];
	uint64_t bad_block, bad_blocks; /* writes that touch these fail; 0 blocks: none */
	_Atomic uint64_t lowest_failed; /* first block of a write that failed */
	_Atomic uint64_t acknowledged, begun, told; /* by the test, copied into events */
	uint64_t random; /* for the order of completions; 0: as submitted */
	bool record;	 /* else only a disk */
	/* What was recorded, from base on. */
	uint8_t *base;
	uint64_t base_size;
	struct recorder_write *writes;
	size_t write_count, write_capacity;
	struct recorder_event *events;
	size_t event_count, event_capacity;
};

/* A medium with a copy of size bytes of image (NULL: zeros) that may grow to max_size. */
struct recorder *recorder_new(const uint8_t *image, uint64_t size, uint64_t max_size);
void recorder_free(struct recorder *recorder);

/* Put another image on it, and forget what was recorded, what failed and what was counted. */
void recorder_load(struct recorder *recorder, const uint8_t *image, uint64_t size);

/* Begin to record from what is on it now. */
void recorder_start(struct recorder *recorder);

/* What the next feox_open() of this process opens, whatever its path says. recorder_open.c */
extern struct recorder *recorder_medium;
/* Where the random numbers of stores come from. */
extern _Atomic uint64_t recorder_seed;

struct fx_device *recorder_device(struct recorder *recorder);

/* A splitmix64 generator: the next number below n. */
uint64_t recorder_random(uint64_t *state, uint64_t n);

/* ---- Walking through a recording: recorder_walk.c ------------------------------------------- */

enum recorder_mode {
	RECORDER_NONE,	  /* nothing that was not synced */
	RECORDER_ALL,	  /* all of it */
	RECORDER_PREFIX,  /* the first writes of it */
	RECORDER_DROP,	  /* all but one */
	RECORDER_ONE,	  /* one only */
	RECORDER_ANY,	  /* any writes, each whole */
	RECORDER_TORN,	  /* any sectors */
	RECORDER_GARBAGE, /* any sectors, one of them garbage */
	RECORDER_MODES
};

struct recorder_walk {
	const struct recorder *recorder;
	size_t at;	  /* the next event */
	uint8_t *durable; /* what is safe now */
	uint64_t size;
	size_t *open; /* numbers of writes that are not safe, in order of submission */
	size_t open_count;
};

void recorder_walk_begin(struct recorder_walk *walk, struct recorder *recorder);
void recorder_walk_end(struct recorder_walk *walk);

/* Over the next event. False: there is none. */
bool recorder_walk_step(struct recorder_walk *walk);

/* What the test had seen, at most, when the power went between the last event and the next. */
void recorder_walk_seen(const struct recorder_walk *walk, uint64_t *ret_acknowledged,
			uint64_t *ret_begun, uint64_t *ret_told);

/* An image of mode, by chance where there is one, into max_size bytes at image. Its size. */
uint64_t recorder_state(const struct recorder_walk *walk, enum recorder_mode mode, uint64_t *random,
			uint8_t *image);

#endif
