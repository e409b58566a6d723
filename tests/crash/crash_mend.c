/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash_mend.c - the power goes while a store is mended or salvaged: whatever is on the disk then
 * can be mended, or salvaged, to what it would have become. Nothing is written over that is needed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bytes.h"
#include "feox/feox.h"
#include "recorder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE  ((uint64_t)1 << 20)
#define BLOCK 4096u
#define KEYS  24u

struct mend {
	struct recorder *medium; /* of the store that is mended */
	struct recorder *judge;	 /* of the states */
	uint8_t *image;
	unsigned int flags; /* of the check */
	int deleted;	    /* what getting key 0 gives when nothing is cut short */
	bool deleted_known;
};

static struct feox_store *open_store(void)
{
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_store *store = NULL;
	struct feox_diag diag = {""};
	int err;

	options.path = "medium";
	options.flags = FEOX_OPEN_CREATE;
	options.initial_size_bytes = options.max_size_bytes = SIZE;
	err = feox_open(&options, &store, &diag);
	if (err)
		print_error("%s\n", diag.text);
	assert_int_equal(err, 0);
	return store;
}

static size_t make_value(unsigned int key, char *value)
{
	size_t size = 50 + key * 131;
	int n = snprintf(value, size, "value of %u:", key);

	memset(value + n, 'a' + (int)(key % 26), size - (size_t)n);
	return size;
}

static void put_key(struct feox_store *store, unsigned int key, const char *value, size_t size)
{
	char name[16];
	int n = snprintf(name, sizeof(name), "%u", key);

	assert_int_equal(feox_put(store, name, (size_t)n, value, size, NULL, NULL), 0);
}

/* Every key has its latest value, and key 0 is deleted; a salvage may know that, or not. */
static void fill(void)
{
	struct feox_store *store = open_store();
	char value[8192];

	for (unsigned int round = 0; round < 2; round++)
		for (unsigned int key = 0; key < KEYS; key++) {
			size_t size = make_value(key, value);

			put_key(store, key, round ? value : "the first", round ? size : 9);
			if (key % 8 == 7)
				assert_int_equal(feox_sync(store), 0);
		}
	assert_int_equal(feox_delete(store, "0", 1, NULL), 0);
	assert_int_equal(feox_sync(store), 0);
	put_key(store, 1, value, make_value(1, value));
	assert_int_equal(feox_close(store), 0);
}

static int setup(void **state)
{
	struct mend *m = calloc(1, sizeof(*m));

	if (!m)
		return -1;
	m->medium = recorder_new(NULL, 0, SIZE);
	m->judge = recorder_new(NULL, 0, SIZE);
	m->image = malloc(SIZE);
	recorder_medium = m->medium;
	recorder_seed = 1;
	fill();
	memcpy(m->image, m->medium->view, SIZE);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct mend *m = *state;

	recorder_medium = NULL;
	recorder_free(m->medium);
	recorder_free(m->judge);
	free(m->image);
	free(m);
	return 0;
}

static int check(unsigned int flags, struct feox_check_result *ret_result)
{
	const struct feox_check_options options = {.path = "medium", .flags = flags};
	struct feox_diag diag = {""};
	int err = feox_check(&options, ret_result, &diag);

	if (err)
		print_error("%s\n", diag.text);
	return err;
}

static void expect_contents(struct mend *m)
{
	struct feox_store *store = open_store();
	char expected[8192];

	for (unsigned int key = 0; key < KEYS; key++) {
		struct feox_value value = {0};
		char name[16];
		int n = snprintf(name, sizeof(name), "%u", key);
		int err = feox_get(store, name, (size_t)n, 0, &value);

		if (!key && !m->deleted_known) {
			m->deleted = err;
			m->deleted_known = true;
		}
		assert_int_equal(err, key ? 0 : m->deleted);
		if (err)
			continue;
		assert_int_equal(value.size, make_value(key, expected));
		assert_memory_equal(value.data, expected, value.size);
		feox_value_release(store, &value);
	}
	assert_int_equal(feox_close(store), 0);
}

static void judge_state(struct mend *m, const uint8_t *state, uint64_t size)
{
	struct feox_check_result result;

	recorder_medium = m->judge;
	recorder_load(m->judge, state, size);
	if (m->flags == FEOX_CHECK_SALVAGE)
		assert_int_equal(check(m->flags, &result), 0);
	expect_contents(m);
	assert_int_equal(check(0, &result), 0);
	assert_int_equal(result.faults + result.losses, 0);
}

static void judge_states(struct mend *m)
{
	uint8_t *state = malloc(SIZE);
	struct recorder_walk walk;
	uint64_t random = 7;
	unsigned int states = 0;

	recorder_walk_begin(&walk, m->medium);
	do
		for (unsigned int mode = 0; mode < RECORDER_MODES; mode++) {
			uint64_t size =
				recorder_state(&walk, (enum recorder_mode)mode, &random, state);

			if (mode > RECORDER_ALL && !walk.open_count)
				break;
			judge_state(m, state, size);
			states++;
		}
	while (recorder_walk_step(&walk));
	recorder_walk_end(&walk);
	free(state);
	assert_true(states > 20);
}

/* Mend the image as it is now, recorded, and look at every state in between. */
static void mend(struct mend *m, unsigned int flags)
{
	struct feox_check_result result;

	m->flags = flags;
	recorder_medium = m->medium;
	recorder_load(m->medium, m->image, SIZE);
	recorder_start(m->medium);
	m->medium->random = 3;
	assert_int_equal(check(flags, &result), 0);
	assert_true(result.changed);
	assert_int_equal(result.mended, result.faults + result.losses);
	m->deleted_known = false;
	recorder_medium = m->judge;
	recorder_load(m->judge, m->medium->view, SIZE);
	expect_contents(m);
	assert_true(m->deleted == -ENOENT || flags == FEOX_CHECK_SALVAGE);
	judge_states(m);
}

static void a_superblock_is_mended(void **state)
{
	struct mend *m = *state;

	for (unsigned int copy = 0; copy < 2; copy++) {
		memcpy(m->image + copy * BLOCK, "XXXX", 4);
		mend(m, FEOX_CHECK_REPAIR);
		memcpy(m->image, m->medium->view, SIZE);
	}
}

static void a_lost_journal_is_salvaged(void **state)
{
	struct mend *m = *state;

	m->image[fx_get_u64(m->image + 56) * BLOCK + 60] ^= 1;
	mend(m, FEOX_CHECK_SALVAGE);
}

static void lost_superblocks_are_made_anew(void **state)
{
	struct mend *m = *state;

	memset(m->image, 0, (size_t)2 * BLOCK);
	mend(m, FEOX_CHECK_SALVAGE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_superblock_is_mended),
		TEST(a_lost_journal_is_salvaged),
		TEST(lost_superblocks_are_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
