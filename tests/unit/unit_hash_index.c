/* SPDX-License-Identifier: Apache-2.0 */
/* The hash index by one thread: against a model, under collisions, short of memory. */
#include "hash_fixture.h"

#include "hash_segment.h"

#define MODEL_KEYS 30000u

static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

/* ---- Against a model ---------------------------------------------------------------------------
 */

static void check_all(struct hash_fixture *f, const uint64_t *versions, struct walked *walked)
{
	uint64_t present = 0;

	walk_all(f, walked, 1 + rnd(5000));
	for (uint64_t n = 0; n < walked->limit; n++) {
		fx_word word = find_number(f, n);

		assert_int_equal(word != 0, versions[n] != 0);
		assert_int_equal(walked->seen[n], versions[n] != 0);
		if (word)
			assert_int_equal(fx_word_record(word)->version, versions[n]);
		present += versions[n] != 0;
	}
	assert_int_equal(walked->words, present);
}

static void step(struct hash_fixture *f, uint64_t *versions, uint64_t n, unsigned int bias)
{
	switch (rnd(10)) {
	case 0:
	case 1:
		assert_int_equal(bump_number(f, n), versions[n] ? 0 : -ENOENT);
		versions[n] += versions[n] != 0;
		break;
	case 2:
	case 3:
	case 4:
		assert_int_equal(find_number(f, n) != 0, versions[n] != 0);
		break;
	default:
		if (rnd(10) < bias) {
			assert_int_equal(insert_number(f, n, 1), versions[n] ? -EEXIST : 0);
			versions[n] = versions[n] ? versions[n] : 1;
		} else {
			assert_int_equal(remove_number(f, n), versions[n] != 0);
			versions[n] = 0;
		}
	}
}

static void it_agrees_with_a_model(void **state)
{
	static uint64_t versions[MODEL_KEYS];
	static uint8_t seen[MODEL_KEYS];
	struct walked walked = {.seen = seen, .limit = MODEL_KEYS};
	struct hash_fixture f;

	hash_fixture_open(&f);
	seed = 1;
	memset(versions, 0, sizeof(versions));
	check_all(&f, versions, &walked);
	for (unsigned int round = 0; round < 12; round++) {
		unsigned int bias = round % 3 == 2 ? 2 : 8; /* grows twice, then shrinks */

		for (unsigned int i = 0; i < 25000; i++)
			step(&f, versions, rnd(MODEL_KEYS), bias);
		check_all(&f, versions, &walked);
	}
	hash_fixture_close(&f);
}

static void states_and_empty_keys_are_kept(void **state)
{
	struct hash_fixture f;
	struct fx_record *record;
	uint64_t hash = fx_hash_key(HASH_SEED, NULL, 0);
	fx_slot *slot, *found;
	fx_word word, other;

	hash_fixture_open(&f);
	record = fx_record_new(f.slab, &(struct fx_record_parts){0});
	fx_epoch_enter();
	assert_int_equal(fx_hash_index_find(f.index, hash, NULL, 0, &slot), 0);
	assert_null(slot);
	assert_false(fx_hash_index_cas(f.index, slot, 0, 16));
	word = fx_word_make(hash, record, FX_SLOT_PENDING);
	assert_int_equal(fx_hash_index_insert(f.index, hash, word, &slot, &other), 0);
	assert_int_equal(other, word);
	for (unsigned int s = FX_SLOT_LIVE; s <= FX_SLOT_INTENT; s++) {
		fx_word next = fx_word_make(hash, record, (enum fx_slot_state)s);

		assert_true(fx_hash_index_cas(f.index, slot, word, next));
		assert_int_equal(fx_hash_index_find(f.index, hash, "", 0, &found), next);
		assert_ptr_equal(found, slot);
		assert_int_equal(fx_hash_index_insert(f.index, hash, word, &found, &other),
				 -EEXIST);
		assert_int_equal(other, next);
		if (next != word)
			assert_false(fx_hash_index_cas(f.index, slot, word, next));
		word = next;
	}
	fx_epoch_leave();
	hash_fixture_close(&f);
}

/* ---- Collisions --------------------------------------------------------------------------------
 */

/* Insert count keys whose hashes agree in the bits of mask, from number *next on. */
static void insert_alike(struct hash_fixture *f, uint64_t mask, uint64_t bits, uint64_t count,
			 uint64_t *numbers)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < count; n++) {
		if ((key_of(n).hash & mask) != bits)
			continue;
		assert_int_equal(insert_number(f, n, 1), 0);
		numbers[i++] = n;
	}
}

static void check_alike(struct hash_fixture *f, const uint64_t *numbers, uint64_t count)
{
	struct walked walked = {.limit = numbers[count - 1] + 1};

	walked.seen = calloc(1, walked.limit);
	assert_non_null(walked.seen);
	walk_all(f, &walked, 100);
	assert_int_equal(walked.words, count);
	for (uint64_t i = 0; i < count; i++) {
		assert_true(find_number(f, numbers[i]) != 0);
		assert_int_equal(walked.seen[numbers[i]], 1);
		assert_int_equal(insert_number(f, numbers[i], 1), -EEXIST);
	}
	free(walked.seen);
}

static void alike(uint64_t mask, uint64_t bits, uint64_t count)
{
	uint64_t *numbers = calloc(count, sizeof(*numbers));
	struct hash_fixture f;

	hash_fixture_open(&f);
	insert_alike(&f, mask, bits, count, numbers);
	check_alike(&f, numbers, count);
	for (uint64_t i = 0; i < count; i += 2)
		assert_true(remove_number(&f, numbers[i]));
	for (uint64_t i = 0; i < count; i++)
		assert_int_equal(find_number(&f, numbers[i]) != 0, i % 2);
	hash_fixture_close(&f);
	free(numbers);
}

static void keys_of_one_tag(void **state)
{
	alike(UINT64_C(0xffff) << 16, 0, 60); /* as empty slots have it, too */
	alike(UINT64_C(0xffff) << 16, UINT64_C(0xabcd) << 16, 60);
}

/* All of them in one home, so that it is the stash and splits that must hold them. */
static void keys_of_one_home(void **state)
{
	alike(0xff80, 0, 2000);
	alike(0xffff, 0xffff, 30);
}

/* The first splits separate nothing; a half may need a segment as large as before. */
static void keys_of_one_prefix(void **state)
{
	alike(UINT64_C(0xff) << 56, 0, 9000);
	alike(UINT64_C(0x3f) << 58, UINT64_C(0x3f) << 58, 9000);
	alike(UINT64_C(1) << 63, 0, 9000);
}

/* ---- Moving ------------------------------------------------------------------------------------
 */

/* Removals leave gaps and stale names; the table must not grow for them. */
static void churn_does_not_grow_it(void **state)
{
	const uint64_t keys = 20000;
	struct hash_fixture f;
	uint64_t bytes;

	hash_fixture_open(&f);
	for (uint64_t n = 0; n < keys; n++)
		assert_int_equal(insert_number(&f, n, 1), 0);
	bytes = fx_hash_index_bytes(f.index);
	for (uint64_t n = 0; n < 20 * keys; n++) {
		assert_true(remove_number(&f, n));
		assert_int_equal(insert_number(&f, n + keys, 1), 0);
	}
	for (uint64_t n = 20 * keys; n < 21 * keys; n++)
		assert_true(find_number(&f, n) != 0);
	assert_in_range(fx_hash_index_bytes(f.index), 1, bytes * 3 / 2);
	hash_fixture_close(&f);
}

static void a_walk_sees_what_is_there_throughout(void **state)
{
	const uint64_t keys = 5000, more = 60000;
	struct walked walked = {.limit = keys + more, .seen = calloc(1, keys + more)};
	uint64_t cursor = 0, next = keys, parts = 0;
	struct hash_fixture f;

	hash_fixture_open(&f);
	for (uint64_t n = 0; n < keys; n++)
		assert_int_equal(insert_number(&f, n, 1), 0);
	do {
		fx_epoch_enter();
		fx_hash_index_walk(f.index, &cursor, 50, count_walked, &walked);
		fx_epoch_leave();
		for (unsigned int i = 0; i < 700 && next < walked.limit; i++)
			assert_int_equal(insert_number(&f, next++, 1), 0);
		parts++;
	} while (cursor);
	for (uint64_t n = 0; n < keys; n++)
		assert_in_range(walked.seen[n], 1, 10);
	assert_in_range(parts, keys / 50, 3 * (keys + more) / 50);
	hash_fixture_close(&f);
	free(walked.seen);
}

/* Take back the key's reference bit, and set it when said so; was it set? */
static bool unreference(struct hash_fixture *f, uint64_t number, bool set)
{
	struct test_key key = key_of(number);
	fx_slot *slot;
	bool was;

	fx_epoch_enter();
	fx_hash_index_find(f->index, key.hash, key.bytes, key.size, &slot);
	was = fx_slot_unreference(slot);
	for (unsigned int i = 0; set && i < 2; i++)
		fx_slot_reference(slot);
	fx_epoch_leave();
	return was;
}

static void reference_bits_are_kept_by_splits(void **state)
{
	const uint64_t keys = 1200;
	struct hash_fixture f;

	hash_fixture_open(&f);
	for (uint64_t n = 0; n < keys; n++)
		assert_int_equal(insert_number(&f, n, 1), 0);
	for (uint64_t n = 0; n < keys; n += 3)
		assert_false(unreference(&f, n, true));
	for (uint64_t n = keys; n < 20 * keys; n++)
		assert_int_equal(insert_number(&f, n, 1), 0);
	for (uint64_t n = 0; n < keys; n++) {
		assert_int_equal(unreference(&f, n, false), n % 3 == 0);
		assert_false(unreference(&f, n, false));
	}
	hash_fixture_close(&f);
}

/* ---- Memory ------------------------------------------------------------------------------------
 */

static void its_bytes_are_exact_and_few(void **state)
{
	const uint64_t keys = 200000;
	struct hash_fixture f;
	double sum = 0, weight = 0;

	hash_fixture_open(&f);
	fx_epoch_drain(f.epoch);
	assert_int_equal(fx_slab_used(f.slab), fx_hash_index_bytes(f.index));
	for (uint64_t n = 0; n < keys; n++) {
		assert_int_equal(insert_number(&f, n, 1), 0);
		if (n < 20000)
			continue;
		sum += (double)fx_hash_index_bytes(f.index) / (double)n / (double)n;
		weight += 1 / (double)n;
	}
	assert_in_range((uint64_t)(sum / weight * 100), 900, 1350); /* hundredths, a key */
	for (uint64_t n = 0; n < keys; n++)
		assert_true(remove_number(&f, n));
	fx_epoch_drain(f.epoch);
	assert_int_equal(fx_slab_used(f.slab), fx_hash_index_bytes(f.index));
	hash_fixture_close(&f);
}

static void reserved_room_is_used_without_allocation(void **state)
{
	static const uint64_t counts[] = {0, 1, 1500, 5000, 100000};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		uint64_t keys = counts[i], before, allocations;
		struct hash_fixture f;

		hash_fixture_open(&f);
		assert_int_equal(fx_hash_index_reserve(f.index, keys), 0);
		before = fx_hash_index_bytes(f.index);
		allocations = atomic_load(&f.allocations);
		for (uint64_t n = 0; n < keys; n++)
			assert_int_equal(insert_number(&f, n, 1), 0);
		assert_int_equal(atomic_load(&f.allocations) - allocations, keys); /* records */
		assert_int_equal(fx_hash_index_bytes(f.index), before);
		if (keys)
			assert_int_equal(fx_hash_index_reserve(f.index, 2 * keys), -EINVAL);
		for (uint64_t n = 0; n < keys; n++)
			assert_true(find_number(&f, n) != 0);
		hash_fixture_close(&f);
	}
}

/* Insert the number; when it fails, check that nothing else changed, then let it be. */
static void insert_or_fail(struct hash_fixture *f, const uint64_t *numbers, uint64_t i)
{
	int err = insert_number(f, numbers[i], 1);

	if (!err)
		return;
	assert_int_equal(err, -ENOMEM);
	assert_int_equal(find_number(f, numbers[i]), 0);
	for (uint64_t j = 0; j < i; j++)
		assert_true(find_number(f, numbers[j]) != 0);
	assert_int_equal(insert_number(f, numbers[i / 2], 1), -EEXIST);
	assert_int_equal(bump_number(f, numbers[i / 2]), 0);
	assert_true(remove_number(f, numbers[i / 2]));
	assert_int_equal(insert_number(f, numbers[i / 2], 1), 0);
	assert_int_equal(insert_number(f, numbers[i], 1), 0);
}

static void oom_at(const uint64_t *numbers, uint64_t count, uint64_t n)
{
	struct hash_fixture f;

	hash_fixture_open(&f);
	atomic_store(&f.fail_at, atomic_load(&f.allocations) + n);
	for (uint64_t i = 0; i < count; i++)
		insert_or_fail(&f, numbers, i);
	check_alike(&f, numbers, count);
	hash_fixture_close(&f);
}

/* Allocations that are not a record's, when the numbers are inserted into an empty index. */
static uint64_t find_allocations(const uint64_t *numbers, uint64_t count, uint64_t *at)
{
	struct hash_fixture f;
	uint64_t found = 0, start;

	hash_fixture_open(&f);
	start = atomic_load(&f.allocations);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t before = atomic_load(&f.allocations);

		assert_int_equal(insert_number(&f, numbers[i], 1), 0);
		for (uint64_t n = before + 1; n < atomic_load(&f.allocations); n++)
			at[found++] = n - start + 1;
	}
	hash_fixture_close(&f);
	return found;
}

static void out_of_memory(uint64_t mask, uint64_t count)
{
	uint64_t *numbers = calloc(count, sizeof(*numbers));
	uint64_t at[256], found;

	for (uint64_t n = 0, i = 0; i < count; n++)
		if (!(key_of(n).hash & mask))
			numbers[i++] = n;
	found = find_allocations(numbers, count, at);
	assert_in_range(found, 6, 256);
	for (uint64_t i = 0; i < found; i++)
		oom_at(numbers, count, at[i]);
	free(numbers);
}

static void out_of_memory_at_every_allocation(void **state)
{
	out_of_memory(0, 12000);
	/* The copies turn out too small, and the larger ones fail after all is frozen. */
	out_of_memory(UINT64_C(7) << 61, 8000);
	out_of_memory(0xff80, 1000);
}

static void create_and_reserve_out_of_memory(void **state)
{
	struct hash_fixture f;
	struct fx_hash_index *index = NULL;

	hash_fixture_open(&f);
	for (uint64_t n = 1; !index; n++) {
		uint64_t used = fx_slab_used(f.slab);
		int err;

		atomic_store(&f.fail_at, atomic_load(&f.allocations) + n);
		err = fx_hash_index_create(f.slab, f.epoch, HASH_SEED, &index);
		assert_int_equal(err, index ? 0 : -ENOMEM);
		assert_true(index || fx_slab_used(f.slab) == used);
	}
	for (int err = -ENOMEM, n = 1; err; n++) {
		uint64_t used = fx_slab_used(f.slab), bytes = fx_hash_index_bytes(index);

		atomic_store(&f.fail_at, atomic_load(&f.allocations) + (uint64_t)n);
		err = fx_hash_index_reserve(index, 10000);
		assert_true(!err || err == -ENOMEM);
		assert_true(!err || fx_slab_used(f.slab) == used);
		assert_true(!err || fx_hash_index_bytes(index) == bytes);
	}
	fx_hash_index_destroy(index);
	hash_fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_agrees_with_a_model),
		cmocka_unit_test(states_and_empty_keys_are_kept),
		cmocka_unit_test(keys_of_one_tag),
		cmocka_unit_test(keys_of_one_home),
		cmocka_unit_test(keys_of_one_prefix),
		cmocka_unit_test(churn_does_not_grow_it),
		cmocka_unit_test(a_walk_sees_what_is_there_throughout),
		cmocka_unit_test(reference_bits_are_kept_by_splits),
		cmocka_unit_test(its_bytes_are_exact_and_few),
		cmocka_unit_test(reserved_room_is_used_without_allocation),
		cmocka_unit_test(out_of_memory_at_every_allocation),
		cmocka_unit_test(create_and_reserve_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
