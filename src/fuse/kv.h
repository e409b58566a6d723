/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv.h - changes of one key as a key: what the key-value xattrs and ctl do.
 *
 * While a file is open for writing its stage is the key's value: every change here starts from it,
 * commits it together with the change itself (one commit), and lets open handles go on from the
 * result. A change of the value keeps the file's attributes, with mtime and ctime now.
 *
 * Callers hold names_lock; and either node's mutex or names_lock exclusively, so that nothing of
 * the mount comes between. What changes all the same (the sweeper, another thread's engine call) is
 * excluded by the engine, whose errors are those of feox.h.
 */
#ifndef FX_KV_H
#define FX_KV_H

#include "node.h"

struct fx_kv {
	struct fx_fs *fs;
	struct fx_node *node; /* the attached file of that key that the kernel knows, or NULL */
	const void *key;
	size_t key_size;
	unsigned int nowait;
	/* FEOX_CREATE, FEOX_REPLACE, FEOX_IF_VERSION; FEOX_SET_EXPIRY: expiry_ns, not what it has.
	 */
	unsigned int flags;
	uint64_t if_version;
	uint64_t expiry_ns; /* also of a key that is new */
};

/*
 * result may be NULL. With FEOX_IF_VERSION -ECANCELED means that what was staged has been
 * published, and nothing else was changed; any other failure changes nothing.
 */
int fx_kv_put(const struct fx_kv *kv, const void *value, size_t size,
	      struct feox_write_result *ret_result);
/* Only if the value is expected, else -ECANCELED. */
int fx_kv_swap(const struct fx_kv *kv, const void *expected, size_t expected_size,
	       const void *value, size_t size, struct feox_write_result *ret_result);
int fx_kv_add(const struct fx_kv *kv, int64_t delta, int64_t *ret_number,
	      struct feox_write_result *ret_result);
/* diag: see feox_patch(). */
int fx_kv_patch(const struct fx_kv *kv, const void *patch, size_t size,
		struct feox_write_result *ret_result, struct feox_diag *diag);
/* Open handles keep what they see. */
int fx_kv_delete(const struct fx_kv *kv);
/* Let the key expire at kv->expiry_ns, 0: never. Open handles keep what they see. */
int fx_kv_expire(const struct fx_kv *kv);

/* The same as parts of a batch: add; when all are added commit; when that succeeded, done. */
int fx_kv_batch_put(const struct fx_kv *kv, struct feox_batch *batch, const void *value,
		    size_t size);
int fx_kv_batch_delete(const struct fx_kv *kv, struct feox_batch *batch);
void fx_kv_batch_done(const struct fx_kv *kv, bool deleted);

#endif
