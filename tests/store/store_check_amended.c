/* SPDX-License-Identifier: Apache-2.0 */
/* feox_check() of a store whose records were renamed and touched in place, by the journal alone. */
#include "checking.h"

#define LATER (UINT64_C(4000000000) * 1000000000)

static void what_was_amended_stays_so(void **state)
{
	const struct feox_rename_options rename = {0};
	struct fixture *f = *state;
	struct findings found_;
	struct feox_stat stat;
	struct image image;

	open_file_store(f);
	put(f->store, "first name", "the value that is damaged");
	put(f->store, "second name", "the value that is not");
	put(f->store, "touched", "the value that was touched");
	assert_int_equal(feox_sync(f->store), 0);
	assert_int_equal(feox_rename(f->store, "first name", 10, "first new", 9, &rename), 0);
	assert_int_equal(feox_rename(f->store, "second name", 11, "second new", 10, &rename), 0);
	assert_int_equal(feox_set_expiry(f->store, "touched", 7, LATER, NULL), 0);
	reopen(f);
	close_store(f);
	expect_findings(f->path, 0, 0, 0, &found_);
	assert_int_equal(found_.count, 0);
	assert_int_equal(found_.result.keys, 3);

	/* It is called what it is called now, and the others keep what they have. */
	image = read_image(f->path);
	*find_text(&image, "the value that is damaged") ^= 1;
	write_image(f->path, &image);
	expect_findings(f->path, FEOX_CHECK_SALVAGE, 0, 1, &found_);
	assert_true(found(&found_, FEOX_LOSS, "is damaged", "first new"));
	expect_good(f->path);
	open_file_store(f);
	expect_text(f->store, "second new", "the value that is not");
	expect_text(f->store, "touched", "the value that was touched");
	assert_false(has(f->store, "first new") || has(f->store, "first name") ||
		     has(f->store, "second name"));
	assert_int_equal(feox_stat(f->store, "touched", 7, NULL, 0, &stat), 0);
	assert_int_equal(stat.expiry_ns, LATER);
	free_image(&image);
}

/* Without the journal a rename may be undone: no value is lost, none is made up. */
static void a_rename_may_be_undone(void **state)
{
	const struct feox_rename_options rename = {0};
	struct fixture *f = *state;
	struct findings found_;
	struct image image;

	open_file_store(f);
	put(f->store, "first name", "the value");
	assert_int_equal(feox_sync(f->store), 0);
	assert_int_equal(feox_rename(f->store, "first name", 10, "first new", 9, &rename), 0);
	close_store(f);
	image = read_image(f->path);
	lose_journal(&image);
	write_image(f->path, &image);
	salvage(f, &found_);
	assert_int_equal(found_.result.keys, 1);
	open_file_store(f);
	expect_text(f->store, has(f->store, "first new") ? "first new" : "first name", "the value");
	free_image(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_amended_stays_so),
		TEST(a_rename_may_be_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
