/* SPDX-License-Identifier: Apache-2.0 */
/* posix_list.c - readdir(3) and its kin, statfs(2). */
#include "posix.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#define ENTRIES	    700	 /* more than one answer of the file system holds */
#define FAR_ENTRIES 1500 /* of long names: more than a handle remembers */

static const char *number_name(const char *stem, int n)
{
	static char name[64];

	snprintf(name, sizeof(name), "%s%04d-%s", stem, n,
		 n % 3 ? "x" : "a-longer-name-of-some-bytes");
	return name;
}

/* One entry of each kind: d_type and d_ino are the file's. */
static void kinds(void)
{
	struct dirent *entry;
	char name[16];
	int count = 0, dots = 0;
	DIR *dir;

	fx_about("d_type and d_ino");
	for (enum fx_type type = 0; type < FX_TYPES; type++) {
		snprintf(name, sizeof(name), "kind%d", (int)type);
		fx_make(type, name);
	}
	dir = opendir(".");
	while (dir && (entry = readdir(dir))) {
		struct stat st = fx_lstat(entry->d_name);

		if (entry->d_name[0] == '.') {
			SAME(DT_DIR, entry->d_type);
			dots++;
			continue;
		}
		SAME(IFTODT(st.st_mode), entry->d_type);
		SAME(st.st_ino, entry->d_ino);
		count++;
	}
	SAME(FX_TYPES, count);
	SAME(2, dots);
	closedir(dir);
	for (enum fx_type type = 0; type < FX_TYPES; type++) {
		snprintf(name, sizeof(name), "kind%d", (int)type);
		fx_remove(name);
	}
}

/* telldir(3), then back there: the same entry follows, however far it is, in any order. */
static void places(void)
{
	static long at[ENTRIES + 2];
	static char names[ENTRIES + 2][256];
	struct dirent *entry;
	DIR *dir = opendir(".");
	int count = 0, wrong = 0;

	fx_about("telldir and seekdir");
	HOLDS(dir);
	for (at[0] = telldir(dir); count < ENTRIES + 2 && (entry = readdir(dir)); count++) {
		snprintf(names[count], sizeof(names[count]), "%s", entry->d_name);
		if (count + 1 < ENTRIES + 2)
			at[count + 1] = telldir(dir);
	}
	SAME(ENTRIES + 2, count);
	for (int i = 0; i < count; i++) {
		int n = i * 389 % count;

		seekdir(dir, at[n]);
		entry = readdir(dir);
		wrong += !entry || strcmp(entry->d_name, names[n]) != 0;
	}
	SAME(0, wrong);
	rewinddir(dir);
	entry = readdir(dir);
	SAME(0, entry ? strcmp(entry->d_name, names[0]) : 1);
	closedir(dir);
}

/* The same where the file system does not remember all places of a listing. */
static void far_places(void)
{
	static long at[FAR_ENTRIES + 2];
	int wrong = 0, count = 0;
	struct dirent *entry;
	char name[256];
	DIR *dir;

	fx_about("seekdir in a large directory");
	WORKS(mkdir("large", 0777));
	memset(name, 'f', sizeof(name));
	for (int i = 0; i < FAR_ENTRIES; i++) {
		snprintf(name, sizeof(name), "large/%04d", i);
		name[10] = 'f';
		name[240] = '\0';
		fx_make(FX_REG, name);
	}
	dir = opendir("large");
	for (at[0] = telldir(dir); count < FAR_ENTRIES + 2 && readdir(dir); count++)
		if (count + 1 < FAR_ENTRIES + 2)
			at[count + 1] = telldir(dir);
	SAME(FAR_ENTRIES + 2, count);
	for (int i = 0; i < FAR_ENTRIES; i++) {
		int n = i * 389 % FAR_ENTRIES;

		seekdir(dir, at[n + 2]);
		entry = readdir(dir);
		if (local) /* in an order of its own */
			wrong += !entry;
		else
			wrong += !entry || atoi(entry->d_name) != n;
	}
	SAME(0, wrong);
	rewinddir(dir);
	for (wrong = 0; (entry = readdir(dir));)
		wrong += entry->d_name[0] != '.' && unlinkat(dirfd(dir), entry->d_name, 0) != 0;
	SAME(0, wrong);
	closedir(dir);
	WORKS(rmdir("large"));
}

/*
 * The same while entries before the place come and go. Regression: beyond the last answer of the
 * file system a place was a count of entries.
 */
static void places_in_change(void)
{
	static long at[ENTRIES + 2];
	static char names[ENTRIES + 2][256];
	struct dirent *entry;
	DIR *dir = opendir(".");
	int count = 0, wrong = 0;

	fx_about("seekdir while entries come and go");
	HOLDS(dir);
	while (count < ENTRIES + 2 && (entry = readdir(dir))) {
		snprintf(names[count], sizeof(names[count]), "%s", entry->d_name);
		at[count++] = telldir(dir);
	}
	for (int i = 0; i < ENTRIES; i += 7)
		unlink(number_name("entry", i));
	for (int i = 0; i < ENTRIES; i += 5)
		fx_make(FX_REG, number_name("between", i));
	for (int i = count - 2; i > 3; i--) {
		int next = i + 1;

		while (next < count && !fx_exists(names[next]))
			next++;
		if (next == count)
			continue;
		seekdir(dir, at[i]);
		do
			entry = readdir(dir);
		while (entry &&
		       (!strncmp(entry->d_name, "between", 7) || !fx_exists(entry->d_name)));
		wrong += !entry || strcmp(entry->d_name, names[next]) != 0;
	}
	SAME(0, wrong);
	closedir(dir);
	for (int i = 0; i < ENTRIES; i += 5)
		fx_remove(number_name("between", i));
}

/* What is there during the whole scan comes exactly once; what came or went, once at most. */
static void in_change(void)
{
	int stays[ENTRIES] = {0}, others = 0, n = 0, i;
	struct dirent *entry;
	DIR *dir;

	fx_about("readdir while entries come and go");
	dir = opendir(".");
	while (dir && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "entry%d", &i) == 1 && i >= 0 && i < ENTRIES)
			stays[i]++;
		else if (!strncmp(entry->d_name, "new", 3))
			others++;
		fx_make(FX_REG, number_name("new", n));
		if (n > 10)
			fx_remove(number_name("new", n - 10));
		n++;
	}
	closedir(dir);
	for (i = 0; i < ENTRIES; i++)
		if (fx_exists(number_name("entry", i)) != (stays[i] == 1))
			SAME(i, -1);
	HOLDS(others <= n);
	for (i = 0; i < n; i++)
		fx_remove(number_name("new", i));
}

/* Emptying a directory while it is listed: what rm -r does. */
static void emptied(void)
{
	struct dirent *entry;
	DIR *dir = opendir(".");
	int left = 0, failed = 0;

	fx_about("unlink of each entry that readdir gives");
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			failed += unlink(entry->d_name) != 0;
	SAME(0, failed);
	rewinddir(dir);
	while ((entry = readdir(dir)))
		left++;
	SAME(2, left);
	closedir(dir);
}

static void without_permission(void)
{
	DIR *dir;
	int fd;

	fx_about("a directory that lists and does not search");
	fx_make_for(FX_DIR, "d", ALICE, ALICE, 0755);
	fx_make(FX_REG, "d/a");
	WORKS(chmod("d", 0744));
	fx_as(BOB, BOB);
	dir = opendir("d");
	HOLDS(dir);
	for (int i = 0; i < 3; i++)
		HOLDS(readdir(dir));
	HOLDS(!readdir(dir));
	closedir(dir);
	FAILS(EACCES, access("d/a", F_OK));
	fx_as_root();
	fx_remove("d/a");
	fx_about("a directory removed while it is open lists nothing");
	fd = (int)WORKS(open("d", O_RDONLY | O_DIRECTORY));
	dir = fdopendir(fd);
	fx_remove("d");
	HOLDS(dir && !readdir(dir));
	closedir(dir);
}

static void space(void)
{
	struct statvfs before, after;
	int fd;

	fx_about("statvfs");
	WORKS(statvfs(".", &before));
	SAME(255, before.f_namemax);
	HOLDS(before.f_bsize >= 512);
	HOLDS(before.f_frsize >= 512);
	HOLDS(before.f_blocks > 0 && before.f_bfree <= before.f_blocks);
	HOLDS(before.f_bavail <= before.f_bfree);
	HOLDS(before.f_files > 0 && before.f_ffree <= before.f_files);
	fd = (int)WORKS(open("a", O_CREAT | O_WRONLY, 0644));
	WORKS(fallocate(fd, 0, 0, 4 << 20));
	WORKS(fstatvfs(fd, &after));
	HOLDS(after.f_bfree < before.f_bfree);
	SAME(before.f_fsid, after.f_fsid);
	close(fd);
	fx_remove("a");
}

void posix_list(void)
{
	kinds();
	for (int i = 0; i < ENTRIES; i++)
		fx_make(FX_REG, number_name("entry", i));
	places();
	places_in_change();
	in_change();
	emptied();
	far_places();
	without_permission();
	space();
}
