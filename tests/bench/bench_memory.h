/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_memory.h - this process's own resident memory: anonymous pages, counted exactly by a walk
 * of the page tables (smaps_rollup; statm's counters may be off by hundreds of KiB on some
 * kernels). Pages of files and shared memory are not in it: what an engine keeps there, its adapter
 * says.
 */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include <stdint.h>

struct bench_memory {
	uint64_t anonymous_bytes;
	uint64_t huge_bytes; /* of these, in transparent huge pages */
};

/* 0, or a negative errno value where /proc does not say it. */
int bench_memory_read(struct bench_memory *ret_memory);

#endif
