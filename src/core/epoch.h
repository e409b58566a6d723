/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoch.h - deferred reclamation over liburcu (urcu-bp): what lock-free readers may still look at
 * is freed after a grace period, in batches.
 *
 * Readers: fx_epoch_enter() .. fx_epoch_leave() (rcu_read_lock(3)); they may nest; nothing waits.
 * Every pointer loaded inside stays valid until the matching leave.
 *
 * Writers: unlink, then retire, inside a section or not; retiring never waits and never fails. What
 * has 16 bytes for a struct fx_retired goes that way. Records have none to spare: their writer
 * calls fx_epoch_prepare(), which may fail, before it publishes anything.
 *
 * Retired bytes are bounded: who is about to retire more calls fx_epoch_throttle(), outside of
 * sections. While more than the limit waits for its grace period, it waits too, for
 * FX_EPOCH_WAIT_NS at most. So a reader that sleeps inside a section slows writers down, never
 * other readers.
 *
 * A thread collects what it retires and hands it over from time to time; at most
 * FX_EPOCH_KEPT_BYTES stay with a thread that retires nothing any more.
 */
#ifndef FX_EPOCH_H
#define FX_EPOCH_H

/*
 * liburcu's read-side calls inline, except in sanitizer builds: 0.13 places its per-thread state at
 * an address its own alignment attribute forbids, which UBSan reports at every use.
 */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FX_SANITIZED 1
#endif
#endif
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(FX_SANITIZED)
#define _LGPL_SOURCE
#endif
#include <urcu-bp.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * ThreadSanitizer does not see liburcu's ordering (the library is not instrumented): a section's
 * end happens before the frees that follow its grace period.
 */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FX_TSAN 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define FX_TSAN 1
#endif
#ifdef FX_TSAN
#include <sanitizer/tsan_interface.h>
#define FX_TSAN_ACQUIRE(p) __tsan_acquire(p)
#define FX_TSAN_RELEASE(p) __tsan_release(p)
#else
#define FX_TSAN_ACQUIRE(p) ((void)0)
#define FX_TSAN_RELEASE(p) ((void)0)
#endif

/* An address that stands for "a grace period". */
#define FX_TSAN_GRACE ((void *)(uintptr_t)&fx_epoch_synchronize)

/* Wait for every reader that is inside now. Outside of sections. */
void fx_epoch_synchronize(void);

struct fx_epoch;

/* Embedded in what is retired. 16 bytes. */
struct fx_retired {
	struct fx_retired *next;
	void (*free)(struct fx_retired *retired, void *ctx); /* any thread; must not wait */
};

#define FX_EPOCH_KEPT_BYTES   ((uint64_t)64 << 10)
#define FX_EPOCH_DEFERRED_MAX ((uint64_t)64 << 20) /* the limit when none is set */
#define FX_EPOCH_WAIT_NS      (UINT64_C(10) * 1000000000)

/* ctx is given to every free. -ENOMEM. */
int fx_epoch_create(void *ctx, struct fx_epoch **ret_epoch);

/*
 * Before anything is retired: how items of fx_epoch_retire_plain() are freed (on any thread; must
 * not wait), and the limit of deferred bytes.
 */
void fx_epoch_configure(struct fx_epoch *epoch, void (*free_plain)(void *item, void *ctx),
			uint64_t deferred_max);

/* Waits for all that is deferred. NULL is allowed. No other call runs, no thread is in a section.
 */
void fx_epoch_destroy(struct fx_epoch *epoch);

/* ---- Readers --------------------------------------------------------------------------------- */

static inline void fx_epoch_enter(void)
{
	urcu_bp_read_lock();
}

static inline void fx_epoch_leave(void)
{
	FX_TSAN_RELEASE(FX_TSAN_GRACE);
	urcu_bp_read_unlock();
}

/* ---- Writers --------------------------------------------------------------------------------- */

void fx_epoch_retire(struct fx_epoch *epoch, struct fx_retired *retired,
		     void (*free)(struct fx_retired *retired, void *ctx), size_t bytes);

/*
 * The calling thread is going to retire up to count plain items, in this operation and whatever it
 * calls: -ENOMEM now instead of then. What it does not use stays for its next operation.
 */
int fx_epoch_prepare(struct fx_epoch *epoch, size_t count);

/* As fx_epoch_retire(), for what the calling thread has prepared. item is not NULL. */
void fx_epoch_retire_plain(struct fx_epoch *epoch, void *item, size_t bytes);

/* 0 when less than the limit is deferred. nowait: else -EAGAIN; -ENOMEM: waited in vain. */
int fx_epoch_throttle(struct fx_epoch *epoch, bool nowait);

/*
 * The end of an operation: hand over what the calling thread has collected when it is worth it.
 * What it had prepared may be gone.
 */
void fx_epoch_offer(struct fx_epoch *epoch);

/* The same whatever it is worth. */
void fx_epoch_flush(struct fx_epoch *epoch);

/* ---- Waiting: outside of sections ------------------------------------------------------------ */

/* Wait until all that this thread has retired, and others have handed over, has been freed. */
void fx_epoch_drain(struct fx_epoch *epoch);

/*
 * Hand over what the thread has collected, and wait until a part of what is deferred has been
 * freed, for FX_EPOCH_WAIT_NS at most. False: nothing was, or there was nothing.
 */
bool fx_epoch_reclaim(struct fx_epoch *epoch);

/* Bytes retired and not yet freed. */
uint64_t fx_epoch_deferred(const struct fx_epoch *epoch);

#endif
