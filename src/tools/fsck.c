/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck.c - fsck.feoxfs(8): check a store, and mend it. A thin program over feox_check(); options
 * and exit codes are those of fsck(8) and e2fsck(8).
 */
#include "bar.h"
#include "text.h"

#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* fsck(8), section "EXIT STATUS". 2 (reboot) never happens: what is mounted is not touched. */
enum exit_code {
	EXIT_CLEAN = 0,
	EXIT_MENDED = 1,
	EXIT_LEFT = 4,
	EXIT_OPERATION = 8,
	EXIT_USAGE = 16,
	EXIT_CANCELLED = 32
};

enum mode { MODE_ASK, MODE_NO, MODE_YES, MODE_PREEN };

struct fsck {
	const char *path;
	enum mode mode;
	bool force, verbose;
	char separator;
	int progress_fd; /* machine-readable; -1: none */
	bool silent;	 /* a look that tells nothing */
	bool told;	 /* why it ends */
	bool passed;	 /* it was closed in order, and so not read */
	struct fx_bar bar;
	struct feox_check_result result;
};

static volatile sig_atomic_t cancelled;

static void cancel(int signal_number)
{
	cancelled = 1;
}

/* ---- Options -----------------------------------------------------------------------------------
 */

enum { OPTION_SEPARATOR = 256 };

static const struct argp_option option_table[] = {
	{NULL, 'n', NULL, 0, "Only look: change nothing", 0},
	{NULL, 'y', NULL, 0, "Mend everything, also where something is lost", 0},
	{NULL, 'p', NULL, 0, "Mend what can be mended without loss, and ask nothing", 0},
	{NULL, 'a', NULL, 0, "The same as -p", 0},
	{NULL, 'f', NULL, 0, "Read everything, also of a store that was closed in order", 0},
	{NULL, 'v', NULL, 0, "Say more", 0},
	{NULL, 'C', "FD", OPTION_ARG_OPTIONAL,
	 "Write the progress to file descriptor FD: STAGE DONE TOTAL PATH. 0 or none: a bar", 0},
	{"separator", OPTION_SEPARATOR, "CHAR", 0,
	 "What the store's separator was, when both superblocks are lost: /", 0},
	{0},
};

static void set_mode(struct argp_state *state, enum mode mode)
{
	struct fsck *fsck = state->input;

	if (fsck->mode != MODE_ASK && fsck->mode != mode)
		argp_error(state, "only one of -n, -y, -p (or -a)");
	fsck->mode = mode;
}

static void set_progress(struct argp_state *state, const char *text)
{
	struct fsck *fsck = state->input;
	char *end;
	long fd = text ? strtol(text, &end, 10) : 0;

	if (text && (*end || end == text || fd < 0 || fd > INT_MAX))
		argp_error(state, "'%s' is not a file descriptor", text);
	else if (fd)
		fsck->progress_fd = (int)fd;
	else
		fx_bar_begin(&fsck->bar, isatty(STDOUT_FILENO) ? STDOUT_FILENO : -1, 0);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct fsck *fsck = state->input;

	switch (key) {
	case 'n':
		set_mode(state, MODE_NO);
		return 0;
	case 'y':
		set_mode(state, MODE_YES);
		return 0;
	case 'a':
	case 'p':
		set_mode(state, MODE_PREEN);
		return 0;
	case 'f':
		fsck->force = true;
		return 0;
	case 'v':
		fsck->verbose = true;
		return 0;
	case 'C':
		set_progress(state, arg);
		return 0;
	case OPTION_SEPARATOR:
		fsck->separator = fx_parse_separator(arg);
		if (!fsck->separator)
			argp_error(state, "the separator must be one byte, not '%s'", arg);
		return 0;
	case ARGP_KEY_ARG:
		if (fsck->path)
			argp_error(state, "one argument too many: '%s'", arg);
		fsck->path = arg;
		return 0;
	case ARGP_KEY_END:
		if (!fsck->path)
			argp_error(state, "the file or device is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- Telling -----------------------------------------------------------------------------------
 */

static void report(void *ctx, const struct feox_finding *finding)
{
	static const char *const severities[] = {"note", "fault", "loss"};
	struct fsck *fsck = ctx;

	if (fsck->silent ||
	    (fsck->mode == MODE_PREEN && !fsck->verbose && finding->severity == FEOX_NOTE))
		return;
	fx_bar_hide(&fsck->bar);
	printf("%s: %s: %s", fsck->path, severities[finding->severity], finding->text);
	if (finding->block != FEOX_NOWHERE)
		printf(" (block %llu)", (unsigned long long)finding->block);
	if (finding->key) {
		printf(": key ");
		fx_print_key(stdout, finding->key, finding->key_size);
	}
	printf("\n");
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int progress(void *ctx, enum feox_check_stage stage, uint64_t done, uint64_t total)
{
	static const char *const stages[] = {"", "reading keys", "checking values",
					     "searching for extents"};
	struct fsck *fsck = ctx;

	fx_bar_show(&fsck->bar, stages[stage], done, total, now_ns());
	if (fsck->progress_fd >= 0)
		dprintf(fsck->progress_fd, "%d %llu %llu %s\n", (int)stage,
			(unsigned long long)done, (unsigned long long)total, fsck->path);
	return cancelled;
}

static void print_summary(const struct fsck *fsck)
{
	const struct feox_check_result *r = &fsck->result;
	uint64_t left = r->faults + r->losses - r->mended;

	if (r->faults + r->losses)
		printf("%s: %llu faults, %llu losses; %llu mended, %llu left; %llu keys lost\n",
		       fsck->path, (unsigned long long)r->faults, (unsigned long long)r->losses,
		       (unsigned long long)r->mended, (unsigned long long)left,
		       (unsigned long long)r->lost_keys);
	printf("%s: %s, %llu keys in %llu extents, %llu bytes\n", fsck->path,
	       left	      ? "DAMAGED"
	       : fsck->passed ? "clean (closed in order; -f reads all of it)"
			      : "good",
	       (unsigned long long)r->keys, (unsigned long long)r->extents,
	       (unsigned long long)r->identity.size_bytes);
	if (fsck->verbose) {
		char uuid[FX_UUID_TEXT];

		fx_uuid_print(r->identity.uuid, uuid);
		printf("%s: UUID %s, separator %c, %llu journal records, %llu bytes checked\n",
		       fsck->path, uuid, r->identity.separator,
		       (unsigned long long)r->journal_records,
		       (unsigned long long)r->checked_bytes);
	}
	if (r->salvaged)
		printf("%s: the journal was lost. What is there now are the newest versions that "
		       "could be found;\n%s: deletes, renames and changes of expiry, mode, owner, "
		       "times may have been undone\n",
		       fsck->path, fsck->path);
}

/* ---- Checking ----------------------------------------------------------------------------------
 */

static int check(struct fsck *fsck, unsigned int flags)
{
	const struct feox_check_options options = {
		.path = fsck->path,
		.flags = flags,
		.separator = fsck->separator,
		.report = report,
		.report_ctx = fsck,
		.progress = progress,
		.progress_ctx = fsck,
	};
	struct feox_diag diag = {""};
	int err = feox_check(&options, &fsck->result, &diag);

	fx_bar_hide(&fsck->bar);
	fflush(stdout);
	if (!err || (fsck->silent && err != -ECANCELED && err != -EBUSY))
		return err ? EXIT_OPERATION : 0;
	fsck->told = true;
	fprintf(stderr, "fsck.feoxfs: %s: %s\n", fsck->path,
		diag.text[0] ? diag.text : strerror(-err));
	return err == -ECANCELED ? EXIT_CANCELLED : EXIT_OPERATION;
}

static uint64_t left(const struct fsck *fsck)
{
	return fsck->result.faults + fsck->result.losses - fsck->result.mended;
}

/* An answer that begins with y. */
static bool ask(const struct fsck *fsck, const char *question)
{
	char line[64];

	printf("%s: %s [y/N] ", fsck->path, question);
	fflush(stdout);
	return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

/* What was found is known: what is to be done about it? 0: nothing. */
static unsigned int ask_what(const struct fsck *fsck)
{
	if (!left(fsck) || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return 0;
	if (!fsck->result.losses)
		return ask(fsck, "mend it?") ? FEOX_CHECK_REPAIR : 0;
	return ask(fsck, "mend it? What is lost stays lost.") ? FEOX_CHECK_SALVAGE : 0;
}

static int run(struct fsck *fsck)
{
	static const unsigned int flags[] = {
		[MODE_ASK] = 0,
		[MODE_NO] = 0,
		[MODE_YES] = FEOX_CHECK_SALVAGE,
		[MODE_PREEN] = FEOX_CHECK_REPAIR | FEOX_CHECK_QUICK,
	};
	unsigned int chosen = flags[fsck->mode], asked;
	int code = 0;

	if (fsck->force) {
		chosen &= ~(unsigned int)FEOX_CHECK_QUICK;
	} else { /* what was closed in order, and has all its parts, is passed */
		fsck->silent = true;
		code = check(fsck, FEOX_CHECK_QUICK);
		fsck->silent = false;
		fsck->passed = !code && fsck->result.clean && !left(fsck);
		if (fsck->passed)
			return 0;
		if (code && fsck->told)
			return code;
	}
	code = check(fsck, chosen);
	asked = code || fsck->mode != MODE_ASK ? 0 : ask_what(fsck);
	return asked ? check(fsck, asked) : code;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = cancel, .sa_flags = SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_table,
		.parser = parse,
		.args_doc = "FILE|DEVICE",
		.doc = "Check a feox store, and mend it.\vSee fsck.feoxfs(8).",
	};
	static char version[64];
	struct fsck fsck = {.progress_fd = -1, .bar = {.fd = -1}};
	int code;

	snprintf(version, sizeof(version), "fsck.feoxfs %s", feox_version());
	argp_program_version = version;
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &fsck);
	if (fsck.bar.fd >= 0)
		fsck.bar.begun_ns = now_ns();
	catch_signals();
	code = run(&fsck);
	if (code)
		return code;
	print_summary(&fsck);
	if (fsck.mode == MODE_PREEN && left(&fsck))
		printf("%s: run fsck.feoxfs by hand, without -a and -p\n", fsck.path);
	return (fsck.result.mended ? EXIT_MENDED : 0) | (left(&fsck) ? EXIT_LEFT : 0);
}
