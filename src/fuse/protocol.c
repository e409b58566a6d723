/* SPDX-License-Identifier: Apache-2.0 */
/* protocol.c - see protocol.h. */
#include "protocol.h"

#include <assert.h>
#include <linux/fuse.h>

/* Not in the headers of Linux 6.1. */
#ifndef FUSE_DIRECT_IO_ALLOW_MMAP
#define FUSE_DIRECT_IO_ALLOW_MMAP (1ULL << 36)
#endif

#define FX_WANTED                                                                                  \
	((uint64_t)FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2 | FUSE_DIRECT_IO_ALLOW_MMAP)

static_assert(sizeof(struct fuse_in_header) == 40, "as the kernel sends it");
static_assert(sizeof(struct fuse_init_out) == 64, "as the kernel takes it");

static _Thread_local bool kills_setid;

/* The body of a request of that size, or NULL: it is too short. */
static const void *body(const void *request, size_t size, size_t wanted)
{
	const struct fuse_in_header *header = request;

	return size >= sizeof(*header) + wanted ? header + 1 : NULL;
}

static void note_init(struct fx_protocol *protocol, const void *request, size_t size)
{
	const struct fuse_in_header *header = request;
	const struct fuse_init_in *init = body(request, size, sizeof(*init));

	if (!init)
		return;
	protocol->init_unique = header->unique;
	protocol->offered = init->flags;
	if (init->flags & FUSE_INIT_EXT)
		protocol->offered |= (uint64_t)init->flags2 << 32;
}

static bool asks_to_kill(uint32_t opcode, const void *request, size_t size)
{
	const struct fuse_write_in *write = body(request, size, sizeof(*write));
	const struct fuse_open_in *open = body(request, size, sizeof(*open));
	const struct fuse_setattr_in *setattr = body(request, size, sizeof(*setattr));
	const struct fuse_in_header *header = request;

	switch (opcode) {
	case FUSE_WRITE:
		return write && (write->write_flags & FUSE_WRITE_KILL_SUIDGID);
	case FUSE_OPEN:
		return open && (open->open_flags & FUSE_OPEN_KILL_SUIDGID);
	case FUSE_SETATTR:
		return setattr && (setattr->valid & FATTR_KILL_SUIDGID);
	case FUSE_FALLOCATE: /* has no flag, and the kernel leaves it to us as well */
		return header->uid != 0;
	}
	return false;
}

void fx_protocol_request(struct fx_protocol *protocol, const void *request, size_t size)
{
	const struct fuse_in_header *header = request;

	kills_setid = false;
	if (size < sizeof(*header))
		return;
	if (header->opcode == FUSE_INIT)
		note_init(protocol, request, size);
	kills_setid = asks_to_kill(header->opcode, request, size);
}

void fx_protocol_reply(struct fx_protocol *protocol, const struct iovec *iov, int count)
{
	const struct fuse_out_header *header = iov[0].iov_base;
	struct fuse_init_out *init;
	uint64_t add = protocol->offered & FX_WANTED;

	if (!protocol->init_unique || header->unique != protocol->init_unique)
		return;
	protocol->init_unique = 0;
	if (count != 2 || header->error || iov[1].iov_len < sizeof(*init))
		return;
	init = iov[1].iov_base;
	init->flags |= (uint32_t)add;
	if (add >> 32) { /* flags2 counts only with this */
		init->flags |= FUSE_INIT_EXT;
		init->flags2 |= (uint32_t)(add >> 32);
	}
	protocol->parallel = add & FUSE_PARALLEL_DIROPS;
	protocol->clears_setid = add & FUSE_HANDLE_KILLPRIV_V2;
	protocol->direct = add & FUSE_DIRECT_IO_ALLOW_MMAP;
}

bool fx_protocol_kills_setid(void)
{
	return kills_setid;
}
