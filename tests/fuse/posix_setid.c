/* SPDX-License-Identifier: Apache-2.0 */
/*
 * posix_setid.c - set-user-id and set-group-id: when they go, when they stay, what is inherited.
 *
 * chown(2), inode(7): a change of owner or content takes S_ISUID, and S_ISGID where the group may
 * execute (without that it asks for mandatory locks), from what is no directory.
 */
#include "posix.h"

#include <sys/mman.h>
#include <sys/xattr.h>

#define KEEP ((unsigned int)-1)

static mode_t mode_of(const char *name)
{
	return fx_lstat(name).st_mode & 07777;
}

/* mode before and after a change of content or owner. */
static const struct {
	mode_t before, after;
} rules[] = {
	{04755, 0755},	{02755, 0755},	{06755, 0755}, {06777, 0777},  {04644, 0644},
	{02745, 02745}, {06745, 02745}, {02654, 0654}, {01755, 01755}, {07777, 01777},
};

/* The ways to change a file's content. */
static void by_write(void)
{
	int fd = (int)WORKS(open("a", O_WRONLY));

	SAME(1, write(fd, "x", 1));
	close(fd);
}

static void by_pwrite_far(void)
{
	int fd = (int)WORKS(open("a", O_WRONLY));

	SAME(1, pwrite(fd, "x", 1, 100000));
	close(fd);
}

static void by_truncate(void)
{
	WORKS(truncate("a", 3));
}

static void by_ftruncate(void)
{
	int fd = (int)WORKS(open("a", O_WRONLY));

	WORKS(ftruncate(fd, 30));
	close(fd);
}

static void by_open(void)
{
	WORKS(close(open("a", O_WRONLY | O_TRUNC)));
}

static void by_fallocate(void)
{
	int fd = (int)WORKS(open("a", O_WRONLY));

	WORKS(fallocate(fd, 0, 0, 10000));
	close(fd);
}

static void by_copy(void)
{
	int from = (int)WORKS(open("source", O_RDONLY)), fd = (int)WORKS(open("a", O_WRONLY));

	SAME(6, copy_file_range(from, NULL, fd, NULL, 6, 0));
	close(from);
	close(fd);
}

static const struct {
	const char *name;
	void (*change)(void);
} changes[] = {
	{"write", by_write},	      {"pwrite behind the end", by_pwrite_far},
	{"truncate", by_truncate},    {"ftruncate", by_ftruncate},
	{"open O_TRUNC", by_open},    {"fallocate", by_fallocate},
	{"copy_file_range", by_copy},
};

static void content(void)
{
	for (size_t i = 0; i < COUNT(changes); i++)
		for (size_t r = 0; r < COUNT(rules); r++) {
			fx_about("%s by a user, mode %04o", changes[i].name, rules[r].before);
			fx_fill("a", "content");
			WORKS(chown("a", ALICE, GROUP));
			WORKS(chmod("a", rules[r].before | 0200));
			fx_as_member(ALICE, ALICE, GROUP);
			changes[i].change();
			SAME(rules[r].after | 0200, mode_of("a"));
			fx_as_root();
			SAME(rules[r].after | 0200, mode_of("a"));
			unlink("a");
		}
}

/* Root has CAP_FSETID: what it writes keeps the bits. */
static void content_by_root(void)
{
	for (size_t i = 0; i < COUNT(changes); i++) {
		fx_about("%s by root", changes[i].name);
		fx_fill("a", "content");
		WORKS(chmod("a", 06755));
		changes[i].change();
		SAME(06755, mode_of("a"));
		unlink("a");
	}
}

static void owner(void)
{
	for (size_t r = 0; r < COUNT(rules); r++) {
		for (enum fx_type type = 0; type < FX_LNK; type++) {
			if (type == FX_DIR)
				continue;
			fx_about("root's chown of a %s, mode %04o", fx_type_name(type),
				 rules[r].before);
			fx_make_for(type, "a", ALICE, ALICE, rules[r].before);
			WORKS(chown("a", BOB, BOB));
			SAME(rules[r].after, mode_of("a"));
			fx_remove("a");
		}
		fx_about("a user's chown to a group, mode %04o", rules[r].before);
		fx_make_for(FX_REG, "a", ALICE, ALICE, rules[r].before);
		fx_as_member(ALICE, ALICE, GROUP);
		WORKS(chown("a", KEEP, GROUP));
		SAME(rules[r].after, mode_of("a"));
		fx_as_root();
		fx_remove("a");
		fx_about("chown of a directory, mode %04o", rules[r].before);
		fx_make_for(FX_DIR, "a", ALICE, ALICE, rules[r].before);
		WORKS(chown("a", BOB, BOB));
		SAME(rules[r].before, mode_of("a"));
		fx_remove("a");
	}
}

/* What changes no content changes no bit. */
static void others(void)
{
	char byte;
	int fd;

	fx_about("what keeps set-id bits");
	fx_fill("a", "content");
	WORKS(chown("a", ALICE, GROUP));
	WORKS(chmod("a", 06755));
	fx_as_member(ALICE, ALICE, GROUP);
	fd = (int)WORKS(open("a", O_RDWR));
	SAME(1, read(fd, &byte, 1));
	WORKS(utimensat(AT_FDCWD, "a", NULL, 0));
	WORKS(rename("a", "b"));
	WORKS(setxattr("b", "user.x", "y", 1, 0));
	SAME(06755, mode_of("b"));
	WORKS(fsync(fd));
	SAME(06755, mode_of("b"));
	close(fd);
	fx_as_root();
	fx_remove("b");
}

/* A set-group-id directory gives its group, and to directories the bit too. */
static void inherited(void)
{
	static const mode_t bits[] = {0755, 02755};

	for (size_t i = 0; i < COUNT(bits); i++) {
		gid_t gid = bits[i] & S_ISGID ? GROUP : ALICE;

		fx_about("made in a directory of mode %04o", bits[i]);
		fx_make_for(FX_DIR, "d", ALICE, GROUP, bits[i]);
		fx_as(ALICE, ALICE);
		for (enum fx_type type = 0; type < FX_TYPES; type++) {
			if (type == FX_CHR || type == FX_BLK)
				continue; /* root's */
			fx_about("a %s made in a directory of mode %04o", fx_type_name(type),
				 bits[i]);
			fx_make(type, "d/x");
			SAME(gid, fx_lstat("d/x").st_gid);
			SAME(ALICE, fx_lstat("d/x").st_uid);
			SAME(type == FX_DIR ? bits[i] & S_ISGID : 0,
			     fx_lstat("d/x").st_mode & S_ISGID);
			fx_remove("d/x");
		}
		fx_as_root();
		fx_remove("d");
	}
	fx_about("set-group-id asked for by one who is not in the directory's group");
	fx_make_for(FX_DIR, "d", ALICE, GROUP, 02777);
	fx_as(BOB, BOB);
	WORKS(close(open("d/x", O_CREAT | O_WRONLY, 02775)));
	SAME(0775, mode_of("d/x"));
	SAME(GROUP, fx_lstat("d/x").st_gid);
	fx_as_root();
	fx_remove("d/x");
	fx_remove("d");
}

void posix_setid(void)
{
	fx_fill("source", "source");
	content();
	content_by_root();
	owner();
	others();
	inherited();
}
