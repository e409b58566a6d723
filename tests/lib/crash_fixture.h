/* SPDX-License-Identifier: Apache-2.0 */
/* crash_fixture.h - opening what is on disk now, as after a crash; numbers of a store. */
#ifndef FX_CRASH_FIXTURE_H
#define FX_CRASH_FIXTURE_H

#include "fixture.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

static inline struct feox_stats stats_of(struct fixture *f)
{
	struct feox_stats stats;

	assert_int_equal(feox_stats(f->store, &stats), 0);
	return stats;
}

/* Close as a crash does: what is on disk now is what is opened next. */
static inline void crash(struct fixture *f)
{
	char copy[PATH_MAX + 8];
	struct stat st;
	int from, to;

	snprintf(copy, sizeof(copy), "%s.copy", f->path);
	from = open(f->path, O_RDONLY | O_CLOEXEC);
	to = open(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(fstat(from, &st), 0);
	for (off_t left = st.st_size; left;) {
		ssize_t n = sendfile(to, from, NULL, (size_t)left);

		assert_true(n > 0);
		left -= n;
	}
	close(from);
	close(to);
	close_store(f);
	assert_int_equal(rename(copy, f->path), 0);
	open_file_store(f);
}

#endif
