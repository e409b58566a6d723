/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - the engine's inside: what struct feox_store consists of, and which room does what.
 *
 *   store.c     feox_open(), feox_close(): builds and tears down all of it
 *   sync.c      durability for callers, ids, clock
 *   commit.c    fx_commit(), the one way in for a change of a single key; publish.c: its words
 *   grant.c     version and room for a change; tombstone.c: the end of a deleted key
 *   write.c     put, delete, set_expiry, set_metadata: what the change is, then fx_commit()
 *   counter.c   feox_add, feox_cas: the same, from what the key has now
 *   patch.c     feox_patch: read, json_patch.c, fx_commit() if nobody was faster
 *   json_text.c, json_walk.c   JSON as text: checking it, finding the way in it
 *   json_compare.c, json_number.c   equality of values
 *   json_pointer.c, json_document.c, json_edit.c   places in a text, changes there
 *   json_patch_read.c, json_patch.c   operations and what they do; bytes to bytes
 *   batch.c     several keys at once: collecting what is to happen together
 *   transaction.c, intent.c   making it happen, by intents in the slots
 *   transaction_build.c       what each key of it becomes; transaction_price.c: room for it
 *   rename.c    rename, exchange, rename_prefix: what the batch is
 *   many.c      get_many, put_many
 *   event.c     what the change callback is told
 *   read.c      get, read, stat; cold.c reads a value that is on disk only
 *   iter.c      ranges; iter_range.c which keys, iter_ahead.c and iter_cold.c what they are
 *   queue.c     published changes on their way to the flusher; the consistent cut
 *   reserve.c   disk promised before publication; memory.c: memory
 *   evict.c     a cache makes room: CLOCK
 *   flush.c     the flusher's thread: when to write, who waits for it, growth
 *   batch_write.c    one cut -> extents + commit record -> fdatasync -> durable; settle.c: its end
 *   pack.c      records -> extents; compact.c: what lives in emptied extents is moved
 *   room.c      growth, shrinking, room for those who wait
 *   cool.c     clean values leave memory
 *   dying.c     what dies on disk with a batch
 *   amend.c     what is new of records whose value is on disk; amend_found.c: the same in recovery
 *   disk_write.c, disk_read.c   writes in flight; reading extents
 *   rewrite.c   extents that cannot be written where they should be
 *   journal_chain.c  where the next journal record goes
 *   checkpoint.c     a new chain and the room kept for it; superblocks.c: writing them
 *   create.c    making a store where there is nothing, feox_format(); format.c: what is written
 *               then
 *   check.c     feox_check(): superblocks, journal, map; check_values.c: what extents hold;
 *               check_mend.c: mending; salvage*.c: the journal is gone
 *   recovery.c  superblock and journal -> extents; recovery_map.c: the map, the order of the steps;
 *               load.c: extents -> the indexes, load_sort.c: in order
 *   sweeper.c   removes expired keys
 *   stats.c     numbers; histogram.c: latencies
 *
 * Locks, in the order they may be taken: batch_gate, the indexes' own, the flusher's mutex.
 */
#ifndef FX_STORE_H
#define FX_STORE_H

#include "budget.h"
#include "clock.h"
#include "clock_cache.h"
#include "device.h"
#include "epoch.h"
#include "evict.h"
#include "extent_table.h"
#include "feox/feox.h"
#include "hash.h"
#include "hash_index.h"
#include "lock.h"
#include "ordered_index.h"
#include "queue.h"
#include "slab.h"
#include "space.h"
#include "superblock.h"

#include <pthread.h>
#include <stdatomic.h>

#define FX_STORE_SIZE_MIN   ((uint64_t)1 << 20) /* bytes */
#define FX_VERSION_SHARDS   64u
#define FX_VERSION_MAX	    ((uint64_t)INT64_MAX)
#define FX_VERSION_AHEAD_NS (UINT64_C(60) * 1000000000) /* ceiling above the clock */
#define FX_ID_MAX	    (UINT64_MAX / 2)
#define FX_ID_AHEAD	    (UINT64_C(1) << 24) /* ids a commit record allows */

#define FX_STAT_SHARDS 16u

/* Counters of operations, by thread, summed by feox_stats(). */
struct fx_counters {
	_Atomic uint64_t gets, misses, puts, deletes, touches, renames, batches, expiries,
		evictions;
	_Atomic uint64_t iterations, items, syncs;
	_Atomic uint32_t turn; /* histogram.h */
	_Atomic int64_t keys;  /* live in the index */
	_Atomic int64_t pins;  /* values given out */
} __attribute__((aligned(64)));

struct fx_histogram {
	_Atomic uint64_t sum_ns, max_ns;
	_Atomic uint64_t buckets[FEOX_HISTOGRAM_BUCKETS];
};

struct fx_chain;
struct fx_flusher; /* flush.c */
struct fx_sweeper; /* sweeper.c */

struct feox_store {
	/* Set at open, constant afterwards. */
	uint64_t hash_seed;
	uint64_t store_seed;  /* of checksums, from the UUID */
	unsigned int flags;   /* enum feox_open_flag */
	uint64_t cache_bytes; /* a cache keeps so much; 0: it is none */
	uint64_t memory_limit, max_value, initial_size, grow_max, max_size, flush_interval_ns;
	bool persistent; /* has a device; else memory only */
	bool read_only;	 /* opened so */
	char separator;
	struct fx_clock clock;
	void (*log)(void *ctx, enum feox_log_level level, const char *text);
	void *log_ctx;
	void (*changed)(void *ctx, const struct feox_event *event);
	void *changed_ctx;

	/* Memory and indexes: any thread. */
	struct fx_slab *slab;
	struct fx_epoch *epoch;
	struct fx_hash_index *hash;
	struct fx_ordered_index *order;
	struct fx_budget budget;
	struct fx_hand hand; /* of a cache */

	struct {
		_Atomic bool tracks;	/* readers say what they use */
		_Atomic uint64_t keeps; /* values kept in memory that were read from disk */
		/* The flusher's. */
		struct fx_clock_cache clock;
		bool found_nothing; /* at the last search, when these were so: */
		uint64_t commits, kept, searched_ns;
	} cool; /* cool.c */

	/* Versions and numbers: any thread. */
	_Atomic uint64_t version_shards[FX_VERSION_SHARDS]; /* latest given out, by hash */
	_Atomic uint64_t version_ceiling; /* durable; no automatic version passes it */
	_Atomic uint64_t id_next;	  /* the next feox_next_id() */
	_Atomic uint64_t id_ceiling;	  /* durable; last id that may be given out */

	/* Changes on their way to disk (persistent stores). */
	struct fx_queue queue;
	_Atomic uint64_t disk_reserved; /* bytes that queued records will take */
	_Atomic uint64_t disk_promised; /* bytes that feox_reserve() has promised to puts to come */
	_Atomic uint64_t disk_free;	/* bytes of free blocks, kept by the flusher */
	_Atomic int failed;		/* 0, or the negative errno that made it read-only */
	struct fx_flusher *flusher;
	struct fx_sweeper *sweeper;
	_Atomic uint64_t expiry_next; /* of any key, at the earliest; sweeper.c */

	/* The device and the map of it: the flusher's alone while it runs. */
	struct fx_lock lock;
	struct fx_device *device;
	struct fx_superblock super;
	unsigned int super_first; /* the copy that is older or invalid: written first */
	struct fx_chain *chain;	  /* of the journal; journal_chain.h */
	struct fx_space *space;
	struct fx_extent_table *extents; /* lookups: any thread, inside an epoch section */
	uint64_t next_sequence;		 /* of extents */
	struct {
		uint64_t step;	  /* counts what was done, for extents that rest */
		uint64_t credit;  /* bytes that may be moved in the background */
		uint64_t last_ns; /* when credit was given last */
	} compact;		  /* compact.c */
	struct {
		uint64_t grow_again_ns; /* not before, when nobody waits for it */
		uint64_t tail_since_ns; /* the tail has been free since then; 0: it is not */
		uint64_t tail_blocks;	/* so much of it, at least */
	} room;				/* room.c */

	/* Batches hold it shared, rename_prefix() exclusively. */
	pthread_rwlock_t batch_gate;
	struct fx_prefix_gate *_Atomic prefix_gate; /* rename.c: writers below it wait */
	pthread_mutex_t prefix_mutex;
	pthread_cond_t prefix_open;

	struct fx_counters counters[FX_STAT_SHARDS];
	struct fx_histogram latency[FEOX_OP_COUNT];
	struct {
		_Atomic uint64_t commits, written_bytes, read_bytes, grow_count;
		_Atomic uint64_t flush_ns_last, flush_ns_max;
		_Atomic uint64_t device_bytes, extents, leaving;
		_Atomic uint64_t allocated_bytes, live_bytes; /* extents; what lives in them */
		_Atomic uint64_t gain_blocks; /* compaction or a new chain could free */
		_Atomic uint64_t compacted_bytes, shrink_count, cooled_values, cooled_bytes;
		_Atomic uint64_t changed_bytes;
		uint64_t recovered_keys, recovery_ns;
	} io;
};

/* ---- flush.c ----------------------------------------------------------------------------------
 */

/* Start the flusher on a store whose map is complete (after recovery or format). */
int fx_flusher_start(struct feox_store *store);

/*
 * Make everything durable, write a clean commit record, stop and free it. The error when that did
 * not work. No writer runs any more.
 */
int fx_flusher_stop(struct feox_store *store);

/* Wake it if enough is queued to be worth a round. Any thread. */
void fx_flusher_kick(struct feox_store *store);

/* Wake it unless it has been woken: memory runs short. Any thread. */
void fx_flusher_hurry(struct feox_store *store);

/* Wake it: somebody waits for room in the queue. Any thread. */
void fx_flusher_wake(struct feox_store *store);

/*
 * Call done(ctx, result) when everything published before this call is durable, or cannot be.
 * Called by the flusher's thread, or at once. -ENOMEM: it will not be called.
 */
int fx_flusher_sync(struct feox_store *store, void (*done)(void *ctx, int result), void *ctx);

/*
 * Ask for bytes of room beside what is queued, wait for the answer of a round that begins now: what
 * dead records hold comes back, the file grows. 0: there was as much, -ENOSPC, -EIO.
 */
int fx_flusher_make_room(struct feox_store *store, uint64_t bytes);

/*
 * The same for memory: what is queued becomes clean, clean values leave. 0: there was as much, but
 * others may have taken it; -EAGAIN: some, not as much; -ENOMEM: nothing can leave.
 */
int fx_flusher_make_memory(struct feox_store *store, uint64_t bytes);

/* ---- create.c, format.c, recovery.c: before the flusher runs ------------------------------------
 */

/*
 * May store->device become a store? 1: nobody can miss what is on it; 0: it begins with something,
 * which recovery knows or refuses; -EUCLEAN: it does not, but holds data; -EIO.
 */
int fx_store_is_blank(struct feox_store *store, struct feox_diag *diag);

/*
 * Give a blank store->device its first size and write a fresh store onto it. uuid NULL: a random
 * one.
 */
int fx_store_create(struct feox_store *store, const uint8_t *uuid, struct feox_diag *diag);

/* Write a fresh store onto store->device (superblocks and an empty chain), and set the map up. */
int fx_store_format(struct feox_store *store, const uint8_t *uuid, struct feox_diag *diag);

/*
 * Read superblock, chain and extents of store->device; fill super, space, extents, the indexes and
 * versions; start a new chain when the store is writable.
 */
int fx_store_recover(struct feox_store *store,
		     void (*progress)(void *ctx, uint64_t done, uint64_t total), void *progress_ctx,
		     struct feox_diag *diag);

/* ---- cold.c -------------------------------------------------------------------------------------
 */

/*
 * Read [offset, offset + size) of a cold record's value into buffer, verified by slices. The caller
 * has pinned the record, and the extent of location (fx_extent_pin, in the section that loaded the
 * location), and is outside epoch sections. -EIO: unreadable or checksum mismatch.
 */
int fx_cold_read(struct feox_store *store, struct fx_extent *extent, fx_location location,
		 uint64_t value_size, uint64_t offset, void *buffer, size_t size);

/* A whole value to be read. */
struct fx_cold_request {
	struct fx_extent *extent;
	fx_location location;
	uint64_t value_size;
	void *buffer;
	int err; /* set: as fx_cold_read() */
};

/* Several of them at once, as the device can. The caller has pinned all. */
void fx_cold_read_many(struct feox_store *store, struct fx_cold_request *requests, size_t count);

/* ---- reserve.c ----------------------------------------------------------------------------------
 */

/* What a record of these sizes takes on disk at most, its share of extents and journal included. */
uint64_t fx_disk_cost(size_t key_size, size_t metadata_size, uint64_t value_size);
/* What a queued record takes on disk: all of it, an amendment, or nothing. */
uint64_t fx_disk_cost_of(const struct fx_record *record);
/*
 * What each of count amendments by one renamed prefix takes, of records in one extent, of which
 * first is one.
 */
uint32_t fx_disk_share(const struct fx_extent *extent, const struct fx_record *first,
		       uint32_t count);

/*
 * Take disk for a record that is to be queued; promised: feox_reserve() has promised it already. 0,
 * -ENOSPC, -EAGAIN (nowait, and a round of the flusher may make room). May wait.
 */
int fx_disk_reserve(struct feox_store *store, uint64_t bytes, bool promised, bool nowait);
void fx_disk_unreserve(struct feox_store *store, uint64_t bytes);

/* Reserve bytes that nobody has been promised, as many as there are of what is wanted. */
uint64_t fx_disk_take_spare(struct feox_store *store, uint64_t wanted);

/* ---- memory.c -----------------------------------------------------------------------------------
 */

/*
 * Take room in the memory limit for bytes that are to be allocated. Outside of epoch sections: what
 * is deferred is waited for when that makes room, with nowait it is -EAGAIN then; a cache evicts.
 * *ret_taken is for fx_budget_give(). -ENOMEM: there is no room.
 */
int fx_memory_take(struct feox_store *store, uint64_t bytes, bool nowait, uint64_t *ret_taken);

/* Where values begin to leave memory: what is beyond is kept free for writers. */
uint64_t fx_memory_high(const struct feox_store *store);

/*
 * May bytes be kept that can be had again from disk? Where there is no room for them beside what
 * writers need, the flusher is asked to make some.
 */
bool fx_memory_is_spare(struct feox_store *store, uint64_t bytes);

/* ---- commit.c: what the flusher calls when a batch is durable ----------------------------------
 */

/*
 * Give up the index's or flusher's reference on a record that nobody can find any more. The calling
 * thread has prepared for it (fx_epoch_prepare()).
 */
void fx_record_retire(struct feox_store *store, struct fx_record *record);

/* The same for the reference that a record had on its value. */
void fx_value_retire(struct feox_store *store, struct fx_value *value);

/* The epoch's way to free it: drops a reference. ctx is the store. */
void fx_record_free(void *record, void *ctx);

/* A tombstone both UNLINKED and DURABLE: empty its slot if it still has it, and retire it. */
void fx_tombstone_finish(struct feox_store *store, struct fx_record *tombstone);

/* Count a record that recovery has found. */
void fx_count_record(struct feox_store *store, const struct fx_record *record);

/* ---- sweeper.c ----------------------------------------------------------------------------------
 */

/* A live record that expires then has been published. Any thread. */
void fx_expiry_lower(struct feox_store *store, uint64_t expiry_ns);

int fx_sweeper_start(struct feox_store *store);
void fx_sweeper_stop(struct feox_store *store);

/* ---- store.c ------------------------------------------------------------------------------------
 */

/* A store of checked options that has no device yet, and nothing in it. */
int fx_store_new(const struct feox_options *options, struct feox_store **ret_store,
		 struct feox_diag *diag);

/* Lock and open the device that the options name. */
int fx_store_attach(struct feox_store *store, const struct feox_options *options,
		    struct feox_diag *diag);

/* No thread uses it any more. Half-built ones are allowed. */
void fx_store_free(struct feox_store *store);

/* -EROFS when the store is read-only or has failed, else 0. */
int fx_store_writable(struct feox_store *store);

void fx_store_log(struct feox_store *store, enum feox_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The device failed with err: read-only from now on, said once in the log. */
void fx_store_fail(struct feox_store *store, int err, const char *what);

/* Format diag->text (diag may be NULL) and return err. */
int fx_diag(struct feox_diag *diag, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* This processor's counters. stats.c */
struct fx_counters *fx_counters(struct feox_store *store);

static inline void fx_count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* Keys in the index. stats.c */
int64_t fx_sum_keys(struct feox_store *store);

#endif
