/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patience.h - memory for work that must not fail for want of it: what has been acknowledged has to
 * get to the disk, so its writer waits until others have given memory back.
 */
#ifndef FX_PATIENCE_H
#define FX_PATIENCE_H

#include <errno.h>
#include <stdbool.h>

/*
 * Sleep 10 ms. False: it has done so for 30 s, enough is enough. *tries counts, from 0. Never on a
 * thread that somebody waits for while memory may be his to give back.
 */
bool fx_patience(unsigned int *tries);

/* The pointer of an allocation, tried again while it is NULL and patience lasts. */
#define FX_PATIENTLY(allocation)                                                                   \
	({                                                                                         \
		unsigned int tries_ = 0;                                                           \
		__auto_type p_ = (allocation);                                                     \
		while (!p_ && fx_patience(&tries_))                                                \
			p_ = (allocation);                                                         \
		p_;                                                                                \
	})

/* The same for a call that answers -ENOMEM, and has changed nothing then. */
#define FX_PATIENTLY_TRY(call)                                                                     \
	({                                                                                         \
		unsigned int tries_ = 0;                                                           \
		int err_ = (call);                                                                 \
		while (err_ == -ENOMEM && fx_patience(&tries_))                                    \
			err_ = (call);                                                             \
		err_;                                                                              \
	})

#endif
