/* SPDX-License-Identifier: Apache-2.0 */
/* cache_fixture.h - a cache, and keys by number. */
#ifndef FX_CACHE_FIXTURE_H
#define FX_CACHE_FIXTURE_H

#include "fixture.h"

#define MIB   ((uint64_t)1 << 20)
#define LIMIT (16 * MIB)

static char bytes[1 << 20];

static inline void open_cache_with(struct fixture *f, struct feox_options options)
{
	options.memory_limit_bytes = LIMIT;
	options.flags |= FEOX_OPEN_CACHE;
	open_with(f, &options);
}

static inline void open_cache(struct fixture *f)
{
	open_cache_with(f, (struct feox_options)FEOX_OPTIONS_INIT);
}

static inline struct feox_stats stats_of(struct feox_store *store)
{
	struct feox_stats stats;

	assert_int_equal(feox_stats(store, &stats), 0);
	return stats;
}

static inline size_t name(char key[24], uint64_t number)
{
	return (size_t)snprintf(key, 24, "key%llu", (unsigned long long)number);
}

static inline int put_number(struct feox_store *store, uint64_t number, size_t value_size)
{
	char key[24];

	return feox_put(store, key, name(key, number), bytes, value_size, NULL, NULL);
}

static inline bool get_number(struct feox_store *store, uint64_t number)
{
	struct feox_value value;
	char key[24];

	if (feox_get(store, key, name(key, number), 0, &value))
		return false;
	feox_value_release(store, &value);
	return true;
}

#endif
