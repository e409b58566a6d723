/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images that lie: bytes are changed and the checksums over them made good, so that only the checks
 * of each number stand between them and memory. Opening, reading and writing such a store may fail,
 * but does no harm (the sanitizers watch) and ends.
 */
#include "image.h"

#include "extent.h"
#include "journal.h"

#define ROUNDS 200u

static uint64_t seed = 1;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

/* A store with extents of all kinds, dead and amended records; as it is while open. */
static struct image make_image(struct fixture *f)
{
	struct feox_options options = FEOX_OPTIONS_INIT;
	uint8_t *value = calloc(1, 100000);
	struct image image;
	char key[16];

	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE;
	options.initial_size_bytes = 1 << 20;
	open_with(f, &options);
	for (unsigned int i = 0; i < 60; i++) {
		struct feox_write_options o = {.metadata = "meta",
					       .metadata_size = i % 3 ? 4 : 0,
					       .expiry_ns = i % 5 ? 0 : FEOX_TIME_MAX};

		snprintf(key, sizeof(key), "%u", i);
		assert_int_equal(feox_put(f->store, key, strlen(key), value,
					  i % 20 ? i * 13 : 100000, &o, NULL),
				 0);
		if (i % 9 == 0)
			assert_int_equal(feox_sync(f->store), 0);
	}
	for (unsigned int i = 0; i < 60; i += 3) {
		snprintf(key, sizeof(key), "%u", i);
		assert_int_equal(del(f->store, key), 0);
	}
	assert_int_equal(feox_set_expiry(f->store, "1", 1, FEOX_TIME_MAX, NULL), 0);
	assert_int_equal(feox_set_metadata(f->store, "4", 1, "new meta", 8, NULL), 0);
	assert_int_equal(feox_rename(f->store, "5", 1, "renamed", 7, NULL), 0);
	assert_int_equal(feox_rename_prefix(f->store, "2", 1, "dir/", 4, NULL, NULL, NULL), 0);
	assert_int_equal(feox_sync(f->store), 0);
	image = read_image(f->path);
	close_store(f);
	free(value);
	return image;
}

/* Change some bytes near the beginning of blocks that are in use. */
static void lie(const struct image *image)
{
	size_t block, at;
	uint8_t uuid[FX_UUID_SIZE];

	memcpy(uuid, image->bytes + 16, sizeof(uuid));
	do
		block = rnd((uint32_t)(image->size / BLOCK));
	while (fx_get_u32(image->bytes + block * BLOCK) == 0);
	at = block * BLOCK + rnd(rnd(2) ? 104 : 600);
	switch (rnd(4)) {
	case 0:
		image->bytes[at] ^= (uint8_t)(1u << rnd(8));
		break;
	case 1:
		memset(image->bytes + at, 0xff, 8);
		break;
	case 2:
		memset(image->bytes + at, 0, 8);
		break;
	default:
		image->bytes[at] = (uint8_t)rnd(256);
	}
	for (size_t b = 0; b < image->size / BLOCK; b++)
		bless(image, b, uuid);
}

static void use(struct feox_store *store, bool writable)
{
	struct feox_iter *iter;
	struct feox_item item;
	unsigned int n = 0;
	int more = 1;

	assert_int_equal(feox_iter_open(store, NULL, &iter), 0);
	while (more && n++ < 1000)
		more = feox_iter_next(iter, &item); /* -EIO: that value is damaged */
	assert_true(n < 1000);
	feox_iter_close(iter);
	if (writable && !put(store, "new", "1"))
		feox_sync(store);
}

static void lying_images_do_no_harm(void **state)
{
	struct fixture *f = *state;
	struct image image = make_image(f);
	struct image copy = {.bytes = malloc(image.size), .size = image.size};
	unsigned int refused = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct feox_options options = FEOX_OPTIONS_INIT;
		struct feox_diag diag = {""};
		bool writable = rnd(2);
		int err;

		memcpy(copy.bytes, image.bytes, image.size);
		for (unsigned int i = 0; i <= rnd(3); i++)
			lie(&copy);
		write_image(f->path, &copy);
		options.path = f->path;
		options.flags = writable ? 0 : FEOX_OPEN_READ_ONLY;
		err = feox_open(&options, &f->store, &diag);
		refused += err != 0;
		if (err) {
			assert_true(diag.text[0]);
			continue;
		}
		use(f->store, writable);
		feox_close(f->store); /* may find that it is damaged */
		f->store = NULL;
	}
	assert_true(refused > ROUNDS / 10 && refused < ROUNDS);
	free(copy.bytes);
	free(image.bytes);
}

/* Behind the last record of the journal, one of a single extent with so many runs over all. */
static void append_overlapping(struct image *image, uint32_t run_count, uint64_t bytes)
{
	uint64_t generation = fx_get_u64(image->bytes + 48);
	struct fx_journal_header header = {.type = FX_JOURNAL_COMMIT, .generation = generation};
	struct fx_journal_extent extent = {.sequence = UINT64_C(1) << 40,
					   .bytes = bytes,
					   .directory_bytes = 100,
					   .records = 1,
					   .run_count = run_count};
	struct fx_journal_writer w;
	uint8_t *runs;

	for (uint64_t block = 2; block < image->size / BLOCK; block++) {
		const uint8_t *at = image->bytes + block * BLOCK;

		if (memcmp(at, "FXJR", 4) != 0 || fx_get_u64(at + 24) != generation ||
		    fx_get_u64(at + 32) <= header.sequence)
			continue;
		header.sequence = fx_get_u64(at + 32);
		header.block = block + fx_get_u64(at + 48) / BLOCK;
		header.version_ceiling = fx_get_u64(at + 72);
		header.id_ceiling = fx_get_u64(at + 80);
		header.wall_ns = fx_get_u64(at + 88);
	}
	header.sequence++;
	fx_journal_begin(&w, image->bytes + header.block * BLOCK, BLOCK);
	fx_journal_section(&w, FX_SECTION_EXTENTS);
	runs = fx_journal_put_extent(&w, &extent, NULL);
	for (uint32_t i = 0; i < run_count; i++)
		fx_journal_run_encode(runs, i, (struct fx_journal_run){2, image->size / BLOCK - 2});
	fx_journal_section_end(&w);
	fx_journal_finish(&w, &header, image->bytes + 16);
}

/* Runs over the same blocks made an extent larger than its store: memory was taken for all of it.
 */
static void extent_of_overlapping_runs_is_refused(void **state)
{
	struct fixture *f = *state;
	struct image image = make_image(f);
	const uint64_t area = image.size - (uint64_t)2 * BLOCK;
	const uint64_t lies[] = {64 * area, 64 * area - 4000, area + 1, area, 1, UINT64_MAX};

	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct image copy = {.bytes = malloc(image.size), .size = image.size};
		struct feox_options options = FEOX_OPTIONS_INIT;
		struct feox_diag diag = {""};

		memcpy(copy.bytes, image.bytes, image.size);
		append_overlapping(&copy, 64, lies[i]);
		write_image(f->path, &copy);
		free(copy.bytes);
		options.path = f->path;
		assert_int_equal(feox_open(&options, &f->store, &diag), -EUCLEAN);
		assert_non_null(strstr(diag.text, "that cannot be"));
	}
	free(image.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lying_images_do_no_harm),
		TEST(extent_of_overlapping_runs_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
