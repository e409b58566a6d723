/* SPDX-License-Identifier: Apache-2.0 */
/* cleanup.h - scope cleanup of memory, descriptors and locks (GCC's and clang's cleanup attribute).
 */
#ifndef FX_CLEANUP_H
#define FX_CLEANUP_H

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static inline void fx_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void fx_cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void fx_cleanup_unlock(pthread_mutex_t **mutex)
{
	if (*mutex)
		pthread_mutex_unlock(*mutex);
}

static inline pthread_mutex_t *fx_lock(pthread_mutex_t *mutex)
{
	pthread_mutex_lock(mutex);
	return mutex;
}

#define FX_AUTO_FREE  __attribute__((cleanup(fx_cleanup_free)))
#define FX_AUTO_CLOSE __attribute__((cleanup(fx_cleanup_close)))

/* Hold mutex from here to the end of the scope. */
#define FX_CONCAT_(a, b) a##b
#define FX_CONCAT(a, b)	 FX_CONCAT_(a, b)
#define FX_LOCKED(mutex)                                                                           \
	__attribute__((cleanup(fx_cleanup_unlock), unused)) pthread_mutex_t *FX_CONCAT(            \
		fx_locked_, __LINE__) = fx_lock(mutex)

/* Hand the pointer out of the scope that would free it. */
#define FX_STEAL(p)                                                                                \
	({                                                                                         \
		__auto_type s_ = (p);                                                              \
		(p) = NULL;                                                                        \
		s_;                                                                                \
	})

#define FX_MAX(a, b) ((a) > (b) ? (a) : (b))
#define FX_MIN(a, b) ((a) < (b) ? (a) : (b))

#endif
