/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.h - /.feox/events: what changes in the store, a line each, for whoever reads along.
 *
 * Made before the store is opened and destroyed after it is closed; in between the engine's threads
 * call fx_events_changed() whenever they change a key. It never waits for a reader: one that is
 * slow loses events, and is told how many. Of a key that has expired the kernel is told, too.
 */
#ifndef FX_EVENTS_H
#define FX_EVENTS_H

#include "control_file.h"

#define FX_EVENTS_READERS_MAX 256u		/* open handles */
#define FX_EVENTS_PARKED_MAX  64u		/* reads that wait at a time */
#define FX_EVENTS_QUEUE_MAX   ((size_t)1 << 20) /* bytes that wait for one reader */

struct fx_events;

int fx_events_create(struct fx_events **ret_events);
void fx_events_destroy(struct fx_events *events); /* NULL is allowed */

/* For struct feox_options; ctx is the fx_events. */
void fx_events_changed(void *ctx, const struct feox_event *event);

/* From now on there may be readers; until stop, which ends reads that wait: they get 0 bytes. */
void fx_events_start(struct fx_events *events, struct fx_fs *fs);
void fx_events_stop(struct fx_events *events);

/* Handlers, see control_file.h. */
void fx_events_open(struct fx_fs *fs, fuse_req_t req, struct fuse_file_info *fi);
void fx_events_read(struct fx_fs *fs, fuse_req_t req, size_t size, struct fuse_file_info *fi);
void fx_events_release(struct fx_fs *fs, struct fuse_file_info *fi);
void fx_events_poll(struct fx_fs *fs, fuse_req_t req, struct fuse_file_info *fi,
		    struct fuse_pollhandle *handle);

/* ctl_event.c: the line that says it, malloc(3)ed; NULL: it concerns nobody, or no memory. */
char *fx_event_line(const struct fx_path_rules *rules, const struct feox_event *event);

#endif
