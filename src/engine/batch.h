/* SPDX-License-Identifier: Apache-2.0 */
/* batch.h - what a batch consists of; transaction.c makes it happen. */
#ifndef FX_BATCH_H
#define FX_BATCH_H

#include "write.h"

enum fx_op_kind { FX_OP_PUT, FX_OP_DELETE, FX_OP_METADATA, FX_OP_RENAME, FX_OP_CHECK };

/* In fx_op.flags: what has expired meanwhile is not there, and that is no failure (rename_prefix).
 */
#define FX_OP_OPTIONAL (1u << 16)
/* A rename whose two keys differ in their beginnings, strip and prefix_size bytes; all of these in
 * a batch give one version. */
#define FX_OP_PREFIX (1u << 17)

/* What a commit has made of a key: set while it is decided, for event.c. */
enum fx_key_outcome { FX_KEY_SAME, FX_KEY_SET, FX_KEY_GONE };

struct fx_outcome {
	enum fx_key_outcome what;
	uint64_t version, expiry_ns;
};

struct fx_op {
	enum fx_op_kind kind;
	unsigned int flags;
	uint64_t if_version, set_version, expiry_ns;
	size_t key_size, target_size, metadata_size, value_size;
	uint16_t strip, prefix_size;  /* FX_OP_PREFIX */
	struct fx_value *large;	      /* the value when it is not inline */
	uint8_t *bytes;		      /* key, target, metadata, inline value; malloc(3)ed */
	struct fx_outcome outcome[2]; /* of key and target */
};

struct feox_batch {
	struct feox_store *store;
	struct fx_op *ops;
	size_t count, capacity;
};

static inline const uint8_t *fx_op_key(const struct fx_op *op)
{
	return op->bytes;
}

static inline const uint8_t *fx_op_target(const struct fx_op *op)
{
	return op->bytes + op->key_size;
}

static inline const uint8_t *fx_op_metadata(const struct fx_op *op)
{
	return fx_op_target(op) + op->target_size;
}

static inline const uint8_t *fx_op_value(const struct fx_op *op)
{
	return fx_op_metadata(op) + op->metadata_size;
}

/*
 * All operations of batch, or none. The caller holds the batch gate. *ret_failed as in
 * feox_batch_commit(). transaction.c
 */
int fx_transaction_run(struct feox_store *store, struct feox_batch *batch, unsigned int flags,
		       size_t *ret_failed);

/*
 * After a commit that succeeded, outside of every lock: count it, begun at begin_ns, and tell the
 * change callback. The operations are still there. batch.c
 */
void fx_batch_finish(struct feox_batch *batch, uint64_t begin_ns);

/* Tell the callback, which is set, what the commit of batch has changed. event.c */
void fx_event_batch(const struct feox_batch *batch);

/* Forget all operations. */
void fx_batch_clear(struct feox_batch *batch);

#endif
