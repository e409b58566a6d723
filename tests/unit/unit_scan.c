/* SPDX-License-Identifier: Apache-2.0 */
/* Finding what somebody could miss. */
#include "fixture.h"

#include "fd.h"

#include <fcntl.h>

#define MIB ((uint64_t)1 << 20)

static void set(struct fx_device *device, uint64_t at, uint8_t byte)
{
	uint8_t block[4096] = {0};
	uint64_t base = at / FX_BLOCK * FX_BLOCK;

	assert_int_equal(fx_device_read(device, block, sizeof(block), base), 0);
	block[at - base] = byte;
	assert_int_equal(fx_device_write_sync(device, block, sizeof(block), base), 0);
}

static void expect_found(struct fx_device *device, uint64_t from, uint64_t at)
{
	uint64_t found = UINT64_MAX;

	assert_int_equal(fx_device_find_data(device, from, &found), 1);
	assert_int_equal(found, at);
}

static void expect_blank(struct fx_device *device, uint64_t from)
{
	uint64_t found = 42;

	assert_int_equal(fx_device_find_data(device, from, &found), 0);
	assert_int_equal(found, 42);
}

/* Wherever a byte is, it is found, from its place on backwards. */
static void check_places(struct fx_device *device, const uint64_t *places, size_t count)
{
	expect_blank(device, 0);
	for (size_t i = 0; i < count; i++) {
		set(device, places[i], 1);
		expect_found(device, 0, places[i]);
		expect_found(device, places[i], places[i]);
		expect_blank(device, places[i] + 1);
		set(device, places[i], 0);
	}
	expect_blank(device, 0);
}

static void any_byte_is_found(void **state)
{
	static const uint64_t places[] = {0,	   1,	4095,	     4096,     65536 + 64,
					  MIB - 1, MIB, 3 * MIB + 1, 20 * MIB, 40 * MIB - 1};
	struct fx_device *device;

	assert_int_equal(fx_device_memory(40 * MIB, 40 * MIB, &device), 0);
	check_places(device, places, sizeof(places) / sizeof(*places));
	device->fixed = true; /* a small block device is read as a whole too */
	check_places(device, places, sizeof(places) / sizeof(*places));
	fx_device_close(device);
}

/* Of a large one: MBR and GPT, ext, btrfs and its copy, ZFS' labels, md, backup GPT. */
static void signatures_on_a_large_device_are_found(void **state)
{
	const uint64_t size = 300 * MIB;
	const uint64_t places[] = {
		510,	      512,	   1080,       32769,	 65600,		131072,
		262144,	      MIB,	   2 * MIB,    4 * MIB,	 64 * MIB + 64, size - 524288,
		size - 65536, size - 8192, size - 512, size - 1,
	};
	struct fx_device *device;

	assert_int_equal(fx_device_memory(size, size, &device), 0);
	device->fixed = true;
	check_places(device, places, sizeof(places) / sizeof(*places));
	/* What fills a part of it is found wherever it is. */
	for (uint64_t begin = 8 * MIB; begin + 3 * MIB < size; begin += 37 * MIB) {
		uint64_t found;

		for (uint64_t at = begin; at < begin + 3 * MIB; at += FX_BLOCK)
			set(device, at + 7, 1);
		assert_int_equal(fx_device_find_data(device, 0, &found), 1);
		assert_in_range(found, begin, begin + 3 * MIB);
		for (uint64_t at = begin; at < begin + 3 * MIB; at += FX_BLOCK)
			set(device, at + 7, 0);
	}
	fx_device_close(device);
}

/* A file's last bytes, which fill no block, count; its holes are not read. */
static void sparse_and_ragged_files(void **state)
{
	struct fixture *f = *state;
	const off_t size = ((off_t)1 << 40) + 100;
	int fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct fx_device *device;

	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(fx_device_posix(fd, &device), 0);
	expect_blank(device, 0);
	assert_int_equal(pwrite(fd, "x", 1, size - 1), 1);
	expect_found(device, 0, (uint64_t)size - 1);
	assert_int_equal(pwrite(fd, "x", 1, size / 2), 1);
	expect_found(device, 0, (uint64_t)size / 2);
	expect_found(device, (uint64_t)size / 2 + 1, (uint64_t)size - 1);
	fx_device_close(device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(any_byte_is_found),
		TEST(signatures_on_a_large_device_are_found),
		TEST(sparse_and_ragged_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
