/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_sequence.h - which keys a workload touches, in which order: made once a repetition, outside
 * of what is timed, in memory that all engines' processes share. So they do the very same work.
 *
 * An entry is a key's number, with BENCH_WRITE set where the operation is to write. Thread t of T
 * takes the entries [count * t / T, count * (t + 1) / T).
 */
#ifndef BENCH_SEQUENCE_H
#define BENCH_SEQUENCE_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_WRITE    (UINT32_C(1) << 31)
#define BENCH_KEYS_MAX (BENCH_WRITE - 1)

struct bench_sequence {
	int fd; /* a memfd, for programs of their own; inherited */
	uint32_t *entries;
	size_t capacity;
};

/* What thread of threads takes of count. */
struct bench_share {
	size_t from, to;
};

static inline struct bench_share bench_share(size_t count, unsigned int thread,
					     unsigned int threads)
{
	return (struct bench_share){count * thread / threads, count * (thread + 1) / threads};
}

/* Zipfian numbers 0..keys-1: rank r with probability proportional to 1 / r^0.99 (YCSB's). */
struct bench_zipf {
	size_t keys;
	double zeta, zeta2, alpha, eta;
};

/* capacity: of entries; the functions below need keys + count of them. */
int bench_sequence_create(struct bench_sequence *sequence, size_t capacity);
void bench_sequence_destroy(struct bench_sequence *sequence);

/* splitmix64: the next of the stream that state, any number, stands for. */
uint64_t bench_random(uint64_t *state);

/* Each of 0..keys-1 once, the first count of them, shuffled. count <= keys. */
void bench_sequence_shuffled(struct bench_sequence *sequence, size_t keys, size_t count,
			     uint64_t seed);

/* Any of 0..keys-1, uniformly. */
void bench_sequence_uniform(struct bench_sequence *sequence, size_t keys, size_t count,
			    uint64_t seed);

/*
 * Passes for compare and swap: thread t walks through bench_share(keys, t, threads) alone, each
 * pass in the same shuffled order. So entry i of its share meets generation i / keys of its share.
 */
void bench_sequence_passes(struct bench_sequence *sequence, size_t keys, size_t count,
			   unsigned int threads, uint64_t seed);

void bench_zipf_init(struct bench_zipf *zipf, size_t keys);
/* 0 is the most frequent one. */
size_t bench_zipf_rank(const struct bench_zipf *zipf, uint64_t *state);

/* Zipfian, the frequent keys spread over all, write_percent of them writes. */
void bench_sequence_zipf(struct bench_sequence *sequence, const struct bench_zipf *zipf,
			 size_t count, unsigned int write_percent, uint64_t seed);

#endif
