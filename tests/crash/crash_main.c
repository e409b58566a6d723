/* SPDX-License-Identifier: Apache-2.0 */
#include "crash_main.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_DEFAULT 16u /* opening and closing wait for grace periods more than they work */
#define JOBS_MAX     64u

/* Shared by the processes. */
struct progress {
	_Atomic uint64_t next_seed, states, nested;
	_Atomic bool failed;
};

struct command {
	const struct crash_suite *suite;
	struct crash_plan plan;
	uint64_t states, jobs, seed;
	bool one;
};

static int run_seed(const struct command *command, uint64_t seed, struct progress *progress)
{
	struct crash_run run = {.seed = seed, .plan = command->plan};
	int err = command->suite->workload(&run);

	atomic_fetch_add(&progress->states, run.states);
	atomic_fetch_add(&progress->nested, run.nested);
	if (err) {
		printf("again: %s --percent %u --nested-percent %u --seed %llu\n",
		       command->suite->name, command->plan.percent, command->plan.nested_percent,
		       (unsigned long long)seed);
		fflush(stdout);
		atomic_store(&progress->failed, true);
	}
	return err;
}

static void work(const struct command *command, struct progress *progress)
{
	while (!atomic_load(&progress->failed)) {
		uint64_t seed = atomic_fetch_add(&progress->next_seed, 1);

		if (seed >= command->suite->seeds &&
		    atomic_load(&progress->states) >= command->states)
			break;
		run_seed(command, seed, progress);
	}
}

static void work_together(const struct command *command, struct progress *progress)
{
	pid_t children[JOBS_MAX];

	for (unsigned int i = 0; i < command->jobs; i++) {
		children[i] = fork();
		if (children[i])
			continue;
		work(command, progress);
		_exit(0);
	}
	for (unsigned int i = 0; i < command->jobs; i++) {
		int status = 1;

		if (children[i] < 0 || waitpid(children[i], &status, 0) < 0 || status) {
			printf("a process ended with status 0x%x\n", (unsigned int)status);
			atomic_store(&progress->failed, true);
		}
	}
}

static void read_options(int argc, char **argv, struct command *command)
{
	static const struct option options[] = {{"states", required_argument, NULL, 's'},
						{"percent", required_argument, NULL, 'p'},
						{"nested-percent", required_argument, NULL, 'n'},
						{"jobs", required_argument, NULL, 'j'},
						{"seed", required_argument, NULL, 'S'},
						{"keep", required_argument, NULL, 'k'},
						{NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		uint64_t number = optarg ? strtoull(optarg, NULL, 0) : 0;

		if (c == 's')
			command->states = number;
		else if (c == 'p')
			command->plan.percent = (unsigned int)number;
		else if (c == 'n')
			command->plan.nested_percent = (unsigned int)number;
		else if (c == 'j' && number && number <= JOBS_MAX)
			command->jobs = number;
		else if (c == 'S') {
			command->seed = number;
			command->one = true;
		} else if (c == 'k')
			command->plan.keep = optarg;
		else
			exit(2);
	}
}

int crash_main(int argc, char **argv, const struct crash_suite *suite)
{
	struct command command = {
		.suite = suite,
		.plan = {.percent = suite->percent, .nested_percent = suite->nested_percent},
		.states = suite->states,
		.jobs = JOBS_DEFAULT,
	};
	struct progress *progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (progress == MAP_FAILED)
		return 2;
	read_options(argc, argv, &command);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (command.one)
		run_seed(&command, command.seed, progress);
	else
		work_together(&command, progress);
	printf("%s: %llu states, %llu of them nested%s\n", suite->name,
	       (unsigned long long)atomic_load(&progress->states),
	       (unsigned long long)atomic_load(&progress->nested),
	       atomic_load(&progress->failed) ? ", FAILED" : "");
	return atomic_load(&progress->failed);
}
