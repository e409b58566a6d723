/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsx_model.h - files as they must be: their bytes in memory beside their handles and maps on the
 * mount.
 */
#ifndef FX_FSX_MODEL_H
#define FX_FSX_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FX_FILES    6 /* in the model, with and without names */
#define FX_NAMES    4
#define FX_HANDLES  3 /* of one file */
#define FX_SIZE_MAX ((size_t)320 * 1024)

struct fx_handle {
	int fd; /* -1: closed */
	int flags;
};

struct fx_file {
	bool used; /* has a name or a handle */
	int name;  /* -1: unlinked */
	size_t size;
	uint8_t *data; /* FX_SIZE_MAX bytes; zeros from size on */
	struct fx_handle handles[FX_HANDLES];
	uint8_t *map; /* shared, of map_size bytes; NULL: none */
	size_t map_size;
};

struct fx_model {
	struct fx_file files[FX_FILES];
	uint64_t random;
	unsigned int seed, operation;
	char log[64][160]; /* what was done last */
	bool trace, local; /* local: a file system where O_DIRECT asks for alignment */
};

void fx_model_init(struct fx_model *m, unsigned int seed);
void fx_model_free(struct fx_model *m); /* closes everything, unlinks nothing */

uint32_t fx_random(struct fx_model *m, uint32_t below);

/* What is done now, for the report of a failure. */
void fx_log(struct fx_model *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Report and exit with 1. */
_Noreturn void fx_wrong(struct fx_model *m, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define FX_REQUIRE(m, condition)                                                                   \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fx_wrong(m, "%s:%d: %s (%m)", __FILE__, __LINE__, #condition);             \
	} while (0)

const char *fx_name(int name);
struct fx_file *fx_named(struct fx_model *m, int name); /* NULL: there is none */
struct fx_file *fx_unused(struct fx_model *m);		/* NULL: all are in use */

/* An open handle with that direction (O_RDONLY: any that reads), or NULL. */
struct fx_handle *fx_reader(struct fx_model *m, struct fx_file *file);
struct fx_handle *fx_writer(struct fx_model *m, struct fx_file *file);

/* The file has size bytes from now on; new ones are zeros. */
void fx_set_size(struct fx_file *file, size_t size);

/* Compare count bytes at offset with what was read there. */
void fx_compare(struct fx_model *m, const struct fx_file *file, const uint8_t *got, size_t count,
		size_t offset, const char *how);

void fx_close(struct fx_model *m, struct fx_file *file, struct fx_handle *handle);
void fx_unmap(struct fx_model *m, struct fx_file *file);

/* Read the whole file by handle or, NULL, by its name, and compare size and bytes. */
void fx_verify(struct fx_model *m, struct fx_file *file, struct fx_handle *handle);

/* fsx_operations.c: one random operation. */
void fx_step(struct fx_model *m);

#endif
