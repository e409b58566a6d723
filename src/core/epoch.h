/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoch.h - deferred reclamation over liburcu (urcu-bp): what lock-free readers may still look at
 * is freed after a grace period, in batches.
 *
 * Readers: fx_epoch_enter() .. fx_epoch_leave() (rcu_read_lock(3)); they may nest; nothing waits.
 * Every pointer loaded inside stays valid until the matching leave.
 * Writers: unlink, then fx_epoch_retire(). May be called inside a section. Never waits; memory that
 * waits for its grace period is counted (fx_epoch_deferred()).
 * fx_epoch_synchronize() and fx_epoch_drain() wait, and must not be called inside a section.
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

struct fx_epoch;

/* Embedded in what is retired. 16 bytes. */
struct fx_retired {
	struct fx_retired *next;
	void (*free)(struct fx_retired *retired, void *ctx); /* any thread; must not wait */
};

/* ctx is given to every free. -ENOMEM. */
int fx_epoch_create(void *ctx, struct fx_epoch **ret_epoch);

/* Waits for all that is deferred. NULL is allowed. */
void fx_epoch_destroy(struct fx_epoch *epoch);

/* Wait for every reader that is inside now. */
void fx_epoch_synchronize(void);

static inline void fx_epoch_enter(void)
{
	urcu_bp_read_lock();
}

static inline void fx_epoch_leave(void)
{
	FX_TSAN_RELEASE(FX_TSAN_GRACE);
	urcu_bp_read_unlock();
}

void fx_epoch_retire(struct fx_epoch *epoch, struct fx_retired *retired,
		     void (*free)(struct fx_retired *retired, void *ctx), size_t bytes);

/* Hand over what is collected but below a batch: called by the sweeper now and then. */
void fx_epoch_flush(struct fx_epoch *epoch);

/* Wait until everything retired so far has been freed. */
void fx_epoch_drain(struct fx_epoch *epoch);

/* Bytes retired and not yet freed. */
uint64_t fx_epoch_deferred(const struct fx_epoch *epoch);

#endif
