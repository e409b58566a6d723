/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocol.h - what of the kernel's protocol (fuse(4), <linux/fuse.h>) libfuse 3.14 does not know:
 * three flags of INIT, and the kernel's wish to have set-id bits cleared. Requests and replies are
 * looked at on their way through the transport. A newer libfuse negotiates some of the flags
 * itself; setting them again changes nothing.
 *
 * flag			effect
 * PARALLEL_DIROPS	lookups and listings in one directory go on side by side
 * HANDLE_KILLPRIV_V2	no GETXATTR(security.capability) before each write to a file whose
 *			attributes the kernel has; set-id bits are cleared by us
 * DIRECT_IO_ALLOW_MMAP	(Linux 6.6) a handle that goes past the page cache can be mapped all the
 *			same, so that such handles can be given at all
 */
#ifndef FX_PROTOCOL_H
#define FX_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct fx_protocol {
	uint64_t init_unique; /* of the INIT that is being answered; 0: none. Transport's thread */
	uint64_t offered;     /* flags of that INIT */
	/* Set with the answer to INIT, before anything else is asked. */
	bool parallel;	   /* PARALLEL_DIROPS is on */
	bool clears_setid; /* HANDLE_KILLPRIV_V2 is on */
	bool direct;	   /* DIRECT_IO_ALLOW_MMAP is on */
};

/* A request has come; it is handled next, on this thread. */
void fx_protocol_request(struct fx_protocol *protocol, const void *request, size_t size);

/* A reply is about to be written: adds the flags when it is that to INIT. */
void fx_protocol_reply(struct fx_protocol *protocol, const struct iovec *iov, int count);

/* The request handled on this thread is a change of content by a caller without CAP_FSETID. */
bool fx_protocol_kills_setid(void);

#endif
