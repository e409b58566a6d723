/* SPDX-License-Identifier: Apache-2.0 */
/* The change callback: what is told, when it is told, and what a receiver can rely on. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#define HEARD_MAX 64
#define KEYS	  16
#define THREADS	  4
#define ROUNDS	  3000

struct heard {
	enum feox_event_kind kind;
	char key[16], from[16];
	uint64_t version, from_version, expiry_ns;
};

struct ear {
	struct fixture *f;
	pthread_mutex_t mutex;
	pthread_cond_t more;
	struct heard heard[HEARD_MAX];
	size_t count;
};

static void hear(void *ctx, const struct feox_event *event)
{
	struct ear *ear = ctx;
	struct heard *h;

	pthread_mutex_lock(&ear->mutex);
	assert_true(ear->count < HEARD_MAX);
	h = &ear->heard[ear->count++];
	*h = (struct heard){.kind = event->kind,
			    .version = event->version,
			    .from_version = event->from_version,
			    .expiry_ns = event->expiry_ns};
	memcpy(h->key, event->key, event->key_size);
	if (event->from)
		memcpy(h->from, event->from, event->from_size);
	pthread_cond_signal(&ear->more);
	pthread_mutex_unlock(&ear->mutex);
}

static uint64_t fake_now(void *ctx)
{
	struct fixture *f = ctx;

	return f->now;
}

static void listen_with(struct fixture *f, struct ear *ear, unsigned int flags)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	*ear = (struct ear){
		.f = f, .mutex = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};
	f->now = UINT64_C(1700000000000000000);
	options.changed = hear;
	options.changed_ctx = ear;
	options.now = fake_now;
	options.now_ctx = f;
	options.flags = flags;
	open_with(f, &options);
}

/* The next event is that one, and then there is none left. */
static const struct heard *expect(struct ear *ear, size_t i, enum feox_event_kind kind,
				  const char *key)
{
	assert_true(ear->count > i);
	assert_int_equal(ear->heard[i].kind, kind);
	assert_string_equal(ear->heard[i].key, key);
	return &ear->heard[i];
}

static void each_write_is_told_once(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options until = {.expiry_ns = FEOX_TIME_MAX};
	struct feox_write_result r;
	static struct ear ear; /* the store has it until it is closed */
	uint64_t last;

	listen_with(f, &ear, FEOX_OPEN_NO_SWEEPER);
	assert_int_equal(feox_put(f->store, "k", 1, "1", 1, &until, &r), 0);
	assert_int_equal(expect(&ear, 0, FEOX_EVENT_SET, "k")->version, r.version);
	assert_int_equal(ear.heard[0].expiry_ns, FEOX_TIME_MAX);
	assert_string_equal(ear.heard[0].from, "");
	assert_int_equal(feox_add(f->store, "k", 1, 1, NULL, NULL, &r), 0);
	assert_int_equal(expect(&ear, 1, FEOX_EVENT_SET, "k")->version, r.version);
	assert_int_equal(feox_cas(f->store, "k", 1, "2", 1, "[]", 2, NULL, &r), 0);
	assert_int_equal(expect(&ear, 2, FEOX_EVENT_SET, "k")->version, r.version);
	assert_int_equal(feox_patch(f->store, "k", 1, "[]", 2, NULL, &r, NULL), 0);
	assert_int_equal(expect(&ear, 3, FEOX_EVENT_SET, "k")->version, r.version);
	assert_int_equal(feox_set_expiry(f->store, "k", 1, 0, NULL), 0);
	assert_int_equal(expect(&ear, 4, FEOX_EVENT_TOUCH, "k")->version, r.version);
	assert_int_equal(ear.heard[4].expiry_ns, 0);
	assert_int_equal(feox_set_metadata(f->store, "k", 1, "m", 1, NULL), 0);
	assert_int_equal(expect(&ear, 5, FEOX_EVENT_TOUCH, "k")->version, r.version);
	assert_int_equal(del(f->store, "k"), 0);
	last = expect(&ear, 6, FEOX_EVENT_DELETE, "k")->version;
	assert_true(last > r.version);
	put(f->store, "k", "again");
	assert_true(expect(&ear, 7, FEOX_EVENT_SET, "k")->version > last);
	assert_int_equal(ear.count, 8);
}

static void failures_are_not_told(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options create = {.flags = FEOX_CREATE};
	struct feox_batch *batch;
	static struct ear ear; /* the store has it until it is closed */

	listen_with(f, &ear, FEOX_OPEN_NO_SWEEPER);
	put(f->store, "k", "v");
	ear.count = 0;
	assert_int_equal(feox_put(f->store, "k", 1, "w", 1, &create, NULL), -EEXIST);
	assert_int_equal(del(f->store, "no"), -ENOENT);
	assert_int_equal(feox_cas(f->store, "k", 1, "x", 1, "y", 1, NULL, NULL), -ECANCELED);
	assert_int_equal(feox_rename(f->store, "no", 2, "k", 1, NULL), -ENOENT);
	assert_int_equal(feox_rename(f->store, "k", 1, "k", 1, NULL), 0); /* nothing changes */
	assert_int_equal(feox_batch_create(f->store, &batch), 0);
	feox_batch_put(batch, "new", 3, "v", 1, NULL);
	feox_batch_put(batch, "k", 1, "v", 1, &create);
	assert_int_equal(feox_batch_commit(batch, 0, NULL), -EEXIST);
	feox_batch_free(batch);
	assert_int_equal(ear.count, 0);
}

static void renames_tell_both_names(void **state)
{
	struct fixture *f = *state;
	struct feox_rename_options exchange = {.flags = FEOX_RENAME_EXCHANGE};
	const struct heard *h;
	static struct ear ear; /* the store has it until it is closed */
	uint64_t was;

	listen_with(f, &ear, FEOX_OPEN_NO_SWEEPER);
	put(f->store, "a", "1");
	put(f->store, "c", "2");
	was = version_of(f->store, "a");
	ear.count = 0;
	assert_int_equal(feox_rename(f->store, "a", 1, "b", 1, NULL), 0);
	h = expect(&ear, 0, FEOX_EVENT_RENAME, "b");
	assert_string_equal(h->from, "a");
	assert_int_equal(h->version, version_of(f->store, "b"));
	assert_true(h->from_version > was);
	assert_int_equal(ear.count, 1);
	assert_int_equal(feox_rename(f->store, "b", 1, "c", 1, &exchange), 0);
	for (size_t i = 1; i < 3; i++) {
		h = &ear.heard[i];
		assert_int_equal(h->kind, FEOX_EVENT_RENAME);
		assert_int_equal(h->version, version_of(f->store, h->key));
		assert_int_equal(h->from_version, 0);
	}
	assert_string_equal(ear.heard[1].key, ear.heard[2].from);
	assert_string_equal(ear.heard[2].key, ear.heard[1].from);
	assert_int_equal(ear.count, 3);
}

static void batches_tell_each_operation(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options absent = {.flags = FEOX_IF_ABSENT};
	struct feox_write_options create = {.flags = FEOX_CREATE};
	struct feox_batch *batch;
	static struct ear ear; /* the store has it until it is closed */

	listen_with(f, &ear, FEOX_OPEN_NO_SWEEPER);
	put(f->store, "gone", "v");
	put(f->store, "old", "v");
	put(f->store, "here", "v");
	put(f->store, "meta", "v");
	ear.count = 0;
	assert_int_equal(feox_batch_create(f->store, &batch), 0);
	feox_batch_put(batch, "put", 3, "v", 1, NULL);
	feox_batch_delete(batch, "gone", 4, NULL);
	feox_batch_put(batch, "here", 4, "v", 1, &absent);
	feox_batch_check(batch, "absent", 6, &create);
	feox_batch_rename(batch, "old", 3, "new", 3, NULL);
	feox_batch_set_metadata(batch, "meta", 4, "m", 1, NULL);
	assert_int_equal(feox_batch_commit(batch, 0, NULL), 0);
	feox_batch_free(batch);
	assert_int_equal(expect(&ear, 0, FEOX_EVENT_SET, "put")->version,
			 version_of(f->store, "put"));
	expect(&ear, 1, FEOX_EVENT_DELETE, "gone");
	assert_string_equal(expect(&ear, 2, FEOX_EVENT_RENAME, "new")->from, "old");
	assert_int_equal(expect(&ear, 3, FEOX_EVENT_TOUCH, "meta")->version,
			 version_of(f->store, "meta"));
	assert_int_equal(ear.count, 4);
}

static void renamed_prefixes_tell_each_key(void **state)
{
	struct fixture *f = *state;
	static struct ear ear; /* the store has it until it is closed */
	bool moved[3] = {false};

	listen_with(f, &ear, FEOX_OPEN_NO_SWEEPER);
	put(f->store, "p/1", "v");
	put(f->store, "p/2", "v");
	put(f->store, "q/2", "v");
	put(f->store, "q/3", "v");
	ear.count = 0;
	assert_int_equal(feox_rename_prefix(f->store, "p/", 2, "q/", 2, NULL, NULL, NULL), 0);
	assert_int_equal(ear.count, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct heard *h = &ear.heard[i];

		if (!strcmp(h->key, "q/3")) {
			assert_int_equal(h->kind, FEOX_EVENT_DELETE);
			moved[0] = true;
			continue;
		}
		assert_int_equal(h->kind, FEOX_EVENT_RENAME);
		assert_int_equal(h->from[0], 'p');
		assert_string_equal(h->from + 1, h->key + 1);
		assert_int_equal(h->version, version_of(f->store, h->key));
		moved[h->key[2] - '0'] = true;
	}
	assert_true(moved[0] && moved[1] && moved[2]);
}

static void expiry_is_told_by_the_sweeper(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options o = {0};
	struct feox_write_result r;
	static struct ear ear; /* the store has it until it is closed */

	listen_with(f, &ear, 0);
	o.expiry_ns = f->now + 1000;
	assert_int_equal(feox_put(f->store, "k", 1, "v", 1, &o, &r), 0);
	f->now += 1000;
	pthread_mutex_lock(&ear.mutex);
	while (ear.count < 2)
		pthread_cond_wait(&ear.more, &ear.mutex);
	pthread_mutex_unlock(&ear.mutex);
	assert_true(expect(&ear, 1, FEOX_EVENT_EXPIRE, "k")->version > r.version);
	assert_false(has(f->store, "k"));
}

/* ---- What the callback may do ------------------------------------------------------------------
 */

struct echo {
	struct feox_store *store;
	unsigned int depth;
	unsigned int seen;
};

/* Writes, batches and prefix renames from within: nothing of the store is held. */
static void answer(void *ctx, const struct feox_event *event)
{
	struct echo *echo = ctx;
	struct feox_batch *batch;
	struct feox_stat stat;
	uint64_t moved;

	echo->seen++;
	if (echo->depth)
		return;
	echo->depth++;
	assert_int_equal(feox_stat(echo->store, event->key, event->key_size, NULL, 0, &stat), 0);
	assert_int_equal(stat.version, event->version);
	assert_int_equal(put(echo->store, "e/echo", "v"), 0);
	assert_int_equal(feox_batch_create(echo->store, &batch), 0);
	feox_batch_put(batch, "e/more", 6, "v", 1, NULL);
	assert_int_equal(feox_batch_commit(batch, 0, NULL), 0);
	feox_batch_free(batch);
	assert_int_equal(feox_rename_prefix(echo->store, "e/", 2, "f/", 2, NULL, NULL, &moved), 0);
	assert_int_equal(moved, 2);
	echo->depth--;
}

static void the_callback_may_call_the_store(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	static struct echo echo;
	struct feox_batch *batch;

	options.changed = answer;
	options.changed_ctx = &echo;
	open_with(f, &options);
	echo.store = f->store;
	assert_int_equal(put(f->store, "k", "v"), 0);
	assert_int_equal(echo.seen, 5);
	assert_int_equal(feox_batch_create(f->store, &batch), 0);
	feox_batch_put(batch, "l", 1, "v", 1, NULL);
	assert_int_equal(feox_batch_commit(batch, 0, NULL), 0);
	feox_batch_free(batch);
	assert_int_equal(feox_rename(f->store, "l", 1, "m", 1, NULL), 0);
	expect_text(f->store, "f/more", "v");
}

/* ---- Order -------------------------------------------------------------------------------------
 */

/* A copy of the store that a receiver keeps, by the rule that the header gives. */
struct mirror {
	struct feox_store *store;
	pthread_mutex_t mutex;
	struct {
		uint64_t version;
		bool there;
	} keys[KEYS];
};

static void mirror_set(struct mirror *m, const void *key, uint64_t version, bool there)
{
	unsigned int i = ((const unsigned char *)key)[0] - 'a';

	if (version < m->keys[i].version)
		return;
	m->keys[i].version = version;
	m->keys[i].there = there;
}

static void follow(void *ctx, const struct feox_event *event)
{
	struct mirror *m = ctx;
	bool gone = event->kind == FEOX_EVENT_DELETE || event->kind == FEOX_EVENT_EXPIRE;

	pthread_mutex_lock(&m->mutex);
	mirror_set(m, event->key, event->version, !gone);
	if (event->from_version)
		mirror_set(m, event->from, event->from_version, false);
	pthread_mutex_unlock(&m->mutex);
}

static void *scramble(void *arg)
{
	struct mirror *m = arg;
	unsigned int seed = (unsigned int)(uintptr_t)pthread_self();

	for (int i = 0; i < ROUNDS; i++) {
		char a = (char)('a' + rand_r(&seed) % KEYS), b = (char)('a' + rand_r(&seed) % KEYS);
		struct feox_rename_options exchange = {.flags = FEOX_RENAME_EXCHANGE};

		switch (rand_r(&seed) % 5) {
		case 0:
			feox_delete(m->store, &a, 1, NULL);
			break;
		case 1:
			feox_rename(m->store, &a, 1, &b, 1, NULL);
			break;
		case 2:
			feox_rename(m->store, &a, 1, &b, 1, &exchange);
			break;
		default:
			feox_put(m->store, &a, 1, "v", 1, NULL, NULL);
		}
	}
	return NULL;
}

static void a_mirror_ends_as_the_store(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	static struct mirror m = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	pthread_t threads[THREADS];

	options.changed = follow;
	options.changed_ctx = &m;
	open_with(f, &options);
	m.store = f->store;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, scramble, &m);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < KEYS; i++) {
		char key[2] = {(char)('a' + i), '\0'};

		assert_int_equal(m.keys[i].there, has(f->store, key));
		if (m.keys[i].there)
			assert_int_equal(m.keys[i].version, version_of(f->store, key));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_write_is_told_once),	       TEST(failures_are_not_told),
		TEST(renames_tell_both_names),	       TEST(batches_tell_each_operation),
		TEST(renamed_prefixes_tell_each_key),  TEST(expiry_is_told_by_the_sweeper),
		TEST(the_callback_may_call_the_store), TEST(a_mirror_ends_as_the_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
