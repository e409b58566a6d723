/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - feox_check(): is a store what it should be?
 *
 * It reads a store the way recovery does, by the same functions: what they take for damage is
 * damage here, and what they read past (a torn last batch, an older superblock) is a note. Where
 * recovery ends at the first damage of an extent or a key, the check goes on without it, so that
 * all is found.
 *
 *   superblocks   each copy; none valid: the journal is lost
 *   journal       every record; damage: it is lost, for what comes behind it cannot be known (I2)
 *   map           every block has one owner (I3)
 *   records       every directory; no key lives twice
 *   values        every extent's checksum, every live value's (I7)
 *   mend          check_mend.c: what may be, in a new chain beside the old one
 *
 * Nothing is written before all has been read. Then a new chain and its superblocks are written as
 * at any checkpoint: only to free blocks, and what they replace stays whole until both superblocks
 * name the new one. So a crash leaves the store as it was found, or mended.
 */
#include "check.h"

#include "cleanup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_FLAGS (FEOX_CHECK_QUICK | FEOX_CHECK_REPAIR | FEOX_CHECK_SALVAGE)
#define TEXT_MAX    ((size_t)512)

/* ---- Findings ----------------------------------------------------------------------------------
 */

void fx_check_find(struct fx_check *check, enum feox_severity severity, uint64_t block,
		   const void *key, size_t key_size, const char *format, ...)
{
	char text[TEXT_MAX];
	struct feox_finding finding = {.severity = severity,
				       .text = text,
				       .block = block,
				       .key = key,
				       .key_size = key_size};
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (severity == FEOX_NOTE)
		check->result.notes++;
	else if (severity == FEOX_FAULT)
		check->result.faults++;
	else
		check->result.losses++;
	if (check->options->report)
		check->options->report(check->options->report_ctx, &finding);
}

int fx_check_progress(struct fx_check *check, enum feox_check_stage stage, uint64_t done,
		      uint64_t total)
{
	const struct feox_check_options *o = check->options;

	if (!check->cancelled && o->progress && o->progress(o->progress_ctx, stage, done, total))
		check->cancelled = true;
	return check->cancelled ? -ECANCELED : 0;
}

int fx_check_drop(struct fx_check *check, const struct fx_extent *extent)
{
	if (extent->number >= check->dropped_capacity) {
		uint32_t capacity = 2 * extent->number + 1024;
		uint8_t *dropped = realloc(check->dropped, capacity);

		if (!dropped)
			return -ENOMEM;
		memset(dropped + check->dropped_capacity, 0, capacity - check->dropped_capacity);
		check->dropped = dropped;
		check->dropped_capacity = capacity;
	}
	if (!check->dropped[extent->number])
		check->result.lost_keys += extent->live_count;
	check->dropped[extent->number] = 1;
	return 0;
}

bool fx_check_is_dropped(const struct fx_check *check, uint32_t number)
{
	return number < check->dropped_capacity && check->dropped[number];
}

int fx_check_kill(struct fx_check *check, uint32_t extent, uint32_t index)
{
	if (check->dead_count == check->dead_capacity) {
		size_t capacity = check->dead_capacity ? 2 * check->dead_capacity : 64;
		struct fx_check_dead *dead = realloc(check->dead, capacity * sizeof(*dead));

		if (!dead)
			return -ENOMEM;
		check->dead = dead;
		check->dead_capacity = capacity;
	}
	check->dead[check->dead_count++] = (struct fx_check_dead){extent, index};
	return 0;
}

/* ---- Superblocks -------------------------------------------------------------------------------
 */

static bool same_identity(const struct fx_superblock *a, const struct fx_superblock *b)
{
	return !memcmp(a->uuid, b->uuid, FX_UUID_SIZE) && a->hash_seed == b->hash_seed &&
	       a->separator == b->separator && a->created_ns == b->created_ns;
}

static void compare_copies(struct fx_check *check, const struct fx_super_copy copies[2])
{
	const struct fx_superblock *a = &copies[0].super, *b = &copies[1].super;

	if (!same_identity(a, b) ||
	    (a->generation == b->generation &&
	     (a->blocks != b->blocks || a->chain_generation != b->chain_generation ||
	      a->chain_block != b->chain_block || a->chain_blocks != b->chain_blocks))) {
		fx_check_find(check, FEOX_FAULT, a->generation > b->generation, NULL, 0,
			      "the two superblocks are not of one store: the newer one counts");
	} else if (a->generation != b->generation) {
		check->stale++;
		fx_check_find(check, FEOX_NOTE, a->generation > b->generation, NULL, 0,
			      "this superblock is older than the other one, which counts");
	}
}

/* Whether something else lies there, only a search for extents can say when both are no more. */
static bool is_store(struct fx_check *check, const struct fx_super_copy copies[2])
{
	uint64_t size = check->store->device->size;

	if (size < (FX_DATA_START + 1) * FX_BLOCK) {
		fx_diag(check->diag, -EUCLEAN, "not a feox store (too short)");
		return false;
	}
	if ((check->options->flags & FEOX_CHECK_SALVAGE) ||
	    strcmp(copies[0].why, FX_BAD_MAGIC) != 0 || strcmp(copies[1].why, FX_BAD_MAGIC) != 0)
		return true;
	fx_diag(check->diag, -EUCLEAN,
		"not a feox store (bad magic in both superblocks); a salvage would search for the "
		"remains of one");
	return false;
}

static int check_superblocks(struct fx_check *check)
{
	struct feox_store *store = check->store;
	struct fx_super_copy copies[2];
	int newest = fx_superblocks_look(store, copies);

	if (newest < 0 && !is_store(check, copies))
		return -EUCLEAN;
	for (unsigned int i = 0; i < 2; i++) {
		if (copies[i].err == -ENOTSUP)
			return fx_diag(check->diag, -ENOTSUP, "%s", copies[i].why);
		if (copies[i].err)
			fx_check_find(check, newest < 0 ? FEOX_LOSS : FEOX_FAULT, i, NULL, 0,
				      "superblock %c is damaged: %s", 'A' + (int)i, copies[i].why);
	}
	if (newest < 0) {
		check->superblock_lost = true;
		check->journal_lost = true;
		return 0;
	}
	if (!copies[0].err && !copies[1].err)
		compare_copies(check, copies);
	store->super_first = (unsigned int)newest ^ 1u;
	store->super = copies[newest].super;
	store->separator = store->super.separator;
	if (store->super.blocks > store->device->size / FX_BLOCK)
		fx_check_find(check, FEOX_LOSS, store->device->size / FX_BLOCK, NULL, 0,
			      "cut off: %llu bytes are there, the store has %llu",
			      (unsigned long long)store->device->size,
			      (unsigned long long)store->super.blocks * FX_BLOCK);
	return 0;
}

/* ---- Journal -----------------------------------------------------------------------------------
 */

static int check_journal(struct fx_check *check)
{
	struct fx_recovery *recovery = &check->recovery;
	int err;

	if (check->journal_lost)
		return 0;
	err = fx_recover_chain(check->store, recovery);
	check->result.journal_records = recovery->journal_records;
	check->result.clean = !err && recovery->clean;
	if (err == -EUCLEAN || err == -EIO) {
		const char *text = recovery->diag->text;

		text += strncmp(text, "damaged: ", 9) ? 0 : 9;
		check->journal_lost = true;
		fx_check_find(check, FEOX_LOSS, check->store->super.chain_block, NULL, 0,
			      "the journal that begins here is damaged: %s", text);
		return 0;
	}
	if (err)
		return fx_diag(check->diag, err, "%s",
			       recovery->diag->text[0] ? recovery->diag->text : strerror(-err));
	fx_recover_freed(check->store);
	if (recovery->torn) {
		check->stale++;
		fx_check_find(check, FEOX_NOTE, FEOX_NOWHERE, NULL, 0,
			      "the last batch was not written to its end: it never happened");
	} else if (!recovery->clean) {
		check->stale++;
		fx_check_find(check, FEOX_NOTE, FEOX_NOWHERE, NULL, 0,
			      "the store was not closed in order");
	}
	return 0;
}

/* ---- Map ---------------------------------------------------------------------------------------
 */

/* What is there of the store. */
static uint64_t blocks_there(const struct feox_store *store)
{
	return FX_MIN(store->super.blocks, store->device->size / FX_BLOCK);
}

int fx_check_map(struct fx_check *check,
		 int (*found)(struct fx_check *check, struct fx_extent *extent, uint64_t block))
{
	struct feox_store *store = check->store;
	uint64_t blocks = blocks_there(store), block = 0;
	struct fx_extent *extent;
	uint32_t cursor = 0;
	int err;

	fx_space_destroy(store->space);
	store->space = NULL;
	err = fx_space_create(&store->space);
	if (!err && blocks > FX_DATA_START)
		err = fx_space_free(store->space,
				    (struct fx_run){FX_DATA_START, blocks - FX_DATA_START});
	if (!err)
		err = fx_map_take(store, store->chain->runs, store->chain->run_count, &block);
	if (err == -EUCLEAN) { /* a segment twice, or one that is partly cut off */
		fx_check_find(check, FEOX_LOSS, block, NULL, 0,
			      "two owners of one block: the journal, twice");
		check->journal_lost = true;
		return 0;
	}
	while (!err && (extent = fx_extent_table_next(store->extents, &cursor))) {
		if (fx_check_is_dropped(check, extent->number))
			continue;
		err = fx_map_take(store, extent->runs, extent->run_count, &block);
		if (err == -EUCLEAN)
			err = found(check, extent, block);
	}
	return err;
}

static int report_overlap(struct fx_check *check, struct fx_extent *extent, uint64_t block)
{
	bool beyond = false;

	for (uint32_t i = 0; i < extent->run_count; i++)
		if (extent->runs[i].start + extent->runs[i].blocks > blocks_there(check->store))
			beyond = true;
	if (beyond) {
		fx_check_find(check, FEOX_LOSS, block, NULL, 0,
			      "extent %llu is cut off, with %u keys",
			      (unsigned long long)extent->sequence, extent->live_count);
		fx_check_guess_names(check, extent);
		return fx_check_drop(check, extent);
	}
	check->overlaps = true;
	fx_check_find(check, FEOX_LOSS, block, NULL, 0,
		      "two owners of one block: extent %llu (from block %llu), and another one",
		      (unsigned long long)extent->sequence,
		      (unsigned long long)extent->runs[0].start);
	return 0;
}

/* ---- Records -----------------------------------------------------------------------------------
 */

/* Of two records with one key the newer one stays. */
static int report_twin(struct fx_check *check, const struct fx_damage *damage)
{
	const struct fx_extent_entry *twin = damage->twin;
	fx_location first = fx_record_location(damage->first);

	fx_check_find(check, FEOX_LOSS, damage->extent->runs[0].start, twin->key, twin->key_size,
		      "a key that lives twice, in versions %llu and %llu: the newer one stays",
		      (unsigned long long)damage->first->version,
		      (unsigned long long)twin->version);
	if (twin->version > damage->first->version)
		return fx_check_kill(check, fx_location_extent(first), fx_location_index(first));
	return fx_check_kill(check, damage->extent->number, damage->twin_index);
}

static int record_damage(void *ctx, const struct fx_damage *damage)
{
	struct fx_check *check = ctx;
	const struct fx_extent *extent = damage->extent;

	if (check->cancelled)
		return -ECANCELED;
	if (damage->twin)
		return report_twin(check, damage);
	if (fx_check_is_dropped(check, extent->number))
		return 0;
	fx_check_find(check, FEOX_LOSS, extent->runs[0].start, NULL, 0,
		      "extent %llu, with %u keys: %s", (unsigned long long)extent->sequence,
		      extent->live_count, damage->what);
	fx_check_guess_names(check, extent);
	return fx_check_drop(check, extent);
}

static void load_progress(void *ctx, uint64_t done, uint64_t total)
{
	fx_check_progress(ctx, FEOX_CHECK_KEYS, done, total);
}

static int check_records(struct fx_check *check)
{
	int err = fx_load_records(check->store, &check->recovery);

	if (!err && check->cancelled)
		err = -ECANCELED;
	check->result.extents = fx_extent_table_count(check->store->extents);
	check->result.keys = (uint64_t)fx_sum_keys(check->store);
	return err;
}

/* ---- All of it ---------------------------------------------------------------------------------
 */

static int attach(struct fx_check *check, bool device)
{
	const struct feox_check_options *o = check->options;
	bool writes = o->flags & (FEOX_CHECK_REPAIR | FEOX_CHECK_SALVAGE);
	struct feox_options options = {
		.path = o->path,
		.flags = FEOX_OPEN_NO_URING | (writes ? 0 : FEOX_OPEN_READ_ONLY),
		.separator = o->separator,
		.now = o->now,
		.now_ctx = o->now_ctx,
	};
	struct feox_store *store;
	int err = fx_store_new(&options, &store, check->diag);

	if (err)
		return err;
	if (check->store) {
		store->device = FX_STEAL(check->store->device);
		store->lock = check->store->lock;
		check->store->lock.fd = -1;
		store->super = check->store->super;
		store->super_first = check->store->super_first;
		fx_store_free(check->store);
	}
	check->store = store;
	return device ? fx_store_attach(store, &options, check->diag) : 0;
}

int fx_check_reset(struct fx_check *check)
{
	check->dropped_capacity = 0; /* the extents get other numbers */
	free(FX_STEAL(check->dropped));
	check->dead_count = 0;
	check->overlaps = false;
	check->result.lost_keys = 0;
	return attach(check, false);
}

static int check_contents(struct fx_check *check)
{
	bool quick = check->options->flags & FEOX_CHECK_QUICK;
	int err = fx_check_map(check, report_overlap);

	if (err || check->journal_lost)
		return err;
	err = check_records(check);
	/* Of extents that overlap, their contents say which one is right. */
	if (!err && (!quick || check->overlaps))
		err = fx_check_values(check);
	return err;
}

static int check_all(struct fx_check *check)
{
	unsigned int flags = check->options->flags;
	int err = check_superblocks(check);

	if (!err)
		err = check_journal(check);
	if (!err && !check->journal_lost)
		err = check_contents(check);
	if (!err && check->journal_lost && (flags & FEOX_CHECK_SALVAGE))
		err = fx_salvage(check);
	if (!err && (flags & (FEOX_CHECK_REPAIR | FEOX_CHECK_SALVAGE)))
		err = fx_check_mend(check);
	return err;
}

FEOX_API int feox_check(const struct feox_check_options *options,
			struct feox_check_result *ret_result, struct feox_diag *diag)
{
	struct feox_diag scratch = {""};
	struct fx_check check = {.options = options, .diag = diag ? diag : &scratch};
	int err;

	if (!options || !options->path || !ret_result ||
	    (options->flags & ~(unsigned int)CHECK_FLAGS))
		return -EINVAL;
	check.recovery = (struct fx_recovery){.progress = load_progress,
					      .progress_ctx = &check,
					      .diag = &check.recovery_diag,
					      .damage = record_damage,
					      .damage_ctx = &check};
	check.diag->text[0] = '\0';
	err = attach(&check, true);
	if (!err)
		err = check_all(&check);
	if (!err) {
		fx_store_identify(check.store, &check.result.identity);
		*ret_result = check.result;
	} else if (!check.diag->text[0]) {
		fx_diag(check.diag, err, "%s", strerror(-err));
	}
	if (check.store)
		fx_store_free(check.store);
	fx_found_free(check.recovery.found);
	free(check.dropped);
	free(check.dead);
	return err;
}
