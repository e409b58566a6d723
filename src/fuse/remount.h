/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remount.h - `mount -o remount,...` of a store that is mounted: mount(8) calls the program again.
 *
 * The kernel's flags of the mount change: ro, rw, nosuid, nodev, noexec, noatime and their
 * opposites. All other options are those that the mount began with; fstab repeats them, so that
 * they are taken and change nothing.
 */
#ifndef FX_REMOUNT_H
#define FX_REMOUNT_H

#include "options.h"
#include "session.h"

/*
 * 0: the mount has these flags now, and with `ro` everything that was written is durable. Negative:
 * *ret_why says what is wrong, nothing has changed.
 */
int fx_remount(const struct fx_options *options, struct fx_text *ret_why);

#endif
