/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctl_request.h - one request of /.feox/ctl: a JSON object in, a JSON object out.
 *
 * A request that fails is answered like any other, with the errno's name and a text that says what
 * is at fault; only -EAGAIN (nowait: to be run again where it may wait) and -ENOMEM come through.
 */
#ifndef FX_CTL_REQUEST_H
#define FX_CTL_REQUEST_H

#include <jansson.h>

#include "fs.h"

#define FX_CTL_ERROR_MAX ((size_t)1024) /* bytes of an error's text */

struct fx_ctl_request {
	struct fx_fs *fs;
	unsigned int nowait;
	json_t *members;
	/* The text of "patch" as it was sent: numbers keep their digits. */
	const char *patch;
	size_t patch_size;

	json_t *answer; /* besides "ok" */
	char error[FX_CTL_ERROR_MAX];
	json_int_t failed; /* of a batch: which operation; -1: none */
	bool changed;	   /* something was committed: -o sync waits for it */
	bool noticed;	   /* the kernel is being told to forget */
};

/* Run the request that line is. *ret_answer is malloc(3)ed and ends with a newline. */
struct fx_ctl_outcome {
	char *answer;
	size_t answer_size;
	bool changed, noticed;
};
int fx_ctl_run(struct fx_fs *fs, unsigned int nowait, const char *line, size_t size,
	       struct fx_ctl_outcome *ret_outcome);

/* The operations. 0; or a negative errno with request->error set. ctl_key.c: */
int fx_ctl_put(struct fx_ctl_request *request);
int fx_ctl_get(struct fx_ctl_request *request);
int fx_ctl_del(struct fx_ctl_request *request);
int fx_ctl_ttl(struct fx_ctl_request *request);
int fx_ctl_cas(struct fx_ctl_request *request);
int fx_ctl_incr(struct fx_ctl_request *request);
int fx_ctl_patch(struct fx_ctl_request *request);
/* ctl_many.c: */
int fx_ctl_batch(struct fx_ctl_request *request);
int fx_ctl_range(struct fx_ctl_request *request);
int fx_ctl_sync(struct fx_ctl_request *request);
int fx_ctl_stats(struct fx_ctl_request *request);

/* ---- Members; ctl_json.c --------------------------------------------------------------------- */

struct fx_bytes {
	const uint8_t *data;
	size_t size;
	uint8_t *owned; /* data, when it was decoded */
};
void fx_bytes_clear(struct fx_bytes *bytes);
#define FX_AUTO_BYTES __attribute__((cleanup(fx_bytes_clear)))

/* Say why: returns rc. */
int fx_ctl_fail(struct fx_ctl_request *request, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same of a key, by errno. */
int fx_ctl_fail_key(struct fx_ctl_request *request, int rc, const struct fx_bytes *key);

/* Member name, or name_b64. 0: neither is there (required: -EINVAL); 1. */
int fx_ctl_bytes(struct fx_ctl_request *request, const json_t *members, const char *name,
		 bool required, struct fx_bytes *ret_bytes);
/* The key: of at most FEOX_KEY_MAX bytes and inside the mount's prefix (-EACCES). */
int fx_ctl_key(struct fx_ctl_request *request, const json_t *members, struct fx_bytes *ret_key);
/* Set member name of object, or name_b64 when it is no UTF-8. -ENOMEM. */
int fx_ctl_set_bytes(json_t *object, const char *name, const void *data, size_t size);
int fx_ctl_set_version(json_t *object, const char *name, uint64_t version);
/* "ttl": seconds left, null: never. */
int fx_ctl_set_ttl(const struct fx_fs *fs, json_t *object, uint64_t expiry_ns);

/* What "ttl", "if_version", "if_absent" and "if_present" say. */
struct fx_ctl_terms {
	unsigned int flags; /* FEOX_SET_EXPIRY, IF_VERSION, CREATE, REPLACE */
	uint64_t expiry_ns, if_version;
};
int fx_ctl_terms(struct fx_ctl_request *request, const json_t *members,
		 struct fx_ctl_terms *ret_terms);
/* -EINVAL: members has one that is not among allowed, words with spaces between. */
int fx_ctl_allow(struct fx_ctl_request *request, const json_t *members, const char *allowed);

#endif
