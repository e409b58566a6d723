/* SPDX-License-Identifier: Apache-2.0 */
#include "slab.h"

#include <stdatomic.h>
#include <stdlib.h>

struct fx_slab {
	struct fx_slab_options options;
	_Atomic uint64_t used;
};

static size_t round_up(size_t size)
{
	return (size + 15) & ~(size_t)15;
}

int fx_slab_create(const struct fx_slab_options *options, struct fx_slab **ret_slab)
{
	struct fx_slab *slab = calloc(1, sizeof(*slab));

	if (!slab)
		return -12;
	if (options)
		slab->options = *options;
	*ret_slab = slab;
	return 0;
}

void fx_slab_destroy(struct fx_slab *slab)
{
	free(slab);
}

void *fx_slab_alloc(struct fx_slab *slab, size_t size)
{
	void *p;

	if (slab->options.fail && slab->options.fail(slab->options.fail_ctx, size))
		return NULL;
	p = malloc(size);
	if (p)
		atomic_fetch_add_explicit(&slab->used, round_up(size), memory_order_relaxed);
	return p;
}

void fx_slab_free(struct fx_slab *slab, void *ptr, size_t size)
{
	if (!ptr)
		return;
	atomic_fetch_sub_explicit(&slab->used, round_up(size), memory_order_relaxed);
	free(ptr);
}

uint64_t fx_slab_used(const struct fx_slab *slab)
{
	return atomic_load_explicit(&slab->used, memory_order_relaxed);
}
