/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_request.c - the stream of requests that a kernel sends: any operations with any arguments on
 * the nodes and handles it was given. Each is answered, once, with what the kernel would accept.
 *
 * The input is a sequence of operations: which, on which node and handle, then its arguments.
 */
#include "fuzz_kernel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define OPERATIONS 64u
#define OFFSET_MAX ((UINT64_C(1) << 63) - 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct kernel kernel;
	struct input input;
	char name[300], other[300];
	uint8_t fixed[128];
	size_t fixed_size;
};

/* ---- Arguments ------------------------------------------------------------------------------- */

/* Few names, so that they meet again; or any bytes that a name may have. */
static void choose_name(struct run *run, char *name)
{
	static const char *const common[] = {"a", "b", "d", "%=", "%=.", ".feox", "ctl", "range"};
	size_t choice = (size_t)input_number(&run->input, 1), size;
	const uint8_t *bytes;

	if (choice < 224) {
		strcpy(name, common[choice % 8]);
		return;
	}
	bytes = input_bytes(&run->input, 290, &size);
	for (size_t i = 0; i < size; i++)
		name[i] = bytes[i] && bytes[i] != '/' ? (char)bytes[i] : '_';
	if (!size)
		name[size++] = 'x';
	name[size] = '\0';
}

/* Any bytes for the fixed part of a request. */
static void *choose_fixed(struct run *run, size_t size)
{
	memset(run->fixed, 0, sizeof(run->fixed));
	for (size_t i = 0; i < size && run->input.size; i++)
		run->fixed[i] = (uint8_t)input_number(&run->input, 1);
	run->fixed_size = size;
	return run->fixed;
}

static uint64_t choose_offset(struct run *run)
{
	unsigned int bytes = (unsigned int)input_number(&run->input, 1) % 9;

	return input_number(&run->input, bytes) & OFFSET_MAX;
}

static const struct kernel_node *choose_node(struct run *run)
{
	return &run->kernel.nodes[input_number(&run->input, 1) % run->kernel.node_count];
}

static int ask_fixed(struct run *run, uint32_t opcode, uint64_t node)
{
	struct iovec body = {run->fixed, run->fixed_size};

	return kernel_ask(&run->kernel, opcode, node, &body, 1);
}

static int ask_name(struct run *run, uint32_t opcode, uint64_t node, bool has_other)
{
	struct iovec body[] = {{run->fixed, run->fixed_size},
			       {run->name, strlen(run->name) + 1},
			       {run->other, strlen(run->other) + 1}};

	return kernel_ask(&run->kernel, opcode, node, body, has_other ? 3 : 2);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void know_entry(struct run *run, int error)
{
	assert(error || run->kernel.reply_size == sizeof(struct fuse_entry_out));
	if (!error)
		kernel_know(&run->kernel, (const void *)run->kernel.reply);
}

static void change_names(struct run *run, uint64_t node, uint32_t opcode)
{
	struct fuse_rename2_in *rename;

	run->fixed_size = 0;
	choose_name(run, run->name);
	choose_name(run, run->other);
	switch (opcode) {
	case FUSE_MKNOD:
		((struct fuse_mknod_in *)choose_fixed(run, sizeof(struct fuse_mknod_in)))->mode |=
			S_IFREG;
		break;
	case FUSE_MKDIR:
		choose_fixed(run, sizeof(struct fuse_mkdir_in));
		break;
	case FUSE_RENAME2:
		rename = choose_fixed(run, sizeof(struct fuse_rename2_in));
		rename->newdir = choose_node(run)->id;
		for (size_t i = 0; i < run->kernel.node_count; i++)
			if (run->kernel.nodes[i].id == rename->newdir &&
			    !S_ISDIR(run->kernel.nodes[i].mode))
				rename->newdir = FUSE_ROOT_ID;
		rename->flags %= 4;
		break;
	case FUSE_LINK:
		((struct fuse_link_in *)choose_fixed(run, sizeof(struct fuse_link_in)))->oldnodeid =
			choose_node(run)->id;
		break;
	}
	if (opcode == FUSE_LOOKUP || opcode == FUSE_MKNOD || opcode == FUSE_MKDIR ||
	    opcode == FUSE_SYMLINK || opcode == FUSE_LINK)
		know_entry(run, ask_name(run, opcode, node, opcode == FUSE_SYMLINK));
	else
		ask_name(run, opcode, node, opcode == FUSE_RENAME2);
}

static void create(struct run *run, uint64_t directory)
{
	struct fuse_create_in *in = choose_fixed(run, sizeof(*in));
	const struct fuse_entry_out *entry = (const void *)run->kernel.reply;
	const struct fuse_open_out *opened = (const void *)(entry + 1);
	uint64_t fh, id;

	in->mode = (in->mode & 07777) | S_IFREG;
	in->flags |= O_CREAT;
	choose_name(run, run->name);
	if (ask_name(run, FUSE_CREATE, directory, false))
		return;
	fh = opened->fh;
	id = entry->nodeid;
	kernel_know(&run->kernel, entry);
	kernel_hold(&run->kernel, id, fh, false);
}

static void on_directory(struct run *run, uint64_t node, uint64_t what)
{
	static const uint32_t opcodes[] = {FUSE_LOOKUP, FUSE_MKNOD, FUSE_MKDIR,	  FUSE_SYMLINK,
					   FUSE_UNLINK, FUSE_RMDIR, FUSE_RENAME2, FUSE_LINK};

	if (what % 10 < 8)
		change_names(run, node, opcodes[what % 10]);
	else
		create(run, node);
}

/* ---- Handles --------------------------------------------------------------------------------- */

static void open_node(struct run *run, const struct kernel_node *node)
{
	struct fuse_open_in *in = choose_fixed(run, sizeof(*in));
	bool directory = S_ISDIR(node->mode);
	uint64_t id = node->id;

	if (!directory && !S_ISREG(node->mode))
		return;
	in->flags &= ~(uint32_t)(O_CREAT | O_EXCL);
	if (directory)
		in->flags &= ~(uint32_t)(O_ACCMODE | O_TRUNC);
	if (!ask_fixed(run, directory ? FUSE_OPENDIR : FUSE_OPEN, id)) {
		assert(run->kernel.reply_size == sizeof(struct fuse_open_out));
		kernel_hold(&run->kernel, id, ((const struct fuse_open_out *)run->kernel.reply)->fh,
			    directory);
	}
}

/* Names that the kernel takes, in entries of whole sizes. */
static void check_entries(struct run *run, bool plus)
{
	size_t at = 0, head = plus ? sizeof(struct fuse_entry_out) : 0;

	while (at < run->kernel.reply_size) {
		const uint8_t *entry = run->kernel.reply + at;
		const struct fuse_dirent *dirent = (const void *)(entry + head);
		size_t size = head + FUSE_DIRENT_SIZE(dirent);

		assert(at + size <= run->kernel.reply_size);
		assert(dirent->namelen && dirent->namelen <= 255);
		assert(!memchr(dirent->name, '/', dirent->namelen));
		assert(!memchr(dirent->name, '\0', dirent->namelen));
		if (plus && dirent->name[0] != '.')
			kernel_know(&run->kernel, (const void *)entry);
		at += size;
	}
}

static void list(struct run *run, const struct kernel_handle *handle, bool plus)
{
	struct fuse_read_in *in = choose_fixed(run, sizeof(*in));

	in->fh = handle->fh;
	in->offset = choose_offset(run);
	in->size %= 8192;
	if (!ask_fixed(run, plus ? FUSE_READDIRPLUS : FUSE_READDIR, handle->node)) {
		assert(run->kernel.reply_size <= in->size);
		check_entries(run, plus);
	}
}

static void read_file(struct run *run, const struct kernel_handle *handle)
{
	struct fuse_read_in *in = choose_fixed(run, sizeof(*in));

	in->fh = handle->fh;
	in->offset = choose_offset(run);
	in->size %= 8192;
	in->flags |= O_NONBLOCK; /* events would wait */
	if (!ask_fixed(run, FUSE_READ, handle->node))
		assert(run->kernel.reply_size <= in->size);
}

static void write_file(struct run *run, const struct kernel_handle *handle)
{
	struct fuse_write_in *in = choose_fixed(run, sizeof(*in));
	const uint8_t *data;
	size_t size;
	struct iovec body[2];

	data = input_bytes(&run->input, 65536, &size);
	in->fh = handle->fh;
	in->size = (uint32_t)size;
	in->offset = choose_offset(run);
	if (in->offset > OFFSET_MAX - size)
		in->offset = OFFSET_MAX - size;
	body[0] = (struct iovec){in, sizeof(*in)};
	body[1] = (struct iovec){(void *)(uintptr_t)data, size};
	if (!kernel_ask(&run->kernel, FUSE_WRITE, handle->node, body, 2))
		assert(((const struct fuse_write_out *)run->kernel.reply)->size <= size);
}

static void allocate(struct run *run, const struct kernel_handle *handle)
{
	struct fuse_fallocate_in *in = choose_fixed(run, sizeof(*in));

	in->fh = handle->fh;
	in->offset = choose_offset(run) / 2;
	in->length = choose_offset(run) / 2 + 1;
	ask_fixed(run, FUSE_FALLOCATE, handle->node);
}

static void seek(struct run *run, const struct kernel_handle *handle)
{
	struct fuse_lseek_in *in = choose_fixed(run, sizeof(*in));

	in->fh = handle->fh;
	ask_fixed(run, FUSE_LSEEK, handle->node);
}

static void sync_file(struct run *run, const struct kernel_handle *handle, uint32_t opcode)
{
	struct fuse_fsync_in *in = choose_fixed(run, sizeof(*in));

	in->fh = handle->fh;
	ask_fixed(run, opcode, handle->node);
}

static void poll_file(struct run *run, const struct kernel_handle *handle)
{
	struct fuse_poll_in *in = choose_fixed(run, sizeof(*in));

	in->fh = handle->fh;
	ask_fixed(run, FUSE_POLL, handle->node);
}

static void on_handle(struct run *run, uint64_t what)
{
	size_t index = (size_t)(input_number(&run->input, 1) % run->kernel.handle_count);
	struct kernel_handle handle = run->kernel.handles[index];

	if (what % 8 == 0)
		return kernel_close(&run->kernel, index);
	if (handle.directory)
		return what % 8 == 1 ? sync_file(run, &handle, FUSE_FSYNCDIR)
				     : list(run, &handle, what % 2);
	switch (what % 8) {
	case 1:
		return sync_file(run, &handle, FUSE_FSYNC);
	case 2:
		return allocate(run, &handle);
	case 3:
		return seek(run, &handle);
	case 4:
		return poll_file(run, &handle);
	case 5:
		return read_file(run, &handle);
	default:
		return write_file(run, &handle);
	}
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static void set_attributes(struct run *run, const struct kernel_node *node)
{
	struct fuse_setattr_in *in = choose_fixed(run, sizeof(*in));

	in->valid &= ~(uint32_t)(FATTR_FH | FATTR_LOCKOWNER);
	in->atimensec %= 1000000000;
	in->mtimensec %= 1000000000;
	in->size &= OFFSET_MAX;
	if (!S_ISREG(node->mode) && !S_ISDIR(node->mode))
		in->valid &= ~(uint32_t)FATTR_SIZE;
	ask_fixed(run, FUSE_SETATTR, node->id);
}

static void use_xattr(struct run *run, uint64_t node, uint64_t what)
{
	struct fuse_getxattr_in *in = choose_fixed(run, sizeof(*in));

	strcpy(run->name, "user.");
	choose_name(run, run->name + 5);
	in->size %= KERNEL_REPLY;
	if (what % 2)
		ask_fixed(run, FUSE_LISTXATTR, node);
	else
		ask_name(run, FUSE_GETXATTR, node, false);
}

static void forget_one(struct run *run)
{
	struct kernel *kernel = &run->kernel;
	struct kernel_node *node =
		&kernel->nodes[input_number(&run->input, 1) % kernel->node_count];
	struct fuse_forget_in in = {.nlookup = node->lookups};
	struct iovec body = {&in, sizeof(in)};

	if (node == &kernel->nodes[0])
		return;
	for (size_t i = 0; i < kernel->handle_count; i++)
		if (kernel->handles[i].node == node->id)
			return; /* a handle keeps its inode */
	kernel_tell(kernel, FUSE_FORGET, node->id, &body, 1);
	*node = kernel->nodes[--kernel->node_count];
}

static void on_node(struct run *run, const struct kernel_node *node, uint64_t what)
{
	run->fixed_size = 0;
	switch (what % 8) {
	case 0:
		choose_fixed(run, sizeof(struct fuse_getattr_in));
		ask_fixed(run, FUSE_GETATTR, node->id);
		return;
	case 1:
		return set_attributes(run, node);
	case 2:
		ask_fixed(run, FUSE_STATFS, node->id);
		return;
	case 3:
		if (S_ISLNK(node->mode))
			ask_fixed(run, FUSE_READLINK, node->id);
		return;
	case 4:
		return use_xattr(run, node->id, what / 8);
	case 5:
		choose_fixed(run, sizeof(struct fuse_access_in)); /* what we do not handle */
		ask_fixed(run, what / 8 % 2 ? FUSE_ACCESS : FUSE_BMAP, node->id);
		return;
	case 6:
		return forget_one(run);
	default:
		return open_node(run, node);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run run;

	kernel_start(&run.kernel);
	run.input = (struct input){data, size};
	for (unsigned int i = 0; i < OPERATIONS && run.input.size; i++) {
		uint64_t what = input_number(&run.input, 1);
		const struct kernel_node *node = choose_node(&run);

		if (what % 4 == 0 && S_ISDIR(node->mode))
			on_directory(&run, node->id, what / 4);
		else if (what % 4 < 3 && run.kernel.handle_count)
			on_handle(&run, what / 4);
		else
			on_node(&run, node, what / 4);
	}
	kernel_clear(&run.kernel);
	return 0;
}
