/* SPDX-License-Identifier: Apache-2.0 */
/* store_report.h - one measured number, printed at once; and what it is computed from. */
#ifndef STORE_REPORT_H
#define STORE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One object a line when json, else a line of a table. */
void store_report(bool json, const char *engine, const char *workload, const char *metric,
		  double value);

/* The latency in ns that percent of count do not exceed; sorts them. */
double store_percentile_us(uint64_t *ns, size_t count, double percent);

uint64_t store_now_ns(void);

/* Bytes this process has caused to be written to a device. 0 on tmpfs. */
uint64_t store_written_bytes(void);

/* Bytes that the files of a directory take. */
uint64_t store_dir_bytes(const char *dir);

/* Let nothing of the files of a directory be in memory that is not mapped. */
void store_drop_cache(const char *dir);

/* Remove a directory without directories in it. */
void store_remove_dir(const char *dir);

#endif
