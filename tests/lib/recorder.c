/* SPDX-License-Identifier: Apache-2.0 */
/* recorder.c - the device; recorder_walk.c has the states. */
#include "recorder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct in_flight {
	struct fx_io *io;
	size_t write; /* number of it */
	uint8_t *copy;
	int result;
	bool is_sync;
};

struct recording_device {
	struct fx_device device;
	struct recorder *recorder;
	struct in_flight pending[FX_DEVICE_DEPTH_MAX];
	unsigned int pending_count;
};

static struct recording_device *self(struct fx_device *device)
{
	return (struct recording_device *)device;
}

static void *must(void *memory)
{
	if (!memory) {
		fputs("recorder: out of memory\n", stderr);
		abort();
	}
	return memory;
}

static void broken(const char *what, const struct fx_io *io)
{
	fprintf(stderr,
		"recorder: the contract of device.h is broken: %s (block %llu, %zu bytes)\n", what,
		(unsigned long long)(io->offset / FX_BLOCK), io->size);
	abort();
}

uint64_t recorder_random(uint64_t *state, uint64_t n)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % n;
}

/* ---- Recording --------------------------------------------------------------------------------
 */

static void add_event(struct recorder *r, struct recorder_event event)
{
	if (!r->record)
		return;
	if (r->event_count == r->event_capacity) {
		r->event_capacity = r->event_capacity ? 2 * r->event_capacity : 64;
		r->events = must(realloc(r->events, r->event_capacity * sizeof(*r->events)));
	}
	event.acknowledged = atomic_load(&r->acknowledged);
	event.begun = atomic_load(&r->begun);
	event.told = atomic_load(&r->told);
	r->events[r->event_count++] = event;
}

static size_t add_write(struct recorder *r, const struct fx_io *io)
{
	struct recorder_write *write;

	if (!r->record)
		return 0;
	if (r->write_count == r->write_capacity) {
		r->write_capacity = r->write_capacity ? 2 * r->write_capacity : 64;
		r->writes = must(realloc(r->writes, r->write_capacity * sizeof(*r->writes)));
	}
	write = &r->writes[r->write_count];
	*write = (struct recorder_write){.offset = io->offset, .size = io->size};
	write->bytes = must(malloc(io->size));
	memcpy(write->bytes, io->buffer, io->size);
	add_event(r, (struct recorder_event){.kind = RECORDER_SUBMITTED, .write = r->write_count});
	return r->write_count++;
}

/* Is this call to fail? 0, or how. */
static int fault(struct recorder *r, enum recorder_call call)
{
	const struct recorder_fault *f = &r->faults[call];
	uint64_t number = atomic_fetch_add(&r->calls[call], 1) + 1;

	return f->at && number >= f->at && number - f->at < f->count ? f->err : 0;
}

static bool is_bad(const struct recorder *r, const struct fx_io *io)
{
	uint64_t first = io->offset / FX_BLOCK, count = io->size / FX_BLOCK;

	return first < r->bad_block + r->bad_blocks && r->bad_block < first + count;
}

/* ---- The calls --------------------------------------------------------------------------------
 */

static void check_write(const struct recording_device *d, const struct fx_io *io)
{
	if (io->offset % FX_BLOCK || io->size % FX_BLOCK || (uintptr_t)io->buffer % FX_BLOCK ||
	    !io->size)
		broken("a write out of line", io);
	if (io->size > FX_DEVICE_WRITE_MAX)
		broken("a write too long", io);
	if (io->offset > d->device.size || io->size > d->device.size - io->offset)
		broken("a write beyond the end", io);
	for (unsigned int i = 0; i < d->pending_count; i++) {
		const struct fx_io *other = d->pending[i].io;

		if (!d->pending[i].is_sync && io->offset < other->offset + other->size &&
		    other->offset < io->offset + io->size)
			broken("two writes of a block in flight together", io);
	}
}

static int record_submit(struct fx_device *device, struct fx_io *io)
{
	struct recording_device *d = self(device);
	struct recorder *r = d->recorder;
	struct in_flight *p = &d->pending[d->pending_count];

	if (d->pending_count == FX_DEVICE_DEPTH_MAX)
		return -EBUSY;
	check_write(d, io);
	*p = (struct in_flight){.io = io, .result = fault(r, RECORDER_WRITE)};
	if (!p->result && is_bad(r, io))
		p->result = -EIO;
	if (p->result && io->offset / FX_BLOCK < atomic_load(&r->lowest_failed))
		atomic_store(&r->lowest_failed, io->offset / FX_BLOCK);
	p->copy = must(malloc(io->size));
	memcpy(p->copy, io->buffer, io->size);
	p->write = add_write(r, io); /* one that fails may have arrived in part */
	d->pending_count++;
	return 0;
}

static int record_submit_sync(struct fx_device *device, struct fx_io *io)
{
	struct recording_device *d = self(device);

	if (d->pending_count == FX_DEVICE_DEPTH_MAX)
		return -EBUSY;
	add_event(d->recorder, (struct recorder_event){.kind = RECORDER_SYNCING});
	d->pending[d->pending_count++] = (struct in_flight){
		.io = io, .result = fault(d->recorder, RECORDER_SYNC), .is_sync = true};
	return 0;
}

static void finish_write(struct recorder *r, const struct in_flight *p)
{
	if (memcmp(p->copy, p->io->buffer, p->io->size))
		broken("a buffer that changes while it is written", p->io);
	if (!p->result) {
		pthread_mutex_lock(&r->mutex);
		memcpy(r->view + p->io->offset, p->copy, p->io->size);
		pthread_mutex_unlock(&r->mutex);
		add_event(r, (struct recorder_event){.kind = RECORDER_DONE, .write = p->write});
	}
	free(p->copy);
}

static struct fx_io *record_reap(struct fx_device *device)
{
	struct recording_device *d = self(device);
	struct recorder *r = d->recorder;
	unsigned int which = 0;
	struct in_flight p;

	if (!d->pending_count)
		return NULL;
	if (r->random)
		which = (unsigned int)recorder_random(&r->random, d->pending_count);
	p = d->pending[which];
	memmove(&d->pending[which], &d->pending[which + 1],
		(d->pending_count - which - 1) * sizeof(p));
	d->pending_count--;
	if (p.is_sync)
		add_event(r, (struct recorder_event){.kind = RECORDER_SYNCED,
						     .failed = p.result != 0});
	else
		finish_write(r, &p);
	p.io->result = p.result;
	return p.io;
}

static void record_read_one(struct recorder *r, struct fx_io *io)
{
	io->result = fault(r, RECORDER_READ);
	pthread_mutex_lock(&r->mutex);
	if (!io->result && (io->offset > r->size || io->size > r->size - io->offset))
		io->result = -EIO;
	if (!io->result)
		memcpy(io->buffer, r->view + io->offset, io->size);
	pthread_mutex_unlock(&r->mutex);
}

static void record_read(struct fx_device *device, struct fx_io *ios, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		record_read_one(self(device)->recorder, &ios[i]);
}

static int record_resize(struct fx_device *device, uint64_t size)
{
	struct recorder *r = self(device)->recorder;
	int err = fault(r, RECORDER_RESIZE);

	if (!err && size > r->max_size)
		err = -ENOSPC;
	if (err)
		return err;
	pthread_mutex_lock(&r->mutex);
	if (size < r->size)
		memset(r->view + size, 0, r->size - size);
	r->size = size;
	pthread_mutex_unlock(&r->mutex);
	device->size = size;
	add_event(r, (struct recorder_event){.kind = RECORDER_RESIZED, .size = size});
	return 0;
}

static void record_close(struct fx_device *device)
{
	struct recording_device *d = self(device);

	for (unsigned int i = 0; i < d->pending_count; i++)
		broken("closed with operations in flight", d->pending[i].io);
	free(d);
}

static const struct fx_device_ops recording_ops = {
	.name = "recorder",
	.submit = record_submit,
	.submit_sync = record_submit_sync,
	.reap = record_reap,
	.read = record_read,
	.resize = record_resize,
	.close = record_close,
};

struct fx_device *recorder_device(struct recorder *recorder)
{
	struct recording_device *d = must(calloc(1, sizeof(*d)));

	d->device = (struct fx_device){.ops = &recording_ops, .fd = -1, .size = recorder->size};
	d->recorder = recorder;
	return &d->device;
}

/* ---- The medium -------------------------------------------------------------------------------
 */

static void forget(struct recorder *r)
{
	for (size_t i = 0; i < r->write_count; i++)
		free(r->writes[i].bytes);
	free(r->writes);
	free(r->events);
	free(r->base);
	r->writes = NULL;
	r->events = NULL;
	r->base = NULL;
	r->write_count = r->write_capacity = r->event_count = r->event_capacity = 0;
	r->record = false;
}

struct recorder *recorder_new(const uint8_t *image, uint64_t size, uint64_t max_size)
{
	struct recorder *r = must(calloc(1, sizeof(*r)));

	pthread_mutex_init(&r->mutex, NULL);
	r->view = must(calloc(1, max_size));
	r->max_size = max_size;
	recorder_load(r, image, size);
	return r;
}

void recorder_load(struct recorder *r, const uint8_t *image, uint64_t size)
{
	uint64_t old = r->size;

	forget(r);
	memset(r->faults, 0, sizeof(r->faults));
	for (unsigned int i = 0; i < RECORDER_CALLS; i++)
		atomic_store(&r->calls[i], 0);
	r->bad_blocks = 0;
	atomic_store(&r->lowest_failed, UINT64_MAX);
	r->size = size;
	if (image)
		memcpy(r->view, image, size);
	else
		memset(r->view, 0, size);
	if (old > size)
		memset(r->view + size, 0, old - size);
}

void recorder_start(struct recorder *r)
{
	forget(r);
	r->base = must(malloc(r->size + 1));
	memcpy(r->base, r->view, r->size);
	r->base_size = r->size;
	r->record = true;
}

void recorder_free(struct recorder *r)
{
	if (!r)
		return;
	forget(r);
	free(r->view);
	pthread_mutex_destroy(&r->mutex);
	free(r);
}
