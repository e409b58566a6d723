/* SPDX-License-Identifier: Apache-2.0 */
/* feox_patch(): errors and their texts, conditions, what is kept, and that no patch is lost. */
#include "fixture.h"

#include <pthread.h>

#define THREADS 4
#define ROUNDS	500

static int patch(struct feox_store *s, const char *key, const char *text, struct feox_diag *diag)
{
	return feox_patch(s, key, strlen(key), text, strlen(text), NULL, NULL, diag);
}

static const char hosts[] = "{\n"
			    "  \"host\": \"localhost\",\n"
			    "  \"ratio\": 1.10,\n"
			    "  \"ports\": [80, 443]\n"
			    "}\n";

static void a_configuration_file_stays_one(void **state)
{
	struct fixture *f = *state;
	struct feox_write_result result;
	static const char text[] = "[{\"op\":\"test\",\"path\":\"/ratio\",\"value\":1.1},"
				   "{\"op\":\"add\",\"path\":\"/ports/-\",\"value\":8080},"
				   "{\"op\":\"remove\",\"path\":\"/host\"}]";

	open_memory_store(f);
	put(f->store, "k", hosts);
	assert_int_equal(feox_patch(f->store, "k", 1, text, strlen(text), NULL, &result, NULL), 0);
	expect_text(f->store, "k", "{\n  \"ratio\": 1.10,\n  \"ports\": [80, 443, 8080]\n}\n");
	assert_int_equal(result.version, version_of(f->store, "k"));
	assert_false(result.created);
}

static void failure_changes_nothing_and_says_where(void **state)
{
	static const struct {
		const char *document, *patch, *text;
	} cases[] = {
		{"{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":2}]",
		 "operation 0 (test): path \"/a\": the value at byte 5 is another one"},
		{"{\"a\":1}",
		 "[{\"op\":\"remove\",\"path\":\"/a\"},{\"op\":\"remove\",\"path\":\"/b\"}]",
		 "operation 1 (remove): path \"/b\": there is nothing"},
		{"{\"a\":1", "[]", "document: byte 6: a comma or } expected"},
		{"", "[]", "document: byte 0: a value expected, the text ends"},
		{"{}", "[", "patch: byte 1: a value expected, the text ends"},
		{"{}", "", "patch: byte 0: a value expected, the text ends"},
	};
	struct fixture *f = *state;

	open_memory_store(f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct feox_diag diag = {"?"};
		uint64_t version;

		put(f->store, "k", cases[i].document);
		version = version_of(f->store, "k");
		assert_int_equal(patch(f->store, "k", cases[i].patch, &diag), -EINVAL);
		assert_string_equal(diag.text, cases[i].text);
		assert_int_equal(patch(f->store, "k", cases[i].patch, NULL), -EINVAL);
		expect_text(f->store, "k", cases[i].document);
		assert_int_equal(version_of(f->store, "k"), version);
	}
}

static void other_failures_have_no_text(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options o = {.flags = FEOX_IF_VERSION};
	struct feox_write_result result;
	struct feox_diag diag = {"?"};

	open_memory_store(f);
	assert_int_equal(patch(f->store, "k", "[]", &diag), -ENOENT);
	assert_string_equal(diag.text, "");
	put(f->store, "k", "1");
	o.if_version = version_of(f->store, "k") + 1;
	strcpy(diag.text, "?");
	assert_int_equal(feox_patch(f->store, "k", 1, "[]", 2, &o, NULL, &diag), -ECANCELED);
	assert_string_equal(diag.text, "");
	o.if_version--;
	strcpy(diag.text, "?");
	assert_int_equal(feox_patch(f->store, "k", 1, "[]", 2, &o, &result, &diag), 0);
	assert_true(result.version > o.if_version);
	assert_string_equal(diag.text, "?"); /* written on failure only */
}

/* Whoever holds a newer value than the store has that one patched. */
static void a_base_replaces_the_value(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options o = {.flags = FEOX_BASE | FEOX_SET_METADATA,
				       .base = "[1,  2]",
				       .base_size = 7,
				       .metadata = "meta",
				       .metadata_size = 4};
	static const char remove[] = "[{\"op\":\"remove\",\"path\":\"/1\"}]";
	struct feox_stat stat;

	open_memory_store(f);
	assert_int_equal(feox_patch(f->store, "k", 1, remove, strlen(remove), &o, NULL, NULL),
			 -ENOENT);
	put(f->store, "k", "not JSON");
	assert_int_equal(feox_patch(f->store, "k", 1, remove, strlen(remove), &o, NULL, NULL), 0);
	expect_text(f->store, "k", "[1]");
	assert_int_equal(feox_stat(f->store, "k", 1, NULL, 0, &stat), 0);
	assert_int_equal(stat.metadata_size, 4);
}

static void misuse_is_refused(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options o = {.flags = FEOX_CREATE};
	struct feox_diag diag = {""};

	open_memory_store(f);
	put(f->store, "k", "1");
	assert_int_equal(feox_patch(f->store, "k", 1, "[]", 2, &o, NULL, &diag), -EINVAL);
	assert_true(diag.text[0]);
	assert_int_equal(feox_patch(f->store, "k", 1, NULL, 2, NULL, NULL, &diag), -EINVAL);
	assert_int_equal(feox_patch(f->store, NULL, 1, "[]", 2, NULL, NULL, &diag), -EINVAL);
	assert_int_equal(feox_patch(NULL, "k", 1, "[]", 2, NULL, NULL, &diag), -EINVAL);
}

static void expiry_and_metadata_stay(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options o = {.metadata = "meta", .metadata_size = 4};
	struct feox_stat stat;
	uint64_t expiry;
	char metadata[8];

	open_memory_store(f);
	expiry = o.expiry_ns = feox_now(f->store) + UINT64_C(3600000000000);
	assert_int_equal(feox_put(f->store, "k", 1, "[]", 2, &o, NULL), 0);
	o.metadata = "other";
	o.metadata_size = 5;
	o.expiry_ns++;
	assert_int_equal(feox_patch(f->store, "k", 1, "[]", 2, &o, NULL, NULL), 0);
	assert_int_equal(feox_stat(f->store, "k", 1, metadata, sizeof(metadata), &stat), 0);
	assert_int_equal(stat.expiry_ns, expiry);
	assert_int_equal(stat.metadata_size, 4);
	assert_memory_equal(metadata, "meta", 4);
	o.flags = FEOX_SET_EXPIRY | FEOX_KEEP_EXPIRY;
	assert_int_equal(feox_patch(f->store, "k", 1, "[]", 2, &o, NULL, NULL), 0);
	assert_int_equal(feox_stat(f->store, "k", 1, NULL, 0, &stat), 0);
	assert_int_equal(stat.expiry_ns, expiry + 1);
	assert_int_equal(feox_set_expiry(f->store, "k", 1, 1, NULL), 0);
	assert_int_equal(patch(f->store, "k", "[]", NULL), -ENOENT);
}

static void growth_ends_at_the_largest_value(void **state)
{
	struct fixture *f = *state;
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_diag diag;
	char bomb[4096] = "[";

	options.max_value_bytes = 1000;
	open_with(f, &options);
	for (int i = 0; i < 20; i++)
		strcat(bomb, "{\"op\":\"copy\",\"from\":\"\",\"path\":\"/-\"},");
	strcpy(bomb + strlen(bomb) - 1, "]");
	put(f->store, "k", "[1]");
	assert_int_equal(patch(f->store, "k", bomb, &diag), -EFBIG);
	assert_non_null(strstr(diag.text, "larger than 1000 bytes"));
	expect_text(f->store, "k", "[1]");
}

static void on_disk(void **state)
{
	struct fixture *f = *state;
	struct feox_write_options nowait = {.flags = FEOX_NOWAIT};
	struct feox_options options = FEOX_OPTIONS_INIT;
	static const char text[] = "[{\"op\":\"remove\",\"path\":\"/host\"}]";
	static const char expected[] = "{\n  \"ratio\": 1.10,\n  \"ports\": [80, 443]\n}\n";

	open_file_store(f);
	put(f->store, "k", hosts);
	reopen(f);
	assert_int_equal(feox_patch(f->store, "k", 1, text, strlen(text), &nowait, NULL, NULL),
			 -EAGAIN);
	assert_int_equal(patch(f->store, "k", text, NULL), 0);
	reopen(f);
	expect_text(f->store, "k", expected);
	close_store(f);
	options.path = f->path;
	options.flags = FEOX_OPEN_READ_ONLY;
	open_with(f, &options);
	assert_int_equal(patch(f->store, "k", "[]", NULL), -EROFS);
}

static void a_patch_is_a_put_and_not_a_get(void **state)
{
	struct fixture *f = *state;
	struct feox_stats stats;

	open_memory_store(f);
	put(f->store, "k", "[]");
	assert_int_equal(patch(f->store, "k", "[]", NULL), 0);
	assert_int_equal(patch(f->store, "absent", "[]", NULL), -ENOENT);
	feox_stats(f->store, &stats);
	assert_int_equal(stats.puts, 2);
	assert_int_equal(stats.gets + stats.misses, 0);
	close_store(f); /* no pin is left */
}

/* ---- Threads --------------------------------------------------------------------------------- */

struct race {
	struct feox_store *store;
	int number;
};

static void *append(void *arg)
{
	const struct race *race = arg;
	char text[128];

	for (int i = 0; i < ROUNDS; i++) {
		snprintf(text, sizeof(text), "[{\"op\":\"add\",\"path\":\"/%s-\",\"value\":%d}]",
			 race->number % 2 ? "odd/" : "even/", race->number);
		assert_int_equal(patch(race->store, "k", text, NULL), 0);
		if (race->number == 0) /* the record changes, its version does not */
			assert_int_equal(feox_set_metadata(race->store, "k", 1, text, 8, NULL), 0);
	}
	return NULL;
}

static void check_appends(struct fixture *f)
{
	struct race races[THREADS];
	pthread_t threads[THREADS];
	struct feox_value value;
	int counts[THREADS] = {0};

	put(f->store, "k", "{\"odd\":[],\"even\":[]}");
	for (int i = 0; i < THREADS; i++) {
		races[i] = (struct race){f->store, i};
		pthread_create(&threads[i], NULL, append, &races[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(feox_get(f->store, "k", 1, 0, &value), 0);
	for (size_t i = 0; i < value.size; i++) {
		char c = ((const char *)value.data)[i];

		if (c >= '0' && c < '0' + THREADS)
			counts[c - '0']++;
	}
	feox_value_release(f->store, &value);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(counts[i], ROUNDS);
}

static void no_patch_is_lost_in_memory(void **state)
{
	open_memory_store(*state);
	check_appends(*state);
}

static void no_patch_is_lost_on_disk(void **state)
{
	open_file_store(*state);
	check_appends(*state);
}

struct rival {
	struct feox_store *store;
	unsigned int puts;
	bool busy;
};

/* The clock is asked whether the key has expired, between a patch's get and its put. */
static uint64_t write_whenever_asked(void *ctx)
{
	struct rival *rival = ctx;
	struct feox_write_options options = {.flags = FEOX_KEEP_EXPIRY};

	if (rival->store && !rival->busy) {
		rival->busy = true;
		assert_int_equal(feox_put(rival->store, "k", 1, "{}", 2, &options, NULL), 0);
		rival->puts++;
		rival->busy = false;
	}
	return 1000000000;
}

/* It was applied anew for ever. */
static void a_patch_that_always_loses_gives_up(void **state)
{
	struct fixture *f = *state;
	static const char patch[] = "[{\"op\":\"add\",\"path\":\"/a\",\"value\":1}]";
	struct feox_write_options put_options = {.expiry_ns = FEOX_TIME_MAX};
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_diag diag = {""};
	struct rival rival = {0};

	options.now = write_whenever_asked;
	options.now_ctx = &rival;
	options.flags = FEOX_OPEN_NO_SWEEPER;
	open_with(f, &options);
	assert_int_equal(feox_put(f->store, "k", 1, "{}", 2, &put_options, NULL), 0);
	rival.store = f->store;
	assert_int_equal(feox_patch(f->store, "k", 1, patch, sizeof(patch) - 1, NULL, NULL, &diag),
			 -EBUSY);
	rival.store = NULL;
	assert_true(rival.puts >= FEOX_PATCH_ATTEMPTS_MAX);
	assert_non_null(strstr(diag.text, "1000"));
	expect_text(f->store, "k", "{}");
	assert_int_equal(feox_patch(f->store, "k", 1, patch, sizeof(patch) - 1, NULL, NULL, &diag),
			 0);
	expect_text(f->store, "k", "{\"a\":1}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_configuration_file_stays_one),
		TEST(failure_changes_nothing_and_says_where),
		TEST(other_failures_have_no_text),
		TEST(misuse_is_refused),
		TEST(a_base_replaces_the_value),
		TEST(expiry_and_metadata_stay),
		TEST(growth_ends_at_the_largest_value),
		TEST(on_disk),
		TEST(a_patch_is_a_put_and_not_a_get),
		TEST(no_patch_is_lost_in_memory),
		TEST(no_patch_is_lost_on_disk),
		TEST(a_patch_that_always_loses_gives_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
