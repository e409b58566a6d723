/* SPDX-License-Identifier: Apache-2.0 */
#include "linear.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define STEPS_MAX  20000000u
#define SEEN_SLOTS ((size_t)1 << 22) /* a power of two */
#define WORDS	   ((LINEAR_OPS + 63) / 64)

/* ---- The store without concurrency ----------------------------------------------------------- */

struct key {
	bool present;
	bool told; /* version is known, else it is somewhere above floor */
	int64_t value;
	uint64_t version, floor, expiry_ns; /* floor: no version of the key is above it yet */
};

struct model {
	struct key keys[LINEAR_KEYS];
	uint64_t now_ns;
};

static bool lives(const struct model *m, const struct key *k)
{
	return k->present && (!k->expiry_ns || k->expiry_ns > m->now_ns);
}

/* The key has a new value; version 0: it was not told. False: that version cannot be. */
static bool set(struct key *k, int64_t value, uint64_t version, uint64_t expiry_ns)
{
	if (version && version <= k->floor)
		return false;
	k->present = true;
	k->value = value;
	k->told = version != 0;
	k->version = version;
	k->expiry_ns = expiry_ns;
	if (version)
		k->floor = version;
	return true;
}

/* A version that somebody has seen. */
static bool tell(struct key *k, uint64_t version)
{
	if (k->told)
		return k->version == version;
	if (version <= k->floor)
		return false;
	k->told = true;
	k->version = k->floor = version;
	return true;
}

static bool step_get(const struct model *m, struct key *k, const struct linear_op *op)
{
	if (!lives(m, k))
		return op->result == -ENOENT;
	return op->result == 0 && op->value == k->value && (!op->version || tell(k, op->version));
}

static bool step_compare(const struct model *m, struct key *k, const struct linear_op *op)
{
	int result = 0;

	if (op->kind == LINEAR_CAS)
		result = !lives(m, k) ? -ENOENT : k->value == op->expected ? 0 : -ECANCELED;
	else if (!lives(m, k) || !k->told || k->version != op->if_version)
		result = -ECANCELED;
	if (op->result != result)
		return false;
	return result || set(k, op->value, op->version, 0);
}

static bool step_add(const struct model *m, struct key *k, const struct linear_op *op)
{
	int64_t sum = (lives(m, k) ? k->value : 0) + op->value;

	return op->result == 0 && (op->number == sum || op->number == LINEAR_UNTOLD) &&
	       set(k, sum, op->version, lives(m, k) ? k->expiry_ns : 0);
}

/* The delete's own version is not told: what comes after is above the deleted one at least. */
static bool step_delete(const struct model *m, struct key *k, const struct linear_op *op)
{
	if (!lives(m, k))
		return op->result == -ENOENT;
	k->present = false;
	return op->result == 0;
}

/* Whether it had expired was looked at some time before. */
static bool step_evict(struct key *k, const struct linear_op *op)
{
	if (!k->present || op->version <= k->floor)
		return false;
	k->present = false;
	k->floor = op->version;
	return true;
}

static bool step_rename(const struct model *m, struct key *from, struct key *to,
			const struct linear_op *op)
{
	struct key moved = *from, other = *to;
	bool exchange = op->kind == LINEAR_EXCHANGE;

	if (!lives(m, from) || (exchange && !lives(m, to)))
		return op->result == -ENOENT;
	if (op->result)
		return false;
	set(to, moved.value, 0, moved.expiry_ns);
	if (exchange)
		set(from, other.value, 0, other.expiry_ns);
	else
		from->present = false;
	return true;
}

static bool step_batch(const struct model *m, struct key *a, struct key *b,
		       const struct linear_op *op)
{
	if (lives(m, a))
		return op->result == -EEXIST;
	return op->result == 0 && set(a, op->value, 0, 0) && set(b, op->value, 0, 0);
}

/* Could the store m have answered op like this? Then m is what it is afterwards. */
static bool step(struct model *m, const struct linear_op *op)
{
	struct key *k = &m->keys[op->key], *other = &m->keys[op->other];

	switch (op->kind) {
	case LINEAR_GET:
		return step_get(m, k, op);
	case LINEAR_PUT:
		return op->result == 0 && set(k, op->value, op->version, op->expiry_ns);
	case LINEAR_CREATE:
		if (lives(m, k))
			return op->result == -EEXIST;
		return op->result == 0 && set(k, op->value, op->version, 0);
	case LINEAR_CAS:
	case LINEAR_IF:
		return step_compare(m, k, op);
	case LINEAR_ADD:
		return step_add(m, k, op);
	case LINEAR_DELETE:
		return step_delete(m, k, op);
	case LINEAR_EXPIRE:
		if (!lives(m, k))
			return op->result == -ENOENT;
		k->expiry_ns = op->expiry_ns;
		return op->result == 0;
	case LINEAR_RENAME:
	case LINEAR_EXCHANGE:
		return step_rename(m, k, other, op);
	case LINEAR_BATCH:
		return step_batch(m, k, other, op);
	case LINEAR_TICK:
		m->now_ns = op->expiry_ns;
		return true;
	case LINEAR_EVICT:
		return step_evict(k, op);
	}
	return false;
}

/* ---- The search ------------------------------------------------------------------------------ */

/* Calls and returns in the order of their tickets; what is linearised is taken out of the list. */
struct event {
	struct event *prev, *next;
	struct event *match; /* of a call: its return; NULL: this is a return */
	const struct linear_op *op;
	size_t index;
};

struct choice {
	struct event *event;
	struct model before;
};

struct search {
	struct event *events;
	struct event head;
	struct choice *stack;
	size_t depth;
	uint64_t done[WORDS]; /* operations linearised */
	XXH128_hash_t *seen;  /* open addressing; zero: free */
	size_t seen_count;
};

static int compare_events(const void *a, const void *b)
{
	const struct event *x = a, *y = b;
	uint64_t s = x->match ? x->op->called : x->op->returned;
	uint64_t t = y->match ? y->op->called : y->op->returned;

	return (s > t) - (s < t);
}

static void list_events(struct search *s, const struct linear_op *ops, size_t count)
{
	struct event *calls[LINEAR_OPS];
	struct event *last = &s->head;

	for (size_t i = 0; i < count; i++) {
		s->events[2 * i] = (struct event){.op = &ops[i], .index = i, .match = &s->head};
		s->events[2 * i + 1] = (struct event){.op = &ops[i], .index = i};
	}
	qsort(s->events, 2 * count, sizeof(*s->events), compare_events);
	for (size_t i = 0; i < 2 * count; i++) {
		struct event *e = &s->events[i];

		if (e->match)
			calls[e->index] = e;
		else
			calls[e->index]->match = e;
		e->prev = last;
		last->next = e;
		last = e;
	}
	last->next = NULL;
}

static void unlink_event(struct event *e)
{
	e->prev->next = e->next;
	if (e->next)
		e->next->prev = e->prev;
}

static void relink_event(struct event *e)
{
	e->prev->next = e;
	if (e->next)
		e->next->prev = e;
}

/* Remember what has been linearised and what the store is then. False: seen before. */
static bool remember(struct search *s, const struct model *m)
{
	XXH3_state_t *x = XXH3_createState();
	XXH128_hash_t hash;
	size_t at;

	XXH3_128bits_reset(x);
	XXH3_128bits_update(x, s->done, sizeof(s->done));
	XXH3_128bits_update(x, m, sizeof(*m));
	hash = XXH3_128bits_digest(x);
	XXH3_freeState(x);
	if (!hash.low64)
		hash.low64 = 1;
	for (at = hash.low64 & (SEEN_SLOTS - 1); s->seen[at].low64; at = (at + 1) % SEEN_SLOTS)
		if (XXH128_isEqual(s->seen[at], hash))
			return false;
	s->seen[at] = hash;
	s->seen_count++;
	return true;
}

static void take(struct search *s, struct event *e, const struct model *before)
{
	s->stack[s->depth++] = (struct choice){.event = e, .before = *before};
	unlink_event(e);
	unlink_event(e->match);
}

static enum linear_verdict search(struct search *s, uint64_t start_ns)
{
	struct event *e = s->head.next;
	struct model m;

	memset(&m, 0, sizeof(m)); /* its padding is hashed too */
	m.now_ns = start_ns;
	for (uint64_t steps = 0; s->head.next; steps++) {
		if (steps == STEPS_MAX || s->seen_count > SEEN_SLOTS / 2)
			return LINEAR_UNDECIDED;
		if (e && e->match) {
			struct model after;
			uint64_t bit = UINT64_C(1) << (e->index % 64);

			memcpy(&after, &m, sizeof(m));
			s->done[e->index / 64] |= bit;
			if (step(&after, e->op) && remember(s, &after)) {
				take(s, e, &m);
				memcpy(&m, &after, sizeof(m));
				e = s->head.next;
			} else {
				s->done[e->index / 64] &= ~bit;
				e = e->next;
			}
			continue;
		}
		/* A return that nothing explains: undo the last choice, try the call after it. */
		if (!s->depth)
			return LINEAR_NO;
		e = s->stack[--s->depth].event;
		memcpy(&m, &s->stack[s->depth].before, sizeof(m));
		s->done[e->index / 64] &= ~(UINT64_C(1) << (e->index % 64));
		relink_event(e->match);
		relink_event(e);
		e = e->next;
	}
	return LINEAR_YES;
}

enum linear_verdict linear_check(const struct linear_op *ops, size_t count, uint64_t start_ns)
{
	struct search s = {.events = calloc(2 * count + 1, sizeof(struct event)),
			   .stack = calloc(count + 1, sizeof(struct choice)),
			   .seen = calloc(SEEN_SLOTS, sizeof(XXH128_hash_t))};
	enum linear_verdict verdict = LINEAR_UNDECIDED;

	if (s.events && s.stack && s.seen && count <= LINEAR_OPS) {
		list_events(&s, ops, count);
		verdict = search(&s, start_ns);
	}
	free(s.events);
	free(s.stack);
	free(s.seen);
	return verdict;
}

void linear_print(const struct linear_op *op)
{
	static const char *const names[] = {"get",   "put",    "create", "cas",	   "if",
					    "add",   "delete", "expire", "rename", "exchange",
					    "batch", "tick",   "evict"};

	printf("%6llu-%-6llu %-8s key %u other %u value %lld expected %lld if %llu expiry %llu -> "
	       "%d version %llu number %lld\n",
	       (unsigned long long)op->called, (unsigned long long)op->returned, names[op->kind],
	       op->key, op->other, (long long)op->value, (long long)op->expected,
	       (unsigned long long)op->if_version, (unsigned long long)op->expiry_ns, op->result,
	       (unsigned long long)op->version, (long long)op->number);
}
