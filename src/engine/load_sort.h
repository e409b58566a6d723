/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_sort.h - records in the order of their keys, many at once: for recovery. Nobody else knows
 * the records yet.
 */
#ifndef FX_LOAD_SORT_H
#define FX_LOAD_SORT_H

#include "record.h"

struct fx_sort_item {
	uint64_t head; /* the sort's own */
	struct fx_record *record;
};

/* Order n items by their records' keys, which differ. -ENOMEM: as they were, in some order. */
int fx_sort_records(struct fx_sort_item *items, size_t n);

#endif
