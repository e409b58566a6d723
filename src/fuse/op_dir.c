/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_dir.c - directories: opened, listed, made durable.
 *
 * "." and ".." have the cookies 1 and 2, every other entry that of the place behind it
 * (bookmarks.h). A request goes on where the last answer ended, or returns to the bookmark of
 * another place, or looks for it from the beginning when there is none.
 *
 * A handle is small between requests, since anybody may hold many: the scan itself lives while
 * there is something to be answered.
 */
#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>

#include "bookmarks.h"
#include "cleanup.h"
#include "control.h"
#include "entry.h"
#include "later.h"
#include "op.h"
#include "scan.h"

#define FX_INO_UNKNOWN ((uint64_t)UINT32_MAX) /* as libfuse says it; readdir(3) drops a 0 */

struct item {
	uint64_t ino;
	mode_t type;
	off_t cookie;
	char name[]; /* NUL-terminated */
};

struct directory {
	pthread_mutex_t mutex; /* guards all */
	struct fx_bookmarks bookmarks;
	struct fx_bookmarks here; /* where the scan stands: one bookmark, FX_HERE */
	struct item *next;	  /* given by the scan, but did not fit the last answer */
	off_t before;		  /* the cookie of the place before next, or of the scan's */
	bool ended;		  /* the scan is through */
};

#define FX_HERE	   ((off_t)0)
#define FX_NOWHERE ((off_t)-1) /* before, when here could not be remembered */

/* What is there while a request is answered. */
struct listing {
	struct directory *dir;
	struct fx_scan scan;
};

/* ---- OPENDIR, RELEASEDIR --------------------------------------------------------------------- */

static struct directory *directory_of(const struct fuse_file_info *fi)
{
	return (struct directory *)(uintptr_t)fi->fh;
}

static struct directory *directory_new(struct fx_fs *fs)
{
	struct directory *dir = calloc(1, sizeof(*dir));

	if (!dir)
		return NULL;
	pthread_mutex_init(&dir->mutex, NULL);
	fx_bookmarks_init(&dir->bookmarks, &fs->bookmarks_bytes);
	fx_bookmarks_init(&dir->here, NULL);
	dir->before = FX_NOWHERE;
	return dir;
}

static void directory_free(struct directory *dir)
{
	if (!dir)
		return;
	free(dir->next);
	fx_bookmarks_clear(&dir->bookmarks);
	fx_bookmarks_clear(&dir->here);
	pthread_mutex_destroy(&dir->mutex);
	free(dir);
}

void fx_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct directory *dir;

	if (fx_control_is(ino)) {
		fx_control_opendir(fuse_req_userdata(req), req, ino, fi);
		return;
	}
	dir = directory_new(fuse_req_userdata(req));
	if (!dir) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)dir;
	if (fuse_reply_open(req, fi) < 0)
		directory_free(dir);
}

void fx_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (fx_control_is(ino)) {
		fx_control_releasedir(fuse_req_userdata(req), req, ino, fi);
		return;
	}
	directory_free(directory_of(fi));
	fuse_reply_err(req, 0);
}

/* ---- READDIR --------------------------------------------------------------------------------- */

/* The next entry of the scan, as dir->next. 1, 0 at the end. */
static int scan_item(struct listing *listing)
{
	struct directory *dir = listing->dir;
	struct fx_scan_entry entry;
	int rc = fx_scan_next(&listing->scan, &entry);
	struct item *item;

	if (rc <= 0) {
		dir->ended = rc == 0;
		return rc;
	}
	item = malloc(sizeof(*item) + entry.name.size + 1);
	if (!item) {
		dir->before = FX_NOWHERE; /* the scan has passed the entry */
		return -ENOMEM;
	}
	item->ino = entry.ino;
	item->type = entry.type;
	item->cookie = fx_scan_cookie(&listing->scan);
	memcpy(item->name, entry.name.text, entry.name.size + 1);
	dir->next = item;
	fx_bookmarks_add(&dir->bookmarks, &listing->scan, item->cookie); /* if there is room */
	return 1;
}

/* It is given. */
static void drop_next(struct directory *dir)
{
	dir->before = dir->next->cookie;
	free(FX_STEAL(dir->next));
}

/* ---- Places ---------------------------------------------------------------------------------- */

/* Set the scan, which has not begun, to that place. 1: it is to be looked for, 0, or an error. */
static int go_to(struct listing *listing, off_t cookie, bool rewinds)
{
	struct directory *dir = listing->dir;
	int rc;

	if (!rewinds && dir->before == cookie)
		return fx_bookmarks_return(&dir->here, &listing->scan, FX_HERE);
	free(FX_STEAL(dir->next));
	dir->ended = false;
	rc = cookie == FX_COOKIE_START
		     ? -ENOENT
		     : fx_bookmarks_return(&dir->bookmarks, &listing->scan, cookie);
	dir->before = rc == 0 ? cookie : FX_COOKIE_START;
	if (rc < 0)
		fx_bookmarks_rewind(&dir->bookmarks, &listing->scan);
	return rc == -ENOENT ? cookie != FX_COOKIE_START : rc;
}

/* From the beginning. -ENOENT: the entry before the place is gone. */
static int look_for(struct listing *listing, off_t cookie)
{
	struct directory *dir = listing->dir;

	while (dir->before != cookie) {
		int rc = dir->ended ? 0 : scan_item(listing);

		if (rc <= 0)
			return rc < 0 ? rc : -ENOENT;
		drop_next(dir);
	}
	return 0;
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* What the kernel is told of an item; with plus, a lookup as well, when that does not wait. */
static void describe(struct fx_call *call, const struct item *item, bool plus,
		     struct fuse_entry_param *entry)
{
	struct fx_node *node;
	FX_AUTO_FOUND struct fx_found found;
	int rc;

	fx_found_init(&found);
	*entry = (struct fuse_entry_param){.attr = {.st_ino = item->ino, .st_mode = item->type}};
	if (!plus || fx_resolve(call->fs, call->node, item->name, call->nowait, &found) < 0 ||
	    found.what == FX_ABSENT || found.kind == FX_NAME_CONTROL)
		return;
	rc = fx_entry_node(call, call->node, item->name, &found, false, &node);
	if (rc < 0)
		return;
	fx_entry_fill(call, node, &found, entry);
	fx_node_unref(call->fs, node);
}

/* Append one entry; false: it does not fit. */
static bool add_entry(struct fx_call *call, bool plus, const char *name,
		      const struct fuse_entry_param *entry, off_t cookie)
{
	char *at = (char *)call->buffer + call->buffer_size;
	size_t left = call->size - call->buffer_size, size;

	size = plus ? fuse_add_direntry_plus(call->req, at, left, name, entry, cookie)
		    : fuse_add_direntry(call->req, at, left, name, &entry->attr, cookie);
	if (size > left)
		return false;
	call->buffer_size += size;
	return true;
}

static uint64_t ino_hint(const struct fx_node *node)
{
	uint64_t ino = atomic_load_explicit(&node->ino, memory_order_relaxed);

	return ino ? ino : FX_INO_UNKNOWN;
}

/* "." and "..", which nobody looks up. */
static void add_dots(struct fx_call *call, bool plus)
{
	const struct fx_node *node = call->node, *parent = node->parent ? node->parent : node;
	struct fuse_entry_param entry = {.attr.st_mode = S_IFDIR};

	entry.attr.st_ino = ino_hint(node);
	if (call->offset < 1)
		add_entry(call, plus, ".", &entry, 1);
	entry.attr.st_ino = ino_hint(parent);
	if (call->offset < 2)
		add_entry(call, plus, "..", &entry, 2);
}

static bool entry_fits(const struct fx_call *call, const struct item *item, bool plus)
{
	size_t left = call->size - call->buffer_size, size;

	size = plus ? fuse_add_direntry_plus(call->req, NULL, 0, item->name, NULL, 0)
		    : fuse_add_direntry(call->req, NULL, 0, item->name, NULL, 0);
	return size <= left;
}

static int add_items(struct fx_call *call, struct listing *listing, bool plus)
{
	struct directory *dir = listing->dir;
	int rc = 1;

	while (!dir->ended) {
		struct fuse_entry_param entry;

		if (!dir->next)
			rc = scan_item(listing);
		if (rc <= 0)
			return rc;
		if (!entry_fits(call, dir->next, plus))
			return 0;
		describe(call, dir->next, plus, &entry);
		add_entry(call, plus, dir->next->name, &entry, dir->next->cookie);
		drop_next(dir);
	}
	return 0;
}

static int list(struct fx_call *call, struct listing *listing, bool plus)
{
	off_t cookie = FX_MAX(call->offset, FX_COOKIE_START);
	int far = go_to(listing, cookie, call->offset == 0), rc;

	if (far < 0) {
		listing->dir->before = FX_NOWHERE;
		return far;
	}
	rc = fx_scan_begin(call->fs, &listing->scan, call->node, call->nowait);
	if (rc == -ESTALE)
		return 0; /* removed: it lists nothing */
	if (rc < 0)
		return rc;
	add_dots(call, plus);
	if (far)
		rc = look_for(listing, cookie);
	if (rc == 0)
		rc = add_items(call, listing, plus);
	fx_scan_end(&listing->scan);
	/* What is there already is an answer; a failure shows with the next request. */
	return call->buffer_size ? 0 : rc;
}

/* With a scan of its own, whose place is kept. */
static int list_on(struct fx_call *call, struct directory *dir)
{
	struct listing *listing = malloc(sizeof(*listing));
	int rc;

	if (!listing)
		return -ENOMEM;
	listing->dir = dir;
	fx_scan_init(&listing->scan);
	rc = list(call, listing, call->flags);
	if (fx_bookmarks_replace(&dir->here, &listing->scan, FX_HERE) < 0)
		dir->before = FX_NOWHERE;
	fx_scan_clear(&listing->scan);
	free(listing);
	return rc;
}

static int readdir_work(struct fx_call *call)
{
	struct directory *dir = call->handle;
	int rc;

	if (!call->buffer)
		call->buffer = malloc(call->size);
	if (!call->buffer)
		return -ENOMEM;
	call->buffer_size = 0;
	rc = fx_call_lock(call, &dir->mutex);
	if (rc < 0)
		return rc;
	rc = list_on(call, dir);
	pthread_mutex_unlock(&dir->mutex);
	return rc;
}

/* Nobody took the answer: its lookups do not count. */
static void forget_entries(struct fx_call *call)
{
	const char *at = call->buffer, *end = at + call->buffer_size;

	while (at < end) {
		const struct fuse_direntplus *entry = (const void *)at;

		if (entry->entry_out.nodeid)
			fx_node_forget(call->fs, fx_node_of(call->fs, entry->entry_out.nodeid), 1);
		at += FUSE_DIRENTPLUS_SIZE(entry);
	}
}

static void answer_entries(struct fx_call *call)
{
	if (fuse_reply_buf(call->req, call->buffer, call->buffer_size) < 0 && call->flags)
		forget_entries(call);
}

static void run_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
			struct fuse_file_info *fi, bool plus)
{
	static const struct fx_op op = {.names = FX_NAMES_SHARED,
					.answers_locked = true,
					.work = readdir_work,
					.answer = answer_entries};
	struct fx_call call;

	fx_call_init(&call, req, ino);
	call.handle = directory_of(fi);
	call.size = size;
	call.offset = offset;
	call.flags = plus;
	fx_call_run(&call, &op);
}

void fx_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		   struct fuse_file_info *fi)
{
	if (fx_control_is(ino))
		fx_control_readdir(fuse_req_userdata(req), req, ino, size, offset, fi, false);
	else
		run_readdir(req, ino, size, offset, fi, false);
}

void fx_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		       struct fuse_file_info *fi)
{
	if (fx_control_is(ino))
		fx_control_readdir(fuse_req_userdata(req), req, ino, size, offset, fi, true);
	else
		run_readdir(req, ino, size, offset, fi, true);
}

/* ---- FSYNCDIR -------------------------------------------------------------------------------- */

/* Everything is durable then. */
static int fsyncdir_work(struct fx_call *call)
{
	int rc = 0;

	if (fx_later_pending(call->fs)) {
		if (call->nowait)
			return -EAGAIN;
		rc = fx_later_publish_all(call->fs, false);
	}
	call->durable = true;
	return rc;
}

void fx_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	static const struct fx_op op = {.work = fsyncdir_work, .answer = fx_answer_ok};
	struct fx_call call;

	fx_call_init(&call, req, 0);
	fx_call_run(&call, &op);
}
