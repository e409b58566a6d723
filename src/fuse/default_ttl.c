/* SPDX-License-Identifier: Apache-2.0 */
/*
 * default_ttl.c - see default_ttl.h. The text stands in the attributes of a directory's marker;
 * nothing is remembered here, so that whatever changes the marker counts at once.
 */
#include "default_ttl.h"

#include <errno.h>

#include "meta.h"

/* 1: the directory with that marker has one. */
static int ttl_of(struct fx_fs *fs, const uint8_t *marker, size_t marker_size, uint64_t *ret_ttl_ns)
{
	FX_AUTO_META struct fx_meta meta = {.blob = NULL};
	const void *text;
	size_t size;
	int rc = fx_meta_load(fs->store, marker, marker_size, &meta);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	return fx_xattr_get(&meta.attr, FX_DEFAULT_TTL, &text, &size) == 0 &&
	       fx_parse_time(text, size, ret_ttl_ns) == 0;
}

int fx_default_expiry(struct fx_fs *fs, const void *key, size_t key_size, uint64_t *ret_expiry_ns)
{
	const uint8_t *bytes = key;
	uint64_t ttl_ns, now_ns;
	size_t size = key_size;
	int found = 0;

	do {
		while (size > fs->rules.prefix_size &&
		       bytes[size - 1] != (uint8_t)fs->rules.separator)
			size--;
		found = ttl_of(fs, bytes, size, &ttl_ns);
	} while (!found && size-- > fs->rules.prefix_size);
	if (found < 0)
		return found;
	now_ns = feox_now(fs->store);
	*ret_expiry_ns = found && ttl_ns <= FEOX_TIME_MAX - now_ns ? now_ns + ttl_ns : 0;
	return 0;
}
