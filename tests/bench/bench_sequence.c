/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_sequence.h"

#include <errno.h>
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#define ZIPF_THETA 0.99

int bench_sequence_create(struct bench_sequence *sequence, size_t capacity)
{
	size_t bytes = capacity * sizeof(uint32_t);
	int fd = memfd_create("bench-sequence", 0);
	int err = 0;
	void *entries;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes)) {
		err = -errno;
		close(fd);
		return err;
	}
	entries = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (entries == MAP_FAILED) {
		err = -errno;
		close(fd);
		return err;
	}
	*sequence = (struct bench_sequence){fd, entries, capacity};
	return 0;
}

void bench_sequence_destroy(struct bench_sequence *sequence)
{
	munmap(sequence->entries, sequence->capacity * sizeof(uint32_t));
	close(sequence->fd);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

uint64_t bench_random(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	return mix(*state);
}

/* 0..n-1; the bias of the multiplication is below 2^-32. */
static uint32_t below(uint64_t *state, size_t n)
{
	return (uint32_t)(((bench_random(state) >> 32) * n) >> 32);
}

/* entries[0..count) become the first count of from..from+keys-1 shuffled (Fisher-Yates). */
static void shuffle(uint32_t *entries, size_t from, size_t keys, size_t count, uint64_t *state)
{
	for (size_t i = 0; i < keys; i++)
		entries[i] = (uint32_t)(from + i);
	for (size_t i = 0; i < count && i + 1 < keys; i++) {
		size_t j = i + below(state, keys - i);
		uint32_t swapped = entries[i];

		entries[i] = entries[j];
		entries[j] = swapped;
	}
}

void bench_sequence_shuffled(struct bench_sequence *sequence, size_t keys, size_t count,
			     uint64_t seed)
{
	shuffle(sequence->entries, 0, keys, count, &seed);
}

void bench_sequence_uniform(struct bench_sequence *sequence, size_t keys, size_t count,
			    uint64_t seed)
{
	for (size_t i = 0; i < count; i++)
		sequence->entries[i] = below(&seed, keys);
}

void bench_sequence_passes(struct bench_sequence *sequence, size_t keys, size_t count,
			   unsigned int threads, uint64_t seed)
{
	for (unsigned int t = 0; t < threads; t++) {
		struct bench_share entries = bench_share(count, t, threads);
		struct bench_share own = bench_share(keys, t, threads);
		size_t own_keys = own.to - own.from;
		size_t total = entries.to - entries.from;
		uint32_t *to = sequence->entries + entries.from;

		/* What it writes beyond total is overwritten by the next thread's, or is unused. */
		shuffle(to, own.from, own_keys, total < own_keys ? total : own_keys, &seed);
		for (size_t i = own_keys; i < total; i++)
			to[i] = to[i - own_keys];
	}
}

void bench_zipf_init(struct bench_zipf *zipf, size_t keys)
{
	zipf->keys = keys;
	zipf->zeta = 0;
	for (size_t i = 1; i <= keys; i++)
		zipf->zeta += pow((double)i, -ZIPF_THETA);
	zipf->zeta2 = 1 + pow(2, -ZIPF_THETA);
	zipf->alpha = 1 / (1 - ZIPF_THETA);
	zipf->eta = (1 - pow(2.0 / (double)keys, 1 - ZIPF_THETA)) / (1 - zipf->zeta2 / zipf->zeta);
}

/*
 * Gray, Sundaresan, Englert, Baclawski, Weinberger: "Quickly generating billion-record synthetic
 * databases", SIGMOD 1994: the first two ranks are exact, the others by an integral.
 */
size_t bench_zipf_rank(const struct bench_zipf *zipf, uint64_t *state)
{
	double u = (double)(bench_random(state) >> 11) * 0x1p-53;
	double area = u * zipf->zeta;
	size_t rank;

	if (area < 1)
		return 0;
	if (area < zipf->zeta2)
		return 1;
	rank = (size_t)((double)zipf->keys * pow(zipf->eta * u - zipf->eta + 1, zipf->alpha));
	return rank < zipf->keys ? rank : zipf->keys - 1;
}

void bench_sequence_zipf(struct bench_sequence *sequence, const struct bench_zipf *zipf,
			 size_t count, unsigned int write_percent, uint64_t seed)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t key = (uint32_t)(mix(bench_zipf_rank(zipf, &seed) + 1) % zipf->keys);
		uint32_t write = below(&seed, 100) < write_percent ? BENCH_WRITE : 0;

		sequence->entries[i] = key | write;
	}
}
