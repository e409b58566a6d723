/* SPDX-License-Identifier: Apache-2.0 */
#include "crash_model.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char text[1024]; /* what is wrong */

void crash_model_init(struct crash_model *model)
{
	*model = (struct crash_model){.count = 1, .capacity = 64};
	atomic_init(&model->now, CRASH_NOW);
	model->states = calloc(model->capacity, sizeof(*model->states));
	if (!model->states)
		abort();
}

void crash_model_free(struct crash_model *model)
{
	free(model->states);
	model->states = NULL;
}

struct crash_state *crash_model_last(struct crash_model *model)
{
	return &model->states[model->count - 1];
}

struct crash_state *crash_model_push(struct crash_model *model)
{
	if (model->count == model->capacity) {
		model->capacity *= 2;
		model->states = realloc(model->states, model->capacity * sizeof(*model->states));
		if (!model->states)
			abort();
	}
	model->states[model->count] = model->states[model->count - 1];
	return &model->states[model->count++];
}

const char *crash_key_name(unsigned int key)
{
	static const char *const names[CRASH_KEYS] = {"d/0", "d/1", "d/2", "d/3", "e/0", "e/1",
						      "e/2", "e/3", "k/0", "k/1", "k/2", "k/3"};

	return names[key];
}

void crash_fill(uint8_t *out, size_t size, uint32_t seed)
{
	uint32_t x = seed * 2654435761u + 1;

	for (size_t i = 0; i < size; i++) {
		x = x * 1664525u + 1013904223u;
		out[i] = (uint8_t)(x >> 24);
	}
}

static int key_of(const void *name, size_t size)
{
	for (unsigned int i = 0; i < CRASH_KEYS; i++)
		if (size == strlen(crash_key_name(i)) && !memcmp(name, crash_key_name(i), size))
			return (int)i;
	return -1;
}

static void remember(void *ctx, const struct feox_event *event)
{
	struct crash_model *model = ctx;
	int key = key_of(event->key, event->key_size);
	int from = event->from ? key_of(event->from, event->from_size) : -1;

	if (!model->learning)
		return;
	if (key >= 0 && event->version > model->learning->highest[key])
		model->learning->highest[key] = event->version;
	if (from >= 0 && event->from_version > model->learning->highest[from])
		model->learning->highest[from] = event->from_version;
}

static uint64_t clock_of(void *ctx)
{
	struct crash_model *model = ctx;

	return atomic_load(&model->now);
}

struct feox_options crash_options(struct crash_model *model)
{
	struct feox_options options = FEOX_OPTIONS_INIT;

	options.path = "recorded";
	options.flags = FEOX_OPEN_CREATE | FEOX_OPEN_NO_SWEEPER;
	options.initial_size_bytes = (uint64_t)1 << 20;
	options.memory_limit_bytes = (uint64_t)64 << 20;
	options.flush_interval_ns = UINT64_C(3600) * 1000000000; /* only when it is told to */
	options.now = clock_of;
	options.now_ctx = model;
	options.changed = remember;
	options.changed_ctx = model;
	return options;
}

/* ---- Comparing --------------------------------------------------------------------------------
 */

struct found {
	struct feox_value value;
	struct feox_stat stat;
	uint32_t metadata;
	int err;
};

static bool is_there(const struct crash_key *key, uint64_t now)
{
	return key->live && !(key->expiry_ns && key->expiry_ns <= now);
}

/* NULL: as expected. */
static const char *compare_key(const struct crash_key *key, const struct found *found, uint64_t now,
			       bool damaged)
{
	if (damaged && found->err == -EIO && is_there(key, now))
		return NULL;
	if (!is_there(key, now))
		return found->err == -ENOENT ? NULL : "is there and should not be";
	if (found->err == -ENOENT)
		return "is lost";
	if (found->err)
		return "cannot be read";
	if (found->stat.version != key->version)
		return "has another version";
	if (found->value.size != key->size || found->stat.size != key->size)
		return "has another size";
	if (found->stat.expiry_ns != key->expiry_ns)
		return "has another expiry";
	if (found->stat.metadata_size != (key->metadata ? sizeof(uint32_t) : 0) ||
	    (key->metadata && found->metadata != key->seed))
		return "has other metadata";
	return NULL;
}

static const char *compare_bytes(const struct crash_key *key, const struct found *found)
{
	uint8_t *expected;
	bool same;

	if (found->err || !key->size)
		return NULL;
	expected = malloc(key->size);
	if (!expected)
		abort();
	crash_fill(expected, key->size, key->seed);
	same = !memcmp(expected, found->value.data, key->size);
	free(expected);
	return same ? NULL : "has a value that was never written to it so";
}

static void read_all(struct feox_store *store, struct found found[CRASH_KEYS])
{
	for (unsigned int i = 0; i < CRASH_KEYS; i++) {
		const char *name = crash_key_name(i);

		found[i] = (struct found){.err = 0};
		found[i].err = feox_get(store, name, strlen(name), 0, &found[i].value);
		if (!found[i].err)
			found[i].err = feox_stat(store, name, strlen(name), &found[i].metadata,
						 sizeof(found[i].metadata), &found[i].stat);
	}
}

/* The ordered index says the same, and nothing beside. */
static bool order_agrees(struct feox_store *store, const struct found found[CRASH_KEYS])
{
	struct feox_iter_options options = {.flags = FEOX_ITER_KEYS_ONLY};
	struct feox_iter *iter;
	struct feox_item item;
	unsigned int at = 0;
	bool good = true;

	if (feox_iter_open(store, &options, &iter))
		return false;
	while (good && feox_iter_next(iter, &item) == 1) {
		while (at < CRASH_KEYS && found[at].err == -ENOENT)
			at++;
		good = at < CRASH_KEYS && key_of(item.key, item.key_size) == (int)at;
		at++;
	}
	while (at < CRASH_KEYS && found[at].err == -ENOENT)
		at++;
	feox_iter_close(iter);
	return good && at == CRASH_KEYS;
}

static size_t find_state(struct crash_model *model, const struct found found[CRASH_KEYS],
			 size_t first, size_t last)
{
	uint64_t now = atomic_load(&model->now);

	for (size_t number = last; number >= first; number--) {
		const struct crash_state *state = &model->states[number - 1];
		const char *why = NULL;
		unsigned int i;

		for (i = 0; i < CRASH_KEYS && !why; i++)
			why = compare_key(&state->keys[i], &found[i], now, model->damaged);
		for (unsigned int k = 0; k < CRASH_KEYS && !why; k++)
			if (is_there(&state->keys[k], now))
				why = compare_bytes(&state->keys[k], &found[k]);
		if (!why)
			return number;
		if (number == first)
			snprintf(text, sizeof(text),
				 "none of the states %zu to %zu; compared with %zu, %s %s", first,
				 last, number, crash_key_name(i ? i - 1 : 0), why);
	}
	return 0;
}

size_t crash_model_find(struct crash_model *model, struct feox_store *store, size_t first,
			size_t last, const char **why)
{
	struct found found[CRASH_KEYS];
	size_t number;

	first = first ? first : 1;
	last = last < model->count ? last : model->count;
	last = last < first ? first : last;
	read_all(store, found);
	number = find_state(model, found, first, last);
	if (number && !order_agrees(store, found)) {
		snprintf(text, sizeof(text), "state %zu, but a scan shows other keys", number);
		number = 0;
	}
	for (unsigned int i = 0; i < CRASH_KEYS; i++)
		feox_value_release(store, &found[i].value);
	*why = text;
	return number;
}

const char *crash_model_check_numbers(struct crash_model *model, struct feox_store *store,
				      size_t told)
{
	const struct crash_state *state = &model->states[told - 1];
	uint64_t id;

	for (unsigned int i = 0; i < CRASH_KEYS; i++) {
		const char *name = crash_key_name(i);
		struct feox_write_result result;
		int err = feox_put(store, name, strlen(name), "n", 1, NULL, &result);

		if (!err && result.version <= state->highest[i])
			snprintf(text, sizeof(text), "I8: %s got version %llu, and had %llu before",
				 name, (unsigned long long)result.version,
				 (unsigned long long)state->highest[i]);
		else if (err && err != -ENOSPC)
			snprintf(text, sizeof(text), "%s cannot be put: %s", name, strerror(-err));
		else
			continue;
		return text;
	}
	if (!feox_next_id(store, &id) && id > state->highest_id)
		return NULL;
	snprintf(text, sizeof(text), "I8: number %llu is given out again",
		 (unsigned long long)state->highest_id);
	return text;
}
