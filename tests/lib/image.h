/* SPDX-License-Identifier: Apache-2.0 */
/* image.h - the bytes of a store in memory, for tests that damage them. */
#ifndef FX_TEST_IMAGE_H
#define FX_TEST_IMAGE_H

#include "fixture.h"

#include "bytes.h"
#include "extent.h"
#include "hash.h"

#include <fcntl.h>
#include <sys/stat.h>

#define BLOCK 4096u

struct image {
	uint8_t *bytes;
	size_t size;
};

static inline struct image read_image(const char *path)
{
	struct image image;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(fstat(fd, &st), 0);
	image.size = (size_t)st.st_size;
	image.bytes = malloc(image.size);
	assert_int_equal(read(fd, image.bytes, image.size), image.size);
	close(fd);
	return image;
}

static inline void write_image(const char *path, const struct image *image)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, image->bytes, image->size), image->size);
	close(fd);
}

static inline struct image copy_image(const struct image *image)
{
	struct image copy = {.bytes = malloc(image->size), .size = image->size};

	memcpy(copy.bytes, image->bytes, image->size);
	return copy;
}

static inline void free_image(struct image *image)
{
	free(image->bytes);
	image->bytes = NULL;
}

/* Make the checksum of whatever begins in this block good. */
static inline void bless(const struct image *image, size_t block, const uint8_t *uuid)
{
	uint8_t *at = image->bytes + block * BLOCK;
	size_t left = image->size - block * BLOCK;
	uint64_t bytes = fx_get_u64(at + 48);
	uint32_t directory = fx_get_u32(at + 48);

	if (block < 2) {
		fx_put_u64(at + BLOCK - 8, fx_checksum(FX_SUPER_SEED + block, at, BLOCK - 8));
	} else if (!memcmp(at, "FXJR", 4) && bytes >= BLOCK && bytes <= left) {
		uint64_t record_seed = fx_checksum(fx_get_u32(at), uuid, FX_UUID_SIZE);

		fx_put_u64(at + bytes - 8, fx_checksum(record_seed, at, bytes - 8));
	} else if (!memcmp(at, "FXEX", 4) && directory <= left - FX_EXTENT_HEADER) {
		fx_put_u64(at + 56,
			   fx_checksum(fx_checksum(0, at, 56), at + FX_EXTENT_HEADER, directory));
	}
}

/* The first block at or after from that begins with magic; 0: none. */
static inline size_t find_block(const struct image *image, const char *magic, size_t from)
{
	for (size_t b = from; b < image->size / BLOCK; b++)
		if (!memcmp(image->bytes + b * BLOCK, magic, 4))
			return b;
	return 0;
}

/* The first byte of a text that is somewhere in the image. */
static inline uint8_t *find_text(const struct image *image, const char *text)
{
	uint8_t *at = memmem(image->bytes, image->size, text, strlen(text));

	assert_non_null(at);
	return at;
}

#endif
