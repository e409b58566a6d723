/* SPDX-License-Identifier: Apache-2.0 */
/* Extents as bytes: header, directory entries, checksums bound to their place; hostile input. */
#include "fixture.h"

#include "extent.h"

static uint8_t uuid[FX_UUID_SIZE] = "a store's uuid!";

static void entries_round_trip(void **state)
{
	static const size_t keys[] = {0, 1, 20, 16384}, metadata[] = {0, 1, 98304};
	static uint8_t key[16384], meta[98304], out[16384 + 98304 + 64];

	memset(key, 'k', sizeof(key));
	memset(meta, 'm', sizeof(meta));
	for (size_t i = 0; i < 4 * 3 * 2; i++) {
		struct fx_extent_entry e = {.key = key,
					    .key_size = (uint16_t)keys[i % 4],
					    .metadata = meta,
					    .metadata_size = (uint32_t)metadata[i / 4 % 3],
					    .version = 1 + i,
					    .expiry_ns = i / 12 ? 99 : 0,
					    .value_size = (uint32_t)i * 1000};
		struct fx_extent_entry back;
		size_t n = fx_extent_entry_encode(&e, out);

		assert_int_equal(n, fx_extent_entry_size(&e));
		assert_int_equal(fx_extent_entry_decode(out, n, &back), n);
		assert_int_equal(back.version, e.version);
		assert_int_equal(back.expiry_ns, e.expiry_ns);
		assert_int_equal(back.value_size, e.value_size);
		assert_int_equal(back.key_size, e.key_size);
		assert_int_equal(back.metadata_size, e.metadata_size);
		if (e.key_size)
			assert_memory_equal(back.key, key, e.key_size);
		if (e.metadata_size)
			assert_memory_equal(back.metadata, meta, e.metadata_size);
	}
}

/* In an allocation of just that size, so that a sanitizer sees a read beyond it. */
static void truncated_entries_are_refused(void **state)
{
	struct fx_extent_entry e = {.key = (const uint8_t *)"key",
				    .key_size = 3,
				    .metadata = (const uint8_t *)"metadata",
				    .metadata_size = 8,
				    .version = 5,
				    .expiry_ns = 6,
				    .value_size = 7};
	uint8_t out[64];
	size_t n = fx_extent_entry_encode(&e, out);

	for (size_t size = 0; size < n; size++) {
		uint8_t *exact = malloc(size + 1);

		memcpy(exact, out, size);
		assert_int_equal(fx_extent_entry_decode(exact, size, &e), -EUCLEAN);
		free(exact);
	}
}

static void lying_entries_are_refused(void **state)
{
	struct fx_extent_entry e = {.key = (const uint8_t *)"k", .key_size = 1, .version = 1}, back;
	uint8_t out[64] = {0};
	size_t n = fx_extent_entry_encode(&e, out);

	for (int i = 0; i < 100000; i++) {
		uint8_t bad[64];
		int64_t used;

		memcpy(bad, out, sizeof(bad));
		bad[i % 16] ^= (uint8_t)(1 + i / 16 % 255);
		used = fx_extent_entry_decode(bad, n, &back);
		/* Never more than there is, never beyond the limits. */
		assert_true(used == -EUCLEAN || (used > 0 && (size_t)used <= n));
		if (used > 0)
			assert_true(back.key + back.key_size + back.metadata_size <= bad + n);
	}
}

static void headers_are_bound_to_their_place(void **state)
{
	struct fx_extent_header h = {.block = 9,
				     .sequence = 77,
				     .bytes = 500,
				     .records = 2,
				     .directory_bytes = 40},
				back;
	uint8_t out[FX_EXTENT_HEADER + 40], other[FX_UUID_SIZE] = "another store!!";
	const char *why;

	memset(out, 'd', sizeof(out));
	fx_extent_header_encode(&h, uuid, out + FX_EXTENT_HEADER, out);
	assert_int_equal(fx_extent_header_decode(out, uuid, 9, 77, 500, &back, &why), 0);
	assert_int_equal(back.records, 2);
	assert_int_equal(fx_extent_directory_verify(out, out + FX_EXTENT_HEADER, 40), 0);
	assert_int_equal(fx_extent_header_decode(out, other, 9, 77, 500, &back, &why), -EUCLEAN);
	assert_int_equal(fx_extent_header_decode(out, uuid, 8, 77, 500, &back, &why), -EUCLEAN);
	assert_int_equal(fx_extent_header_decode(out, uuid, 9, 78, 500, &back, &why), -EUCLEAN);
	assert_int_equal(fx_extent_header_decode(out, uuid, 9, 77, 499, &back, &why), -EUCLEAN);
	for (size_t i = 0; i < sizeof(out); i++) {
		if (i >= 56 && i < 64)
			continue; /* the checksum itself: checked by the first round */
		out[i] ^= 4;
		assert_int_equal(fx_extent_directory_verify(out, out + FX_EXTENT_HEADER, 40),
				 -EUCLEAN);
		out[i] ^= 4;
	}
}

static void value_checksums_are_bound_to_their_place(void **state)
{
	uint64_t seed = fx_extent_store_seed(uuid);
	uint64_t sum = fx_value_checksum(seed, 5, 100, "value", 5);

	assert_int_equal(sum, fx_value_checksum(seed, 5, 100, "value", 5));
	assert_int_not_equal(sum, fx_value_checksum(seed + 1, 5, 100, "value", 5));
	assert_int_not_equal(sum, fx_value_checksum(seed, 6, 100, "value", 5));
	assert_int_not_equal(sum, fx_value_checksum(seed, 5, 108, "value", 5));
	assert_int_not_equal(sum, fx_value_checksum(seed, 5, 100, "valuf", 5));
	assert_int_equal(fx_value_area_size(0), 0);
	assert_int_equal(fx_value_area_size(1), 9);
	assert_int_equal(fx_value_area_size(65536), 65544);
	assert_int_equal(fx_value_area_size(65537), 65553);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_round_trip),
		cmocka_unit_test(truncated_entries_are_refused),
		cmocka_unit_test(lying_entries_are_refused),
		cmocka_unit_test(headers_are_bound_to_their_place),
		cmocka_unit_test(value_checksums_are_bound_to_their_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
