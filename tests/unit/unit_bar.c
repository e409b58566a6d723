/* SPDX-License-Identifier: Apache-2.0 */
/* The progress bar: nothing for a second, then what changes, and no trace of it in the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bar.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct terminal {
	int fds[2];
	char text[4096];
	struct fx_bar bar;
};

#define BEGUN UINT64_C(5000000000)

static int setup(void **state)
{
	static struct terminal t;

	if (pipe2(t.fds, O_CLOEXEC | O_NONBLOCK))
		return -1;
	fx_bar_begin(&t.bar, t.fds[1], BEGUN);
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	struct terminal *t = *state;

	close(t->fds[0]);
	close(t->fds[1]);
	return 0;
}

/* What was written since the last call. */
static const char *written(struct terminal *t)
{
	ssize_t n = read(t->fds[0], t->text, sizeof(t->text) - 1);

	t->text[n > 0 ? n : 0] = '\0';
	return t->text;
}

static void nothing_for_a_second(void **state)
{
	struct terminal *t = *state;

	for (uint64_t ms = 0; ms < 1000; ms += 50)
		fx_bar_show(&t->bar, "working", ms, 2000, BEGUN + ms * 1000000);
	fx_bar_hide(&t->bar);
	assert_string_equal(written(t), "");
	fx_bar_show(&t->bar, "working", 1000, 2000, BEGUN + UINT64_C(1000000000));
	assert_string_equal(
		written(t),
		"\rworking: [#########################                         ]  50.0 %");
}

static void only_what_changes(void **state)
{
	struct terminal *t = *state;
	uint64_t late = BEGUN + UINT64_C(3000000000);

	fx_bar_show(&t->bar, "working", 0, 1000000, late);
	assert_non_null(strstr(written(t), "   0.0 %"));
	fx_bar_show(&t->bar, "working", 999, 1000000, late);
	assert_string_equal(written(t), "");
	fx_bar_show(&t->bar, "working", 2000000, 1000000, late); /* never beyond */
	assert_non_null(strstr(written(t), "##] 100.0 %"));
	/* Something else: the line is begun anew. */
	fx_bar_show(&t->bar, "resting", 0, 0, late);
	assert_non_null(strstr(written(t), "\r\033[K\rresting: ["));
}

static void it_leaves_no_trace(void **state)
{
	struct terminal *t = *state;
	uint64_t late = BEGUN + UINT64_C(3000000000);

	fx_bar_show(&t->bar, "working", 1, 2, late);
	written(t);
	fx_bar_hide(&t->bar);
	assert_string_equal(written(t), "\r\033[K");
	fx_bar_hide(&t->bar);
	assert_string_equal(written(t), "");
}

static void none_without_a_terminal(void **state)
{
	struct terminal *t = *state;

	fx_bar_begin(&t->bar, -1, 0);
	fx_bar_show(&t->bar, "working", 1, 2, BEGUN);
	fx_bar_hide(&t->bar);
	assert_string_equal(written(t), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_for_a_second),
		TEST(only_what_changes),
		TEST(it_leaves_no_trace),
		TEST(none_without_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
