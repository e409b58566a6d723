/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_bit.pml - one key's check bit in the ordered index (src/core/ordered_index.h), for spin(1):
 * whoever scans for keys and reads it clear does not ask the hash index. Checked at every moment:
 *
 *   C8    a key that is in the order with its bit clear is plain: LIVE, without an expiry.
 *
 * Two writers put with and without an expiry, and delete; a batch places an intent and commits a
 * put of either kind, a delete, or nothing; a scan settles the bit whenever it likes. A tombstone
 * here leaves its slot at once: how it does is key_protocol.pml's.
 *
 * Rules that can be dropped (run_spin.sh): DROP_BIT (a key is inserted without it), DROP_SET (a
 * plain word is changed without setting it), DROP_HOLD (or while nobody holds the leaf),
 * DROP_INTENT_HOLD (the same for an intent), DROP_SETTLE_HOLD (it is cleared without the leaf),
 * DROP_PLAIN (it is cleared for any live word).
 */

mtype = { EMPTY, PLAIN, EXPIRING, PENDING, TOMB, INTENT };

mtype state = EMPTY;
byte id = 0; /* of the word: no two are alike */
bool in_order = false, check = false, leaf_locked = false;
byte ended = 0;

#define CHECK assert(!in_order || check || state == PLAIN)

inline lock_leaf() { atomic { !leaf_locked -> leaf_locked = true } }
inline unlock_leaf() { leaf_locked = false }

/* Replace the word that was read by to; won says whether it was still there. */
inline swap(to) {
	atomic {
		won = (state == was && id == was_id);
		if
		:: won -> state = to; id = me; CHECK
		:: else
		fi
	}
}

inline set_bit() {
#ifndef DROP_SET
	check = true
#else
	skip
#endif
}

/* From a plain word to one that is not: fx_ordered_index_lock() */
inline swap_held(to) {
#ifdef DROP_HOLD
	lock_leaf(); set_bit(); unlock_leaf();
	swap(to);
	lock_leaf();
#else
	lock_leaf();
	if
	:: in_order -> set_bit()
	:: else
	fi;
	swap(to);
#endif
	if
	:: won && to == TOMB -> in_order = false
	:: else
	fi;
	unlock_leaf();
	if
	:: won && to == TOMB -> atomic { state == TOMB && id == me -> state = EMPTY }
	:: else
	fi
}

/* A word that is none of a live key gets this one. */
inline insert(to) {
	swap(PENDING);
	if
	:: won ->
		lock_leaf();
#ifndef DROP_BIT
		check = true;
#endif
		in_order = true; CHECK;
		unlock_leaf();
		atomic { state = to; CHECK }
	:: else
	fi
}

inline change(to) {
	do
	:: atomic { was = state; was_id = id };
		if
		:: was == EMPTY && to == TOMB -> break
		:: was == EMPTY && to != TOMB -> insert(to)
		:: was == PLAIN && to == PLAIN -> swap(to)
		:: was == PLAIN && to != PLAIN -> swap_held(to)
		:: was == EXPIRING && to != TOMB -> swap(to)
		:: was == EXPIRING && to == TOMB -> swap_held(to)
		:: else -> won = false; (state != PENDING && state != TOMB && state != INTENT)
		fi;
		if
		:: won -> break
		:: else
		fi
	od
}

proctype writer(byte first) {
	byte me = first, was_id;
	mtype was;
	bool won;

	do
	:: me < first + 2 ->
		if
		:: change(PLAIN)
		:: change(EXPIRING)
		:: change(TOMB)
		fi;
		me++
	:: else -> break
	od;
	ended++
}

/* A key that is there gets an intent, later its new word, or the old one again. */
proctype batch(byte me) {
	mtype was, to;
	byte was_id;
	bool won = false;

	do
	:: atomic { was = state; was_id = id };
		if
#ifndef DROP_INTENT_HOLD
		:: was == PLAIN -> swap_held(INTENT)
		:: was == EXPIRING -> swap(INTENT)
#else
		:: was == PLAIN || was == EXPIRING -> swap(INTENT)
#endif
		:: else -> (ended == 2 || state == PLAIN || state == EXPIRING)
		fi;
		if
		:: won || ended == 2 -> break
		:: else
		fi
	od;
	if
	:: won ->
		if
		:: to = was
		:: to = PLAIN
		:: to = EXPIRING
		:: to = TOMB
		fi;
		atomic { state = to; CHECK };
		if
		:: to == TOMB ->
			lock_leaf();
			if
			:: state == TOMB && id == me -> in_order = false; state = EMPTY
			:: else
			fi;
			unlock_leaf()
		:: else
		fi
	:: else
	fi;
	ended++
}

/* fx_ordered_index_settle() */
proctype scan() {
	bool plain;

	do
	:: ended < 3 ->
#ifndef DROP_SETTLE_HOLD
		lock_leaf();
#endif
#ifdef DROP_PLAIN
		plain = (state == PLAIN || state == EXPIRING);
#else
		plain = (state == PLAIN);
#endif
		if
		:: plain && in_order -> check = false; CHECK
		:: else
		fi;
#ifndef DROP_SETTLE_HOLD
		unlock_leaf()
#endif
	:: else -> break
	od
}

init {
	atomic {
		run writer(1);
		run writer(3);
		run batch(5);
		run scan()
	}
}
