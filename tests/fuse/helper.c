/* SPDX-License-Identifier: Apache-2.0 */
/* helper.c - helper COMMAND ARGUMENTS: what the shell cannot do itself. */
#include "helper.h"

static int run(const struct command *commands, int argc, char **argv)
{
	for (; commands->name; commands++)
		if (!strcmp(commands->name, argv[1]))
			return commands->run(argc - 2, argv + 2);
	return -1;
}

int main(int argc, char **argv)
{
	int result = -1;

	if (argc > 1)
		result = run(posix_commands, argc, argv);
	if (argc > 1 && result < 0)
		result = run(room_commands, argc, argv);
	if (argc > 1 && result < 0)
		result = run(store_commands, argc, argv);
	if (argc > 1 && result < 0)
		result = run(kv_commands, argc, argv);
	if (argc > 1 && result < 0)
		result = run(events_commands, argc, argv);
	if (argc > 1 && result < 0)
		result = run(coherence_commands, argc, argv);
	if (argc > 1 && result < 0)
		result = run(storm_commands, argc, argv);
	if (result < 0)
		fprintf(stderr, "helper: unknown command\n");
	return result < 0 ? 2 : result;
}
