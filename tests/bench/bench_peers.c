/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_peers.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOT_HERE 77 /* exit status of the build script: no cargo */

static const struct {
	const char *name;
	const struct bench_engine *engine;
	const char *missing; /* why there is no adapter */
} known[BENCH_PEERS] = {
	[BENCH_FEOX] = {"feox", &bench_feox, NULL},
#ifdef BENCH_LMDB
	[BENCH_LMDB_PEER] = {"lmdb", &bench_lmdb, NULL},
#else
	[BENCH_LMDB_PEER] = {"lmdb", NULL, "built without liblmdb-dev"},
#endif
#ifdef BENCH_ROCKSDB
	[BENCH_ROCKSDB_PEER] = {"rocksdb", &bench_rocksdb, NULL},
#else
	[BENCH_ROCKSDB_PEER] = {"rocksdb", NULL, "built without librocksdb-dev"},
#endif
	[BENCH_FEOXDB_PEER] = {"feoxdb", NULL, NULL},
	[BENCH_LIMIT] = {"limit", &bench_limit, NULL},
};

const char *bench_peer_name(enum bench_peer_number number)
{
	return known[number].name;
}

enum bench_peer_number bench_peer_find(const char *name)
{
	enum bench_peer_number number = 0;

	while (number < BENCH_PEERS && strcmp(known[number].name, name) != 0)
		number++;
	return number;
}

/* The directory this program is in: what cargo makes goes beside it. */
static int own_directory(char *path, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", path, size - 1);

	if (length <= 0)
		return -1;
	path[length] = '\0';
	*strrchr(path, '/') = '\0';
	return 0;
}

/* Build the Rust program, or see that it is built. Its path is kept until the process ends. */
static bool prepare_feoxdb(struct bench_peer *peer)
{
	static char program[PATH_MAX];
	char directory[PATH_MAX / 2], command[2 * PATH_MAX];
	int status;

	if (own_directory(directory, sizeof(directory)))
		return false;
	snprintf(program, sizeof(program), "%s/feoxdb/release/feoxdb_bench", directory);
	snprintf(command, sizeof(command), "'%s' '%s/feoxdb' 1>&2", BENCH_FEOXDB_BUILD, directory);
	status = system(command);
	if (status == NOT_HERE << 8)
		return false;
	if (status) {
		fprintf(stderr, "engine_bench: feoxdb: it did not build; skipped\n");
		return false;
	}
	*peer = (struct bench_peer){"feoxdb", NULL, program};
	return true;
}

bool bench_peer_prepare(enum bench_peer_number number, struct bench_peer *ret_peer)
{
	if (number == BENCH_FEOXDB_PEER)
		return prepare_feoxdb(ret_peer);
	if (!known[number].engine) {
		fprintf(stderr, "engine_bench: %s: %s; skipped\n", known[number].name,
			known[number].missing);
		return false;
	}
	*ret_peer = (struct bench_peer){known[number].name, known[number].engine, NULL};
	return true;
}

bool bench_peer_can(const struct bench_peer *peer, enum bench_workload workload)
{
	if (peer->engine)
		return bench_workload_possible(workload, peer->engine);
	return workload != BENCH_TWO_LOADS && workload != BENCH_TWO_LOADS_4K;
}
