/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rename.c - rename and exchange of one key, and of all keys below a prefix.
 *
 * rename_prefix() must see a set of keys that stands still. It holds the batch gate exclusively (no
 * other batch runs) and raises the prefix gate: single-key writers below either prefix look at it
 * inside their epoch section and wait outside. After one grace period every writer that had not
 * seen it is done; then the keys are collected and moved as one transaction. Readers notice nothing
 * but the one store that commits it.
 */
#include "batch.h"

#include "bytes.h"
#include "cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct fx_prefix_gate {
	const void *prefix[2];
	size_t size[2];
	bool bases; /* FEOX_RENAME_BASE: also over the prefixes without their last byte */
};

#define RENAME_FLAGS                                                                               \
	(FEOX_NOWAIT | FEOX_IF_VERSION | FEOX_RENAME_NOREPLACE | FEOX_RENAME_EXCHANGE |            \
	 FEOX_RENAME_METADATA)
#define PREFIX_FLAGS (FEOX_NOWAIT | FEOX_RENAME_NOREPLACE | FEOX_RENAME_EXCHANGE | FEOX_RENAME_BASE)

static bool is_there(struct feox_store *store, const void *key, size_t key_size)
{
	uint64_t hash = fx_hash_key(store->hash_seed, key, key_size);
	bool there;

	fx_epoch_enter();
	there = fx_find_live(store, hash, key, key_size);
	fx_epoch_leave();
	return there;
}

FEOX_API int feox_rename(struct feox_store *store, const void *from, size_t from_size,
			 const void *to, size_t to_size, const struct feox_rename_options *options)
{
	unsigned int flags = options ? options->flags : 0;
	struct feox_batch batch = {.store = store};
	int err;

	if (!store || (flags & ~(unsigned int)RENAME_FLAGS))
		return -EINVAL;
	if (from_size == to_size && from && to && !memcmp(from, to, to_size))
		return is_there(store, from, from_size) ? 0 : -ENOENT;
	err = feox_batch_rename(&batch, from, from_size, to, to_size, options);
	if (!err)
		err = feox_batch_commit(&batch, flags & FEOX_NOWAIT, NULL);
	fx_batch_clear(&batch);
	free(batch.ops);
	return err;
}

/* ---- The gate ----------------------------------------------------------------------------------
 */

static bool gate_covers(const struct fx_prefix_gate *gate, const void *key, size_t key_size)
{
	for (unsigned int i = 0; gate && i < 2; i++) {
		const void *prefix = gate->prefix[i];
		size_t size = gate->size[i];

		if (fx_bytes_begin(key, key_size, prefix, size) ||
		    (gate->bases && fx_bytes_cmp(key, key_size, prefix, size - 1) == 0))
			return true;
	}
	return false;
}

bool fx_gate_blocks(struct feox_store *store, const void *key, size_t key_size)
{
	/* Acquire: pairs with gate_raise(). The gate's memory outlives a grace period. */
	return gate_covers(atomic_load_explicit(&store->prefix_gate, memory_order_acquire), key,
			   key_size);
}

void fx_gate_wait(struct feox_store *store, const void *key, size_t key_size)
{
	FX_LOCKED(&store->prefix_mutex);

	while (gate_covers(atomic_load(&store->prefix_gate), key, key_size))
		pthread_cond_wait(&store->prefix_open, &store->prefix_mutex);
}

static void gate_raise(struct feox_store *store, struct fx_prefix_gate *gate)
{
	atomic_store_explicit(&store->prefix_gate, gate, memory_order_release);
	fx_epoch_synchronize(); /* writers that did not see it have left their section */
}

static void gate_lower(struct feox_store *store)
{
	pthread_mutex_lock(&store->prefix_mutex);
	atomic_store(&store->prefix_gate, NULL);
	pthread_cond_broadcast(&store->prefix_open);
	pthread_mutex_unlock(&store->prefix_mutex);
	fx_epoch_synchronize(); /* nobody looks at the gate's memory any more */
}

/* ---- Moving a prefix ---------------------------------------------------------------------------
 */

struct move {
	struct feox_store *store;
	struct feox_batch *batch;
	const uint8_t *from, *to;
	size_t from_size, to_size;
	unsigned int flags;
	uint64_t max_keys, moved;
};

/* The operation just added must not fail because its key expires before the commit. */
static int optional(struct move *m, int err)
{
	if (!err)
		m->batch->ops[m->batch->count - 1].flags |= FX_OP_OPTIONAL;
	return err;
}

/* Of a pair of keys: the first has one prefix, the second the other. */
static int add_pair(struct move *m, const struct feox_item *item, const uint8_t *other,
		    size_t other_size, bool back, const struct feox_rename_options *options)
{
	int err =
		feox_batch_rename(m->batch, item->key, item->key_size, other, other_size, options);
	struct fx_op *op;

	if (err)
		return err;
	op = &m->batch->ops[m->batch->count - 1];
	op->flags |= FX_OP_OPTIONAL | FX_OP_PREFIX;
	op->strip = (uint16_t)(back ? m->to_size : m->from_size);
	op->prefix_size = (uint16_t)(back ? m->from_size : m->to_size);
	return 0;
}

/* Add to the batch: key, which begins with one prefix, moves to the other one. */
static int add_move(struct move *m, const struct feox_item *item, bool back)
{
	const uint8_t *new_prefix = back ? m->from : m->to;
	size_t old_size = back ? m->to_size : m->from_size;
	size_t new_size = back ? m->from_size : m->to_size;
	size_t rest = item->key_size - old_size;
	uint8_t key[FEOX_KEY_MAX];

	if (new_size + rest > FEOX_KEY_MAX)
		return -ENAMETOOLONG;
	if (new_size)
		memcpy(key, new_prefix, new_size);
	memcpy(key + new_size, (const uint8_t *)item->key + old_size, rest);
	if (++m->moved > m->max_keys)
		return -E2BIG;
	return add_pair(m, item, key, new_size + rest, back, NULL);
}

/* A key that is below the target already: replaced by its namesake, or it has to go. */
static int add_target(struct move *m, const struct feox_item *item)
{
	size_t rest = item->key_size - m->to_size;
	uint8_t namesake[FEOX_KEY_MAX];

	if (m->flags & FEOX_RENAME_NOREPLACE)
		return -EEXIST;
	if (m->from_size + rest <= FEOX_KEY_MAX) {
		memcpy(namesake, m->from, m->from_size);
		memcpy(namesake + m->from_size, (const uint8_t *)item->key + m->to_size, rest);
		if (is_there(m->store, namesake, m->from_size + rest))
			return 0; /* the rename of the namesake names it */
	}
	return optional(m, feox_batch_delete(m->batch, item->key, item->key_size, NULL));
}

/* With EXCHANGE: keys without a namesake move, pairs change places; each pair is added once. */
static int add_exchange(struct move *m, const struct feox_item *item, bool back)
{
	struct feox_rename_options options = {.flags = FEOX_RENAME_EXCHANGE};
	size_t old_size = back ? m->to_size : m->from_size;
	size_t new_size = back ? m->from_size : m->to_size;
	size_t rest = item->key_size - old_size;
	uint8_t other[FEOX_KEY_MAX];

	if (new_size + rest > FEOX_KEY_MAX)
		return -ENAMETOOLONG;
	memcpy(other, back ? m->from : m->to, new_size);
	memcpy(other + new_size, (const uint8_t *)item->key + old_size, rest);
	if (!is_there(m->store, other, new_size + rest))
		return add_move(m, item, back);
	if (back)
		return 0;
	if (++m->moved > m->max_keys)
		return -E2BIG;
	return add_pair(m, item, other, new_size + rest, back, &options);
}

static int collect_side(struct move *m, bool target)
{
	struct feox_iter_options range = {
		.flags = FEOX_ITER_KEYS_ONLY,
		.prefix = target ? m->to : m->from,
		.prefix_size = target ? m->to_size : m->from_size,
	};
	struct feox_iter *iter;
	struct feox_item item;
	int err = fx_iter_open(m->store, &range, &iter);

	if (err)
		return err;
	while ((err = fx_iter_next(iter, &item)) == 1) {
		if (m->flags & FEOX_RENAME_EXCHANGE)
			err = add_exchange(m, &item, target);
		else
			err = target ? add_target(m, &item) : add_move(m, &item, false);
		if (err)
			break;
	}
	feox_iter_close(iter);
	return err;
}

/* The keys that are the prefixes without their last byte. */
static int collect_bases(struct move *m)
{
	bool exchange = m->flags & FEOX_RENAME_EXCHANGE;
	struct feox_rename_options options = {.flags = exchange ? FEOX_RENAME_EXCHANGE : 0u};
	struct feox_key from = {m->from, m->from_size - 1}, to = {m->to, m->to_size - 1};
	bool from_there = is_there(m->store, from.data, from.size);
	bool to_there = is_there(m->store, to.data, to.size);

	if (to_there && (m->flags & FEOX_RENAME_NOREPLACE))
		return -EEXIST;
	if (to_there && !from_there && !exchange)
		return optional(m, feox_batch_delete(m->batch, to.data, to.size, NULL));
	if (!from_there && !to_there)
		return 0;
	if (++m->moved > m->max_keys)
		return -E2BIG;
	if (!from_there) {
		struct feox_key key = from;

		from = to;
		to = key;
	}
	options.flags = from_there && to_there ? options.flags : 0;
	return optional(
		m, feox_batch_rename(m->batch, from.data, from.size, to.data, to.size, &options));
}

/* -EINVAL: an operation of the caller's batch names a key that the rename itself takes care of. */
static int check_batch(const struct feox_batch *batch, const struct fx_prefix_gate *gate)
{
	for (size_t i = 0; i < batch->count; i++) {
		const struct fx_op *op = &batch->ops[i];

		if (gate_covers(gate, fx_op_key(op), op->key_size) ||
		    (op->kind == FX_OP_RENAME &&
		     gate_covers(gate, fx_op_target(op), op->target_size)))
			return -EINVAL;
	}
	return 0;
}

static int move_keys(struct move *m)
{
	struct fx_prefix_gate gate = {.prefix = {m->from, m->to},
				      .size = {m->from_size, m->to_size},
				      .bases = m->flags & FEOX_RENAME_BASE};
	int err = check_batch(m->batch, &gate);

	if (err)
		return err;
	gate_raise(m->store, &gate);
	err = collect_side(m, false);
	if (!err)
		err = collect_side(m, true);
	if (!err && gate.bases)
		err = collect_bases(m);
	if (!err && !m->moved)
		err = -ENOENT;
	if (!err)
		err = fx_transaction_run(m->store, m->batch, m->flags & FEOX_NOWAIT, NULL);
	gate_lower(m->store);
	return err;
}

static bool move_is_valid(const struct move *m)
{
	const unsigned int both = FEOX_RENAME_NOREPLACE | FEOX_RENAME_EXCHANGE;

	if (!m->from || !m->to || m->from_size > FEOX_KEY_MAX || m->to_size > FEOX_KEY_MAX ||
	    (m->flags & ~(unsigned int)PREFIX_FLAGS) || (m->flags & both) == both ||
	    fx_bytes_begin(m->from, m->from_size, m->to, m->to_size) ||
	    fx_bytes_begin(m->to, m->to_size, m->from, m->from_size))
		return false;
	/* Neither is empty: that would be the beginning of the other. */
	return !(m->flags & FEOX_RENAME_BASE) || m->from[m->from_size - 1] == m->to[m->to_size - 1];
}

FEOX_API int feox_rename_prefix(struct feox_store *store, const void *from, size_t from_size,
				const void *to, size_t to_size,
				const struct feox_rename_options *options, struct feox_batch *batch,
				uint64_t *ret_moved)
{
	struct feox_batch own = {.store = store};
	struct move m = {.store = store,
			 .batch = batch ? batch : &own,
			 .from = from,
			 .to = to,
			 .from_size = from_size,
			 .to_size = to_size,
			 .flags = options ? options->flags : 0,
			 .max_keys = options && options->max_keys ? options->max_keys
								  : FEOX_BATCH_MAX / 2};
	uint64_t begin_ns = fx_monotonic_ns();
	int err;

	if (!store || (batch && batch->store != store))
		return -EINVAL;
	if (!move_is_valid(&m)) {
		fx_batch_clear(m.batch);
		return -EINVAL;
	}
	/* It waits for a grace period at least. */
	if (m.flags & FEOX_NOWAIT) {
		fx_batch_clear(m.batch);
		return -EAGAIN;
	}
	pthread_rwlock_wrlock(&store->batch_gate);
	err = move_keys(&m);
	pthread_rwlock_unlock(&store->batch_gate);
	if (!err)
		fx_batch_finish(m.batch, begin_ns);
	fx_batch_clear(m.batch);
	free(own.ops);
	if (!err && ret_moved)
		*ret_moved = m.moved;
	return err;
}
