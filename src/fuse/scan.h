/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.h - the names in a directory, each once, in the order of the keys that prove them. A listing
 * jumps over subtrees and reads no value.
 */
#ifndef FX_SCAN_H
#define FX_SCAN_H

#include "lookup.h"

/* A name that was given and whose key's order puts it, or a part of it, in the scan's way again. */
struct fx_seen {
	uint8_t *raw; /* its bytes in keys; owned */
	size_t size;
	bool continuation;
};

/*
 * A scan goes on where it stopped, also after its directory was renamed: what it remembers is
 * relative to the directory's base. Between fx_scan_begin() and fx_scan_end() names_lock is held.
 */
struct fx_scan {
	struct fx_fs *fs;
	unsigned int nowait;
	struct fx_place place;
	struct fx_key base; /* of the directory, as of this begin */
	struct fx_key at;   /* the next key to look at, without the base ... */
	bool at_exclusive;  /* ... or the one after it */
	bool self_done, finished;
	struct feox_iter *iter;
	struct feox_item item; /* looked at, not used yet, when has_item */
	bool has_item;
	struct fx_key key; /* scratch: the key being named, then where to seek */
	struct fx_seen *seen;
	size_t seen_count, seen_capacity;
};

struct fx_scan_entry {
	struct fx_name name;
	uint64_t ino;
	mode_t type; /* S_IFMT */
};

void fx_scan_init(struct fx_scan *scan); /* at the beginning; also to rewind after a clear */
void fx_scan_clear(struct fx_scan *scan);

/* -EAGAIN; -ESTALE: the directory is gone (it lists nothing). */
int fx_scan_begin(struct fx_fs *fs, struct fx_scan *scan, struct fx_node *directory,
		  unsigned int nowait);
void fx_scan_end(struct fx_scan *scan);

/* 1: the next name; 0: no more; -EAGAIN: nothing was skipped, go on with a later begin. */
int fx_scan_next(struct fx_scan *scan, struct fx_scan_entry *ret_entry);

/* Pass those bytes' directory (continuation: their continuation directory) over. -ENOMEM. */
int fx_scan_add_seen(struct fx_scan *scan, const uint8_t *raw, size_t size, bool continuation);

/*
 * st_nlink of the directory with that base: 2 + its subdirectories when 64 seeks find them all,
 * else 1. *ret_expiry_ns: when a subdirectory may vanish by itself.
 */
int fx_scan_count_directories(struct fx_fs *fs, const struct fx_key *base, bool partial,
			      unsigned int nowait, nlink_t *ret_nlink, uint64_t *ret_expiry_ns);

#endif
