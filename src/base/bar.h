/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bar.h - a progress bar on a terminal, for programs: shown only when what it tells of takes longer
 * than a second. One thread; the caller reads the clock and says whether there is a terminal.
 */
#ifndef FX_BAR_H
#define FX_BAR_H

#include <stdbool.h>
#include <stdint.h>

#define FX_BAR_AFTER_NS UINT64_C(1000000000)

struct fx_bar {
	int fd;		   /* -1: there is no terminal, nothing is ever shown */
	uint64_t begun_ns; /* by the caller's clock */
	const char *what;  /* shown in front; NULL: nothing is shown now */
	unsigned int permille;
};

static inline void fx_bar_begin(struct fx_bar *bar, int fd, uint64_t now_ns)
{
	*bar = (struct fx_bar){.fd = fd, .begun_ns = now_ns};
}

/* done of total. what: a constant text. Draws only when something has changed. */
void fx_bar_show(struct fx_bar *bar, const char *what, uint64_t done, uint64_t total,
		 uint64_t now_ns);

/* Take the bar away, so that other lines may be written; the next call of show draws it again. */
void fx_bar_hide(struct fx_bar *bar);

#endif
