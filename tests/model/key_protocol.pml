/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_protocol.pml - one key's way through the two indexes, for spin(1): the states of its slot
 * (src/engine/commit.c), tombstones (tombstone.c) and intents (transaction.c), against the ordered
 * index, which is one bit here: does it hold the key?
 *
 * Two writers put and delete, a batch puts or deletes and commits or aborts, the flusher makes
 * deletes durable; every step that another thread can see is one step of the model. Checked:
 *
 *   C1    what readers see as live is in the ordered index, at every moment;
 *   C1'   when all is quiet, a dead key is out of the ordered index and its slot is empty;
 *   I8    a slot that a tombstone leaves has its delete durable.
 *
 * Each rule of the protocol can be dropped by a macro, and then one of these must fail
 * (run_spin.sh): DROP_RECHECK, DROP_PENDING, DROP_ORDER, DROP_BATCH_ORDER, DROP_ABORT_ORDER,
 * DROP_UNLINK_AGAIN, DROP_ABANDON_UNLINK, DROP_CLEAN, DROP_HOLD, DROP_DURABLE, DROP_DECIDED.
 */

#define RECORDS 6 /* 0 is none */

mtype = { EMPTY, LIVE, PENDING, TOMB, INTENT };
mtype = { UNDECIDED, COMMITTED, ABORTED };

/* The slot's word. */
mtype state = EMPTY;
byte id = 0;

/* The ordered index. */
bool in_order = false;
bool leaf_locked = false;

/* Tombstones, by record. */
bool published[RECORDS], durable[RECORDS], unlinked[RECORDS];

/* The batch. */
mtype status = UNDECIDED;
mtype old_state, new_state;
byte old_id, new_id;

byte ended = 0; /* writers and batches that have nothing left to do */

#define VISIBLE_LIVE                                                                              \
	(state == LIVE || (state == INTENT && status == COMMITTED && new_state == LIVE) ||         \
	 (state == INTENT && status != COMMITTED && old_state == LIVE))

#define CHECK assert(!VISIBLE_LIVE || in_order)

inline lock_leaf() { atomic { !leaf_locked -> leaf_locked = true } }
inline unlock_leaf() { leaf_locked = false }

inline order_insert() {
	lock_leaf();
	in_order = true;
	unlock_leaf()
}

/* The slot is emptied by whoever sets the second of the two bits. */
inline finish(t) {
	atomic {
		if
		:: state == TOMB && id == t ->
			assert(durable[t]); /* I8 */
			state = EMPTY; id = 0
		:: else
		fi
	}
}

inline set_unlinked(t) {
	atomic { unlinked[t] = true; last = durable[t] }
#ifdef DROP_DURABLE
	last = true;
#endif
	if
	:: last -> finish(t)
	:: else
	fi
}

/* fx_tombstone_unlink() */
inline unlink_key(t) {
	lock_leaf();
#ifdef DROP_RECHECK
	removed = true;
#else
	removed = (state == TOMB || state == EMPTY);
#endif
	if
	:: removed -> in_order = false; CHECK
	:: else
	fi;
	unlock_leaf();
	if
	:: removed -> set_unlinked(t)
	:: else
	fi
}

/* fx_word_settle(), by anybody. */
inline settle() {
	atomic {
		if
#ifdef DROP_DECIDED
		:: state == INTENT && status != COMMITTED -> state = old_state; id = old_id
#else
		:: state == INTENT && status == ABORTED -> state = old_state; id = old_id
#endif
		:: state == INTENT && status == COMMITTED -> state = new_state; id = new_id
		:: else
		fi;
		CHECK
	}
}

/*
 * PENDING(me) -> LIVE(me). Or given up: the ordered index had no memory, or a rename_prefix came
 * between when the key had been added to it.
 */
inline insert_pending(me) {
#ifdef DROP_ORDER
	atomic { state = LIVE; CHECK };
	order_insert()
#else
	if
	:: order_insert();
		if
		:: to_live = true
		:: to_live = false
		fi
	:: to_live = false
	fi;
	if
	:: to_live -> atomic { assert(state == PENDING && id == me); state = LIVE; CHECK }
	:: else ->
		atomic { state = was_state; id = was_id; CHECK };
#ifndef DROP_CLEAN
		lock_leaf();
		if
		:: state == EMPTY || state == TOMB -> in_order = false
		:: else
		fi;
		unlock_leaf();
#endif
#ifndef DROP_ABANDON_UNLINK
		if
		:: was_state == TOMB -> set_unlinked(was_id)
		:: else
		fi
#endif
	fi
#endif
}

inline put(me) {
	do
	:: atomic { was_state = state; was_id = id };
		if
		:: was_state == LIVE ->
			atomic {
				won = (state == was_state && id == was_id);
				if
				:: won -> id = me; CHECK
				:: else
				fi
			};
			if
			:: won -> break
			:: else
			fi
		:: was_state == EMPTY || was_state == TOMB ->
			atomic {
				won = (state == was_state && id == was_id);
				if
#ifdef DROP_PENDING
				:: won && was_state == TOMB && in_order -> state = LIVE; id = me; CHECK
				:: won && !(was_state == TOMB && in_order) -> state = PENDING; id = me
#else
				:: won -> state = PENDING; id = me
#endif
				:: else
				fi
			};
			if
			:: won && state == PENDING && id == me -> insert_pending(me); break
			:: won && !(state == PENDING && id == me) -> break
			:: else
			fi
		:: else -> settle(); (state != PENDING && (state != INTENT || status != UNDECIDED))
		fi
	od
}

/* The word of a live key dies while its leaf is held, and the key leaves the order with it. */
inline delete(me) {
	do
	:: atomic { was_state = state; was_id = id };
		if
		:: was_state == LIVE ->
#ifndef DROP_HOLD
			lock_leaf();
#endif
			atomic {
				won = (state == was_state && id == was_id);
				if
				:: won -> state = TOMB; id = me; published[me] = true
				:: else
				fi
			};
#ifdef DROP_HOLD
			lock_leaf();
#endif
			if
			:: won -> in_order = false; CHECK
			:: else
			fi;
			unlock_leaf();
			if
			:: won -> set_unlinked(me); break
			:: else
			fi
		:: was_state == EMPTY || was_state == TOMB -> break
		:: else -> settle(); (state != PENDING && (state != INTENT || status != UNDECIDED))
		fi
	od
}

proctype writer(byte first) {
	byte was_id, me = first;
	mtype was_state;
	bool won, removed, last, to_live;

	do
	:: me < first + 2 ->
		if
		:: put(me)
		:: delete(me)
		fi;
		me++
	:: else -> break
	od;
	ended++
}

proctype batch(byte me) {
	bool won = false, removed, last, added = false, to_commit;
	mtype was_state, final_state;
	byte final_id;

	do
	:: atomic {
		was_state = state;
		if
		:: was_state != PENDING -> /* the only batch: no foreign intent */
			old_state = state; old_id = id; new_state = state; new_id = id;
			won = true
		:: else
		fi
	   };
	   if
	   :: won ->
		atomic {
			won = (state == old_state && id == old_id);
			if
			:: won -> state = INTENT; id = me; CHECK
			:: else
			fi
		};
		if
		:: won -> break
		:: else
		fi
	   :: else -> (state != PENDING)
	   fi
	od;
	if
	:: true -> final_state = LIVE
	:: old_state == LIVE -> final_state = TOMB
	fi;
#ifdef DROP_BATCH_ORDER
	atomic { new_state = final_state; new_id = me; status = COMMITTED; CHECK };
#endif
	if
	:: final_state == LIVE && old_state != LIVE -> order_insert(); added = true
	:: else
	fi;
	if
	:: to_commit = true
	:: to_commit = false
	fi;
#ifdef DROP_BATCH_ORDER
	to_commit = true;
#endif
	if
	:: to_commit ->
		atomic {
			new_state = final_state; new_id = me; status = COMMITTED;
			published[me] = (final_state == TOMB);
			CHECK
		}
	:: else ->
#ifdef DROP_ABORT_ORDER
		status = ABORTED;
#endif
		if
		:: added -> lock_leaf(); in_order = false; CHECK; unlock_leaf()
		:: else
		fi;
		status = ABORTED
	fi;
	settle();
	atomic { final_state = state; final_id = id };
	if
	:: final_state == TOMB && final_id == (to_commit -> new_id : old_id) ->
#ifdef DROP_UNLINK_AGAIN
		if
		:: to_commit -> unlink_key(final_id)
		:: else
		fi
#else
		unlink_key(final_id)
#endif
	:: else
	fi;
	ended++
}

#define WAITS(t) (published[t] && !durable[t])

inline make_durable(t) {
	atomic { durable[t] = true; last = unlinked[t] };
	if
	:: last -> finish(t)
	:: else
	fi
}

/* A delete becomes durable some time after it was published. */
proctype flusher() {
	bool last;

	do
	:: WAITS(1) -> make_durable(1)
	:: WAITS(2) -> make_durable(2)
	:: WAITS(3) -> make_durable(3)
	:: WAITS(4) -> make_durable(4)
	:: WAITS(5) -> make_durable(5)
	:: ended == 3 && !(WAITS(1) || WAITS(2) || WAITS(3) || WAITS(4) || WAITS(5)) -> break
	od;
	/* C1': all is quiet */
	assert(state == LIVE || state == EMPTY);
	assert((state == LIVE) == in_order)
}

init {
	atomic {
		run writer(1);
		run writer(3);
		run batch(5);
		run flusher()
	}
}
