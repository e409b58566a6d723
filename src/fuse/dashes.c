/* SPDX-License-Identifier: Apache-2.0 */
#include "dashes.h"

#include "cleanup.h"

#include <argp.h>
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define ARGUMENTS_MAX 16u

static const struct option argp_own[] = {
	{"help", no_argument, NULL, 0},
	{"usage", no_argument, NULL, 0},
	{"version", no_argument, NULL, 0},
	{0},
};

/* What getopt(3) knows. */
struct table {
	char letters[2 * ARGUMENTS_MAX + 4];
	struct option words[ARGUMENTS_MAX + sizeof(argp_own) / sizeof(*argp_own)];
};

static void table_fill(struct table *table, const struct argp_option *arguments)
{
	struct option *word = table->words;
	char *letter = stpcpy(table->letters, ":?V"); /* the colon tells a missing value apart */

	for (const struct argp_option *a = arguments; a->key; a++) {
		assert(a < arguments + ARGUMENTS_MAX);
		*letter++ = (char)a->key;
		if (a->arg)
			*letter++ = ':';
		if (a->name)
			*word++ = (struct option){a->name, a->arg ? required_argument : no_argument,
						  NULL, 0};
	}
	*letter = '\0';
	memcpy(word, argp_own, sizeof(argp_own));
}

int fx_check_dashes(const struct argp_option *arguments, int argc, char **argv, char *error,
		    size_t error_size)
{
	FX_AUTO_FREE char **sorted = calloc((size_t)argc + 1, sizeof(*sorted));
	struct table table;
	char letter[3] = "-";
	int c;

	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, argv, (size_t)argc * sizeof(*sorted)); /* getopt(3) sorts it */
	table_fill(&table, arguments);
	optind = 0; /* anew */
	opterr = 0;
	for (;;) {
		optopt = 0; /* the letter at fault; none for a word */
		c = getopt_long(argc, sorted, table.letters, table.words, NULL);
		letter[1] = (char)optopt;
		if (c == -1)
			return 0;
		if (c == ':')
			snprintf(error, error_size, "option '%s' needs a value", letter);
		else if (c == '?' && optopt)
			snprintf(error, error_size, "unknown option '%s'", letter);
		else if (c == '?' && !strncmp(sorted[optind - 1], "--", 2))
			snprintf(error, error_size, "unknown option '%s'", sorted[optind - 1]);
		else
			continue;
		return -EINVAL;
	}
}
