/* SPDX-License-Identifier: Apache-2.0 */
/* bench_peers.h - the engines known by name, and which of them are here to be measured. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include "bench_remote.h"
#include "bench_workload.h"

/* In the order they are shown in. */
enum bench_peer_number {
	BENCH_FEOX,
	BENCH_LMDB_PEER,
	BENCH_ROCKSDB_PEER,
	BENCH_FEOXDB_PEER,
	BENCH_LIMIT,
	BENCH_PEERS /* their number */
};

const char *bench_peer_name(enum bench_peer_number number);
/* BENCH_PEERS when there is none of that name. */
enum bench_peer_number bench_peer_find(const char *name);

/*
 * Make the engine ready, which may build a program; false when it is not to be had here, after
 * saying why on standard error.
 */
bool bench_peer_prepare(enum bench_peer_number number, struct bench_peer *ret_peer);

/* Can it do the workload? */
bool bench_peer_can(const struct bench_peer *peer, enum bench_workload workload);

#endif
