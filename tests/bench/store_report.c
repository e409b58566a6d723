/* SPDX-License-Identifier: Apache-2.0 */
#include "store_report.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STAT_BLOCK 512u

void store_report(bool json, const char *engine, const char *workload, const char *metric,
		  double value)
{
	if (json)
		printf("{\"engine\":\"%s\",\"workload\":\"%s\",\"metric\":\"%s\",\"value\":%.6g}\n",
		       engine, workload, metric, value);
	else
		printf("%-10s %-16s %-20s %12.2f\n", engine, workload, metric, value);
	fflush(stdout);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

double store_percentile_us(uint64_t *ns, size_t count, double percent)
{
	size_t at = (size_t)((double)count * percent / 100);

	if (!count)
		return 0;
	qsort(ns, count, sizeof(*ns), compare);
	return (double)ns[at < count ? at : count - 1] / 1000;
}

uint64_t store_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t store_written_bytes(void)
{
	FILE *io = fopen("/proc/self/io", "re");
	char line[128];
	uint64_t bytes = 0;

	while (io && fgets(line, sizeof(line), io))
		if (sscanf(line, "write_bytes: %" SCNu64, &bytes) == 1)
			break;
	if (io)
		fclose(io);
	return bytes;
}

/* Call visit for each file of a directory. */
static void each_file(const char *dir, void (*visit)(const char *path, void *ctx), void *ctx)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	char path[4096];

	while (d && (entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		visit(path, ctx);
	}
	if (d)
		closedir(d);
}

static void add_size(const char *path, void *ctx)
{
	struct stat st;

	if (!stat(path, &st))
		*(uint64_t *)ctx += (uint64_t)st.st_blocks * STAT_BLOCK;
}

uint64_t store_dir_bytes(const char *dir)
{
	uint64_t bytes = 0;

	each_file(dir, add_size, &bytes);
	return bytes;
}

static void drop(const char *path, void *ctx)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	fdatasync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

void store_drop_cache(const char *dir)
{
	each_file(dir, drop, NULL);
}

static void remove_file(const char *path, void *ctx)
{
	unlink(path);
}

void store_remove_dir(const char *dir)
{
	each_file(dir, remove_file, NULL);
	rmdir(dir);
}
