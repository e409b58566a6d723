/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash_run.h - one workload on a recorded store, and every state a crash of it may leave, opened
 * and compared with the model.
 *
 *	crash_run_open() -> crash_apply() ... -> crash_run_close() -> crash_run_walk()
 *
 * Everything follows from the run's seed.
 */
#ifndef FX_CRASH_RUN_H
#define FX_CRASH_RUN_H

#include "crash_model.h"
#include "recorder.h"

enum crash_op {
	CRASH_PUT, /* a new key */
	CRASH_OVERWRITE,
	CRASH_DELETE,
	CRASH_EXPIRE,
	CRASH_BATCH,
	CRASH_RENAME,
	CRASH_SYNC,
	CRASH_SMALL_OPS, /* those before it */
	CRASH_METADATA = CRASH_SMALL_OPS,
	CRASH_EXCHANGE,
	CRASH_PREFIX,
	CRASH_SYNC_KEY,
	CRASH_ID,
	CRASH_OPS
};

/* Not from what to what, but how much of it. */
struct crash_plan {
	unsigned int percent;	     /* of the states that could be made */
	unsigned int nested_percent; /* of those, opened for writing and crashed again */
	const char *keep;	     /* folder for the image of a state that fails, or NULL */
};

struct crash_run {
	uint64_t seed, random;
	struct crash_plan plan;
	struct crash_model model;
	struct recorder *medium;     /* of the workload */
	struct recorder *scratch[2]; /* of states, and of states of their recovery */
	struct feox_store *store;
	unsigned int last; /* the key that was changed last */
	uint64_t max_size; /* of the file */
	uint64_t states, nested;
	bool quiet;	   /* errors are expected */
	size_t value_size; /* of all values; 0: by chance */
};

/* image: what is on the medium at first, NULL for nothing. */
void crash_run_begin(struct crash_run *run, uint64_t seed, const struct crash_plan *plan,
		     const uint8_t *image, uint64_t size, uint64_t max_size);
void crash_run_end(struct crash_run *run);

/* Open and close the store of the workload; what they do is recorded. */
int crash_run_open(struct crash_run *run);
int crash_run_close(struct crash_run *run);

/*
 * One operation, on the store and in the model. 0 also when it had nothing to work on or the store
 * was full. Another error: the store's.
 */
int crash_apply(struct crash_run *run, enum crash_op op);

/* An operation by chance. */
enum crash_op crash_choose(struct crash_run *run);

/* Does what is on the medium now hold a state that it may? As crash_run_walk(). */
int crash_run_check(struct crash_run *run);

/* I3: NULL, or what is wrong with the map of a store that nothing happens to. */
const char *crash_check_tiling(struct feox_store *store);

/* Open and judge the states. 0, or -1 and a message on standard output. */
int crash_run_walk(struct crash_run *run);

#endif
