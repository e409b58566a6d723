/* SPDX-License-Identifier: Apache-2.0 */
/* The seam's contract, the same for every implementation. */
#include "fixture.h"

#include "fd.h"

#include <fcntl.h>

static struct fx_device *open_kind(struct fixture *f, const char *kind)
{
	struct fx_device *device;
	int err;

	if (!strcmp(kind, "memory")) {
		err = fx_device_memory(1 << 20, 1 << 30, &device);
	} else {
		int fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

		assert_int_equal(ftruncate(fd, 1 << 20), 0);
		err = !strcmp(kind, "uring") ? fx_device_uring(fd, &device)
					     : fx_device_posix(fd, &device);
		if (err) {
			close(fd);
			return NULL; /* io_uring is forbidden here */
		}
	}
	assert_int_equal(err, 0);
	assert_string_equal(device->ops->name, kind);
	return device;
}

/* What was written before, read at once; one that fails fails alone. */
static void reads_together(struct fx_device *device)
{
	struct fx_io ios[FX_DEVICE_DEPTH_MAX];
	uint8_t *back = malloc(FX_DEVICE_DEPTH_MAX * 100);

	for (unsigned int i = 0; i < FX_DEVICE_DEPTH_MAX; i++)
		ios[i] = (struct fx_io){.buffer = back + i * 100,
					.size = 100,
					.offset = (i == 7 ? device->size : i * FX_BLOCK) - 1,
					.result = 1};
	ios[0].offset = 0;
	device->ops->read(device, ios, FX_DEVICE_DEPTH_MAX);
	for (unsigned int i = 0; i < FX_DEVICE_DEPTH_MAX; i++) {
		assert_int_equal(ios[i].result, i == 7 ? -EIO : 0);
		if (i && i != 7)
			assert_int_equal(back[i * 100], i - 1);
		if (i != 7)
			assert_int_equal(back[i * 100 + 99], i);
	}
	free(back);
}

static void write_many(struct fx_device *device)
{
	struct fx_io ios[FX_DEVICE_DEPTH_MAX + 1] = {0};
	uint8_t *blocks = aligned_alloc(4096, (FX_DEVICE_DEPTH_MAX + 1) * 4096);
	uint8_t back[8192];
	unsigned int seen = 0;

	for (unsigned int i = 0; i <= FX_DEVICE_DEPTH_MAX; i++) {
		memset(blocks + i * 4096, (int)i, 4096);
		ios[i] = (struct fx_io){.buffer = blocks + i * 4096,
					.size = 4096,
					.offset = i * FX_BLOCK,
					.owner = &ios[i]};
		assert_int_equal(device->ops->submit(device, &ios[i]),
				 i < FX_DEVICE_DEPTH_MAX ? 0 : -EBUSY);
	}
	for (; seen < FX_DEVICE_DEPTH_MAX; seen++) {
		struct fx_io *io = device->ops->reap(device);

		assert_ptr_equal(io->owner, io);
		assert_int_equal(io->result, 0);
	}
	assert_null(device->ops->reap(device));
	assert_int_equal(device->ops->submit_sync(device, &ios[0]), 0);
	assert_int_equal(device->ops->reap(device)->result, 0);
	for (unsigned int i = 0; i < FX_DEVICE_DEPTH_MAX; i++) {
		assert_int_equal(fx_device_read(device, back, 4096, i * FX_BLOCK), 0);
		assert_memory_equal(back, blocks + i * 4096, 4096);
	}
	assert_int_equal(fx_device_read(device, back, 100, 4096 - 50), 0); /* across, unaligned */
	assert_int_equal(back[49], 0);
	assert_int_equal(back[50], 1);
	reads_together(device);
	free(blocks);
}

static void sizes(struct fx_device *device)
{
	uint8_t back[4096];

	assert_int_equal(device->size, 1 << 20);
	assert_int_equal(fx_device_read(device, back, 4096, (1 << 20) - 4095), -EIO);
	assert_int_equal(device->ops->resize(device, 2 << 20), 0);
	assert_int_equal(device->size, 2 << 20);
	assert_int_equal(fx_device_read(device, back, 4096, (2 << 20) - 4096), 0);
	assert_int_equal(back[4095], 0);
	assert_int_equal(device->ops->resize(device, 1 << 20), 0);
	assert_int_equal(fx_device_read(device, back, 4096, 1 << 20), -EIO);
	assert_int_equal(device->ops->resize(device, UINT64_C(1) << 62) < 0, 1);
	assert_int_equal(device->size, 1 << 20);
}

static void large_writes(struct fx_device *device)
{
	size_t size = 3 * FX_DEVICE_WRITE_MAX + 4096;
	uint8_t *bytes = aligned_alloc(4096, size), *back = malloc(size);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 31 >> 8);
	assert_int_equal(device->ops->resize(device, 8 << 20), 0);
	assert_int_equal(fx_device_write_sync(device, bytes, size, 4096), 0);
	assert_int_equal(fx_device_read(device, back, size, 4096), 0);
	assert_memory_equal(bytes, back, size);
	free(bytes);
	free(back);
}

static void check(void **state, const char *kind)
{
	struct fx_device *device = open_kind(*state, kind);

	if (!device)
		skip();
	write_many(device);
	sizes(device);
	large_writes(device);
	fx_device_close(device);
}

static void uring_keeps_the_contract(void **state)
{
	check(state, "uring");
}

static void posix_keeps_the_contract(void **state)
{
	check(state, "posix");
}

static void memory_keeps_the_contract(void **state)
{
	check(state, "memory");
}

static void opening(void **state)
{
	struct fixture *f = *state;
	struct fx_device *device;

	assert_int_equal(fx_device_open(f->path, 0, &device), -ENOENT);
	assert_int_equal(fx_device_open(f->dir, 0, &device), -EISDIR);
	assert_int_equal(fx_device_open("/dev/null", 0, &device), -ENOTBLK);
	assert_int_equal(fx_device_open(f->path, FX_DEVICE_CREATE, &device), 0);
	assert_true(device->created);
	assert_int_equal(device->size, 0);
	fx_device_close(device);
	assert_int_equal(fx_device_open(f->path, FX_DEVICE_NO_URING, &device), 0);
	assert_string_equal(device->ops->name, "posix");
	assert_false(device->created);
	fx_device_close(device);
}

/* A request that a signal interrupted is made again: a sync too, it must not count as done. */
static void interrupted_request_is_made_again(void **state)
{
	struct fixture *f = *state;
	uint8_t block[4096], back[4096];
	struct fx_io write = {.buffer = block, .size = sizeof(block), .offset = 4096};
	struct fx_io sync = {0};
	int fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	memset(block, 7, sizeof(block));
	assert_int_equal(fx_fd_finish(fd, &write, -EINTR), 0);
	assert_int_equal(fx_fd_read(fd, back, sizeof(back), 4096), 0);
	assert_memory_equal(back, block, sizeof(block));
	assert_int_equal(fx_fd_finish(fd, &write, 100), 0);
	assert_int_equal(fx_fd_finish(fd, &write, -EIO), -EIO);
	assert_int_equal(fx_fd_finish(fd, &sync, 0), 0);
	assert_int_equal(fx_fd_finish(fd, &sync, -EINTR), 0);
	close(fd);
	assert_int_equal(fx_fd_finish(-1, &sync, -EINTR), -EBADF); /* it was tried */
	assert_int_equal(fx_fd_finish(-1, &sync, -EAGAIN), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(interrupted_request_is_made_again),
		TEST(uring_keeps_the_contract),
		TEST(posix_keeps_the_contract),
		TEST(memory_keeps_the_contract),
		TEST(opening),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
