/* SPDX-License-Identifier: Apache-2.0 */
/* fsx_operations.c - what fsx does to files, on the mount and in the model alike. */
#include "fsx_model.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define PAGE	     ((size_t)4096)
#define KEPT_MAP     (FX_SIZE_MAX / PAGE * PAGE) /* bytes of a map that stays */

static uint8_t buffer[FX_SIZE_MAX + 1];

/* ---- Chances --------------------------------------------------------------------------------- */

/* Mostly small, sometimes on a page's edge, seldom large. */
static size_t random_size(struct fx_model *m, size_t max)
{
	size_t size = fx_random(m, 6000);

	if (fx_random(m, 6) == 0)
		size = size / 1000 * PAGE;
	if (fx_random(m, 40) == 0)
		size = fx_random(m, (uint32_t)FX_SIZE_MAX);
	return size < max ? size : max;
}

/* In the file, at its end, behind it. */
static size_t random_offset(struct fx_model *m, const struct fx_file *file)
{
	uint32_t beyond = fx_random(m, 10) == 0 ? 50000 : 0;
	size_t offset = fx_random(m, (uint32_t)file->size + beyond + 1);

	if (fx_random(m, 5) == 0)
		offset = offset / PAGE * PAGE;
	if (fx_random(m, 8) == 0)
		offset = file->size;
	return offset < FX_SIZE_MAX - 1 ? offset : FX_SIZE_MAX - 1;
}

static void random_bytes(struct fx_model *m, size_t size)
{
	uint32_t start = fx_random(m, UINT32_MAX);

	for (size_t i = 0; i < size; i++)
		buffer[i] = (uint8_t)((start + i) * 131 >> 3 ^ start >> 8);
}

static struct fx_file *random_file(struct fx_model *m)
{
	uint32_t start = fx_random(m, FX_FILES);

	for (uint32_t i = 0; i < FX_FILES; i++)
		if (m->files[(start + i) % FX_FILES].used)
			return &m->files[(start + i) % FX_FILES];
	return NULL;
}

static int number(const struct fx_model *m, const struct fx_file *file)
{
	return (int)(file - m->files);
}

/* ---- Operations; false: nothing to do it with ------------------------------------------------ */

static bool do_write(struct fx_model *m, struct fx_file *file)
{
	struct fx_handle *handle = fx_writer(m, file);
	size_t offset = random_offset(m, file), size = random_size(m, FX_SIZE_MAX - offset);
	ssize_t n;

	if (!handle || !size)
		return false;
	if (handle->flags & O_APPEND) {
		offset = file->size;
		if (size > FX_SIZE_MAX - offset)
			return false;
	}
	fx_log(m, "write file %d fd %d: %zu at %zu (size %zu)", number(m, file), handle->fd, size,
	       offset, file->size);
	random_bytes(m, size);
	n = pwrite(handle->fd, buffer, size, (off_t)offset);
	FX_REQUIRE(m, n == (ssize_t)size);
	memcpy(file->data + offset, buffer, size);
	file->size = offset + size > file->size ? offset + size : file->size;
	return true;
}

static bool do_read(struct fx_model *m, struct fx_file *file)
{
	struct fx_handle *handle = fx_reader(m, file);
	size_t offset = random_offset(m, file), size = random_size(m, FX_SIZE_MAX);
	size_t expected = offset < file->size ? file->size - offset : 0;
	ssize_t n;

	if (!handle)
		return false;
	expected = expected < size ? expected : size;
	fx_log(m, "read file %d fd %d: %zu at %zu (size %zu)", number(m, file), handle->fd, size,
	       offset, file->size);
	n = pread(handle->fd, buffer, size, (off_t)offset);
	if (n != (ssize_t)expected)
		fx_wrong(m, "read %zd bytes, should be %zu: %m", n, expected);
	fx_compare(m, file, buffer, expected, offset, "reading");
	return true;
}

static bool do_map_keep(struct fx_model *m, struct fx_file *file)
{
	struct fx_handle *handle = fx_writer(m, file);
	void *map;

	if (file->map) {
		fx_log(m, "unmap file %d", number(m, file));
		fx_unmap(m, file);
		return true;
	}
	if (!handle || (handle->flags & O_ACCMODE) != O_RDWR)
		return false;
	fx_log(m, "map file %d fd %d", number(m, file), handle->fd);
	map = mmap(NULL, KEPT_MAP, PROT_READ | PROT_WRITE, MAP_SHARED, handle->fd, 0);
	FX_REQUIRE(m, map != MAP_FAILED);
	file->map = map;
	file->map_size = KEPT_MAP;
	return true;
}

static bool do_map_write(struct fx_model *m, struct fx_file *file)
{
	size_t offset, size;

	if (!file->map || !file->size)
		return false;
	offset = fx_random(m, (uint32_t)file->size);
	size = random_size(m, file->size - offset);
	if (offset + size > file->map_size)
		return false;
	fx_log(m, "map write file %d: %zu at %zu (size %zu)", number(m, file), size, offset,
	       file->size);
	random_bytes(m, size);
	memcpy(file->map + offset, buffer, size);
	memcpy(file->data + offset, buffer, size);
	if (fx_random(m, 4) == 0)
		FX_REQUIRE(m, !msync(file->map, file->map_size, MS_SYNC));
	return true;
}

static bool do_map_read(struct fx_model *m, struct fx_file *file)
{
	struct fx_handle *handle = fx_reader(m, file);
	size_t size = file->size < KEPT_MAP ? file->size : KEPT_MAP;
	uint8_t *map;

	if (!size || (!file->map && !handle))
		return false;
	fx_log(m, "map read file %d (size %zu)", number(m, file), file->size);
	if (file->map) {
		fx_compare(m, file, file->map, size, 0, "the map");
		return true;
	}
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, handle->fd, 0);
	FX_REQUIRE(m, map != MAP_FAILED);
	fx_compare(m, file, map, size, 0, "a private map");
	memset(map, 'p', size); /* nobody sees it */
	FX_REQUIRE(m, !munmap(map, size));
	return true;
}

static bool do_truncate(struct fx_model *m, struct fx_file *file)
{
	struct fx_handle *handle = fx_writer(m, file);
	size_t size = random_offset(m, file);

	if (!handle && file->name < 0)
		return false;
	if (!handle || (file->name >= 0 && fx_random(m, 2))) {
		fx_log(m, "truncate file %d: %zu to %zu", number(m, file), file->size, size);
		FX_REQUIRE(m, !truncate(fx_name(file->name), (off_t)size));
	} else {
		fx_log(m, "ftruncate file %d fd %d: %zu to %zu", number(m, file), handle->fd,
		       file->size, size);
		FX_REQUIRE(m, !ftruncate(handle->fd, (off_t)size));
	}
	fx_set_size(file, size);
	return true;
}

static bool do_allocate(struct fx_model *m, struct fx_file *file)
{
	static const int modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE};
	struct fx_handle *handle = fx_writer(m, file);
	size_t offset = random_offset(m, file), size = random_size(m, FX_SIZE_MAX - offset), end;
	int mode = modes[fx_random(m, COUNT(modes))];

	if (!handle || !size)
		return false;
	end = offset + size;
	fx_log(m, "fallocate file %d fd %d mode %d: %zu at %zu (size %zu)", number(m, file),
	       handle->fd, mode, size, offset, file->size);
	FX_REQUIRE(m, !fallocate(handle->fd, mode, (off_t)offset, (off_t)size));
	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > file->size)
		fx_set_size(file, end);
	if ((mode & ~FALLOC_FL_KEEP_SIZE) && offset < file->size)
		memset(file->data + offset, 0, (end < file->size ? end : file->size) - offset);
	return true;
}

static bool do_copy(struct fx_model *m, struct fx_file *file)
{
	struct fx_file *from = random_file(m);
	struct fx_handle *reader = fx_reader(m, from), *writer = fx_writer(m, file);
	off_t from_at, to_at = (off_t)random_offset(m, file);
	size_t size = random_size(m, FX_SIZE_MAX - (size_t)to_at);
	ssize_t n;

	if (!reader || !writer || from == file || (writer->flags & O_APPEND) || !from->size)
		return false;
	from_at = fx_random(m, (uint32_t)from->size);
	if (size > from->size - (size_t)from_at)
		size = from->size - (size_t)from_at;
	if (!size)
		return false;
	fx_log(m, "copy file %d at %lld to file %d at %lld: %zu", number(m, from),
	       (long long)from_at, number(m, file), (long long)to_at, size);
	memcpy(buffer, from->data + from_at, size);
	memcpy(file->data + to_at, buffer, size);
	if ((size_t)to_at + size > file->size)
		file->size = (size_t)to_at + size;
	for (; size; size -= (size_t)n) {
		n = copy_file_range(reader->fd, &from_at, writer->fd, &to_at, size, 0);
		FX_REQUIRE(m, n > 0);
	}
	return true;
}

static bool do_open(struct fx_model *m, struct fx_file *file)
{
	static const int directions[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR};
	static const int extras[] = {0, 0, 0, 0, O_APPEND, O_DIRECT, O_TRUNC, O_SYNC};
	int flags =
		directions[fx_random(m, COUNT(directions))] | extras[fx_random(m, COUNT(extras))];
	struct fx_handle *handle = &file->handles[fx_random(m, FX_HANDLES)];

	if (handle->fd >= 0) {
		fx_log(m, "close file %d fd %d", number(m, file), handle->fd);
		fx_close(m, file, handle);
		return true;
	}
	if (file->name < 0)
		return false;
	if ((flags & O_ACCMODE) == O_RDONLY)
		flags &= ~O_TRUNC;
	if (m->local)
		flags &= ~O_DIRECT;
	handle->flags = flags;
	handle->fd = open(fx_name(file->name), flags);
	fx_log(m, "open file %d fd %d flags 0%o", number(m, file), handle->fd, (unsigned)flags);
	FX_REQUIRE(m, handle->fd >= 0);
	if (flags & O_TRUNC)
		fx_set_size(file, 0);
	return true;
}

static bool do_create(struct fx_model *m, struct fx_file *unused)
{
	int name = (int)fx_random(m, FX_NAMES);
	struct fx_file *file = fx_unused(m);
	struct fx_handle *handle;

	if (!file || fx_named(m, name))
		return false;
	handle = &file->handles[0];
	handle->flags = fx_random(m, 2) ? O_RDWR : O_WRONLY;
	handle->fd = open(fx_name(name), handle->flags | O_CREAT | O_EXCL, 0644);
	fx_log(m, "create file %d fd %d as %s", number(m, file), handle->fd, fx_name(name));
	FX_REQUIRE(m, handle->fd >= 0);
	file->used = true;
	file->name = name;
	return true;
}

/* The name goes; the file does when nothing holds it any more. */
static void lose_name(struct fx_file *file)
{
	bool held = file->map;

	for (int h = 0; h < FX_HANDLES; h++)
		held |= file->handles[h].fd >= 0;
	file->name = -1;
	if (held)
		return;
	fx_set_size(file, 0);
	file->used = false;
}

static bool do_unlink(struct fx_model *m, struct fx_file *file)
{
	if (file->name < 0 || fx_random(m, 3))
		return false;
	fx_log(m, "unlink file %d, %s", number(m, file), fx_name(file->name));
	FX_REQUIRE(m, !unlink(fx_name(file->name)));
	lose_name(file);
	return true;
}

static bool do_rename(struct fx_model *m, struct fx_file *file)
{
	int name = (int)fx_random(m, FX_NAMES), old = file->name;
	struct fx_file *there = fx_named(m, name);
	bool exchanges = there && fx_random(m, 2);

	if (old < 0 || name == old)
		return false;
	fx_log(m, "rename file %d, %s to %s%s", number(m, file), fx_name(old), fx_name(name),
	       exchanges ? " and back" : "");
	FX_REQUIRE(m, !renameat2(AT_FDCWD, fx_name(old), AT_FDCWD, fx_name(name),
				 exchanges ? RENAME_EXCHANGE : 0));
	if (exchanges)
		there->name = old;
	else if (there)
		lose_name(there);
	file->name = name;
	return true;
}

/* The directory of half the names goes elsewhere and comes back. */
static bool do_rename_directory(struct fx_model *m, struct fx_file *file)
{
	if (fx_random(m, 4))
		return false;
	fx_log(m, "rename the directory");
	FX_REQUIRE(m, !rename("d", "e"));
	FX_REQUIRE(m, !rename("e", "d"));
	return true;
}

static bool do_sync(struct fx_model *m, struct fx_file *file)
{
	struct fx_handle *handle = fx_writer(m, file);

	if (!handle || fx_random(m, 4))
		return false;
	fx_log(m, "fsync file %d fd %d", number(m, file), handle->fd);
	FX_REQUIRE(m, !(fx_random(m, 2) ? fsync(handle->fd) : fdatasync(handle->fd)));
	return true;
}

static bool do_forget_pages(struct fx_model *m, struct fx_file *file)
{
	struct fx_handle *handle = fx_reader(m, file);

	if (!handle)
		return false;
	fx_log(m, "drop the pages of file %d", number(m, file));
	FX_REQUIRE(m, !posix_fadvise(handle->fd, 0, 0, POSIX_FADV_DONTNEED));
	return true;
}

static bool do_verify(struct fx_model *m, struct fx_file *file)
{
	struct fx_handle *handle = fx_reader(m, file);

	if (!handle && file->name < 0)
		return false;
	fx_log(m, "verify file %d %s", number(m, file), handle ? "by a handle" : "by its name");
	fx_verify(m, file, handle);
	return true;
}

/* Another process, with the handles it has inherited. */
static bool do_fork(struct fx_model *m, struct fx_file *file)
{
	int status = 1;
	pid_t child;

	if (fx_random(m, 20))
		return false;
	child = fork();
	if (!child) {
		fx_log(m, "verify file %d in a child", number(m, file));
		do_verify(m, file);
		_exit(0);
	}
	fx_log(m, "fork");
	FX_REQUIRE(m, waitpid(child, &status, 0) == child && status == 0);
	return true;
}

/* ---- Choice ---------------------------------------------------------------------------------- */

static const struct {
	bool (*run)(struct fx_model *m, struct fx_file *file);
	unsigned int weight;
} operations[] = {
	{do_write, 24},
	{do_read, 20},
	{do_map_keep, 3},
	{do_map_write, 8},
	{do_map_read, 4},
	{do_truncate, 8},
	{do_allocate, 8},
	{do_copy, 4},
	{do_open, 16},
	{do_unlink, 3},
	{do_rename, 4},
	{do_sync, 3},
	{do_verify, 6},
	{do_fork, 4},
	{do_create, 6},
	{do_forget_pages, 3},
	{do_rename_directory, 1},
};

void fx_step(struct fx_model *m)
{
	struct fx_file *file;
	uint32_t sum = 0, n;
	size_t i = 0;

	for (;;) {
		file = random_file(m);
		if (!file) {
			if (do_create(m, NULL))
				return;
			continue;
		}
		for (i = 0, sum = 0; i < COUNT(operations); i++)
			sum += operations[i].weight;
		n = fx_random(m, sum);
		for (i = 0; n >= operations[i].weight; i++)
			n -= operations[i].weight;
		if (operations[i].run(m, file))
			return;
	}
}
