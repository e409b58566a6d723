/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int read_rollup(struct bench_memory *memory)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	unsigned long kib;
	int found = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Anonymous: %lu kB", &kib) == 1) {
			memory->anonymous_bytes = kib * UINT64_C(1024);
			found++;
		} else if (sscanf(line, "AnonHugePages: %lu kB", &kib) == 1) {
			memory->huge_bytes = kib * UINT64_C(1024);
			found++;
		}
	}
	fclose(file);
	return found == 2 ? 0 : -ENOENT;
}

static int read_statm(struct bench_memory *memory)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long size, resident, shared;
	int fields;

	if (!file)
		return -errno;
	fields = fscanf(file, "%lu %lu %lu", &size, &resident, &shared);
	fclose(file);
	if (fields != 3)
		return -EIO;
	memory->anonymous_bytes = (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

int bench_memory_read(struct bench_memory *ret_memory)
{
	struct bench_memory memory = {0};
	int err = read_rollup(&memory);

	if (err)
		err = read_statm(&memory);
	if (!err)
		*ret_memory = memory;
	return err;
}
