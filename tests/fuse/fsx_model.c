/* SPDX-License-Identifier: Apache-2.0 */
/* fsx_model.c - see fsx_model.h. */
#include "fsx_model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[FX_NAMES] = {"one", "two", "d/three", "d/four"};

const char *fx_name(int name)
{
	return names[name];
}

void fx_model_init(struct fx_model *m, unsigned int seed)
{
	memset(m, 0, sizeof(*m));
	m->seed = seed;
	m->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	for (int i = 0; i < FX_FILES; i++) {
		m->files[i].data = calloc(1, FX_SIZE_MAX);
		for (int h = 0; h < FX_HANDLES; h++)
			m->files[i].handles[h].fd = -1;
		FX_REQUIRE(m, m->files[i].data);
	}
}

void fx_model_free(struct fx_model *m)
{
	for (int i = 0; i < FX_FILES; i++) {
		struct fx_file *file = &m->files[i];

		fx_unmap(m, file);
		for (int h = 0; h < FX_HANDLES; h++)
			if (file->handles[h].fd >= 0)
				close(file->handles[h].fd);
		free(file->data);
	}
}

/* xorshift64* */
uint32_t fx_random(struct fx_model *m, uint32_t below)
{
	m->random ^= m->random >> 12;
	m->random ^= m->random << 25;
	m->random ^= m->random >> 27;
	return (uint32_t)((m->random * UINT64_C(0x2545f4914f6cdd1d) >> 32) % below);
}

void fx_log(struct fx_model *m, const char *format, ...)
{
	char *line = m->log[m->operation % 64];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(m->log[0]), format, args);
	va_end(args);
	if (m->trace)
		printf("%6u %s\n", m->operation, line);
}

void fx_wrong(struct fx_model *m, const char *format, ...)
{
	unsigned int first = m->operation > 40 ? m->operation - 40 : 0;
	int error = errno;
	va_list args;

	fflush(stdout);
	for (unsigned int i = first; i <= m->operation; i++)
		fprintf(stderr, "%6u %s\n", i, m->log[i % 64]);
	fprintf(stderr, "seed %u, operation %u: ", m->seed, m->operation);
	errno = error;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

struct fx_file *fx_named(struct fx_model *m, int name)
{
	for (int i = 0; i < FX_FILES; i++)
		if (m->files[i].used && m->files[i].name == name)
			return &m->files[i];
	return NULL;
}

struct fx_file *fx_unused(struct fx_model *m)
{
	for (int i = 0; i < FX_FILES; i++)
		if (!m->files[i].used)
			return &m->files[i];
	return NULL;
}

static struct fx_handle *handle_with(struct fx_model *m, struct fx_file *file, int unwanted)
{
	uint32_t start = fx_random(m, FX_HANDLES);

	for (uint32_t i = 0; i < FX_HANDLES; i++) {
		struct fx_handle *handle = &file->handles[(start + i) % FX_HANDLES];

		if (handle->fd >= 0 && (handle->flags & O_ACCMODE) != unwanted)
			return handle;
	}
	return NULL;
}

struct fx_handle *fx_reader(struct fx_model *m, struct fx_file *file)
{
	return handle_with(m, file, O_WRONLY);
}

struct fx_handle *fx_writer(struct fx_model *m, struct fx_file *file)
{
	return handle_with(m, file, O_RDONLY);
}

void fx_set_size(struct fx_file *file, size_t size)
{
	if (size < file->size)
		memset(file->data + size, 0, file->size - size);
	file->size = size;
}

void fx_compare(struct fx_model *m, const struct fx_file *file, const uint8_t *got, size_t count,
		size_t offset, const char *how)
{
	size_t i = 0;

	if (!memcmp(file->data + offset, got, count))
		return;
	while (file->data[offset + i] == got[i])
		i++;
	fx_wrong(m, "%s of file %d at %zu, byte %zu: 0x%02x, should be 0x%02x (size %zu)", how,
		 (int)(file - m->files), offset, offset + i, got[i], file->data[offset + i],
		 file->size);
}

/* A file without a name goes with its last handle and map. */
static void forget(struct fx_file *file)
{
	for (int h = 0; h < FX_HANDLES; h++)
		if (file->handles[h].fd >= 0)
			return;
	if (file->name >= 0 || file->map)
		return;
	fx_set_size(file, 0);
	file->used = false;
}

void fx_close(struct fx_model *m, struct fx_file *file, struct fx_handle *handle)
{
	FX_REQUIRE(m, !close(handle->fd));
	handle->fd = -1;
	forget(file);
}

void fx_unmap(struct fx_model *m, struct fx_file *file)
{
	if (!file->map)
		return;
	FX_REQUIRE(m, !munmap(file->map, file->map_size));
	file->map = NULL;
	forget(file);
}

void fx_verify(struct fx_model *m, struct fx_file *file, struct fx_handle *handle)
{
	static uint8_t buffer[FX_SIZE_MAX + 1];
	int fd = handle ? handle->fd : open(names[file->name], O_RDONLY);
	struct stat st;
	ssize_t n;

	FX_REQUIRE(m, fd >= 0 && !fstat(fd, &st));
	if ((size_t)st.st_size != file->size)
		fx_wrong(m, "file %d: st_size %lld, should be %zu", (int)(file - m->files),
			 (long long)st.st_size, file->size);
	n = pread(fd, buffer, sizeof(buffer), 0);
	if (n != (ssize_t)file->size)
		fx_wrong(m, "file %d: read %zd of %zu bytes: %m", (int)(file - m->files), n,
			 file->size);
	fx_compare(m, file, buffer, file->size, 0, "reading all");
	if (!handle)
		close(fd);
}
