/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recovery.c - from a device to one point in time.
 *
 *   superblock     the valid copy with the highest generation (I10)
 *   chain          records (generation, sequence 1, 2, ...) one after another
 *   end            not before the superblock says that there are records at least
 *   last record    only it can be torn: record n+1 was not submitted before the fdatasync of n
 *                  returned. A record is applied when its successor has been found; the last one
 *                  only if all its extents are whole (I2). A record that cannot be read although a
 *                  later one of its generation exists is damage: reported, never guessed around.
 *   map            recovery_map.c, as what follows
 *   records        load.c
 *   new chain      a writable store begins with a checkpoint of what was found. Until its
 *                  superblock is written nothing on disk has changed: a crash in here finds the
 *                  same again (I6)
 *
 * The image is not trusted: every number is checked before it is used.
 */
#include "recovery.h"

#include "bytes.h"
#include "cleanup.h"
#include "disk_read.h"
#include "extent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct walk {
	struct feox_store *store;
	struct fx_recovery *recovery;
	struct feox_diag *diag; /* the recovery's */
	/* Found and verified, not yet applied: its successor has to be seen first. */
	uint8_t *record;
	struct fx_journal_header header;
	bool checkpointed; /* the end record of the checkpoint has been applied */
};

static int damaged(struct walk *walk, const char *what, uint64_t block)
{
	return fx_diag(walk->diag, -EUCLEAN, "damaged: %s (block %llu)", what,
		       (unsigned long long)block);
}

/* The same if that is what err says. */
static int check(struct walk *walk, int err, const char *what)
{
	return err == -EUCLEAN ? damaged(walk, what, walk->header.block) : err;
}

/* ---- Applying a record -------------------------------------------------------------------------
 */

static bool run_is_valid(const struct feox_store *store, uint64_t start, uint64_t blocks)
{
	return blocks && start >= FX_DATA_START && start < store->super.blocks &&
	       blocks <= store->super.blocks - start;
}

/*
 * The runs of an extent, to be freed. They are as long as its bytes need, and no longer than the
 * store: so what is allocated for it is bounded. -EUCLEAN: no such extent can be; -ENOMEM.
 */
static int read_runs(const struct feox_store *store, const struct fx_journal_extent *e,
		     struct fx_run **ret_runs)
{
	uint64_t need = fx_div_up(e->bytes, FX_BLOCK), blocks = 0;
	FX_AUTO_FREE struct fx_run *runs = NULL;

	if (e->bytes > FX_EXTENT_BYTES_MAX || need > store->super.blocks)
		return -EUCLEAN;
	runs = malloc(e->run_count * sizeof(*runs));
	if (!runs)
		return -ENOMEM;
	for (uint32_t i = 0; i < e->run_count; i++) {
		struct fx_journal_run run = fx_journal_run_decode(e->runs, i);

		if (!run_is_valid(store, run.start, run.blocks) || run.blocks > need - blocks)
			return -EUCLEAN;
		runs[i] = (struct fx_run){run.start, run.blocks};
		blocks += run.blocks;
	}
	if (blocks != need || e->bytes < FX_EXTENT_HEADER ||
	    e->directory_bytes > e->bytes - FX_EXTENT_HEADER ||
	    e->records > e->directory_bytes / FX_EXTENT_ENTRY_MIN)
		return -EUCLEAN;
	*ret_runs = FX_STEAL(runs);
	return 0;
}

static int apply_extent(struct walk *walk, const struct fx_journal_extent *e)
{
	FX_AUTO_FREE uint64_t *live = NULL;
	FX_AUTO_FREE struct fx_run *runs = NULL;
	struct fx_extent *extent;
	uint32_t words = (e->records + 63) / 64;
	int err = check(walk, read_runs(walk->store, e, &runs), "an extent that cannot be");

	if (err)
		return err;
	if (e->live_bitmap) {
		live = malloc((size_t)words * 8);
		if (!live)
			return -ENOMEM;
		for (uint32_t i = 0; i < words; i++)
			live[i] = fx_get_u64(e->live_bitmap + (size_t)i * 8);
	}
	err = fx_extent_table_add(walk->store->extents, e->sequence, e->bytes, e->directory_bytes,
				  e->records, e->checksum, runs, e->run_count, live, &extent);
	if (!err && !live)
		err = fx_found_added(walk->recovery->found, extent, walk->header.sequence);
	return err == -EINVAL ? damaged(walk, "an extent named twice", walk->header.block) : err;
}

static int apply_freed(struct walk *walk, uint64_t sequence)
{
	struct fx_extent *extent = fx_extent_table_by_sequence(walk->store->extents, sequence);

	if (!extent)
		return damaged(walk, "an unknown extent is freed", walk->header.block);
	fx_extent_table_remove(walk->store->extents, extent);
	return 0;
}

static int apply_dead(struct walk *walk, uint64_t sequence, const uint8_t *indexes, uint32_t count)
{
	struct fx_extent *extent = fx_extent_table_by_sequence(walk->store->extents, sequence);

	for (uint32_t i = 0; i < count; i++)
		if (!extent || fx_extent_kill(walk->store->extents, extent,
					      fx_get_u16(indexes + (size_t)i * 2)))
			return damaged(walk, "a record dies twice", walk->header.block);
	return 0;
}

static int apply_section(struct walk *walk, struct fx_journal_reader *r)
{
	struct fx_journal_extent extent;
	const uint8_t *indexes;
	uint64_t sequence;
	uint32_t count;
	int more, err = 0;

	if (r->type == FX_SECTION_AMEND || r->type == FX_SECTION_PREFIX)
		return check(walk, fx_found_read(walk->recovery->found, r, walk->header.sequence),
			     "an amendment that makes no sense");
	for (;;) {
		switch (r->type) {
		case FX_SECTION_FREED:
			more = fx_journal_next_freed(r, &sequence);
			if (more == 1)
				err = apply_freed(walk, sequence);
			break;
		case FX_SECTION_DEAD:
			more = fx_journal_next_dead(r, &sequence, &indexes, &count);
			if (more == 1)
				err = apply_dead(walk, sequence, indexes, count);
			break;
		default:
			more = fx_journal_next_extent(r, &extent);
			if (more == 1)
				err = apply_extent(walk, &extent);
		}
		if (more < 0)
			return damaged(walk, "a journal record that makes no sense",
				       walk->header.block);
		if (err || !more)
			return err;
	}
}

static int apply(struct walk *walk)
{
	const struct fx_journal_header *h = &walk->header;
	struct fx_journal_reader r;
	int more, err = 0;

	if ((h->type == FX_JOURNAL_COMMIT) != walk->checkpointed && !h->next_block)
		return damaged(walk, "a journal record out of order", h->block);
	if (h->version_ceiling > FX_VERSION_MAX || h->id_ceiling > FX_ID_MAX)
		return damaged(walk, "a journal record that makes no sense", h->block);
	fx_journal_read(&r, walk->record, h);
	while (!err && (more = fx_journal_next_section(&r)) > 0)
		if (more == 1)
			err = apply_section(walk, &r);
	if (!err && more < 0)
		err = more == -ENOTSUP
			      ? fx_diag(walk->diag, -ENOTSUP, "written by a newer version")
			      : damaged(walk, "a journal record that makes no sense", h->block);
	if (h->type == FX_JOURNAL_END)
		walk->checkpointed = true;
	walk->recovery->clean = h->flags & FX_JOURNAL_CLEAN;
	walk->recovery->version_ceiling = h->version_ceiling;
	walk->recovery->id_ceiling = h->id_ceiling;
	walk->recovery->journal_records++;
	fx_clock_raise(&walk->store->clock, h->wall_ns);
	return err;
}

/* ---- Walking the chain -------------------------------------------------------------------------
 */

/*
 * The record at the chain's position into a new buffer: 0, -EUCLEAN: there is none, -ENOMEM. -EIO:
 * a block that cannot be read says nothing about what stood there, and is not taken for the end.
 */
static int read_record(struct walk *walk, uint8_t **ret_record, struct fx_journal_header *header)
{
	struct feox_store *store = walk->store;
	struct fx_chain *chain = store->chain;
	uint64_t left = (chain->segment.blocks - chain->used) * FX_BLOCK;
	uint64_t block = chain->segment.start + chain->used;
	FX_AUTO_FREE uint8_t *bytes = NULL;
	uint8_t first[FX_BLOCK];
	const char *why;
	int err = left ? fx_device_read(store->device, first, sizeof(first), block * FX_BLOCK)
		       : -EUCLEAN;

	if (!err)
		err = fx_journal_header_decode(first, store->super.uuid, chain->generation,
					       chain->next_sequence, block, left, header, &why);
	if (err == -EUCLEAN)
		return err;
	bytes = err ? NULL : malloc(header->bytes);
	if (!err && !bytes)
		return -ENOMEM;
	if (!err)
		err = fx_device_read(store->device, bytes, header->bytes, block * FX_BLOCK);
	if (err)
		return fx_diag(walk->diag, -EIO, "the journal cannot be read (block %llu): %s",
			       (unsigned long long)block, strerror(-err));
	if (fx_journal_verify(bytes, header, store->super.uuid))
		return -EUCLEAN;
	*ret_record = FX_STEAL(bytes);
	return 0;
}

/* Step over header's record to where its successor stands. */
static int step(struct walk *walk, const struct fx_journal_header *header)
{
	struct fx_chain *chain = walk->store->chain;

	chain->next_sequence++;
	chain->used += header->bytes / FX_BLOCK;
	if (!header->next_block)
		return 0;
	if (!run_is_valid(walk->store, header->next_block, header->next_blocks))
		return damaged(walk, "the journal leads outside of the store", header->block);
	return fx_chain_add_segment(chain,
				    (struct fx_run){header->next_block, header->next_blocks});
}

/* Is there a whole record of this chain, later than the one that cannot be read? */
static int look_beyond(struct walk *walk)
{
	struct feox_store *store = walk->store;
	struct fx_chain *chain = store->chain;

	for (uint64_t used = chain->used + 1; used < chain->segment.blocks; used++) {
		uint64_t block = chain->segment.start + used;
		uint64_t left = (chain->segment.blocks - used) * FX_BLOCK;
		struct fx_journal_header header = {0};
		FX_AUTO_FREE uint8_t *bytes = NULL;
		uint8_t first[FX_BLOCK];
		const char *why;
		uint64_t sequence;

		if (fx_device_read(store->device, first, sizeof(first), block * FX_BLOCK))
			continue;
		sequence = fx_get_u64(first + 32);
		if (sequence <= chain->next_sequence ||
		    fx_journal_header_decode(first, store->super.uuid, chain->generation, sequence,
					     block, left, &header, &why))
			continue;
		bytes = malloc(header.bytes);
		if (!bytes)
			return -ENOMEM;
		if (!fx_device_read(store->device, bytes, header.bytes, block * FX_BLOCK) &&
		    !fx_journal_verify(bytes, &header, store->super.uuid))
			return damaged(walk, "a journal record is unreadable, a later one is there",
				       chain->segment.start + chain->used);
	}
	return 0;
}

/* Are all bytes of the extents that the last record adds there? 0, -EUCLEAN: torn. */
static int verify_extent(struct walk *walk, const struct fx_journal_extent *e)
{
	struct feox_store *store = walk->store;
	FX_AUTO_FREE struct fx_run *runs = NULL;
	FX_AUTO_FREE uint8_t *bytes = NULL;
	uint64_t done = 0;
	int err = read_runs(store, e, &runs);

	if (err == -EUCLEAN) /* the record's own checksum is right: that is not torn */
		return damaged(walk, "an extent that cannot be", walk->header.block);
	bytes = err ? NULL : malloc(e->bytes);
	if (!bytes)
		return -ENOMEM;
	for (uint32_t i = 0; i < e->run_count && done < e->bytes; i++) {
		uint64_t n = runs[i].blocks * FX_BLOCK;

		n = n < e->bytes - done ? n : e->bytes - done;
		err = fx_device_read(store->device, bytes + done, n, runs[i].start * FX_BLOCK);
		if (err)
			return fx_diag(walk->diag, -EIO,
				       "an extent cannot be read (block %llu): %s",
				       (unsigned long long)runs[i].start, strerror(-err));
		done += n;
	}
	return fx_checksum(store->store_seed, bytes, e->bytes) == e->checksum ? 0 : -EUCLEAN;
}

static int verify_last(struct walk *walk)
{
	uint64_t blocks = 0;
	struct fx_journal_extent extent;
	struct fx_journal_reader r;
	int more, err = 0;

	if (walk->header.type != FX_JOURNAL_COMMIT)
		return 0;
	fx_journal_read(&r, walk->record, &walk->header);
	while (!err && (more = fx_journal_next_section(&r)) > 0)
		while (!err && more == 1 && r.type == FX_SECTION_EXTENTS &&
		       fx_journal_next_extent(&r, &extent) == 1) {
			blocks += fx_div_up(extent.bytes, FX_BLOCK);
			err = blocks > walk->store->super.blocks /* so they overlap */
				      ? damaged(walk, "extents that cannot be", walk->header.block)
				      : verify_extent(walk, &extent);
		}
	return err;
}

static int walk_chain(struct walk *walk)
{
	struct feox_store *store = walk->store;
	struct fx_journal_header header = {0};
	uint8_t *record = NULL;
	int err;

	store->chain->generation = store->super.chain_generation;
	store->chain->next_sequence = 1;
	err = fx_chain_add_segment(
		store->chain, (struct fx_run){store->super.chain_block, store->super.chain_blocks});
	while (!err) {
		err = read_record(walk, &record, &header);
		if (err)
			break;
		if (walk->record)
			err = apply(walk);
		free(walk->record);
		walk->record = record;
		walk->header = header;
		if (!err)
			err = step(walk, &header);
	}
	if (err != -EUCLEAN || !walk->record)
		return err == -EUCLEAN ? damaged(walk, "no journal", store->super.chain_block)
				       : err;
	if (walk->diag && walk->diag->text[0])
		return err; /* apply() or step() has said what is wrong */
	err = look_beyond(walk);
	if (!err)
		err = verify_last(walk);
	if (!err)
		err = apply(walk);
	else if (err == -EUCLEAN && !(walk->diag && walk->diag->text[0])) {
		err = 0; /* torn: as if never written */
		walk->recovery->torn = true;
	}
	if (!err && !walk->checkpointed)
		err = damaged(walk, "the journal ends within its checkpoint",
			      store->super.chain_block);
	if (!err && store->chain->next_sequence - 1 < store->super.chain_records)
		err = damaged(walk, "the journal ends too early",
			      store->chain->segment.start + store->chain->used);
	return err;
}

int fx_recover_chain(struct feox_store *store, struct fx_recovery *recovery)
{
	struct walk walk = {.store = store, .recovery = recovery, .diag = recovery->diag};
	int err;

	recovery->diag->text[0] = '\0'; /* what is in it says whether damage has been found */
	err = fx_map_create(store);
	if (!err)
		err = fx_found_create(store, &recovery->found);
	if (!err)
		err = walk_chain(&walk);
	free(walk.record);
	return err;
}
