/* SPDX-License-Identifier: Apache-2.0 */
#include "store_workload.h"

#include "store_report.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREADS_MAX 8u
#define BLOCK	    4096u
#define CACHE_BYTES ((uint64_t)64 << 20) /* for cold gets: keys have to fit */
#define PER_KEY	    300u		 /* bytes of memory, generously */
#define DEVICE_FILE ((uint64_t)256 << 20)

struct many {
	struct store_pair pairs[STORE_MANY];
	unsigned char keys[STORE_MANY][BENCH_KEY_MAX];
	unsigned char values[STORE_MANY][STORE_VALUE_BYTES];
	size_t count;
};

static uint64_t data_bytes(const struct store_run *run)
{
	return bench_key_bytes(run->keys) + (uint64_t)run->keys * STORE_VALUE_BYTES;
}

static uint32_t roll(uint64_t *state, uint32_t below)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((*state >> 33) % below);
}

static void report(const struct store_run *run, const char *workload, const char *metric,
		   double value)
{
	store_report(run->json, run->engine ? run->engine->name : "device", workload, metric,
		     value);
}

static int failed(const struct store_run *run, const char *what, int err)
{
	fprintf(stderr, "store_bench: %s: %s: %s\n", run->engine->name, what, strerror(-err));
	return err;
}

static void add_pair(struct many *many, uint32_t number, uint32_t generation)
{
	size_t i = many->count++;

	bench_value(many->values[i], number, generation);
	many->pairs[i] = (struct store_pair){.key = many->keys[i],
					     .key_size = bench_key(number, many->keys[i]),
					     .value = many->values[i],
					     .value_size = STORE_VALUE_BYTES};
}

static int put_all(const struct store_run *run, void *db, uint64_t count, bool random)
{
	struct many *many = calloc(1, sizeof(*many));
	uint64_t state = 1;
	int err = 0;

	memset(many->values, BENCH_VALUE_FILLING, sizeof(many->values));
	for (uint64_t done = 0; done < count && !err; done += many->count) {
		many->count = 0;
		while (many->count < STORE_MANY && done + many->count < count)
			add_pair(many,
				 random ? roll(&state, run->keys) : (uint32_t)(done + many->count),
				 (uint32_t)random);
		err = run->engine->put_many(db, many->pairs, many->count);
	}
	free(many);
	return err ? err : run->engine->flush(db);
}

/* ---- Insert, and what can be asked of a store that has data -------------------------------------
 */

static int cold_gets(const struct store_run *run, void *db)
{
	uint64_t *ns = malloc(run->cold_gets * sizeof(*ns)), state = 7;
	unsigned char key[BENCH_KEY_MAX], value[STORE_VALUE_BYTES];
	int err = 0;

	for (uint32_t i = 0; i < run->cold_gets && !err; i++) {
		uint32_t number = roll(&state, run->keys);
		size_t key_size = bench_key(number, key);
		uint64_t begin = store_now_ns();
		long size = run->engine->get(db, key, key_size, value, sizeof(value));

		ns[i] = store_now_ns() - begin;
		if (size != STORE_VALUE_BYTES || bench_value_number(value) != number)
			err = size < 0 ? (int)size : -EILSEQ;
	}
	if (!err) {
		report(run, "cold_get", "p50_us", store_percentile_us(ns, run->cold_gets, 50));
		report(run, "cold_get", "p99_us", store_percentile_us(ns, run->cold_gets, 99));
	}
	free(ns);
	return err;
}

static int reopen(const struct store_run *run, struct store_setup *setup)
{
	uint64_t keys, ns;
	void *db;
	int err;

	setup->cache_bytes = CACHE_BYTES + (uint64_t)run->keys * PER_KEY;
	store_drop_cache(run->dir);
	err = run->engine->open(setup, &db);
	if (err)
		return err;
	if (run->engine->recovery && !run->engine->recovery(db, &keys, &ns))
		report(run, "recovery", "keys_per_s", (double)keys * 1e9 / (double)ns);
	store_drop_cache(run->dir);
	err = cold_gets(run, db);
	return err ? err : run->engine->close(db);
}

int store_run_insert(const struct store_run *run)
{
	struct store_setup setup = {.dir = run->dir, .data_bytes = data_bytes(run)};
	uint64_t begin, took, written;
	void *db;
	int err = run->engine->open(&setup, &db);

	if (err)
		return failed(run, "open", err);
	written = store_written_bytes();
	begin = store_now_ns();
	err = put_all(run, db, run->keys, false);
	took = store_now_ns() - begin;
	if (err)
		return failed(run, "durable_insert", err);
	report(run, "durable_insert", "ops_per_s", (double)run->keys * 1e9 / (double)took);
	report(run, "durable_insert", "written_per_byte",
	       (double)(store_written_bytes() - written) / (double)setup.data_bytes);
	err = run->engine->close(db);
	if (!err)
		err = reopen(run, &setup);
	return err ? failed(run, "cold_get", err) : 0;
}

/* ---- Overwrite ---------------------------------------------------------------------------------
 */

int store_run_overwrite(const struct store_run *run)
{
	struct store_setup setup = {
		.dir = run->dir, .data_bytes = data_bytes(run), .fixed_bytes = 2 * data_bytes(run)};
	uint64_t count = (uint64_t)run->keys * run->overwrites, begin, took, written;
	void *db;
	int err = run->engine->open(&setup, &db);

	if (!err)
		err = put_all(run, db, run->keys, false);
	if (err)
		return failed(run, "overwrite", err);
	written = store_written_bytes();
	begin = store_now_ns();
	err = put_all(run, db, count, true);
	took = store_now_ns() - begin;
	if (err)
		return failed(run, "overwrite", err);
	report(run, "overwrite", "ops_per_s", (double)count * 1e9 / (double)took);
	report(run, "overwrite", "written_per_byte",
	       (double)(store_written_bytes() - written) /
		       ((double)setup.data_bytes * run->overwrites));
	report(run, "overwrite", "space_per_live_byte",
	       (double)store_dir_bytes(run->dir) / (double)setup.data_bytes);
	return run->engine->close(db);
}

/* ---- Sync --------------------------------------------------------------------------------------
 */

struct syncer {
	const struct store_run *run;
	void *db;
	pthread_t thread;
	uint64_t *ns;
	unsigned int number;
	int err;
};

static void *sync_thread(void *arg)
{
	struct syncer *s = arg;
	unsigned char key[BENCH_KEY_MAX], value[STORE_VALUE_BYTES];
	struct store_pair pair = {.key = key, .value = value, .value_size = sizeof(value)};

	memset(value, BENCH_VALUE_FILLING, sizeof(value));
	for (uint32_t i = 0; i < s->run->syncs && !s->err; i++) {
		uint32_t number = i * THREADS_MAX + s->number;
		uint64_t begin;

		bench_value(value, number, 0);
		pair.key_size = bench_key(number, key);
		begin = store_now_ns();
		s->err = s->run->engine->put_durable(s->db, &pair);
		s->ns[i] = store_now_ns() - begin;
	}
	return NULL;
}

static int sync_all(const struct store_run *run, void *db, unsigned int threads, uint64_t *ns)
{
	struct syncer syncers[THREADS_MAX];
	int err = 0;

	for (unsigned int i = 0; i < threads; i++) {
		syncers[i] = (struct syncer){
			.run = run, .db = db, .ns = ns + (size_t)i * run->syncs, .number = i};
		if (pthread_create(&syncers[i].thread, NULL, sync_thread, &syncers[i]))
			return -EAGAIN;
	}
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(syncers[i].thread, NULL);
		err = err ? err : syncers[i].err;
	}
	return err;
}

int store_run_sync(const struct store_run *run, unsigned int threads)
{
	struct store_setup setup = {.dir = run->dir, .data_bytes = data_bytes(run)};
	size_t count = (size_t)run->syncs * threads;
	uint64_t *ns = malloc(count * sizeof(*ns)), begin, took;
	char workload[16];
	void *db;
	int err = run->engine->open(&setup, &db);

	begin = store_now_ns();
	if (!err)
		err = sync_all(run, db, threads, ns);
	took = store_now_ns() - begin;
	snprintf(workload, sizeof(workload), "sync_%u", threads);
	if (!err) {
		report(run, workload, "p50_us", store_percentile_us(ns, count, 50));
		report(run, workload, "p99_us", store_percentile_us(ns, count, 99));
		report(run, workload, "ops_per_s", (double)count * 1e9 / (double)took);
		err = run->engine->close(db);
	}
	free(ns);
	return err ? failed(run, workload, err) : 0;
}

/* ---- The device --------------------------------------------------------------------------------
 */

static int make_file(const struct store_run *run, int *ret_fd)
{
	unsigned char *piece = malloc(1 << 20);
	char path[4096];
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/device", run->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	memset(piece, BENCH_VALUE_FILLING, 1 << 20);
	for (uint64_t at = 0; fd >= 0 && at < DEVICE_FILE && !err; at += 1 << 20)
		err = pwrite(fd, piece, 1 << 20, (off_t)at) == 1 << 20 ? 0 : -EIO;
	free(piece);
	if (fd < 0 || fdatasync(fd))
		return -EIO;
	*ret_fd = fd;
	return err;
}

int store_run_device(const struct store_run *run)
{
	size_t count = run->syncs > run->cold_gets ? run->syncs : run->cold_gets;
	uint64_t *ns = malloc(count * sizeof(*ns)), state = 3;
	unsigned char block[BLOCK] = {1};
	int fd, err = make_file(run, &fd);

	for (uint32_t i = 0; i < run->syncs && !err; i++) {
		uint64_t begin = store_now_ns();

		if (pwrite(fd, block, BLOCK, (off_t)i * BLOCK) != BLOCK || fdatasync(fd))
			err = -EIO;
		ns[i] = store_now_ns() - begin;
	}
	if (!err)
		report(run, "sync_1", "p50_us", store_percentile_us(ns, run->syncs, 50));
	store_drop_cache(run->dir);
	for (uint32_t i = 0; i < run->cold_gets && !err; i++) {
		off_t at = (off_t)roll(&state, (uint32_t)(DEVICE_FILE / BLOCK)) * BLOCK;
		uint64_t begin = store_now_ns();

		if (pread(fd, block, BLOCK, at) != BLOCK)
			err = -EIO;
		ns[i] = store_now_ns() - begin;
	}
	if (!err)
		report(run, "cold_get", "p50_us", store_percentile_us(ns, run->cold_gets, 50));
	free(ns);
	return err;
}
