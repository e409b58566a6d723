/* SPDX-License-Identifier: Apache-2.0 */
/* helper.h - what the mount tests' helper program consists of: one function a command. */
#ifndef FX_HELPER_H
#define FX_HELPER_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Say what did not hold and leave with 1. */
#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s (errno: %s)\n", __FILE__, __LINE__, #condition, \
				strerror(errno));                                                  \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
};

extern const struct command posix_commands[];
extern const struct command room_commands[];
extern const struct command store_commands[];
extern const struct command kv_commands[];
extern const struct command events_commands[];
extern const struct command coherence_commands[];
extern const struct command storm_commands[];

#endif
