/* SPDX-License-Identifier: Apache-2.0 */
/* node_key.c - the key that a chain of nodes stands for, see node.h. */
#include <errno.h>
#include <string.h>

#include "node.h"

int fx_node_key(const struct fx_fs *fs, const struct fx_node *node, struct fx_key *ret_key)
{
	const struct fx_node *start = node->self ? node->parent : node;
	size_t size = fs->rules.prefix_size, end;

	for (const struct fx_node *n = node; n; n = n->parent)
		if (fx_node_is_detached(n))
			return -ESTALE;
	for (const struct fx_node *n = start; n; n = n->parent)
		size += n->piece_size;
	if (size > FEOX_KEY_MAX)
		return -ENAMETOOLONG;
	end = size;
	for (const struct fx_node *n = start; n; n = n->parent) {
		end -= n->piece_size;
		if (n->piece_size)
			memcpy(ret_key->data + end, n->text + n->piece_offset, n->piece_size);
	}
	if (end)
		memcpy(ret_key->data, fs->rules.prefix, end);
	ret_key->size = node->self ? size - 1 : size;
	return 0;
}

struct fx_place fx_node_place(const struct fx_node *node, const struct fx_key *base)
{
	return (struct fx_place){.base = base->data,
				 .size = base->size,
				 .partial = node->kind == FX_NODE_CONTINUATION};
}
