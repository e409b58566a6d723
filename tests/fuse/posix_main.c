/* SPDX-License-Identifier: Apache-2.0 */
/*
 * posix_main.c - posix_table [--local] [--prepare|--read-only] DIRECTORY [GROUP...]: run the table
 * on a file system; see posix.h.
 *
 * --prepare leaves files behind for --read-only, which expects the file system to be mounted so.
 */
#include "posix.h"
#include "posix_main.h"

#include <stdlib.h>

static const struct group {
	const char *name;
	void (*run)(void);
} groups[] = {
	{"path", posix_path},
	{"mode", posix_mode},
	{"access", posix_access},
	{"owner", posix_owner},
	{"setid", posix_setid},
	{"make", posix_make},
	{"open", posix_open},
	{"remove", posix_remove},
	{"sticky", posix_sticky},
	{"rename", posix_rename},
	{"rename_flags", posix_rename_flags},
	{"link", posix_link},
	{"size", posix_size},
	{"data", posix_data},
	{"time", posix_time},
	{"lock", posix_lock},
	{"list", posix_list},
	{"map", posix_map},
	{"xattr", posix_xattr},
};

static void enter(const char *name)
{
	fx_as_root();
	umask(0);
	if ((mkdir(name, 0777) && errno != EEXIST) || chdir(name)) {
		perror(name);
		exit(2);
	}
}

static void run_group(const struct group *group)
{
	unsigned int before = counts.assertions, failures = counts.failures;

	enter(group->name);
	fx_about("%s", group->name);
	group->run();
	fx_as_root();
	if (chdir("..")) {
		perror("..");
		exit(2);
	}
	printf("%-14s %5u assertions, %u failed\n", group->name, counts.assertions - before,
	       counts.failures - failures);
	fflush(stdout);
}

static bool is_wanted(const struct group *group, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(*names, group->name))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	static const struct group prepare = {"read_only", posix_read_only_prepare};
	static const struct group read_only = {"read_only", posix_read_only};
	const struct group *special = NULL;

	for (; argc > 1 && argv[1][0] == '-'; argc--, argv++) {
		local |= !strcmp(argv[1], "--local");
		if (!strcmp(argv[1], "--prepare"))
			special = &prepare;
		if (!strcmp(argv[1], "--read-only"))
			special = &read_only;
	}
	if (argc < 2 || chdir(argv[1])) {
		fprintf(stderr, "usage: posix_table [--local] DIRECTORY [GROUP...]\n");
		return 2;
	}
	if (geteuid() != 0) {
		fprintf(stderr, "posix_table: only root can be several users\n");
		return 77;
	}
	if (special)
		run_group(special);
	for (size_t i = 0; !special && i < COUNT(groups); i++)
		if (is_wanted(&groups[i], argv + 2))
			run_group(&groups[i]);
	printf("posix: %u assertions, %u failed\n", counts.assertions, counts.failures);
	return counts.failures ? 1 : 0;
}
