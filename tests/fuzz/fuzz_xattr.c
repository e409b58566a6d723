/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_xattr.c - any names and values of extended attributes, on a file and on a directory. What is
 * refused changes nothing; what is stored is read back.
 *
 * The input: the file's content, then calls: what to do, the name, the value.
 */
#include "fuzz_kernel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CALLS 32u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
	"user.feox.ttl",
	"user.feox.expires_at",
	"user.feox.default_ttl",
	"user.feox.version",
	"user.feox.cas",
	"user.feox.if_version",
	"user.feox.incr",
	"user.feox.json_patch",
	"user.feox.key",
	"user.feox.unheard_of",
	"user.x",
	"security.capability",
};
#define NAMES (sizeof(names) / sizeof(names[0]))

static int get(struct kernel *kernel, uint64_t node, const char *name, uint32_t size)
{
	struct fuse_getxattr_in in = {.size = size};
	struct iovec body[] = {{&in, sizeof(in)}, {(void *)(uintptr_t)name, strlen(name) + 1}};
	int error = kernel_ask(kernel, FUSE_GETXATTR, node, body, 2);

	assert(error || (size ? kernel->reply_size <= size
			      : kernel->reply_size == sizeof(struct fuse_getxattr_out)));
	return error;
}

/* libfuse 3.14 takes the request without its flags' extension. */
static int set(struct kernel *kernel, uint64_t node, const char *name, const uint8_t *value,
	       size_t size, uint32_t flags)
{
	struct {
		uint32_t size, flags;
	} in = {(uint32_t)size, flags};
	struct iovec body[] = {{&in, sizeof(in)},
			       {(void *)(uintptr_t)name, strlen(name) + 1},
			       {(void *)(uintptr_t)value, size}};

	return kernel_ask(kernel, FUSE_SETXATTR, node, body, 3);
}

static int remove_it(struct kernel *kernel, uint64_t node, const char *name)
{
	struct iovec body = {(void *)(uintptr_t)name, strlen(name) + 1};

	return kernel_ask(kernel, FUSE_REMOVEXATTR, node, &body, 1);
}

static void list(struct kernel *kernel, uint64_t node)
{
	struct fuse_getxattr_in in = {.size = KERNEL_REPLY - 1};
	struct iovec body = {&in, sizeof(in)};

	if (!kernel_ask(kernel, FUSE_LISTXATTR, node, &body, 1) && kernel->reply_size)
		assert(!kernel->reply[kernel->reply_size - 1]);
}

/* The name of a call: one of ours, or any below user. */
static void choose_name(struct input *input, char *name, size_t max)
{
	size_t choice = (size_t)input_number(input, 1), size;
	const uint8_t *bytes;

	if (choice < NAMES * 16) {
		strcpy(name, names[choice % NAMES]);
		return;
	}
	strcpy(name, "user.");
	bytes = input_bytes(input, max - 6, &size);
	for (size_t i = 0; i < size; i++)
		name[5 + i] = bytes[i] ? (char)bytes[i] : '0';
	name[5 + size] = '\0';
}

static bool is_stored(const char *name)
{
	return !strncmp(name, "user.", 5) && strncmp(name, "user.feox.", 10) != 0;
}

static void check_set(struct kernel *kernel, uint64_t node, const char *name, const uint8_t *value,
		      size_t size, uint32_t flags)
{
	char before[32];
	size_t before_size;
	int error;

	get(kernel, node, "user.feox.version", sizeof(before));
	before_size = kernel->reply_size;
	memcpy(before, kernel->reply, before_size);
	error = set(kernel, node, name, value, size, flags);
	if (error) {
		get(kernel, node, "user.feox.version", sizeof(before));
		assert(kernel->reply_size == before_size ||
		       !kernel->reply_size); /* it may expire */
		assert(!kernel->reply_size || !memcmp(before, kernel->reply, before_size));
	} else if (is_stored(name) && !get(kernel, node, name, KERNEL_REPLY - 1)) {
		assert(kernel->reply_size == size && !memcmp(kernel->reply, value, size));
	}
}

static void call(struct kernel *kernel, uint64_t node, struct input *input)
{
	uint64_t what = input_number(input, 1);
	const uint8_t *value;
	char name[256];
	size_t size;

	choose_name(input, name, sizeof(name));
	value = input_bytes(input, 4096, &size);
	switch (what % 8) {
	case 0:
		remove_it(kernel, node, name);
		return;
	case 1:
		get(kernel, node, name, (uint32_t)(what / 8 * 7));
		return;
	case 2:
		list(kernel, node);
		return;
	default:
		check_set(kernel, node, name, value, size, (uint32_t)(what / 8 % 4));
	}
}

static uint64_t make_directory(struct kernel *kernel)
{
	struct fuse_mkdir_in in = {.mode = 0755};
	struct iovec body[] = {{&in, sizeof(in)}, {(void *)(uintptr_t) "d", 2}};
	const struct fuse_entry_out *entry = (const void *)kernel->reply;

	assert(!kernel_ask(kernel, FUSE_MKDIR, FUSE_ROOT_ID, body, 2));
	kernel_know(kernel, entry);
	return entry->nodeid;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kernel kernel;
	struct input input = {data, size};
	const uint8_t *content;
	size_t content_size;
	uint64_t nodes[2];

	kernel_start(&kernel);
	nodes[0] = kernel_create(&kernel, "f");
	nodes[1] = make_directory(&kernel);
	content = input_bytes(&input, 4096, &content_size);
	if (content_size)
		kernel_write(&kernel, nodes[0], kernel.handles[0].fh, content, content_size);
	for (unsigned int i = 0; i < CALLS && input.size; i++)
		call(&kernel, nodes[input_number(&input, 1) % 4 == 0], &input);
	kernel_clear(&kernel);
	return 0;
}
