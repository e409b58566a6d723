/* SPDX-License-Identifier: Apache-2.0 */
/* feox_check() when the journal or the superblocks are lost: what comes back, and what may not. */
#include "checking.h"

#include "cleanup.h"
#include "journal.h"

static struct image closed_image(struct fixture *f)
{
	fill_store(f);
	close_store(f);
	return read_image(f->path);
}

/* Every key in its newest version; what was deleted may be back, in any that was found. */
static void expect_newest(struct fixture *f)
{
	open_file_store(f);
	for (unsigned int key = 0; key < KEYS; key++) {
		int generation = generation_of(f->store, key);

		if (key % 10)
			assert_int_equal(generation, expected_generation(key));
		else
			assert_true(generation >= 0);
	}
}

static void all_keys_come_back(void **state)
{
	struct fixture *f = *state;
	struct image image = closed_image(f);
	struct findings found_;
	uint64_t id, next_id;

	open_file_store(f);
	assert_int_equal(feox_next_id(f->store, &id), 0);
	close_store(f);
	free_image(&image);
	image = read_image(f->path);
	lose_journal(&image);
	write_image(f->path, &image);
	expect_findings(f->path, FEOX_CHECK_REPAIR, 0, 1, &found_);
	assert_true(found(&found_, FEOX_LOSS, "the journal that begins here is damaged", NULL));
	assert_false(found_.result.changed || found_.result.salvaged);
	salvage(f, &found_);
	assert_memory_equal(found_.result.identity.uuid, image.bytes + 16, 16);
	expect_newest(f);
	/* Numbers are not given out twice, versions go on. */
	assert_int_equal(feox_next_id(f->store, &next_id), 0);
	assert_true(next_id > id);
	put_generation(f->store, 1, 9);
	reopen(f);
	assert_int_equal(generation_of(f->store, 1), 9);
	free_image(&image);
}

/* Records of chains before the one that counts. */
static void lose_older_chains(const struct image *image)
{
	for (size_t b = find_block(image, "FXJR", 2); b; b = find_block(image, "FXJR", b + 1))
		if (fx_get_u64(image->bytes + b * BLOCK + 24) != fx_get_u64(image->bytes + 48))
			memset(image->bytes + b * BLOCK, 0, BLOCK);
}

/* A later record of the journal that is left is believed: what it says is dead stays so. */
static void certain_deletes_are_not_undone(void **state)
{
	struct fixture *f = *state;
	struct findings found_;
	struct image image;

	open_file_store(f);
	put(f->store, "key", "the first value");
	put(f->store, "other", "something");
	assert_int_equal(feox_sync(f->store), 0);
	put(f->store, "key", "the second value");
	reopen(f);
	del(f->store, "key");
	assert_int_equal(feox_sync(f->store), 0);
	put(f->store, "behind", "it");
	assert_int_equal(feox_sync(f->store), 0);
	image = read_image(f->path);
	close_store(f);
	/* Of the first value's death nobody knows any more. */
	find_text(&image, "the first value");
	find_text(&image, "the second value");
	lose_older_chains(&image);
	lose_journal(&image);
	write_image(f->path, &image);
	salvage(f, &found_);
	open_file_store(f);
	expect_text(f->store, "key", NULL);
	expect_text(f->store, "other", "something");
	expect_text(f->store, "behind", "it");
	free_image(&image);
}

/* The last record of a chain may be torn: what it calls dead is all that there is. */
static void uncertain_deaths_are_not_believed(void **state)
{
	struct fixture *f = *state;
	struct findings found_;
	struct image image;

	open_file_store(f);
	put(f->store, "key", "the first value");
	put(f->store, "other", "something");
	assert_int_equal(feox_sync(f->store), 0);
	put(f->store, "key", "the second value");
	assert_int_equal(feox_sync(f->store), 0);
	image = read_image(f->path);
	close_store(f);
	*find_text(&image, "the second value") ^= 1;
	lose_journal(&image);
	write_image(f->path, &image);
	salvage(f, &found_);
	assert_true(found(&found_, FEOX_LOSS, "an older version is kept", "key"));
	open_file_store(f);
	expect_text(f->store, "key", "the first value");
	expect_text(f->store, "other", "something");
	free_image(&image);
}

static void without_superblocks_too(void **state)
{
	struct fixture *f = *state;
	struct image image = closed_image(f);
	struct feox_check_options options = {
		.path = f->path, .flags = FEOX_CHECK_SALVAGE, .separator = ':'};
	struct findings found_;

	lose_superblocks(&image);
	write_image(f->path, &image);
	assert_int_equal(check_path(f->path, FEOX_CHECK_REPAIR, &found_), -EUCLEAN);
	assert_int_equal(feox_check(&options, &found_.result, NULL), 0);
	assert_true(found_.result.salvaged);
	assert_int_equal(found_.result.identity.separator, ':');
	assert_int_equal(found_.result.identity.size_bytes, image.size);
	expect_good(f->path);
	expect_newest(f);
	assert_int_equal(feox_separator(f->store), ':');
	free_image(&image);
}

/* Nothing but the extents. */
static void from_extents_alone(void **state)
{
	struct fixture *f = *state;
	struct image image = closed_image(f);
	struct findings found_;

	lose_superblocks(&image);
	lose_all_records(&image);
	write_image(f->path, &image);
	salvage(f, &found_);
	assert_true(found(&found_, FEOX_NOTE, "made anew", NULL));
	expect_newest(f);
	free_image(&image);
}

/* The remains of a store that was on the device before: the later one is meant. */
static void an_older_store_is_not_mistaken(void **state)
{
	struct fixture *f = *state;
	struct image old = closed_image(f), image;
	struct findings found_;
	uint8_t uuid[16];

	unlink(f->path);
	open_file_store(f);
	put(f->store, "mine", "1");
	close_store(f);
	image = read_image(f->path);
	memcpy(uuid, image.bytes + 16, 16);
	/* What the new one has not written to is as the old one left it. */
	for (size_t b = 2; b < image.size / BLOCK; b++)
		if (!fx_get_u64(image.bytes + b * BLOCK))
			memcpy(image.bytes + b * BLOCK, old.bytes + b * BLOCK, BLOCK);
	lose_superblocks(&image);
	write_image(f->path, &image);
	salvage(f, &found_);
	assert_memory_equal(found_.result.identity.uuid, uuid, 16);
	assert_int_equal(found_.result.keys, 1);
	open_file_store(f);
	expect_text(f->store, "mine", "1");
	free_image(&image);
	free_image(&old);
}

/* If it is still there. */
static void damage_value(const struct image *image, unsigned int key, unsigned int generation)
{
	char text[32];
	uint8_t *at;

	snprintf(text, sizeof(text), "key%04u#%u#", key, generation);
	at = memmem(image->bytes, image->size, text, strlen(text));
	if (at)
		at[25] ^= 1;
}

static void damage_is_named_and_older_versions_kept(void **state)
{
	struct fixture *f = *state;
	int older;
	struct image image = closed_image(f);
	struct findings found_;

	lose_journal(&image);
	find_value(&image, 33, 3)[25] ^= 1;
	find_value(&image, 36, 3)[25] ^= 1;
	for (unsigned int generation = 1; generation <= 2; generation++)
		damage_value(&image, 33, generation);
	write_image(f->path, &image);
	salvage(f, &found_);
	assert_true(found(&found_, FEOX_LOSS, "a value is damaged", "key0033"));
	open_file_store(f);
	older = generation_of(f->store, 36); /* unless its blocks were written anew already */
	assert_true(older >= 0 && older < 3);
	assert_true(found(&found_, FEOX_LOSS,
			  older ? "an older version is kept" : "a value is damaged", "key0036"));
	assert_int_equal(found_.result.lost_keys, older ? 1 : 2);
	for (unsigned int key = 0; key < KEYS; key++)
		if (key % 10)
			assert_int_equal(generation_of(f->store, key),
					 key == 33   ? 0
					 : key == 36 ? (unsigned int)older
						     : expected_generation(key));
	free_image(&image);
}

/* Power fails before the first superblock is written: nothing is lost by having begun. */
static void a_crash_before_the_superblock_loses_nothing(void **state)
{
	struct fixture *f = *state;
	struct image image = closed_image(f), after;
	struct findings found_;

	lose_journal(&image);
	write_image(f->path, &image);
	salvage(f, &found_);
	after = read_image(f->path);
	memcpy(after.bytes, image.bytes, (size_t)2 * BLOCK);
	write_image(f->path, &after);
	salvage(f, &found_);
	expect_newest(f);
	free_image(&after);
	free_image(&image);
}

static void a_store_that_was_cut_off(void **state)
{
	struct fixture *f = *state;
	struct image image = closed_image(f);
	struct findings found_;
	unsigned int there = 0;
	size_t last = 0;

	for (unsigned int key = 0; key < KEYS; key++)
		if (expected_generation(key)) {
			const uint8_t *extent = extent_of(
				&image, find_value(&image, key, expected_generation(key)));

			last = FX_MAX(last, (size_t)(extent - image.bytes));
		}
	image.size = last;
	write_image(f->path, &image);
	assert_int_equal(check_path(f->path, FEOX_CHECK_REPAIR, &found_), 0);
	assert_true(found(&found_, FEOX_LOSS, "cut off", NULL));
	assert_int_equal(found_.result.mended, 0);
	assert_int_equal(check_path(f->path, FEOX_CHECK_SALVAGE, &found_), 0);
	assert_int_equal(found_.result.mended, found_.result.losses);
	expect_good(f->path);
	open_file_store(f);
	for (unsigned int key = 0; key < KEYS; key++)
		there += generation_of(f->store, key) > 0;
	assert_true(there > 0 && there < KEYS);
	put(f->store, "new", "1"); /* it grows again */
	reopen(f);
	expect_text(f->store, "new", "1");
	free_image(&image);
}

static uint64_t seed = 7;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

static void damage_at_random(const struct image *image)
{
	uint8_t uuid[16];
	bool lie = rnd(2);

	memcpy(uuid, image->bytes + 16, 16);
	for (unsigned int i = rnd(6); i < 6; i++) {
		size_t block = rnd((uint32_t)(image->size / BLOCK));
		uint8_t *at = image->bytes + block * BLOCK;

		if (!fx_get_u64(at)) {
			i -= i > 0;
			continue;
		}
		if (rnd(8) == 0)
			memset(at, 0, BLOCK);
		else if (rnd(8) == 0)
			memcpy(at, image->bytes + rnd((uint32_t)(image->size / BLOCK)) * BLOCK,
			       BLOCK);
		else
			at[rnd(rnd(2) ? 120 : BLOCK)] ^= (uint8_t)(1u << rnd(8));
		if (lie) /* the checksum of what begins here is right all the same */
			bless(image, block, uuid);
	}
}

/*
 * Whatever has happened to the bytes: what a salvage leaves is a good store, and no value in it is
 * one that never was.
 */
static void what_is_left_is_a_good_store(void **state)
{
	struct fixture *f = *state;
	struct image image = closed_image(f);
	unsigned int done = 0;

	for (unsigned int round = 0; round < 60; round++) {
		struct image copy = copy_image(&image);
		struct findings found_;
		int err;

		damage_at_random(&copy);
		write_image(f->path, &copy);
		free_image(&copy);
		assert_true(check_path(f->path, 0, &found_) <= 0);
		err = check_path(f->path, FEOX_CHECK_SALVAGE, &found_);
		if (err) {
			assert_true(found_.diag.text[0]);
			continue;
		}
		done++;
		assert_int_equal(found_.result.mended, found_.result.faults + found_.result.losses);
		expect_good(f->path);
		open_file_store(f);
		for (unsigned int key = 0; key < KEYS; key++)
			assert_true(generation_of(f->store, key) >= 0);
		close_store(f);
	}
	assert_true(done > 50);
	free_image(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_keys_come_back),
		TEST(certain_deletes_are_not_undone),
		TEST(uncertain_deaths_are_not_believed),
		TEST(without_superblocks_too),
		TEST(from_extents_alone),
		TEST(an_older_store_is_not_mistaken),
		TEST(damage_is_named_and_older_versions_kept),
		TEST(a_crash_before_the_superblock_loses_nothing),
		TEST(a_store_that_was_cut_off),
		TEST(what_is_left_is_a_good_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
