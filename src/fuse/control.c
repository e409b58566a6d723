/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.c - /.feox: the directory, and the files that are texts.
 *
 * A file's text is made when it is opened and belongs to the handle: reads of one handle agree with
 * each other. Nothing here is cached by the kernel (DIRECT_IO, timeouts 0).
 */
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "control_file.h"
#include "events.h"
#include "meta.h"

struct fx_control {
	struct timespec started;
};

static const struct fx_control_file files[] = {
	{.name = "stats", .mode = 0444, .make = fx_control_stats},
	{.name = "stats.json", .mode = 0444, .make = fx_control_stats_json},
	{.name = "metrics", .mode = 0444, .make = fx_control_metrics},
	{.name = "config.json", .mode = 0600, .make = fx_control_config},
	{.name = "ctl",
	 .mode = 0600,
	 .open = fx_ctl_open,
	 .read = fx_ctl_read,
	 .write = fx_ctl_write,
	 .release = fx_ctl_release},
	{.name = "events",
	 .mode = 0400,
	 .open = fx_events_open,
	 .read = fx_events_read,
	 .release = fx_events_release,
	 .poll = fx_events_poll},
};

#define FILES	   (sizeof(files) / sizeof(*files))
#define INO(index) (FX_INO_CONTROL + 1 + (index))

/* As st_ino: keys count from 1 up, and hashes have the top bit set. */
#define STAT_INO(ino) (FX_INO_HASHED - 1 - (ino))

static const struct fx_control_file *file_of(fuse_ino_t ino)
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
	const struct fx_control_file *file = file_of(ino);

	*st = (struct stat){
		.st_ino = STAT_INO(ino),
		.st_mode = file			  ? S_IFREG | file->mode
			   : ino == FX_INO_RANGES ? S_IFDIR | 0500
						  : S_IFDIR | 0555,
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

void fx_control_lookup(struct fx_fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (parent != FX_INO_CONTROL) {
		fx_range_lookup(fs, req, parent, name);
		return;
	}
	if (!strcmp(name, "range")) {
		reply_entry(fs, req, FX_INO_RANGES);
		return;
	}
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

	if (fx_range_is(ino)) {
		fx_range_getattr(fs, req, ino);
		return;
	}
	fill_stat(fs, ino, &st);
	fuse_reply_attr(req, &st, 0);
}

static void open_text(struct fx_fs *fs, fuse_req_t req, const struct fx_control_file *file,
		      struct fuse_file_info *fi)
{
	char *text;

	if ((fi->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, EACCES);
		return;
	}
	text = file->make(fs);
	if (!text) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)text;
	if (fuse_reply_open(req, fi) == -ENOENT)
		free(text); /* the caller was interrupted: there is no handle */
}

void fx_control_open(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct fx_control_file *file = file_of(ino);

	fi->direct_io = 1;
	fi->noflush = 1;
	if (fx_range_is(ino))
		fx_range_open(fs, req, ino, fi);
	else if (!file)
		fuse_reply_err(req, EISDIR);
	else if (file->open)
		file->open(fs, req, fi);
	else
		open_text(fs, req, file, fi);
}

static void read_text(fuse_req_t req, const char *text, size_t size, off_t offset)
{
	size_t length = strlen(text);

	if ((uint64_t)offset >= length)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, text + offset,
			       length - (size_t)offset < size ? length - (size_t)offset : size);
}

void fx_control_read(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		     struct fuse_file_info *fi)
{
	const struct fx_control_file *file = file_of(ino);

	if (fx_range_is(ino))
		fx_range_read(req, size, offset, fi);
	else if (file->read)
		file->read(fs, req, size, fi);
	else
		read_text(req, (const char *)(uintptr_t)fi->fh, size, offset);
}

void fx_control_write(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, const char *data,
		      size_t size, struct fuse_file_info *fi)
{
	const struct fx_control_file *file = file_of(ino);

	if (file && file->write)
		file->write(fs, req, data, size, fi);
	else
		fuse_reply_err(req, EPERM);
}

void fx_control_release(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct fx_control_file *file = file_of(ino);

	if (fx_range_is(ino)) {
		fx_range_release(fs, req, fi);
		return;
	}
	if (file->release)
		file->release(fs, fi);
	else
		free((char *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

void fx_control_poll(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		     struct fuse_pollhandle *handle)
{
	const struct fx_control_file *file = file_of(ino);

	if (file && file->poll) {
		file->poll(fs, req, fi, handle);
		return;
	}
	if (handle)
		fuse_pollhandle_destroy(handle);
	fuse_reply_poll(req, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
}

/* ---- Directories ----------------------------------------------------------------------------- */

void fx_control_opendir(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (fx_range_is(ino))
		fx_range_opendir(fs, req, ino, fi);
	else
		fuse_reply_open(req, fi);
}

void fx_control_releasedir(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino,
			   struct fuse_file_info *fi)
{
	if (fx_range_is(ino))
		fx_range_release(fs, req, fi);
	else
		fuse_reply_err(req, 0);
}

/* The name of a directory's entry number i, NULL: none. Ranges are not listed: they are endless. */
static const char *entry_of(fuse_ino_t directory, size_t i, fuse_ino_t *ret_ino)
{
	*ret_ino = FX_INO_CONTROL;
	if (i < 2)
		return i == 0 ? "." : "..";
	if (directory == FX_INO_RANGES || i - 2 > FILES)
		return NULL;
	*ret_ino = i - 2 < FILES ? INO(i - 2) : FX_INO_RANGES;
	return i - 2 < FILES ? files[i - 2].name : "range";
}

void fx_control_readdir(struct fx_fs *fs, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
			struct fuse_file_info *fi, bool plus)
{
	const char *name;
	size_t used = 0;
	fuse_ino_t child;
	char *buffer;

	if (fx_range_is(ino)) {
		fx_range_readdir(fs, req, size, offset, fi, plus);
		return;
	}
	buffer = malloc(size);
	if (!buffer) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	for (size_t i = (size_t)offset; (name = entry_of(ino, i, &child)); i++) {
		struct fuse_entry_param entry = {.ino = 0}; /* not a lookup */
		size_t n;

		fill_stat(fs, child, &entry.attr);
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
