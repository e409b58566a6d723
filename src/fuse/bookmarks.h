/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bookmarks.h - where a listing has been, for telldir(3) and seekdir(3).
 *
 * A place is behind an entry; its cookie is a hash of the place itself, so that one place has the
 * same cookie in every scan, whatever has come and gone meanwhile. A handle remembers the places of
 * the entries it has given, as far as FX_BOOKMARKS_MAX reaches; a place that is not remembered is
 * found by scanning for it, as long as its entry is there.
 */
#ifndef FX_BOOKMARKS_H
#define FX_BOOKMARKS_H

#include "scan.h"

#define FX_BOOKMARKS_MAX       ((size_t)256 * 1024) /* bytes of one handle's: some 8,000 entries */
#define FX_BOOKMARKS_TOTAL_MAX ((size_t)64 << 20)   /* of all handles; later ones have none then */
#define FX_COOKIE_START	       ((off_t)2) /* before the first entry: behind "." and ".." */

struct fx_bookmarks {
	_Atomic size_t *total; /* capacity of all handles'; NULL: not counted, one place only */
	uint8_t *data;	       /* records one after another; owned */
	size_t size, capacity;
	size_t next; /* the record behind the one passed last; size: none */
};

void fx_bookmarks_init(struct fx_bookmarks *marks, _Atomic size_t *total);
void fx_bookmarks_clear(struct fx_bookmarks *marks);

/* The cookie of the place where scan stands: not 0, not FX_COOKIE_START or less, not negative. */
off_t fx_scan_cookie(const struct fx_scan *scan);

/* Remember the place where scan stands under that cookie. -ENOMEM: there is no room. */
int fx_bookmarks_add(struct fx_bookmarks *marks, const struct fx_scan *scan, off_t cookie);

/* Forget all others. */
int fx_bookmarks_replace(struct fx_bookmarks *marks, const struct fx_scan *scan, off_t cookie);

/* Set scan, which has not begun, to the beginning. */
void fx_bookmarks_rewind(struct fx_bookmarks *marks, struct fx_scan *scan);

/* Set scan, which has not begun, to the place of that cookie. -ENOENT: not remembered. -ENOMEM. */
int fx_bookmarks_return(struct fx_bookmarks *marks, struct fx_scan *scan, off_t cookie);

#endif
