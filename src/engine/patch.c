/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch.c - feox_patch(): the value is read and pinned, the patch is applied to it outside of every
 * section and lock, and the result is put under the condition that the version is still the one
 * read. Versions never repeat, so the change is as atomic as that put. Each time the put loses,
 * another writer has won; a patch that takes longer than the key stays as it is gives up in the
 * end.
 */
#include "histogram.h"
#include "json_patch.h"
#include "write.h"

#include <errno.h>

#define PATCH_FLAGS                                                                                \
	(FEOX_NOWAIT | FEOX_REPLACE | FEOX_IF_VERSION | FEOX_KEEP_EXPIRY | FEOX_KEEP_METADATA |    \
	 FEOX_RESERVED | FEOX_SET_EXPIRY | FEOX_SET_METADATA | FEOX_BASE | FEOX_SET_VERSION)

/* Read, apply, put. -ECANCELED also when another writer was faster. */
static int attempt(struct feox_store *store, struct fx_change *c, const struct fx_json_patch *patch,
		   struct feox_diag *diag)
{
	const struct fx_json_limits limits = {store->max_value, FEOX_PATCH_WORK_MAX};
	struct fx_json_buffer result = {0};
	struct fx_json_text text;
	struct feox_value value;
	int err = fx_value_get(store, c->hash, c->key, c->key_size, c->flags & FEOX_NOWAIT, &value);

	if (err)
		return err;
	text = c->flags & FEOX_BASE ? (struct fx_json_text){c->base, c->base_size}
				    : (struct fx_json_text){value.data, value.size};
	if ((c->flags & FEOX_IF_VERSION) && c->if_version != value.version)
		err = -ECANCELED;
	else
		err = fx_json_patch_apply(patch, text, &limits, &result, diag);
	c->if_version = value.version;
	feox_value_release(store, &value);
	if (!err) {
		struct fx_change put = *c;

		put.flags |= FEOX_IF_VERSION;
		err = fx_put_value(store, &put, result.bytes, result.size);
		c->version = put.version;
		c->new_expiry_ns = put.new_expiry_ns;
	}
	fx_json_buffer_free(&result);
	return err;
}

static int apply_until_won(struct feox_store *store, struct fx_change *c,
			   const struct fx_json_patch *patch, struct feox_diag *diag)
{
	int err = -ECANCELED;

	for (unsigned int i = 0; i < FEOX_PATCH_ATTEMPTS_MAX && err == -ECANCELED; i++) {
		err = attempt(store, c, patch, diag);
		if (c->flags & FEOX_IF_VERSION)
			return err;
	}
	if (err == -ECANCELED)
		err = fx_json_say(diag, -EBUSY, "other writers were faster %u times",
				  FEOX_PATCH_ATTEMPTS_MAX);
	return err;
}

FEOX_API int feox_patch(struct feox_store *store, const void *key, size_t key_size,
			const void *patch, size_t patch_size,
			const struct feox_write_options *options,
			struct feox_write_result *ret_result, struct feox_diag *diag)
{
	struct fx_change c;
	struct fx_json_patch operations = {0};
	struct feox_diag why = {""};
	uint64_t begin_ns = 0;
	int err = fx_change_init(store, &c, key, key_size, options, PATCH_FLAGS);

	if (err || (!patch && patch_size)) {
		err = fx_json_say(&why, -EINVAL, "a key, option or flag that a patch cannot have");
	} else {
		c.flags = (c.flags & ~(unsigned int)(FEOX_KEEP_EXPIRY | FEOX_KEEP_METADATA)) |
			  fx_keep_flags(&c);
		c.build = fx_build_put;
		begin_ns = fx_timer_begin(fx_counters(store));
		err = fx_store_writable(store);
	}
	if (!err)
		err = fx_json_patch_read(patch, patch_size, &operations, &why);
	if (!err)
		err = apply_until_won(store, &c, &operations, &why);
	fx_json_patch_free(&operations);
	if (!err)
		fx_put_finish(store, &c, FEOX_OP_UPDATE, begin_ns, ret_result);
	else if (diag)
		*diag = why;
	return err;
}
