/* SPDX-License-Identifier: Apache-2.0 */
/* checking.h - what tests of feox_check() share: stores to damage, findings, what must be there. */
#ifndef FX_TEST_CHECKING_H
#define FX_TEST_CHECKING_H

#include "image.h"

#define FINDINGS_MAX 512u
#define TEXT_MAX     256u

struct findings {
	unsigned int count;
	struct {
		enum feox_severity severity;
		uint64_t block;
		char text[TEXT_MAX];
		char key[64];
	} list[FINDINGS_MAX];
	struct feox_check_result result;
	struct feox_diag diag;
};

static inline void remember_finding(void *ctx, const struct feox_finding *finding)
{
	struct findings *f = ctx;

	assert_non_null(finding->text);
	assert_true(finding->text[0]);
	if (f->count == FINDINGS_MAX)
		return;
	f->list[f->count].severity = finding->severity;
	f->list[f->count].block = finding->block;
	snprintf(f->list[f->count].text, TEXT_MAX, "%s", finding->text);
	snprintf(f->list[f->count].key, sizeof(f->list[0].key), "%.*s", (int)finding->key_size,
		 finding->key ? (const char *)finding->key : "");
	f->count++;
}

static inline int check_path(const char *path, unsigned int flags, struct findings *ret_findings)
{
	struct feox_check_options options = {.path = path,
					     .flags = flags,
					     .report = remember_finding,
					     .report_ctx = ret_findings};

	memset(ret_findings, 0, sizeof(*ret_findings));
	return feox_check(&options, &ret_findings->result, &ret_findings->diag);
}

static inline bool found(const struct findings *f, enum feox_severity severity, const char *text,
			 const char *key)
{
	for (unsigned int i = 0; i < f->count; i++)
		if (f->list[i].severity == severity && strstr(f->list[i].text, text) &&
		    (!key || !strcmp(f->list[i].key, key)))
			return true;
	return false;
}

static inline void print_findings(const struct findings *f)
{
	for (unsigned int i = 0; i < f->count; i++)
		print_error("%d %s (%lld) %s\n", f->list[i].severity, f->list[i].text,
			    (long long)f->list[i].block, f->list[i].key);
	print_error("%s\n", f->diag.text);
}

/* Check, expect so many faults and losses. */
static inline void expect_findings(const char *path, unsigned int flags, uint64_t faults,
				   uint64_t losses, struct findings *ret_findings)
{
	int err = check_path(path, flags, ret_findings);
	const struct feox_check_result *r = &ret_findings->result;

	if (err || r->faults != faults || r->losses != losses)
		print_findings(ret_findings);
	assert_int_equal(err, 0);
	assert_int_equal(r->faults, faults);
	assert_int_equal(r->losses, losses);
}

static inline void expect_good(const char *path)
{
	struct findings f;

	expect_findings(path, 0, 0, 0, &f);
}

static inline bool is_unchanged(const char *path, const struct image *image)
{
	struct image now = read_image(path);
	bool same = now.size == image->size && !memcmp(now.bytes, image->bytes, now.size);

	free_image(&now);
	return same;
}

/* ---- Stores whose values say what they are ------------------------------------------------------
 */

/* A value: "keyKEY#GENERATION#", filled up to a size that both give. */
static inline size_t value_size_of(unsigned int key, unsigned int generation)
{
	static const size_t sizes[] = {32, 100, 700, 4000, 40000, 200000};

	return sizes[(key * 7 + generation) % 6] + key + generation;
}

static inline size_t make_value(unsigned int key, unsigned int generation, char *value)
{
	size_t size = value_size_of(key, generation);
	int n = snprintf(value, size, "key%04u#%u#", key, generation);

	for (size_t i = (size_t)n; i < size; i++)
		value[i] = (char)('a' + (i * 31 + key * 17 + generation * 7) % 26);
	return size;
}

#define VALUE_ROOM ((size_t)210000)

static inline void put_generation(struct feox_store *store, unsigned int key,
				  unsigned int generation)
{
	char *value = malloc(VALUE_ROOM), name[16];
	size_t size = make_value(key, generation, value);
	int n = snprintf(name, sizeof(name), "key%04u", key);

	assert_int_equal(feox_put(store, name, (size_t)n, value, size, NULL, NULL), 0);
	free(value);
}

/* The generation of key, 0: absent, -1: unreadable. A value that never was one fails. */
static inline int generation_of(struct feox_store *store, unsigned int key)
{
	char *expected, name[16], begin[32]; /* a value is no string */
	unsigned int at_key = 0, generation = 0;
	int n = snprintf(name, sizeof(name), "key%04u", key);
	struct feox_value value;
	int err = feox_get(store, name, (size_t)n, 0, &value);

	if (err == -ENOENT)
		return 0;
	if (err == -EIO)
		return -1;
	assert_int_equal(err, 0);
	expected = malloc(VALUE_ROOM);
	snprintf(begin, sizeof(begin), "%.*s", (int)(value.size < 31 ? value.size : 31),
		 (const char *)value.data);
	assert_int_equal(sscanf(begin, "key%u#%u#", &at_key, &generation), 2);
	assert_int_equal(at_key, key);
	assert_int_equal(value.size, make_value(key, generation, expected));
	assert_memory_equal(value.data, expected, value.size);
	feox_value_release(store, &value);
	free(expected);
	return (int)generation;
}

#define KEYS 120u

/*
 * A store in several batches: each key has generations 1 and 2, every third one 3 as well, every
 * tenth is deleted. Left open, its image is that of a crash; closed, that of an orderly end.
 */
static inline void fill_store(struct fixture *f)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	options.path = f->path;
	options.flags = FEOX_OPEN_CREATE;
	options.initial_size_bytes = 16 << 20;
	open_with(f, &options);
	for (unsigned int generation = 1; generation <= 3; generation++) {
		for (unsigned int key = 0; key < KEYS; key++) {
			if (generation == 3 && key % 3)
				continue;
			put_generation(f->store, key, generation);
			if (key % 40 == 39)
				assert_int_equal(feox_sync(f->store), 0);
		}
		assert_int_equal(feox_sync(f->store), 0);
	}
	for (unsigned int key = 0; key < KEYS; key += 10) {
		char name[16];

		snprintf(name, sizeof(name), "key%04u", key);
		assert_int_equal(del(f->store, name), 0);
	}
	assert_int_equal(feox_sync(f->store), 0);
}

/* The value of a generation of key in an image. */
static inline uint8_t *find_value(const struct image *image, unsigned int key,
				  unsigned int generation)
{
	char text[32];

	snprintf(text, sizeof(text), "key%04u#%u#", key, generation);
	return find_text(image, text);
}

/* The first byte of the extent that has this byte. */
static inline uint8_t *extent_of(const struct image *image, const uint8_t *at)
{
	size_t block = (size_t)(at - image->bytes) / BLOCK;

	while (memcmp(image->bytes + block * BLOCK, "FXEX", 4) != 0)
		assert_true(--block > 1);
	return image->bytes + block * BLOCK;
}

static inline unsigned int expected_generation(unsigned int key)
{
	return key % 10 == 0 ? 0 : key % 3 == 0 ? 3 : 2;
}

/* ---- Losing the journal -------------------------------------------------------------------------
 */

static inline void lose_superblocks(const struct image *image)
{
	memset(image->bytes, 0, (size_t)2 * BLOCK);
}

/* The first record of the chain. */
static inline void lose_journal(const struct image *image)
{
	image->bytes[fx_get_u64(image->bytes + 56) * BLOCK + 50] ^= 1;
}

/* Every journal record of the device. */
static inline void lose_all_records(const struct image *image)
{
	for (size_t b = find_block(image, "FXJR", 2); b; b = find_block(image, "FXJR", b + 1))
		memset(image->bytes + b * BLOCK, 0, BLOCK);
}

static inline void salvage(struct fixture *f, struct findings *ret_findings)
{
	int err = check_path(f->path, FEOX_CHECK_SALVAGE, ret_findings);

	if (err || !ret_findings->result.salvaged)
		print_findings(ret_findings);
	assert_int_equal(err, 0);
	assert_true(ret_findings->result.salvaged && ret_findings->result.changed);
	assert_int_equal(ret_findings->result.mended,
			 ret_findings->result.losses + ret_findings->result.faults);
	expect_good(f->path);
}

#endif
