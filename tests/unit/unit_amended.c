/* SPDX-License-Identifier: Apache-2.0 */
/* The amendments of an extent: merging, composing keys, dying, and what is written of them. */
#include "fixture.h"

#include "amended.h"
#include "bytes.h"

#define RECORDS 300u

struct lists {
	struct fx_slab *slab;
	struct fx_amend_list list;
	struct fx_record *records[4 * RECORDS];
	unsigned int count;
};

static int setup(void **state)
{
	struct lists *l = calloc(1, sizeof(*l));

	*state = l;
	return fx_slab_create(NULL, &l->slab);
}

static int teardown(void **state)
{
	struct lists *l = *state;

	for (unsigned int i = 0; i < l->count; i++)
		fx_record_unref(l->slab, l->records[i]);
	fx_amend_list_free(l->slab, &l->list);
	fx_slab_destroy(l->slab);
	free(l);
	return 0;
}

static const struct fx_record *make(struct lists *l, const char *key, uint64_t version)
{
	const struct fx_record_parts parts = {
		.key = key, .key_size = strlen(key), .metadata = "meta", .metadata_size = 4};
	struct fx_record *record = fx_record_new(l->slab, &parts);

	assert_non_null(record);
	record->version = version;
	l->records[l->count++] = record;
	return record;
}

static void add(struct lists *l, struct fx_amended change)
{
	assert_int_equal(fx_amend_list_add(l->slab, &l->list, &change, 1, RECORDS), 0);
}

static void renamed_prefixes_compose(void **state)
{
	static const struct {
		uint16_t strip1, size1, strip2, size2, strip, size;
	} cases[] = {
		{2, 3, 3, 5, 2, 5}, /* a/ -> bb/, bb/ -> cccc/ */
		{2, 3, 1, 4, 2, 6}, /* b of bb/ only */
		{2, 3, 7, 1, 6, 1}, /* bb/sub/ -> c */
		{0, 3, 0, 2, 0, 5}, /* in front of all */
		{FX_STRIP_ALL, 3, 1, 1, FX_STRIP_ALL, 0},
		{2, 3, FX_STRIP_ALL, 0, FX_STRIP_ALL, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fx_amended first = {.flags = FX_AMEND_KEY | FX_AMEND_VERSION,
					   .strip = cases[i].strip1,
					   .prefix_size = cases[i].size1};
		struct fx_amended next = {.flags = FX_AMEND_KEY | FX_AMEND_VERSION,
					  .strip = cases[i].strip2,
					  .prefix_size = cases[i].size2};

		fx_amended_compose(&first, &next);
		assert_int_equal(first.strip, cases[i].strip);
		if (first.strip != FX_STRIP_ALL)
			assert_int_equal(first.prefix_size, cases[i].size);
	}
}

static void other_fields_leave_the_key_alone(void **state)
{
	struct fx_amended first = {.flags = FX_AMEND_KEY, .strip = 2, .prefix_size = 3};
	struct fx_amended next = {.flags = FX_AMEND_EXPIRY, .strip = FX_STRIP_ALL};

	fx_amended_compose(&first, &next);
	assert_int_equal(first.flags, FX_AMEND_KEY | FX_AMEND_EXPIRY);
	assert_int_equal(first.strip, 2);
	assert_int_equal(first.prefix_size, 3);
}

static void lists_merge_in_order(void **state)
{
	struct lists *l = *state;
	struct fx_amended changes[3];
	const struct fx_record *r = make(l, "k", 5);

	add(l, (struct fx_amended){.record = r, .index = 7, .flags = FX_AMEND_EXPIRY});
	for (unsigned int i = 0; i < 3; i++)
		changes[i] = (struct fx_amended){
			.record = r, .index = (uint16_t)(6 + i), .flags = FX_AMEND_METADATA};
	assert_int_equal(fx_amend_list_add(l->slab, &l->list, changes, 3, RECORDS), 0);
	assert_int_equal(l->list.count, 3);
	assert_int_equal(fx_amend_list_find(&l->list, 6)->flags, FX_AMEND_METADATA);
	assert_int_equal(fx_amend_list_find(&l->list, 7)->flags,
			 FX_AMEND_METADATA | FX_AMEND_EXPIRY);
	assert_null(fx_amend_list_find(&l->list, 5));
	fx_amend_list_kill(&l->list, 7, RECORDS);
	fx_amend_list_kill(&l->list, 5, RECORDS);
	assert_null(fx_amend_list_find(&l->list, 7));
	add(l, (struct fx_amended){.record = r, .index = 9, .flags = FX_AMEND_EXPIRY});
	assert_int_equal(l->list.count, 3); /* the dead one has gone */
	fx_amend_list_kill(&l->list, 6, RECORDS);
	fx_amend_list_kill(&l->list, 8, RECORDS);
	fx_amend_list_kill(&l->list, 9, RECORDS);
	assert_int_equal(l->list.bytes, 0);
}

/* Bytes written, and how many records their entries name. */
static size_t write_list(const struct fx_amend_list *list, unsigned int *ret_singles,
			 unsigned int *ret_prefixed)
{
	static uint8_t buffer[1 << 20];
	struct fx_journal_writer w;
	struct fx_journal_amend a;
	struct fx_journal_prefix p;
	uint32_t cursor = 0, group = 0;
	size_t begin;

	*ret_singles = *ret_prefixed = 0;
	fx_journal_begin(&w, buffer, sizeof(buffer));
	fx_journal_section(&w, FX_SECTION_AMEND);
	begin = w.used;
	for (; fx_amend_list_next(list, 1, &cursor, &a); ++*ret_singles)
		fx_journal_put_amend(&w, &a);
	while (fx_amend_list_next_prefix(list, &group, &p)) {
		uint8_t *bitmap;

		fx_journal_put_prefix(&w, &p);
		bitmap = fx_journal_put_list(&w, 1, RECORDS);
		fx_amend_list_mark(list, group, bitmap);
		for (uint32_t i = 0; i < RECORDS; i++)
			*ret_prefixed += fx_journal_bit(bitmap, i);
	}
	return w.used - begin;
}

static void a_directory_is_one_prefix(void **state)
{
	struct lists *l = *state;
	struct fx_amended changes[RECORDS];
	unsigned int singles, prefixed;
	char key[32];

	for (unsigned int i = 0; i < RECORDS; i++) {
		snprintf(key, sizeof(key), "new/%u", i);
		changes[i] = (struct fx_amended){.record = make(l, key, 9),
						 .index = (uint16_t)i,
						 .flags = FX_AMEND_KEY | FX_AMEND_VERSION,
						 .strip = 2,
						 .prefix_size = 4};
	}
	assert_int_equal(fx_amend_list_add(l->slab, &l->list, changes, RECORDS, RECORDS), 0);
	assert_int_equal(write_list(&l->list, &singles, &prefixed), l->list.bytes);
	assert_true(l->list.bytes < 100);
	assert_int_equal(singles, 0);
	assert_int_equal(prefixed, RECORDS);
	/* What else is new of one of them stands beside. */
	add(l, (struct fx_amended){.record = make(l, "new/3", 9),
				   .index = 3,
				   .flags = FX_AMEND_METADATA,
				   .strip = FX_STRIP_ALL});
	assert_int_equal(write_list(&l->list, &singles, &prefixed), l->list.bytes);
	assert_int_equal(singles, 1);
	assert_int_equal(prefixed, RECORDS);
}

/* Keys of two directories in turns are two entries; of very many, they are written one by one. */
static void mixed_directories_are_grouped(void **state)
{
	struct lists *l = *state;
	struct fx_amended changes[RECORDS];
	unsigned int singles, prefixed;
	char key[32];

	for (unsigned int i = 0; i < RECORDS; i++) {
		snprintf(key, sizeof(key), "%s%u", i % 2 ? "new/" : "two/", i);
		changes[i] = (struct fx_amended){.record = make(l, key, 9),
						 .index = (uint16_t)i,
						 .flags = FX_AMEND_KEY | FX_AMEND_VERSION,
						 .strip = 2,
						 .prefix_size = 4};
	}
	assert_int_equal(fx_amend_list_add(l->slab, &l->list, changes, RECORDS, RECORDS), 0);
	assert_int_equal(write_list(&l->list, &singles, &prefixed), l->list.bytes);
	assert_true(l->list.bytes < 200);
	assert_int_equal(singles, 0);
	assert_int_equal(prefixed, RECORDS);
	/* One has all but died: its last is shorter alone. */
	for (unsigned int i = 2; i < RECORDS; i += 2)
		fx_amend_list_kill(&l->list, i, RECORDS);
	add(l, (struct fx_amended){
		       .record = make(l, "new/1", 9), .index = 1, .flags = FX_AMEND_EXPIRY});
	assert_int_equal(write_list(&l->list, &singles, &prefixed), l->list.bytes);
	assert_int_equal(singles, 2);
	assert_int_equal(prefixed, RECORDS / 2);
}

static void too_many_groups_are_written_one_by_one(void **state)
{
	struct lists *l = *state;
	struct fx_amended changes[RECORDS];
	unsigned int singles, prefixed;
	char key[32];

	for (unsigned int i = 0; i < RECORDS; i++) {
		snprintf(key, sizeof(key), "long-name-%02u/%u", i % 100, i);
		changes[i] = (struct fx_amended){.record = make(l, key, 9),
						 .index = (uint16_t)i,
						 .flags = FX_AMEND_KEY | FX_AMEND_VERSION,
						 .strip = 2,
						 .prefix_size = 13};
	}
	assert_int_equal(fx_amend_list_add(l->slab, &l->list, changes, RECORDS, RECORDS), 0);
	assert_int_equal(write_list(&l->list, &singles, &prefixed), l->list.bytes);
	assert_int_equal(prefixed, 3 * FX_AMEND_GROUP_MAX);
	assert_int_equal(singles, RECORDS - prefixed);
}

#define LIST_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renamed_prefixes_compose),
		cmocka_unit_test(other_fields_leave_the_key_alone),
		LIST_TEST(lists_merge_in_order),
		LIST_TEST(a_directory_is_one_prefix),
		LIST_TEST(mixed_directories_are_grouped),
		LIST_TEST(too_many_groups_are_written_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
