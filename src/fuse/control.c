/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.c - /.feox: stats for people and programs, and the options in force.
 *
 * A file's text is made when it is opened and belongs to the handle: reads of one handle agree with
 * each other. Nothing here is cached by the kernel (DIRECT_IO, timeouts 0).
 */
#include "control.h"
#include "meta.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct file {
	const char *name;
	mode_t mode;
	char *(*make)(struct fx_fs *fs); /* malloc(3)ed text, NULL: out of memory */
};

struct fx_control {
	struct timespec started;
};

struct field {
	const char *name;
	size_t offset;
};

#define STAT(name)                                                                                 \
	{                                                                                          \
#name, offsetof(struct feox_stats, name)                                           \
	}

static const struct field fields[] = {
	STAT(keys),	      STAT(gets),
	STAT(misses),	      STAT(puts),
	STAT(deletes),	      STAT(touches),
	STAT(renames),	      STAT(batches),
	STAT(expiries),	      STAT(iterations),
	STAT(items),	      STAT(syncs),
	STAT(memory_bytes),   STAT(memory_limit_bytes),
	STAT(device_bytes),   STAT(free_bytes),
	STAT(max_bytes),      STAT(extents),
	STAT(commits),	      STAT(written_bytes),
	STAT(read_bytes),     STAT(grow_count),
	STAT(queued_records), STAT(queued_bytes),
	STAT(flush_ns_last),  STAT(flush_ns_max),
	STAT(recovered_keys), STAT(recovery_ns),
};

#define FIELDS (sizeof(fields) / sizeof(*fields))

static uint64_t value_of(const struct feox_stats *stats, size_t i)
{
	uint64_t value;

	memcpy(&value, (const char *)stats + fields[i].offset, sizeof(value));
	return value;
}

static char *make_stats(struct fx_fs *fs)
{
	struct feox_stats stats;
	char *text = NULL;
	size_t size;
	FILE *out;

	if (feox_stats(fs->store, &stats) || !(out = open_memstream(&text, &size)))
		return NULL;
	for (size_t i = 0; i < FIELDS; i++)
		fprintf(out, "%-20s %" PRIu64 "\n", fields[i].name, value_of(&stats, i));
	fprintf(out, "%-20s %s\n", "state",
		stats.failed	  ? "failed: read-only since the device failed"
		: stats.read_only ? "read-only"
				  : "read-write");
	fclose(out);
	return text;
}

/* Dump and drop object, with a newline at the end. */
static char *dump(json_t *object)
{
	char *json = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
	char *text = NULL;

	json_decref(object);
	if (json && asprintf(&text, "%s\n", json) < 0)
		text = NULL;
	free(json);
	return text;
}

static char *make_stats_json(struct fx_fs *fs)
{
	struct feox_stats stats;
	json_t *object = json_object();

	if (feox_stats(fs->store, &stats)) {
		json_decref(object);
		return NULL;
	}
	for (size_t i = 0; i < FIELDS; i++)
		json_object_set_new(object, fields[i].name,
				    json_integer((json_int_t)value_of(&stats, i)));
	json_object_set_new(object, "read_only", json_boolean(stats.read_only));
	json_object_set_new(object, "failed", json_boolean(stats.failed));
	return dump(object);
}

static void set_number(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, json_integer((json_int_t)value));
}

/* Text that is not UTF-8, which JSON cannot hold, goes as NAME_hex. */
static void set_text(json_t *object, const char *name, const char *text)
{
	size_t size = strlen(text);
	char *hex_name = NULL, *hex;

	if (!json_object_set_new(object, name, json_string(text)))
		return;
	hex = calloc(2, size + 1);
	for (size_t i = 0; hex && i < size; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned int)(unsigned char)text[i]);
	if (hex && asprintf(&hex_name, "%s_hex", name) > 0)
		json_object_set_new(object, hex_name, json_string(hex));
	free(hex_name);
	free(hex);
}

/* null: no limit, which none stands for. */
static void set_limit(json_t *object, const char *name, uint64_t value, uint64_t none)
{
	if (value == none)
		json_object_set_new(object, name, json_null());
	else
		set_number(object, name, value);
}

/* As the option takes it. */
static void set_mask(json_t *object, const char *name, mode_t mask)
{
	char text[16];

	snprintf(text, sizeof(text), "%03o", (unsigned int)mask);
	set_text(object, name, text);
}

static void set_engine_options(json_t *object, const struct fx_fs *fs)
{
	struct feox_options o;
	char separator[2] = "";

	feox_effective_options(fs->store, &o);
	separator[0] = o.separator;
	set_text(object, "separator", separator);
	set_number(object, "memory", o.memory_limit_bytes);
	set_text(object, "evict", "none");
	set_number(object, "size", o.initial_size_bytes);
	set_number(object, "grow_max", o.grow_max_bytes);
	set_limit(object, "max_size", o.max_size_bytes, 0);
	set_number(object, "max_value", o.max_value_bytes);
	set_number(object, "flush_interval_ns", o.flush_interval_ns);
	set_text(object, "store_io",
		 !strcmp(fs->options->store, ":memory:") ? "memory"
		 : o.flags & FEOX_OPEN_NO_URING		 ? "pread"
							 : "io_uring");
}

static void set_mount_options(json_t *object, const struct fx_options *o)
{
	set_text(object, "prefix", o->prefix);
	json_object_set_new(object, "read_only", json_boolean(o->read_only));
	json_object_set_new(object, "sync", json_boolean(o->sync));
	json_object_set_new(object, "allow_other", json_boolean(o->allow_other));
	set_number(object, "uid", o->uid);
	set_number(object, "gid", o->gid);
	set_mask(object, "umask", o->umask);
	set_mask(object, "fmask", o->fmask);
	set_mask(object, "dmask", o->dmask);
	set_number(object, "rename_max", o->rename_max);
	set_number(object, "publish_interval_ns", o->publish_interval_ns);
	set_limit(object, "cache_ns", o->cache_ns, UINT64_MAX);
	set_text(object, "fsname", o->fsname);
	set_text(object, "subtype", o->subtype);
	set_text(object, "kernel", o->kernel ? o->kernel : "");
	set_text(object, "uring", "off");
}

static char *make_config(struct fx_fs *fs)
{
	json_t *object = json_object();

	set_text(object, "version", feox_version());
	set_text(object, "store", fs->options->store);
	set_text(object, "mountpoint", fs->options->mountpoint);
	set_engine_options(object, fs);
	set_mount_options(object, fs->options);
	return dump(object);
}

static const struct file files[] = {
	{"stats", 0444, make_stats},
	{"stats.json", 0444, make_stats_json},
	{"config.json", 0600, make_config},
};

#define FILES	   (sizeof(files) / sizeof(*files))
#define INO(index) (FX_INO_CONTROL + 1 + (index))

/* As st_ino: keys count from 1 up, and hashes have the top bit set. */
#define STAT_INO(ino) (FX_INO_HASHED - 1 - (ino))

static const struct file *file_of(fuse_ino_t ino)
{
	return ino > FX_INO_CONTROL && ino < INO(FILES) ? &files[ino - FX_INO_CONTROL - 1] : NULL;
}

int fx_control_create(struct fx_fs *fs, struct fx_control **ret_control)
{
	struct fx_control *control = calloc(1, sizeof(*control));

	if (!control)
		return -ENOMEM;
	clock_gettime(CLOCK_REALTIME, &control->started);
	*ret_control = control;
	return 0;
}

void fx_control_destroy(struct fx_control *control)
{
	free(control);
}

/* ---- Handlers ----------------------------------------------------------------------------------
 */

static void fill_stat(struct fx_fs *fs, fuse_ino_t ino, struct stat *st)
{
	const struct file *file = file_of(ino);

	*st = (struct stat){
		.st_ino = STAT_INO(ino),
		.st_mode = file ? S_IFREG | file->mode : S_IFDIR | 0555,
		.st_nlink = file ? 1 : 2,
		.st_uid = fs->options->uid,
		.st_gid = fs->options->gid,
		.st_blksize = 4096,
		.st_atim = fs->control->started,
		.st_mtim = fs->control->started,
		.st_ctim = fs->control->started,
	};
}

static void reply_entry(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino)
{
	struct fuse_entry_param entry = {.ino = ino, .generation = 1};

	fill_stat(fs, ino, &entry.attr);
	fuse_reply_entry(req, &entry);
}

void fx_control_lookup_root(struct fx_fs *fs, fuse_req_t req)
{
	reply_entry(fs, req, FX_INO_CONTROL);
}

void fx_control_lookup(struct fx_fs *fs, fuse_req_t req, const char *name)
{
	for (size_t i = 0; i < FILES; i++)
		if (!strcmp(files[i].name, name)) {
			reply_entry(fs, req, INO(i));
			return;
		}
	fuse_reply_err(req, ENOENT);
}

void fx_control_getattr(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino)
{
	struct stat st;

	fill_stat(fs, ino, &st);
	fuse_reply_attr(req, &st, 0);
}

void fx_control_open(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct file *file = file_of(ino);
	char *text;

	if (!file || (fi->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, file ? EACCES : EISDIR);
		return;
	}
	text = file->make(fs);
	if (!text) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)text;
	fi->direct_io = 1;
	fi->noflush = 1;
	if (fuse_reply_open(req, fi) == -ENOENT)
		free(text); /* the caller was interrupted: there is no handle */
}

void fx_control_read(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		     struct fuse_file_info *fi)
{
	const char *text = (const char *)(uintptr_t)fi->fh;
	size_t length = strlen(text);

	if ((uint64_t)offset >= length)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, text + offset,
			       length - (size_t)offset < size ? length - (size_t)offset : size);
}

void fx_control_release(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	free((char *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

void fx_control_readdir(struct fx_fs *fs, fuse_req_t req, size_t size, off_t offset, bool plus)
{
	char *buffer = malloc(size);
	size_t used = 0;

	if (!buffer) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	for (size_t i = (size_t)offset; i < FILES + 2; i++) {
		const char *name = i == 0 ? "." : i == 1 ? ".." : files[i - 2].name;
		fuse_ino_t ino = i == 0 ? FX_INO_CONTROL : i == 1 ? FUSE_ROOT_ID : INO(i - 2);
		struct fuse_entry_param entry = {.ino = 0}; /* not a lookup */
		size_t n;

		fill_stat(fs, i == 1 ? FX_INO_CONTROL : ino, &entry.attr);
		n = plus ? fuse_add_direntry_plus(req, buffer + used, size - used, name, &entry,
						  (off_t)i + 1)
			 : fuse_add_direntry(req, buffer + used, size - used, name, &entry.attr,
					     (off_t)i + 1);
		if (n > size - used)
			break;
		used += n;
	}
	fuse_reply_buf(req, buffer, used);
	free(buffer);
}
