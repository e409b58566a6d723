/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_case.h"

#include "bench_key.h"
#include "bench_pool.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPS	     500000
#define BYTES_OF_RUN ((size_t)8 << 30) /* copied at most in a run, where OPS would be more */
#define OPS_MIN	     2000
#define GUESS_PER_KEY                                                                              \
	120 /* bytes beyond the value, for the table when only the limit is wanted                 \
	     */
#define OPEN_FILES 16

/* What the functions below share during one case. */
struct round {
	struct bench_case *c;
	const struct bench_options *options;
	const struct bench_peer *peers;
	const char *dir;
	struct bench_sequence sequence;
	struct bench_zipf zipf;
	struct bench_remote remotes[BENCH_PEERS];
	bool failed[BENCH_PEERS];
	double bytes[BENCH_PEERS]; /* per key, when all values were last complete */
	size_t ops;
	unsigned int rep;
};

/* ---- Engines' processes ---------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *at)
{
	return remove(path);
}

static void end_engine(struct round *round, unsigned int peer)
{
	char dir[PATH_MAX];

	bench_remote_end(&round->remotes[peer]);
	snprintf(dir, sizeof(dir), "%s/%s", round->dir, round->peers[peer].name);
	nftw(dir, remove_one, OPEN_FILES, FTW_DEPTH | FTW_PHYS);
}

/* An engine that cannot go on is reported and left out; only a signal ends the measuring. */
static int give_up(struct round *round, unsigned int peer, const char *what, int err)
{
	const char *reason = err == -EPROTO ? round->remotes[peer].error : strerror(-err);

	if (err == -EINTR)
		return err;
	fprintf(stderr, "engine_bench: %s: %s: %s; left out of this case\n",
		round->peers[peer].name, what, reason);
	round->failed[peer] = true;
	round->c->failures++;
	end_engine(round, peer);
	return 0;
}

static int start_engine(struct round *round, unsigned int peer)
{
	const struct bench_case *c = round->c;
	char dir[PATH_MAX];
	struct bench_setup setup = {c->keys, c->value_bytes, c->threads, dir, c->table_bytes};
	struct bench_reply reply;
	int err = 0;

	snprintf(dir, sizeof(dir), "%s/%s", round->dir, round->peers[peer].name);
	if (mkdir(dir, 0700))
		err = -errno;
	if (!err)
		err = bench_remote_start(&round->remotes[peer], &round->peers[peer], &setup,
					 &round->sequence);
	if (!err)
		err = bench_remote_ask(&round->remotes[peer], "open", &reply);
	return err ? give_up(round, peer, "open", err) : 0;
}

static bool is_measured(const struct round *round, unsigned int peer)
{
	return round->options->engines[peer] && !round->failed[peer];
}

/* The limit's table does not change: its process stays for the whole case. */
static int start_stores(struct round *round)
{
	int err = 0;

	for (unsigned int peer = 0; peer < BENCH_PEERS && !err; peer++)
		if (is_measured(round, peer) && peer != BENCH_LIMIT)
			err = start_engine(round, peer);
	return err;
}

static int start_limit(struct round *round)
{
	struct bench_case *c = round->c;

	if (!is_measured(round, BENCH_LIMIT) || round->remotes[BENCH_LIMIT].pid)
		return 0;
	if (!c->table_bytes)
		c->table_bytes = c->keys * (c->value_bytes + GUESS_PER_KEY);
	return start_engine(round, BENCH_LIMIT);
}

static void end_stores(struct round *round)
{
	for (unsigned int peer = 0; peer < BENCH_PEERS; peer++)
		if (peer != BENCH_LIMIT && round->remotes[peer].pid)
			end_engine(round, peer);
}

/* ---- One workload ---------------------------------------------------------------------------- */

static size_t count_of(const struct round *round, enum bench_workload workload)
{
	size_t keys = round->c->keys;

	switch (workload) {
	case BENCH_INSERT:
		return keys;
	case BENCH_DELETE:
		return keys < round->ops ? keys : round->ops;
	case BENCH_SWEEP:
		return keys < 2 * round->ops ? keys : 2 * round->ops;
	case BENCH_RANGE:
	case BENCH_KEYS:
		return round->ops / BENCH_SCAN + round->c->threads;
	case BENCH_TWO_LOADS:
	case BENCH_TWO_LOADS_4K:
		/* It does not depend on the size of values. */
		return round->options->ops ? round->ops : OPS;
	default:
		return round->ops;
	}
}

static void make_sequence(struct round *round, enum bench_workload workload, size_t count)
{
	struct bench_sequence *sequence = &round->sequence;
	uint64_t seed = round->rep * UINT64_C(1000) + workload;
	size_t keys = round->c->keys;

	switch (workload) {
	case BENCH_INSERT:
	case BENCH_DELETE:
		bench_sequence_shuffled(sequence, keys, count, seed);
		break;
	case BENCH_CAS:
		bench_sequence_passes(sequence, keys, count, round->c->threads, seed);
		break;
	case BENCH_ZIPF95:
		bench_sequence_zipf(sequence, &round->zipf, count, 5, seed);
		break;
	case BENCH_ZIPF50:
		bench_sequence_zipf(sequence, &round->zipf, count, 50, seed);
		break;
	case BENCH_SWEEP:
	case BENCH_TWO_LOADS:
	case BENCH_TWO_LOADS_4K:
		break;
	default:
		bench_sequence_uniform(sequence, keys, count, seed);
	}
}

/* Memory beyond the data means something only while all keys have their values. */
static double bytes_per_key(struct round *round, unsigned int peer, enum bench_workload workload,
			    uint64_t resident_bytes)
{
	const struct bench_case *c = round->c;
	double data = (double)bench_key_bytes(c->keys) + (double)c->keys * (double)c->value_bytes;

	if (peer != BENCH_LIMIT && workload != BENCH_ADD && workload != BENCH_DELETE &&
	    workload != BENCH_SWEEP)
		round->bytes[peer] = ((double)resident_bytes - data) / (double)c->keys;
	return round->bytes[peer];
}

static void note(struct round *round, unsigned int peer, enum bench_workload workload,
		 const struct bench_reply *reply)
{
	struct bench_case *c = round->c;
	struct bench_samples *samples = &c->samples[peer][workload];
	double threads = workload == BENCH_SWEEP ? 1 : c->threads;

	samples->ns[samples->count] = (double)reply->ns * threads / (double)reply->operations;
	samples->bytes[samples->count] =
		bytes_per_key(round, peer, workload, reply->resident_bytes);
	samples->count++;
	if (workload == BENCH_INSERT && (peer == BENCH_FEOX || !c->table_bytes) && !round->rep)
		c->table_bytes = reply->resident_bytes;
}

/* Run workload in one engine; *check is what all must have read, 0 as long as nobody has. */
static int run_one(struct round *round, unsigned int peer, enum bench_workload workload,
		   size_t count, uint64_t *check)
{
	char request[BENCH_LINE_MAX];
	struct bench_reply reply;
	int err;

	snprintf(request, sizeof(request), "run %s %zu", bench_workload_name(workload), count);
	err = bench_remote_ask(&round->remotes[peer], request, &reply);
	if (err)
		return give_up(round, peer, bench_workload_name(workload), err);
	if (!reply.operations || (*check && reply.check != *check)) {
		snprintf(round->remotes[peer].error, sizeof(round->remotes[peer].error),
			 "did other work than the engines before it (%lu operations, sum %lu, "
			 "not %lu)",
			 reply.operations, reply.check, *check);
		return give_up(round, peer, bench_workload_name(workload), -EPROTO);
	}
	if (workload != BENCH_SWEEP)
		*check = reply.check;
	note(round, peer, workload, &reply);
	return 0;
}

static int run_workload(struct round *round, enum bench_workload workload)
{
	size_t count = count_of(round, workload);
	uint64_t check = 0;
	int err = 0;

	make_sequence(round, workload, count);
	for (unsigned int i = 0; i < BENCH_PEERS && !err; i++) {
		unsigned int peer = (i + round->rep) % BENCH_PEERS;

		if (round->remotes[peer].pid && bench_peer_can(&round->peers[peer], workload))
			err = run_one(round, peer, workload, count, &check);
	}
	return err;
}

/* ---- One repetition, one case ---------------------------------------------------------------- */

static bool is_wanted(const struct round *round, enum bench_workload workload)
{
	if (workload == BENCH_SWEEP && !round->c->sweep)
		return false;
	/* Everything else works on the keys it inserts. */
	return workload == BENCH_INSERT || round->options->workloads[workload];
}

static int run_repetition(struct round *round)
{
	int err = start_stores(round);

	for (enum bench_workload w = 0; w < BENCH_WORKLOADS && !err; w++) {
		if (is_wanted(round, w))
			err = run_workload(round, w);
		if (!err && w == BENCH_INSERT)
			err = start_limit(round);
	}
	end_stores(round);
	return err;
}

static size_t ops_of(const struct bench_case *c, const struct bench_options *options)
{
	size_t ops = options->ops ? options->ops : OPS;
	size_t affordable = BYTES_OF_RUN / c->value_bytes;

	if (!options->ops && ops > affordable)
		ops = affordable > OPS_MIN ? affordable : OPS_MIN;
	return ops > c->threads ? ops : c->threads;
}

static bool has_time(const struct bench_case *c, uint64_t from_ns, uint64_t rep_from_ns)
{
	uint64_t now_ns = bench_now_ns();

	return !c->budget_ns || now_ns - from_ns + (now_ns - rep_from_ns) < c->budget_ns;
}

int bench_case_run(struct bench_case *c, const struct bench_options *options,
		   const struct bench_peer *peers, const char *dir)
{
	struct round round = {.c = c, .options = options, .peers = peers, .dir = dir};
	uint64_t from_ns = bench_now_ns(), rep_from_ns;
	int err;

	round.ops = ops_of(c, options);
	/* More entries than keys and operations: see bench_sequence_create(). */
	err = bench_sequence_create(&round.sequence, c->keys + round.ops + 2 * c->threads);
	if (err)
		return err;
	bench_zipf_init(&round.zipf, c->keys);
	do {
		rep_from_ns = bench_now_ns();
		err = run_repetition(&round);
		c->reps += !err;
		round.rep++;
	} while (!err && round.rep < options->reps && has_time(c, from_ns, rep_from_ns));
	if (round.remotes[BENCH_LIMIT].pid)
		end_engine(&round, BENCH_LIMIT);
	bench_sequence_destroy(&round.sequence);
	return err;
}
