/* SPDX-License-Identifier: Apache-2.0 */
/*
 * posix.h - the table of POSIX rules that the mount is held to: one row (assertion) for each rule,
 * kind of file and user it is about.
 *
 * The same rows run on a file system of the kernel (posix_table --local), which shows that what is
 * expected is right; where the two may differ, docs/filesystem.md says so and the row asks local.
 *
 * Rows change who they are (fx_as) in one process, by the effective ids: the kernel checks those,
 * and access(2) the real ones, which change with them; the saved id stays root's for the way back.
 */
#ifndef FX_POSIX_H
#define FX_POSIX_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Users and groups that nobody has; each group has its user's number. */
#define ALICE 65531u
#define BOB   65532u
#define CAROL 65533u
#define GROUP 65530u /* a further group */

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* The call succeeds; its result is the expression's value. */
#define WORKS(call) fx_works(__FILE__, __LINE__, #call, (long)(call))
/* The call fails with that errno. */
#define FAILS(expected, call) fx_fails(__FILE__, __LINE__, #call, (long)(call), expected)
/* Two numbers are equal. */
#define SAME(expected, value)                                                                      \
	fx_same(__FILE__, __LINE__, #value, (long long)(expected), (long long)(value))
#define HOLDS(condition) fx_same(__FILE__, __LINE__, #condition, 1, !!(condition))

long fx_works(const char *file, int line, const char *call, long result);
void fx_fails(const char *file, int line, const char *call, long result, int expected);
void fx_same(const char *file, int line, const char *what, long long expected, long long value);

/* What the next rows are about; failures show it. */
void fx_about(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Be that user with that group and no other; with extra, in that group as well. */
void fx_as(uid_t uid, gid_t gid);
void fx_as_member(uid_t uid, gid_t gid, gid_t extra);
void fx_as_root(void);

enum fx_type { FX_REG, FX_DIR, FX_FIFO, FX_SOCK, FX_CHR, FX_BLK, FX_LNK, FX_TYPES };
const char *fx_type_name(enum fx_type type);
mode_t fx_type_bits(enum fx_type type);

/* Make one, mode 0644 (a directory 0755), for the caller; a symlink points to "target". */
void fx_make(enum fx_type type, const char *name);
void fx_make_for(enum fx_type type, const char *name, uid_t uid, gid_t gid, mode_t mode);
void fx_remove(const char *name); /* of any type, if it is there */
void fx_fill(const char *name, const char *content);
void fx_content_is(const char *file, int line, const char *name, const char *content);
#define HAS(name, content) fx_content_is(__FILE__, __LINE__, name, content)

struct stat fx_lstat(const char *name); /* zeros when it is not there */
struct stat fx_fstat(int fd);
bool fx_exists(const char *name); /* without following it */
bool fx_time_equal(struct timespec a, struct timespec b);
bool fx_time_later(struct timespec a, struct timespec than);
void fx_tick(void); /* wait until the clock of file times has moved on */

/* What changes of a directory, or of a file, a call makes: see fx_watch_*(). */
struct fx_watch {
	const char *name;
	struct stat before;
};
struct fx_watch fx_watch(const char *name); /* begins behind a tick */
/* mtime and ctime have moved on (or only ctime; or neither), atime has not. */
#define MOVED(watch)	   fx_moved(__FILE__, __LINE__, watch, true, true)
#define CTIME_MOVED(watch) fx_moved(__FILE__, __LINE__, watch, false, true)
#define UNMOVED(watch)	   fx_moved(__FILE__, __LINE__, watch, false, false)
void fx_moved(const char *file, int line, const struct fx_watch *watch, bool mtime, bool ctime);

extern bool local; /* a file system of the kernel: it has hard links and O_TMPFILE */

/* The groups of rows, each in an empty directory of its own that anybody may write to. */
void posix_path(void);
void posix_mode(void);
void posix_access(void);
void posix_owner(void);
void posix_setid(void);
void posix_make(void);
void posix_open(void);
void posix_remove(void);
void posix_sticky(void);
void posix_rename(void);
void posix_rename_flags(void);
void posix_link(void);
void posix_size(void);
void posix_data(void);
void posix_time(void);
void posix_lock(void);
void posix_list(void);
void posix_map(void);
void posix_xattr(void);
void posix_read_only(void); /* what posix_read_only_prepare() has left, mounted read-only */
void posix_read_only_prepare(void);

#endif
