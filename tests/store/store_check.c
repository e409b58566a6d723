/* SPDX-License-Identifier: Apache-2.0 */
/* feox_check() of stores whose journal is there: what is found, what is mended, what is left. */
#include "checking.h"

#include "journal.h"
#include "superblock.h"

static struct image closed_image(struct fixture *f)
{
	fill_store(f);
	close_store(f);
	/* Once more: the chain begins with a checkpoint of all extents. */
	open_file_store(f);
	close_store(f);
	return read_image(f->path);
}

/* All keys are there, but for those of lost (a list that ends with UINT_MAX). */
static void expect_contents(struct fixture *f, const unsigned int *lost)
{
	open_file_store(f);
	for (unsigned int key = 0; key < KEYS; key++) {
		bool gone = false;

		for (const unsigned int *l = lost; l && *l != UINT_MAX; l++)
			gone = gone || *l == key;
		assert_int_equal(generation_of(f->store, key), gone ? 0 : expected_generation(key));
	}
	close_store(f);
}

static void a_good_store_is_good(void **state)
{
	struct fixture *f = *state;
	struct image image = closed_image(f);
	struct findings found_;

	expect_findings(f->path, FEOX_CHECK_SALVAGE, 0, 0, &found_);
	assert_int_equal(found_.count, 0);
	assert_true(found_.result.clean);
	assert_false(found_.result.changed);
	assert_int_equal(found_.result.keys, KEYS - KEYS / 10);
	assert_true(found_.result.extents > 3 && found_.result.journal_records >= 2);
	assert_true(found_.result.checked_bytes > 1000000);
	assert_int_equal(found_.result.identity.size_bytes, image.size);
	assert_int_equal(found_.result.identity.separator, '/');
	assert_memory_equal(found_.result.identity.uuid, image.bytes + 16, 16);
	assert_true(is_unchanged(f->path, &image));
	free_image(&image);
}

static void a_crash_leaves_a_note(void **state)
{
	struct fixture *f = *state;
	struct findings found_;
	struct image image;

	fill_store(f);
	image = read_image(f->path);
	close_store(f);
	write_image(f->path, &image);
	expect_findings(f->path, 0, 0, 0, &found_);
	assert_false(found_.result.clean);
	assert_true(found(&found_, FEOX_NOTE, "not closed in order", NULL));
	assert_true(is_unchanged(f->path, &image));
	expect_findings(f->path, FEOX_CHECK_REPAIR, 0, 0, &found_);
	assert_true(found_.result.clean && found_.result.changed);
	assert_int_equal(found_.result.mended, 0);
	expect_findings(f->path, 0, 0, 0, &found_);
	assert_int_equal(found_.count, 0);
	expect_contents(f, NULL);
	free_image(&image);
}

/* The last record's extent is not whole: as if that batch had never been. */
static void a_torn_batch_is_a_note(void **state)
{
	struct fixture *f = *state;
	struct findings found_;
	struct image image;

	fill_store(f);
	assert_int_equal(put(f->store, "torn", "the value of a torn batch"), 0);
	assert_int_equal(feox_sync(f->store), 0);
	image = read_image(f->path);
	close_store(f);
	*find_text(&image, "the value of a torn batch") ^= 1;
	write_image(f->path, &image);
	expect_findings(f->path, FEOX_CHECK_REPAIR, 0, 0, &found_);
	assert_true(found(&found_, FEOX_NOTE, "the last batch was not written to its end", NULL));
	expect_findings(f->path, 0, 0, 0, &found_);
	assert_int_equal(found_.count, 0);
	expect_contents(f, NULL);
	free_image(&image);
}

static void one_superblock_is_mended(void **state)
{
	struct fixture *f = *state;
	struct image image = closed_image(f);
	struct findings found_;

	for (unsigned int copy = 0; copy < 2; copy++) {
		struct image damaged = copy_image(&image), mended;

		damaged.bytes[copy * BLOCK + 100] ^= 1;
		write_image(f->path, &damaged);
		expect_findings(f->path, 0, 1, 0, &found_);
		assert_true(found(&found_, FEOX_FAULT,
				  copy ? "superblock B is damaged" : "superblock A is damaged",
				  NULL));
		assert_int_equal(found_.list[0].block, copy);
		assert_int_equal(found_.result.mended, 0);
		assert_true(is_unchanged(f->path, &damaged));
		expect_findings(f->path, FEOX_CHECK_REPAIR, 1, 0, &found_);
		assert_int_equal(found_.result.mended, 1);
		/* Now the other one may go. */
		mended = read_image(f->path);
		mended.bytes[(copy ^ 1u) * BLOCK + 100] ^= 1;
		write_image(f->path, &mended);
		expect_findings(f->path, FEOX_CHECK_REPAIR, 1, 0, &found_);
		expect_good(f->path);
		expect_contents(f, NULL);
		free_image(&damaged);
		free_image(&mended);
	}
	free_image(&image);
}

static void an_older_superblock_is_a_note(void **state)
{
	struct fixture *f = *state;
	struct image image = closed_image(f), newer;
	struct findings found_;

	open_file_store(f);
	close_store(f);
	newer = read_image(f->path);
	memcpy(newer.bytes + BLOCK, image.bytes + BLOCK, BLOCK);
	write_image(f->path, &newer);
	expect_findings(f->path, FEOX_CHECK_REPAIR, 0, 0, &found_);
	assert_true(found(&found_, FEOX_NOTE, "older than the other", NULL));
	assert_int_equal(found_.list[0].block, 1);
	expect_findings(f->path, 0, 0, 0, &found_);
	assert_int_equal(found_.count, 0);
	expect_contents(f, NULL);
	/* Same generation, not the same content. */
	free_image(&newer);
	newer = read_image(f->path);
	newer.bytes[BLOCK + 56] ^= 1;
	bless(&newer, 1, newer.bytes + 16);
	write_image(f->path, &newer);
	expect_findings(f->path, 0, 1, 0, &found_);
	assert_true(found(&found_, FEOX_FAULT, "not of one store", NULL));
	free_image(&newer);
	free_image(&image);
}

static void a_damaged_value_is_named(void **state)
{
	static const unsigned int lost[] = {7, 31, UINT_MAX};
	struct fixture *f = *state;
	struct image image = closed_image(f);
	struct findings found_;

	for (unsigned int i = 0; i < 2; i++)
		find_value(&image, lost[i], expected_generation(lost[i]))[30] ^= 4;
	write_image(f->path, &image);
	expect_findings(f->path, FEOX_CHECK_QUICK, 0, 0, &found_);
	assert_int_equal(found_.count, 0);
	expect_findings(f->path, 0, 0, 2, &found_);
	assert_true(found(&found_, FEOX_LOSS, "is damaged", "key0007"));
	assert_true(found(&found_, FEOX_LOSS, "is damaged", "key0031"));
	assert_int_equal(found_.result.lost_keys, 2);
	/* Without SALVAGE nothing is given up. */
	expect_findings(f->path, FEOX_CHECK_REPAIR, 0, 2, &found_);
	assert_int_equal(found_.result.mended, 0);
	assert_true(is_unchanged(f->path, &image));
	expect_findings(f->path, FEOX_CHECK_SALVAGE, 0, 2, &found_);
	assert_int_equal(found_.result.mended, 2);
	assert_false(found_.result.salvaged);
	assert_int_equal(found_.result.keys, KEYS - KEYS / 10 - 2);
	expect_findings(f->path, 0, 0, 0, &found_);
	assert_int_equal(found_.count, 0);
	expect_contents(f, lost);
	free_image(&image);
}

/* What nobody reads any more may be damaged: a note, once. */
static void damage_of_the_dead_is_a_note(void **state)
{
	struct fixture *f = *state;
	struct image image;
	struct findings found_;

	open_file_store(f);
	put(f->store, "dead", "the dead value");
	put(f->store, "live", "the live value");
	feox_sync(f->store);
	del(f->store, "dead");
	close_store(f);
	image = read_image(f->path);
	*find_text(&image, "the dead value") ^= 1;
	write_image(f->path, &image);
	expect_findings(f->path, 0, 0, 0, &found_);
	assert_true(found(&found_, FEOX_NOTE, "not where something lives", NULL));
	free_image(&image);
}

static void a_damaged_directory_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct image image = closed_image(f);
	struct findings found_;
	unsigned int lost = 0;
	uint8_t *extent = extent_of(&image, find_value(&image, 8, 2));
	uint8_t *name = memmem(extent, 4 * BLOCK, "key0008", 7);

	name[3] = 'x'; /* its checksum knows better */
	write_image(f->path, &image);
	expect_findings(f->path, FEOX_CHECK_REPAIR, 0, 1, &found_);
	assert_true(found(&found_, FEOX_LOSS, "a directory with a bad checksum", NULL));
	assert_true(found(&found_, FEOX_NOTE, "as far as can be read", "keyx008"));
	assert_true(found_.result.lost_keys > 0);
	assert_true(is_unchanged(f->path, &image));
	expect_findings(f->path, FEOX_CHECK_SALVAGE, 0, 1, &found_);
	assert_int_equal(found_.result.keys, KEYS - KEYS / 10 - found_.result.lost_keys);
	expect_good(f->path);
	open_file_store(f);
	for (unsigned int key = 0; key < KEYS; key++) {
		int generation = generation_of(f->store, key);

		lost += generation != (int)expected_generation(key);
		assert_true(generation == 0 || generation == (int)expected_generation(key));
	}
	assert_int_equal(lost, found_.result.lost_keys);
	free_image(&image);
}

/* The record of the checkpoint whose section 4 names the extents. */
static uint8_t *checkpoint_extents(const struct image *image, size_t *ret_block)
{
	size_t block = (size_t)fx_get_u64(image->bytes + 56);
	uint8_t *at = image->bytes + block * BLOCK;

	assert_int_equal(fx_get_u32(at + 4), FX_JOURNAL_PART);
	assert_int_equal(fx_get_u16(at + FX_JOURNAL_HEADER), FX_SECTION_STATE);
	*ret_block = block;
	return at + FX_JOURNAL_HEADER + FX_SECTION_HEADER;
}

static size_t state_size(const uint8_t *extent)
{
	return 40 + (size_t)fx_get_u32(extent + 32) * 16 +
	       ((size_t)fx_get_u32(extent + 28) + 63) / 64 * 8;
}

static void two_owners_are_told_apart(void **state)
{
	struct fixture *f = *state;
	struct image image = closed_image(f);
	struct findings found_;
	size_t block;
	uint8_t *first = checkpoint_extents(&image, &block), *second = first + state_size(first);

	fx_put_u64(second + 40, fx_get_u64(first + 40));
	fx_put_u64(second + 48, fx_div_up(fx_get_u64(second + 8), BLOCK));
	bless(&image, block, image.bytes + 16);
	write_image(f->path, &image);
	assert_int_equal(check_path(f->path, FEOX_CHECK_QUICK, &found_), 0);
	assert_true(found(&found_, FEOX_LOSS, "two owners of one block", NULL));
	assert_true(found(&found_, FEOX_LOSS, "a misplaced or stale extent", NULL));
	assert_int_equal(check_path(f->path, FEOX_CHECK_SALVAGE, &found_), 0);
	assert_int_equal(found_.result.mended, found_.result.losses);
	expect_good(f->path);
	open_file_store(f);
	for (unsigned int key = 0; key < KEYS; key++)
		assert_true(generation_of(f->store, key) >= 0);
	free_image(&image);
}

static void of_twins_the_newer_one_stays(void **state)
{
	struct fixture *f = *state;
	struct image image;
	struct findings found_;
	size_t block;
	uint8_t *extent;

	open_file_store(f);
	put(f->store, "twin", "old");
	put(f->store, "other", "one");
	feox_sync(f->store);
	put(f->store, "twin", "new");
	reopen(f);
	close_store(f);
	image = read_image(f->path);
	extent = checkpoint_extents(&image, &block);
	assert_int_equal(fx_get_u32(extent + 28), 2);
	fx_put_u64(extent + 56, 3); /* both live */
	bless(&image, block, image.bytes + 16);
	write_image(f->path, &image);
	expect_findings(f->path, 0, 0, 1, &found_);
	assert_true(found(&found_, FEOX_LOSS, "lives twice", "twin"));
	expect_findings(f->path, FEOX_CHECK_SALVAGE, 0, 1, &found_);
	expect_good(f->path);
	open_file_store(f);
	expect_text(f->store, "twin", "new");
	expect_text(f->store, "other", "one");
	free_image(&image);
}

static void a_store_in_use_is_not_touched(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct findings found_;

	open_file_store(f);
	put(f->store, "a", "1");
	assert_int_equal(check_path(f->path, 0, &found_), -EBUSY);
	assert_non_null(strstr(found_.diag.text, "in use"));
	assert_int_equal(check_path(f->path, FEOX_CHECK_SALVAGE, &found_), -EBUSY);
	close_store(f);
	options.path = f->path;
	options.flags = FEOX_OPEN_READ_ONLY;
	open_with(f, &options);
	expect_good(f->path);
	assert_int_equal(check_path(f->path, FEOX_CHECK_REPAIR, &found_), -EBUSY);
}

static int stop_at_once(void *ctx, enum feox_check_stage stage, uint64_t done, uint64_t total)
{
	assert_true(stage >= FEOX_CHECK_KEYS && stage <= FEOX_CHECK_SEARCH);
	assert_true(done <= total);
	return --*(int *)ctx <= 0;
}

static void progress_may_end_it(void **state)
{
	struct fixture *f = *state;
	struct image image;
	struct feox_check_result result;
	int calls = 1000, n = 1;

	fill_store(f);
	image = read_image(f->path);
	close_store(f);
	write_image(f->path, &image);
	/* At each of its calls; the last run ends by itself. */
	for (;; n++) {
		int left = n;
		struct feox_check_options options = {.path = f->path,
						     .flags = FEOX_CHECK_SALVAGE,
						     .progress = stop_at_once,
						     .progress_ctx = &left};
		int err = feox_check(&options, &result, NULL);

		if (!err)
			break;
		assert_int_equal(err, -ECANCELED);
		assert_true(is_unchanged(f->path, &image));
		assert_true(n < calls);
	}
	assert_true(n > 3);
	expect_contents(f, NULL);
	free_image(&image);
}

static void misuse_is_refused(void **state)
{
	struct fixture *f = *state;
	struct feox_check_options options = {.path = f->path, .flags = 1 << 20};
	struct feox_check_result result;
	struct findings found_;

	assert_int_equal(feox_check(NULL, &result, NULL), -EINVAL);
	assert_int_equal(feox_check(&options, &result, NULL), -EINVAL);
	options.flags = 0;
	assert_int_equal(feox_check(&options, NULL, NULL), -EINVAL);
	options.path = NULL;
	assert_int_equal(feox_check(&options, &result, NULL), -EINVAL);
	assert_int_equal(check_path(f->path, 0, &found_), -ENOENT);
	assert_int_equal(check_path("/dev/null", 0, &found_), -ENOTBLK);
	assert_int_equal(check_path(f->dir, 0, &found_), -EISDIR);
	assert_true(found_.diag.text[0]);
}

static void what_is_no_store_stays_what_it_is(void **state)
{
	struct fixture *f = *state;
	struct image image = {.size = 64 * BLOCK, .bytes = malloc((size_t)64 * BLOCK)};
	struct findings found_;

	memset(image.bytes, 'x', image.size);
	write_image(f->path, &image);
	for (unsigned int flags = 0; flags < 8; flags++) {
		assert_int_equal(check_path(f->path, flags, &found_), -EUCLEAN);
		assert_non_null(strstr(found_.diag.text, "not a feox store"));
		assert_true(is_unchanged(f->path, &image));
	}
	free_image(&image);
}

static void a_newer_format_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct image image;
	struct findings found_;

	open_file_store(f);
	close_store(f);
	image = read_image(f->path);
	for (unsigned int copy = 0; copy < 2; copy++) {
		fx_put_u32(image.bytes + copy * BLOCK + 8, FX_FORMAT_VERSION + 1);
		bless(&image, copy, image.bytes + 16);
	}
	write_image(f->path, &image);
	assert_int_equal(check_path(f->path, FEOX_CHECK_SALVAGE, &found_), -ENOTSUP);
	assert_true(is_unchanged(f->path, &image));
	free_image(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_store_is_good),
		TEST(a_crash_leaves_a_note),
		TEST(a_torn_batch_is_a_note),
		TEST(one_superblock_is_mended),
		TEST(an_older_superblock_is_a_note),
		TEST(a_damaged_value_is_named),
		TEST(damage_of_the_dead_is_a_note),
		TEST(a_damaged_directory_is_dropped),
		TEST(two_owners_are_told_apart),
		TEST(of_twins_the_newer_one_stays),
		TEST(a_store_in_use_is_not_touched),
		TEST(progress_may_end_it),
		TEST(misuse_is_refused),
		TEST(what_is_no_store_stays_what_it_is),
		TEST(a_newer_format_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
