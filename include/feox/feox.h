/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feox.h - the public interface of libfeox, an in-process, ordered, persistent key-value engine.
 *
 * Conventions, true for every call unless its own text says otherwise:
 *
 *  - Result: 0, or a negative errno value. errno itself is left alone. Outputs are called ret_* and
 *    are written only when the call succeeds. Misuse (a NULL that is not allowed, an unknown flag,
 *    a size beyond its limit) is -EINVAL and changes nothing.
 *  - Keys are 0..FEOX_KEY_MAX arbitrary bytes, values 0..max_value_bytes arbitrary bytes. Both are
 *    copied: the caller's buffers are free again when the call returns. Order is that of memcmp(3),
 *    a prefix before what it begins.
 *  - Threads: every call may be made from any number of threads at once on one store, except
 *    feox_close(), which must be the last. One iterator, batch or value belongs to one thread at a
 *    time.
 *  - Durability: a change is visible to every reader when its call returns, and durable at most
 *    flush_interval_ns plus one batch later, or when feox_sync() or feox_sync_key() has returned 0
 *    after it. After a crash the store is as it was at one moment: a change is never there without
 *    everything its writer had seen.
 *  - Expired means absent, in every call, from the very nanosecond on.
 *  - Times are nanoseconds; a point in time counts from the Unix epoch (CLOCK_REALTIME).
 *  - Errors any call on a persistent store may give: -EIO the device failed, -EROFS the store was
 *    opened read-only or has turned read-only because the device failed, -ENOMEM the memory limit
 *    (or the machine's memory) is reached.
 */
#ifndef FEOX_FEOX_H
#define FEOX_FEOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FEOX_API __attribute__((visibility("default")))

/* ---- Limits ---------------------------------------------------------------------------------- */

#define FEOX_KEY_MAX	       ((size_t)16 * 1024) /* bytes in a key */
#define FEOX_METADATA_MAX      ((size_t)96 * 1024) /* bytes in one record's metadata */
#define FEOX_VALUE_MAX	       ((size_t)1 << 30)   /* upper limit of max_value_bytes */
#define FEOX_VALUE_MAX_DEFAULT ((size_t)64 << 20)  /* max_value_bytes when the options say 0 */
#define FEOX_BATCH_MAX	       ((size_t)4 << 20)   /* operations in one batch */
#define FEOX_DIAG_MAX	       ((size_t)256)	   /* bytes of a diagnostic text, with its NUL */
#define FEOX_TIME_MAX	       (INT64_MAX)	   /* latest expiry, ns since 1970 */
#define FEOX_VERSION_SET_MAX   (UINT64_C(1) << 62) /* highest version a caller may set */

#define FEOX_JSON_DEPTH_MAX	  512u		      /* containers in containers of a JSON text */
#define FEOX_PATCH_MAX		  ((size_t)64 << 20)  /* bytes in a JSON Patch */
#define FEOX_PATCH_OPERATIONS_MAX ((size_t)65536)     /* operations in a JSON Patch */
#define FEOX_PATCH_WORK_MAX	  (UINT64_C(4) << 30) /* bytes walked and moved by all of them */
#define FEOX_PATCH_ATTEMPTS_MAX	  1000u		      /* lost races after which a patch gives up */

struct feox_store;
struct feox_iter;
struct feox_batch;

/* ---- Opening and closing --------------------------------------------------------------------- */

enum feox_open_flag {
	FEOX_OPEN_CREATE = 1 << 0,     /* make the store when the file is missing or blank */
	FEOX_OPEN_READ_ONLY = 1 << 1,  /* never write to the file; excludes CREATE */
	FEOX_OPEN_NO_URING = 1 << 2,   /* use pread(2)/pwrite(2) even where io_uring works */
	FEOX_OPEN_NO_SWEEPER = 1 << 3, /* leave expired keys in memory until they are overwritten */
	/*
	 * Without a path only: a cache. At the memory limit (4 MiB or more) a write evicts keys
	 * that were not used lately instead of failing: get, read, stat, get_many and every change
	 * of a key use it, iterators do not. Never evicted are keys that end with the separator
	 * and the empty one, which mounts keep directories by, and values that are pinned. -ENOMEM
	 * is left for what does not fit without all that can go.
	 */
	FEOX_OPEN_CACHE = 1 << 4
};

enum feox_log_level { FEOX_LOG_ERROR, FEOX_LOG_WARNING, FEOX_LOG_INFO };

enum feox_event_kind {
	FEOX_EVENT_SET,	   /* the value was written */
	FEOX_EVENT_TOUCH,  /* expiry or metadata changed; the version is that of the value */
	FEOX_EVENT_DELETE, /* version is the delete's, above all before */
	FEOX_EVENT_EXPIRE, /* as DELETE, when the sweeper removes an expired key: some time later */
	FEOX_EVENT_RENAME, /* what was from's is key's now, under this version */
	FEOX_EVENT_EVICT   /* as DELETE, by FEOX_OPEN_CACHE: told by the thread whose write needed
			    * the room, before that write */
};

/*
 * A change of one key, told to the options' changed() once, by the thread that made it, before its
 * call returns (an expiry: by the sweeper's thread). The change is visible then, not necessarily
 * durable. No lock and no section of the store is held: the callback may call the store, but for
 * feox_close(); while it runs, its writer waits and nobody else.
 *
 * Order: a thread's own changes are told in order. Those of different threads are told at the same
 * time and may overtake one another, also on one key; the version says which is newer. A receiver
 * keeps for each key (of a RENAME, for each name) the highest version it has seen and drops what
 * is older; on a TOUCH of that version it asks feox_stat(). What happens together (a batch, a
 * rename) is told as several events, and events of others may come in between. Not told: keys that
 * recovery finds, and an expired key that is overwritten before it is swept (that is one SET).
 *
 * RENAME: from was removed with from_version; 0: it got a new value at the same moment (an
 * exchange), which has an event of its own.
 */
struct feox_event {
	enum feox_event_kind kind;
	const void *key; /* valid during the call, as from */
	size_t key_size;
	uint64_t version;
	uint64_t expiry_ns; /* that the key has now; 0: never, or it is gone */
	const void *from;   /* RENAME: the old name, else NULL */
	size_t from_size;
	uint64_t from_version;
};

/*
 * What a store is opened with. Start from FEOX_OPTIONS_INIT, so that fields added later have their
 * defaults. A 0 in a size or time means the default named beside it. The struct and its strings
 * may go away when feox_open() returns; the contexts of callbacks must outlive the store.
 */
struct feox_options {
	const char *path;	     /* regular file or block device; NULL: memory only */
	unsigned int flags;	     /* enum feox_open_flag */
	char separator;		     /* fixed at creation; '/' when 0; else checked when nonzero */
	uint64_t memory_limit_bytes; /* records, indexes and deferred memory; half of RAM */
	uint64_t max_value_bytes;    /* 64 MiB; at most FEOX_VALUE_MAX */
	uint64_t initial_size_bytes; /* of a new file; 16 MiB */
	uint64_t grow_max_bytes;     /* largest growth step of a file; 1 GiB */
	uint64_t max_size_bytes;     /* limit of a file; none */
	uint64_t flush_interval_ns;  /* longest time a change stays undurable; 100 ms */

	/* Called from any thread of the store; must not call back into it. Says also, once, that
	 * io_uring cannot be used here and pread(2)/pwrite(2) are (FEOX_LOG_WARNING). */
	void (*log)(void *ctx, enum feox_log_level level, const char *text);
	void *log_ctx;
	/* Recovery: done of total steps so far, two for each key: reading it, and bringing it in
	 * order. Called by the opening thread. */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
	/* Called after each change of a key, see struct feox_event. NULL costs nothing. */
	void (*changed)(void *ctx, const struct feox_event *event);
	void *changed_ctx;
	/* Wall clock, ns since 1970, for tests; CLOCK_REALTIME when NULL. */
	uint64_t (*now)(void *ctx);
	void *now_ctx;
};

#define FEOX_OPTIONS_INIT                                                                          \
	{                                                                                          \
		0                                                                                  \
	}

/* Says in words what an errno cannot: which file, which block, what was found instead. */
struct feox_diag {
	char text[FEOX_DIAG_MAX];
};

/*
 * Open a store, recovering it when needed. diag may be NULL; it is written only on failure.
 *
 * -ENOENT   the file is missing and CREATE was not given
 * -EBUSY    another process (or this one) has the store open for writing; a store that is being
 *	     closed is waited for, at most 60 s. Or the block device is mounted, or part of a volume
 * -EUCLEAN  not a feox store, or damaged beyond what recovery may decide: diag says where. Only a
 *	     blank file or device (nothing but zeros) is made a store
 * -ENOTSUP  written by a newer format version
 * -EINVAL   an option is out of range, the separator is not the store's, or a cache has a path
 * -ENOSPC   a new file does not get its initial size
 */
FEOX_API int feox_open(const struct feox_options *options, struct feox_store **ret_store,
		       struct feox_diag *diag);

/*
 * Make everything durable, stop the threads and free the store. NULL is allowed. -EBUSY when values
 * are still pinned: nothing has happened then. On -EIO the store is closed all the same, and what
 * was not yet durable is lost.
 */
FEOX_API int feox_close(struct feox_store *store);

/*
 * Say that the store is about to be closed: from now on a feox_open() of it by somebody else waits
 * for that instead of being refused. For who has work of its own to finish before feox_close(),
 * which says it too. The store is used as before. NULL is allowed.
 */
FEOX_API void feox_announce_close(struct feox_store *store);

/* ---- Making, checking and mending a store ---------------------------------------------------- */

#define FEOX_UUID_SIZE 16u

/* What a store says of itself. */
struct feox_identity {
	uint8_t uuid[FEOX_UUID_SIZE]; /* RFC 4122 */
	uint64_t size_bytes;
	uint64_t created_ns;
	char separator;
};

enum feox_format_flag {
	FEOX_FORMAT_FORCE = 1 << 0 /* also over what is not blank: it is lost */
};

/* A 0 means the default named beside it. Start from {0}. */
struct feox_format_options {
	const char *path;	    /* a file, made when missing, or a block device */
	unsigned int flags;	    /* enum feox_format_flag */
	char separator;		    /* '/' */
	uint64_t size_bytes;	    /* of a file: 16 MiB. A block device is used as a whole: 0 */
	const uint8_t *uuid;	    /* FEOX_UUID_SIZE bytes; NULL: random */
	uint64_t (*now)(void *ctx); /* as in feox_options */
	void *now_ctx;
};

/*
 * Make a fresh store. It is durable when the call returns. ret_identity and diag may be NULL; diag
 * is written only on failure.
 *
 * -EEXIST   there is something, and FORCE was not given; nothing has changed
 * -EBUSY    somebody has it open, mounted or as a part of a volume, also with FORCE
 * -EINVAL   an option is out of range
 * -ENOSPC   no room for a file of that size; -EIO, -EACCES, -ENOTBLK: diag says what failed
 */
FEOX_API int feox_format(const struct feox_format_options *options,
			 struct feox_identity *ret_identity, struct feox_diag *diag);

enum feox_check_flag {
	FEOX_CHECK_QUICK = 1 << 0,  /* do not read what only readers of values would see: neither
				     * values nor the extents' checksums */
	FEOX_CHECK_REPAIR = 1 << 1, /* mend what can be mended without loss */
	FEOX_CHECK_SALVAGE = 1 << 2 /* mend all: with what is left. Implies REPAIR */
};

enum feox_severity {
	FEOX_NOTE, /* worth knowing; no fault: a crash may leave it, and the next open deals with it
		    */
	FEOX_FAULT, /* not as it should be, but nothing is lost: REPAIR mends it */
	FEOX_LOSS   /* something is lost: only SALVAGE goes on without it */
};

#define FEOX_NOWHERE UINT64_MAX

struct feox_finding {
	enum feox_severity severity;
	const char *text; /* one line; what was found, and for a LOSS what SALVAGE makes of it */
	uint64_t block;	  /* of 4096 bytes, where it begins; FEOX_NOWHERE */
	const void *key;  /* that is lost, as far as it is known, else NULL */
	size_t key_size;
};

enum feox_check_stage {
	FEOX_CHECK_KEYS = 1, /* of the keys that the journal says are there */
	FEOX_CHECK_VALUES,   /* of the values' and extents' bytes */
	FEOX_CHECK_SEARCH    /* of the device's blocks: for what a lost journal no longer names */
};

struct feox_check_options {
	const char *path;
	unsigned int flags; /* enum feox_check_flag */
	/* For SALVAGE when both superblocks are lost, which had it; '/' when 0. */
	char separator;
	/* Each finding, when it is found; before anything is changed, but for what a SALVAGE tells
	 * of its own search. */
	void (*report)(void *ctx, const struct feox_finding *finding);
	void *report_ctx;
	/* Now and then; may be NULL. Not 0: give up with -ECANCELED (and nothing has changed). */
	int (*progress)(void *ctx, enum feox_check_stage stage, uint64_t done, uint64_t total);
	void *progress_ctx;
	uint64_t (*now)(void *ctx); /* as in feox_options */
	void *now_ctx;
};

struct feox_check_result {
	struct feox_identity identity;
	bool clean;    /* it was closed in order */
	bool changed;  /* the check has written to it */
	bool salvaged; /* the journal was lost: what is there now is what was found */
	uint64_t notes, faults, losses; /* findings */
	uint64_t mended;		/* of the faults and losses */
	uint64_t journal_records, extents,
		keys;		/* read; in the end: extents and keys that are left */
	uint64_t checked_bytes; /* of extents and values */
	uint64_t lost_keys;	/* that are known to be lost, by name or number */
};

/*
 * Check a store that nobody has open for writing (without REPAIR: it may be open read-only): both
 * superblocks, every record of the journal, every extent, every value, that no block has two owners
 * and no key lives twice. Takes the memory that opening it would.
 *
 * What is damaged is reported, and mended as the flags say; nothing that was there is written over
 * before what replaces it is durable, so that a crash in between leaves it to be checked again.
 *
 * SALVAGE, of damaged extents and values: their keys are dropped, all others stay as they are. Of a
 * lost journal: the newest version of every key is kept whose checksum holds, wherever it is found.
 * Deletes, renames and changes of expiry and metadata may so be undone.
 *
 * The result is 0 when the check was done, whatever was found: faults + losses - mended are left.
 * ret_result must not be NULL and is written then; diag may be NULL, is written on failure only.
 *
 * -ENOENT, -EACCES, -EBUSY as feox_open()
 * -EUCLEAN  not a feox store: nothing of one was found
 * -ENOTSUP  written by a newer format version: nothing is said about it
 * -ENOSPC   SALVAGE or REPAIR: no room for a new journal; nothing has changed
 * -ECANCELED progress() said so
 */
FEOX_API int feox_check(const struct feox_check_options *options,
			struct feox_check_result *ret_result, struct feox_diag *diag);

/* ---- Reading --------------------------------------------------------------------------------- */

enum feox_read_flag {
	FEOX_NOWAIT = 1 << 0 /* -EAGAIN instead of waiting for the disk, a full queue or a writer */
};

/* A pinned, read-only view of one version of a value. Later writes do not change it. */
struct feox_value {
	const void *data;
	size_t size;
	uint64_t version;
	uint64_t expiry_ns; /* 0: never */
	void *pin;	    /* private */
};

/* The value of key. Release it with feox_value_release(). -ENOENT when absent; -EAGAIN see NOWAIT.
 */
FEOX_API int feox_get(struct feox_store *store, const void *key, size_t key_size,
		      unsigned int flags, struct feox_value *ret_value);

/* Give a pinned view back. A zeroed value is allowed; the struct is zeroed. */
FEOX_API void feox_value_release(struct feox_store *store, struct feox_value *value);

struct feox_key {
	const void *data;
	size_t size;
};

/*
 * The values of n keys, each as by feox_get(), with their memory accesses overlapped: a multiple
 * faster than n calls, best in groups of 16 and more. Not one moment: each key is read by itself.
 * ret_errors[i] is the result for keys[i]: 0, -ENOENT, -EAGAIN, -EINVAL (a key that cannot be),
 * -EIO, -ENOMEM; ret_values[i] is zeroed unless it is 0. Release them with feox_release_many(), or
 * one by one. The result itself is 0, or -EINVAL and nothing is written.
 */
FEOX_API int feox_get_many(struct feox_store *store, const struct feox_key *keys, size_t n,
			   unsigned int flags, struct feox_value *ret_values, int *ret_errors);

/* Give n pinned views back, zeroed ones among them. */
FEOX_API void feox_release_many(struct feox_store *store, struct feox_value *values, size_t n);

/*
 * Copy at most size bytes from offset on into buffer; *ret_size says how many (0 at or past the
 * end). Of a value that is not in memory only the 64 KiB slices concerned are read and verified.
 * *ret_version (may be NULL) is the version read. -ENOENT, -EAGAIN as feox_get().
 */
FEOX_API int feox_read(struct feox_store *store, const void *key, size_t key_size, uint64_t offset,
		       void *buffer, size_t size, unsigned int flags, size_t *ret_size,
		       uint64_t *ret_version);

struct feox_stat {
	uint64_t size; /* bytes of the value */
	uint64_t version;
	uint64_t expiry_ns;   /* 0: never */
	size_t metadata_size; /* bytes of metadata, also when the buffer was smaller */
};

/*
 * Size, version, expiry and metadata of key; never touches the disk. At most metadata_capacity
 * bytes of metadata are copied into metadata (may be NULL with 0). -ENOENT when absent.
 */
FEOX_API int feox_stat(struct feox_store *store, const void *key, size_t key_size, void *metadata,
		       size_t metadata_capacity, struct feox_stat *ret_stat);

/* ---- Writing --------------------------------------------------------------------------------- */

/*
 * Versions: a 64-bit number that grows with every change of a key's value and never repeats for
 * that key, even after delete and re-create or a crash; it is the token to compare and swap with.
 * Changes of expiry or metadata keep it; a rename gives the target a new one.
 *
 * Automatic versions are nanoseconds of wall time, or one more than what was before. A caller that
 * brings versions along (a replica, a backup) gives them with FEOX_SET_VERSION: refused with
 * -ESTALE unless newer than what the store has of the key, be it expired or deleted; accepted ones
 * lift the automatic versions that follow, also after a crash. A delete is remembered until it is
 * durable, in memory-only stores not at all: then a version that the key had before may be given to
 * it again, and not to do so is up to the caller.
 */

enum feox_write_flag {
	/* FEOX_NOWAIT (1 << 0) is allowed for every write. */
	FEOX_CREATE = 1 << 1,	     /* -EEXIST when the key is present */
	FEOX_REPLACE = 1 << 2,	     /* -ENOENT when the key is absent */
	FEOX_IF_VERSION = 1 << 3,    /* -ECANCELED unless the key is present with if_version */
	FEOX_IF_ABSENT = 1 << 4,     /* batches: leave a present key as it is, without failing */
	FEOX_KEEP_EXPIRY = 1 << 5,   /* keep the expiry of the value that is replaced */
	FEOX_KEEP_METADATA = 1 << 6, /* keep the metadata of the value that is replaced */
	FEOX_RESERVED = 1 << 7,	     /* the caller holds a feox_reserve() of at least this value's
				      * size: there is room; it stays the caller's to give back */
	FEOX_SET_EXPIRY = 1 << 11,   /* feox_add(), feox_patch(): expiry_ns also for a key that is
				      * present, instead of keeping what it has */
	FEOX_SET_METADATA = 1 << 14, /* the same for metadata */
	FEOX_BASE = 1 << 15,	     /* feox_add(), feox_patch(): start from base instead of the
				      * value of the key, which must be present; for who holds a
				      * newer value than the store does. Implies FEOX_REPLACE */
	FEOX_SET_VERSION = 1 << 12   /* not for set_expiry, set_metadata: the change has the version
				      * set_version; -ESTALE unless newer than what is there */
};

/* How to write; NULL stands for all zero. Fields without their flag are ignored. */
struct feox_write_options {
	unsigned int flags;   /* enum feox_write_flag, FEOX_NOWAIT */
	uint64_t if_version;  /* with FEOX_IF_VERSION */
	uint64_t expiry_ns;   /* point in time, 0: never; with KEEP_EXPIRY only for a new key */
	const void *metadata; /* opaque bytes kept with the record; with KEEP_METADATA only */
	size_t metadata_size; /* for a key that is new; at most FEOX_METADATA_MAX */
	const void *base;     /* with FEOX_BASE */
	size_t base_size;
	uint64_t set_version; /* with FEOX_SET_VERSION: 1 to FEOX_VERSION_SET_MAX, else -EINVAL */
};

struct feox_write_result {
	uint64_t version;
	uint64_t expiry_ns; /* that the key has now; 0: never */
	bool created;	    /* the key was absent */
};

/*
 * Set key to value. ret_result may be NULL. -EEXIST, -ENOENT, -ECANCELED, -ESTALE see the flags;
 * -EFBIG the value is larger than max_value_bytes; -ENOSPC no room on the device, now or by
 * growing; -EAGAIN see FEOX_NOWAIT. On any failure nothing has changed.
 */
FEOX_API int feox_put(struct feox_store *store, const void *key, size_t key_size, const void *value,
		      size_t value_size, const struct feox_write_options *options,
		      struct feox_write_result *ret_result);

struct feox_pair {
	struct feox_key key;
	const void *value;
	size_t value_size;
};

/*
 * Put n values, each as by feox_put() with the same options, with the memory accesses overlapped.
 * Not one change: others may see some of them (feox_batch_put() is for that), and one that fails
 * stops no other. In order: of a key named twice the later value stays. ret_errors[i] is the result
 * for pairs[i]; ret_results may be NULL, ret_results[i] is zeroed unless it is 0. The result itself
 * is 0, or -EINVAL and nothing has happened.
 */
FEOX_API int feox_put_many(struct feox_store *store, const struct feox_pair *pairs, size_t n,
			   const struct feox_write_options *options,
			   struct feox_write_result *ret_results, int *ret_errors);

/*
 * Remove key. Of the options only FEOX_NOWAIT, FEOX_IF_VERSION and FEOX_SET_VERSION (the delete's)
 * count; FEOX_REPLACE goes without saying. -ENOENT when absent, -ECANCELED when its version is
 * another one, -ESTALE when set_version is not newer. Works on a full store.
 */
FEOX_API int feox_delete(struct feox_store *store, const void *key, size_t key_size,
			 const struct feox_write_options *options);

/*
 * Let key expire at expiry_ns (0: never), without touching its value or version. A time that is not
 * in the future makes the key absent at once. -ENOENT when absent, -ECANCELED (FEOX_IF_VERSION).
 */
FEOX_API int feox_set_expiry(struct feox_store *store, const void *key, size_t key_size,
			     uint64_t expiry_ns, const struct feox_write_options *options);

/* Replace the metadata of key, without touching value, version or expiry. Errors as set_expiry. */
FEOX_API int feox_set_metadata(struct feox_store *store, const void *key, size_t key_size,
			       const void *metadata, size_t metadata_size,
			       const struct feox_write_options *options);

/*
 * Compare and swap by value: set key to value if its value is expected, byte by byte, in one atomic
 * step. Everything else as feox_put(), but FEOX_CREATE is -EINVAL. -ENOENT the key is absent;
 * -ECANCELED it has another value. (FEOX_IF_VERSION compares without the old value at hand, and
 * notices that a value has changed and changed back.)
 */
FEOX_API int feox_cas(struct feox_store *store, const void *key, size_t key_size,
		      const void *expected, size_t expected_size, const void *value,
		      size_t value_size, const struct feox_write_options *options,
		      struct feox_write_result *ret_result);

/*
 * Add delta to the number that key's value is, in one atomic step: of any number of concurrent
 * calls none is lost. The value is decimal text of a signed 64-bit number, with a minus sign or
 * none and without leading zeros, as "-17"; one newline behind it is allowed and kept. An absent
 * key counts as "0". *ret_number is the sum; it and ret_result may be NULL.
 *
 * A key that is present keeps its expiry and metadata unless FEOX_SET_EXPIRY or FEOX_SET_METADATA
 * is given; a new one gets those of options. Flags: FEOX_NOWAIT, FEOX_CREATE, FEOX_REPLACE,
 * FEOX_IF_VERSION, FEOX_RESERVED, FEOX_SET_EXPIRY, FEOX_SET_METADATA, FEOX_BASE, FEOX_SET_VERSION;
 * FEOX_KEEP_EXPIRY and FEOX_KEEP_METADATA go without saying.
 *
 * -EINVAL the value is no such text; -ERANGE the sum is beyond 64 bits; -EEXIST, -ENOENT,
 * -ECANCELED, -ESTALE see the flags; -ENOSPC, -EAGAIN as feox_put(). On any failure nothing has
 * changed.
 */
FEOX_API int feox_add(struct feox_store *store, const void *key, size_t key_size, int64_t delta,
		      const struct feox_write_options *options, int64_t *ret_number,
		      struct feox_write_result *ret_result);

/*
 * Apply a JSON Patch (RFC 6902, pointers by RFC 6901) to the JSON text (RFC 8259) that key's value
 * is: all of its operations or, on any failure, none. Atomic: it is applied to one version and
 * replaces that very version; when another writer was faster it is applied anew. The key keeps its
 * expiry and metadata unless FEOX_SET_EXPIRY or FEOX_SET_METADATA is given.
 *
 * The text is edited, not written anew: what the patch does not touch keeps its bytes - the order
 * of members, white space, 1.10, numbers of any length. So do the values put in, only that a value
 * of several lines takes the indentation of its new place. A new member comes last; new members and
 * elements are set apart as their neighbours are.
 *
 * "test" compares numbers by mathematical value without rounding (1 = 1.0 = 10e-1), strings by code
 * points however they are escaped, objects in any order of members.
 *
 * While it runs it takes memory outside of memory_limit_bytes: about twice the value's size, and a
 * few times the patch's.
 *
 * Flags: FEOX_NOWAIT, FEOX_IF_VERSION, FEOX_RESERVED, FEOX_SET_EXPIRY, FEOX_SET_METADATA,
 * FEOX_BASE, FEOX_SET_VERSION; FEOX_REPLACE, FEOX_KEEP_EXPIRY and FEOX_KEEP_METADATA go without
 * saying. ret_result and diag may be NULL; diag is written only on failure, and is empty where the
 * errno says it all.
 *
 * -ENOENT    the key is absent
 * -EINVAL    misuse; or, and then diag names the operation (from 0), the pointer and the byte
 *	      offset concerned: the value is not JSON in UTF-8, or nested deeper than
 *	      FEOX_JSON_DEPTH_MAX; the patch is not a JSON Patch, or has a member name twice in an
 *	      object; a location does not exist or cannot; an object on a pointer's way has the
 *	      member name twice; a "test" fails
 * -EFBIG     the value would become, at any time, larger than max_value_bytes or nested too deep;
 *	      the patch has more bytes, operations or work than FEOX_PATCH_*_MAX allow; diag says
 *	      which
 * -ECANCELED the key's version is not if_version (FEOX_IF_VERSION)
 * -ESTALE    set_version is not newer than the key's version (FEOX_SET_VERSION)
 * -EBUSY     other writers were faster FEOX_PATCH_ATTEMPTS_MAX times
 * -ENOSPC, -EAGAIN as feox_put()
 */
FEOX_API int feox_patch(struct feox_store *store, const void *key, size_t key_size,
			const void *patch, size_t patch_size,
			const struct feox_write_options *options,
			struct feox_write_result *ret_result, struct feox_diag *diag);

enum feox_rename_flag {
	/* FEOX_NOWAIT (1 << 0) and FEOX_IF_VERSION (of the target) are allowed too. */
	FEOX_RENAME_NOREPLACE = 1 << 8, /* -EEXIST when the target is present */
	FEOX_RENAME_EXCHANGE = 1 << 9,	/* both must be present; they change places */
	FEOX_RENAME_METADATA = 1 << 10, /* the moved record gets this metadata instead of its own */
	FEOX_RENAME_BASE = 1 << 13	/* rename_prefix: the keys that are the prefixes without
					 * their last byte, the separator, take part as those below */
};

struct feox_rename_options {
	unsigned int flags;
	uint64_t if_version;
	const void *metadata;
	size_t metadata_size;
	uint64_t max_keys; /* feox_rename_prefix(): refuse to move more; 0: FEOX_BATCH_MAX / 2 */
};

/*
 * Move key from to key to, with value, metadata and expiry; the target gets a new version. Atomic
 * for every reader and across a crash. Renaming a key to itself only checks that it is there.
 * -ENOENT the source (with EXCHANGE either) is absent; -EEXIST, -ECANCELED see the flags.
 */
FEOX_API int feox_rename(struct feox_store *store, const void *from, size_t from_size,
			 const void *to, size_t to_size, const struct feox_rename_options *options);

/*
 * Move every key that begins with from to the key with from replaced by to, in one atomic change;
 * the operations of batch (may be NULL; it is used up as by feox_batch_commit()) happen in the same
 * change, which must not name keys under either prefix. Keys already under to are removed (with
 * EXCHANGE they move to from; with NOREPLACE there must be none). With FEOX_RENAME_BASE "a/" to
 * "b/" also moves the key "a" to "b", when there is one. Writers below either prefix wait while it
 * runs; readers do not. *ret_moved (may be NULL) counts the keys moved. Of options if_version and
 * metadata do not count. -ENOENT there is nothing to move; -EINVAL one prefix begins with the
 * other, batch names a key under one of them, or (BASE) their last bytes differ; -E2BIG more than
 * max_keys keys; -EEXIST (NOREPLACE); -EAGAIN FEOX_NOWAIT: it always has to wait for writers;
 * -ENAMETOOLONG a key would become larger than FEOX_KEY_MAX.
 */
FEOX_API int feox_rename_prefix(struct feox_store *store, const void *from, size_t from_size,
				const void *to, size_t to_size,
				const struct feox_rename_options *options, struct feox_batch *batch,
				uint64_t *ret_moved);

/* ---- Batches --------------------------------------------------------------------------------- */

/*
 * Several changes that happen together or not at all, for every reader and across a crash. Each key
 * may be named once (a rename names two), else -EINVAL at commit. Keys and values are copied when
 * added. Conditions are checked at commit.
 */
FEOX_API int feox_batch_create(struct feox_store *store, struct feox_batch **ret_batch);
FEOX_API void feox_batch_free(struct feox_batch *batch); /* NULL is allowed */

FEOX_API int feox_batch_put(struct feox_batch *batch, const void *key, size_t key_size,
			    const void *value, size_t value_size,
			    const struct feox_write_options *options);
FEOX_API int feox_batch_delete(struct feox_batch *batch, const void *key, size_t key_size,
			       const struct feox_write_options *options);
FEOX_API int feox_batch_set_metadata(struct feox_batch *batch, const void *key, size_t key_size,
				     const void *metadata, size_t metadata_size,
				     const struct feox_write_options *options);
/*
 * Change nothing, but let the batch fail unless key is as FEOX_CREATE (absent), FEOX_REPLACE
 * (present) or FEOX_IF_VERSION say.
 */
FEOX_API int feox_batch_check(struct feox_batch *batch, const void *key, size_t key_size,
			      const struct feox_write_options *options);
FEOX_API int feox_batch_rename(struct feox_batch *batch, const void *from, size_t from_size,
			       const void *to, size_t to_size,
			       const struct feox_rename_options *options);

/*
 * Commit. On failure nothing has changed, and *ret_failed (may be NULL, and is written only on
 * failure here) is the number of the operation, from 0, that failed, or SIZE_MAX when the failure
 * is none's own. The batch is empty afterwards either way and may be filled again. -E2BIG keys and
 * metadata of renames and set_metadata are more than 512 MiB. flags: FEOX_NOWAIT.
 */
FEOX_API int feox_batch_commit(struct feox_batch *batch, unsigned int flags, size_t *ret_failed);

/* ---- Reservations ---------------------------------------------------------------------------- */

/*
 * Promise memory and disk to a later put with FEOX_RESERVED of a value of at most value_size bytes
 * under a key with metadata of together at most 20 KiB. The promise stands until feox_unreserve()
 * with the same size, also across that put. -ENOMEM, -ENOSPC: now instead of then. -EFBIG
 * value_size is beyond max_value_bytes. flags: FEOX_NOWAIT (-EAGAIN: the file has to grow first).
 */
FEOX_API int feox_reserve(struct feox_store *store, uint64_t value_size, unsigned int flags);

/*
 * Make a promise of from_size bytes one of to_size, which is not less: only the difference needs
 * room. Errors as feox_reserve(); the promise is then what it was.
 */
FEOX_API int feox_reserve_more(struct feox_store *store, uint64_t from_size, uint64_t to_size,
			       unsigned int flags);
FEOX_API void feox_unreserve(struct feox_store *store, uint64_t value_size);

/* ---- Ranges ---------------------------------------------------------------------------------- */

enum feox_iter_flag {
	FEOX_ITER_REVERSE = 1 << 4,	   /* from the last key down */
	FEOX_ITER_KEYS_ONLY = 1 << 5,	   /* only keys: all else in the item is 0 */
	FEOX_ITER_FROM_EXCLUSIVE = 1 << 6, /* from itself is not in the range */
	FEOX_ITER_TO_EXCLUSIVE = 1 << 7,   /* to itself is not in the range */
	FEOX_ITER_STAT = 1 << 8 /* all but the value: never touches the disk, as KEYS_ONLY,
				 * which it excludes; that is several times faster */
};

/*
 * Which keys: those in [from, to] that begin with prefix. A NULL from or to means no bound on that
 * side; in reverse, from is still the lower bound. NULL prefix: all.
 */
struct feox_iter_options {
	unsigned int flags; /* enum feox_iter_flag, FEOX_NOWAIT */
	const void *from;
	size_t from_size;
	const void *to;
	size_t to_size;
	const void *prefix;
	size_t prefix_size;
	uint64_t limit; /* most items given; 0: no limit */
};

struct feox_item {
	const void *key; /* valid until the next call on the iterator */
	size_t key_size;
	uint64_t value_size;
	uint64_t version;
	uint64_t expiry_ns;
	const void *value; /* NULL with KEYS_ONLY and STAT; valid as key */
};

/*
 * An iterator gives every key that is there from its opening to its end exactly once, in order; a
 * key that comes or goes meanwhile may be given or not: keys are read ahead, up to 512 of them.
 * What is given with a key is as it is when feox_iter_next() returns with FEOX_ITER_STAT; else as
 * it was at one moment since the call that gave the 128th item before it. It holds no lock between
 * calls. options are copied. Close it with feox_iter_close() (NULL is allowed).
 */
FEOX_API int feox_iter_open(struct feox_store *store, const struct feox_iter_options *options,
			    struct feox_iter **ret_iter);
FEOX_API void feox_iter_close(struct feox_iter *iter);

/* 1 and the next item; 0 at the end; a negative errno (-EAGAIN: call again to go on). */
FEOX_API int feox_iter_next(struct feox_iter *iter, struct feox_item *ret_item);

/*
 * Go on at the first key at or after key (in reverse: at or before), forward or back, but never
 * outside the range. The limit is not reset. Among the keys read ahead it costs a search in memory
 * that is near; key may be the last item's. -ENOMEM: it goes on as before.
 */
FEOX_API int feox_iter_seek(struct feox_iter *iter, const void *key, size_t key_size);

/* ---- Durability, numbers --------------------------------------------------------------------- */

/*
 * Wait until everything that was visible when the call was made is durable. Callers share one
 * fdatasync(2). Memory-only stores answer at once. -EIO: what was written since the last success
 * may be lost, and the store is read-only from now on.
 */
FEOX_API int feox_sync(struct feox_store *store);

/* The same for one key, or for its absence; answers at once when that is durable already. */
FEOX_API int feox_sync_key(struct feox_store *store, const void *key, size_t key_size);

/*
 * The same without waiting: done(ctx, result) is called once, by a thread of the store or before
 * the call returns. It must not wait. key NULL: everything. Non-zero: done will not be called.
 */
FEOX_API int feox_sync_async(struct feox_store *store, const void *key, size_t key_size,
			     void (*done)(void *ctx, int result), void *ctx);

/* A number that this store never gives again, also after a crash; from 1 on. */
FEOX_API int feox_next_id(struct feox_store *store, uint64_t *ret_id);

/* The store's clock: what expiry is compared with. Never runs backwards. */
FEOX_API uint64_t feox_now(struct feox_store *store);

/* The separator fixed when the store was made, for those who show keys as paths. */
FEOX_API char feox_separator(const struct feox_store *store);

/*
 * What the store was opened with, every 0 replaced by what it stands for (max_size_bytes stays 0:
 * no limit); FEOX_OPEN_NO_URING is set whenever io_uring is not used. path and the callbacks are
 * NULL.
 */
FEOX_API void feox_effective_options(const struct feox_store *store,
				     struct feox_options *ret_options);

/*
 * Counters are exact and count what succeeded since open, key by key: a batch counts each of its
 * operations, feox_get_many() each key. Calls that failed or were told -EAGAIN count nowhere.
 */
struct feox_stats {
	uint64_t keys;	    /* live, expired but not swept ones included */
	uint64_t gets;	    /* get, read, stat, get_many that found the key */
	uint64_t misses;    /* the same, and it was absent */
	uint64_t puts;	    /* put, put_many, cas, add, patch */
	uint64_t deletes;   /* also of keys in the way of feox_rename_prefix() */
	uint64_t touches;   /* set_expiry, set_metadata */
	uint64_t renames;   /* keys moved; an exchange is one */
	uint64_t batches;   /* batch_commit, rename, rename_prefix */
	uint64_t expiries;  /* expired keys that the sweeper has removed */
	uint64_t evictions; /* keys that FEOX_OPEN_CACHE has removed, be it that they had expired */
	uint64_t iterations; /* iter_open */
	uint64_t items;	     /* given by iter_next; exact when the iterator is closed */
	uint64_t syncs;	     /* sync, sync_key, sync_async */
	/*
	 * Memory, bytes: what is given out, which is the sum of its first four parts, and is held
	 * against the limit together with what is reserved. Overhead is memory beside: free blocks,
	 * and pages of them that cannot be given back yet.
	 */
	uint64_t memory_bytes, memory_limit_bytes;
	uint64_t memory_record_bytes;	/* records and values, pinned ones included */
	uint64_t memory_hash_bytes;	/* the hash index */
	uint64_t memory_order_bytes;	/* the ordered index */
	uint64_t memory_deferred_bytes; /* replaced or deleted, and about to be freed */
	uint64_t memory_overhead_bytes;
	uint64_t memory_reserved_bytes;	      /* feox_reserve(), and changes that are under way */
	uint64_t cooled_values, cooled_bytes; /* values that have left memory */
	/* Device. */
	uint64_t device_bytes, free_bytes, max_bytes; /* max_bytes: 0 when growth has no limit */
	uint64_t extents, commits, written_bytes, read_bytes, grow_count, shrink_count;
	uint64_t changed_bytes;	  /* keys, metadata and values of the changes made durable */
	uint64_t allocated_bytes; /* blocks of the extents */
	uint64_t live_bytes;	  /* of these, what their live records take */
	uint64_t compacted_bytes; /* moved to free the extents that they were in */
	uint64_t queued_records, queued_bytes; /* changes that are not durable yet */
	uint64_t flush_ns_last, flush_ns_max;
	uint64_t recovered_keys, recovery_ns;
	bool read_only, failed; /* failed: turned read-only by the device */
};

FEOX_API int feox_stats(struct feox_store *store, struct feox_stats *ret_stats);

/* What latencies are told apart, of calls that succeeded or answered "absent". */
enum feox_op {
	FEOX_OP_GET,	/* get, read, stat; 1 of 64 is timed, and so with those that follow */
	FEOX_OP_PUT,	/* put, put_many (each key) */
	FEOX_OP_DELETE, /* delete */
	FEOX_OP_UPDATE, /* cas, add, patch, set_expiry, set_metadata */
	FEOX_OP_NEXT,	/* iter_next */
	FEOX_OP_BATCH,	/* batch_commit, rename, rename_prefix; all are timed, as those below */
	FEOX_OP_SYNC,	/* sync, sync_key, sync_async that had to wait, until the answer */
	FEOX_OP_FLUSH,	/* one round of the flusher that wrote something */
	FEOX_OP_COUNT
};

#define FEOX_SAMPLE_SHIFT      6u   /* 2 to this power: one in 64 */
#define FEOX_HISTOGRAM_BUCKETS 608u /* 16 for each power of two ns: at most 1/16 too high */

struct feox_histogram {
	uint64_t count; /* of all buckets */
	uint64_t sum_ns, max_ns;
	uint64_t buckets[FEOX_HISTOGRAM_BUCKETS];
};

/* The latencies of op since open. -EINVAL: no such op. */
FEOX_API int feox_histogram(struct feox_store *store, enum feox_op op,
			    struct feox_histogram *ret_histogram);

/* The highest latency that counts in bucket; UINT64_MAX for the last one. */
FEOX_API uint64_t feox_histogram_limit(size_t bucket);

/* A latency that percent (0 to 100) of those counted do not exceed; 0 when there are none. */
FEOX_API uint64_t feox_histogram_percentile(const struct feox_histogram *histogram, double percent);

/* The usual ones, ns. */
struct feox_latency {
	uint64_t count; /* timed */
	uint64_t mean_ns, p50_ns, p90_ns, p99_ns, p999_ns, max_ns;
};

FEOX_API int feox_latency(struct feox_store *store, enum feox_op op,
			  struct feox_latency *ret_latency);

/* The library's version, "0.1.0". */
FEOX_API const char *feox_version(void);

#ifdef __cplusplus
}
#endif

#endif
