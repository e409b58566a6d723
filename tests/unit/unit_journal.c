/* SPDX-License-Identifier: Apache-2.0 */
/* Journal records as bytes: round trip, torn and lying records. */
#include "fixture.h"

#include "bytes.h"
#include "hash.h"
#include "journal.h"

static uint8_t uuid[FX_UUID_SIZE] = "a store's uuid!";

static void put_runs(uint8_t *at, const struct fx_journal_run runs[2])
{
	fx_journal_run_encode(at, 0, runs[0]);
	fx_journal_run_encode(at, 1, runs[1]);
}

static size_t make_record(uint8_t *buffer, size_t capacity)
{
	struct fx_journal_header h = {.type = FX_JOURNAL_COMMIT,
				      .generation = 3,
				      .sequence = 9,
				      .block = 100,
				      .version_ceiling = 1000,
				      .id_ceiling = 50,
				      .wall_ns = 5};
	struct fx_journal_extent e = {.sequence = 11,
				      .bytes = 5000,
				      .checksum = 12,
				      .directory_bytes = 100,
				      .records = 70,
				      .run_count = 2};
	struct fx_journal_run runs[2] = {{200, 1}, {300, 1}};
	uint64_t live[2] = {0xff, 0x3};
	uint16_t indexes[3] = {1, 5, 60000};
	struct fx_journal_writer w;

	fx_journal_begin(&w, buffer, capacity);
	fx_journal_section(&w, FX_SECTION_EXTENTS);
	put_runs(fx_journal_put_extent(&w, &e, NULL), runs);
	fx_journal_section_end(&w);
	fx_journal_section(&w, FX_SECTION_FREED);
	fx_journal_put_freed(&w, 21);
	fx_journal_put_freed(&w, 22);
	fx_journal_section_end(&w);
	fx_journal_section(&w, FX_SECTION_DEAD);
	fx_journal_put_dead(&w, 31, indexes, 3);
	fx_journal_section_end(&w);
	fx_journal_section(&w, FX_SECTION_STATE);
	put_runs(fx_journal_put_extent(&w, &e, live), runs);
	fx_journal_section_end(&w);
	return fx_journal_finish(&w, &h, uuid);
}

static void round_trip(void **state)
{
	static uint8_t buffer[8192];
	size_t n = make_record(buffer, sizeof(buffer));
	struct fx_journal_header h;
	struct fx_journal_extent e;
	struct fx_journal_reader r;
	const uint8_t *indexes;
	uint64_t sequence;
	uint32_t count;
	const char *why;

	assert_int_equal(n, 4096);
	assert_int_equal(fx_journal_header_decode(buffer, uuid, 3, 9, 100, n, &h, &why), 0);
	assert_int_equal(fx_journal_verify(buffer, &h, uuid), 0);
	assert_int_equal(h.version_ceiling, 1000);
	assert_int_equal(h.id_ceiling, 50);
	fx_journal_read(&r, buffer, &h);
	assert_int_equal(fx_journal_next_section(&r), 1);
	assert_int_equal(r.type, FX_SECTION_EXTENTS);
	assert_int_equal(fx_journal_next_extent(&r, &e), 1);
	assert_int_equal(e.sequence, 11);
	assert_int_equal(e.records, 70);
	assert_int_equal(fx_journal_run_decode(e.runs, 1).start, 300);
	assert_int_equal(fx_journal_next_extent(&r, &e), 0);
	assert_int_equal(fx_journal_next_section(&r), 1);
	assert_int_equal(fx_journal_next_freed(&r, &sequence), 1);
	assert_int_equal(sequence, 21);
	assert_int_equal(fx_journal_next_freed(&r, &sequence), 1);
	assert_int_equal(fx_journal_next_freed(&r, &sequence), 0);
	assert_int_equal(fx_journal_next_section(&r), 1);
	assert_int_equal(fx_journal_next_dead(&r, &sequence, &indexes, &count), 1);
	assert_int_equal(count, 3);
	assert_int_equal(fx_get_u16(indexes + 4), 60000);
	assert_int_equal(fx_journal_next_section(&r), 1);
	assert_int_equal(fx_journal_next_extent(&r, &e), 1);
	assert_int_equal(fx_get_u64(e.live_bitmap), 0xff);
	assert_int_equal(fx_get_u64(e.live_bitmap + 8), 3);
	assert_int_equal(fx_journal_next_section(&r), 0);
}

static void another_place_is_not_valid(void **state)
{
	static uint8_t buffer[8192];
	uint8_t other[FX_UUID_SIZE] = "another store!!";
	size_t n = make_record(buffer, sizeof(buffer));
	struct fx_journal_header h;
	const char *why;

	assert_int_equal(fx_journal_header_decode(buffer, other, 3, 9, 100, n, &h, &why), -EUCLEAN);
	assert_int_equal(fx_journal_header_decode(buffer, uuid, 2, 9, 100, n, &h, &why), -EUCLEAN);
	assert_int_equal(fx_journal_header_decode(buffer, uuid, 3, 8, 100, n, &h, &why), -EUCLEAN);
	assert_int_equal(fx_journal_header_decode(buffer, uuid, 3, 9, 99, n, &h, &why), -EUCLEAN);
	assert_int_equal(fx_journal_header_decode(buffer, uuid, 3, 9, 100, n - 1, &h, &why),
			 -EUCLEAN);
}

static void torn_records_are_found(void **state)
{
	static uint8_t buffer[8192];
	size_t n = make_record(buffer, sizeof(buffer));
	struct fx_journal_header h;
	const char *why;

	for (size_t i = 0; i < n; i++) {
		buffer[i] ^= 0x10;
		if (!fx_journal_header_decode(buffer, uuid, 3, 9, 100, n, &h, &why))
			assert_int_equal(fx_journal_verify(buffer, &h, uuid), -EUCLEAN);
		buffer[i] ^= 0x10;
	}
}

/* Every field changed, the checksum right: reading ends, within the record, whatever it says. */
static void lying_records_do_no_harm(void **state)
{
	static uint8_t original[8192];
	size_t n = make_record(original, sizeof(original));
	uint64_t rnd = 3;

	for (int i = 0; i < 50000; i++) {
		uint8_t *record = malloc(n); /* of that size: a sanitizer sees what is beyond */
		struct fx_journal_header h;
		struct fx_journal_extent e;
		struct fx_journal_reader r;
		const uint8_t *indexes;
		uint64_t sequence;
		uint32_t count;
		const char *why;
		int more;

		memcpy(record, original, n);
		for (int flips = 0; flips < 3; flips++) {
			rnd = rnd * 6364136223846793005u + 1442695040888963407u;
			record[(rnd >> 33) % 500] = (uint8_t)(rnd >> 20);
		}
		if (!fx_journal_header_decode(record, uuid, 3, 9, 100, n, &h, &why)) {
			fx_journal_read(&r, record, &h);
			while ((more = fx_journal_next_section(&r)) > 0) {
				if (r.type == FX_SECTION_FREED)
					while (fx_journal_next_freed(&r, &sequence) == 1)
						;
				else if (r.type == FX_SECTION_DEAD)
					while (fx_journal_next_dead(&r, &sequence, &indexes,
								    &count) == 1)
						assert_true(indexes + 2 * count <= record + n);
				else if (more == 1)
					while (fx_journal_next_extent(&r, &e) == 1)
						assert_true(e.runs + 16 * e.run_count <=
							    record + n);
			}
		}
		free(record);
	}
}

/* ---- Amendments --------------------------------------------------------------------------------
 */

static const struct fx_journal_amend amends[] = {
	{.sequence = 7, .index = 3, .flags = FX_AMEND_EXPIRY, .expiry_ns = 99},
	{.sequence = 7, .index = 4, .flags = FX_AMEND_EXPIRY}, /* never */
	{.sequence = 8,
	 .index = 65534,
	 .flags = FX_AMEND_ALL,
	 .key = (const uint8_t *)"key",
	 .key_size = 3,
	 .version = 12,
	 .expiry_ns = 13,
	 .metadata = (const uint8_t *)"metadata!",
	 .metadata_size = 9},
	{.sequence = 9, .flags = FX_AMEND_KEY | FX_AMEND_METADATA}, /* both empty */
};
#define AMENDS (sizeof(amends) / sizeof(*amends))

static size_t make_amendments(uint8_t *buffer, size_t capacity)
{
	struct fx_journal_header h = {
		.type = FX_JOURNAL_COMMIT, .generation = 3, .sequence = 9, .block = 100};
	struct fx_journal_prefix p = {
		.version = 77, .strip = 5, .size = 3, .lists = 2, .bytes = (const uint8_t *)"new"};
	struct fx_journal_writer w;
	uint8_t *bitmap;

	fx_journal_begin(&w, buffer, capacity);
	fx_journal_section(&w, FX_SECTION_AMEND);
	for (size_t i = 0; i < AMENDS; i++) {
		size_t before = w.used;

		fx_journal_put_amend(&w, &amends[i]);
		assert_int_equal(w.used - before, fx_journal_amend_size(&amends[i]));
	}
	fx_journal_section_end(&w);
	fx_journal_section(&w, FX_SECTION_PREFIX);
	fx_journal_put_prefix(&w, &p);
	bitmap = fx_journal_put_list(&w, 11, 70);
	fx_journal_bit_set(bitmap, 0);
	fx_journal_bit_set(bitmap, 69);
	fx_journal_put_list(&w, 12, 1);
	p = (struct fx_journal_prefix){.version = 78, .strip = 0, .size = 0, .lists = 1};
	fx_journal_put_prefix(&w, &p);
	fx_journal_bit_set(fx_journal_put_list(&w, 13, 64), 8);
	fx_journal_section_end(&w);
	return fx_journal_finish(&w, &h, uuid);
}

static void expect_amend(const struct fx_journal_amend *a, const struct fx_journal_amend *expected)
{
	assert_int_equal(a->sequence, expected->sequence);
	assert_int_equal(a->index, expected->index);
	assert_int_equal(a->flags, expected->flags);
	assert_int_equal(a->version, expected->version);
	assert_int_equal(a->expiry_ns, expected->expiry_ns);
	assert_int_equal(a->key_size, expected->key_size);
	assert_int_equal(a->metadata_size, expected->metadata_size);
	if (a->key_size)
		assert_memory_equal(a->key, expected->key, a->key_size);
	if (a->metadata_size)
		assert_memory_equal(a->metadata, expected->metadata, a->metadata_size);
}

static void open_record(struct fx_journal_reader *r, const uint8_t *buffer, size_t n)
{
	struct fx_journal_header h;
	const char *why;

	assert_int_equal(fx_journal_header_decode(buffer, uuid, 3, 9, 100, n, &h, &why), 0);
	fx_journal_read(r, buffer, &h);
	assert_int_equal(fx_journal_next_section(r), 1);
}

static void amendments_round_trip(void **state)
{
	static uint8_t buffer[8192];
	size_t n = make_amendments(buffer, sizeof(buffer));
	struct fx_journal_prefix p;
	struct fx_journal_amend a;
	struct fx_journal_list list;
	struct fx_journal_reader r;

	open_record(&r, buffer, n);
	assert_int_equal(r.type, FX_SECTION_AMEND);
	for (size_t i = 0; i < AMENDS; i++) {
		assert_int_equal(fx_journal_next_amend(&r, &a), 1);
		expect_amend(&a, &amends[i]);
	}
	assert_int_equal(fx_journal_next_amend(&r, &a), 0);
	assert_int_equal(fx_journal_next_section(&r), 1);
	assert_int_equal(r.type, FX_SECTION_PREFIX);
	assert_int_equal(fx_journal_next_prefix(&r, &p), 1);
	assert_int_equal(p.version, 77);
	assert_int_equal(p.strip, 5);
	assert_memory_equal(p.bytes, "new", p.size);
	assert_int_equal(fx_journal_next_list(&r, &p, &list), 1);
	assert_int_equal(list.sequence, 11);
	assert_int_equal(list.records, 70);
	for (uint32_t i = 0; i < 70; i++)
		assert_int_equal(fx_journal_bit(list.bitmap, i), i == 0 || i == 69);
	assert_int_equal(fx_get_u64(list.bitmap + 8), UINT64_C(1) << 5); /* as in STATE */
	assert_int_equal(fx_journal_next_list(&r, &p, &list), 1);
	assert_int_equal(fx_journal_next_list(&r, &p, &list), 0);
	assert_int_equal(fx_journal_next_prefix(&r, &p), 1);
	assert_int_equal(p.size, 0);
	assert_int_equal(fx_journal_next_list(&r, &p, &list), 1);
	assert_true(fx_journal_bit(list.bitmap, 8));
	assert_int_equal(fx_journal_next_list(&r, &p, &list), 0);
	assert_int_equal(fx_journal_next_prefix(&r, &p), 0);
	assert_int_equal(fx_journal_next_section(&r), 0);
}

/* One field of the first entry of a section, and what must not stand there. */
static void amendments_beyond_limits_are_refused(void **state)
{
	static const struct {
		unsigned int section, at, size;
		uint64_t lie;
	} lies[] = {
		{0, 12, 4, 0},
		{0, 12, 4, 16},
		{0, 12, 4, 0x80000004},
		{0, 10, 2, 1},
		{0, 16, 8, UINT64_C(1) << 63},
		{1, 0, 8, UINT64_C(1) << 63},
		{1, 8, 2, 16385},
		{1, 10, 2, 16385},
		{1, 12, 4, 0},
		{1, 10, 2, 16384},
		{1, 24 + 8, 4, 0},
		{1, 24 + 8, 4, 65536},
		{1, 24 + 8, 4, 65535},
	};
	static uint8_t buffer[8192];
	struct fx_journal_prefix p = {0};
	struct fx_journal_amend a = {0};
	struct fx_journal_list list;
	struct fx_journal_reader r;

	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		size_t n = make_amendments(buffer, sizeof(buffer));
		int more = 1;

		open_record(&r, buffer, n);
		if (lies[i].section)
			assert_int_equal(fx_journal_next_section(&r), 1);
		memcpy(buffer + (r.entry - buffer) + lies[i].at, &lies[i].lie, lies[i].size);
		if (!lies[i].section)
			more = fx_journal_next_amend(&r, &a);
		else if (fx_journal_next_prefix(&r, &p) == 1)
			more = fx_journal_next_list(&r, &p, &list);
		else
			more = -EUCLEAN;
		assert_int_equal(more, -EUCLEAN);
	}
}

static void read_all(const uint8_t *record, const struct fx_journal_header *h)
{
	const uint8_t *end = record + h->bytes;
	struct fx_journal_prefix p;
	struct fx_journal_amend a;
	struct fx_journal_list list;
	struct fx_journal_reader r;
	int more;

	fx_journal_read(&r, record, h);
	while ((more = fx_journal_next_section(&r)) > 0) {
		if (r.type == FX_SECTION_AMEND)
			while (fx_journal_next_amend(&r, &a) == 1)
				assert_true(a.metadata + a.metadata_size <= end);
		if (r.type == FX_SECTION_PREFIX)
			while (fx_journal_next_prefix(&r, &p) == 1)
				while (fx_journal_next_list(&r, &p, &list) == 1)
					assert_true(list.bitmap + list.records / 8 < end);
	}
}

static void lying_amendments_do_no_harm(void **state)
{
	static uint8_t original[8192];
	size_t n = make_amendments(original, sizeof(original));
	uint64_t rnd = 5;

	for (int i = 0; i < 50000; i++) {
		uint8_t *record = malloc(n); /* of that size: a sanitizer sees what is beyond */
		struct fx_journal_header h;
		const char *why;

		memcpy(record, original, n);
		for (int flips = 0; flips < 3; flips++) {
			rnd = rnd * 6364136223846793005u + 1442695040888963407u;
			record[(rnd >> 33) % 400] = (uint8_t)(rnd >> 20);
		}
		if (!fx_journal_header_decode(record, uuid, 3, 9, 100, n, &h, &why))
			read_all(record, &h);
		free(record);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(another_place_is_not_valid),
		cmocka_unit_test(torn_records_are_found),
		cmocka_unit_test(lying_records_do_no_harm),
		cmocka_unit_test(amendments_round_trip),
		cmocka_unit_test(amendments_beyond_limits_are_refused),
		cmocka_unit_test(lying_amendments_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
