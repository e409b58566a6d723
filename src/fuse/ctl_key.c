/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctl_key.c - operations of ctl on one key.
 *
 * A change holds names_lock exclusively, so that it and what is staged, and the names that come and
 * go with it, are one step for the mount. What it needs from the disk is read before, without it.
 */
#include <errno.h>
#include <inttypes.h>

#include "call.h"
#include "ctl_request.h"
#include "default_ttl.h"
#include "kv_target.h"

struct change {
	struct fx_ctl_request *request;
	struct fx_bytes key, value, expected;
	struct fx_ctl_terms terms;
	int64_t by;
	struct feox_diag diag;
	/* Results. */
	int64_t number;
	struct feox_write_result result;
};
#define FX_AUTO_CHANGE __attribute__((cleanup(change_clear)))

static void change_clear(struct change *change)
{
	fx_bytes_clear(&change->key);
	fx_bytes_clear(&change->value);
	fx_bytes_clear(&change->expected);
}

static int change_begin(struct fx_ctl_request *request, struct change *ret_change)
{
	int rc;

	*ret_change = (struct change){.request = request};
	rc = fx_ctl_key(request, request->members, &ret_change->key);
	return rc < 0 ? rc : fx_ctl_terms(request, request->members, &ret_change->terms);
}

/* Bring a value that is on disk only into memory, before locks are taken. */
static void warm(const struct change *change)
{
	struct feox_store *store = change->request->fs->store;
	struct feox_value value;

	if (!change->request->nowait &&
	    feox_get(store, change->key.data, change->key.size, 0, &value) == 0)
		feox_value_release(store, &value);
}

/* What a comparison of versions lost against. */
static int explain_version(struct change *change)
{
	struct fx_ctl_request *request = change->request;
	struct feox_stat stat;

	if (feox_stat(request->fs->store, change->key.data, change->key.size, NULL, 0, &stat) == 0)
		fx_ctl_fail(request, 0, "version is %" PRIu64 ", not %" PRIu64, stat.version,
			    change->terms.if_version);
	else
		fx_ctl_fail(request, 0, "no such key");
	return -ECANCELED;
}

static int change_failed(struct change *change, int rc)
{
	if (rc == -EAGAIN)
		return rc;
	if (rc == -ECANCELED && (change->terms.flags & FEOX_IF_VERSION))
		explain_version(change);
	return fx_ctl_fail_key(change->request, rc, &change->key);
}

static int run_locked(struct change *change,
		      int (*run)(struct change *change, struct fx_kv_target *target))
{
	struct fx_ctl_request *request = change->request;
	struct fx_kv_target target;
	int rc = fx_kv_target_begin(request->fs, change->key.data, change->key.size,
				    request->nowait, &target);

	target.kv.flags = change->terms.flags;
	target.kv.if_version = change->terms.if_version;
	target.kv.expiry_ns = change->terms.expiry_ns;
	if (rc == 0 && !target.existed && !(change->terms.flags & FEOX_SET_EXPIRY))
		rc = fx_default_expiry(request->fs, change->key.data, change->key.size,
				       &target.kv.expiry_ns);
	if (rc == 0)
		rc = run(change, &target);
	request->changed = request->changed || rc == 0;
	request->noticed = request->noticed || target.noticed;
	fx_kv_target_clear(&target);
	return rc;
}

static int change_run(struct change *change,
		      int (*run)(struct change *change, struct fx_kv_target *target))
{
	struct fx_ctl_request *request = change->request;
	int rc;

	warm(change);
	rc = fx_names_lock(request->fs, FX_NAMES_EXCLUSIVE, request->nowait);
	if (rc < 0)
		return rc;
	rc = run_locked(change, run);
	fx_names_unlock(request->fs);
	return rc < 0 ? change_failed(change, rc) : 0;
}

/* A value was set: what the kernel must forget. The change itself has happened, whatever this says.
 */
static int was_set(struct change *change, struct fx_kv_target *target)
{
	fx_kv_target_set(target);
	if (change->terms.flags & FEOX_SET_EXPIRY)
		fx_kv_target_expires(target);
	return 0;
}

static int answer_version(struct change *change)
{
	return fx_ctl_set_version(change->request->answer, "version", change->result.version);
}

/* ---- put, cas, incr, patch ------------------------------------------------------------------- */

static int run_put(struct change *change, struct fx_kv_target *target)
{
	int rc = fx_kv_put(&target->kv, change->value.data, change->value.size, &change->result);

	return rc < 0 ? rc : was_set(change, target);
}

int fx_ctl_put(struct fx_ctl_request *request)
{
	FX_AUTO_CHANGE struct change change;
	int rc = change_begin(request, &change);

	if (rc == 0)
		rc = fx_ctl_bytes(request, request->members, "value", true, &change.value);
	if (rc >= 0)
		rc = change_run(&change, run_put);
	return rc < 0 ? rc : answer_version(&change);
}

static int run_swap(struct change *change, struct fx_kv_target *target)
{
	int rc = fx_kv_swap(&target->kv, change->expected.data, change->expected.size,
			    change->value.data, change->value.size, &change->result);

	if (rc == -ECANCELED)
		fx_ctl_fail(change->request, 0, "the value is another one");
	return rc < 0 ? rc : was_set(change, target);
}

int fx_ctl_cas(struct fx_ctl_request *request)
{
	FX_AUTO_CHANGE struct change change;
	int rc = change_begin(request, &change), compares = 0;

	if (rc == 0)
		rc = compares = fx_ctl_bytes(request, request->members, "expected", false,
					     &change.expected);
	if (rc >= 0)
		rc = fx_ctl_bytes(request, request->members, "value", true, &change.value);
	if (rc < 0)
		return rc;
	if (!compares == !(change.terms.flags & FEOX_IF_VERSION))
		return fx_ctl_fail(request, -EINVAL, "either expected or if_version is needed");
	rc = change_run(&change, compares ? run_swap : run_put);
	return rc < 0 ? rc : answer_version(&change);
}

static int run_add(struct change *change, struct fx_kv_target *target)
{
	int rc = fx_kv_add(&target->kv, change->by, &change->number, &change->result);

	if (rc == -EINVAL)
		fx_ctl_fail(change->request, 0, "the value is not a decimal number");
	return rc < 0 ? rc : was_set(change, target);
}

int fx_ctl_incr(struct fx_ctl_request *request)
{
	const json_t *by = json_object_get(request->members, "by");
	FX_AUTO_CHANGE struct change change;
	int rc = change_begin(request, &change);

	if (rc == 0 && by && !json_is_integer(by))
		rc = fx_ctl_fail(request, -EINVAL, "by: not an integer");
	if (rc < 0)
		return rc;
	change.by = by ? json_integer_value(by) : 1;
	rc = change_run(&change, run_add);
	if (rc == 0 && json_object_set_new(request->answer, "value", json_integer(change.number)))
		rc = -ENOMEM;
	return rc < 0 ? rc : answer_version(&change);
}

static int run_patch(struct change *change, struct fx_kv_target *target)
{
	struct fx_ctl_request *request = change->request;
	int rc = fx_kv_patch(&target->kv, request->patch, request->patch_size, &change->result,
			     &change->diag);

	if (rc < 0)
		fx_ctl_fail(request, 0, "%s", change->diag.text);
	return rc < 0 ? rc : was_set(change, target);
}

int fx_ctl_patch(struct fx_ctl_request *request)
{
	FX_AUTO_CHANGE struct change change;
	int rc = change_begin(request, &change);

	if (rc == 0 && !request->patch)
		rc = fx_ctl_fail(request, -EINVAL, "patch is missing");
	if (rc == 0)
		rc = change_run(&change, run_patch);
	return rc < 0 ? rc : answer_version(&change);
}

/* ---- del, ttl -------------------------------------------------------------------------------- */

static int run_delete(struct change *change, struct fx_kv_target *target)
{
	int rc = fx_kv_delete(&target->kv);

	if (rc == 0)
		fx_kv_target_deleted(target);
	return rc;
}

int fx_ctl_del(struct fx_ctl_request *request)
{
	FX_AUTO_CHANGE struct change change;
	int rc = change_begin(request, &change);

	return rc < 0 ? rc : change_run(&change, run_delete);
}

static int run_expire(struct change *change, struct fx_kv_target *target)
{
	int rc;

	target->kv.flags &= ~(unsigned int)FEOX_SET_EXPIRY;
	rc = fx_kv_expire(&target->kv);
	if (rc == 0)
		fx_kv_target_expires(target);
	return rc;
}

int fx_ctl_ttl(struct fx_ctl_request *request)
{
	FX_AUTO_CHANGE struct change change;
	int rc = change_begin(request, &change);

	if (rc == 0 && !(change.terms.flags & FEOX_SET_EXPIRY))
		rc = fx_ctl_fail(request, -EINVAL, "ttl is missing");
	return rc < 0 ? rc : change_run(&change, run_expire);
}

/* ---- get ------------------------------------------------------------------------------------- */

static int answer_value(struct fx_ctl_request *request, const struct feox_value *value)
{
	int rc = fx_ctl_set_bytes(request->answer, "value", value->data, value->size);

	if (rc == 0)
		rc = fx_ctl_set_version(request->answer, "version", value->version);
	return rc < 0 ? rc : fx_ctl_set_ttl(request->fs, request->answer, value->expiry_ns);
}

int fx_ctl_get(struct fx_ctl_request *request)
{
	struct fx_fs *fs = request->fs;
	FX_AUTO_BYTES struct fx_bytes key = {.data = NULL};
	struct feox_value value = {0};
	int rc = fx_ctl_key(request, request->members, &key);

	if (rc == 0)
		rc = fx_names_lock(fs, FX_NAMES_SHARED, request->nowait);
	if (rc < 0)
		return rc;
	rc = fx_kv_publish(fs, key.data, key.size, request->nowait); /* it needs a version */
	fx_names_unlock(fs);
	if (rc == 0)
		rc = feox_get(fs->store, key.data, key.size, request->nowait, &value);
	if (rc < 0)
		return rc == -EAGAIN ? rc : fx_ctl_fail_key(request, rc, &key);
	rc = answer_value(request, &value);
	feox_value_release(fs->store, &value);
	return rc;
}
