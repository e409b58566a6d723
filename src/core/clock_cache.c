/* SPDX-License-Identifier: Apache-2.0 */
#include "clock_cache.h"

#define STEP_WORDS 512u /* in one epoch section */
#define ROUNDS	   2u
#define WORTH	   32u /* bytes of an inline value: its record is made anew without it */

bool fx_clock_is_clean(fx_word word)
{
	const struct fx_record *record = fx_word_record(word);
	const struct fx_value *apart;

	if (!word || fx_word_state(word) != FX_SLOT_LIVE || !fx_record_is(record, FX_DURABLE))
		return false;
	if (!(record->flags & FX_RECORD_APART))
		return record->value_size > WORTH &&
		       atomic_load_explicit(&record->refs, memory_order_relaxed) == 1;
	apart = fx_record_value(record);
	return apart && atomic_load_explicit(&apart->refs, memory_order_relaxed) == 1;
}

struct hand {
	struct fx_clock_cache *clock;
	uint64_t wanted, given, words;
};

static void pass(void *ctx, fx_slot *slot, fx_word word)
{
	struct hand *hand = ctx;

	hand->words++;
	if (hand->given >= hand->wanted || !fx_clock_is_clean(word) || fx_slot_unreference(slot))
		return;
	hand->given += hand->clock->evict(hand->clock->ctx, slot, word);
}

uint64_t fx_clock_evict(struct fx_clock_cache *clock, uint64_t wanted, uint64_t max_words,
			uint64_t *ret_words)
{
	struct hand hand = {.clock = clock, .wanted = wanted};
	/* From the middle of the table: the first part counts only when it is come by again. */
	unsigned int rounds = clock->cursor ? ROUNDS + 1 : ROUNDS;

	while (rounds && hand.given < wanted && hand.words < max_words) {
		fx_epoch_enter();
		fx_hash_index_walk(clock->hash, &clock->cursor, STEP_WORDS, pass, &hand);
		fx_epoch_leave();
		rounds -= !clock->cursor;
	}
	*ret_words = hand.words;
	return hand.given;
}
