/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expiry_matrix.h - every call against every state of a key: expired is absent, to the last flag,
 * and a key that will expire is present. Each call runs on a fresh store for each state; what it
 * says and what it leaves behind is compared. A row also says what becomes of the expiry of a key
 * that had one.
 */
#ifndef FX_EXPIRY_MATRIX_H
#define FX_EXPIRY_MATRIX_H

#include "fixture.h"

#define START  UINT64_C(1700000000000000000)
#define EXPIRY (START + 1000)	  /* of the key, when it has one */
#define NEW    (START + 10000000) /* what a call gives it */
#define KEY    "p/k"
#define OTHER  "p/o"
#define MOVED  "q/k"
#define TEXT   "7" /* a number, JSON, and what cas expects */

enum key_state { ABSENT, PRESENT, EXPIRING, EXPIRED, STATES };

struct clock {
	uint64_t now;
	unsigned int calls_left; /* the time jumps to EXPIRY when it is used up; 0: never */
};

struct subject {
	struct feox_store *store;
	uint64_t version; /* of the key, were it there */
};

/* What is found of a key afterwards. */
struct found {
	int err;
	uint64_t size, expiry_ns;
	size_t metadata_size;
	char text[16];
};

static inline uint64_t fake_now(void *ctx)
{
	struct clock *clock = ctx;

	if (clock->calls_left && --clock->calls_left == 0)
		clock->now = EXPIRY;
	return clock->now;
}

static inline struct subject subject_open(struct clock *clock, enum key_state state)
{
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_write_options o = {.metadata = "meta", .metadata_size = 4};
	struct feox_write_result r = {.version = START};
	struct subject s;

	*clock = (struct clock){.now = START};
	options.flags = FEOX_OPEN_NO_SWEEPER;
	options.now = fake_now;
	options.now_ctx = clock;
	assert_int_equal(feox_open(&options, &s.store, NULL), 0);
	o.expiry_ns = state == PRESENT ? 0 : EXPIRY;
	assert_int_equal(put(s.store, OTHER, "other"), 0);
	if (state != ABSENT)
		assert_int_equal(feox_put(s.store, KEY, 3, TEXT, 1, &o, &r), 0);
	if (state == EXPIRED)
		clock->now = EXPIRY;
	s.version = r.version;
	return s;
}

static inline struct found look(struct feox_store *store, const char *key)
{
	struct found found = {0};
	struct feox_stat stat;
	size_t size;

	found.err = feox_stat(store, key, strlen(key), NULL, 0, &stat);
	if (found.err)
		return found;
	found.size = stat.size;
	found.expiry_ns = stat.expiry_ns;
	found.metadata_size = stat.metadata_size;
	assert_int_equal(feox_read(store, key, strlen(key), 0, found.text, sizeof(found.text), 0,
				   &size, NULL),
			 0);
	return found;
}

/* ---- The matrix --------------------------------------------------------------------------------
 */

/* The expiry of a key that had one, afterwards; GONE: it is under another name or nowhere. */
enum after { KEPT, NONE, SET, GONE };

struct row {
	const char *name;
	int (*call)(struct subject *s);
	int absent, present; /* results */
	enum after after;
};

#define ROW(name, absent, present, after)                                                          \
	{                                                                                          \
#name, call_##name, absent, present, after                                         \
	}

static const char *const names[] = {KEY, OTHER, MOVED, "q/o"};

#define NAMES (sizeof(names) / sizeof(*names))

struct outcome {
	int result;
	struct found found[NAMES];
};

static inline struct outcome run(const struct row *row, enum key_state state)
{
	struct clock clock;
	struct subject s = subject_open(&clock, state);
	struct outcome outcome = {.result = row->call(&s)};

	for (size_t i = 0; i < NAMES; i++)
		outcome.found[i] = look(s.store, names[i]);
	assert_int_equal(feox_close(s.store), 0);
	return outcome;
}

static inline void expect_result(const struct row *row, int result, int expected, const char *state)
{
	if (result != expected)
		fail_msg("%s of a key that is %s: %d, not %d", row->name, state, result, expected);
}

/* That what is left of all keys is the same, but for their expiry when told so. */
static inline void expect_same(const struct row *row, const struct outcome *a,
			       const struct outcome *b, bool expiry_too)
{
	for (size_t i = 0; i < NAMES; i++) {
		const struct found *x = &a->found[i], *y = &b->found[i];

		if (x->err != y->err || x->size != y->size ||
		    x->metadata_size != y->metadata_size ||
		    memcmp(x->text, y->text, sizeof(x->text)) != 0 ||
		    (expiry_too && x->expiry_ns != y->expiry_ns))
			fail_msg("%s leaves %s differently", row->name, names[i]);
	}
}

static inline void check_expired_is_absent(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct outcome absent = run(&rows[i], ABSENT), expired = run(&rows[i], EXPIRED);

		expect_result(&rows[i], absent.result, rows[i].absent, "absent");
		expect_result(&rows[i], expired.result, rows[i].absent, "expired");
		expect_same(&rows[i], &absent, &expired, true);
	}
}

static inline void check_expiring_is_present(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct outcome present = run(&rows[i], PRESENT), expiring = run(&rows[i], EXPIRING);

		expect_result(&rows[i], present.result, rows[i].present, "present");
		expect_result(&rows[i], expiring.result, rows[i].present, "expiring");
		expect_same(&rows[i], &present, &expiring, false);
	}
}

static inline void check_expiry_left(const struct row *rows, size_t count)
{
	static const uint64_t expected[] = {[KEPT] = EXPIRY, [NONE] = 0, [SET] = NEW};

	for (size_t i = 0; i < count; i++) {
		struct outcome outcome = run(&rows[i], EXPIRING);
		const struct found *found = &outcome.found[0];

		if (rows[i].after == GONE ? found->err != -ENOENT
					  : found->expiry_ns != expected[rows[i].after])
			fail_msg("%s leaves the expiry %llu", rows[i].name,
				 (unsigned long long)found->expiry_ns);
		if (!outcome.found[2].err) /* moved: with its expiry */
			assert_int_equal(outcome.found[2].expiry_ns, EXPIRY);
	}
}

/* The three tests of a table. */
#define MATRIX(rows)                                                                               \
	static void expired_is_absent(void **state)                                                \
	{                                                                                          \
		check_expired_is_absent(rows, sizeof(rows) / sizeof(*rows));                       \
	}                                                                                          \
	static void expiring_is_present(void **state)                                              \
	{                                                                                          \
		check_expiring_is_present(rows, sizeof(rows) / sizeof(*rows));                     \
	}                                                                                          \
	static void each_call_leaves_the_expiry_it_should(void **state)                            \
	{                                                                                          \
		check_expiry_left(rows, sizeof(rows) / sizeof(*rows));                             \
	}

#define MATRIX_TESTS                                                                               \
	cmocka_unit_test(expired_is_absent), cmocka_unit_test(expiring_is_present),                \
		cmocka_unit_test(each_call_leaves_the_expiry_it_should)

#endif
