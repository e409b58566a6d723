/* SPDX-License-Identifier: Apache-2.0 */
/* feox_format(): what is made, and over what. */
#include "checking.h"

static const uint8_t uuid[FEOX_UUID_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static void made_as_asked(void **state)
{
	struct fixture *f = *state;
	struct feox_format_options o = {
		.path = f->path, .separator = ':', .size_bytes = 3 << 20, .uuid = uuid};
	struct feox_identity identity;
	struct findings found_;
	struct feox_stats stats;

	assert_int_equal(feox_format(&o, &identity, NULL), 0);
	assert_memory_equal(identity.uuid, uuid, sizeof(uuid));
	assert_int_equal(identity.size_bytes, 3 << 20);
	assert_int_equal(identity.separator, ':');
	assert_true(identity.created_ns > 0);
	expect_findings(f->path, 0, 0, 0, &found_);
	assert_int_equal(found_.count, 0);
	assert_true(found_.result.clean);
	assert_memory_equal(&found_.result.identity, &identity, sizeof(identity));
	open_file_store(f);
	assert_int_equal(feox_separator(f->store), ':');
	assert_int_equal(feox_stats(f->store, &stats), 0);
	assert_int_equal(stats.device_bytes, 3 << 20);
	put(f->store, "a", "1");
	reopen(f);
	expect_text(f->store, "a", "1");
}

static void what_is_there_stays_unless_forced(void **state)
{
	struct fixture *f = *state;
	struct feox_format_options o = {.path = f->path};
	struct image text = {.size = 100, .bytes = malloc(100)}, now;
	struct feox_diag diag = {""};

	open_file_store(f);
	put(f->store, "a", "1");
	assert_int_equal(feox_format(&o, NULL, &diag), -EBUSY);
	o.flags = FEOX_FORMAT_FORCE;
	assert_int_equal(feox_format(&o, NULL, &diag), -EBUSY);
	close_store(f);
	o.flags = 0;
	assert_int_equal(feox_format(&o, NULL, &diag), -EEXIST);
	assert_non_null(strstr(diag.text, "a feox store"));
	open_file_store(f);
	expect_text(f->store, "a", "1");
	close_store(f);
	o.flags = FEOX_FORMAT_FORCE;
	assert_int_equal(feox_format(&o, NULL, &diag), 0);
	expect_good(f->path);
	open_file_store(f);
	expect_text(f->store, "a", NULL);
	close_store(f);

	memset(text.bytes, 'x', text.size);
	write_image(f->path, &text);
	o.flags = 0;
	assert_int_equal(feox_format(&o, NULL, &diag), -EEXIST);
	assert_non_null(strstr(diag.text, "not blank"));
	now = read_image(f->path);
	assert_int_equal(now.size, text.size);
	assert_memory_equal(now.bytes, text.bytes, text.size);
	o.flags = FEOX_FORMAT_FORCE;
	assert_int_equal(feox_format(&o, NULL, &diag), 0);
	expect_good(f->path);
	free_image(&now);
	free_image(&text);
}

static void blank_is_enough(void **state)
{
	struct fixture *f = *state;
	struct feox_format_options o = {.path = f->path};
	struct image zeros = {.size = 1 << 20, .bytes = calloc(1, 1 << 20)};
	struct feox_identity identity, second;

	write_image(f->path, &zeros);
	assert_int_equal(feox_format(&o, &identity, NULL), 0);
	assert_int_equal(identity.size_bytes, 16 << 20);
	unlink(f->path);
	assert_int_equal(feox_format(&o, &second, NULL), 0);
	assert_memory_not_equal(identity.uuid, second.uuid, FEOX_UUID_SIZE);
	free_image(&zeros);
}

static void misuse_is_refused(void **state)
{
	struct fixture *f = *state;
	struct feox_format_options o = {0};
	struct feox_diag diag = {""};

	assert_int_equal(feox_format(NULL, NULL, NULL), -EINVAL);
	assert_int_equal(feox_format(&o, NULL, NULL), -EINVAL);
	o.path = f->path;
	o.flags = 1 << 10;
	assert_int_equal(feox_format(&o, NULL, NULL), -EINVAL);
	o.flags = 0;
	o.size_bytes = 4096;
	assert_int_equal(feox_format(&o, NULL, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "1 MiB"));
	o.size_bytes = 0;
	o.separator = 'a';
	assert_int_equal(feox_format(&o, NULL, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "separator"));
	o.separator = 0;
	o.path = f->dir;
	assert_int_equal(feox_format(&o, NULL, &diag), -EISDIR);
	o.path = "/dev/null";
	assert_int_equal(feox_format(&o, NULL, &diag), -ENOTBLK);
	assert_true(access(f->path, F_OK));
	o.path = f->path;
	o.size_bytes = (uint64_t)1 << 60;
	assert_true(feox_format(&o, NULL, &diag) < 0);
	assert_non_null(strstr(diag.text, "no room"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(made_as_asked),
		TEST(what_is_there_stays_unless_forced),
		TEST(blank_is_enough),
		TEST(misuse_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
