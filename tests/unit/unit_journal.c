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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(another_place_is_not_valid),
		cmocka_unit_test(torn_records_are_found),
		cmocka_unit_test(lying_records_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
