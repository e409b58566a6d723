/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs.h - the file system: what every handler shares.
 *
 *   main.c      command line -> store open -> session -> unmount -> close
 *   options.c   the command line and the mount options; dashes.c, units.c: parts of it
 *   remount.c   mount -o remount
 *   session.c   the transport: one thread feeds requests from /dev/fuse to libfuse
 *   fs.c        struct fx_fs, the table of handlers
 *   call.c      one request: locks, hand-over to the pool, answers that wait for durability
 *   worker.c    the pool: what would wait runs there
 *   path.c      keys <-> names, pure
 *   node.c      inodes the kernel knows: lookup counts, parent and name; node_key.c: their keys
 *   lookup.c    what a name or a node stands for in the store right now
 *   attr.c      a record's attributes <-> bytes, pure; meta.c: from the engine, and struct stat
 *   dir_change.c  a change of one key together with its directory's marker
 *   stage.c     staged values: what is written and not yet published; stage_room.c: their room
 *   kept.c      what is left of a file whose name is gone
 *   later.c     stages and directory times that are written after a while
 *   scan.c      the names in a directory; bookmarks.c: the places of a listing
 *   ttl.c       expiry: kernel timeouts, texts
 *   kv.c        changes of one key as a key: kv_xattr.c asks for them
 *   default_ttl.c  the TTL that a directory gives to what is made below it
 *   notify.c    invalidation of the kernel's caches; evicted.c: of keys that were evicted
 *   expiring.c  files that expire sooner than the kernel has been told
 *   renumber.c  invalidation of the numbers below a directory that was renamed
 *   entry.c     the answer to a name: a node, its attributes, how long they are true
 *   op_*.c      handlers, by noun; op.h names them
 *   kv_target.c changes by the key alone, for ctl
 *   known.c     what the kernel knows on the way to a key
 *   control*.c  /.feox: its directory and the files that are texts
 *   ctl*.c      /.feox/ctl: requests and answers in JSON
 *   metrics.c   /.feox/metrics
 *   range*.c    /.feox/range: virtual directories of the keys in a range
 *   events.c    /.feox/events: who reads along
 *   messages.c  counts the kernel's requests
 *   protocol.c  what of the kernel's protocol libfuse does not know
 *
 * A handler runs on the transport's thread and never waits: it calls the engine with FEOX_NOWAIT,
 * and on -EAGAIN hands itself to the pool, where it may wait. fsync is answered by the engine's
 * completion callback.
 */
#ifndef FX_FS_H
#define FX_FS_H

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>

#include "feox/feox.h"
#include "messages.h"
#include "options.h"
#include "path.h"
#include "protocol.h"

struct fx_worker;  /* worker.h */
struct fx_nodes;   /* node.h */
struct fx_control; /* control.h */
struct fx_events;  /* events.h */
struct fx_ranges;  /* range.h */
struct fx_session; /* session.h */
struct fx_later;   /* later.h */
struct fx_notify;  /* notify.h */
struct fx_evicted; /* evicted.h */

struct fx_fs {
	struct feox_store *store;
	const struct fx_options *options;
	struct fx_path_rules rules;
	struct fx_nodes *nodes;
	struct fx_worker *worker;
	struct fx_control *control;
	struct fx_ranges *ranges;
	struct fx_events *events; /* whose changes the store tells; not owned */
	struct fuse_session *session;
	struct fx_session *transport; /* session.c */

	/*
	 * Private to the handlers. Lock ranks, outermost first: later's rounds, names_lock, a
	 * directory handle's mutex, a node's mutex, then nodes' and later's own, which are leaves.
	 */
	pthread_rwlock_t names_lock; /* shared: keys of nodes stay as they are; exclusive: rename */
	struct fx_later *later;
	struct fx_notify *notify;
	struct fx_evicted *evicted;
	struct fx_messages messages;
	struct fx_protocol protocol;
	_Atomic size_t bookmarks_bytes; /* bookmarks.c: of all open directories */
	_Atomic unsigned int expiring;	/* timers, see expiring.h; relaxed, a bound */
	bool ending;	     /* under names_lock: nothing is told to the kernel any more */
	uint64_t mounted_ns; /* what an empty root without a marker shows as its times */
	/* call.c: answers that wait for the engine's sync. */
	pthread_mutex_t syncs_mutex; /* guards syncs */
	pthread_cond_t syncs_done;   /* syncs became 0 */
	unsigned int syncs;
};

/* fs.c: everything but the session. -ENOMEM. What it is made of outlives it. */
int fx_fs_create(struct feox_store *store, struct fx_events *events,
		 const struct fx_options *options, struct fx_fs **ret_fs);

/* No request comes any more: answer what has come. The session must still be there. */
void fx_fs_stop(struct fx_fs *fs);

/*
 * The mount is gone: publish every stage that is left, stop the threads, free. Negative: not all
 * could be published.
 */
int fx_fs_destroy(struct fx_fs *fs);

/* The handlers, for fuse_session_new(); userdata is the fx_fs. */
extern const struct fuse_lowlevel_ops fx_fs_ops;

#endif
