/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_json.c - what stands in requests and answers: bytes, versions, times, errors. */
#include <ctype.h>
#include <errno.h>
#include <resolv.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "ctl_request.h"

#define FX_SHOWN_MAX 200 /* bytes of a key in an error's text */
#define NS_PER_S     1e9

void fx_bytes_clear(struct fx_bytes *bytes)
{
	free(bytes->owned);
	*bytes = (struct fx_bytes){.data = NULL};
}

/* ---- Errors ---------------------------------------------------------------------------------- */

int fx_ctl_fail(struct fx_ctl_request *request, int rc, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(request->error, sizeof(request->error), format, args);
	va_end(args);
	return rc;
}

static const char *reason(int rc)
{
	switch (-rc) {
	case ENOENT:
		return "no such key";
	case EEXIST:
		return "the key is there already";
	case EACCES:
		return "outside of what is mounted";
	case EFBIG:
		return "larger than max_value";
	case ENOMEM:
		return "the memory limit is reached";
	}
	return strerror(-rc);
}

/* A key as text; what is not printable in ASCII or UTF-8 does not matter to who reads an error. */
static const char *shown(const struct fx_bytes *key, char buffer[FX_SHOWN_MAX + 4])
{
	size_t size = FX_MIN(key->size, FX_SHOWN_MAX);

	for (size_t i = 0; i < size; i++)
		buffer[i] = key->data[i] < 0x20 || key->data[i] == 0x7f ? '?' : (char)key->data[i];
	strcpy(buffer + size, key->size > size ? "..." : "");
	return buffer;
}

int fx_ctl_fail_key(struct fx_ctl_request *request, int rc, const struct fx_bytes *key)
{
	char buffer[FX_SHOWN_MAX + 4], why[FX_CTL_ERROR_MAX];

	strcpy(why, request->error[0] ? request->error : reason(rc));
	return fx_ctl_fail(request, rc, "%s: %.800s", shown(key, buffer), why);
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

static int decode(struct fx_ctl_request *request, const char *name, const json_t *text,
		  struct fx_bytes *ret_bytes)
{
	size_t capacity = json_string_length(text) / 4 * 3 + 4;
	uint8_t *data = malloc(capacity);
	int size;

	if (!data)
		return -ENOMEM;
	size = memchr(json_string_value(text), '\0', json_string_length(text))
		       ? -1
		       : b64_pton(json_string_value(text), data, capacity);
	if (size < 0) {
		free(data);
		return fx_ctl_fail(request, -EINVAL, "%s: not base64", name);
	}
	*ret_bytes = (struct fx_bytes){.data = data, .size = (size_t)size, .owned = data};
	return 1;
}

int fx_ctl_bytes(struct fx_ctl_request *request, const json_t *members, const char *name,
		 bool required, struct fx_bytes *ret_bytes)
{
	const json_t *plain = json_object_get(members, name), *encoded;
	char encoded_name[32];

	snprintf(encoded_name, sizeof(encoded_name), "%s_b64", name);
	encoded = json_object_get(members, encoded_name);
	if (plain && encoded)
		return fx_ctl_fail(request, -EINVAL, "%s and %s exclude each other", name,
				   encoded_name);
	if (!plain && !encoded)
		return required ? fx_ctl_fail(request, -EINVAL, "%s is missing", name) : 0;
	if (!json_is_string(plain ? plain : encoded))
		return fx_ctl_fail(request, -EINVAL, "%s: not a string",
				   plain ? name : encoded_name);
	if (encoded)
		return decode(request, encoded_name, encoded, ret_bytes);
	*ret_bytes = (struct fx_bytes){.data = (const uint8_t *)json_string_value(plain),
				       .size = json_string_length(plain)};
	return 1;
}

int fx_ctl_key(struct fx_ctl_request *request, const json_t *members, struct fx_bytes *ret_key)
{
	const struct fx_path_rules *rules = &request->fs->rules;
	int rc = fx_ctl_bytes(request, members, "key", true, ret_key);

	if (rc < 0)
		return rc;
	if (ret_key->size > FEOX_KEY_MAX)
		return fx_ctl_fail(request, -ENAMETOOLONG, "key: more than %zu bytes",
				   FEOX_KEY_MAX);
	if (ret_key->size < rules->prefix_size ||
	    (rules->prefix_size && memcmp(ret_key->data, rules->prefix, rules->prefix_size) != 0))
		return fx_ctl_fail_key(request, -EACCES, ret_key);
	return 0;
}

static int set_new(json_t *object, const char *name, json_t *value)
{
	return json_object_set_new(object, name, value) ? -ENOMEM : 0;
}

int fx_ctl_set_bytes(json_t *object, const char *name, const void *data, size_t size)
{
	size_t capacity = (size + 2) / 3 * 4 + 1;
	FX_AUTO_FREE char *text = NULL;
	char encoded_name[32];
	json_t *plain = json_stringn(size ? data : "", size);

	if (plain)
		return set_new(object, name, plain);
	text = malloc(capacity);
	if (!text || b64_ntop(data, size, text, capacity) < 0)
		return -ENOMEM;
	snprintf(encoded_name, sizeof(encoded_name), "%s_b64", name);
	return set_new(object, encoded_name, json_string(text));
}

int fx_ctl_set_version(json_t *object, const char *name, uint64_t version)
{
	return set_new(object, name, json_sprintf("%llu", (unsigned long long)version));
}

int fx_ctl_set_ttl(const struct fx_fs *fs, json_t *object, uint64_t expiry_ns)
{
	uint64_t now_ns = feox_now(fs->store);
	uint64_t left_ns = expiry_ns > now_ns ? expiry_ns - now_ns : 0;

	return set_new(object, "ttl",
		       expiry_ns ? json_real((double)left_ns / NS_PER_S) : json_null());
}

/* ---- Terms ----------------------------------------------------------------------------------- */

static int read_ttl(struct fx_ctl_request *request, const json_t *ttl, struct fx_ctl_terms *terms)
{
	uint64_t now_ns = feox_now(request->fs->store);
	double ns;

	terms->flags |= FEOX_SET_EXPIRY;
	terms->expiry_ns = 0;
	if (json_is_null(ttl))
		return 0;
	if (!json_is_number(ttl))
		return fx_ctl_fail(request, -EINVAL, "ttl: neither seconds nor null");
	ns = json_number_value(ttl) * NS_PER_S;
	if (ns <= 0)
		return fx_ctl_fail(request, -EINVAL, "ttl: not above 0");
	if (ns >= (double)(FEOX_TIME_MAX - (int64_t)now_ns))
		return fx_ctl_fail(request, -EINVAL, "ttl: beyond what a time can be");
	terms->expiry_ns = now_ns + FX_MAX((uint64_t)ns, 1);
	return 0;
}

static int read_version(struct fx_ctl_request *request, const json_t *text, uint64_t *ret_version)
{
	const char *digits = json_string_value(text);
	char *end;

	if (!digits || !isdigit((unsigned char)digits[0]))
		return fx_ctl_fail(request, -EINVAL, "if_version: not a string of digits");
	errno = 0;
	*ret_version = strtoull(digits, &end, 10);
	if (errno || (size_t)(end - digits) != json_string_length(text))
		return fx_ctl_fail(request, -EINVAL, "if_version: not a version");
	return 0;
}

static int read_condition(struct fx_ctl_request *request, const json_t *members, const char *name,
			  unsigned int flag, struct fx_ctl_terms *terms)
{
	const json_t *value = json_object_get(members, name);

	if (value && !json_is_boolean(value))
		return fx_ctl_fail(request, -EINVAL, "%s: neither true nor false", name);
	if (json_is_true(value))
		terms->flags |= flag;
	return 0;
}

int fx_ctl_terms(struct fx_ctl_request *request, const json_t *members,
		 struct fx_ctl_terms *ret_terms)
{
	const json_t *ttl = json_object_get(members, "ttl");
	const json_t *version = json_object_get(members, "if_version");
	int rc;

	*ret_terms = (struct fx_ctl_terms){.flags = version ? FEOX_IF_VERSION : 0u};
	rc = ttl ? read_ttl(request, ttl, ret_terms) : 0;
	if (rc == 0 && version)
		rc = read_version(request, version, &ret_terms->if_version);
	if (rc == 0)
		rc = read_condition(request, members, "if_absent", FEOX_CREATE, ret_terms);
	if (rc == 0)
		rc = read_condition(request, members, "if_present", FEOX_REPLACE, ret_terms);
	return rc;
}

/* Whether word is one of words. */
static bool is_among(const char *word, const char *words)
{
	size_t size = strlen(word), length;

	for (; *words; words += length + (words[length] == ' ')) {
		length = strcspn(words, " ");
		if (length == size && memcmp(words, word, size) == 0)
			return true;
	}
	return false;
}

int fx_ctl_allow(struct fx_ctl_request *request, const json_t *members, const char *allowed)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)members, name, value)
	{
		if (!is_among(name, allowed))
			return fx_ctl_fail(request, -EINVAL, "unknown member \"%.100s\"", name);
	}
	return 0;
}
