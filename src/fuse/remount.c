/* SPDX-License-Identifier: Apache-2.0 */
/* remount.c - see remount.h. */
#include "remount.h"

#include "cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FX_CONFIG     ".feox/config.json"
#define FX_CONFIG_MAX 65536

static int say(struct fx_text *why, int rc, const char *format, const char *detail)
{
	snprintf(why->text, sizeof(why->text), format, detail);
	return rc;
}

/* Whether the mount point is one of ours, in the newest of the mounts that hide one another. */
static bool is_ours(const char *mountpoint)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	struct mntent entry;
	char line[2 * PATH_MAX];
	bool ours = false;

	while (mounts && getmntent_r(mounts, &entry, line, sizeof(line)))
		if (!strcmp(entry.mnt_dir, mountpoint))
			ours = !strncmp(entry.mnt_type, "fuse", 4);
	if (mounts)
		endmntent(mounts);
	return ours;
}

/* `"name": true` in the text of config.json. */
static bool is_true(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	if (!at)
		return false;
	at += strlen(name);
	while (*at && !isalpha((unsigned char)*at))
		at++;
	return !strncmp(at, "true", 4);
}

/* A store that was opened to be read cannot be written to: the daemon says how it was. */
static int check_writable(const char *mountpoint, struct fx_text *why)
{
	FX_AUTO_FREE char *path = NULL;
	FX_AUTO_FREE char *text = calloc(1, FX_CONFIG_MAX + 1);
	ssize_t n;
	int fd;

	if (!text || asprintf(&path, "%s/" FX_CONFIG, mountpoint) < 0)
		return say(why, -ENOMEM, "%s", "out of memory");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, FX_CONFIG_MAX);
	if (n < 0)
		say(why, -errno, "cannot remount: " FX_CONFIG ": %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return -EIO;
	if (is_true(text, "\"read_only\""))
		return say(why, -EROFS, "%s",
			   "cannot remount: the store is open read-only; unmount it, and mount it "
			   "with rw");
	return 0;
}

/* Everything is durable before nothing is written any more. */
static int sync_all(const char *mountpoint, struct fx_text *why)
{
	int fd = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 || fsync(fd) ? errno : 0;

	if (fd >= 0)
		close(fd);
	return err ? say(why, -err, "cannot remount: fsync: %s", strerror(err)) : 0;
}

/* mount(2) takes all flags anew: those that are in force, as changed by the words. */
static int new_flags(const struct fx_options *o, unsigned long *ret_flags, struct fx_text *why)
{
	static const struct {
		const char *set, *clear;
		unsigned long have, flag;
	} words[] = {{"nosuid", "suid", ST_NOSUID, MS_NOSUID},
		     {"nodev", "dev", ST_NODEV, MS_NODEV},
		     {"noexec", "exec", ST_NOEXEC, MS_NOEXEC},
		     {"noatime", "atime", ST_NOATIME, MS_NOATIME},
		     {"dirsync", NULL, 0, MS_DIRSYNC}};
	FX_AUTO_FREE char *list = NULL;
	unsigned long flags = MS_REMOUNT | (o->read_only ? MS_RDONLY : 0);
	struct statvfs st;
	char *rest = NULL;

	if (statvfs(o->mountpoint, &st))
		return say(why, -errno, "cannot remount: statfs: %s", strerror(errno));
	list = strdup(o->kernel ? o->kernel : "");
	if (!list)
		return say(why, -ENOMEM, "%s", "out of memory");
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (st.f_flag & words[i].have)
			flags |= words[i].flag;
	for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
			if (!strcmp(word, words[i].set))
				flags |= words[i].flag;
			if (words[i].clear && !strcmp(word, words[i].clear))
				flags &= ~words[i].flag;
		}
	*ret_flags = flags;
	return 0;
}

int fx_remount(const struct fx_options *options, struct fx_text *ret_why)
{
	const char *mountpoint = options->mountpoint;
	unsigned long flags = 0;
	int rc;

	if (!is_ours(mountpoint))
		return say(ret_why, -EINVAL, "%s", "cannot remount: no feoxfs is mounted here");
	rc = options->read_only ? sync_all(mountpoint, ret_why)
				: check_writable(mountpoint, ret_why);
	if (rc == 0)
		rc = new_flags(options, &flags, ret_why);
	if (rc == 0 && mount("none", mountpoint, NULL, flags, NULL))
		rc = say(ret_why, -errno, "cannot remount: %s",
			 errno == EBUSY ? "a file is open for writing" : strerror(errno));
	return rc;
}
