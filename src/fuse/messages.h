/* SPDX-License-Identifier: Apache-2.0 */
/* messages.h - how many requests of each kind the kernel has sent: what a command costs. */
#ifndef FX_MESSAGES_H
#define FX_MESSAGES_H

#include <stdatomic.h>
#include <stdint.h>

#define FX_OPCODES 64u

struct fx_messages {
	_Atomic uint64_t counts[FX_OPCODES]; /* relaxed: statistics; [0]: all that is newer */
};

void fx_messages_count(struct fx_messages *messages, uint32_t opcode);

/* The kernel's name without its FUSE_, "LOOKUP"; NULL: none has this number. */
const char *fx_messages_name(uint32_t opcode);

static inline uint64_t fx_messages_of(const struct fx_messages *messages, uint32_t opcode)
{
	return atomic_load_explicit(&messages->counts[opcode], memory_order_relaxed);
}

#endif
