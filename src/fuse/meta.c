/* SPDX-License-Identifier: Apache-2.0 */
/* meta.c - see meta.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "hash.h"
#include "meta.h"

#define FX_BLOCK_SIZE 65536 /* st_blksize: stdio writes in such pieces, each a request */

static void meta_decode(struct fx_meta *meta, const uint8_t *blob)
{
	if (fx_attr_decode(blob, meta->stat.metadata_size, &meta->attr) < 0)
		memset(&meta->attr, 0, sizeof(meta->attr));
}

/* The blob is larger than small; it may grow again until it is copied. */
static int meta_load_large(struct feox_store *store, const void *key, size_t key_size,
			   struct fx_meta *meta)
{
	size_t capacity;
	int rc;

	do {
		capacity = meta->stat.metadata_size;
		free(FX_STEAL(meta->blob));
		meta->blob = malloc(capacity);
		if (!meta->blob)
			return -ENOMEM;
		rc = feox_stat(store, key, key_size, meta->blob, capacity, &meta->stat);
	} while (rc == 0 && meta->stat.metadata_size > capacity);
	return rc;
}

int fx_meta_load(struct feox_store *store, const void *key, size_t key_size,
		 struct fx_meta *ret_meta)
{
	int rc;

	ret_meta->blob = NULL;
	rc = feox_stat(store, key, key_size, ret_meta->small, sizeof(ret_meta->small),
		       &ret_meta->stat);
	if (rc == 0 && ret_meta->stat.metadata_size > sizeof(ret_meta->small))
		rc = meta_load_large(store, key, key_size, ret_meta);
	if (rc < 0) {
		fx_meta_clear(ret_meta);
		memset(&ret_meta->stat, 0, sizeof(ret_meta->stat));
		memset(&ret_meta->attr, 0, sizeof(ret_meta->attr));
		return rc;
	}
	meta_decode(ret_meta, ret_meta->blob ? ret_meta->blob : ret_meta->small);
	return 0;
}

int fx_meta_from_blob(const void *blob, size_t size, struct fx_meta *ret_meta)
{
	uint8_t *copy = ret_meta->small;

	ret_meta->blob = NULL;
	memset(&ret_meta->stat, 0, sizeof(ret_meta->stat));
	memset(&ret_meta->attr, 0, sizeof(ret_meta->attr));
	if (size > sizeof(ret_meta->small)) {
		copy = ret_meta->blob = malloc(size);
		if (!copy)
			return -ENOMEM;
	}
	if (size)
		memcpy(copy, blob, size);
	ret_meta->stat.metadata_size = size;
	meta_decode(ret_meta, copy);
	return 0;
}

void fx_meta_clear(struct fx_meta *meta)
{
	free(FX_STEAL(meta->blob));
}

int fx_blob_make(const struct fx_attr *attr, struct fx_blob *ret_blob)
{
	size_t size = fx_attr_size(attr);

	ret_blob->data = size > sizeof(ret_blob->small) ? malloc(size) : ret_blob->small;
	if (!ret_blob->data)
		return -ENOMEM;
	ret_blob->size = fx_attr_encode(attr, ret_blob->data);
	return 0;
}

void fx_blob_clear(struct fx_blob *blob)
{
	if (blob->data != blob->small)
		free(blob->data);
	blob->data = NULL;
}

uint64_t fx_ino_hash(const void *key, size_t key_size, bool directory)
{
	/* The seed keeps directory D/ and the file D/%=, which share a key, apart. */
	return fx_hash_key(directory ? 1 : 2, key, key_size) | FX_INO_HASHED;
}

mode_t fx_default_mode(const struct fx_fs *fs, bool directory)
{
	if (directory)
		return S_IFDIR | (0777 & ~fs->options->dmask);
	return S_IFREG | (0666 & ~fs->options->fmask);
}

struct timespec fx_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now;
}

/* Versions of keys made elsewhere are the nanoseconds of their writing. */
static struct timespec version_time(uint64_t version)
{
	return (struct timespec){.tv_sec = (time_t)(version / 1000000000u),
				 .tv_nsec = (long)(version % 1000000000u)};
}

static mode_t meta_mode(const struct fx_fs *fs, const struct fx_attr *attr, bool directory)
{
	mode_t type;

	if (!(attr->set & FX_ATTR_MODE))
		return fx_default_mode(fs, directory);
	type = attr->mode & S_IFMT;
	if (directory)
		type = S_IFDIR;
	else if (type == S_IFDIR || !type)
		type = S_IFREG;
	return type | (attr->mode & 07777);
}

void fx_meta_stat(const struct fx_fs *fs, const struct fx_attr *attr, uint64_t version,
		  uint64_t size, uint64_t ino, bool directory, struct stat *ret_stat)
{
	struct timespec made = version_time(version);
	struct stat st = {0};

	st.st_ino = attr->set & FX_ATTR_INO ? attr->ino : ino;
	st.st_mode = meta_mode(fs, attr, directory);
	st.st_nlink = 1;
	st.st_uid = attr->set & FX_ATTR_UID ? attr->uid : fs->options->uid;
	st.st_gid = attr->set & FX_ATTR_GID ? attr->gid : fs->options->gid;
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		st.st_rdev = attr->rdev;
	st.st_size = directory ? 0 : (off_t)size;
	st.st_blksize = FX_BLOCK_SIZE;
	st.st_blocks = (st.st_size + 511) / 512;
	st.st_mtim = attr->set & FX_ATTR_MTIME ? attr->mtime : made;
	st.st_ctim = attr->set & FX_ATTR_CTIME ? attr->ctime : made;
	st.st_atim = attr->set & FX_ATTR_ATIME ? attr->atime : st.st_mtim;
	*ret_stat = st;
}

void fx_attr_set_times(struct fx_attr *attr, struct timespec mtime, struct timespec ctime)
{
	attr->mtime = mtime;
	attr->ctime = ctime;
	attr->set |= FX_ATTR_MTIME | FX_ATTR_CTIME;
}

void fx_attr_init(const struct fx_fs *fs, struct fx_attr *attr, mode_t mode, uid_t uid, gid_t gid)
{
	struct timespec now = fx_now();

	memset(attr, 0, sizeof(*attr));
	if (mode != fx_default_mode(fs, S_ISDIR(mode))) {
		attr->mode = mode;
		attr->set |= FX_ATTR_MODE;
	}
	if (uid != fs->options->uid) {
		attr->uid = uid;
		attr->set |= FX_ATTR_UID;
	}
	if (gid != fs->options->gid) {
		attr->gid = gid;
		attr->set |= FX_ATTR_GID;
	}
	attr->atime = now;
	attr->set |= FX_ATTR_ATIME;
	fx_attr_set_times(attr, now, now);
}
