/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h - what tests of the public API share: temporary directories, stores, short calls. */
#ifndef FX_FIXTURE_H
#define FX_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feox/feox.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
	char dir[PATH_MAX / 2];
	char path[PATH_MAX];
	struct feox_store *store;
	_Atomic uint64_t
		now; /* the fake clock, when it is used: read by the threads of the store */
};

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const char *tmp = getenv("TMPDIR");

	snprintf(f->dir, sizeof(f->dir), "%s/feox-test-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/store.feox", f->dir);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	if (f->store)
		feox_close(f->store);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static inline void open_with(struct fixture *f, const struct feox_options *options)
{
	struct feox_diag diag = {""};
	int err = feox_open(options, &f->store, &diag);

	if (err)
		print_error("feox_open: %s (%s)\n", strerror(-err), diag.text);
	assert_int_equal(err, 0);
}

static inline void open_memory_store(struct fixture *f)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	open_with(f, &options);
}

static inline void open_file_store(struct fixture *f)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE;
	open_with(f, &options);
}

static inline void close_store(struct fixture *f)
{
	assert_int_equal(feox_close(f->store), 0);
	f->store = NULL;
}

static inline void reopen(struct fixture *f)
{
	close_store(f);
	open_file_store(f);
}

static inline int put(struct feox_store *s, const char *key, const char *value)
{
	return feox_put(s, key, strlen(key), value, strlen(value), NULL, NULL);
}

static inline int del(struct feox_store *s, const char *key)
{
	return feox_delete(s, key, strlen(key), NULL);
}

static inline bool has(struct feox_store *s, const char *key)
{
	struct feox_stat stat;

	return feox_stat(s, key, strlen(key), NULL, 0, &stat) == 0;
}

static inline uint64_t version_of(struct feox_store *s, const char *key)
{
	struct feox_stat stat;

	assert_int_equal(feox_stat(s, key, strlen(key), NULL, 0, &stat), 0);
	return stat.version;
}

static inline void expect_text(struct feox_store *s, const char *key, const char *expected)
{
	struct feox_value value;
	int err = feox_get(s, key, strlen(key), 0, &value);

	if (!expected) {
		assert_int_equal(err, -ENOENT);
		return;
	}
	assert_int_equal(err, 0);
	assert_int_equal(value.size, strlen(expected));
	assert_memory_equal(value.data, expected, value.size);
	feox_value_release(s, &value);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

#endif
