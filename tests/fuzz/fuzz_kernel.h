/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_kernel.h - the kernel's side of a mount, for fuzzers: a file system over a store in memory,
 * and buffers that stand for /dev/fuse (fuse_session_custom_io(3)). No privileges, no mount.
 *
 * It keeps what the kernel keeps, so that nothing is asked that a kernel never asks: numbers of
 * nodes and handles are those it was given, with how often, and names are neither empty nor have a
 * slash. All else may be anything. Replies are checked as the kernel checks them.
 */
#ifndef FX_FUZZ_KERNEL_H
#define FX_FUZZ_KERNEL_H

#include "fs.h"

#include <linux/fuse.h>
#include <sys/uio.h>

#define KERNEL_NODES   64u
#define KERNEL_HANDLES 16u
#define KERNEL_REPLY   (64u * 1024)

/* Bytes of the fuzzer, taken from the front; zeros when they are used up. */
struct input {
	const uint8_t *data;
	size_t size;
};

uint64_t input_number(struct input *input, unsigned int bytes);
/* Up to max bytes, as many as a byte says; *ret_size of them. */
const uint8_t *input_bytes(struct input *input, size_t max, size_t *ret_size);

struct kernel_node {
	uint64_t id, lookups;
	mode_t mode;
};

struct kernel_handle {
	uint64_t node, fh;
	bool directory;
};

struct kernel {
	struct feox_store *store;
	struct fx_options options;
	struct fx_events *events;
	struct fx_fs *fs;
	struct fuse_session *session;
	uint64_t unique;
	struct kernel_node nodes[KERNEL_NODES]; /* [0]: the root */
	struct kernel_handle handles[KERNEL_HANDLES];
	size_t node_count, handle_count;

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t answered;
	uint64_t awaited; /* unique of the request that is being waited for; 0: answered */
	int error;	  /* of the reply, 0 or negative */
	size_t reply_size;
	uint8_t reply[KERNEL_REPLY] __attribute__((aligned(8))); /* without its header */
};

/* One kernel, zeroed at first, serves all inputs: started with the first, cleared after each. */
void kernel_start(struct kernel *kernel);
void kernel_clear(struct kernel *kernel);

/*
 * Ask, and wait for the reply: its error, with what it holds in kernel->reply. The body is the
 * request's fixed part and what follows it.
 */
int kernel_ask(struct kernel *kernel, uint32_t opcode, uint64_t node, const struct iovec *body,
	       int count);
/* Requests that have no reply. */
void kernel_tell(struct kernel *kernel, uint32_t opcode, uint64_t node, const struct iovec *body,
		 int count);

/* Look a name up and know it from then on; 0: there is none. */
uint64_t kernel_lookup(struct kernel *kernel, uint64_t parent, const char *name);
/* An entry was given; what it is, is known from then on. */
void kernel_know(struct kernel *kernel, const struct fuse_entry_out *entry);
/* A handle was given; false: it was closed again, there are too many. */
bool kernel_hold(struct kernel *kernel, uint64_t node, uint64_t fh, bool directory);
void kernel_close(struct kernel *kernel, size_t handle);

/* A file or directory with an open handle: what the simpler fuzzers need. */
uint64_t kernel_create(struct kernel *kernel, const char *name);
int kernel_write(struct kernel *kernel, uint64_t node, uint64_t fh, const void *data, size_t size);

#endif
