/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - the command line and the mount options of feoxfs (docs/filesystem.md, "Command
 * line"). */
#ifndef FX_OPTIONS_H
#define FX_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fx_options {
	const char *store; /* path, or ":memory:" */
	const char *mountpoint;
	bool foreground, read_only, allow_other, sync, evict;
	bool remount;					 /* change the mount that is there */
	uint64_t memory, size, grow_max, max_size;	 /* bytes; 0: the engine's default */
	uint64_t flush_interval_ns, publish_interval_ns; /* ns; 0: the engine's default / 5 s */
	uint64_t max_value;				 /* bytes; 0: default */
	uint64_t rename_max;
	uint64_t cache_ns; /* UINT64_MAX: unlimited */
	char separator;	   /* 0: not given */
	char *prefix;	   /* "" or ends with the separator; owned */
	uid_t uid;
	gid_t gid;
	mode_t umask, fmask, dmask; /* fmask and dmask are umask unless given */
	char *fsname;		    /* owned */
	char *subtype;		    /* owned */
	char *kernel; /* options handed to the kernel as they are ("nosuid,nodev"); owned */
};

/*
 * Parse argv; writes defaults first. 0: go on; > 0: exit with that code minus 1 (--help, --version
 * have printed); < 0: -EINVAL, error holds one line that names the word at fault.
 */
int fx_options_parse(int argc, char **argv, struct fx_options *ret_options, char *error,
		     size_t error_size);
void fx_options_free(struct fx_options *options);

/* "10m", "0.5", "90s", "2h", "1d", "250ms": ns. A bare number is seconds. -EINVAL, -ERANGE. */
int fx_parse_time(const char *text, size_t size, uint64_t *ret_ns);
/* "64M", "1G", "4096": bytes. */
int fx_parse_size(const char *text, size_t size, uint64_t *ret_bytes);

#endif
