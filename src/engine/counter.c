/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counter.c - changes that follow from the value a key has: counters, and compare and swap by
 * value.
 *
 * Both look at the old value inside build, so fx_commit()'s compare-and-swap of the slot word is
 * what makes them atomic: who loses the race builds again from what has won. Only a large value is
 * looked at before, and its version compared and swapped instead.
 */
#include "histogram.h"
#include "write.h"

#include <errno.h>
#include <string.h>

#define NUMBER_MAX 21u /* "-9223372036854775808\n" */
#define COMPARED_INSIDE_MAX                                                                        \
	((size_t)32 << 10) /* larger values are compared outside of sections                       \
			    */
#define ATTEMPTS_MAX 1000u /* of these, against others that write the same */

#define ADD_FLAGS                                                                                  \
	(FEOX_NOWAIT | FEOX_CREATE | FEOX_REPLACE | FEOX_IF_VERSION | FEOX_KEEP_EXPIRY |           \
	 FEOX_KEEP_METADATA | FEOX_RESERVED | FEOX_SET_EXPIRY | FEOX_SET_METADATA | FEOX_BASE |    \
	 FEOX_SET_VERSION)
#define CAS_FLAGS                                                                                  \
	(FEOX_NOWAIT | FEOX_REPLACE | FEOX_IF_VERSION | FEOX_KEEP_EXPIRY | FEOX_KEEP_METADATA |    \
	 FEOX_RESERVED | FEOX_SET_VERSION)

/* The bytes of a value that is in memory. Inside the section that found record. */
static const uint8_t *value_bytes(struct fx_record *record)
{
	struct fx_content content;

	fx_content_of(record, &content);
	return content.large ? content.large->bytes : content.value;
}

/* ---- Counters --------------------------------------------------------------------------------
 */

struct add {
	struct fx_change change; /* first: build gets a pointer to it */
	int64_t delta;
	int64_t sum; /* result */
};

/* The number that text is, and whether a newline is behind it. -EINVAL, see feox_add(). */
static int parse_number(const uint8_t *text, size_t size, int64_t *ret_number, bool *ret_newline)
{
	bool newline = size && text[size - 1] == '\n', negative;
	int64_t number = 0;
	size_t at;

	size -= newline;
	negative = size && text[0] == '-';
	at = negative;
	if (at == size || (text[at] == '0' && size > 1))
		return -EINVAL;
	for (; at < size; at++) {
		int digit = text[at] - '0';

		if (digit < 0 || digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, negative ? -digit : digit, &number))
			return -EINVAL;
	}
	*ret_number = number;
	*ret_newline = newline;
	return 0;
}

/* The text of a number, written from its end: where it begins in buffer. */
static const uint8_t *format_number(int64_t number, bool newline, uint8_t buffer[NUMBER_MAX],
				    size_t *ret_size)
{
	uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
	uint8_t *end = buffer + NUMBER_MAX, *p = end;

	if (newline)
		*--p = '\n';
	do {
		*--p = (uint8_t)('0' + magnitude % 10);
		magnitude /= 10;
	} while (magnitude);
	if (number < 0)
		*--p = '-';
	*ret_size = (size_t)(end - p);
	return p;
}

/* What key counts as now. */
static int read_number(struct feox_store *store, struct fx_change *c, struct fx_record *old,
		       int64_t *ret_number, bool *ret_newline)
{
	int err;

	if (c->flags & FEOX_BASE)
		return parse_number(c->base, c->base_size, ret_number, ret_newline);
	if (!old) {
		*ret_number = 0;
		*ret_newline = false;
		return 0;
	}
	if (!old->value_size || old->value_size > NUMBER_MAX)
		return -EINVAL;
	err = fx_value_need(store, c, old);
	return err ? err : parse_number(value_bytes(old), old->value_size, ret_number, ret_newline);
}

static int build_sum(struct feox_store *store, struct fx_change *c, struct fx_record *old,
		     struct fx_record **ret_record)
{
	struct add *add = (struct add *)c;
	struct fx_content content = {
		.key = c->key,
		.key_size = c->key_size,
		.metadata = c->metadata,
		.metadata_size = c->metadata_size,
		.expiry_ns = c->expiry_ns,
	};
	uint8_t text[NUMBER_MAX];
	int64_t number;
	bool newline;
	int err = read_number(store, c, old, &number, &newline);

	if (err)
		return err;
	if (__builtin_add_overflow(number, add->delta, &add->sum))
		return -ERANGE;
	content.value = format_number(add->sum, newline, text, &content.size);
	fx_content_keep(&content, old, fx_keep_flags(c));
	*ret_record = fx_record_build(store, &content);
	return *ret_record ? 0 : -ENOMEM;
}

FEOX_API int feox_add(struct feox_store *store, const void *key, size_t key_size, int64_t delta,
		      const struct feox_write_options *options, int64_t *ret_number,
		      struct feox_write_result *ret_result)
{
	struct add add = {.delta = delta};
	uint64_t begin_ns;
	int err = fx_change_init(store, &add.change, key, key_size, options, ADD_FLAGS);

	if (err)
		return err;
	begin_ns = fx_timer_begin(fx_counters(store));
	add.change.build = build_sum;
	err = fx_commit_within(store, &add.change, NUMBER_MAX);
	if (err)
		return err;
	fx_put_finish(store, &add.change, FEOX_OP_UPDATE, begin_ns, ret_result);
	if (ret_number)
		*ret_number = add.sum;
	return 0;
}

/* ---- Compare and swap ------------------------------------------------------------------------
 */

struct swap {
	struct fx_change change; /* first: build gets a pointer to it */
	const void *expected;
	size_t expected_size;
};

static int build_swap(struct feox_store *store, struct fx_change *c, struct fx_record *old,
		      struct fx_record **ret_record)
{
	const struct swap *swap = (const struct swap *)c;
	int err;

	if (!old)
		return -ENOENT;
	if (old->value_size != swap->expected_size)
		return -ECANCELED;
	err = fx_value_need(store, c, old);
	if (err)
		return err;
	if (old->value_size && memcmp(value_bytes(old), swap->expected, old->value_size) != 0)
		return -ECANCELED;
	return fx_build_put(store, c, old, ret_record);
}

/* Inside a section, and without its value. */
static int check_size(struct feox_store *store, const struct swap *swap)
{
	const struct fx_change *c = &swap->change;
	struct fx_record *record;
	int err = 0;

	fx_epoch_enter();
	record = fx_find_live(store, c->hash, c->key, c->key_size);
	if (!record)
		err = -ENOENT;
	else if (record->value_size != swap->expected_size)
		err = -ECANCELED;
	fx_epoch_leave();
	return err;
}

/* Is the value the expected one, and of which version? It is pinned, and compared outside. */
static int compare_large(struct feox_store *store, const struct swap *swap, uint64_t *ret_version)
{
	const struct fx_change *c = &swap->change;
	struct feox_value value;
	int err = check_size(store, swap);

	if (!err)
		err = fx_value_get(store, c->hash, c->key, c->key_size, c->flags & FEOX_NOWAIT,
				   &value);
	if (err)
		return err;
	if (value.size != swap->expected_size ||
	    memcmp(value.data, swap->expected, value.size) != 0 ||
	    ((c->flags & FEOX_IF_VERSION) && c->if_version != value.version))
		err = -ECANCELED;
	*ret_version = value.version;
	feox_value_release(store, &value);
	return err;
}

/*
 * A large value is compared outside of sections, which it would make long; then its version stands
 * for it. Who loses against a version with the same value compares again.
 */
static int swap_large(struct feox_store *store, struct swap *swap, const void *value,
		      size_t value_size)
{
	struct fx_change put = swap->change;
	int err = fx_store_writable(store);

	if (err)
		return err;
	err = -ECANCELED;
	put.flags |= FEOX_IF_VERSION;
	put.build = fx_build_put;
	for (unsigned int i = 0; i < ATTEMPTS_MAX && err == -ECANCELED; i++) {
		struct fx_change attempt = put;

		err = compare_large(store, swap, &attempt.if_version);
		if (err)
			return err;
		err = fx_put_value(store, &attempt, value, value_size);
		swap->change.version = attempt.version;
		swap->change.new_expiry_ns = attempt.new_expiry_ns;
	}
	return err;
}

FEOX_API int feox_cas(struct feox_store *store, const void *key, size_t key_size,
		      const void *expected, size_t expected_size, const void *value,
		      size_t value_size, const struct feox_write_options *options,
		      struct feox_write_result *ret_result)
{
	struct swap swap = {.expected = expected, .expected_size = expected_size};
	uint64_t begin_ns;
	int err = fx_change_init(store, &swap.change, key, key_size, options, CAS_FLAGS);

	if (err || (!expected && expected_size))
		return -EINVAL;
	begin_ns = fx_timer_begin(fx_counters(store));
	swap.change.flags |= FEOX_REPLACE;
	if (expected_size > COMPARED_INSIDE_MAX) {
		err = swap_large(store, &swap, value, value_size);
	} else {
		swap.change.build = build_swap;
		err = fx_put_value(store, &swap.change, value, value_size);
	}
	if (!err)
		fx_put_finish(store, &swap.change, FEOX_OP_UPDATE, begin_ns, ret_result);
	return err;
}
