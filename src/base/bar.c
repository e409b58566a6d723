/* SPDX-License-Identifier: Apache-2.0 */
#include "bar.h"

#include <stddef.h>
#include <stdio.h>

#define WIDTH 50u

void fx_bar_show(struct fx_bar *bar, const char *what, uint64_t done, uint64_t total,
		 uint64_t now_ns)
{
	static const char full[] = "##################################################";
	unsigned int permille;

	_Static_assert(sizeof(full) == WIDTH + 1, "a full bar");
	if (bar->fd < 0 || (!bar->what && now_ns - bar->begun_ns < FX_BAR_AFTER_NS))
		return;
	if (done > total)
		done = total;
	permille = total ? (unsigned int)((double)done / (double)total * 1000) : 1000;
	if (bar->what == what && bar->permille == permille)
		return;
	if (bar->what != what)
		fx_bar_hide(bar);
	bar->what = what;
	bar->permille = permille;
	dprintf(bar->fd, "\r%s: [%-*.*s] %3u.%u %%", what, (int)WIDTH,
		(int)(permille * WIDTH / 1000), full, permille / 10, permille % 10);
}

void fx_bar_hide(struct fx_bar *bar)
{
	if (bar->what)
		dprintf(bar->fd, "\r\033[K"); /* erase to the end of the line: ECMA-48, EL */
	bar->what = NULL;
}
