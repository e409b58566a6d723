/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.c - see events.h.
 *
 * A reader is an open handle with a queue of lines of its own. A read of an empty queue is parked:
 * its request stays with the reader until an event comes, somebody interrupts it, or the mount
 * ends. Whoever brings an event only appends it and submits the reader's job, which answers from
 * the pool, with all that has come until then.
 *
 * 1. A request belongs to whoever takes it out of its reader under the mutex, and answers it after
 *    that without the mutex.
 * 2. A reader that is closed while its job is queued is freed by the job.
 * 3. When the queue is full what comes is counted, and said in a line as soon as there is room:
 *    before the next event that fits, or when the reader has emptied the queue.
 *
 * The mutex is a leaf: it is taken inside the engine's changes, whatever locks their caller holds.
 * An expiry is told to the kernel as well, by the sweeper's thread and without the mutex.
 */
#include "events.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "evicted.h"
#include "known.h"
#include "worker.h"

#define FX_LOST_LINE_MAX ((size_t)64)

struct reader {
	struct fx_job job;
	struct fx_events *events;
	struct reader *next;
	char *data; /* lines; owned */
	size_t size, capacity;
	uint64_t lost;	/* since the last line */
	fuse_req_t req; /* parked, or NULL */
	size_t req_size;
	struct fuse_pollhandle *poll; /* who is to be told; owned */
	bool queued, closed;
};

struct fx_events {
	/* Set before there are readers. The store's last changes come when fs is gone. */
	struct fx_path_rules rules;
	struct fx_fs *fs;		   /* until stopped */
	_Atomic unsigned int reader_count; /* of readers; relaxed: who opens later misses events */
	pthread_mutex_t mutex;		   /* guards all else */
	struct reader *readers;
	unsigned int parked;
	bool stopped;
	bool telling;	     /* the kernel of an expiry: fs is needed until it is done */
	pthread_cond_t told; /* telling became false */
};

int fx_events_create(struct fx_events **ret_events)
{
	struct fx_events *events = calloc(1, sizeof(*events));

	if (!events)
		return -ENOMEM;
	pthread_mutex_init(&events->mutex, NULL);
	pthread_cond_init(&events->told, NULL);
	*ret_events = events;
	return 0;
}

static void reader_free(struct reader *reader)
{
	if (reader->poll)
		fuse_pollhandle_destroy(reader->poll);
	free(reader->data);
	free(reader);
}

void fx_events_destroy(struct fx_events *events)
{
	if (!events)
		return;
	while (events->readers) { /* their RELEASE has not come */
		struct reader *reader = events->readers;

		events->readers = reader->next;
		reader_free(reader);
	}
	pthread_cond_destroy(&events->told);
	pthread_mutex_destroy(&events->mutex);
	free(events);
}

void fx_events_start(struct fx_events *events, struct fx_fs *fs)
{
	FX_LOCKED(&events->mutex); /* the sweeper is at work already */

	events->fs = fs;
	events->rules = fs->rules;
}

/* ---- Queues; the mutex is held --------------------------------------------------------------- */

/* False: there is no room. */
static bool push(struct reader *reader, const char *line, size_t size)
{
	size_t capacity = FX_MAX(reader->capacity * 2, reader->size + size);
	char *data;

	if (reader->size + size > FX_EVENTS_QUEUE_MAX)
		return false;
	if (reader->size + size > reader->capacity) {
		data = realloc(reader->data, capacity);
		if (!data)
			return false;
		reader->data = data;
		reader->capacity = capacity;
	}
	memcpy(reader->data + reader->size, line, size);
	reader->size += size;
	return true;
}

/* Say what was lost, when there is room for that and for size bytes more. */
static bool confess(struct reader *reader, size_t size)
{
	char line[FX_LOST_LINE_MAX];
	int n;

	if (!reader->lost)
		return true;
	if (reader->size + FX_LOST_LINE_MAX + size > FX_EVENTS_QUEUE_MAX)
		return false;
	n = snprintf(line, sizeof(line), "{\"event\":\"lost\",\"count\":%" PRIu64 "}\n",
		     reader->lost);
	if (!push(reader, line, (size_t)n))
		return false;
	reader->lost = 0;
	return true;
}

static void wake(struct reader *reader)
{
	if (reader->queued || (!reader->req && !reader->poll))
		return;
	reader->queued = true;
	fx_worker_submit(reader->events->fs->worker, &reader->job);
}

/* At most size bytes from the front, whole lines if one fits: malloc(3)ed. */
static char *pop(struct reader *reader, size_t size, size_t *ret_size)
{
	const char *end;
	char *data;

	confess(reader, 0);
	size = FX_MIN(size, reader->size);
	end = memrchr(reader->data, '\n', size);
	if (end)
		size = (size_t)(end - reader->data) + 1;
	data = malloc(size + 1);
	if (!data)
		return NULL;
	memcpy(data, reader->data, size);
	reader->size -= size;
	memmove(reader->data, reader->data + size, reader->size);
	*ret_size = size;
	return data;
}

static fuse_req_t unpark(struct reader *reader)
{
	fuse_req_t req = reader->req;

	reader->req = NULL;
	if (req)
		reader->events->parked--;
	return req;
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* By the sweeper's thread, of which there is one, and which holds no lock. */
static void tell_kernel(struct fx_events *events, const struct feox_event *event)
{
	struct fx_fs *fs;

	pthread_mutex_lock(&events->mutex);
	fs = events->stopped ? NULL : events->fs;
	events->telling = fs != NULL;
	pthread_mutex_unlock(&events->mutex);
	if (!fs)
		return;
	fx_known_expired(fs, event->key, event->key_size);
	pthread_mutex_lock(&events->mutex);
	events->telling = false;
	pthread_cond_signal(&events->told);
	pthread_mutex_unlock(&events->mutex);
}

void fx_events_changed(void *ctx, const struct feox_event *event)
{
	struct fx_events *events = ctx;
	size_t size;
	char *line;

	if (event->kind == FEOX_EVENT_EXPIRE)
		tell_kernel(events, event);
	if (event->kind == FEOX_EVENT_EVICT)
		fx_evicted_note(events->fs->evicted, event->key, event->key_size);
	if (!atomic_load_explicit(&events->reader_count, memory_order_relaxed))
		return;
	line = fx_event_line(&events->rules, event);
	if (!line)
		return;
	size = strlen(line);
	pthread_mutex_lock(&events->mutex);
	for (struct reader *reader = events->readers; reader; reader = reader->next) {
		if (!confess(reader, size) || !push(reader, line, size))
			reader->lost++;
		if (!events->stopped)
			wake(reader);
	}
	pthread_mutex_unlock(&events->mutex);
	free(line);
}

static void answer(fuse_req_t req, char *data, size_t size)
{
	if (data)
		fuse_reply_buf(req, data, size);
	else
		fuse_reply_err(req, ENOMEM);
	free(data);
}

static void reader_run(struct fx_job *job)
{
	struct reader *reader = (struct reader *)((char *)job - offsetof(struct reader, job));
	struct fx_events *events = reader->events;
	struct fuse_pollhandle *poll;
	fuse_req_t req = NULL;
	char *data = NULL;
	size_t size = 0;
	bool closed;

	pthread_mutex_lock(&events->mutex);
	reader->queued = false;
	closed = reader->closed;
	poll = FX_STEAL(reader->poll);
	if (reader->size || reader->lost)
		req = unpark(reader);
	if (req)
		data = pop(reader, reader->req_size, &size);
	pthread_mutex_unlock(&events->mutex);
	if (req)
		answer(req, data, size);
	if (poll) {
		fuse_lowlevel_notify_poll(poll);
		fuse_pollhandle_destroy(poll);
	}
	if (closed)
		reader_free(reader);
}

/* ---- OPEN, RELEASE --------------------------------------------------------------------------- */

static struct reader *reader_of(const struct fuse_file_info *fi)
{
	return (struct reader *)(uintptr_t)fi->fh;
}

static int add_reader(struct fx_events *events, struct reader *reader)
{
	FX_LOCKED(&events->mutex);

	if (atomic_load_explicit(&events->reader_count, memory_order_relaxed) >=
	    FX_EVENTS_READERS_MAX)
		return -ENFILE;
	reader->next = events->readers;
	events->readers = reader;
	atomic_fetch_add_explicit(&events->reader_count, 1, memory_order_relaxed);
	return 0;
}

static void close_reader(struct reader *reader)
{
	struct fx_events *events = reader->events;
	struct reader **link = &events->readers;
	bool queued;

	pthread_mutex_lock(&events->mutex);
	while (*link != reader)
		link = &(*link)->next;
	*link = reader->next;
	atomic_fetch_sub_explicit(&events->reader_count, 1, memory_order_relaxed);
	queued = reader->queued;
	reader->closed = true;
	pthread_mutex_unlock(&events->mutex);
	if (!queued)
		reader_free(reader);
}

void fx_events_open(struct fx_fs *fs, fuse_req_t req, struct fuse_file_info *fi)
{
	struct reader *reader;
	int rc;

	if ((fi->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, EACCES);
		return;
	}
	reader = calloc(1, sizeof(*reader));
	rc = reader ? 0 : -ENOMEM;
	if (rc == 0) {
		reader->events = fs->events;
		reader->job.run = reader_run;
		rc = add_reader(fs->events, reader);
	}
	if (rc < 0) {
		free(reader);
		fuse_reply_err(req, -rc);
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)reader;
	fi->nonseekable = 1;
	if (fuse_reply_open(req, fi) == -ENOENT)
		close_reader(reader);
}

void fx_events_release(struct fx_fs *fs, struct fuse_file_info *fi)
{
	close_reader(reader_of(fi));
}

/* ---- READ ------------------------------------------------------------------------------------ */

/* libfuse calls this when the caller of a parked read has got a signal. */
static void interrupted(fuse_req_t req, void *data)
{
	struct fx_events *events = data;
	bool parked = false;

	pthread_mutex_lock(&events->mutex);
	for (struct reader *reader = events->readers; reader && !parked; reader = reader->next)
		if (reader->req == req) {
			unpark(reader);
			parked = true;
		}
	pthread_mutex_unlock(&events->mutex);
	if (parked)
		fuse_reply_err(req, EINTR);
}

/* 0: it is parked, or *ret_data is the answer; the mutex is held. */
static int read_or_park(struct reader *reader, fuse_req_t req, size_t size, bool waits,
			char **ret_data, size_t *ret_size)
{
	struct fx_events *events = reader->events;

	if (reader->size || reader->lost) {
		*ret_data = pop(reader, size, ret_size);
		return *ret_data ? 0 : -ENOMEM;
	}
	if (!waits || reader->req || events->parked >= FX_EVENTS_PARKED_MAX)
		return -EAGAIN;
	if (events->stopped)
		return -ENOTCONN;
	if (fuse_req_interrupted(req))
		return -EINTR;
	reader->req = req;
	reader->req_size = size;
	events->parked++;
	return 0;
}

void fx_events_read(struct fx_fs *fs, fuse_req_t req, size_t size, struct fuse_file_info *fi)
{
	struct reader *reader = reader_of(fi);
	bool waits = !(fi->flags & O_NONBLOCK);
	char *data = NULL;
	size_t got;
	int rc;

	/* Before it is parked: what the function is called for then finds nothing of it. */
	fuse_req_interrupt_func(req, interrupted, fs->events);
	pthread_mutex_lock(&fs->events->mutex);
	rc = read_or_park(reader, req, size, waits, &data, &got);
	pthread_mutex_unlock(&fs->events->mutex);
	if (rc < 0)
		fuse_reply_err(req, -rc);
	else if (data)
		answer(req, data, got);
}

void fx_events_poll(struct fx_fs *fs, fuse_req_t req, struct fuse_file_info *fi,
		    struct fuse_pollhandle *handle)
{
	struct reader *reader = reader_of(fi);
	struct fuse_pollhandle *old = NULL;
	bool ready;

	pthread_mutex_lock(&fs->events->mutex);
	ready = reader->size || reader->lost;
	if (handle && !ready) {
		old = reader->poll;
		reader->poll = FX_STEAL(handle);
	}
	pthread_mutex_unlock(&fs->events->mutex);
	if (old)
		fuse_pollhandle_destroy(old);
	if (handle)
		fuse_pollhandle_destroy(handle);
	fuse_reply_poll(req, ready ? POLLIN | POLLRDNORM : 0);
}

void fx_events_stop(struct fx_events *events)
{
	fuse_req_t requests[FX_EVENTS_PARKED_MAX];
	size_t count = 0;

	pthread_mutex_lock(&events->mutex);
	events->stopped = true;
	for (struct reader *reader = events->readers; reader; reader = reader->next)
		if (reader->req)
			requests[count++] = unpark(reader);
	while (events->telling)
		pthread_cond_wait(&events->told, &events->mutex);
	pthread_mutex_unlock(&events->mutex);
	for (size_t i = 0; i < count; i++)
		fuse_reply_buf(requests[i], NULL, 0);
}
