/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attr.c - the metadata blob: a version byte, then fields of tag (1 byte), size (LEB128), bytes.
 *
 * Numbers are little-endian with their leading zero bytes left out. Times are a zigzag count of
 * nanoseconds; ctime and atime that equal mtime have no bytes, so one that does not and is 0 has a
 * byte. The xattrs are one field: name NUL, u32 size, value, one after another. An unknown tag is
 * kept as it is.
 */
#include "attr.h"

#include "bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define BLOB_VERSION 1u
#define NS_PER_S     INT64_C(1000000000)

enum tag {
	TAG_MODE = 1,
	TAG_UID,
	TAG_GID,
	TAG_ATIME,
	TAG_MTIME,
	TAG_CTIME,
	TAG_INO,
	TAG_RDEV,
	TAG_XATTRS,
	TAG_LAST = TAG_XATTRS
};

/* ---- Bytes -------------------------------------------------------------------------------------
 */

static size_t size_size(size_t n)
{
	size_t bytes = 1;

	while (n >= 128) {
		n >>= 7;
		bytes++;
	}
	return bytes;
}

static uint8_t *put_size(uint8_t *at, size_t n)
{
	for (; n >= 128; n >>= 7)
		*at++ = (uint8_t)(n | 128);
	*at++ = (uint8_t)n;
	return at;
}

/* NULL: no size that fits. */
static const uint8_t *get_size(const uint8_t *at, const uint8_t *end, size_t *ret_size)
{
	size_t n = 0;

	for (unsigned int shift = 0; at < end && shift < 28; shift += 7) {
		uint8_t byte = *at++;

		n |= (size_t)(byte & 127) << shift;
		if (!(byte & 128)) {
			*ret_size = n;
			return n <= (size_t)(end - at) ? at : NULL;
		}
	}
	return NULL;
}

static size_t number_size(uint64_t v)
{
	size_t bytes = 0;

	for (; v; v >>= 8)
		bytes++;
	return bytes;
}

/* As n bytes. */
static uint8_t *put_number(uint8_t *at, uint8_t tag, uint64_t v, size_t n)
{
	*at++ = tag;
	at = put_size(at, n);
	for (size_t i = 0; i < n; i++, v >>= 8)
		*at++ = (uint8_t)v;
	return at;
}

static uint64_t get_number(const uint8_t *at, size_t size)
{
	uint64_t v = 0;

	for (size_t i = 0; i < size; i++)
		v |= (uint64_t)at[i] << 8 * i;
	return v;
}

struct timespec fx_time_clamp(struct timespec t)
{
	if (t.tv_sec >= FX_TIME_MAX_S)
		return (struct timespec){.tv_sec = FX_TIME_MAX_S};
	if (t.tv_sec < FX_TIME_MIN_S)
		return (struct timespec){.tv_sec = FX_TIME_MIN_S};
	return t;
}

static uint64_t pack_time(struct timespec time)
{
	struct timespec t = fx_time_clamp(time);
	int64_t ns = (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;

	return (uint64_t)ns << 1 ^ (ns < 0 ? UINT64_MAX : 0);
}

static struct timespec unpack_time(uint64_t v)
{
	int64_t ns = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
	struct timespec t = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};

	if (t.tv_nsec < 0) {
		t.tv_nsec += NS_PER_S;
		t.tv_sec--;
	}
	return t;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* ---- Fields ------------------------------------------------------------------------------------
 */

struct number {
	uint8_t tag;
	uint64_t value;
};

/* The fields that are set, in order; how many. */
static size_t collect(const struct fx_attr *a, struct number numbers[8])
{
	const struct {
		unsigned int field;
		uint8_t tag;
		uint64_t value;
	} all[8] = {
		{FX_ATTR_MODE, TAG_MODE, a->mode},
		{FX_ATTR_UID, TAG_UID, a->uid},
		{FX_ATTR_GID, TAG_GID, a->gid},
		{FX_ATTR_MTIME, TAG_MTIME, pack_time(a->mtime)},
		{FX_ATTR_ATIME, TAG_ATIME, pack_time(a->atime)},
		{FX_ATTR_CTIME, TAG_CTIME, pack_time(a->ctime)},
		{FX_ATTR_INO, TAG_INO, a->ino},
		{FX_ATTR_RDEV, TAG_RDEV, a->rdev},
	};
	size_t count = 0;

	for (size_t i = 0; i < 8; i++)
		if (a->set & all[i].field)
			numbers[count++] = (struct number){all[i].tag, all[i].value};
	return count;
}

/* atime or ctime that repeats mtime needs no bytes. mtime comes first. */
static bool repeats_mtime(const struct fx_attr *a, uint8_t tag)
{
	if (!(a->set & FX_ATTR_MTIME))
		return false;
	return (tag == TAG_ATIME && same_time(a->atime, a->mtime)) ||
	       (tag == TAG_CTIME && same_time(a->ctime, a->mtime));
}

/* Bytes of a field; a time of no bytes would say "as mtime". */
static size_t field_size(const struct fx_attr *a, const struct number *number)
{
	size_t n = number_size(number->value);

	if (repeats_mtime(a, number->tag))
		return 0;
	return !n && (number->tag == TAG_ATIME || number->tag == TAG_CTIME) ? 1 : n;
}

size_t fx_attr_size(const struct fx_attr *attr)
{
	struct number numbers[8];
	size_t count = collect(attr, numbers), size = 1;

	for (size_t i = 0; i < count; i++)
		size += 2 + field_size(attr, &numbers[i]);
	if (attr->xattrs_size)
		size += 1 + size_size(attr->xattrs_size) + attr->xattrs_size;
	return size + attr->unknown_size;
}

size_t fx_attr_encode(const struct fx_attr *attr, void *blob)
{
	struct number numbers[8];
	size_t count = collect(attr, numbers);
	uint8_t *at = blob;

	*at++ = BLOB_VERSION;
	for (size_t i = 0; i < count; i++)
		at = put_number(at, numbers[i].tag, numbers[i].value,
				field_size(attr, &numbers[i]));
	if (attr->xattrs_size) {
		*at++ = TAG_XATTRS;
		at = put_size(at, attr->xattrs_size);
		memcpy(at, attr->xattrs, attr->xattrs_size);
		at += attr->xattrs_size;
	}
	if (attr->unknown_size) {
		memcpy(at, attr->unknown, attr->unknown_size);
		at += attr->unknown_size;
	}
	return (size_t)(at - (uint8_t *)blob);
}

static void set_time(struct fx_attr *a, unsigned int field, struct timespec *time,
		     const uint8_t *at, size_t size)
{
	bool repeated = !size && field != FX_ATTR_MTIME && (a->set & FX_ATTR_MTIME);

	*time = repeated ? a->mtime : unpack_time(get_number(at, size));
	a->set |= field;
}

/* One field of at most 8 bytes. */
static void set_number(struct fx_attr *a, uint8_t tag, const uint8_t *at, size_t size)
{
	uint64_t v = get_number(at, size);

	switch (tag) {
	case TAG_MODE:
		a->mode = (mode_t)v;
		a->set |= FX_ATTR_MODE;
		break;
	case TAG_UID:
		a->uid = (uid_t)v;
		a->set |= FX_ATTR_UID;
		break;
	case TAG_GID:
		a->gid = (gid_t)v;
		a->set |= FX_ATTR_GID;
		break;
	case TAG_ATIME:
		set_time(a, FX_ATTR_ATIME, &a->atime, at, size);
		break;
	case TAG_MTIME:
		set_time(a, FX_ATTR_MTIME, &a->mtime, at, size);
		break;
	case TAG_CTIME:
		set_time(a, FX_ATTR_CTIME, &a->ctime, at, size);
		break;
	case TAG_INO:
		a->ino = v;
		a->set |= FX_ATTR_INO;
		break;
	case TAG_RDEV:
		a->rdev = v;
		a->set |= FX_ATTR_RDEV;
		break;
	}
}

/* Each: a name that is not empty, NUL, u32, so many bytes. */
static bool xattrs_are_valid(const uint8_t *at, size_t size)
{
	while (size) {
		const uint8_t *nul = memchr(at, '\0', size);
		size_t rest, n;

		if (!nul || nul == at)
			return false;
		rest = size - (size_t)(nul + 1 - at);
		if (rest < 4)
			return false;
		n = fx_get_u32(nul + 1);
		if (n > rest - 4)
			return false;
		at = nul + 5 + n;
		size = rest - 4 - n;
	}
	return true;
}

int fx_attr_decode(const void *blob, size_t size, struct fx_attr *ret_attr)
{
	const uint8_t *at = blob, *end = at + size;
	struct fx_attr a = {0};

	*ret_attr = a;
	if (!size)
		return 0;
	if (*at++ != BLOB_VERSION)
		return -EUCLEAN;
	while (at < end) {
		const uint8_t *field = at;
		uint8_t tag = *at++;
		size_t n;

		at = get_size(at, end, &n);
		if (!at || !tag || (tag < TAG_XATTRS && n > 8) ||
		    (tag == TAG_XATTRS && !xattrs_are_valid(at, n)))
			return -EUCLEAN;
		if (tag > TAG_LAST) { /* ours are written first: the rest is a newer version's */
			a.unknown = field;
			a.unknown_size = (size_t)(end - field);
			break;
		}
		if (tag == TAG_XATTRS) {
			a.xattrs = at;
			a.xattrs_size = n;
		} else {
			set_number(&a, tag, at, n);
		}
		at += n;
	}
	*ret_attr = a;
	return 0;
}

/* ---- User xattrs -------------------------------------------------------------------------------
 */

struct xattr {
	const char *name;
	const uint8_t *value;
	size_t size, entry_size;
};

/* The entry at *at, which is moved behind it. The section has been checked when it was decoded. */
static bool next_xattr(const uint8_t **at, const uint8_t *end, struct xattr *x)
{
	size_t name_size;

	if (*at >= end)
		return false;
	x->name = (const char *)*at;
	name_size = strlen(x->name) + 1;
	x->size = fx_get_u32(*at + name_size);
	x->value = *at + name_size + 4;
	x->entry_size = name_size + 4 + x->size;
	*at += x->entry_size;
	return true;
}

/* Without any there is nothing to add to. */
static const uint8_t *xattrs_end(const struct fx_attr *attr)
{
	return attr->xattrs_size ? attr->xattrs + attr->xattrs_size : attr->xattrs;
}

static bool find_xattr(const struct fx_attr *attr, const char *name, struct xattr *x)
{
	const uint8_t *at = attr->xattrs, *end = xattrs_end(attr);

	while (attr->xattrs_size && next_xattr(&at, end, x))
		if (strcmp(x->name, name) == 0)
			return true;
	return false;
}

int fx_xattr_get(const struct fx_attr *attr, const char *name, const void **ret_value,
		 size_t *ret_size)
{
	struct xattr x;

	if (!find_xattr(attr, name, &x))
		return -ENODATA;
	*ret_value = x.value;
	*ret_size = x.size;
	return 0;
}

static uint8_t *put_xattr(uint8_t *at, const char *name, const void *value, size_t size)
{
	size_t name_size = strlen(name) + 1;

	memcpy(at, name, name_size);
	fx_put_u32(at + name_size, (uint32_t)size);
	if (size)
		memcpy(at + name_size + 4, value, size);
	return at + name_size + 4 + size;
}

int fx_xattr_set(const struct fx_attr *attr, const char *name, const void *value, size_t size,
		 int flags, uint8_t **ret_xattrs, size_t *ret_size)
{
	struct xattr old = {0}, x;
	bool there = find_xattr(attr, name, &old);
	size_t added = value ? strlen(name) + 5 + size : 0;
	size_t total = attr->xattrs_size - (there ? old.entry_size : 0) + added;
	const uint8_t *from = attr->xattrs, *end = xattrs_end(attr);
	uint8_t *bytes, *at;

	if ((flags & XATTR_CREATE) && there)
		return -EEXIST;
	if ((!value || (flags & XATTR_REPLACE)) && !there)
		return -ENODATA;
	if (value && (size > FX_XATTR_TOTAL_MAX || total > FX_XATTR_TOTAL_MAX))
		return -ENOSPC;
	bytes = malloc(total + 1);
	if (!bytes)
		return -ENOMEM;
	at = bytes;
	while (attr->xattrs_size && next_xattr(&from, end, &x)) {
		if (strcmp(x.name, name) == 0)
			continue;
		at = put_xattr(at, x.name, x.value, x.size);
	}
	if (value)
		put_xattr(at, name, value, size);
	*ret_xattrs = bytes;
	*ret_size = total;
	return 0;
}

long fx_xattr_list(const struct fx_attr *attr, char *list, size_t capacity)
{
	const uint8_t *at = attr->xattrs, *end = xattrs_end(attr);
	size_t needed = 0;
	struct xattr x;

	while (attr->xattrs_size && next_xattr(&at, end, &x)) {
		size_t n = strlen(x.name) + 1;

		if (capacity && needed + n > capacity)
			return -ERANGE;
		if (capacity)
			memcpy(list + needed, x.name, n);
		needed += n;
	}
	return (long)needed;
}
