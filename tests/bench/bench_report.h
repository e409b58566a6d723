/* SPDX-License-Identifier: Apache-2.0 */
/* bench_report.h - what was measured, for people or for programs. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench_case.h"

#include <stdio.h>

/* numbers is sorted. 0 of nothing. */
double bench_median(double *numbers, unsigned int count);
/* From the smallest to the largest, as a fraction of the median. */
double bench_spread(double *numbers, unsigned int count);

/* Which machine, which versions. */
void bench_report_machine(FILE *out, const char *dir);
void bench_report_table(FILE *out, const struct bench_case *c);
/* One line an engine and workload; without what only tables have. */
void bench_report_json(FILE *out, const struct bench_case *c);

#endif
