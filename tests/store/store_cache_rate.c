/* SPDX-License-Identifier: Apache-2.0 */
/* FEOX_OPEN_CACHE: how often it hits, held against a CLOCK as the textbooks have it. */
#include "cache_fixture.h"

#include <math.h>

#define UNIVERSE 100000u
#define REQUESTS 600000u
#define SCANNED	 100000u

static uint64_t random_state;

static double uniform(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (double)(random_state >> 11) / (double)(UINT64_C(1) << 53);
}

/* Zipf's distribution with exponent 0.99, as YCSB has it (Gray et al., 1994). */
static uint64_t zipfian(void)
{
	static double zeta, zeta2, alpha, eta;
	const double theta = 0.99;
	double u = uniform(), uz;

	if (zeta == 0) {
		for (unsigned int i = 1; i <= UNIVERSE; i++)
			zeta += 1 / pow(i, theta);
		zeta2 = 1 + pow(0.5, theta);
		alpha = 1 / (1 - theta);
		eta = (1 - pow(2.0 / UNIVERSE, 1 - theta)) / (1 - zeta2 / zeta);
	}
	uz = u * zeta;
	if (uz < 1)
		return 0;
	if (uz < zeta2)
		return 1;
	return (uint64_t)(UNIVERSE * pow(eta * u - eta + 1, alpha));
}

/* A CLOCK of so many frames, as the textbooks have it. */
struct clock {
	unsigned int frames, used, hand;
	int32_t *frame_of; /* by number; -1 */
	uint32_t *number;  /* by frame */
	bool *referenced;
};

static bool clock_get(struct clock *c, uint64_t number)
{
	int32_t frame = c->frame_of[number];

	if (frame >= 0) {
		c->referenced[frame] = true;
		return true;
	}
	if (c->used < c->frames) {
		frame = (int32_t)c->used++;
	} else {
		while (c->referenced[c->hand]) {
			c->referenced[c->hand] = false;
			c->hand = (c->hand + 1) % c->frames;
		}
		frame = (int32_t)c->hand;
		c->hand = (c->hand + 1) % c->frames;
		c->frame_of[c->number[frame]] = -1;
	}
	c->frame_of[number] = frame;
	c->number[frame] = (uint32_t)number;
	c->referenced[frame] = false;
	return false;
}

static void clock_init(struct clock *c, unsigned int frames)
{
	size_t universe = UNIVERSE + SCANNED;

	*c = (struct clock){.frames = frames,
			    .frame_of = malloc(universe * sizeof(int32_t)),
			    .number = calloc(frames, sizeof(uint32_t)),
			    .referenced = calloc(frames, sizeof(bool))};
	for (size_t i = 0; i < universe; i++)
		c->frame_of[i] = -1;
}

static void clock_clear(struct clock *c)
{
	free(c->frame_of);
	free(c->number);
	free(c->referenced);
}

/* Get, and fill on a miss. */
static bool cache_get(struct feox_store *store, uint64_t number)
{
	if (get_number(store, number))
		return true;
	assert_int_equal(put_number(store, number, 450), 0);
	return false;
}

static unsigned int run(struct feox_store *store, struct clock *clock, unsigned int *ret_hits)
{
	unsigned int hits = 0;

	*ret_hits = 0;
	for (unsigned int i = 0; i < REQUESTS; i++) {
		uint64_t number = zipfian();

		*ret_hits += cache_get(store, number);
		hits += clock && clock_get(clock, number);
	}
	return hits;
}

/* About 30 % of the keys fit. The first run is for both to fill. */
static void it_hits_as_often_as_a_clock(void **state)
{
	struct fixture *f = *state;
	unsigned int hits, expected;
	struct clock clock;

	random_state = 88172645463325252;
	open_cache(f);
	run(f->store, NULL, &hits);
	clock_init(&clock, (unsigned int)stats_of(f->store).keys);
	run(f->store, &clock, &hits);
	expected = run(f->store, &clock, &hits);
	print_message("%llu of %u keys; hits: %.2f %%, CLOCK: %.2f %%\n",
		      (unsigned long long)stats_of(f->store).keys, UNIVERSE,
		      100.0 * hits / REQUESTS, 100.0 * expected / REQUESTS);
	assert_in_range(clock.frames, UNIVERSE * 2 / 10, UNIVERSE * 4 / 10);
	assert_true(hits >= expected - REQUESTS * 2 / 100);

	/* Keys that are filled once, more than fit, in between. */
	hits = expected = 0;
	for (uint64_t i = 0; i < SCANNED; i++) {
		uint64_t number = zipfian();

		cache_get(f->store, UNIVERSE + i);
		clock_get(&clock, UNIVERSE + i);
		hits += cache_get(f->store, number);
		expected += clock_get(&clock, number);
	}
	print_message("during a scan: %.2f %%, CLOCK: %.2f %%\n", 100.0 * hits / SCANNED,
		      100.0 * expected / SCANNED);
	assert_true(hits >= expected - SCANNED * 2 / 100);
	assert_true(hits >= SCANNED / 2);
	clock_clear(&clock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_hits_as_often_as_a_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
