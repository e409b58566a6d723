/* SPDX-License-Identifier: Apache-2.0 */
/* usage.h - what --help says, for argp: before and, behind the \v, after the options. */
#ifndef FX_USAGE_H
#define FX_USAGE_H

#define FX_USAGE                                                                                   \
	"Mount a feox key-value store on a directory: keys are files, key prefixes are "           \
	"directories."                                                                             \
	"\v"                                                                                       \
	"STORE is a regular file (made when missing), a block device, or :memory:.\n"              \
	"\n"                                                                                       \
	"Mount options (sizes take K, M, G; times ms, s, m, h, d):\n"                              \
	"  ro                     change nothing\n"                                                \
	"  remount                change ro, rw, suid, dev, exec, atime of a mount that is "       \
	"there\n"                                                                                  \
	"  allow_other            let other users in, with permissions checked\n"                  \
	"  memory=SIZE            memory limit (half of the machine's memory)\n"                   \
	"  evict=clock            of :memory:, at the limit: remove what was not used lately\n"    \
	"  size=SIZE              first size of a new file (16M)\n"                                \
	"  grow_max=SIZE          largest growth step (1G)\n"                                      \
	"  max_size=SIZE          limit of the file (none)\n"                                      \
	"  max_value=SIZE         largest file (64M; at most 1G)\n"                                \
	"  flush_interval=TIME    longest time a change stays undurable (100ms)\n"                 \
	"  publish_interval=TIME  of a file kept open for writing (5s)\n"                          \
	"  sync                   every write is durable when it returns\n"                        \
	"  cache=TIME             longest time the kernel may cache (unlimited)\n"                 \
	"  rename_max=N           most keys in one directory rename (1000000)\n"                   \
	"  separator=C            of key components, fixed when the store is made (/)\n"           \
	"  prefix=P               mount only the keys below P, which ends with the separator\n"    \
	"  uid=, gid=, umask=, fmask=, dmask=   of keys without attributes\n"                      \
	"  fsname=, subtype=      as shown by mount(8)\n"

#endif
