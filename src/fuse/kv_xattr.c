/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv_xattr.c - see kv_xattr.h.
 *
 * What changes a value or an expiry does so behind the kernel's back: the answer waits until the
 * kernel has dropped what it had cached of the inode. Names are dropped a little later (see
 * known.h).
 */
#include "kv_xattr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "cleanup.h"
#include "kv.h"
#include "known.h"
#include "ttl.h"

#define FX_IF_VERSION "user.feox.if_version"

/* ---- Stored ---------------------------------------------------------------------------------- */

int fx_xattr_store(struct fx_call *call)
{
	FX_AUTO_FREE uint8_t *xattrs = NULL;
	FX_AUTO_FOUND struct fx_found found;
	struct fx_attr *attr = &found.meta.attr;
	mode_t type;
	int rc;

	fx_found_init(&found);
	rc = fx_attr_change_begin(call, &found, &type);
	if (rc == 0)
		rc = fx_xattr_set(attr, call->name, call->data, call->size, (int)call->flags,
				  &xattrs, &attr->xattrs_size);
	if (rc < 0)
		return rc;
	attr->xattrs = xattrs;
	return fx_attr_change_commit(call, &found);
}

/* Decimal digits and nothing else. */
static int parse_version(const char *text, size_t size, uint64_t *ret_version)
{
	uint64_t version = 0;

	if (!size)
		return -EINVAL;
	for (size_t i = 0; i < size; i++) {
		unsigned int digit = (unsigned int)text[i] - '0';

		if (digit > 9 || __builtin_mul_overflow(version, 10, &version) ||
		    __builtin_add_overflow(version, digit, &version))
			return -EINVAL;
	}
	*ret_version = version;
	return 0;
}

static int change_default_ttl(struct fx_call *call)
{
	uint64_t ns;

	if (!fx_node_is_directory(call->node))
		return call->data ? -EINVAL : -ENODATA;
	if (call->data && (fx_parse_time(call->data, call->size, &ns) < 0 || !ns ||
			   ns > FEOX_TIME_MAX - feox_now(call->fs->store)))
		return -EINVAL;
	return fx_xattr_store(call);
}

static int change_if_version(struct fx_call *call)
{
	uint64_t version;

	if (fx_node_is_directory(call->node))
		return call->data ? -EINVAL : -ENODATA;
	if (call->data && parse_version(call->data, call->size, &version) < 0)
		return -EINVAL;
	return fx_xattr_store(call);
}

bool fx_if_version(const struct fx_attr *attr, uint64_t *ret_version)
{
	const void *text;
	size_t size;

	return fx_xattr_get(attr, FX_IF_VERSION, &text, &size) == 0 &&
	       parse_version(text, size, ret_version) == 0;
}

int fx_if_version_clear(struct fx_attr *attr, uint8_t **ret_xattrs)
{
	uint8_t *xattrs = NULL;
	int rc = fx_xattr_set(attr, FX_IF_VERSION, NULL, 0, 0, &xattrs, &attr->xattrs_size);

	if (rc < 0)
		return rc == -ENODATA ? 0 : rc;
	attr->xattrs = *ret_xattrs = xattrs;
	return 0;
}

/* ---- Expiry ---------------------------------------------------------------------------------- */

/* The point in time that the text of ttl or expires_at means. */
static int parse_expiry(const struct fx_call *call, enum fx_xattr what, uint64_t *ret_expiry_ns)
{
	uint64_t now_ns = feox_now(call->fs->store), ns;

	if (what == FX_XATTR_EXPIRES_AT) {
		if (fx_time_parse(call->data, call->size, &ns) < 0 || ns <= now_ns)
			return -EINVAL;
		*ret_expiry_ns = ns;
		return 0;
	}
	if (fx_parse_time(call->data, call->size, &ns) < 0 || !ns || ns > FEOX_TIME_MAX - now_ns)
		return -EINVAL;
	*ret_expiry_ns = now_ns + ns;
	return 0;
}

static int set_expiry(struct fx_call *call, const struct fx_found *found, uint64_t expiry_ns)
{
	struct fx_kv kv = {.fs = call->fs,
			   .node = call->node,
			   .key = found->key.data,
			   .key_size = found->key.size,
			   .nowait = call->nowait,
			   .expiry_ns = expiry_ns};
	int rc = fx_kv_expire(&kv);

	if (rc < 0)
		return rc;
	if (expiry_ns)
		fx_known_shorten(call->fs, call->node, expiry_ns);
	call->invalidates = true;
	return 0;
}

/* A value of NULL removes it. */
static int change_expiry(struct fx_call *call, enum fx_xattr what)
{
	uint64_t expiry_ns = 0;
	FX_AUTO_FOUND struct fx_found found;
	int rc;

	fx_found_init(&found);
	if (fx_node_is_directory(call->node))
		return call->data ? -EINVAL : -ENODATA;
	if (call->node->marker)
		return -EPERM; /* it is the directory's */
	rc = call->data ? parse_expiry(call, what, &expiry_ns) : 0;
	if (rc == 0)
		rc = fx_examine_file(call->fs, call->node, call->nowait, &found);
	if (rc == 0 && found.detached)
		rc = fx_lost_errno(call->node);
	if (rc < 0)
		return rc;
	if (found.expiry_ns && (call->flags & XATTR_CREATE))
		return -EEXIST;
	if (!found.expiry_ns && (!call->data || (call->flags & XATTR_REPLACE)))
		return -ENODATA;
	return set_expiry(call, &found, expiry_ns);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static int change_by_cas(const struct fx_call *call, struct fx_kv *kv)
{
	const char *text = call->data, *space = memchr(text, ' ', call->size);
	size_t token = space ? (size_t)(space - text) : 0;

	if (!space || parse_version(text, token, &kv->if_version) < 0)
		return -EINVAL;
	kv->flags |= FEOX_IF_VERSION;
	return fx_kv_put(kv, space + 1, call->size - token - 1, NULL);
}

/* "5", "-3". -ERANGE: such a number there is, but no counter can hold it. */
static int parse_delta(const char *text, size_t size, int64_t *ret_delta)
{
	bool negative = size && text[0] == '-', overflow = false;
	int64_t delta = 0;

	if (size == negative)
		return -EINVAL;
	for (size_t i = negative; i < size; i++) {
		int digit = text[i] - '0';

		if (digit < 0 || digit > 9)
			return -EINVAL;
		overflow = overflow || __builtin_mul_overflow(delta, 10, &delta) ||
			   __builtin_add_overflow(delta, negative ? -digit : digit, &delta);
	}
	if (overflow)
		return -ERANGE;
	*ret_delta = delta;
	return 0;
}

static int change_by_incr(const struct fx_call *call, const struct fx_kv *kv)
{
	int64_t delta;
	int rc = parse_delta(call->data, call->size, &delta);

	return rc < 0 ? rc : fx_kv_add(kv, delta, NULL, NULL);
}

static int change_value(struct fx_call *call, enum fx_xattr what)
{
	FX_AUTO_FOUND struct fx_found found;
	struct fx_kv kv = {.fs = call->fs, .node = call->node, .nowait = call->nowait};
	int rc;

	fx_found_init(&found);
	if (!call->data || (call->flags & XATTR_REPLACE))
		return -ENODATA; /* there is nothing that could be read back */
	if (fx_node_is_directory(call->node))
		return -EINVAL;
	rc = fx_examine_file(call->fs, call->node, call->nowait, &found);
	if (rc == 0 && found.detached)
		rc = fx_lost_errno(call->node);
	if (rc < 0)
		return rc;
	kv.key = found.key.data;
	kv.key_size = found.key.size;
	kv.flags = FEOX_REPLACE;
	if (what == FX_XATTR_CAS)
		rc = change_by_cas(call, &kv);
	else if (what == FX_XATTR_INCR)
		rc = change_by_incr(call, &kv);
	else
		rc = fx_kv_patch(&kv, call->data, call->size, NULL, NULL);
	call->invalidates = call->pages = rc == 0;
	return rc;
}

int fx_kv_xattr_change(struct fx_call *call, enum fx_xattr what)
{
	switch (what) {
	case FX_XATTR_TTL:
	case FX_XATTR_EXPIRES_AT:
		return change_expiry(call, what);
	case FX_XATTR_DEFAULT_TTL:
		return change_default_ttl(call);
	case FX_XATTR_IF_VERSION:
		return change_if_version(call);
	default:
		return change_value(call, what);
	}
}
