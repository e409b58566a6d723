/* SPDX-License-Identifier: Apache-2.0 */
#include "patience.h"

#include <time.h>

#define PAUSE_NS  10000000L
#define TRIES_MAX 3000u

bool fx_patience(unsigned int *tries)
{
	struct timespec pause = {.tv_nsec = PAUSE_NS};

	if (++*tries > TRIES_MAX)
		return false;
	nanosleep(&pause, NULL);
	return true;
}
