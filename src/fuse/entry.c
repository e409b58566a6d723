/* SPDX-License-Identifier: Apache-2.0 */
/* entry.c - see entry.h. */
#include <errno.h>
#include <string.h>

#include "entry.h"
#include "stage.h"
#include "ttl.h"

/* The node has no name any more: its key expired, and something else stands there now. */
static int retire(struct fx_call *call, struct fx_node *node)
{
	int rc;

	if (fx_node_is_directory(node)) {
		fx_node_detach(call->fs, node);
		return 0;
	}
	rc = fx_call_lock(call, &node->mutex);
	if (rc < 0)
		return rc;
	fx_stage_expire(call->fs, node);
	pthread_mutex_unlock(&node->mutex);
	return 0;
}

int fx_entry_node(struct fx_call *call, struct fx_node *parent, const char *name,
		  const struct fx_found *found, bool fresh, struct fx_node **ret_node)
{
	struct fx_spot spot = fx_found_spot(found, parent, name);
	struct fx_node *old = fx_node_find(call->fs, parent, spot.name, spot.name_size);
	int rc = 0;

	if (old && (fresh || old->kind != spot.kind))
		rc = retire(call, old);
	fx_node_unref(call->fs, old);
	return rc < 0 ? rc : fx_node_enter(call->fs, &spot, ret_node);
}

int fx_entry_fill(struct fx_call *call, struct fx_node *node, const struct fx_found *found,
		  struct fuse_entry_param *ret_entry)
{
	struct fuse_entry_param entry = {.ino = fx_node_id(call->fs, node),
					 .generation = node->generation};
	bool locks = !fx_node_is_directory(node);
	uint64_t expiry_ns;
	int rc = locks ? fx_call_lock(call, &node->mutex) : 0;

	if (rc < 0)
		return rc;
	rc = fx_found_stat(call->fs, node, found, call->nowait, &entry.attr, &expiry_ns);
	if (locks)
		pthread_mutex_unlock(&node->mutex);
	if (rc < 0)
		return rc;
	entry.attr_timeout = fx_ttl_timeout(call->fs, expiry_ns);
	entry.entry_timeout = fx_ttl_timeout(call->fs, found->expiry_ns);
	fx_node_count(call->fs, node);
	*ret_entry = entry;
	return 0;
}

void fx_entry_negative(struct fx_fs *fs, struct fuse_entry_param *ret_entry)
{
	*ret_entry = (struct fuse_entry_param){.entry_timeout = fx_ttl_timeout(fs, 0)};
}
