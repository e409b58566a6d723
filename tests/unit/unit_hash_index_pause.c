/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the hash index promises about stopped threads: with an insert standing still at any of its
 * points, or two at any two of them, everybody else finds, walks, inserts, changes and removes to
 * the end, in the very bucket and segment concerned. Would something wait for the stopped ones,
 * these tests would not end.
 */
#include "hash_fixture.h"
#include "pause_fixture.h"

#include "hash_segment.h"

#define MINE   6000u /* keys of a victim: enough to come to every point */
#define OTHERS 6000u

struct work {
	struct hash_fixture *f;
	uint64_t from;
	_Atomic uint64_t done;	/* keys from..from + done - 1 are in */
	_Atomic uint64_t count; /* keys it is to insert */
	uint64_t lost;		/* keys that somebody else had inserted */
};

static void insert_mine(void *arg)
{
	struct work *w = arg;

	for (uint64_t n = 0; n < atomic_load(&w->count); n++) {
		int err = insert_number(w->f, w->from + n, 1);

		assert_true(err == 0 || err == -EEXIST);
		w->lost += err == -EEXIST;
		atomic_store(&w->done, n + 1);
	}
}

static void all_are_found(struct hash_fixture *f, const struct work *w)
{
	uint64_t done = atomic_load(&w->done);
	struct walked walked = {.limit = UINT16_MAX * 2u};

	walked.seen = calloc(1, walked.limit);
	walk_all(f, &walked, 200);
	for (uint64_t n = 0; n < done; n++) {
		assert_true(find_number(f, w->from + n) != 0);
		assert_true(walked.seen[w->from + n] > 0);
	}
	assert_int_equal(find_number(f, UINT32_MAX), 0);
	free(walked.seen);
}

/* Everything, while others stand still: in the buckets of w's keys, and through many splits. */
static void use(struct hash_fixture *f, const struct work *w, uint64_t from)
{
	uint64_t done = atomic_load(&w->done);

	all_are_found(f, w);
	for (uint64_t n = 0; n < done; n++)
		assert_int_equal(bump_number(f, w->from + n), 0);
	for (uint64_t n = 0; n < OTHERS; n++) {
		assert_int_equal(insert_number(f, from + n, 1), 0);
		if (n % 3 == 0)
			assert_true(remove_number(f, from + n));
	}
	for (uint64_t n = 0; n < OTHERS; n++)
		assert_int_equal(find_number(f, from + n) != 0, n % 3 != 0);
	all_are_found(f, w);
}

/* Nothing that was replaced has been forgotten on a list. */
static void nothing_is_left(struct hash_fixture *f, uint64_t limit)
{
	for (uint64_t n = 0; n < limit; n++)
		remove_number(f, n);
	fx_epoch_drain(f->epoch);
	assert_int_equal(fx_slab_used(f->slab), fx_hash_index_bytes(f->index));
}

/* It stops when it comes to point for the skip'th time, and ends after that insert. */
static void one_stopped_thread(int point, unsigned int skip)
{
	struct hash_fixture f;
	struct work w = {.f = &f, .count = MINE};
	struct victim v;
	int mine;

	hash_fixture_open(&f);
	assert_true(victim_start(&v, point, skip, insert_mine, &w));
	/* The very key it is inserting: one of us two. */
	mine = insert_number(&f, atomic_load(&w.done), 1);
	assert_true(mine == 0 || mine == -EEXIST);
	use(&f, &w, MINE);
	atomic_store(&w.count, atomic_load(&w.done) + 1);
	victim_finish(&v);
	assert_int_equal(w.lost, mine == 0);
	assert_int_equal(atomic_load(&w.done), atomic_load(&w.count));
	all_are_found(&f, &w);
	nothing_is_left(&f, MINE + OTHERS);
	hash_fixture_close(&f);
}

static void a_stopped_insert_holds_up_nobody(void **state)
{
	/* At its first key, when everything is empty, and at later ones. */
	for (int point = FX_PAUSE_HASH_LOCKED; point < FX_PAUSE_HASH_END; point++)
		for (unsigned int skip = 0; skip < 3; skip++)
			one_stopped_thread(point, skip);
	one_stopped_thread(FX_PAUSE_HASH_LOCKED, 2000);
	one_stopped_thread(FX_PAUSE_HASH_CLAIM, 2000);
	one_stopped_thread(FX_PAUSE_HASH_PLACED, 2000);
}

static void two_stopped_threads(int first, int second)
{
	struct hash_fixture f;
	struct work w[2] = {{.f = &f, .count = MINE}, {.f = &f, .count = MINE, .from = MINE}};
	struct victim v[2];
	bool stopped;

	hash_fixture_open(&f);
	assert_true(victim_start(&v[0], first, 0, insert_mine, &w[0]));
	stopped = victim_start(&v[1], second, 0, insert_mine, &w[1]);
	/* Nobody else comes to the directory while the first is in it. */
	assert_true(stopped ||
		    (first == FX_PAUSE_HASH_DIRECTORY && second == FX_PAUSE_HASH_DIRECTORY));
	use(&f, &w[0], 2 * MINE);
	use(&f, &w[1], 2 * MINE + OTHERS);
	victim_finish(&v[1]);
	all_are_found(&f, &w[1]);
	victim_finish(&v[0]);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(atomic_load(&w[i].done), MINE);
		all_are_found(&f, &w[i]);
	}
	nothing_is_left(&f, 2 * (MINE + OTHERS));
	hash_fixture_close(&f);
}

static void two_stopped_inserts_hold_up_nobody(void **state)
{
	for (int first = FX_PAUSE_HASH_LOCKED; first < FX_PAUSE_HASH_END; first++)
		for (int second = FX_PAUSE_HASH_LOCKED; second < FX_PAUSE_HASH_END; second++)
			two_stopped_threads(first, second);
}

/* Short of memory nobody can do a stopped thread's work: reads go on, inserts say so. */
static void without_memory_inserts_fail_and_finds_go_on(void **state)
{
	struct hash_fixture f;
	struct work w = {.f = &f, .count = MINE};
	struct victim v;
	struct test_key key;
	struct fx_record *record;
	fx_slot *slot;
	fx_word word;

	hash_fixture_open(&f);
	assert_true(victim_start(&v, FX_PAUSE_HASH_COPIED, 0, insert_mine, &w));
	key = key_of(MINE); /* there is one segment as yet, all of it is frozen */
	record = record_of(&f, MINE, 1);
	atomic_store(&f.fail_all, true);
	fx_epoch_enter();
	word = fx_word_make(key.hash, record, FX_SLOT_LIVE);
	assert_int_equal(fx_hash_index_insert(f.index, key.hash, word, &slot, &word), -ENOMEM);
	key = key_of(0);
	word = fx_hash_index_find(f.index, key.hash, key.bytes, key.size, &slot);
	assert_true(word != 0);
	assert_false(fx_hash_index_cas(f.index, slot, word, 0));
	fx_epoch_leave();
	all_are_found(&f, &w);
	atomic_store(&f.fail_all, false);
	fx_record_unref(f.slab, record);
	use(&f, &w, MINE);
	victim_finish(&v);
	all_are_found(&f, &w);
	hash_fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stopped_insert_holds_up_nobody),
		cmocka_unit_test(two_stopped_inserts_hold_up_nobody),
		cmocka_unit_test(without_memory_inserts_fail_and_finds_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
