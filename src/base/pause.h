/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pause.h - places where a test may stop a thread, to show who goes on while it stands there.
 *
 * A lock-free structure puts FX_PAUSE(point) between the steps of its writers. In the product that
 * is nothing. In the copy of the library that tests link (test_paused_deps in
 * tests/meson.build, compiled with FX_TEST_PAUSE) it calls fx_pause_point(), which the test program
 * defines: it may block there for as long as it likes.
 *
 * The points of a module are an enum in its private header, from FX_PAUSE_<MODULE> below on, so
 * that no two modules share a number.
 */
#ifndef FX_PAUSE_H
#define FX_PAUSE_H

enum fx_pause_base {
	FX_PAUSE_HASH_INDEX = 100,
	FX_PAUSE_ORDERED_INDEX = 200,
	FX_PAUSE_ENGINE = 300,
};

#ifdef FX_TEST_PAUSE
void fx_pause_point(int point); /* the test program's */
#define FX_PAUSE(point) fx_pause_point(point)
#else
#define FX_PAUSE(point) ((void)0)
#endif

#endif
