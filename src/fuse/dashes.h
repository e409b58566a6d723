/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dashes.h - dash options that argp(3) would not take, found before it meets them: it has two lines
 * to say about one, and we promise one.
 */
#ifndef FX_DASHES_H
#define FX_DASHES_H

#include <stddef.h>

struct argp_option;

/*
 * arguments: as for argp(3), single letters with or without a name, at most 16, then a zeroed one.
 * argp's own (--help, --usage, --version) are known. -EINVAL: error holds a line that names the
 * option at fault; -ENOMEM. argv is left as it is; getopt(3) may be used anew.
 */
int fx_check_dashes(const struct argp_option *arguments, int argc, char **argv, char *error,
		    size_t error_size);

#endif
