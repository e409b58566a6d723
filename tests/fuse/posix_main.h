/* SPDX-License-Identifier: Apache-2.0 */
/* posix_main.h - what the table's program and its library share. */
#ifndef FX_POSIX_MAIN_H
#define FX_POSIX_MAIN_H

struct fx_counts {
	unsigned int assertions, failures;
};
extern struct fx_counts counts;

#endif
