/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_oom.c - memory that runs out at the Nth allocation, N counted up until a run ends clean.
 *
 * The linker leads every allocation of the library here (--wrap). One fails, in whatever thread
 * that is; a call then answers -ENOMEM and has changed nothing, or it has succeeded. What the calls
 * said is compared with what the store holds, and with what it holds after closing and opening.
 */
#include "fixture.h"

#include <stdatomic.h>

#define KEYS 6u

struct fx_slab;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__real_fx_slab_alloc(struct fx_slab *slab, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_fx_slab_alloc(struct fx_slab *slab, size_t size);

static _Atomic int64_t countdown = INT64_MAX; /* the allocation that takes it to 0 fails */

static bool fails(void)
{
	return atomic_fetch_sub(&countdown, 1) == 1;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
	return fails() ? NULL : __real_realloc(ptr, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

void *__wrap_fx_slab_alloc(struct fx_slab *slab, size_t size)
{
	return fails() ? NULL : __real_fx_slab_alloc(slab, size);
}

/* ---- What the store should hold -------------------------------------------------------------- */

struct expected {
	struct feox_store *store;
	char values[KEYS][4096]; /* "": absent */
};

static const char *name(unsigned int key)
{
	static const char *const names[KEYS] = {"a/1", "a/2", "b", "counter", "doc", "tree/x"};

	return names[key];
}

/* 0 or -ENOMEM, else the test has failed. */
static bool succeeded(int err)
{
	if (err && err != -ENOMEM)
		print_error("an unexpected error: %s\n", strerror(-err));
	assert_true(err == 0 || err == -ENOMEM);
	return err == 0;
}

static void set(struct expected *e, unsigned int key, const char *value)
{
	if (succeeded(put(e->store, name(key), value)))
		snprintf(e->values[key], sizeof(e->values[key]), "%s", value);
}

static void drop(struct expected *e, unsigned int key)
{
	int err = del(e->store, name(key));

	if (err == -ENOENT && !e->values[key][0])
		return;
	if (succeeded(err))
		e->values[key][0] = '\0';
}

static void count_up(struct expected *e)
{
	const char *text = e->values[3][0] ? e->values[3] : "0";
	int64_t number;

	if (succeeded(feox_add(e->store, name(3), strlen(name(3)), 7, NULL, &number, NULL)))
		snprintf(e->values[3], sizeof(e->values[3]), "%lld", atoll(text) + 7);
}

static void patch(struct expected *e)
{
	static const char operations[] =
		"[{\"op\":\"add\",\"path\":\"/b\",\"value\":{\"c\":[1,2]}},"
		"{\"op\":\"test\",\"path\":\"/a\",\"value\":1.0},"
		"{\"op\":\"copy\",\"from\":\"/b\",\"path\":\"/d\"}]";
	int err = feox_patch(e->store, name(4), strlen(name(4)), operations, strlen(operations),
			     NULL, NULL, NULL);

	if (err == -ENOENT && !e->values[4][0])
		return;
	if (succeeded(err))
		snprintf(e->values[4], sizeof(e->values[4]),
			 "{\"a\":1,\"b\":{\"c\":[1,2]},\"d\":{\"c\":[1,2]}}");
}

static void move(struct expected *e, unsigned int from, unsigned int to)
{
	int err = feox_rename(e->store, name(from), strlen(name(from)), name(to), strlen(name(to)),
			      NULL);

	if (err == -ENOENT && !e->values[from][0])
		return;
	if (!succeeded(err))
		return;
	memcpy(e->values[to], e->values[from], sizeof(e->values[to]));
	e->values[from][0] = '\0';
}

static void batch(struct expected *e)
{
	struct feox_batch *b;
	int err;

	if (!succeeded(feox_batch_create(e->store, &b)))
		return;
	err = feox_batch_put(b, name(0), strlen(name(0)), "batched", 7, NULL);
	if (!err)
		err = feox_batch_put(b, name(5), strlen(name(5)), "batched", 7, NULL);
	if (!err)
		err = feox_batch_commit(b, 0, NULL);
	feox_batch_free(b);
	if (!succeeded(err))
		return;
	strcpy(e->values[0], "batched");
	strcpy(e->values[5], "batched");
}

static void scan(struct expected *e, unsigned int flags)
{
	struct feox_iter_options options = {.flags = flags};
	struct feox_iter *iter;
	struct feox_item item;
	unsigned int n = 0, live = 0;
	int more;

	if (!succeeded(feox_iter_open(e->store, &options, &iter)))
		return;
	while ((more = feox_iter_next(iter, &item)) == 1)
		n++;
	feox_iter_close(iter);
	for (unsigned int i = 0; i < KEYS; i++)
		live += e->values[i][0] != '\0';
	if (succeeded(more))
		assert_int_equal(n, live);
}

static void compare(struct expected *e)
{
	for (unsigned int i = 0; i < KEYS; i++)
		expect_text(e->store, name(i), e->values[i][0] ? e->values[i] : NULL);
}

/* ---- Runs ------------------------------------------------------------------------------------ */

static void work(struct expected *e)
{
	char large[3000];

	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	set(e, 0, "one");
	set(e, 1, "two");
	set(e, 0, large);
	set(e, 2, "three");
	count_up(e);
	count_up(e);
	set(e, 4, "{\"a\":1}");
	patch(e);
	scan(e, 0);
	batch(e);
	move(e, 1, 2);
	drop(e, 0);
	set(e, 0, "again");
	scan(e, FEOX_ITER_REVERSE);
	drop(e, 2);
	succeeded(feox_sync(e->store));
}

static int open_it(struct fixture *f, const char *path)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	options.path = path;
	options.flags = path ? FEOX_OPEN_CREATE : 0;
	return feox_open(&options, &f->store, NULL);
}

/* The Nth allocation fails. False: there were fewer. */
static bool run(struct fixture *f, const char *path, int64_t n)
{
	struct expected e = {0};
	bool failed;

	unlink(f->path);
	atomic_store(&countdown, n);
	if (!succeeded(open_it(f, path))) {
		failed = true;
		atomic_store(&countdown, INT64_MAX);
		assert_int_equal(open_it(f, path), 0); /* nothing is in the way of a second try */
		close_store(f);
		return failed;
	}
	e.store = f->store;
	work(&e);
	failed = atomic_load(&countdown) <= 0;
	atomic_store(&countdown, INT64_MAX);
	compare(&e);
	close_store(f);
	if (!path)
		return failed;
	assert_int_equal(open_it(f, path), 0);
	e.store = f->store;
	compare(&e);
	close_store(f);
	return failed;
}

static void count_allocations(struct fixture *f, const char *path)
{
	int64_t n = 1;

	while (run(f, path, n))
		n++;
	print_message("%lld allocations\n", (long long)n - 1);
	assert_true(n > 40);
}

static void in_memory(void **state)
{
	count_allocations(*state, NULL);
}

static void with_a_file(void **state)
{
	struct fixture *f = *state;

	count_allocations(f, f->path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_memory),
		TEST(with_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
