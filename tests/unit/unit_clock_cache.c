/* SPDX-License-Identifier: Apache-2.0 */
/* CLOCK: what was used since the hand was there stays, and the hand comes to rest. */
#include "hash_fixture.h"

#include "clock_cache.h"

#define KEYS	   3000u
#define VALUE_SIZE 100u

struct cache_fixture {
	struct hash_fixture hash;
	struct fx_clock_cache clock;
	bool used[KEYS], evicted[KEYS];
	uint64_t calls;
};

/* As the engine does for a value apart. */
static uint64_t evict(void *ctx, fx_slot *slot, fx_word word)
{
	struct cache_fixture *f = ctx;
	struct fx_record *record = fx_word_record(word);
	struct fx_value *value = fx_record_value(record);

	f->calls++;
	f->evicted[number_of(word)] = true;
	atomic_store(fx_record_value_field(record), NULL);
	fx_value_unref(f->hash.slab, value);
	return VALUE_SIZE;
}

static void add(struct cache_fixture *f, uint32_t number, bool durable)
{
	struct test_key key = key_of(number);
	const struct fx_record_parts parts = {
		.key = key.bytes, .key_size = key.size, .value_size = VALUE_SIZE, .cold = true};
	struct fx_record *record = fx_record_new(f->hash.slab, &parts);
	struct fx_value *value = fx_value_new(f->hash.slab, VALUE_SIZE);
	fx_slot *slot;
	fx_word word = fx_word_make(key.hash, record, FX_SLOT_LIVE), found;

	atomic_init(fx_record_value_field(record), value);
	if (durable)
		atomic_init(&record->state, FX_DURABLE);
	fx_epoch_enter();
	assert_int_equal(fx_hash_index_insert(f->hash.index, key.hash, word, &slot, &found), 0);
	fx_epoch_leave();
}

static void use(struct cache_fixture *f, uint32_t number)
{
	struct test_key key = key_of(number);
	fx_slot *slot;

	fx_epoch_enter();
	assert_true(fx_hash_index_find(f->hash.index, key.hash, key.bytes, key.size, &slot));
	fx_slot_reference(slot);
	fx_epoch_leave();
	f->used[number] = true;
}

/* As after the hand has been round: no bit is set. */
static void clear_bits(struct cache_fixture *f)
{
	f->clock = (struct fx_clock_cache){.hash = f->hash.index, .evict = evict, .ctx = f};
	fx_epoch_enter();
	for (uint32_t i = 0; i < KEYS; i++) {
		struct test_key key = key_of(i);
		fx_slot *slot;

		fx_hash_index_find(f->hash.index, key.hash, key.bytes, key.size, &slot);
		fx_slot_unreference(slot);
	}
	fx_epoch_leave();
}

static int setup(void **state)
{
	struct cache_fixture *f = calloc(1, sizeof(*f));

	hash_fixture_open(&f->hash);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct cache_fixture *f = *state;

	for (uint32_t i = 0; i < KEYS; i++) {
		fx_word word = find_number(&f->hash, i);

		if (word)
			fx_record_unref(f->hash.slab, fx_word_record(word));
	}
	fx_epoch_destroy(f->hash.epoch);
	fx_hash_index_destroy(f->hash.index);
	fx_slab_destroy(f->hash.slab);
	free(f);
	return 0;
}

static void what_is_used_stays(void **state)
{
	struct cache_fixture *f = *state;
	uint64_t words, given;

	for (uint32_t i = 0; i < KEYS; i++)
		add(f, i, true);
	clear_bits(f);
	for (uint32_t i = 0; i < KEYS; i += 3)
		use(f, i);
	given = fx_clock_evict(&f->clock, (uint64_t)KEYS / 2 * VALUE_SIZE, UINT64_MAX, &words);
	assert_int_equal(given, (uint64_t)KEYS / 2 * VALUE_SIZE);
	for (uint32_t i = 0; i < KEYS; i++)
		assert_false(f->used[i] && f->evicted[i]);
	/* The second chance is one: then these go, too. */
	given = fx_clock_evict(&f->clock, UINT64_MAX, UINT64_MAX, &words);
	assert_int_equal(given, (uint64_t)KEYS / 2 * VALUE_SIZE);
	assert_int_equal(f->calls, KEYS);
	/* Nothing is left: the hand stops. */
	assert_int_equal(fx_clock_evict(&f->clock, 1, UINT64_MAX, &words), 0);
	assert_in_range(words, KEYS, 4 * KEYS);
}

static void what_is_dirty_or_held_stays(void **state)
{
	struct cache_fixture *f = *state;
	struct fx_record *pinned;
	uint64_t words;

	for (uint32_t i = 0; i < 90; i++)
		add(f, i, i % 3 != 0);
	for (uint32_t i = 90; i < KEYS; i++)
		add(f, i, false);
	clear_bits(f);
	pinned = fx_word_record(find_number(&f->hash, 1));
	fx_value_ref(fx_record_value(pinned));
	assert_int_equal(fx_clock_evict(&f->clock, UINT64_MAX, UINT64_MAX, &words),
			 59 * VALUE_SIZE);
	assert_false(f->evicted[1]);
	for (uint32_t i = 0; i < 90; i += 3)
		assert_false(f->evicted[i]);
	fx_value_unref(f->hash.slab, fx_record_value(pinned));
}

/* In portions, wherever the hand stands. */
static void the_hand_goes_on(void **state)
{
	struct cache_fixture *f = *state;
	uint64_t words, given = 0;

	for (uint32_t i = 0; i < KEYS; i++)
		add(f, i, true);
	clear_bits(f);
	for (unsigned int i = 0; i < 10000 && given < (uint64_t)KEYS * VALUE_SIZE; i++) {
		given += fx_clock_evict(&f->clock, 3 * VALUE_SIZE, 1, &words);
		assert_true(words < KEYS / 2);
	}
	assert_int_equal(given, (uint64_t)KEYS * VALUE_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_used_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_dirty_or_held_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(the_hand_goes_on, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
