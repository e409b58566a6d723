/* SPDX-License-Identifier: Apache-2.0 */
/* helper_store.c - stores filled through the library; files that prove they are whole. */
#include "helper.h"

#include "feox/feox.h"

#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

static struct feox_store *open_store(const char *path)
{
	struct feox_options options = FEOX_OPTIONS_INIT;
	struct feox_diag diag = {""};
	struct feox_store *store;

	options.path = path;
	options.flags = FEOX_OPEN_CREATE;
	if (feox_open(&options, &store, &diag)) {
		fprintf(stderr, "%s: %s\n", path, diag.text);
		exit(1);
	}
	return store;
}

/* ---- Odd keys: each has its own hex as value
 * ----------------------------------------------------- */

static void put_hex(struct feox_store *store, const void *key, size_t size)
{
	char *hex = malloc(2 * size + 1);

	for (size_t i = 0; i < size; i++)
		sprintf(hex + 2 * i, "%02x", ((const unsigned char *)key)[i]);
	REQUIRE(!feox_put(store, key, size, hex, 2 * size, NULL, NULL));
	free(hex);
}

#define ODD(text)                                                                                  \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

static const struct {
	const char *key;
	size_t size;
} odd[] = {
	ODD("plain"),	  ODD("a/b/c"),	   ODD("."),	     ODD(".."),		  ODD("d/."),
	ODD("d/.."),	  ODD("d/../x"),   ODD("with\0nul"), ODD("%="),		  ODD("%=x"),
	ODD("%=+y"),	  ODD(".feox"),	   ODD(".feox/ctl"), ODD("e//f"),	  ODD("//g"),
	ODD("100%"),	  ODD("\xff\xfe"), ODD("new\nline"), ODD("both"),	  ODD("both/below"),
	ODD("both-more"), ODD("both.txt"), ODD("x/marker/"), ODD("t/trailing//"),
};

#define ODD_COUNT (sizeof(odd) / sizeof(*odd))
#define LONG_KEYS 4u

static int odd_keys(int argc, char **argv)
{
	static const size_t lengths[LONG_KEYS] = {256, 600, 1500, 250};
	struct feox_store *store = open_store(argv[0]);
	char long_key[2000];

	for (size_t i = 0; i < ODD_COUNT; i++)
		put_hex(store, odd[i].key, odd[i].size);
	for (size_t i = 0; i < LONG_KEYS; i++) {
		memset(long_key, 'a' + (int)i, lengths[i]);
		long_key[lengths[i] / 2] = i == 3 ? '\0' : '%';
		put_hex(store, long_key, lengths[i]);
	}
	return feox_close(store) ? 1 : 0;
}

static int odd_count(int argc, char **argv)
{
	printf("%zu\n", ODD_COUNT + LONG_KEYS);
	return 0;
}

/* 900,000 keys in 100 directories, and 100,000 in one; each has its number as value. */
static int million(int argc, char **argv)
{
	struct feox_store *store = open_store(argv[0]);
	char key[64], value[16];

	for (int i = 0; i < 1000000; i++) {
		int n = snprintf(value, sizeof(value), "%d", i);

		if (i < 900000)
			snprintf(key, sizeof(key), "deep/%d/%d", i / 10000, i);
		else
			snprintf(key, sizeof(key), "flat/%d", i);
		REQUIRE(!feox_put(store, key, strlen(key), value, (size_t)n, NULL, NULL));
	}
	return feox_close(store) ? 1 : 0;
}

/* ---- Files that prove themselves
 * ------------------------------------------------------------------ */

#define FILE_MAX 200000u

/* "number size\n", then size bytes that follow from both. */
static size_t make_content(char *out, unsigned int number, unsigned int round)
{
	size_t size = (number * 7919u + round * 104729u) % (number % 7 ? 5000 : FILE_MAX - 64);
	size_t n = (size_t)sprintf(out, "%u %u %zu\n", number, round, size);

	for (size_t i = 0; i < size; i++)
		out[n + i] = (char)(number + round * 31 + i * i);
	return n + size;
}

/* Write files for ever, three kinds; each name is printed when it is durable. */
static int write_synced(int argc, char **argv)
{
	static char content[FILE_MAX];
	unsigned int round = (unsigned int)atoi(argv[1]);

	setvbuf(stdout, NULL, _IONBF, 0);
	REQUIRE(!chdir(argv[0]));
	for (unsigned int number = 0;; number++) {
		size_t size = make_content(content, number % 50, round);
		char name[32], temporary[40];
		int fd;

		snprintf(name, sizeof(name), "file%u", number % 50);
		snprintf(temporary, sizeof(temporary), "%s.tmp", name);
		fd = open(number % 2 ? temporary : name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		if (fd < 0 || write(fd, content, size) != (ssize_t)size)
			return 1;
		if (number % 3 == 0 && fsync(fd))
			return 1;
		if (close(fd) || (number % 2 && rename(temporary, name)))
			return 1;
		if (number % 3 == 0 && number % 2 == 0)
			printf("%u %u\n", number % 50, round);
	}
}

/* The content of a file is one that make_content() makes; its round, or -1: there is no file. */
static long check_file(unsigned int number, const char *suffix)
{
	static char content[FILE_MAX], expected[FILE_MAX];
	unsigned int n, round;
	char name[40];
	size_t size;
	FILE *file;

	snprintf(name, sizeof(name), "file%u%s", number, suffix);
	file = fopen(name, "r");
	if (!file)
		return -1;
	size = fread(content, 1, sizeof(content), file);
	fclose(file);
	if (!size) /* created, and not yet closed with content */
		return -1;
	if (sscanf(content, "%u %u", &n, &round) != 2 || n != number ||
	    make_content(expected, n, round) != size || memcmp(content, expected, size)) {
		fprintf(stderr, "%s is torn\n", name);
		exit(1);
	}
	return round;
}

static int check_synced(int argc, char **argv)
{
	unsigned int number, round;

	REQUIRE(!chdir(argv[0]));
	for (number = 0; number < 50; number++) {
		check_file(number, "");
		check_file(number, ".tmp");
	}
	while (scanf("%u %u", &number, &round) == 2) {
		long found = check_file(number, "");

		/* O_TRUNC of the next turn publishes nothing before close: never empty again. */
		if (found != (long)round) {
			fprintf(stderr, "file%u was synced in round %u, now %ld\n", number, round,
				found);
			return 1;
		}
	}
	return 0;
}

const struct command store_commands[] = {
	{"odd-keys", odd_keys},		{"odd-count", odd_count},	{"million", million},
	{"write-synced", write_synced}, {"check-synced", check_synced}, {NULL, NULL},
};
