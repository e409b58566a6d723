/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path.h - key <-> path, a total bijection. Pure: no I/O, no state, no engine.
 *
 * A directory of the mount is a "place": the bytes that every key below it begins with, and whether
 * those end within a component (a continuation directory, %=+...) or behind a separator (or are
 * the mount's prefix: the root). A name in a place leads to a leaf (a key) or to another place.
 */
#ifndef FX_PATH_H
#define FX_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FX_NAME_MAX 255u

struct fx_path_rules {
	char separator;
	const uint8_t *prefix; /* of the mounted subtree: empty, or ends with the separator */
	size_t prefix_size;
};

struct fx_place {
	const uint8_t *base; /* what every key below begins with, the mount's prefix included */
	size_t size;
	bool partial; /* inside a continued component */
};

enum fx_name_kind {
	FX_NAME_ORDINARY,     /* leaf: place + component; directory: the same + separator */
	FX_NAME_CONTINUATION, /* %=+...: only a directory, partial, has no key and no marker */
	FX_NAME_SELF,	      /* %=.: the value of the directory's own key; only a leaf */
	FX_NAME_CONTROL	      /* .feox at the root: not a key at all */
};

/*
 * What name means in place. Writes the key the name has as a leaf into key, which has room for
 * capacity bytes, *ret_size of them; as a directory its base is that key + separator (ORDINARY) or
 * that key itself (CONTINUATION). For `%=` in a place that ends with a separator, the leaf is the
 * directory's own marker: *ret_marker is set then.
 * -ENOENT: no key has this name here (it begins with %= and is not what the encoder writes; it
 * holds the separator; "." and ".."). For a create that is EINVAL. -ENAMETOOLONG: name_size > 255,
 * or the key would be longer than capacity.
 */
int fx_name_decode(const struct fx_path_rules *rules, struct fx_place place, const char *name,
		   size_t name_size, uint8_t *key, size_t capacity, size_t *ret_size,
		   enum fx_name_kind *ret_kind, bool *ret_marker);

struct fx_name {
	char text[FX_NAME_MAX + 1]; /* NUL-terminated */
	size_t size;
	enum fx_name_kind kind;
	bool directory;	  /* the key lies below a directory of this name; else it is a leaf */
	size_t base_size; /* directory: the bytes of key that are that directory's base */
};

/*
 * The name under which key (which begins with place's base) shows in place. A key equal to the base
 * of a place that ends with a separator (the marker) gives `%=`, a leaf.
 */
void fx_name_encode(const struct fx_path_rules *rules, struct fx_place place, const uint8_t *key,
		    size_t key_size, struct fx_name *ret_name);

/*
 * The name `%=.` stands for the key that is the place's base without its trailing separator; false
 * for places that have none (the root, continuation directories).
 */
bool fx_place_self_key(const struct fx_path_rules *rules, struct fx_place place,
		       size_t *ret_key_size);

/*
 * Whole paths, without a leading slash, components joined by '/': the same rules step by step.
 * With is_prefix the key is the base of a directory (ends with the separator). Returns the path's
 * size (NUL not counted), or -ENAMETOOLONG when capacity is too small, -EINVAL when key is not
 * below the prefix.
 */
long fx_path_encode(const struct fx_path_rules *rules, const uint8_t *key, size_t key_size,
		    bool is_prefix, char *path, size_t capacity);

/* The reverse: the key's size, or -ENOENT as fx_name_decode(), -ENAMETOOLONG. */
long fx_path_decode(const struct fx_path_rules *rules, const char *path, size_t path_size,
		    uint8_t *key, size_t capacity, bool *ret_is_prefix);

#endif
