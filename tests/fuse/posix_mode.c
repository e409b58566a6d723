/* SPDX-License-Identifier: Apache-2.0 */
/* posix_mode.c - chmod(2): who may, what changes, of which kinds of files. */
#include "posix.h"

static const mode_t modes[] = {0,    01,   02,	 04,   010,   020,   040,   0100,  0200,
			       0400, 0644, 0755, 0777, 01000, 02000, 04000, 07777, 0421};

static mode_t mode_of(const char *name)
{
	return fx_lstat(name).st_mode & 07777;
}

/* Root sets every bit, of every kind of file, and nothing else. */
static void bits(enum fx_type type)
{
	struct stat before;

	fx_about("chmod of a %s", fx_type_name(type));
	fx_make(type, "a");
	before = fx_lstat("a");
	for (size_t i = 0; i < COUNT(modes); i++) {
		WORKS(chmod("a", modes[i]));
		SAME(modes[i], mode_of("a"));
	}
	SAME(before.st_ino, fx_lstat("a").st_ino);
	SAME(before.st_rdev, fx_lstat("a").st_rdev);
	SAME(before.st_mode & S_IFMT, fx_lstat("a").st_mode & S_IFMT);
	SAME(before.st_nlink, fx_lstat("a").st_nlink);
	HOLDS(fx_time_equal(before.st_mtim, fx_lstat("a").st_mtim));
	HOLDS(fx_time_equal(before.st_atim, fx_lstat("a").st_atim));
	fx_remove("a");
}

static void owners(enum fx_type type)
{
	struct fx_watch watch;

	fx_about("chmod of a %s by its owner", fx_type_name(type));
	fx_make_for(type, "a", ALICE, ALICE, 0600);
	fx_as(ALICE, ALICE);
	watch = fx_watch("a");
	WORKS(chmod("a", 0751));
	SAME(0751, mode_of("a"));
	CTIME_MOVED(&watch);
	WORKS(fchmodat(AT_FDCWD, "a", 01700, 0));
	SAME(01700, mode_of("a"));
	fx_about("chmod of a %s by another, also one of the group", fx_type_name(type));
	fx_as(BOB, ALICE);
	watch = fx_watch("a");
	FAILS(EPERM, chmod("a", 0777));
	SAME(01700, mode_of("a"));
	UNMOVED(&watch);
	fx_about("chmod of a %s that was handed over", fx_type_name(type));
	fx_as_root();
	WORKS(lchown("a", BOB, BOB));
	fx_as(ALICE, ALICE);
	FAILS(EPERM, chmod("a", 0777));
	fx_as(BOB, BOB);
	WORKS(chmod("a", 0600));
	fx_as_root();
	fx_remove("a");
}

/* S_ISGID: who is not in the file's group cannot set it; the call succeeds, POSIX says. */
static void set_group_id(enum fx_type type)
{
	fx_about("set-group-id on a %s", fx_type_name(type));
	fx_make_for(type, "a", ALICE, GROUP, 0755);
	fx_as(ALICE, ALICE);
	WORKS(chmod("a", 02755));
	SAME(0755, mode_of("a"));
	fx_as_member(ALICE, ALICE, GROUP);
	WORKS(chmod("a", 02755));
	SAME(02755, mode_of("a"));
	fx_as_root();
	WORKS(chmod("a", 0755));
	WORKS(chmod("a", 02755));
	SAME(02755, mode_of("a"));
	fx_remove("a");
}

static void through_links(enum fx_type type)
{
	mode_t before;

	fx_about("chmod through a link to a %s", fx_type_name(type));
	fx_make(type, "a");
	WORKS(symlink("a", "link"));
	before = mode_of("link");
	WORKS(chmod("link", 0741));
	SAME(0741, mode_of("a"));
	SAME(before, mode_of("link"));
	FAILS(EOPNOTSUPP, fchmodat(AT_FDCWD, "link", 0700, AT_SYMLINK_NOFOLLOW));
	SAME(0741, mode_of("a"));
	fx_remove("link");
	fx_remove("a");
}

static void by_descriptor(void)
{
	struct fx_watch watch;
	int fd;

	fx_about("fchmod");
	fx_make_for(FX_REG, "a", ALICE, ALICE, 0666);
	fd = (int)WORKS(open("a", O_RDONLY));
	watch = fx_watch("a");
	WORKS(fchmod(fd, 0640));
	SAME(0640, fx_fstat(fd).st_mode & 07777);
	SAME(0640, mode_of("a"));
	CTIME_MOVED(&watch);
	fx_as(BOB, BOB);
	FAILS(EPERM, fchmod(fd, 0600));
	fx_as_root();
	WORKS(unlink("a"));
	WORKS(fchmod(fd, 0600));
	SAME(0600, fx_fstat(fd).st_mode & 07777);
	WORKS(close(fd));
	FAILS(EBADF, fchmod(fd, 0600));
	fx_about("fchmod of an O_PATH handle");
	fx_make(FX_REG, "a");
	fd = (int)WORKS(open("a", O_PATH));
	FAILS(EBADF, fchmod(fd, 0600));
	close(fd);
	fx_remove("a");
	fx_about("fchmod of a directory");
	fx_make(FX_DIR, "d");
	fd = (int)WORKS(open("d", O_RDONLY | O_DIRECTORY));
	WORKS(fchmod(fd, 01711));
	SAME(01711, mode_of("d"));
	close(fd);
	fx_remove("d");
}

/* What open(2) was allowed stays allowed. */
static void open_handles(void)
{
	char byte;
	int fd;

	fx_about("chmod of an open file");
	fx_fill("a", "content");
	chown("a", ALICE, ALICE);
	fx_as(ALICE, ALICE);
	fd = (int)WORKS(open("a", O_RDWR));
	WORKS(chmod("a", 0));
	SAME(1, read(fd, &byte, 1));
	SAME(1, write(fd, "x", 1));
	FAILS(EACCES, open("a", O_RDONLY));
	FAILS(EACCES, open("a", O_WRONLY));
	WORKS(chmod("a", 0400));
	WORKS(close(open("a", O_RDONLY)));
	FAILS(EACCES, open("a", O_WRONLY));
	close(fd);
	fx_as_root();
	SAME(0400, mode_of("a"));
	HAS("a", "cxntent");
	fx_remove("a");
}

/* umask(2) takes bits from the mode of what is made, each bit, each kind. */
static void umasks(void)
{
	static const mode_t masks[] = {0, 022, 027, 077, 0111, 0777, 0444, 0222};

	for (size_t i = 0; i < COUNT(masks); i++) {
		fx_about("umask %04o", masks[i]);
		umask(masks[i]);
		WORKS(close(open("f", O_CREAT | O_WRONLY, 0777)));
		WORKS(mkdir("d", 0777));
		WORKS(mkfifo("p", 0666));
		WORKS(mknod("n", S_IFREG | 0751, 0));
		WORKS(symlink("x", "l"));
		umask(0);
		SAME(0777 & ~masks[i], mode_of("f"));
		SAME(0777 & ~masks[i], mode_of("d"));
		SAME(0666 & ~masks[i], mode_of("p"));
		SAME(0751 & ~masks[i], mode_of("n"));
		SAME(0777, mode_of("l"));
		unlink("f");
		rmdir("d");
		unlink("p");
		unlink("n");
		unlink("l");
	}
}

void posix_mode(void)
{
	for (enum fx_type type = 0; type < FX_LNK; type++) {
		bits(type);
		owners(type);
		set_group_id(type);
		through_links(type);
	}
	by_descriptor();
	open_handles();
	umasks();
}
