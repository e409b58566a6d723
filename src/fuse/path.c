/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path.c - key <-> path (docs/filesystem.md, "Keys and paths").
 *
 * Everything follows from one function, next_name(): how the encoder writes a component from byte
 * at on. Whatever a name decodes to is encoded again; a name that is not what the encoder writes
 * does not exist. So the mapping is a bijection by construction.
 */
#include "path.h"

#include <errno.h>
#include <string.h>

#define ESCAPE_SIZE  3u				     /* %XX */
#define PREFIX_SIZE  2u				     /* %= */
#define PART_ESCAPED (FX_NAME_MAX - PREFIX_SIZE - 1) /* escaped bytes behind %=+ */
#define CONTROL_NAME ".feox"

static bool is_name(const char *name, size_t size, const char *text)
{
	return size == strlen(text) && memcmp(name, text, size) == 0;
}

/* ---- Escapes -----------------------------------------------------------------------------------
 */

static bool needs_escape(uint8_t byte, bool leading)
{
	return byte == '\0' || byte == '/' || byte == '%' ||
	       (leading && (byte == '.' || byte == '+'));
}

/* How many of size bytes can be escaped into room; *ret_used is what they take. */
static size_t escape_fit(const uint8_t *bytes, size_t size, size_t room, size_t *ret_used)
{
	size_t used = 0, i = 0;

	for (; i < size; i++) {
		size_t n = needs_escape(bytes[i], i == 0) ? ESCAPE_SIZE : 1;

		if (used + n > room)
			break;
		used += n;
	}
	*ret_used = used;
	return i;
}

static char *escape(const uint8_t *bytes, size_t size, char *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < size; i++) {
		if (!needs_escape(bytes[i], i == 0)) {
			*out++ = (char)bytes[i];
			continue;
		}
		*out++ = '%';
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	return out;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Bytes written, never more than size; -1: a % without two digits. */
static long unescape(const char *text, size_t size, uint8_t *out)
{
	long n = 0;

	for (size_t i = 0; i < size; i++) {
		int high, low;

		if (text[i] != '%') {
			out[n++] = (uint8_t)text[i];
			continue;
		}
		if (size - i < ESCAPE_SIZE)
			return -1;
		high = hex_digit(text[i + 1]);
		low = hex_digit(text[i + 2]);
		if (high < 0 || low < 0)
			return -1;
		out[n++] = (uint8_t)(high << 4 | low);
		i += 2;
	}
	return n;
}

/* ---- How a component is written ----------------------------------------------------------------
 */

/* May the bytes be a name as they are? */
static bool is_plain(const uint8_t *bytes, size_t size, bool at_root)
{
	const char *text = (const char *)bytes;

	if (!size || size > FX_NAME_MAX || is_name(text, size, ".") || is_name(text, size, "..") ||
	    (size >= PREFIX_SIZE && text[0] == '%' && text[1] == '=') ||
	    (at_root && is_name(text, size, CONTROL_NAME)))
		return false;
	return !memchr(bytes, '\0', size) && !memchr(bytes, '/', size);
}

/* The name that bytes, (the rest of) a component, begin with; returns how many of them it covers.
 */
static size_t next_name(const uint8_t *bytes, size_t size, bool at_root, struct fx_name *name)
{
	size_t covered = size, used;
	char *at = name->text;

	name->kind = FX_NAME_ORDINARY;
	if (is_plain(bytes, size, at_root)) {
		memcpy(at, bytes, size);
		at += size;
	} else {
		*at++ = '%';
		*at++ = '=';
		if (escape_fit(bytes, size, FX_NAME_MAX - PREFIX_SIZE, &used) < size) {
			name->kind = FX_NAME_CONTINUATION;
			*at++ = '+';
			covered = escape_fit(bytes, size, PART_ESCAPED, &used);
		}
		at = escape(bytes, covered, at);
	}
	*at = '\0';
	name->size = (size_t)(at - name->text);
	return covered;
}

/* Where the component that place ends within begins; its end for places that are not partial. */
static size_t component_start(const struct fx_path_rules *rules, struct fx_place place)
{
	size_t start = place.size;

	if (!place.partial)
		return start;
	while (start > rules->prefix_size && place.base[start - 1] != (uint8_t)rules->separator)
		start--;
	return start;
}

static bool at_root(const struct fx_path_rules *rules, size_t start)
{
	return start == rules->prefix_size;
}

/*
 * The name of a component at byte known of it (the bytes before are directories already passed).
 * False: the encoder does not cut the component there.
 */
static bool name_at(const uint8_t *component, size_t size, size_t known, bool root,
		    struct fx_name *name, size_t *ret_covered)
{
	size_t at = 0;

	for (;;) {
		size_t covered = next_name(component + at, size - at, root && at == 0, name);

		if (at == known) {
			*ret_covered = covered;
			return true;
		}
		at += covered;
		if (at > known || name->kind != FX_NAME_CONTINUATION)
			return false;
	}
}

/* ---- Encoding ----------------------------------------------------------------------------------
 */

void fx_name_encode(const struct fx_path_rules *rules, struct fx_place place, const uint8_t *key,
		    size_t key_size, struct fx_name *ret_name)
{
	size_t start = component_start(rules, place), covered;
	const uint8_t *end = memchr(key + place.size, rules->separator, key_size - place.size);
	size_t size = end ? (size_t)(end - key) - start : key_size - start;

	if (!name_at(key + start, size, place.size - start, at_root(rules, start), ret_name,
		     &covered)) {
		ret_name->size = 0;
		return;
	}
	ret_name->directory = end || ret_name->kind == FX_NAME_CONTINUATION;
	ret_name->base_size = place.size + covered + (ret_name->kind == FX_NAME_ORDINARY);
}

bool fx_place_self_key(const struct fx_path_rules *rules, struct fx_place place,
		       size_t *ret_key_size)
{
	if (place.partial || place.size <= rules->prefix_size)
		return false;
	*ret_key_size = place.size - 1;
	return true;
}

/* ---- Decoding ----------------------------------------------------------------------------------
 */

/* The component bytes that name stands for, behind what is in key already; -1: none. */
static long decode_bytes(const char *name, size_t size, enum fx_name_kind *kind, uint8_t *out)
{
	*kind = FX_NAME_ORDINARY;
	if (size < PREFIX_SIZE || name[0] != '%' || name[1] != '=') {
		memcpy(out, name, size);
		return (long)size;
	}
	name += PREFIX_SIZE;
	size -= PREFIX_SIZE;
	if (size && *name == '+') {
		*kind = FX_NAME_CONTINUATION;
		name++;
		size--;
	}
	return unescape(name, size, out);
}

/*
 * Is a continuation directory of these bytes one that the encoder could make? Behind it comes a
 * byte that did not fit any more: at best one of three.
 */
static bool may_continue(const uint8_t *component, size_t size, size_t known)
{
	uint8_t probe[2 * FX_NAME_MAX + 8];
	struct fx_name name;
	size_t part = size - known, covered;

	if (part > FX_NAME_MAX)
		return false;
	/* The earlier parts must be cut where they are, given this one's bytes. */
	for (size_t at = 0; at < known; at += covered) {
		size_t used;

		covered = escape_fit(component + at, size - at, PART_ESCAPED, &used);
		if (at + covered > known)
			return false;
	}
	memcpy(probe, component + known, part);
	memset(probe + part, '%', FX_NAME_MAX); /* the longest possible rest */
	return next_name(probe, part + FX_NAME_MAX, false, &name) == part;
}

static int decode_component(const struct fx_path_rules *rules, struct fx_place place,
			    const char *name, size_t name_size, const uint8_t *key, size_t key_size,
			    enum fx_name_kind kind)
{
	size_t start = component_start(rules, place), known = place.size - start, covered;
	struct fx_name again;

	if (memchr(key + place.size, rules->separator, key_size - place.size))
		return -ENOENT;
	if (kind == FX_NAME_CONTINUATION)
		return key_size > place.size && may_continue(key + start, key_size - start, known)
			       ? 0
			       : -ENOENT;
	if (!name_at(key + start, key_size - start, known, at_root(rules, start), &again,
		     &covered) ||
	    again.kind != FX_NAME_ORDINARY || again.size != name_size ||
	    memcmp(again.text, name, name_size) != 0)
		return -ENOENT;
	return 0;
}

int fx_name_decode(const struct fx_path_rules *rules, struct fx_place place, const char *name,
		   size_t name_size, uint8_t *key, size_t capacity, size_t *ret_size,
		   enum fx_name_kind *ret_kind, bool *ret_marker)
{
	bool root = !place.partial && at_root(rules, place.size);
	uint8_t bytes[FX_NAME_MAX];
	long n;
	int err;

	*ret_marker = false;
	if (name_size > FX_NAME_MAX)
		return -ENAMETOOLONG;
	if (root && is_name(name, name_size, CONTROL_NAME)) {
		*ret_kind = FX_NAME_CONTROL;
		*ret_size = 0;
		return 0;
	}
	if (is_name(name, name_size, "%=.")) {
		if (!fx_place_self_key(rules, place, ret_size))
			return -ENOENT;
		if (*ret_size > capacity)
			return -ENAMETOOLONG;
		memcpy(key, place.base, *ret_size);
		*ret_kind = FX_NAME_SELF;
		return 0;
	}
	n = decode_bytes(name, name_size, ret_kind, bytes);
	if (n < 0 || (n == 0 && place.partial))
		return -ENOENT;
	if (place.size + (size_t)n > capacity)
		return -ENAMETOOLONG;
	if (place.size)
		memmove(key, place.base, place.size);
	memcpy(key + place.size, bytes, (size_t)n);
	err = decode_component(rules, place, name, name_size, key, place.size + (size_t)n,
			       *ret_kind);
	if (err)
		return err;
	*ret_size = place.size + (size_t)n;
	*ret_marker = n == 0;
	return 0;
}

/* ---- Whole paths -------------------------------------------------------------------------------
 */

long fx_path_encode(const struct fx_path_rules *rules, const uint8_t *key, size_t key_size,
		    bool is_prefix, char *path, size_t capacity)
{
	struct fx_place place = {.base = key, .size = rules->prefix_size};
	size_t used = 0;

	if (key_size < rules->prefix_size ||
	    (rules->prefix_size && memcmp(key, rules->prefix, rules->prefix_size) != 0) ||
	    (is_prefix && key_size > rules->prefix_size &&
	     key[key_size - 1] != (uint8_t)rules->separator))
		return -EINVAL;
	while (!is_prefix || place.size < key_size) {
		struct fx_name name;

		fx_name_encode(rules, place, key, key_size, &name);
		if (used + name.size + 2 > capacity)
			return -ENAMETOOLONG;
		memcpy(path + used, name.text, name.size);
		used += name.size;
		if (!name.directory)
			break;
		path[used++] = '/';
		place.size = name.base_size;
		place.partial = name.kind == FX_NAME_CONTINUATION;
	}
	if (used >= capacity)
		return -ENAMETOOLONG;
	path[used] = '\0';
	return (long)used;
}

long fx_path_decode(const struct fx_path_rules *rules, const char *path, size_t path_size,
		    uint8_t *key, size_t capacity, bool *ret_is_prefix)
{
	struct fx_place place = {.base = key, .size = rules->prefix_size};

	if (rules->prefix_size > capacity)
		return -ENAMETOOLONG;
	if (rules->prefix_size)
		memcpy(key, rules->prefix, rules->prefix_size);
	while (path_size) {
		const char *slash = memchr(path, '/', path_size);
		size_t n = slash ? (size_t)(slash - path) : path_size;
		enum fx_name_kind kind;
		bool marker;
		int err = fx_name_decode(rules, place, path, n, key, capacity, &place.size, &kind,
					 &marker);

		if (err)
			return err;
		if (kind == FX_NAME_CONTROL || (slash && kind == FX_NAME_SELF) ||
		    (!slash && kind == FX_NAME_CONTINUATION))
			return -ENOENT;
		if (!slash) {
			*ret_is_prefix = false;
			return (long)place.size;
		}
		place.partial = kind == FX_NAME_CONTINUATION;
		if (!place.partial) {
			if (place.size == capacity)
				return -ENAMETOOLONG;
			key[place.size++] = (uint8_t)rules->separator;
		}
		path += n + 1;
		path_size -= n + 1;
	}
	*ret_is_prefix = true;
	return (long)place.size;
}
