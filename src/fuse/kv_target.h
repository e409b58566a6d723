/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv_target.h - a change by the key: finds the file that the kernel knows under it, and afterwards
 * tells the kernel what to forget. names_lock is held exclusively from begin to done.
 */
#ifndef FX_KV_TARGET_H
#define FX_KV_TARGET_H

#include "known.h"
#include "kv.h"

struct fx_kv_target {
	struct fx_kv kv; /* its flags, conditions and expiry are the caller's */
	struct fx_known known;
	bool existed;
	bool noticed; /* there are notices that an answer should wait for (fx_notify_fence()) */
};

/* key, which stays the caller's, is inside the mount's prefix. On any result fx_kv_target_clear().
 */
int fx_kv_target_begin(struct fx_fs *fs, const void *key, size_t key_size, unsigned int nowait,
		       struct fx_kv_target *ret_target);
void fx_kv_target_clear(struct fx_kv_target *target);

/* What has been committed. -ENOMEM: the kernel may go on believing what it has cached. */
int fx_kv_target_set(struct fx_kv_target *target);     /* the value, maybe a new key */
int fx_kv_target_deleted(struct fx_kv_target *target); /* the key */
int fx_kv_target_expires(struct fx_kv_target *target); /* its expiry is another one */

/* Put what is staged of the key into the store. names_lock is held, shared. */
int fx_kv_publish(struct fx_fs *fs, const void *key, size_t key_size, unsigned int nowait);

#endif
