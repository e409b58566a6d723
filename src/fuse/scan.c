/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.c - from ordered keys to the names of one directory.
 *
 * '-' and '.' sort before '/', so the keys foo, foo-bar, foo.txt, foo/x stand in this order: the
 * leaf foo and the directory foo/ are one name (the directory's) but no neighbours. The scan gives
 * such a name when it meets the leaf, remembers it, and passes the directory over later. Whether a
 * leaf has such a twin is mostly seen from the next key alone: only one that begins with the
 * leaf's bytes and goes on below the separator leaves it open, and costs a seek.
 *
 * The keys behind one continuation directory (%=+...) may lie scattered among names of their own;
 * it too is remembered. A remembered name is dropped as soon as a key no longer begins with its
 * bytes: in key order it cannot come back. So the memory is a stack of nested prefixes, and tiny.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "scan.h"
#include "ttl.h"

#define FX_COUNT_SEEKS_MAX 64u
#define FX_PLAIN_MAX	   ((size_t)FX_NAME_MAX / 3) /* fits a name even when all is escaped */

void fx_scan_init(struct fx_scan *scan)
{
	scan->at.size = 0;
	scan->at_exclusive = scan->self_done = scan->finished = scan->has_item = false;
	scan->iter = NULL;
	scan->seen = NULL;
	scan->seen_count = scan->seen_capacity = 0;
}

void fx_scan_clear(struct fx_scan *scan)
{
	while (scan->seen_count)
		free(scan->seen[--scan->seen_count].raw);
	free(FX_STEAL(scan->seen));
}

int fx_scan_begin(struct fx_fs *fs, struct fx_scan *scan, struct fx_node *directory,
		  unsigned int nowait)
{
	struct feox_iter_options options = {.flags = FEOX_ITER_KEYS_ONLY | nowait};
	int rc = fx_node_key(fs, directory, &scan->base);

	if (rc < 0)
		return rc;
	scan->fs = fs;
	scan->nowait = nowait;
	scan->place = fx_node_place(directory, &scan->base);
	scan->has_item = false;
	if (scan->base.size + scan->at.size > FEOX_KEY_MAX)
		return -ENAMETOOLONG;
	scan->key = scan->base;
	memcpy(scan->key.data + scan->key.size, scan->at.data, scan->at.size);
	scan->key.size += scan->at.size;
	options.prefix = scan->base.data;
	options.prefix_size = scan->base.size;
	options.from = scan->key.data;
	options.from_size = scan->key.size;
	if (scan->at_exclusive)
		options.flags |= FEOX_ITER_FROM_EXCLUSIVE;
	return feox_iter_open(fs->store, &options, &scan->iter);
}

void fx_scan_end(struct fx_scan *scan)
{
	feox_iter_close(FX_STEAL(scan->iter));
}

/* ---- Names that are passed over when they come again ----------------------------------------- */

static void seen_drop_passed(struct fx_scan *scan, const uint8_t *raw, size_t size)
{
	while (scan->seen_count) {
		struct fx_seen *seen = &scan->seen[scan->seen_count - 1];

		if (fx_bytes_begin(raw, size, seen->raw, seen->size))
			return;
		free(seen->raw);
		scan->seen_count--;
	}
}

static bool seen_has(const struct fx_scan *scan, const uint8_t *raw, size_t size, bool continuation)
{
	for (size_t i = scan->seen_count; i > 0; i--) {
		const struct fx_seen *seen = &scan->seen[i - 1];

		if (seen->continuation == continuation && seen->size == size &&
		    memcmp(seen->raw, raw, size) == 0)
			return true;
	}
	return false;
}

int fx_scan_add_seen(struct fx_scan *scan, const uint8_t *raw, size_t size, bool continuation)
{
	struct fx_seen seen = {.size = size, .continuation = continuation};

	if (scan->seen_count == scan->seen_capacity) {
		size_t capacity = scan->seen_capacity ? scan->seen_capacity * 2 : 8;
		struct fx_seen *grown = realloc(scan->seen, capacity * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		scan->seen = grown;
		scan->seen_capacity = capacity;
	}
	seen.raw = malloc(size ? size : 1);
	if (!seen.raw)
		return -ENOMEM;
	if (size)
		memcpy(seen.raw, raw, size);
	scan->seen[scan->seen_count++] = seen;
	return 0;
}

/* ---- One name -------------------------------------------------------------------------------- */

/* Type and number; the key's record may be absent (a directory without a marker). */
static int entry_fill(struct fx_scan *scan, const uint8_t *key, size_t size, bool directory,
		      bool recorded, struct fx_scan_entry *entry)
{
	struct fx_fs *fs = scan->fs;
	FX_AUTO_META struct fx_meta meta = {.blob = NULL};
	bool marker = !directory && fx_key_is_marker(fs, key, size);
	struct stat st;
	int rc = -ENOENT;

	if (recorded)
		rc = fx_meta_load(fs->store, key, size, &meta);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (!directory && (rc == -ENOENT || (marker && !meta.stat.size)))
		return 0;
	if (marker)
		memset(&meta.attr, 0, sizeof(meta.attr));
	fx_meta_stat(fs, &meta.attr, 0, 0, fx_ino_hash(key, size, directory), directory, &st);
	entry->ino = st.st_ino;
	entry->type = st.st_mode & S_IFMT;
	return 1;
}

/* `%=.`: 1 when the directory's own key has a value. */
static int self_entry(struct fx_scan *scan, struct fx_scan_entry *entry)
{
	size_t size;

	if (!fx_place_self_key(&scan->fs->rules, scan->place, &size))
		return 0;
	entry->name = (struct fx_name){.text = "%=.", .size = 3, .kind = FX_NAME_SELF};
	return entry_fill(scan, scan->base.data, size, false, true, entry);
}

/* Go on behind everything that begins with the first size bytes of scan->key. */
static int skip_prefix(struct fx_scan *scan, size_t size)
{
	scan->key.size = fx_prefix_end(scan->key.data, size);
	if (scan->key.size <= scan->base.size) {
		scan->finished = true;
		return 0;
	}
	scan->at.size = scan->key.size - scan->base.size;
	memcpy(scan->at.data, scan->key.data + scan->base.size, scan->at.size);
	scan->at_exclusive = false;
	scan->has_item = false;
	return feox_iter_seek(scan->iter, scan->key.data, scan->key.size);
}

/* Go on behind scan->key itself. */
static void skip_key(struct fx_scan *scan)
{
	scan->at.size = scan->key.size - scan->base.size;
	memcpy(scan->at.data, scan->key.data + scan->base.size, scan->at.size);
	scan->at_exclusive = true;
}

static int directory_entry(struct fx_scan *scan, struct fx_scan_entry *entry)
{
	size_t base_size = entry->name.base_size;
	const uint8_t *raw = scan->key.data + scan->base.size;
	bool given = seen_has(scan, raw, base_size - scan->base.size - 1, false);
	int rc;

	if (!given)
		entry_fill(scan, scan->key.data, base_size, true, true, entry);
	rc = skip_prefix(scan, base_size);
	return rc < 0 ? rc : !given;
}

/*
 * Keys of a component too long for a name. Where the component has more than FX_NAME_MAX bytes,
 * all keys that share that many and one more are of the same continuation directory; else (escapes
 * made it too long) those of the same component are.
 */
static int continuation_entry(struct fx_scan *scan, struct fx_scan_entry *entry)
{
	const uint8_t *raw = scan->key.data + scan->base.size;
	size_t raw_size = scan->key.size - scan->base.size;
	size_t part_size = entry->name.base_size - scan->base.size;
	const uint8_t *separator = memchr(raw, scan->fs->rules.separator, raw_size);
	size_t size = separator ? (size_t)(separator - raw) : raw_size;
	bool given = seen_has(scan, raw, part_size, true);
	int rc = given ? 0 : fx_scan_add_seen(scan, raw, part_size, true);

	if (rc < 0)
		return rc;
	if (!given)
		entry_fill(scan, scan->key.data, entry->name.base_size, true, false, entry);
	if (size > FX_NAME_MAX)
		rc = skip_prefix(scan, scan->base.size + FX_NAME_MAX + 1);
	else if (separator)
		rc = skip_prefix(scan, scan->base.size + size + 1);
	else
		skip_key(scan);
	return rc < 0 ? rc : !given;
}

/* Whether a directory of the leaf's name is there; scan->item is the key behind the leaf, if any.
 */
static int leaf_has_twin(struct fx_scan *scan)
{
	struct fx_key *key = &scan->key;
	const uint8_t *next = scan->item.key;
	uint8_t separator = (uint8_t)scan->fs->rules.separator;
	uint64_t expiry_ns, version;
	int rc;

	if (!scan->has_item || scan->item.key_size <= key->size ||
	    memcmp(next, key->data, key->size) != 0 || next[key->size] > separator)
		return false;
	if (next[key->size] == separator)
		return true;
	key->data[key->size] = separator; /* fx_key has room for it */
	rc = key->size < FEOX_KEY_MAX ? fx_any_below(scan->fs, key->data, key->size + 1, false,
						     scan->nowait, &expiry_ns, &version)
				      : 0;
	return rc;
}

static int leaf_entry(struct fx_scan *scan, struct fx_scan_entry *entry)
{
	struct fx_key *key = &scan->key;
	const uint8_t *raw = key->data + scan->base.size;
	size_t raw_size = key->size - scan->base.size;
	int rc = feox_iter_next(scan->iter, &scan->item), twin;

	if (rc < 0)
		return rc;
	scan->has_item = rc > 0;
	twin = leaf_has_twin(scan);
	if (twin < 0)
		return twin;
	if (twin) {
		rc = fx_scan_add_seen(scan, raw, raw_size, false);
		if (rc < 0)
			return rc;
		key->data[key->size] = (uint8_t)scan->fs->rules.separator;
		rc = entry_fill(scan, key->data, key->size + 1, true, true, entry);
	} else {
		rc = entry_fill(scan, key->data, key->size, false, true, entry);
	}
	if (rc >= 0)
		skip_key(scan);
	return rc;
}

int fx_scan_next(struct fx_scan *scan, struct fx_scan_entry *ret_entry)
{
	int rc;

	if (!scan->self_done) {
		scan->self_done = true;
		if (self_entry(scan, ret_entry) > 0)
			return 1;
	}
	while (!scan->finished) {
		if (!scan->has_item) {
			rc = feox_iter_next(scan->iter, &scan->item);
			if (rc <= 0)
				return rc;
		}
		scan->has_item = false;
		scan->key.size = scan->item.key_size;
		memcpy(scan->key.data, scan->item.key, scan->item.key_size);
		seen_drop_passed(scan, scan->key.data + scan->base.size,
				 scan->key.size - scan->base.size);
		fx_name_encode(&scan->fs->rules, scan->place, scan->key.data, scan->key.size,
			       &ret_entry->name);
		if (ret_entry->name.kind == FX_NAME_CONTINUATION)
			rc = continuation_entry(scan, ret_entry);
		else if (ret_entry->name.directory)
			rc = directory_entry(scan, ret_entry);
		else
			rc = leaf_entry(scan, ret_entry);
		if (rc)
			return rc;
	}
	return 0;
}

/* ---- Counting -------------------------------------------------------------------------------- */

/* The bytes of key that are a subdirectory's base; 0: a leaf; SIZE_MAX: too long for a name. */
static size_t subdirectory_base(const struct fx_fs *fs, const struct fx_key *base,
				const struct feox_item *item)
{
	const uint8_t *raw = (const uint8_t *)item->key + base->size;
	size_t size = item->key_size - base->size;
	const uint8_t *end = memchr(raw, fs->rules.separator, size);

	if ((end ? (size_t)(end - raw) : size) > FX_PLAIN_MAX)
		return SIZE_MAX;
	return end ? base->size + (size_t)(end - raw) + 1 : 0;
}

static int count_directories(struct fx_fs *fs, struct feox_iter *iter, const struct fx_key *base,
			     nlink_t *ret_nlink, uint64_t *ret_expiry_ns)
{
	uint64_t expiry_ns = 0;
	nlink_t count = 0;
	struct feox_item item;
	struct fx_key key;
	int rc;

	*ret_nlink = 1;
	*ret_expiry_ns = 0;
	for (unsigned int i = 0; i < FX_COUNT_SEEKS_MAX; i++) {
		size_t size;

		rc = feox_iter_next(iter, &item);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			*ret_nlink = 2 + count;
			*ret_expiry_ns = expiry_ns;
			return 0;
		}
		size = subdirectory_base(fs, base, &item);
		if (size == SIZE_MAX)
			return 0;
		if (!size)
			continue;
		count++;
		expiry_ns = fx_ttl_earlier(expiry_ns, item.expiry_ns);
		memcpy(key.data, item.key, size);
		rc = feox_iter_seek(iter, key.data, fx_prefix_end(key.data, size));
		if (rc < 0)
			return rc;
	}
	return 0;
}

int fx_scan_count_directories(struct fx_fs *fs, const struct fx_key *base, bool partial,
			      unsigned int nowait, nlink_t *ret_nlink, uint64_t *ret_expiry_ns)
{
	struct feox_iter_options options = {
		.flags = FEOX_ITER_STAT | nowait, .prefix = base->data, .prefix_size = base->size};
	struct feox_iter *iter;
	int rc;

	if (partial) {
		*ret_nlink = 1;
		*ret_expiry_ns = 0;
		return 0;
	}
	rc = feox_iter_open(fs->store, &options, &iter);
	if (rc < 0)
		return rc;
	rc = count_directories(fs, iter, base, ret_nlink, ret_expiry_ns);
	feox_iter_close(iter);
	return rc;
}
