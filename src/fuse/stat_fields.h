/* SPDX-License-Identifier: Apache-2.0 */
/* stat_fields.h - the numbers of struct feox_stats, one by one, for the files that show them. */
#ifndef FX_STAT_FIELDS_H
#define FX_STAT_FIELDS_H

#include "fs.h"

enum fx_stat_kind {
	FX_STAT_GAUGE,	 /* goes up and down */
	FX_STAT_COUNTER, /* since the mount */
	FX_STAT_FIXED	 /* does not change */
};

enum fx_stat_unit { FX_STAT_NUMBER, FX_STAT_BYTES, FX_STAT_NS };

struct fx_stat_field {
	const char *name; /* units last */
	size_t offset;	  /* of an uint64_t in struct feox_stats */
	enum fx_stat_kind kind;
	enum fx_stat_unit unit;
	const char *metric; /* for Prometheus: the name without its unit */
	const char *help;
};

extern const struct fx_stat_field fx_stat_fields[];
extern const size_t fx_stat_field_count;

uint64_t fx_stat_value(const struct feox_stats *stats, const struct fx_stat_field *field);

/* What latencies are shown of: enum feox_op by name, "get". */
const char *fx_op_name(enum feox_op op);

#endif
