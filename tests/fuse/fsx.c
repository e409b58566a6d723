/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsx.c - fsx [OPTIONS] DIRECTORY: random operations on some files, each compared byte by byte with
 * a model in memory.
 *
 * Several handles of a file at a time, of all directions, with and without O_APPEND, O_DIRECT and
 * O_SYNC; maps, private and shared, that stay while the file is written, truncated, renamed and
 * unlinked; files without a name. A seed gives the same operations each time; -t prints them. -r: a
 * command that unmounts and mounts, called once a seed. -l: a file system of the kernel, to see
 * that the model is right.
 */
#include "fsx_model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_all(struct fx_model *m)
{
	for (int i = 0; i < FX_FILES; i++) {
		fx_unmap(m, &m->files[i]);
		for (int h = 0; h < FX_HANDLES; h++)
			if (m->files[i].handles[h].fd >= 0)
				fx_close(m, &m->files[i], &m->files[i].handles[h]);
	}
}

static void verify_all(struct fx_model *m)
{
	for (int name = 0; name < FX_NAMES; name++) {
		struct fx_file *file = fx_named(m, name);
		struct stat st;

		if (file)
			fx_verify(m, file, NULL);
		else
			FX_REQUIRE(m, lstat(fx_name(name), &st) && errno == ENOENT);
	}
}

/* Unmount and mount: all that has a name is as it was. */
static void remount(struct fx_model *m, const char *command, const char *directory)
{
	close_all(m);
	fx_log(m, "remount");
	FX_REQUIRE(m, !chdir("/") && !system(command) && !chdir(directory));
	verify_all(m);
}

struct options {
	unsigned int first, seeds, operations;
	const char *remount, *directory;
	bool trace, local;
};

static void run(unsigned int seed, const struct options *o)
{
	struct fx_model m;

	fx_model_init(&m, seed);
	m.trace = o->trace;
	m.local = o->local;
	FX_REQUIRE(&m, !mkdir("d", 0755) || errno == EEXIST);
	for (int name = 0; name < FX_NAMES; name++)
		unlink(fx_name(name));
	for (m.operation = 1; m.operation <= o->operations; m.operation++) {
		fx_step(&m);
		if (o->remount && m.operation == o->operations / 2)
			remount(&m, o->remount, o->directory);
	}
	close_all(&m);
	verify_all(&m);
	fx_model_free(&m);
}

static bool parse(int argc, char **argv, struct options *o)
{
	int option;

	while ((option = getopt(argc, argv, "s:n:o:r:tl")) != -1) {
		if (option == 's')
			o->first = (unsigned int)atoi(optarg);
		if (option == 'n')
			o->seeds = (unsigned int)atoi(optarg);
		if (option == 'o')
			o->operations = (unsigned int)atoi(optarg);
		if (option == 'r')
			o->remount = optarg;
		o->trace |= option == 't';
		o->local |= option == 'l';
		if (option == '?')
			return false;
	}
	o->directory = argv[optind];
	return optind + 1 == argc;
}

int main(int argc, char **argv)
{
	struct options o = {.first = 1, .seeds = 1, .operations = 10000};

	if (!parse(argc, argv, &o) || chdir(o.directory)) {
		fprintf(stderr, "usage: fsx [-s SEED] [-n SEEDS] [-o OPERATIONS] [-r REMOUNT] [-t] "
				"[-l] DIRECTORY\n");
		return 2;
	}
	for (unsigned int seed = o.first; seed < o.first + o.seeds; seed++)
		run(seed, &o);
	printf("%u seeds of %u operations\n", o.seeds, o.operations);
	return 0;
}
