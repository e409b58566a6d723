/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash_model.h - the oracle of the crash tests: what a store may hold after a crash.
 *
 * One thread changes a store and, beside it, this model, which keeps the state after every change.
 * A store that is recovered must hold one of these states, whole (I5, I9): none older than the last
 * that a sync has acknowledged (I4), none newer than the last that was begun. What was replaced,
 * deleted or has expired is not in that state, so it must not be there (I8); every version and
 * number told before the crash is remembered, and must not be given out again (I8).
 */
#ifndef FX_CRASH_MODEL_H
#define FX_CRASH_MODEL_H

#include "feox/feox.h"

#define CRASH_KEYS 12u /* d/0 .. d/3, e/0 .. e/3, k/0 .. k/3 */
#define CRASH_NOW  (UINT64_C(1700000000) * 1000000000)
#define CRASH_TTL  (UINT64_C(1000) * 1000000000)

struct crash_key {
	bool live;
	uint32_t seed; /* of the value's bytes, and the metadata */
	size_t size;
	bool metadata;
	uint64_t expiry_ns, version;
};

struct crash_state {
	struct crash_key keys[CRASH_KEYS];
	/* Given out until then: the version of each key, deletes' included, and the number. */
	uint64_t highest[CRASH_KEYS];
	uint64_t highest_id;
};

struct crash_model {
	/* State i is counted as i + 1; 0: not even the making of the store was acknowledged. */
	struct crash_state *states;
	size_t count, capacity;
	struct crash_state *learning; /* where versions that are told are remembered */
	_Atomic uint64_t now;	      /* the clock of the stores */
	bool damaged; /* a value may be unreadable (-EIO), if only it is not a wrong one */
};

void crash_model_init(struct crash_model *model);
void crash_model_free(struct crash_model *model);

/* The state that the store has now, and one more like it, to be changed. */
struct crash_state *crash_model_last(struct crash_model *model);
struct crash_state *crash_model_push(struct crash_model *model);

const char *crash_key_name(unsigned int key);

/* size bytes of the value of seed. */
void crash_fill(uint8_t *out, size_t size, uint32_t seed);

/* Options with the model's clock; its changed() remembers the versions that are told. */
struct feox_options crash_options(struct crash_model *model);

/*
 * Does store hold one of the states counted first to last? The number of it, or 0 and *why (static
 * memory) says what is wrong.
 */
size_t crash_model_find(struct crash_model *model, struct feox_store *store, size_t first,
			size_t last, const char **why);

/*
 * No version and no number that was given out until the state counted told is given out again.
 * NULL, or what is wrong. The store is changed, the model is not.
 */
const char *crash_model_check_numbers(struct crash_model *model, struct feox_store *store,
				      size_t told);

#endif
