/* SPDX-License-Identifier: Apache-2.0 */
/* budget.c - see budget.h. */
#include "budget.h"

#include "cleanup.h"

#include <assert.h>
#include <errno.h>

void fx_budget_init(struct fx_budget *budget, const struct fx_slab *slab, uint64_t limit)
{
	budget->slab = slab;
	budget->limit = limit;
	atomic_init(&budget->taken, 0);
	atomic_init(&budget->promised, 0);
}

uint64_t fx_budget_used(const struct fx_budget *budget)
{
	uint64_t asked = atomic_load(&budget->taken) + atomic_load(&budget->promised);

	uint64_t kept = budget->limit / FX_BUDGET_KEPT_DIVISOR;

	/* Last: who has given back what he took had allocated it before. */
	return asked + FX_MIN(fx_slab_claimed(budget->slab), fx_slab_used(budget->slab) + kept);
}

/* As above or a little more, in three loads whatever the number of threads. */
static uint64_t used_at_most(const struct fx_budget *budget)
{
	return atomic_load_explicit(&budget->taken, memory_order_relaxed) +
	       atomic_load_explicit(&budget->promised, memory_order_relaxed) +
	       fx_slab_claimed(budget->slab);
}

bool fx_budget_is_far(const struct fx_budget *budget, uint64_t bytes)
{
	uint64_t far = budget->limit / FX_BUDGET_FAR_DIVISOR;

	return bytes <= far / FX_BUDGET_FAR_THREADS &&
	       used_at_most(budget) + bytes <= budget->limit - far;
}

int fx_budget_take(struct fx_budget *budget, uint64_t bytes, uint64_t *ret_taken)
{
	if (fx_budget_is_far(budget, bytes)) {
		*ret_taken = 0;
		return 0;
	}
	atomic_fetch_add(&budget->taken, bytes);
	if (fx_budget_used(budget) > budget->limit) {
		atomic_fetch_sub(&budget->taken, bytes);
		return -ENOMEM;
	}
	*ret_taken = bytes;
	return 0;
}

void fx_budget_give(struct fx_budget *budget, uint64_t taken)
{
	uint64_t before = taken ? atomic_fetch_sub(&budget->taken, taken) : 0;

	assert(before >= taken);
	(void)before;
}

void fx_budget_promise(struct fx_budget *budget, uint64_t bytes, uint64_t taken)
{
	atomic_fetch_add(&budget->promised, bytes);
	fx_budget_give(budget, taken);
}

void fx_budget_forgo(struct fx_budget *budget, uint64_t bytes)
{
	uint64_t before = atomic_fetch_sub(&budget->promised, bytes);

	assert(before >= bytes);
	(void)before;
}
