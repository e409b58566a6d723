/* SPDX-License-Identifier: Apache-2.0 */
/* mkfs.c - mkfs.feoxfs(8): make a store. A thin program over feox_format(). */
#include "text.h"

#include <argp.h>
#include <bsd/libutil.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* mkfs(8), section "EXIT STATUS" */
#define EXIT_FAILED 1

struct arguments {
	struct feox_format_options format;
	uint8_t uuid[FEOX_UUID_SIZE];
	bool quiet;
};

static const struct argp_option options[] = {
	{"force", 'f', NULL, 0, "Overwrite whatever is there", 0},
	{"size", 's', "SIZE", 0, "Bytes of a file, or with K, M, G, T: 16M. A device is used whole",
	 0},
	{"separator", 'S', "CHAR", 0, "What separates the names in a path: /", 0},
	{"uuid", 'U', "UUID", 0, "Instead of a random one", 0},
	{"quiet", 'q', NULL, 0, "Print nothing but errors", 0},
	{0},
};

static void parse_size(struct argp_state *state, const char *text, uint64_t *ret_size)
{
	uint64_t size;

	/* expand_number(3) takes signs and empty texts too. */
	if (text[0] < '0' || text[0] > '9' || expand_number(text, &size) || !size ||
	    size > INT64_MAX)
		argp_error(state, "'%s' is not a size", text);
	else
		*ret_size = size;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'f':
		a->format.flags |= FEOX_FORMAT_FORCE;
		return 0;
	case 's':
		parse_size(state, arg, &a->format.size_bytes);
		return 0;
	case 'S':
		a->format.separator = fx_parse_separator(arg);
		if (!a->format.separator)
			argp_error(state, "the separator must be one byte, not '%s'", arg);
		return 0;
	case 'U':
		if (fx_uuid_parse(arg, a->uuid))
			argp_error(state, "'%s' is not a UUID", arg);
		a->format.uuid = a->uuid;
		return 0;
	case 'q':
		a->quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		if (a->format.path)
			argp_error(state, "one argument too many: '%s'", arg);
		a->format.path = arg;
		return 0;
	case ARGP_KEY_END:
		if (!a->format.path)
			argp_error(state, "the file or device is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_made(const char *path, const struct feox_identity *identity)
{
	char uuid[FX_UUID_TEXT];

	fx_uuid_print(identity->uuid, uuid);
	printf("%s: a feox store of %llu bytes, UUID %s, separator %c\n", path,
	       (unsigned long long)identity->size_bytes, uuid, identity->separator);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "FILE|DEVICE",
		.doc = "Make a feox store, to be mounted by feoxfs.\vSee mkfs.feoxfs(8).",
	};
	static char version[64];
	struct arguments a = {0};
	struct feox_identity identity;
	struct feox_diag diag = {""};
	int err;

	snprintf(version, sizeof(version), "mkfs.feoxfs %s", feox_version());
	argp_program_version = version;
	argp_err_exit_status = EXIT_FAILED;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	err = feox_format(&a.format, &identity, &diag);
	if (err) {
		fprintf(stderr, "mkfs.feoxfs: %s: %s%s\n", a.format.path,
			diag.text[0] ? diag.text : strerror(-err),
			err == -EEXIST ? "; -f overwrites it" : "");
		return EXIT_FAILED;
	}
	if (!a.quiet)
		print_made(a.format.path, &identity);
	return EXIT_SUCCESS;
}
