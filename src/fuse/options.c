/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c - the command line (glibc argp) and the comma-separated mount options.
 *
 * One table says what every mount option is. What mount(8) and fstab pass on for others - the
 * kernel, systemd, mount itself - is taken or handed to the kernel; anything else is an error that
 * names the word.
 */
#include "options.h"

#include "dashes.h"
#include "usage.h"

#include "feox/feox.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PUBLISH_DEFAULT_NS UINT64_C(5000000000)
#define RENAME_DEFAULT	   1000000u
#define RENAME_LIMIT	   ((uint64_t)FEOX_BATCH_MAX / 2)

enum option_kind {
	OPT_IGNORE, /* somebody else's */
	OPT_KERNEL, /* handed on */
	OPT_SHOWN,  /* what /proc/mounts shows, and mount(8) repeats to remount */
	OPT_FLAG,
	OPT_UNFLAG,
	OPT_SIZE,
	OPT_TIME,
	OPT_INTERVAL, /* a time that is not 0 */
	OPT_NUMBER,
	OPT_TEXT,
	OPT_OCTAL,
	OPT_SPECIAL
};

struct option_word {
	const char *name; /* a name that ends with '=' takes a value */
	enum option_kind kind;
	size_t offset; /* of the field in struct fx_options */
};

#define FIELD(field) offsetof(struct fx_options, field)

static const struct option_word words[] = {
	{"ro", OPT_FLAG, FIELD(read_only)},
	{"rw", OPT_UNFLAG, FIELD(read_only)},
	{"remount", OPT_FLAG, FIELD(remount)},
	{"allow_other", OPT_FLAG, FIELD(allow_other)},
	{"sync", OPT_FLAG, FIELD(sync)},
	{"async", OPT_UNFLAG, FIELD(sync)},
	{"memory=", OPT_SIZE, FIELD(memory)},
	{"size=", OPT_SIZE, FIELD(size)},
	{"grow_max=", OPT_SIZE, FIELD(grow_max)},
	{"max_size=", OPT_SIZE, FIELD(max_size)},
	{"max_value=", OPT_SIZE, FIELD(max_value)},
	{"flush_interval=", OPT_INTERVAL, FIELD(flush_interval_ns)},
	{"publish_interval=", OPT_INTERVAL, FIELD(publish_interval_ns)},
	{"cache=", OPT_TIME, FIELD(cache_ns)},
	{"rename_max=", OPT_NUMBER, FIELD(rename_max)},
	{"prefix=", OPT_TEXT, FIELD(prefix)},
	{"fsname=", OPT_TEXT, FIELD(fsname)},
	{"subtype=", OPT_TEXT, FIELD(subtype)},
	{"umask=", OPT_OCTAL, FIELD(umask)},
	{"fmask=", OPT_OCTAL, FIELD(fmask)},
	{"dmask=", OPT_OCTAL, FIELD(dmask)},
	{"uid=", OPT_SPECIAL, FIELD(uid)},
	{"gid=", OPT_SPECIAL, FIELD(gid)},
	{"separator=", OPT_SPECIAL, FIELD(separator)},
	{"evict=", OPT_SPECIAL, 0},
	{"uring=", OPT_SPECIAL, 0},
	{"suid", OPT_KERNEL, 0},
	{"nosuid", OPT_KERNEL, 0},
	{"dev", OPT_KERNEL, 0},
	{"nodev", OPT_KERNEL, 0},
	{"exec", OPT_KERNEL, 0},
	{"noexec", OPT_KERNEL, 0},
	{"atime", OPT_KERNEL, 0},
	{"noatime", OPT_KERNEL, 0},
	{"dirsync", OPT_KERNEL, 0},
	{"user_id=", OPT_SHOWN, 0},
	{"group_id=", OPT_SHOWN, 0},
	{"max_read=", OPT_SHOWN, 0},
	{"blksize=", OPT_SHOWN, 0},
	{"relatime", OPT_IGNORE, 0},
	{"norelatime", OPT_IGNORE, 0},
	{"strictatime", OPT_IGNORE, 0},
	{"nostrictatime", OPT_IGNORE, 0},
	{"lazytime", OPT_IGNORE, 0},
	{"nolazytime", OPT_IGNORE, 0},
	{"diratime", OPT_IGNORE, 0},
	{"nodiratime", OPT_IGNORE, 0},
	{"default_permissions", OPT_IGNORE, 0},
	{"defaults", OPT_IGNORE, 0},
	{"auto", OPT_IGNORE, 0},
	{"noauto", OPT_IGNORE, 0},
	{"user", OPT_IGNORE, 0},
	{"user=", OPT_IGNORE, 0},
	{"users", OPT_IGNORE, 0},
	{"nouser", OPT_IGNORE, 0},
	{"owner", OPT_IGNORE, 0},
	{"noowner", OPT_IGNORE, 0},
	{"group", OPT_IGNORE, 0},
	{"nogroup", OPT_IGNORE, 0},
	{"nofail", OPT_IGNORE, 0},
	{"_netdev", OPT_IGNORE, 0},
	{"silent", OPT_IGNORE, 0},
	{"loud", OPT_IGNORE, 0},
	{"comment=", OPT_IGNORE, 0},
	{"helper=", OPT_IGNORE, 0},
};

/* What parsing carries along. */
struct parse {
	struct fx_options *options;
	char *error;
	size_t error_size;
	bool helper; /* called by mount(8) */
	bool fake;
	bool fmask_given, dmask_given;
	const char *shown; /* the name of an option of that kind that was given */
};

static int fail(struct parse *p, const char *format, const char *word)
{
	snprintf(p->error, p->error_size, format, word);
	return -EINVAL;
}

/* ---- Values ------------------------------------------------------------------------------------
 */

static int parse_number(const char *text, int base, uint64_t *ret_number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*ret_number = strtoull(text, &end, base);
	return *end || errno ? -EINVAL : 0;
}

static int set_text(char **field, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static int append_kernel(struct fx_options *o, const char *word)
{
	char *text;

	if (asprintf(&text, "%s%s%s", o->kernel ? o->kernel : "", o->kernel ? "," : "", word) < 0)
		return -ENOMEM;
	free(o->kernel);
	o->kernel = text;
	return 0;
}

static int set_special(struct parse *p, const struct option_word *word, const char *value)
{
	struct fx_options *o = p->options;
	uint64_t number;

	if (!strcmp(word->name, "uid=") || !strcmp(word->name, "gid=")) {
		if (parse_number(value, 10, &number) || number >= UINT32_MAX)
			return -EINVAL;
		*(uid_t *)((char *)o + word->offset) = (uid_t)number;
		return 0;
	}
	if (!strcmp(word->name, "separator=")) {
		o->separator = value[0];
		return strlen(value) == 1 ? 0 : -EINVAL;
	}
	if (!strcmp(word->name, "evict=")) {
		o->evict = !strcmp(value, "clock");
		return o->evict || !strcmp(value, "none") ? 0 : -EINVAL;
	}
	return !strcmp(value, "auto") || !strcmp(value, "off") ? 0
	       : !strcmp(value, "on")			       ? -ENOTSUP
							       : -EINVAL;
}

static int set_octal(struct parse *p, const struct option_word *word, const char *value)
{
	uint64_t number;

	if (parse_number(value, 8, &number) || number > 07777)
		return -EINVAL;
	*(mode_t *)((char *)p->options + word->offset) = (mode_t)number;
	p->fmask_given |= word->offset == FIELD(fmask);
	p->dmask_given |= word->offset == FIELD(dmask);
	return 0;
}

/* 0 would mean the default, which nobody asks for that way. */
static int set_interval(const char *value, uint64_t *ret_ns)
{
	uint64_t ns;
	int err = fx_parse_time(value, strlen(value), &ns);

	if (err)
		return err;
	if (!ns)
		return -EDOM;
	*ret_ns = ns;
	return 0;
}

static int set_value(struct parse *p, const struct option_word *word, const char *text,
		     const char *value)
{
	void *field = (char *)p->options + word->offset;

	switch (word->kind) {
	case OPT_IGNORE:
		return 0;
	case OPT_KERNEL:
		return append_kernel(p->options, text);
	case OPT_SHOWN:
		p->shown = word->name;
		return 0;
	case OPT_FLAG:
	case OPT_UNFLAG:
		*(bool *)field = word->kind == OPT_FLAG;
		return 0;
	case OPT_SIZE:
		return fx_parse_size(value, strlen(value), field);
	case OPT_TIME:
		return fx_parse_time(value, strlen(value), field);
	case OPT_INTERVAL:
		return set_interval(value, field);
	case OPT_NUMBER:
		return parse_number(value, 10, field);
	case OPT_TEXT:
		return set_text(field, value);
	case OPT_OCTAL:
		return set_octal(p, word, value);
	case OPT_SPECIAL:
		return set_special(p, word, value);
	}
	return -EINVAL;
}

/* One word of -o. */
static int set_option(struct parse *p, const char *text)
{
	size_t length = strcspn(text, "=");
	bool has_value = text[length] == '=';
	int err;

	if (!*text || !strncmp(text, "x-", 2) || !strncmp(text, "X-", 2))
		return 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t n = length + has_value;

		if (strlen(words[i].name) != n || strncmp(words[i].name, text, n) != 0)
			continue;
		err = set_value(p, &words[i], text, text + n);
		if (err == -ENOTSUP)
			return fail(p, "option '%s' is not supported by this version", text);
		if (err == -EDOM)
			return fail(
				p,
				"option '%s': must be more than 0 (sync makes each change durable)",
				text);
		if (err == -ENOMEM)
			return fail(p, "out of memory at option '%s'", text);
		return err ? fail(p, "bad value in option '%s'", text) : 0;
	}
	return fail(p, "unknown option '%s'", text);
}

/*
 * The word at *at, cut off; *at is then behind its comma, NULL at the end. As in libfuse's lists, a
 * backslash makes the byte after it an ordinary one.
 */
static char *next_word(char **at)
{
	char *word = *at, *from = word, *to = word;

	if (!word)
		return NULL;
	while (*from && *from != ',') {
		if (*from == '\\' && from[1])
			from++;
		*to++ = *from++;
	}
	*at = *from ? from + 1 : NULL;
	*to = '\0';
	return word;
}

static int set_options(struct parse *p, const char *list)
{
	char *copy = strdup(list), *at = copy, *word;
	int err = copy ? 0 : -ENOMEM;

	while (!err && (word = next_word(&at)))
		err = set_option(p, word);
	free(copy);
	return err;
}

/* ---- The command line --------------------------------------------------------------------------
 */

static const struct argp_option arguments[] = {
	{NULL, 'o', "OPTIONS", 0, "mount options, separated by commas", 0},
	{"foreground", 'f', NULL, 0, "stay in the foreground, log to standard error", 0},
	{NULL, 'n', NULL, OPTION_HIDDEN, NULL, 0},
	{NULL, 's', NULL, OPTION_HIDDEN, NULL, 0},
	{NULL, 'v', NULL, OPTION_HIDDEN, NULL, 0},
	{NULL, 't', "TYPE", OPTION_HIDDEN, NULL, 0},
	{NULL, 'N', "NAMESPACE", OPTION_HIDDEN, NULL, 0},
	{0}};

static error_t parse_argument(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;

	switch (key) {
	case 'o':
		return set_options(p, arg);
	case 'f':
		if (p->helper)
			p->fake = true;
		else
			p->options->foreground = true;
		return 0;
	case 'n':
	case 's':
	case 'v':
	case 't':
	case 'N':
		return 0; /* what mount(8) passes to every helper */
	case ARGP_KEY_ARG:
		if (state->arg_num == 0)
			p->options->store = arg;
		else if (state->arg_num == 1)
			p->options->mountpoint = arg;
		else
			return fail(p, "one argument too many: '%s'", arg);
		return 0;
	case ARGP_KEY_END:
		if (state->arg_num < 2)
			return fail(p, "%s",
				    state->arg_num ? "the mount point is missing"
						   : "the store is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void set_defaults(struct fx_options *o)
{
	*o = (struct fx_options){
		.publish_interval_ns = PUBLISH_DEFAULT_NS,
		.rename_max = RENAME_DEFAULT,
		.cache_ns = UINT64_MAX,
		.uid = getuid(),
		.gid = getgid(),
		.umask = 022,
	};
}

/* What follows from several options together. */
static int complete(struct parse *p)
{
	struct fx_options *o = p->options;
	size_t n;

	if (p->shown && !o->remount)
		return fail(p, "unknown option '%s'", p->shown);
	if (!p->fmask_given)
		o->fmask = o->umask;
	if (!p->dmask_given)
		o->dmask = o->umask;
	if ((!o->prefix && set_text(&o->prefix, "")) ||
	    (!o->fsname && set_text(&o->fsname, o->store)) ||
	    (!o->subtype && set_text(&o->subtype, "feoxfs")))
		return fail(p, "%s", "out of memory");
	n = strlen(o->prefix);
	/* Without separator= the store knows it. */
	if (n && o->separator && o->prefix[n - 1] != o->separator)
		return fail(p, "prefix '%s' does not end with the separator", o->prefix);
	if (o->evict && strcmp(o->store, ":memory:") != 0)
		return fail(p, "evict=clock is for :memory:, not for the store '%s'", o->store);
	if (o->max_value > FEOX_VALUE_MAX)
		return fail(p, "%s", "max_value is at most 1G");
	if (!o->rename_max)
		o->rename_max = RENAME_LIMIT;
	if (o->rename_max > RENAME_LIMIT)
		return fail(p, "%s", "rename_max is at most 2097152");
	return 0;
}

int fx_options_parse(int argc, char **argv, struct fx_options *ret_options, char *error,
		     size_t error_size)
{
	static char version[64];
	const struct argp argp = {
		arguments, parse_argument, "STORE MOUNTPOINT", FX_USAGE, NULL, NULL, NULL};
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	struct parse p = {.options = ret_options,
			  .error = error,
			  .error_size = error_size,
			  .helper = !strncmp(name, "mount.", 6)};
	int err;

	set_defaults(ret_options);
	snprintf(version, sizeof(version), "feoxfs %s", feox_version());
	argp_program_version = version;
	argp_err_exit_status = 1; /* mount(8): incorrect invocation */
	error[0] = '\0';
	err = fx_check_dashes(arguments, argc, argv, error, error_size);
	if (!err)
		err = argp_parse(&argp, argc, argv, 0, NULL, &p);
	if (!err)
		err = complete(&p);
	if (err && !error[0])
		snprintf(error, error_size, "%s", strerror(err < 0 ? -err : err));
	if (err)
		return -EINVAL;
	return p.fake ? 1 : 0;
}

void fx_options_free(struct fx_options *options)
{
	free(options->prefix);
	free(options->fsname);
	free(options->subtype);
	free(options->kernel);
}
