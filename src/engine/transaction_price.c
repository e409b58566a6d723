/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transaction_price.c - what a renamed prefix takes on disk. Its keys are told by one entry and a
 * bitmap for each extent that has some of their values (PREFIX): less room has to be free for all
 * of them than for as many single amendments. Where an extent may be changed meanwhile, what is
 * compared is the same a moment later: extents move as a whole.
 */
#include "intent.h"

#include <errno.h>
#include <stdlib.h>

struct priced {
	uint32_t extent; /* its number */
	struct fx_record *record;
};

static int compare_priced(const void *a, const void *b)
{
	const struct priced *x = a, *y = b;

	return (x->extent > y->extent) - (x->extent < y->extent);
}

/* Is it moved by its prefix, with a value that is on disk? Inside an epoch section. */
static bool is_shared(const struct entry *entry, struct priced *ret_priced)
{
	struct fx_record *new = entry->new;
	const struct fx_record *basis;

	if (!(entry->op->flags & FX_OP_PREFIX) || !new || (new->flags &FX_RECORD_TOMBSTONE))
		return false;
	basis = fx_pending_of(new)->basis;
	if (!basis || !fx_record_is(basis, FX_DURABLE))
		return false;
	*ret_priced = (struct priced){fx_location_extent(fx_value_location(basis)), new};
	return true;
}

static void price(struct feox_store *store, const struct priced *at, size_t count)
{
	const struct fx_extent *extent = fx_extent_table_get(store->extents, at->extent);
	uint32_t share;

	if (!extent)
		return; /* it has just moved: each as if alone */
	share = fx_disk_share(extent, at->record, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		fx_pending_of(at[i].record)->disk = share;
}

int fx_run_price(struct run *run)
{
	size_t count = 0;
	struct priced *all;

	if (!run->store->persistent || !run->prefix_version)
		return 0;
	all = malloc(run->count * sizeof(*all));
	if (!all)
		return -ENOMEM;
	fx_epoch_enter();
	for (size_t i = 0; i < run->count; i++)
		count += is_shared(&run->entries[i], &all[count]);
	if (count)
		qsort(all, count, sizeof(*all), compare_priced);
	for (size_t i = 0, n; i < count; i += n) {
		for (n = 1; i + n < count && all[i + n].extent == all[i].extent; n++)
			;
		price(run->store, &all[i], n);
	}
	fx_epoch_leave();
	free(all);
	return 0;
}
