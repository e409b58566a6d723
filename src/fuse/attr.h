/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attr.h - the metadata blob of a record: POSIX attributes and user xattrs. Pure bytes <-> struct.
 *
 * Fields are tagged and present only when set; an unknown tag is kept. An empty blob is a key made
 * elsewhere: everything then comes from the mount's defaults and the key's version time.
 */
#ifndef FX_ATTR_H
#define FX_ATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define FX_XATTR_TOTAL_MAX ((size_t)64 * 1024) /* names and values of one file's user xattrs */

/* Seconds since 1970 of the times that 64 bits of nanoseconds hold: 1677-09-21 to 2262-04-11. */
#define FX_TIME_MIN_S INT64_C(-9223372036)
#define FX_TIME_MAX_S INT64_C(9223372036)

enum fx_attr_field {
	FX_ATTR_MODE = 1 << 0, /* type and permissions */
	FX_ATTR_UID = 1 << 1,
	FX_ATTR_GID = 1 << 2,
	FX_ATTR_ATIME = 1 << 3,
	FX_ATTR_MTIME = 1 << 4,
	FX_ATTR_CTIME = 1 << 5,
	FX_ATTR_INO = 1 << 6,
	FX_ATTR_RDEV = 1 << 7
};

struct fx_attr {
	unsigned int set; /* enum fx_attr_field */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct timespec atime, mtime, ctime;
	uint64_t ino;
	dev_t rdev;
	/* The xattr section: name NUL, u32 size, value, one after another. Points into the blob. */
	const uint8_t *xattrs;
	size_t xattrs_size;
	/* Fields of a newer version, kept as they are. Points into the blob. */
	const uint8_t *unknown;
	size_t unknown_size;
};

/* -EUCLEAN: not a blob of ours; *ret_attr is then empty. size 0 is an empty blob. */
int fx_attr_decode(const void *blob, size_t size, struct fx_attr *ret_attr);

/* The time that is stored for time: itself, or the bound it lies beyond (as s_time_max in Linux).
 */
struct timespec fx_time_clamp(struct timespec time);

/* Bytes fx_attr_encode() needs. */
size_t fx_attr_size(const struct fx_attr *attr);
size_t fx_attr_encode(const struct fx_attr *attr, void *blob);

/* A user xattr (full name, "user.x"). -ENODATA. */
int fx_xattr_get(const struct fx_attr *attr, const char *name, const void **ret_value,
		 size_t *ret_size);

/*
 * The xattr section with name set to value (value NULL: removed), into a new malloc(3)ed buffer.
 * -ENOSPC: more than FX_XATTR_TOTAL_MAX; -ENODATA: nothing to remove; -EEXIST / -ENODATA by flags
 * (XATTR_CREATE, XATTR_REPLACE); -ENOMEM.
 */
int fx_xattr_set(const struct fx_attr *attr, const char *name, const void *value, size_t size,
		 int flags, uint8_t **ret_xattrs, size_t *ret_size);

/* Names, each with its NUL, into list (may be NULL with capacity 0): bytes needed, or -ERANGE. */
long fx_xattr_list(const struct fx_attr *attr, char *list, size_t capacity);

#endif
