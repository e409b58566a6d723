/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linear.h - is a recorded history of operations on a few keys linearisable? That is: is there one
 * order of the operations, in which each takes effect between its call and its return, that a
 * store without concurrency could have answered in this way (Herlihy and Wing, 1990)?
 *
 * The search is that of Wing and Gong (1993) with Lowe's memory of configurations seen (2017).
 */
#ifndef FX_LINEAR_H
#define FX_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINEAR_KEYS 3u
#define LINEAR_OPS  2000u /* most operations in a history */

#define LINEAR_UNTOLD INT64_MIN /* a number that was not told */

enum linear_kind {
	LINEAR_GET,
	LINEAR_PUT,    /* value, expiry_ns */
	LINEAR_CREATE, /* FEOX_CREATE */
	LINEAR_CAS,    /* expected -> value */
	LINEAR_IF,     /* FEOX_IF_VERSION: if_version -> value */
	LINEAR_ADD,    /* value is the delta, number the sum or LINEAR_UNTOLD */
	LINEAR_DELETE,
	LINEAR_EXPIRE,	 /* feox_set_expiry() */
	LINEAR_RENAME,	 /* key -> other */
	LINEAR_EXCHANGE, /* key <-> other */
	LINEAR_BATCH,	 /* put value to key and to other, both or none; with FEOX_CREATE on key */
	LINEAR_TICK,	 /* the clock goes to expiry_ns */
	LINEAR_EVICT	 /* nobody has asked: the key, which was there, has gone */
};

struct linear_op {
	enum linear_kind kind;
	unsigned int key, other;
	int result; /* 0 or a negative errno */
	int64_t value, expected, number;
	uint64_t if_version, version; /* version: returned; 0: not told */
	uint64_t expiry_ns;
	uint64_t called, returned; /* tickets: the order of all calls and returns */
};

enum linear_verdict { LINEAR_YES, LINEAR_NO, LINEAR_UNDECIDED };

/* Keys are absent and the clock is at start_ns before the first of count operations. Undecided:
 * the search was given up after many steps. */
enum linear_verdict linear_check(const struct linear_op *ops, size_t count, uint64_t start_ns);

/* The operation as one line. */
void linear_print(const struct linear_op *op);

#endif
