/* SPDX-License-Identifier: Apache-2.0 */
/* posix_link.c - symlinks; hard links, which there are none of. */
#include "posix.h"

#include <limits.h>
#include <stdlib.h>

/* link(2): EPERM, "the file system does not support the creation of hard links". */
static void hard_links(enum fx_type type)
{
	struct fx_watch parent;

	fx_about("a hard link to a %s", fx_type_name(type));
	fx_make(type, "a");
	parent = fx_watch(".");
	if (local && type != FX_DIR) {
		WORKS(link("a", "b"));
		SAME(2, fx_lstat("a").st_nlink);
		fx_remove("b");
	} else {
		FAILS(EPERM, link("a", "b"));
		FAILS(EPERM, linkat(AT_FDCWD, "a", AT_FDCWD, "b", 0));
		HOLDS(!fx_exists("b"));
		UNMOVED(&parent);
	}
	SAME(type == FX_DIR ? 2 : 1, fx_lstat("a").st_nlink);
	fx_make(FX_REG, "there");
	FAILS(EEXIST, link("a", "there"));
	fx_remove("there");
	fx_remove("a");
}

/* The target is text: any text that there is room for. */
static void targets(void)
{
	static const char *const texts[] = {
		"a",	     "missing/file", "/absolute", "..",	 "trailing/", "with space",
		"new\nline", "\xff\xfe",     "%=a",	  "%41", "a//b",      ".",
		"/",
	};
	char buffer[PATH_MAX + 1], target[PATH_MAX + 1];

	for (size_t i = 0; i < COUNT(texts); i++) {
		fx_about("a symlink to '%s'", texts[i]);
		WORKS(symlink(texts[i], "l"));
		SAME(strlen(texts[i]), readlink("l", buffer, sizeof(buffer)));
		SAME(0, memcmp(buffer, texts[i], strlen(texts[i])));
		SAME(strlen(texts[i]), fx_lstat("l").st_size);
		SAME(0777, fx_lstat("l").st_mode & 07777);
		WORKS(unlink("l"));
	}
	fx_about("the longest target");
	memset(target, 't', sizeof(target));
	target[PATH_MAX - 1] = '\0';
	WORKS(symlink(target, "l"));
	SAME(PATH_MAX - 1, readlink("l", buffer, sizeof(buffer)));
	SAME(0, memcmp(buffer, target, PATH_MAX - 1));
	SAME(PATH_MAX - 1, fx_lstat("l").st_size);
	FAILS(ENAMETOOLONG, open("l", O_RDONLY));
	SAME(10, readlink("l", buffer, 10));
	WORKS(unlink("l"));
	target[PATH_MAX - 1] = 't';
	target[PATH_MAX] = '\0';
	FAILS(ENAMETOOLONG, symlink(target, "l"));
	FAILS(ENOENT, symlink("", "l"));
	HOLDS(!fx_exists("l"));
}

static void reading(void)
{
	char buffer[16];

	for (enum fx_type type = 0; type < FX_LNK; type++) {
		fx_about("readlink of a %s", fx_type_name(type));
		fx_make(type, "a");
		FAILS(EINVAL, readlink("a", buffer, sizeof(buffer)));
		fx_remove("a");
	}
	fx_about("readlink by a user");
	fx_make_for(FX_LNK, "l", ALICE, ALICE, 0);
	fx_as(BOB, BOB);
	SAME(6, readlink("l", buffer, sizeof(buffer)));
	FAILS(EINVAL, readlink("l", buffer, 0));
	fx_as_root();
	fx_remove("l");
}

/* Forty links one after another are followed, and no more. */
static void chains(void)
{
	char name[16], next[16];

	fx_about("chains of links");
	fx_fill("link0", "end");
	for (int i = 1; i <= 41; i++) {
		snprintf(name, sizeof(name), "link%d", i);
		snprintf(next, sizeof(next), "link%d", i - 1);
		WORKS(symlink(next, name));
	}
	HAS("link1", "end");
	HAS("link40", "end");
	FAILS(ELOOP, open("link41", O_RDONLY));
	for (int i = 0; i <= 41; i++) {
		snprintf(name, sizeof(name), "link%d", i);
		fx_remove(name);
	}
	fx_about("links to directories");
	WORKS(mkdir("d", 0755));
	fx_fill("d/f", "in d");
	WORKS(symlink("d", "l"));
	WORKS(symlink("../d/f", "d/m"));
	HAS("l/f", "in d");
	HAS("l/m", "in d");
	WORKS(chdir("l"));
	HAS("f", "in d");
	WORKS(chdir(".."));
	SAME(fx_lstat("d").st_ino, fx_lstat("l/").st_ino);
	SAME(fx_lstat("d").st_ino, fx_lstat("l/.").st_ino);
	fx_remove("l");
	fx_remove("d/m");
	fx_remove("d/f");
	fx_remove("d");
}

void posix_link(void)
{
	for (enum fx_type type = 0; type < FX_TYPES; type++)
		hard_links(type);
	targets();
	reading();
	chains();
}
