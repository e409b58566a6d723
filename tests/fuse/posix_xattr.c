/* SPDX-License-Identifier: Apache-2.0 */
/* posix_xattr.c - xattr(7): the user's own attributes. */
#include "posix.h"

#include <stdlib.h>
#include <sys/xattr.h>

static char big[70000];

/* user.* is for files and directories; the kernel refuses it elsewhere. */
static void kinds(enum fx_type type)
{
	char buffer[16];

	fx_about("an xattr of a %s", fx_type_name(type));
	fx_make(type, "a");
	if (type > FX_DIR) {
		FAILS(EPERM, lsetxattr("a", "user.x", "1", 1, 0));
		FAILS(ENODATA, lgetxattr("a", "user.x", buffer, 16));
		fx_remove("a");
		return;
	}
	SAME(0, listxattr("a", NULL, 0));
	FAILS(ENODATA, getxattr("a", "user.x", buffer, 16));
	FAILS(ENODATA, removexattr("a", "user.x"));
	FAILS(ENODATA, setxattr("a", "user.x", "1", 1, XATTR_REPLACE));
	WORKS(setxattr("a", "user.x", "value", 5, XATTR_CREATE));
	FAILS(EEXIST, setxattr("a", "user.x", "other", 5, XATTR_CREATE));
	SAME(5, getxattr("a", "user.x", NULL, 0));
	SAME(5, getxattr("a", "user.x", buffer, 16));
	SAME(0, memcmp(buffer, "value", 5));
	FAILS(ERANGE, getxattr("a", "user.x", buffer, 4));
	WORKS(setxattr("a", "user.x", "longer value", 12, XATTR_REPLACE));
	SAME(12, getxattr("a", "user.x", buffer, 16));
	WORKS(setxattr("a", "user.empty", "", 0, 0));
	SAME(0, getxattr("a", "user.empty", buffer, 16));
	SAME(18, listxattr("a", NULL, 0));
	FAILS(ERANGE, listxattr("a", buffer, 5));
	WORKS(removexattr("a", "user.x"));
	FAILS(ENODATA, removexattr("a", "user.x"));
	SAME(11, listxattr("a", buffer, 16));
	SAME(0, memcmp(buffer, "user.empty", 11));
	fx_remove("a");
}

/* Reading them needs read permission, changing them write permission. */
static void permissions(void)
{
	char buffer[16];

	fx_about("xattrs of another's file");
	fx_make_for(FX_REG, "a", ALICE, GROUP, 0640);
	fx_as(ALICE, ALICE);
	WORKS(setxattr("a", "user.x", "1", 1, 0));
	fx_as_member(BOB, BOB, GROUP);
	SAME(1, getxattr("a", "user.x", buffer, 16));
	FAILS(EACCES, setxattr("a", "user.x", "2", 1, 0));
	FAILS(EACCES, removexattr("a", "user.x"));
	fx_as(CAROL, CAROL);
	FAILS(EACCES, getxattr("a", "user.x", buffer, 16));
	FAILS(EACCES, setxattr("a", "user.x", "2", 1, 0));
	fx_as_root();
	SAME(1, getxattr("a", "user.x", buffer, 16));
	SAME('1', buffer[0]);
	fx_remove("a");
	fx_about("xattrs of a sticky directory");
	fx_make_for(FX_DIR, "d", ALICE, ALICE, 01777);
	fx_as(BOB, BOB);
	FAILS(EPERM, setxattr("d", "user.x", "1", 1, 0));
	fx_as(ALICE, ALICE);
	WORKS(setxattr("d", "user.x", "1", 1, 0));
	fx_as_root();
	fx_remove("d");
}

/* They are the file's: a rename and a rewrite carry them, a new file has none. */
static void follow(void)
{
	char buffer[16];
	int fd;

	fx_about("what xattrs go along with");
	fx_fill("a", "content");
	WORKS(setxattr("a", "user.x", "1", 1, 0));
	fx_fill("a", "rewritten");
	SAME(1, getxattr("a", "user.x", buffer, 16));
	WORKS(rename("a", "b"));
	SAME(1, getxattr("b", "user.x", buffer, 16));
	WORKS(chmod("b", 0600));
	WORKS(chown("b", ALICE, ALICE));
	SAME(1, getxattr("b", "user.x", buffer, 16));
	fd = (int)WORKS(open("b", O_RDWR));
	WORKS(fsetxattr(fd, "user.y", "2", 1, 0));
	SAME(1, fgetxattr(fd, "user.y", buffer, 16));
	SAME(14, flistxattr(fd, NULL, 0));
	WORKS(unlink("b"));
	SAME(1, fgetxattr(fd, "user.y", buffer, 16));
	WORKS(fremovexattr(fd, "user.y"));
	FAILS(ENODATA, fgetxattr(fd, "user.y", buffer, 16));
	close(fd);
	fx_fill("b", "new");
	SAME(0, listxattr("b", NULL, 0));
	fx_remove("b");
}

static void limits(void)
{
	char name[300];

	fx_about("limits of xattrs");
	fx_make(FX_REG, "a");
	memset(name, 'n', sizeof(name));
	memcpy(name, "user.", 5);
	name[255] = '\0';
	WORKS(setxattr("a", name, "1", 1, 0));
	SAME(1, getxattr("a", name, big, sizeof(big)));
	WORKS(removexattr("a", name));
	name[255] = 'n';
	name[256] = '\0';
	FAILS(ERANGE, setxattr("a", name, "1", 1, 0));
	FAILS(E2BIG, setxattr("a", "user.x", big, 65537, 0));
	if (!local) {
		FAILS(ENOSPC, setxattr("a", "user.x", big, 65536, 0));
		WORKS(setxattr("a", "user.x", big, 60000, 0));
		SAME(60000, getxattr("a", "user.x", big, sizeof(big)));
		FAILS(ENOSPC, setxattr("a", "user.y", big, 6000, 0));
		WORKS(setxattr("a", "user.x", big, 50000, 0));
		WORKS(setxattr("a", "user.y", big, 6000, 0));
		FAILS(EOPNOTSUPP, setxattr("a", "trusted.x", "1", 1, 0));
		FAILS(EOPNOTSUPP, setxattr("a", "security.x", "1", 1, 0));
		FAILS(EOPNOTSUPP, setxattr("a", "system.x", "1", 1, 0));
	}
	FAILS(EOPNOTSUPP, setxattr("a", "x", "1", 1, 0));
	FAILS(EOPNOTSUPP, setxattr("a", "unknown.x", "1", 1, 0));
	FAILS(EINVAL, setxattr("a", "user.x", "1", 1, 99));
	fx_remove("a");
}

void posix_xattr(void)
{
	for (enum fx_type type = 0; type < FX_TYPES; type++)
		kinds(type);
	permissions();
	follow();
	limits();
}
