/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_options.h"

#include "bench_key.h"
#include "bench_pool.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define KEYS_MIN	1000
#define KIB_VALUE_KEYS	1000000 /* most keys with values of 1 KiB and more, by default */
#define LARGE_VALUE	65536
#define LARGE_KEYS	10000 /* the same for values of 64 KiB */
#define QUICK_BUDGET_NS UINT64_C(45000000000)
#define QUICK_OPS	100000
#define REPS		5

static const char doc[] =
	"Measure feox beside other engines, in the same run and interleaved.\v"
	"Engines: feox, lmdb, rocksdb, feoxdb, limit (two dependent memory loads).\n"
	"Workloads: insert, get, two_loads, get_many, range, keys, cas, overwrite, zipf95, zipf50, "
	"add, delete, sweep.\n"
	"LIST is separated by commas. Without options everything is measured, which takes hours; "
	"docs/benchmarks.md explains what is measured and how.";

static const struct argp_option arguments[] = {
	{"engine", 'e', "LIST", 0, "only these engines", 0},
	{"workload", 'w', "LIST", 0, "only these workloads", 0},
	{"keys", 'k', "LIST", 0, "numbers of keys (10000,1000000,10000000)", 0},
	{"threads", 't', "LIST", 0, "numbers of threads (1,2,4)", 0},
	{"value-bytes", 'v', "LIST", 0,
	 "sizes of values (100; 1024 up to a million keys; 65536 up to ten thousand)", 0},
	{"reps", 'r', "N", 0, "repetitions (5)", 0},
	{"ops", 'o', "N", 0, "operations of one run (500000, fewer of large values)", 0},
	{"dir", 'd', "DIR", 0, "where engines with files put them (/dev/shm)", 0},
	{"json", 'j', NULL, 0, "one JSON object a line instead of tables", 0},
	{"quick", 'q', NULL, 0,
	 "within a minute: feox, lmdb, limit; 10000 and 1000000 keys, 1 and 2 threads, 100 bytes",
	 0},
	{0},
};

static void parse_numbers(struct argp_state *state, const char *name, const char *text, size_t min,
			  size_t max, struct bench_list *list)
{
	const char *at = text;
	char *end;

	list->count = 0;
	do {
		unsigned long number;

		errno = 0;
		number = strtoul(at, &end, 10);
		if (end == at || *at == '-' || (*end && *end != ',') || errno || number < min ||
		    number > max)
			argp_error(state, "--%s: '%s': numbers from %zu to %zu are expected", name,
				   text, min, max);
		if (list->count == BENCH_LIST_MAX)
			argp_error(state, "--%s: '%s': at most %d numbers", name, text,
				   BENCH_LIST_MAX);
		list->numbers[list->count++] = number;
		at = end + 1;
	} while (*end);
}

static size_t parse_number(struct argp_state *state, const char *name, const char *text, size_t max)
{
	struct bench_list list;

	parse_numbers(state, name, text, 1, max, &list);
	if (list.count != 1)
		argp_error(state, "--%s: '%s': one number is expected", name, text);
	return list.numbers[0];
}

/* chosen[i] for every name of text, which find() turns into i; count means unknown. */
static void parse_names(struct argp_state *state, const char *what, const char *text,
			unsigned int (*find)(const char *name), unsigned int count, bool *chosen)
{
	char *copy = strdup(text), *rest = copy, *name;

	memset(chosen, 0, count * sizeof(*chosen));
	while ((name = strsep(&rest, ","))) {
		unsigned int number = find(name);

		if (number == count)
			argp_error(state, "--%s: there is no '%s'", what, name);
		chosen[number] = true;
	}
	free(copy);
}

static unsigned int find_engine(const char *name)
{
	return bench_peer_find(name);
}

static unsigned int find_workload(const char *name)
{
	enum bench_workload workload = bench_workload_find(name);

	return workload == BENCH_TWO_LOADS_4K ? BENCH_WORKLOADS : workload;
}

static void fill_list(struct bench_list *list, const struct bench_list *defaults)
{
	if (!list->count)
		*list = *defaults;
}

static void fill_names(bool *chosen, size_t count)
{
	if (!memchr(chosen, true, count))
		memset(chosen, true, count);
}

static void fill_quick(struct bench_options *options)
{
	static const struct bench_list keys = {2, {10000, 1000000}}, threads = {2, {1, 2}},
				       values = {1, {100}};

	if (!memchr(options->engines, true, BENCH_PEERS)) {
		options->engines[BENCH_FEOX] = true;
		options->engines[BENCH_LMDB_PEER] = true;
		options->engines[BENCH_LIMIT] = true;
	}
	fill_list(&options->keys, &keys);
	fill_list(&options->threads, &threads);
	fill_list(&options->value_bytes, &values);
	if (!options->ops)
		options->ops = QUICK_OPS;
	options->budget_ns = QUICK_BUDGET_NS;
}

static void fill(struct bench_options *options)
{
	static const struct bench_list keys = {3, {10000, 1000000, 10000000}},
				       threads = {3, {1, 2, 4}},
				       values = {3, {100, 1024, LARGE_VALUE}};

	options->all_sizes = !options->value_bytes.count;
	if (options->quick)
		fill_quick(options);
	fill_names(options->engines, BENCH_PEERS);
	fill_names(options->workloads, BENCH_WORKLOADS);
	fill_list(&options->keys, &keys);
	fill_list(&options->threads, &threads);
	fill_list(&options->value_bytes, &values);
	if (!options->reps)
		options->reps = REPS;
	/* It has no name of its own, and is in the table alone. */
	options->workloads[BENCH_TWO_LOADS_4K] =
		options->workloads[BENCH_TWO_LOADS] && !options->json;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct bench_options *options = state->input;

	switch (key) {
	case 'e':
		parse_names(state, "engine", arg, find_engine, BENCH_PEERS, options->engines);
		break;
	case 'w':
		parse_names(state, "workload", arg, find_workload, BENCH_WORKLOADS,
			    options->workloads);
		break;
	case 'k':
		parse_numbers(state, "keys", arg, KEYS_MIN, BENCH_KEYS_MAX, &options->keys);
		break;
	case 't':
		parse_numbers(state, "threads", arg, 1, BENCH_THREADS_MAX, &options->threads);
		break;
	case 'v':
		parse_numbers(state, "value-bytes", arg, BENCH_VALUE_MIN, (size_t)64 << 20,
			      &options->value_bytes);
		break;
	case 'r':
		options->reps = (unsigned int)parse_number(state, "reps", arg, BENCH_REPS_MAX);
		break;
	case 'o':
		options->ops = parse_number(state, "ops", arg, BENCH_KEYS_MAX);
		break;
	case 'd':
		options->dir = arg;
		break;
	case 'j':
		options->json = true;
		break;
	case 'q':
		options->quick = true;
		break;
	case ARGP_KEY_END:
		fill(options);
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is not an option", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

void bench_options_parse(struct bench_options *options, int argc, char **argv)
{
	const struct argp argp = {arguments, parse, NULL, doc, NULL, NULL, NULL};

	*options = (struct bench_options){0};
	argp_parse(&argp, argc, argv, 0, NULL, options);
}

bool bench_options_wants(const struct bench_options *options, size_t keys, size_t value_bytes)
{
	if (!options->all_sizes || value_bytes < 1024)
		return true;
	return keys <= (value_bytes < LARGE_VALUE ? KIB_VALUE_KEYS : LARGE_KEYS);
}
