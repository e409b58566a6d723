/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes as bytes, and back. */
#include "fixture.h"

#include "attr.h"

#define ALL_FIELDS 255u

static struct fx_attr round_trip(const struct fx_attr *attr)
{
	size_t size = fx_attr_size(attr);
	uint8_t *blob = malloc(size); /* exactly: a sanitizer sees what goes beyond */
	struct fx_attr back;

	assert_int_equal(fx_attr_encode(attr, blob), size);
	assert_int_equal(fx_attr_decode(blob, size, &back), 0);
	assert_int_equal(back.set, attr->set);
	free(blob);
	return back;
}

static void assert_time(struct timespec time, int64_t s, long ns)
{
	assert_int_equal(time.tv_sec, s);
	assert_int_equal(time.tv_nsec, ns);
}

static void fields_round_trip(void **state)
{
	const struct fx_attr attr = {
		.set = ALL_FIELDS,
		.mode = 0100640,
		.uid = 12,
		.gid = UINT32_MAX - 1,
		.atime = {1, 2},
		.mtime = {-1, 999999999},
		.ctime = {1764000000, 123456789},
		.ino = UINT64_MAX,
		.rdev = 0x801,
	};
	struct fx_attr back = round_trip(&attr);

	assert_int_equal(back.mode, attr.mode);
	assert_int_equal(back.uid, attr.uid);
	assert_int_equal(back.gid, attr.gid);
	assert_time(back.atime, 1, 2);
	assert_time(back.mtime, -1, 999999999);
	assert_time(back.ctime, 1764000000, 123456789);
	assert_int_equal(back.ino, attr.ino);
	assert_int_equal(back.rdev, attr.rdev);
}

/* Of 0 no byte was left, and a time of no bytes means "as mtime". */
static void first_moment_of_1970_is_not_mtime(void **state)
{
	struct fx_attr attr = {
		.set = FX_ATTR_ATIME | FX_ATTR_MTIME | FX_ATTR_CTIME,
		.mtime = {1000, 0},
	};
	struct fx_attr back = round_trip(&attr);

	assert_time(back.atime, 0, 0);
	assert_time(back.mtime, 1000, 0);
	assert_time(back.ctime, 0, 0);
	attr.mtime.tv_sec = 0;
	attr.ctime.tv_sec = 5;
	back = round_trip(&attr);
	assert_time(back.atime, 0, 0);
	assert_time(back.mtime, 0, 0);
	assert_time(back.ctime, 5, 0);
	attr.set = FX_ATTR_ATIME;
	assert_time(round_trip(&attr).atime, 0, 0);
}

/* 2300 became 1715: what 64 bits of nanoseconds do not hold is stored as the bound. */
static void far_times_are_clamped(void **state)
{
	static const struct {
		int64_t s;
		long ns;
		int64_t expected_s;
		long expected_ns;
	} times[] = {
		{10413792000, 5, FX_TIME_MAX_S, 0}, /* 2300 */
		{INT64_MAX, 999999999, FX_TIME_MAX_S, 0},
		{FX_TIME_MAX_S, 1, FX_TIME_MAX_S, 0},
		{FX_TIME_MAX_S - 1, 999999999, FX_TIME_MAX_S - 1, 999999999},
		{FX_TIME_MIN_S, 0, FX_TIME_MIN_S, 0},
		{FX_TIME_MIN_S, 1, FX_TIME_MIN_S, 1},
		{FX_TIME_MIN_S - 1, 999999999, FX_TIME_MIN_S, 0},
		{-11676096000, 0, FX_TIME_MIN_S, 0}, /* 1600 */
		{INT64_MIN, 0, FX_TIME_MIN_S, 0},
	};

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		struct timespec time = {.tv_sec = times[i].s, .tv_nsec = times[i].ns};
		struct fx_attr attr = {.set = FX_ATTR_MTIME, .mtime = time};
		struct timespec clamped = fx_time_clamp(time);

		assert_time(clamped, times[i].expected_s, times[i].expected_ns);
		assert_time(round_trip(&attr).mtime, clamped.tv_sec, clamped.tv_nsec);
	}
}

/* Whatever the bytes are, nothing beyond them is read (a sanitizer sees it), nothing is half set.
 */
static void hostile_blobs_are_refused(void **state)
{
	const struct fx_attr attr = {.set = ALL_FIELDS,
				     .mtime = {1, 0},
				     .ino = 77,
				     .xattrs = (const uint8_t *)"user.a\0\3\0\0\0abc",
				     .xattrs_size = 14};
	size_t size = fx_attr_size(&attr);
	uint8_t *whole = malloc(size);
	struct fx_attr back;

	fx_attr_encode(&attr, whole);
	for (size_t cut = 0; cut < size; cut++) {
		uint8_t *blob = malloc(cut ? cut : 1);

		memcpy(blob, whole, cut);
		if (fx_attr_decode(blob, cut, &back))
			assert_int_equal(back.set, 0);
		for (size_t at = 0; at < cut; at++) {
			blob[at] ^= 0xff;
			if (fx_attr_decode(blob, cut, &back))
				assert_int_equal(back.set, 0);
			blob[at] ^= 0xff;
		}
		free(blob);
	}
	whole[0] = 2;
	assert_int_equal(fx_attr_decode(whole, size, &back), -EUCLEAN);
	free(whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(fields_round_trip),
		TEST(first_moment_of_1970_is_not_mtime),
		TEST(far_times_are_clamped),
		TEST(hostile_blobs_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
