/* SPDX-License-Identifier: Apache-2.0 */
/* kv_xattr.h - the xattrs that act on a key instead of being stored bytes. */
#ifndef FX_KV_XATTR_H
#define FX_KV_XATTR_H

#include "op.h"

enum fx_xattr {
	FX_XATTR_USER, /* somebody's own */
	FX_XATTR_TTL,
	FX_XATTR_EXPIRES_AT,
	FX_XATTR_DEFAULT_TTL,
	FX_XATTR_IF_VERSION,
	FX_XATTR_CAS,
	FX_XATTR_INCR,
	FX_XATTR_JSON_PATCH,
	FX_XATTR_VERSION,
	FX_XATTR_KEY,
	FX_XATTR_UNKNOWN, /* user.feox.anything */
	FX_XATTR_FOREIGN  /* not user. */
};

/* Bytes that stand in the attributes as they were set. */
static inline bool fx_xattr_is_stored(enum fx_xattr what)
{
	return what == FX_XATTR_USER || what == FX_XATTR_DEFAULT_TTL || what == FX_XATTR_IF_VERSION;
}

/* A work: set call->name of call->node to call->data, size bytes; NULL: removed. */
int fx_xattr_store(struct fx_call *call);

/* The same of a control that can be set. */
int fx_kv_xattr_change(struct fx_call *call, enum fx_xattr what);

/* The version that the target of the next rename must have; false: any. */
bool fx_if_version(const struct fx_attr *attr, uint64_t *ret_version);

/* Take that condition out of attr: *ret_xattrs, malloc(3)ed, is then what attr points into. */
int fx_if_version_clear(struct fx_attr *attr, uint8_t **ret_xattrs);

#endif
