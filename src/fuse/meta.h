/* SPDX-License-Identifier: Apache-2.0 */
/* meta.h - a record's attributes: from the engine, as a blob, as struct stat. */
#ifndef FX_META_H
#define FX_META_H

#include "attr.h"
#include "fs.h"

#define FX_META_SMALL ((size_t)512) /* blobs without many xattrs need no malloc(3) */

/* Size, version, expiry and attributes of one record. Not to be copied: attr points into it. */
struct fx_meta {
	struct feox_stat stat;
	struct fx_attr attr;
	uint8_t *blob; /* malloc(3)ed, or NULL: small */
	uint8_t small[FX_META_SMALL];
};

/* Read them. -ENOENT. A blob that is not ours counts as empty: one odd key must not break ls. */
int fx_meta_load(struct feox_store *store, const void *key, size_t key_size,
		 struct fx_meta *ret_meta);
/* The same from a blob that lies in memory, which is copied. */
int fx_meta_from_blob(const void *blob, size_t size, struct fx_meta *ret_meta);
void fx_meta_clear(struct fx_meta *meta);
#define FX_AUTO_META __attribute__((cleanup(fx_meta_clear)))

/* attr as bytes. Not to be copied. */
struct fx_blob {
	uint8_t *data;
	size_t size;
	uint8_t small[FX_META_SMALL];
};
int fx_blob_make(const struct fx_attr *attr, struct fx_blob *ret_blob);
void fx_blob_clear(struct fx_blob *blob);
#define FX_AUTO_BLOB __attribute__((cleanup(fx_blob_clear)))

/* A number for a key that has none of its own: a hash with the top bit set. */
#define FX_INO_HASHED ((uint64_t)1 << 63)
uint64_t fx_ino_hash(const void *key, size_t key_size, bool directory);

/* What a mount's default mode would be, with its type. */
mode_t fx_default_mode(const struct fx_fs *fs, bool directory);

/*
 * struct stat of a record: what attr lacks comes from the mount's defaults, times from version
 * (0: the epoch). st_nlink is 1.
 */
void fx_meta_stat(const struct fx_fs *fs, const struct fx_attr *attr, uint64_t version,
		  uint64_t size, uint64_t ino, bool directory, struct stat *ret_stat);

/* Mode and owner of something new, stored where they differ from the defaults; all times now. */
void fx_attr_init(const struct fx_fs *fs, struct fx_attr *attr, mode_t mode, uid_t uid, gid_t gid);

void fx_attr_set_times(struct fx_attr *attr, struct timespec mtime, struct timespec ctime);

struct timespec fx_now(void); /* CLOCK_REALTIME */

static inline bool fx_time_after(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

#endif
