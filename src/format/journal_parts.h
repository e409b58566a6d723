/* SPDX-License-Identifier: Apache-2.0 */
/* journal_parts.h - what the files that encode and decode journal records share. */
#ifndef FX_FORMAT_JOURNAL_PARTS_H
#define FX_FORMAT_JOURNAL_PARTS_H

#include "journal.h"

#define FX_JOURNAL_RECORDS_MAX 65535u /* of an extent */

/* Room for size bytes; that there is some is the caller's promise. */
uint8_t *fx_journal_take(struct fx_journal_writer *w, size_t size);

/* size bytes of the open section from its next entry on, or NULL. */
const uint8_t *fx_journal_get(struct fx_journal_reader *r, size_t size);

/* 1: another entry is to come; 0: none, and nothing is left over; -EUCLEAN. */
int fx_journal_more(struct fx_journal_reader *r);

#endif
