/* SPDX-License-Identifier: Apache-2.0 */
/* What may be opened, what must be left alone. */
#include "fixture.h"

/* A short text file is not an empty store: opening it must not destroy it. */
static void short_file_is_not_formatted(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_diag diag = {""};
	char text[32] = "";
	FILE *file = fopen(f->path, "w");

	assert_non_null(file);
	fputs("notes of mine\n", file);
	fclose(file);
	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE;
	assert_int_equal(feox_open(&options, &f->store, &diag), -EUCLEAN);
	assert_true(diag.text[0]);
	file = fopen(f->path, "r");
	assert_int_equal(fread(text, 1, sizeof(text), file), 14);
	fclose(file);
	assert_string_equal(text, "notes of mine\n");
}

static void empty_file_becomes_a_store(void **state)
{
	struct fixture *f = *state;
	FILE *file = fopen(f->path, "w");

	fclose(file);
	open_file_store(f);
	assert_int_equal(put(f->store, "a", "1"), 0);
	reopen(f);
	expect_text(f->store, "a", "1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(short_file_is_not_formatted),
		TEST(empty_file_becomes_a_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
