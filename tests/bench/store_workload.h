/* SPDX-License-Identifier: Apache-2.0 */
/* store_workload.h - what store_bench measures: one function each, which reports what it finds. */
#ifndef STORE_WORKLOAD_H
#define STORE_WORKLOAD_H

#include "store_engine.h"

#define STORE_VALUE_BYTES 100u
#define STORE_MANY	  1000u /* pairs put together */

struct store_run {
	const struct store_engine *engine;
	const char *dir; /* empty */
	uint32_t keys;
	uint32_t syncs; /* durable puts of one thread */
	uint32_t cold_gets;
	uint32_t overwrites; /* of each key, on average */
	bool json;
};

/* 0, or a negative errno value after a message. Each makes and removes its store. */
int store_run_insert(const struct store_run *run); /* durable_insert, cold_get, recovery */
int store_run_overwrite(const struct store_run *run);
int store_run_sync(const struct store_run *run, unsigned int threads);

/* What the device does by itself: one write and fdatasync(2), one random read of 4 KiB. */
int store_run_device(const struct store_run *run);

#endif
