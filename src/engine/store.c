/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.c - opening, closing, and what belongs to the store as a whole.
 *
 *   options -> memory (slab, epoch, order) -> device and lock -> format or recovery (hash, space,
 *   extents) -> flusher -> sweeper.          Closing is the same way back.
 */
#include "batch_write.h"
#include "commit.h"

#include "bytes.h"
#include "cleanup.h"
#include "journal_chain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_INITIAL	       ((uint64_t)16 << 20)
#define DEFAULT_GROW_MAX       ((uint64_t)1 << 30)
#define DEFAULT_FLUSH_INTERVAL UINT64_C(100000000)
#define FLUSH_INTERVAL_MAX     (UINT64_C(3600) * 1000000000)
#define CLOSING_WAIT_MS	       60000u
#define LEAVING_WAIT_NS	       UINT64_C(1000000000)
#define LEAVING_POLL_NS	       10000000L
#define LOG_MAX		       512u
#define DEFERRED_DIVISOR       16u /* of the memory limit */
#define DEFERRED_MIN	       ((uint64_t)256 << 10)

#define OPEN_FLAGS                                                                                 \
	(FEOX_OPEN_CREATE | FEOX_OPEN_READ_ONLY | FEOX_OPEN_NO_URING | FEOX_OPEN_NO_SWEEPER |      \
	 FEOX_OPEN_CACHE)

/* ---- Saying things -----------------------------------------------------------------------------
 */

int fx_diag(struct feox_diag *diag, int err, const char *format, ...)
{
	va_list args;

	if (diag) {
		va_start(args, format);
		vsnprintf(diag->text, sizeof(diag->text), format, args);
		va_end(args);
	}
	return err;
}

void fx_store_log(struct feox_store *store, enum feox_log_level level, const char *format, ...)
{
	char text[LOG_MAX];
	va_list args;

	if (!store->log)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	store->log(store->log_ctx, level, text);
}

void fx_store_fail(struct feox_store *store, int err, const char *what)
{
	int none = 0;

	if (!atomic_compare_exchange_strong(&store->failed, &none, err))
		return;
	fx_queue_break(&store->queue);
	fx_store_log(store, FEOX_LOG_ERROR, "%s failed: %s; the store is read-only from now on",
		     what, strerror(-err));
}

int fx_store_writable(struct feox_store *store)
{
	if (store->read_only || atomic_load_explicit(&store->failed, memory_order_relaxed))
		return -EROFS;
	return 0;
}

/* ---- Opening -----------------------------------------------------------------------------------
 */

static int check_options(const struct feox_options *o, struct feox_diag *diag)
{
	if (o->flags & ~(unsigned int)OPEN_FLAGS)
		return fx_diag(diag, -EINVAL, "unknown open flags 0x%x",
			       o->flags & ~(unsigned int)OPEN_FLAGS);
	if ((o->flags & FEOX_OPEN_READ_ONLY) && (o->flags & FEOX_OPEN_CREATE))
		return fx_diag(diag, -EINVAL, "a store cannot be created read-only");
	if ((o->flags & FEOX_OPEN_CACHE) && o->path)
		return fx_diag(diag, -EINVAL, "only a store in memory can be a cache");
	if ((o->flags & FEOX_OPEN_CACHE) && o->memory_limit_bytes &&
	    o->memory_limit_bytes < FX_CACHE_LIMIT_MIN)
		return fx_diag(diag, -EINVAL, "a cache has a memory limit of at least 4 MiB");
	if (o->max_value_bytes > FEOX_VALUE_MAX)
		return fx_diag(diag, -EINVAL, "the largest value may be %zu bytes at most",
			       FEOX_VALUE_MAX);
	if (o->flush_interval_ns > FLUSH_INTERVAL_MAX)
		return fx_diag(diag, -EINVAL, "the flush interval may be an hour at most");
	if (o->separator && (strchr("%=+.", o->separator) || o->separator < '!' ||
			     o->separator > '~' || (o->separator >= '0' && o->separator <= '9') ||
			     ((o->separator | 32) >= 'a' && (o->separator | 32) <= 'z')))
		return fx_diag(diag, -EINVAL,
			       "the separator must be one punctuation byte other than %% = + .");
	if (o->initial_size_bytes && o->initial_size_bytes < FX_STORE_SIZE_MIN)
		return fx_diag(diag, -EINVAL, "a store has at least 1 MiB");
	if (o->max_size_bytes && o->max_size_bytes < FX_STORE_SIZE_MIN)
		return fx_diag(diag, -EINVAL, "a store's limit is at least 1 MiB");
	return 0;
}

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
	return value ? value : otherwise;
}

/* A rename_prefix() that waits lets no more batches in: a steady stream of them would keep it out.
 */
static void init_batch_gate(struct feox_store *store)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&store->batch_gate, &attr);
	pthread_rwlockattr_destroy(&attr);
}

static void apply_options(struct feox_store *store, const struct feox_options *o)
{
	uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	store->flags = o->flags;
	store->initial_size = or_default(o->initial_size_bytes, DEFAULT_INITIAL);
	store->persistent = o->path;
	store->read_only = o->flags & FEOX_OPEN_READ_ONLY;
	store->separator = o->separator ? o->separator : '/';
	store->memory_limit = or_default(o->memory_limit_bytes, ram / 2);
	store->max_value = or_default(o->max_value_bytes, FEOX_VALUE_MAX_DEFAULT);
	store->grow_max = or_default(o->grow_max_bytes, DEFAULT_GROW_MAX);
	store->max_size = o->max_size_bytes / FX_BLOCK * FX_BLOCK;
	if (store->max_size && store->initial_size > store->max_size)
		store->initial_size = store->max_size;
	store->flush_interval_ns = or_default(o->flush_interval_ns, DEFAULT_FLUSH_INTERVAL);
	store->log = o->log;
	store->log_ctx = o->log_ctx;
	store->changed = o->changed;
	store->changed_ctx = o->changed_ctx;
	store->lock.fd = -1;
	fx_clock_init(&store->clock, o->now, o->now_ctx);
	fx_queue_init(&store->queue);
	init_batch_gate(store);
	fx_hand_init(&store->hand);
	pthread_mutex_init(&store->prefix_mutex, NULL);
	pthread_cond_init(&store->prefix_open, NULL);
	atomic_init(&store->expiry_next, UINT64_MAX);
	atomic_init(&store->version_ceiling, UINT64_MAX);
	atomic_init(&store->id_next, 1);
	atomic_init(&store->id_ceiling, UINT64_MAX);
}

FEOX_API void feox_effective_options(const struct feox_store *store,
				     struct feox_options *ret_options)
{
	const struct fx_device *device = store->device;

	*ret_options = (struct feox_options){
		.flags = store->flags,
		.separator = store->separator,
		.memory_limit_bytes = store->memory_limit,
		.max_value_bytes = store->max_value,
		.initial_size_bytes = store->initial_size,
		.grow_max_bytes = store->grow_max,
		.max_size_bytes = store->max_size,
		.flush_interval_ns = store->flush_interval_ns,
	};
	if (!device || device->uring_err)
		ret_options->flags |= FEOX_OPEN_NO_URING;
}

/* Deferred memory is a small part of the limit, but enough for a writer at full speed. */
static uint64_t deferred_max(const struct feox_store *store)
{
	uint64_t part = store->memory_limit / DEFERRED_DIVISOR;

	return part < FX_EPOCH_DEFERRED_MAX ? FX_MAX(part, DEFERRED_MIN) : FX_EPOCH_DEFERRED_MAX;
}

static int create_memory(struct feox_store *store)
{
	int err = fx_slab_create(NULL, &store->slab);

	if (err)
		return err;
	fx_budget_init(&store->budget, store->slab, store->memory_limit);
	if (store->flags & FEOX_OPEN_CACHE)
		store->cache_bytes = store->memory_limit - deferred_max(store);
	err = fx_epoch_create(store, &store->epoch);
	if (!err)
		fx_epoch_configure(store->epoch, fx_record_free, deferred_max(store));
	if (!err)
		err = fx_ordered_index_create(store->slab, store->epoch, &store->order);
	return err;
}

/*
 * The kernel takes a ring apart some time after its process has ended, and has its block device
 * open till then: whoever holds our lock waits a moment for that.
 */
static int open_exclusively(struct feox_store *store, const char *path, unsigned int flags)
{
	const struct timespec pause = {.tv_nsec = LEAVING_POLL_NS};
	uint64_t until_ns = fx_monotonic_ns() + LEAVING_WAIT_NS;
	int err;

	while ((err = fx_device_open(path, flags, &store->device)) == -EBUSY &&
	       fx_monotonic_ns() < until_ns)
		nanosleep(&pause, NULL);
	return err;
}

/* The device may not be read before the lock is held; and a file must exist to be locked. */
int fx_store_attach(struct feox_store *store, const struct feox_options *o, struct feox_diag *diag)
{
	unsigned int flags = (o->flags & FEOX_OPEN_CREATE ? FX_DEVICE_CREATE : 0u) |
			     (store->read_only ? FX_DEVICE_READ_ONLY : 0u) |
			     (o->flags & FEOX_OPEN_NO_URING ? FX_DEVICE_NO_URING : 0u);
	int err = fx_device_open(o->path, flags, &store->device);

	if (err)
		return fx_diag(diag, err, "cannot open: %s", strerror(-err));
	fx_device_close(store->device);
	store->device = NULL;
	err = fx_lock_acquire(&store->lock, o->path, store->read_only, CLOSING_WAIT_MS);
	if (err)
		return fx_diag(diag, err,
			       err == -EBUSY ? "the store is in use by another process"
					     : "cannot lock: %s",
			       strerror(-err));
	flags &= ~(unsigned int)FX_DEVICE_CREATE;
	/* Only now: an owner that is closing has it to the end, and is waited for. */
	flags |= store->read_only ? 0 : FX_DEVICE_EXCLUSIVE;
	err = open_exclusively(store, o->path, flags);
	if (err)
		return fx_diag(diag, err, "cannot open: %s", strerror(-err));
	if (store->device->uring_err)
		fx_store_log(store, FEOX_LOG_WARNING,
			     "io_uring cannot be used (%s): pread and pwrite are used instead",
			     strerror(-store->device->uring_err));
	return 0;
}

static int open_persistent(struct feox_store *store, const struct feox_options *o,
			   struct feox_diag *diag)
{
	int err = fx_store_attach(store, o, diag);

	if (!err)
		err = fx_store_is_blank(store, diag);
	if (err < 0)
		return err;
	if (err) {
		if (!(o->flags & FEOX_OPEN_CREATE))
			return fx_diag(diag, -EUCLEAN, "not a feox store (empty)");
		err = fx_store_create(store, NULL, diag);
	} else {
		uint64_t begin = fx_monotonic_ns();

		err = fx_store_recover(store, o->progress, o->progress_ctx, diag);
		store->io.recovery_ns = fx_monotonic_ns() - begin;
	}
	if (err)
		return err;
	if (o->separator && o->separator != store->super.separator)
		return fx_diag(diag, -EINVAL, "the store's separator is '%c', not '%c'",
			       store->super.separator, o->separator);
	store->separator = store->super.separator;
	fx_disk_free_update(store);
	if (store->read_only)
		return 0;
	err = fx_flusher_start(store);
	return err ? fx_diag(diag, err, "cannot start: %s", strerror(-err)) : 0;
}

static int open_memory(struct feox_store *store)
{
	if (getrandom(&store->hash_seed, sizeof(store->hash_seed), 0) !=
	    (ssize_t)sizeof(store->hash_seed))
		return -EIO;
	return fx_hash_index_create(store->slab, store->epoch, store->hash_seed, &store->hash);
}

int fx_store_new(const struct feox_options *options, struct feox_store **ret_store,
		 struct feox_diag *diag)
{
	struct feox_store *store;
	int err = check_options(options, diag);

	if (err)
		return err;
	store = aligned_alloc(64, sizeof(*store) / 64 * 64 + 64);
	if (!store)
		return fx_diag(diag, -ENOMEM, "out of memory");
	memset(store, 0, sizeof(*store));
	apply_options(store, options);
	err = create_memory(store);
	if (err) {
		fx_store_free(store);
		return fx_diag(diag, err, "%s", strerror(-err));
	}
	*ret_store = store;
	return 0;
}

FEOX_API int feox_open(const struct feox_options *options, struct feox_store **ret_store,
		       struct feox_diag *diag)
{
	struct feox_store *store;
	int err;

	if (!options || !ret_store)
		return -EINVAL;
	err = fx_store_new(options, &store, diag);
	if (err)
		return err;
	err = store->persistent ? open_persistent(store, options, diag) : open_memory(store);
	if (!err && !store->read_only && !(options->flags & FEOX_OPEN_NO_SWEEPER))
		err = fx_sweeper_start(store);
	if (err) {
		if (store->flusher)
			fx_flusher_stop(store);
		fx_store_free(store);
		return err;
	}
	*ret_store = store;
	return 0;
}

/* ---- Closing -----------------------------------------------------------------------------------
 */

/* Nobody reads any more: free what the slots have, and what never became durable behind it. */
static void release_record(void *ctx, fx_slot *slot, fx_word word)
{
	struct feox_store *store = ctx;
	struct fx_record *record = fx_word_record(word);

	while (record) {
		struct fx_record *prev = NULL;

		if (store->persistent && !fx_record_is(record, FX_DURABLE)) {
			prev = fx_pending_of(record)->prev;
			fx_pending_free(store->slab, record);
		}
		fx_record_unref(store->slab, record);
		record = prev;
	}
}

static void release_records(struct feox_store *store)
{
	uint64_t cursor = 0;

	if (!store->hash)
		return;
	fx_epoch_enter();
	do
		fx_hash_index_walk(store->hash, &cursor, 65536, release_record, store);
	while (cursor);
	fx_epoch_leave();
}

void fx_store_free(struct feox_store *store)
{
	fx_epoch_destroy(store->epoch); /* first: what is deferred refers to all the rest */
	release_records(store);
	fx_hash_index_destroy(store->hash);
	fx_ordered_index_destroy(store->order);
	fx_extent_table_destroy(store->extents);
	fx_space_destroy(store->space);
	if (store->chain)
		fx_chain_free(store->chain);
	free(store->chain);
	fx_slab_destroy(store->slab);
	fx_device_close(store->device);
	fx_lock_release(&store->lock);
	fx_queue_destroy(&store->queue);
	pthread_cond_destroy(&store->prefix_open);
	pthread_mutex_destroy(&store->prefix_mutex);
	fx_hand_destroy(&store->hand);
	pthread_rwlock_destroy(&store->batch_gate);
	free(store);
}

static int64_t pins(struct feox_store *store)
{
	int64_t sum = 0;

	for (unsigned int i = 0; i < FX_STAT_SHARDS; i++)
		sum += atomic_load(&store->counters[i].pins);
	return sum;
}

FEOX_API void feox_announce_close(struct feox_store *store)
{
	if (store && store->persistent)
		fx_lock_closing(&store->lock);
}

FEOX_API int feox_close(struct feox_store *store)
{
	int err = 0;

	if (!store)
		return 0;
	if (pins(store))
		return -EBUSY;
	feox_announce_close(store);
	fx_sweeper_stop(store);
	if (store->flusher)
		err = fx_flusher_stop(store);
	fx_store_free(store);
	return err;
}
