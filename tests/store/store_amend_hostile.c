/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Journal records that amend what cannot be amended, or to what cannot be: each is refused, with
 * its reason, and none does harm.
 */
#include "crash_fixture.h"

#include "bytes.h"
#include "journal.h"

#define BLOCK 4096u

struct image {
	uint8_t *bytes;
	size_t size;
	uint64_t extent;  /* sequence of the one with the keys aa, bb, cc; cc is dead */
	uint32_t records; /* of it */
	struct fx_journal_header next;
};

/* The last record of the chain, and the first extent that any names. */
static void look_around(struct image *image)
{
	const uint64_t generation = fx_get_u64(image->bytes + 48);
	struct fx_journal_header *next = &image->next;

	*next = (struct fx_journal_header){.type = FX_JOURNAL_COMMIT, .generation = generation};
	for (uint64_t block = 2; block < image->size / BLOCK; block++) {
		const uint8_t *at = image->bytes + block * BLOCK;

		if (memcmp(at, "FXEX", 4) == 0) {
			image->extent = fx_get_u64(at + 32);
			image->records = fx_get_u32(at + 4);
		}
		if (memcmp(at, "FXJR", 4) != 0 || fx_get_u64(at + 24) != generation ||
		    fx_get_u64(at + 32) <= next->sequence)
			continue;
		next->sequence = fx_get_u64(at + 32);
		next->block = block + fx_get_u64(at + 48) / BLOCK;
		next->version_ceiling = fx_get_u64(at + 72);
		next->id_ceiling = fx_get_u64(at + 80);
		next->wall_ns = fx_get_u64(at + 88);
	}
	next->sequence++;
}

static struct image make_image(struct fixture *f)
{
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct image image = {0};
	struct stat st;
	int fd;

	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE;
	options.initial_size_bytes = 8 << 20; /* so that a segment has room for long records */
	options.flush_interval_ns = UINT64_C(3600) * 1000000000;
	open_with(f, &options);
	put(f->store, "aa", "1");
	put(f->store, "bb", "2");
	put(f->store, "cc", "3");
	assert_int_equal(feox_sync(f->store), 0);
	assert_int_equal(del(f->store, "cc"), 0);
	assert_int_equal(feox_sync(f->store), 0);
	fd = open(f->path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	image.size = (size_t)st.st_size;
	image.bytes = malloc(image.size);
	assert_int_equal(read(fd, image.bytes, image.size), image.size);
	close(fd);
	close_store(f);
	look_around(&image);
	assert_int_equal(image.records, 3);
	return image;
}

/* The index of the record with this key: the order in an extent is the store's business. */
static uint16_t index_of(const struct image *image, const char *key)
{
	for (size_t block = 2; block < image->size / BLOCK; block++) {
		const uint8_t *at = image->bytes + block * BLOCK;

		for (uint16_t i = 0; i < 3 && !memcmp(at, "FXEX", 4); i++)
			if (!memcmp(at + 64 + i * 18u + 16, key, 2))
				return i;
	}
	fail();
	return 0;
}

/* Open the image with the record that w has built behind its last one. */
static int open_with_record(struct fixture *f, const struct image *image,
			    struct fx_journal_writer *w, struct feox_diag *diag)
{
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct fx_journal_header header = image->next;
	size_t size = fx_journal_finish(w, &header, image->bytes + 16);
	int fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, image->bytes, image->size), image->size);
	assert_int_equal(pwrite(fd, w->buffer, size, (off_t)(header.block * BLOCK)), size);
	close(fd);
	options.path = f->path;
	options.flags = FEOX_OPEN_READ_ONLY;
	return feox_open(&options, &f->store, diag);
}

static void expect_refused(struct fixture *f, const struct image *image,
			   struct fx_journal_writer *w, const char *why)
{
	struct feox_diag diag = {""};
	int err = open_with_record(f, image, w, &diag);

	if (err != -EUCLEAN || !strstr(diag.text, why))
		print_error("%d, %s (expected: %s)\n", err, diag.text, why);
	assert_int_equal(err, -EUCLEAN);
	assert_non_null(strstr(diag.text, why));
}

static void begin(struct fx_journal_writer *w, enum fx_section_type type)
{
	static uint8_t buffer[16 * BLOCK];

	fx_journal_begin(w, buffer, sizeof(buffer));
	fx_journal_section(w, type);
}

static struct fx_journal_amend key_amend(const struct image *image, uint16_t index, const char *key)
{
	return (struct fx_journal_amend){.sequence = image->extent,
					 .index = index,
					 .flags = FX_AMEND_KEY,
					 .key = (const uint8_t *)key,
					 .key_size = (uint16_t)strlen(key)};
}

/* What is right is taken: the tests below can trust what they build. */
static void good_amendments_are_taken(void **state)
{
	struct fixture *f = *state;
	struct image image = make_image(f);
	struct fx_journal_amend a = key_amend(&image, index_of(&image, "aa"), "new");
	struct fx_journal_prefix p = {
		.version = 1, .strip = 1, .size = 2, .lists = 1, .bytes = (const uint8_t *)"xy"};
	struct fx_journal_writer w;
	struct feox_diag diag = {""};

	begin(&w, FX_SECTION_AMEND);
	fx_journal_put_amend(&w, &a);
	fx_journal_section_end(&w);
	fx_journal_section(&w, FX_SECTION_PREFIX);
	fx_journal_put_prefix(&w, &p);
	fx_journal_bit_set(fx_journal_put_list(&w, image.extent, 3), index_of(&image, "bb"));
	fx_journal_section_end(&w);
	assert_int_equal(open_with_record(f, &image, &w, &diag), 0);
	expect_text(f->store, "new", "1");
	expect_text(f->store, "xyb", "2");
	expect_text(f->store, "aa", NULL);
	free(image.bytes);
}

static void records_that_are_not_there_are_refused(void **state)
{
	struct fixture *f = *state;
	struct image image = make_image(f);
	struct fx_journal_amend amends[] = {
		key_amend(&image, 3, "new"), /* no such record */
		key_amend(&image, 65535, "new"),
		key_amend(&image, index_of(&image, "cc"), "new"), /* a dead one */
		key_amend(&image, 0, "new"),
	};
	struct fx_journal_writer w;

	amends[3].sequence++; /* no such extent */
	for (size_t i = 0; i < 4; i++) {
		begin(&w, FX_SECTION_AMEND);
		fx_journal_put_amend(&w, &amends[i]);
		fx_journal_section_end(&w);
		expect_refused(f, &image, &w, "an amendment that makes no sense");
	}
	free(image.bytes);
}

static void a_field_amended_twice_is_refused(void **state)
{
	struct fixture *f = *state;
	struct image image = make_image(f);
	struct fx_journal_amend a = key_amend(&image, index_of(&image, "aa"), "new");
	struct fx_journal_prefix p = {.version = 1, .strip = 1, .lists = 1};
	struct fx_journal_writer w;

	for (unsigned int i = 0; i < 2; i++) {
		begin(&w, FX_SECTION_AMEND);
		fx_journal_put_amend(&w, &a);
		if (!i)
			fx_journal_put_amend(&w, &a);
		fx_journal_section_end(&w);
		if (i) {
			fx_journal_section(&w, FX_SECTION_PREFIX);
			fx_journal_put_prefix(&w, &p);
			fx_journal_bit_set(fx_journal_put_list(&w, image.extent, 3), a.index);
			fx_journal_section_end(&w);
		}
		expect_refused(f, &image, &w, "an amendment that makes no sense");
	}
	free(image.bytes);
}

static void keys_that_cannot_be_are_refused(void **state)
{
	struct fixture *f = *state;
	struct image image = make_image(f);
	static uint8_t bytes[16384];
	struct {
		struct fx_journal_prefix prefix;
		uint32_t records;
		const char *why;
	} cases[] = {
		/* More than the key has; the result too long. */
		{{.version = 1, .strip = 3}, 3, "an amended key that cannot be"},
		{{.version = 1, .strip = 1, .size = 16384}, 3, "an amended key that cannot be"},
		/* The bitmap of another extent. */
		{{.version = 1, .strip = 1}, 4, "an amendment that makes no sense"},
		/* aa and bb become the same. */
		{{.version = 1, .strip = 2, .size = 1}, 3, "a key that lives twice"},
	};
	struct fx_journal_writer w;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t *bitmap;

		cases[i].prefix.lists = 1;
		cases[i].prefix.bytes = bytes;
		begin(&w, FX_SECTION_PREFIX);
		fx_journal_put_prefix(&w, &cases[i].prefix);
		bitmap = fx_journal_put_list(&w, image.extent, cases[i].records);
		fx_journal_bit_set(bitmap, index_of(&image, "aa"));
		fx_journal_bit_set(bitmap, index_of(&image, "bb"));
		fx_journal_section_end(&w);
		expect_refused(f, &image, &w, cases[i].why);
	}
	free(image.bytes);
}

static void a_key_that_another_record_has_is_refused(void **state)
{
	struct fixture *f = *state;
	struct image image = make_image(f);
	struct fx_journal_amend a = key_amend(&image, index_of(&image, "aa"), "bb");
	struct fx_journal_writer w;

	begin(&w, FX_SECTION_AMEND);
	fx_journal_put_amend(&w, &a);
	fx_journal_section_end(&w);
	expect_refused(f, &image, &w, "a key that lives twice");
	free(image.bytes);
}

/* Prefix upon prefix, in one record: the sum of what is taken off is beyond every key. */
static void endless_prefixes_are_refused(void **state)
{
	struct fixture *f = *state;
	struct image image = make_image(f);
	static uint8_t bytes[16384];
	struct fx_journal_amend a = key_amend(&image, index_of(&image, "aa"), "key");
	struct fx_journal_prefix p = {
		.version = 1, .strip = 4, .size = 16384, .lists = 1, .bytes = bytes};
	struct fx_journal_writer w;

	for (unsigned int i = 0; i < 2; i++) { /* then: whole, and shorter than what is taken off */
		begin(&w, i ? FX_SECTION_AMEND : FX_SECTION_PREFIX);
		if (i) {
			a.flags = FX_AMEND_KEY;
			fx_journal_put_amend(&w, &a);
			fx_journal_section_end(&w);
			fx_journal_section(&w, FX_SECTION_PREFIX);
		}
		fx_journal_put_prefix(&w, &p);
		fx_journal_bit_set(fx_journal_put_list(&w, image.extent, 3), a.index);
		fx_journal_section_end(&w);
		expect_refused(f, &image, &w, i ? "makes no sense" : "that cannot be");
	}
	free(image.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(good_amendments_are_taken),
		TEST(records_that_are_not_there_are_refused),
		TEST(a_field_amended_twice_is_refused),
		TEST(keys_that_cannot_be_are_refused),
		TEST(a_key_that_another_record_has_is_refused),
		TEST(endless_prefixes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
