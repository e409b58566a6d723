/* SPDX-License-Identifier: Apache-2.0 */
/* posix_owner.c - chown(2): who may give what to whom; set-id bits that go. */
#include "posix.h"

#define KEEP ((unsigned int)-1)

static bool belongs(const char *name, uid_t uid, gid_t gid)
{
	struct stat st = fx_lstat(name);

	return st.st_uid == uid && st.st_gid == gid;
}

/* Root gives everything to everybody, and each half alone. */
static void root_gives(enum fx_type type)
{
	struct fx_watch watch;
	struct stat before;

	fx_about("root's chown of a %s", fx_type_name(type));
	fx_make(type, "a");
	before = fx_lstat("a");
	HOLDS(belongs("a", 0, 0));
	watch = fx_watch("a");
	WORKS(lchown("a", ALICE, BOB));
	HOLDS(belongs("a", ALICE, BOB));
	CTIME_MOVED(&watch);
	WORKS(lchown("a", CAROL, KEEP));
	HOLDS(belongs("a", CAROL, BOB));
	WORKS(lchown("a", KEEP, GROUP));
	HOLDS(belongs("a", CAROL, GROUP));
	WORKS(lchown("a", KEEP, KEEP));
	HOLDS(belongs("a", CAROL, GROUP));
	WORKS(fchownat(AT_FDCWD, "a", 0, 0, AT_SYMLINK_NOFOLLOW));
	HOLDS(belongs("a", 0, 0));
	WORKS(lchown("a", 4294967294u, 4294967294u));
	HOLDS(belongs("a", 4294967294u, 4294967294u));
	SAME(before.st_mode, fx_lstat("a").st_mode);
	SAME(before.st_ino, fx_lstat("a").st_ino);
	SAME(before.st_rdev, fx_lstat("a").st_rdev);
	HOLDS(fx_time_equal(before.st_mtim, fx_lstat("a").st_mtim));
	fx_remove("a");
}

/* The owner gives only to groups of their own, and only the group. */
static void owner_gives(enum fx_type type)
{
	struct fx_watch watch;

	fx_about("the owner's chown of a %s", fx_type_name(type));
	fx_make_for(type, "a", ALICE, ALICE, 0644);
	fx_as_member(ALICE, ALICE, GROUP);
	watch = fx_watch("a");
	WORKS(lchown("a", KEEP, GROUP));
	HOLDS(belongs("a", ALICE, GROUP));
	CTIME_MOVED(&watch);
	WORKS(lchown("a", ALICE, ALICE));
	HOLDS(belongs("a", ALICE, ALICE));
	watch = fx_watch("a");
	FAILS(EPERM, lchown("a", KEEP, BOB));
	FAILS(EPERM, lchown("a", BOB, KEEP));
	FAILS(EPERM, lchown("a", BOB, ALICE));
	FAILS(EPERM, lchown("a", 0, 0));
	HOLDS(belongs("a", ALICE, ALICE));
	UNMOVED(&watch);
	fx_as_root();
	fx_remove("a");
}

static void others_give(enum fx_type type)
{
	struct fx_watch watch;

	fx_about("another's chown of a %s", fx_type_name(type));
	fx_make_for(type, "a", ALICE, GROUP, 0666);
	fx_as_member(BOB, BOB, GROUP);
	watch = fx_watch("a");
	FAILS(EPERM, lchown("a", BOB, KEEP));
	FAILS(EPERM, lchown("a", KEEP, BOB));
	FAILS(EPERM, lchown("a", KEEP, GROUP));
	FAILS(EPERM, lchown("a", BOB, BOB));
	FAILS(EPERM, lchown("a", ALICE, GROUP));
	HOLDS(belongs("a", ALICE, GROUP));
	UNMOVED(&watch);
	fx_as_root();
	fx_remove("a");
}

/* chown follows links, lchown does not. */
static void links(enum fx_type type)
{
	fx_about("chown through a link to a %s", fx_type_name(type));
	fx_make(type, "a");
	WORKS(symlink("a", "link"));
	WORKS(chown("link", ALICE, BOB));
	HOLDS(belongs("a", ALICE, BOB));
	HOLDS(belongs("link", 0, 0));
	WORKS(lchown("link", BOB, CAROL));
	HOLDS(belongs("a", ALICE, BOB));
	HOLDS(belongs("link", BOB, CAROL));
	fx_as(BOB, BOB);
	WORKS(lchown("link", KEEP, BOB));
	FAILS(EPERM, chown("link", KEEP, BOB));
	fx_as_root();
	fx_remove("link");
	fx_remove("a");
}

static void by_descriptor(void)
{
	struct fx_watch watch;
	int fd;

	fx_about("fchown");
	fx_make_for(FX_REG, "a", ALICE, ALICE, 0666);
	fd = (int)WORKS(open("a", O_RDONLY));
	watch = fx_watch("a");
	WORKS(fchown(fd, BOB, GROUP));
	HOLDS(belongs("a", BOB, GROUP));
	SAME(BOB, fx_fstat(fd).st_uid);
	CTIME_MOVED(&watch);
	fx_as(ALICE, ALICE);
	FAILS(EPERM, fchown(fd, ALICE, KEEP));
	fx_as_root();
	WORKS(unlink("a"));
	WORKS(fchown(fd, CAROL, CAROL));
	SAME(CAROL, fx_fstat(fd).st_uid);
	SAME(CAROL, fx_fstat(fd).st_gid);
	WORKS(close(fd));
	FAILS(EBADF, fchown(fd, 0, 0));
	fx_about("fchownat with an empty path");
	fx_make(FX_REG, "a");
	fd = (int)WORKS(open("a", O_PATH));
	FAILS(EBADF, fchown(fd, ALICE, ALICE));
	WORKS(fchownat(fd, "", ALICE, ALICE, AT_EMPTY_PATH));
	HOLDS(belongs("a", ALICE, ALICE));
	close(fd);
	fx_remove("a");
}

/* What a file of a new owner may do, that owner decides. */
static void owner_decides(void)
{
	fx_about("access follows the owner");
	fx_make_for(FX_REG, "a", ALICE, ALICE, 0600);
	fx_as(BOB, BOB);
	FAILS(EACCES, open("a", O_RDONLY));
	fx_as_root();
	WORKS(chown("a", BOB, BOB));
	fx_as(BOB, BOB);
	WORKS(close(open("a", O_RDWR)));
	fx_as(ALICE, ALICE);
	FAILS(EACCES, open("a", O_RDONLY));
	fx_as_root();
	fx_about("access follows the group");
	WORKS(chown("a", CAROL, CAROL));
	WORKS(chmod("a", 0060));
	fx_as_member(ALICE, ALICE, GROUP);
	FAILS(EACCES, open("a", O_RDONLY));
	fx_as_root();
	WORKS(chown("a", CAROL, GROUP));
	fx_as_member(ALICE, ALICE, GROUP);
	WORKS(close(open("a", O_RDWR)));
	fx_as_root();
	fx_remove("a");
}

void posix_owner(void)
{
	for (enum fx_type type = 0; type < FX_TYPES; type++) {
		root_gives(type);
		owner_gives(type);
		others_give(type);
		if (type != FX_LNK)
			links(type);
	}
	by_descriptor();
	owner_decides();
}
