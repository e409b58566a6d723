/* SPDX-License-Identifier: Apache-2.0 */
/* batch.c - collecting operations that are to happen together. */
#include "batch.h"

#include "bytes.h"
#include "histogram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PUT_FLAGS                                                                                  \
	(FEOX_CREATE | FEOX_REPLACE | FEOX_IF_VERSION | FEOX_IF_ABSENT | FEOX_KEEP_EXPIRY |        \
	 FEOX_KEEP_METADATA | FEOX_RESERVED | FEOX_SET_VERSION)
#define CHECK_FLAGS (FEOX_CREATE | FEOX_REPLACE | FEOX_IF_VERSION)
#define RENAME_FLAGS                                                                               \
	(FEOX_IF_VERSION | FEOX_RENAME_NOREPLACE | FEOX_RENAME_EXCHANGE | FEOX_RENAME_METADATA)

FEOX_API int feox_batch_create(struct feox_store *store, struct feox_batch **ret_batch)
{
	struct feox_batch *batch;

	if (!store || !ret_batch)
		return -EINVAL;
	batch = calloc(1, sizeof(*batch));
	if (!batch)
		return -ENOMEM;
	batch->store = store;
	*ret_batch = batch;
	return 0;
}

void fx_batch_clear(struct feox_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		fx_value_unref(batch->store->slab, batch->ops[i].large);
		free(batch->ops[i].bytes);
	}
	batch->count = 0;
}

FEOX_API void feox_batch_free(struct feox_batch *batch)
{
	if (!batch)
		return;
	fx_batch_clear(batch);
	free(batch->ops);
	free(batch);
}

/* The parts that are copied behind one another into op->bytes. */
struct part {
	const void *data;
	size_t size;
};

static int copy_parts(struct fx_op *op, const struct part *parts, size_t count)
{
	size_t total = 0;
	uint8_t *at;

	for (size_t i = 0; i < count; i++) {
		if (!parts[i].data && parts[i].size)
			return -EINVAL;
		total += parts[i].size;
	}
	op->bytes = malloc(total + 1);
	if (!op->bytes)
		return -ENOMEM;
	at = op->bytes;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].size)
			memcpy(at, parts[i].data, parts[i].size);
		at += parts[i].size;
	}
	return 0;
}

/* Append op with its parts: key, target, metadata, inline value. */
static int add(struct feox_batch *batch, struct fx_op *op, const struct part parts[4])
{
	int err;

	if (!batch || (op->key_size = parts[0].size) > FEOX_KEY_MAX ||
	    (op->target_size = parts[1].size) > FEOX_KEY_MAX ||
	    (op->metadata_size = parts[2].size) > FEOX_METADATA_MAX)
		return -EINVAL;
	if (batch->count >= FEOX_BATCH_MAX)
		return -E2BIG;
	if (batch->count == batch->capacity) {
		size_t capacity = batch->capacity ? 2 * batch->capacity : 8;
		struct fx_op *ops = realloc(batch->ops, capacity * sizeof(*ops));

		if (!ops)
			return -ENOMEM;
		batch->ops = ops;
		batch->capacity = capacity;
	}
	err = copy_parts(op, parts, 4);
	if (!err)
		batch->ops[batch->count++] = *op;
	return err;
}

/* The fields that options set; -EINVAL for flags that are not allowed. */
static int apply_options(struct fx_op *op, const struct feox_write_options *options,
			 unsigned int allowed)
{
	if (!options)
		return 0;
	op->flags = options->flags & ~(unsigned int)FEOX_NOWAIT;
	op->if_version = options->if_version;
	op->set_version = options->set_version;
	op->expiry_ns = options->expiry_ns;
	if ((op->flags & ~allowed) || op->expiry_ns > FEOX_TIME_MAX)
		return -EINVAL;
	return fx_version_check(op->flags, op->set_version);
}

FEOX_API int feox_batch_put(struct feox_batch *batch, const void *key, size_t key_size,
			    const void *value, size_t value_size,
			    const struct feox_write_options *options)
{
	struct fx_op op = {.kind = FX_OP_PUT, .value_size = value_size};
	struct part parts[4] = {{key, key_size}};
	int err = apply_options(&op, options, PUT_FLAGS);

	if (err || !batch || (!value && value_size))
		return -EINVAL;
	if (value_size > batch->store->max_value)
		return -EFBIG;
	if (options)
		parts[2] = (struct part){options->metadata, options->metadata_size};
	err = fx_value_prepare(batch->store, value, value_size, op.flags, &op.large);
	if (!err && !op.large)
		parts[3] = (struct part){value, value_size};
	if (!err)
		err = add(batch, &op, parts);
	if (err)
		fx_value_unref(batch->store->slab, op.large);
	return err;
}

FEOX_API int feox_batch_delete(struct feox_batch *batch, const void *key, size_t key_size,
			       const struct feox_write_options *options)
{
	struct fx_op op = {.kind = FX_OP_DELETE};
	struct part parts[4] = {{key, key_size}};
	int err = apply_options(&op, options, FEOX_REPLACE | FEOX_IF_VERSION | FEOX_SET_VERSION);

	return err ? err : add(batch, &op, parts);
}

FEOX_API int feox_batch_set_metadata(struct feox_batch *batch, const void *key, size_t key_size,
				     const void *metadata, size_t metadata_size,
				     const struct feox_write_options *options)
{
	struct fx_op op = {.kind = FX_OP_METADATA};
	struct part parts[4] = {{key, key_size}, {NULL, 0}, {metadata, metadata_size}};
	int err = apply_options(&op, options, FEOX_REPLACE | FEOX_IF_VERSION);

	return err ? err : add(batch, &op, parts);
}

FEOX_API int feox_batch_check(struct feox_batch *batch, const void *key, size_t key_size,
			      const struct feox_write_options *options)
{
	struct fx_op op = {.kind = FX_OP_CHECK};
	struct part parts[4] = {{key, key_size}};
	int err = options ? apply_options(&op, options, CHECK_FLAGS) : -EINVAL;

	return err ? err : add(batch, &op, parts);
}

FEOX_API int feox_batch_rename(struct feox_batch *batch, const void *from, size_t from_size,
			       const void *to, size_t to_size,
			       const struct feox_rename_options *options)
{
	struct fx_op op = {.kind = FX_OP_RENAME};
	struct part parts[4] = {{from, from_size}, {to, to_size}};

	if (options) {
		op.flags = options->flags & ~(unsigned int)FEOX_NOWAIT;
		op.if_version = options->if_version;
		if (op.flags & FEOX_RENAME_METADATA)
			parts[2] = (struct part){options->metadata, options->metadata_size};
	}
	if ((op.flags & ~(unsigned int)RENAME_FLAGS) ||
	    ((op.flags & FEOX_RENAME_EXCHANGE) && (op.flags & FEOX_RENAME_NOREPLACE)))
		return -EINVAL;
	return add(batch, &op, parts);
}

void fx_batch_finish(struct feox_batch *batch, uint64_t begin_ns)
{
	fx_count(&fx_counters(batch->store)->batches, 1);
	fx_timer_end(batch->store, FEOX_OP_BATCH, begin_ns);
	if (batch->store->changed)
		fx_event_batch(batch);
}

FEOX_API int feox_batch_commit(struct feox_batch *batch, unsigned int flags, size_t *ret_failed)
{
	uint64_t begin_ns = fx_monotonic_ns();
	struct feox_store *store;
	int err;

	if (!batch || (flags & ~(unsigned int)FEOX_NOWAIT))
		return -EINVAL;
	store = batch->store;
	if (flags & FEOX_NOWAIT) {
		if (pthread_rwlock_tryrdlock(&store->batch_gate)) {
			fx_batch_clear(batch);
			return -EAGAIN;
		}
	} else {
		pthread_rwlock_rdlock(&store->batch_gate);
	}
	err = fx_transaction_run(store, batch, flags, ret_failed);
	pthread_rwlock_unlock(&store->batch_gate);
	if (!err)
		fx_batch_finish(batch, begin_ns);
	fx_batch_clear(batch);
	return err;
}
