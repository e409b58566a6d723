/* SPDX-License-Identifier: Apache-2.0 */
/* posix_read_only.c - a mount that is read-only: EROFS for what would change it, nothing else. */
#include "posix.h"

#include <dirent.h>
#include <sys/xattr.h>

void posix_read_only_prepare(void)
{
	char name[16];

	for (enum fx_type type = 0; type < FX_TYPES; type++) {
		snprintf(name, sizeof(name), "kind%d", (int)type);
		fx_make(type, name);
		if (type != FX_LNK)
			chmod(name, 0777);
	}
	fx_fill("file", "content");
	chmod("file", 0666);
	fx_make(FX_DIR, "dir");
	chmod("dir", 0777);
	fx_fill("dir/file", "inner");
}

/* For whoever it is, permissions come first only where there are none. */
static void changes(void)
{
	struct timespec times[2] = {{1, 0}, {1, 0}};

	FAILS(EROFS, open("new", O_CREAT | O_WRONLY, 0644));
	FAILS(EROFS, open("file", O_WRONLY));
	FAILS(EROFS, open("file", O_RDWR));
	FAILS(EROFS, open("file", O_RDONLY | O_TRUNC));
	FAILS(EROFS, mkdir("new", 0755));
	FAILS(EROFS, mkfifo("new", 0644));
	FAILS(EROFS, mknod("new", S_IFREG | 0644, 0));
	FAILS(EROFS, symlink("x", "new"));
	FAILS(EROFS, link("file", "new"));
	FAILS(EROFS, unlink("file"));
	FAILS(EROFS, rmdir("kind1"));
	FAILS(EROFS, rename("file", "new"));
	FAILS(EROFS, rename("file", "kind0"));
	FAILS(EROFS, renameat2(AT_FDCWD, "file", AT_FDCWD, "kind0", RENAME_EXCHANGE));
	FAILS(EROFS, truncate("file", 0));
	FAILS(EROFS, chmod("file", 0644));
	FAILS(EROFS, chown("file", geteuid(), getegid()));
	FAILS(EROFS, lchown("kind6", geteuid(), getegid()));
	FAILS(EROFS, utimensat(AT_FDCWD, "file", times, 0));
	FAILS(EROFS, utimensat(AT_FDCWD, "file", NULL, 0));
	FAILS(EROFS, setxattr("file", "user.x", "1", 1, 0));
	FAILS(EROFS, removexattr("file", "user.x"));
	FAILS(EROFS, access("file", W_OK));
	FAILS(EROFS, access("dir", W_OK));
	/* What fails anyway fails as it always does. */
	FAILS(EEXIST, mkdir("dir", 0755));
	FAILS(EEXIST, open("file", O_CREAT | O_EXCL | O_WRONLY, 0644));
	FAILS(ENOENT, open("missing", O_WRONLY));
	FAILS(ENOENT, truncate("missing", 0));
	FAILS(ENOENT, chmod("missing", 0644));
	FAILS(EISDIR, open("dir", O_WRONLY));
}

static void reads(void)
{
	char buffer[16];
	struct stat st;
	DIR *dir;

	HAS("file", "content");
	HAS("dir/file", "inner");
	WORKS(access("file", R_OK));
	WORKS(close(open("file", O_RDONLY)));
	WORKS(close(open("file", O_CREAT | O_RDONLY, 0644)));
	SAME(6, readlink("kind6", buffer, sizeof(buffer)));
	WORKS(stat("file", &st));
	SAME(7, st.st_size);
	dir = opendir("dir");
	HOLDS(dir);
	closedir(dir);
	WORKS(chdir("dir"));
	WORKS(chdir(".."));
}

/* A fifo is no part of the file system but its name. */
static void pipes(void)
{
	int reader = (int)WORKS(open("kind2", O_RDONLY | O_NONBLOCK));
	int writer = (int)WORKS(open("kind2", O_WRONLY));
	char byte;

	SAME(1, write(writer, "x", 1));
	SAME(1, read(reader, &byte, 1));
	close(writer);
	close(reader);
	WORKS(access("kind2", W_OK));
}

void posix_read_only(void)
{
	for (enum fx_type type = 0; type < FX_TYPES; type++) {
		char name[16];

		snprintf(name, sizeof(name), "kind%d", (int)type);
		fx_about("a %s, read-only", fx_type_name(type));
		SAME(fx_type_bits(type), fx_lstat(name).st_mode & S_IFMT);
		FAILS(EROFS, lchown(name, ALICE, ALICE));
		FAILS(EROFS, type == FX_DIR ? rmdir(name) : unlink(name));
		FAILS(EROFS, rename(name, "new"));
		if (type != FX_LNK)
			FAILS(EROFS, chmod(name, 0700));
	}
	fx_about("root, read-only");
	changes();
	reads();
	pipes();
	fx_about("a user, read-only");
	fx_as(ALICE, ALICE);
	reads();
	FAILS(EROFS, open("file", O_WRONLY));
	FAILS(EROFS, unlink("dir/file"));
	FAILS(EROFS, mkdir("dir/new", 0755));
	FAILS(EROFS, truncate("file", 0));
	fx_as_root();
}
