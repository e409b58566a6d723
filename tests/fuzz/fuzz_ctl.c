/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_ctl.c - any bytes written to /.feox/ctl: each line that is not blank gets one line of JSON,
 * in which ok is true, or errno and error say why not.
 */
#include "fuzz_kernel.h"

#include <assert.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#define WRITE_MAX ((size_t)4096)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t open_node(struct kernel *kernel, uint64_t node)
{
	struct fuse_open_in in = {.flags = O_RDWR};
	struct iovec body = {&in, sizeof(in)};
	uint64_t fh;

	assert(!kernel_ask(kernel, FUSE_OPEN, node, &body, 1));
	fh = ((const struct fuse_open_out *)kernel->reply)->fh;
	assert(kernel_hold(kernel, node, fh, false));
	return fh;
}

static void check_answer(const char *line, size_t size)
{
	json_t *answer = json_loadb(line, size, JSON_ALLOW_NUL, NULL);
	const json_t *ok = json_object_get(answer, "ok");

	assert(json_is_boolean(ok));
	if (json_is_false(ok)) {
		assert(json_string_length(json_object_get(answer, "errno")));
		assert(json_string_length(json_object_get(answer, "error")));
	}
	json_decref(answer);
}

/* Reads may end anywhere in a line. */
struct answers {
	char line[1 << 20];
	size_t size, count;
};

static void take(struct answers *answers, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] != '\n') {
			assert(answers->size < sizeof(answers->line));
			answers->line[answers->size++] = (char)data[i];
			continue;
		}
		check_answer(answers->line, answers->size);
		answers->size = 0;
		answers->count++;
	}
}

static void read_answers(struct kernel *kernel, uint64_t node, uint64_t fh, struct answers *answers)
{
	struct fuse_read_in in = {.fh = fh, .size = 4096, .flags = O_RDWR};
	struct iovec body = {&in, sizeof(in)};

	do {
		assert(!kernel_ask(kernel, FUSE_READ, node, &body, 1));
		assert(kernel->reply_size <= in.size);
		take(answers, kernel->reply, kernel->reply_size);
	} while (kernel->reply_size);
	assert(!answers->size);
}

static size_t count_requests(const uint8_t *data, size_t size)
{
	size_t count = 0;
	bool blank = true;

	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n') {
			count += !blank;
			blank = true;
		} else if (!memchr(" \t\r", data[i], 3)) {
			blank = false;
		}
	}
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kernel kernel;
	static struct answers answers;
	uint64_t ctl, fh;

	kernel_start(&kernel);
	kernel_create(&kernel, "a"); /* somebody has it open */
	kernel_write(&kernel, kernel.nodes[1].id, kernel.handles[0].fh, "12", 2);
	ctl = kernel_lookup(&kernel, kernel_lookup(&kernel, FUSE_ROOT_ID, ".feox"), "ctl");
	fh = open_node(&kernel, ctl);
	answers.size = answers.count = 0;
	for (size_t done = 0; done < size;) {
		size_t part = size - done < WRITE_MAX ? size - done : WRITE_MAX;

		assert(!kernel_write(&kernel, ctl, fh, data + done, part));
		done += part;
	}
	read_answers(&kernel, ctl, fh, &answers);
	assert(answers.count == count_requests(data, size));
	kernel_clear(&kernel);
	return 0;
}
