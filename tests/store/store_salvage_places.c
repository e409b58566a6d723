/* SPDX-License-Identifier: Apache-2.0 */
/* A salvage finds out where extents lie, and whose a block is. */
#include "checking.h"

/* A full store with holes between its extents, and a value in many of them. */
static struct image scattered_image(struct fixture *f, unsigned int *ret_filled)
{
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct image image;
	char *value = malloc(VALUE_ROOM), name[16];
	unsigned int n = 0;

	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE;
	options.initial_size_bytes = options.max_size_bytes = 2 << 20;
	open_with(f, &options);
	memset(value, 'x', VALUE_ROOM);
	for (;; n++) { /* each in an extent of its own, until it is full */
		snprintf(name, sizeof(name), "fill%u", n);
		if (feox_put(f->store, name, strlen(name), value, 33000, NULL, NULL))
			break;
		assert_int_equal(feox_sync(f->store), 0);
	}
	for (unsigned int i = 0; i < n; i += 2) {
		snprintf(name, sizeof(name), "fill%u", i);
		assert_int_equal(del(f->store, name), 0);
	}
	assert_int_equal(feox_sync(f->store), 0);
	put_generation(f->store, 5, 0); /* 200005 bytes */
	assert_int_equal(feox_sync(f->store), 0);
	put(f->store, "behind", "it");
	assert_int_equal(feox_sync(f->store), 0);
	assert_true(value_size_of(5, 0) > 33000);
	image = read_image(f->path);
	close_store(f);
	free(value);
	*ret_filled = n;
	return image;
}

static void expect_filled(struct fixture *f, unsigned int filled)
{
	char *expected = malloc(33000), name[16];

	memset(expected, 'x', 33000);
	for (unsigned int i = 1; i < filled; i += 2) {
		struct feox_value value;

		snprintf(name, sizeof(name), "fill%u", i);
		assert_int_equal(feox_get(f->store, name, strlen(name), 0, &value), 0);
		assert_int_equal(value.size, 33000);
		assert_memory_equal(value.data, expected, value.size);
		feox_value_release(f->store, &value);
	}
	free(expected);
}

/* Whole records of the old journal are as they were: they are needed till the new one is there. */
static void expect_old_journal(struct fixture *f, const struct image *before)
{
	struct image after = read_image(f->path);

	for (size_t b = find_block(before, "FXJR", 2); b; b = find_block(before, "FXJR", b + 1))
		if (b != fx_get_u64(before->bytes + 56))
			assert_memory_equal(before->bytes + b * BLOCK, after.bytes + b * BLOCK,
					    BLOCK);
	free_image(&after);
}

/* Only the journal knows where such a value is. */
static void values_in_many_runs_come_back(void **state)
{
	struct fixture *f = *state;
	struct findings found_;
	unsigned int filled;
	struct image image = scattered_image(f, &filled);

	lose_journal(&image);
	write_image(f->path, &image);
	salvage(f, &found_);
	expect_old_journal(f, &image);
	open_file_store(f);
	assert_true(has(f->store, "key0005"));
	assert_int_equal(generation_of(f->store, 5), 0);
	expect_filled(f, filled);
	free_image(&image);
}

/* And without it, guessing where it is must not take away others' blocks. */
static void a_wrong_guess_takes_nothing_away(void **state)
{
	struct fixture *f = *state;
	struct findings found_;
	unsigned int filled;
	struct image image = scattered_image(f, &filled);

	lose_journal(&image);
	lose_all_records(&image);
	write_image(f->path, &image);
	salvage(f, &found_);
	assert_true(found(&found_, FEOX_NOTE, "cannot be put together", "key0005"));
	open_file_store(f);
	assert_false(has(f->store, "key0005"));
	expect_filled(f, filled);
	free_image(&image);
}

/* Give an extent that is whole another place, in the blocks of another one. */
static void move_extent(const struct image *image, uint8_t *from, uint8_t *to)
{
	size_t blocks = (size_t)fx_div_up(fx_get_u64(from + 40), BLOCK);
	size_t block = (size_t)(to - image->bytes) / BLOCK;

	memmove(to, from, blocks * BLOCK);
	memset(from, 0, blocks * BLOCK);
	fx_put_u64(to + 24, block);
	bless(image, block, image->bytes + 16);
}

/* What has a newer extent in its blocks was freed before: also the parts of it that are left. */
static void what_is_written_over_is_dead(void **state)
{
	struct fixture *f = *state;
	struct image image;
	struct findings found_;
	uint8_t *old, *new;
	char *value = malloc(30000);

	memset(value, 'o', 30000);
	open_file_store(f);
	put(f->store, "left", "what is left of the old extent");
	assert_int_equal(feox_put(f->store, "old", 3, value, 30000, NULL, NULL), 0);
	assert_int_equal(feox_sync(f->store), 0);
	put(f->store, "new", "what was written over it");
	assert_int_equal(feox_sync(f->store), 0);
	close_store(f);
	image = read_image(f->path);
	old = extent_of(&image, find_text(&image, "what is left of the old extent"));
	new = extent_of(&image, find_text(&image, "what was written over it"));
	assert_ptr_equal(old, extent_of(&image, find_text(&image, "ooooooooo")));
	move_extent(&image, new, old + (size_t)4 * BLOCK);
	lose_journal(&image);
	lose_all_records(&image);
	write_image(f->path, &image);
	salvage(f, &found_);
	assert_int_equal(found_.result.keys, 1);
	open_file_store(f);
	expect_text(f->store, "new", "what was written over it");
	expect_text(f->store, "left", NULL);
	free_image(&image);
	free(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(values_in_many_runs_come_back),
		TEST(a_wrong_guess_takes_nothing_away),
		TEST(what_is_written_over_is_dead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
